//! Views and conditions in plain words, for pages and for differences. Codes stay beside them where a machine reads.

use crate::model::{Pack, Role};
use scruple_core::{CategoryId, ConditionMask, SegmentLimit, View};

/// What a mask leaves.
#[must_use]
pub fn mask_words(name: &str) -> String {
    match name {
        "coded" => "Codes, numbers and dates only; nothing in a person's words",
        "header" => "Type, status and dates only; no content",
        "last4" => "The last four characters only",
        "status" => "Whether and until when; not about what",
        "icon" => "What to do, not why",
        "total" => "The total only",
        "visit_type" => "The class of visit only, never the reason",
        "payer" | "payer_type" => "Who pays, without numbers",
        "year" => "The year only",
        "age" => "An age in place of the date",
        "zip3" => "Three digits of the ZIP code only",
        "zip5" => "The ZIP code only",
        "token" => "A pseudonym in place of each value",
        "shape" => "The shape of the values, none of them",
        "count" => "Counts only",
        other => return format!("In part, by the mask {other}"),
    }
    .to_owned()
}

/// `in full`, `masked (the year only)`, `not at all`.
pub(crate) fn view_words(pack: &Pack, view: View) -> String {
    match view {
        View::None => "not at all".to_owned(),
        View::Full => "in full".to_owned(),
        View::Masked(_) => {
            let name = pack.view_name(view);
            format!("masked ({})", lower_first(&mask_words(name.trim_start_matches("masked:"))))
        }
    }
}

/// The label of a category, as a sentence goes on with it.
pub(crate) fn category_label(pack: &Pack, category: CategoryId) -> String {
    let label = pack.categories.get(usize::from(category.0)).map_or("?", |category| category.label.as_str());
    lower_first(label)
}

/// `only while A and B`; empty where nothing is asked.
pub(crate) fn while_words(pack: &Pack, role: &Role, mask: ConditionMask) -> String {
    let labels = condition_labels(pack, role, mask);
    if labels.is_empty() { String::new() } else { format!("only while {}", labels.join(" and ")) }
}

/// The conditions of a mask in words; what the relationship is stands in the role.
pub(crate) fn condition_labels(pack: &Pack, role: &Role, mask: ConditionMask) -> Vec<String> {
    let held = pack.conditions.iter().enumerate().filter(|(index, _)| mask.0 & 1 << (index & 63) != 0);
    held.map(|(_, condition)| {
        let waits = if condition.enforced == "not yet" { " (not enforced yet: never, until it is)" } else { "" };
        if condition.name == "relationship" && !role.relationship.is_empty() {
            format!("there is a relationship ({}){waits}", role.relationship)
        } else {
            format!("{}{waits}", condition.label)
        }
    })
    .collect()
}

/// What a segment's limit leaves.
pub(crate) const fn limit_words(limit: SegmentLimit) -> &'static str {
    match limit {
        SegmentLimit::None => "withheld",
        SegmentLimit::Coded => "codes only",
        SegmentLimit::Follow => "as the kind of information",
    }
}

/// The first letter small, unless the first word is an abbreviation.
pub(crate) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let (first, second) = (letters.next(), letters.next());
    match (first, second) {
        (Some(first), second) if second.is_none_or(|second| !second.is_uppercase()) => {
            let rest: String = text.chars().skip(1).collect();
            format!("{}{rest}", first.to_lowercase())
        }
        _ => text.to_owned(),
    }
}
