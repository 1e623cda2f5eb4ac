//! Views and conditions in plain words, for pages and for differences. Codes stay beside them where a machine reads.

use crate::model::{Pack, Permit, Role};
use scruple_core::{CategoryId, ConditionMask, SegmentLimit, View};

/// What is said of a condition that nothing judges yet.
const WAITS: &str = " (not enforced yet: never, until it is)";

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

/// A purpose of use in plain words, after HL7 v3 ActReason. One that is not listed stands for itself: a pack may have its own.
#[must_use]
pub fn purpose_words(code: &str) -> &str {
    match code {
        "TREAT" => "treatment",
        "ETREAT" => "emergency treatment",
        "BTG" => "emergency access",
        "COC" => "coordination of care",
        "CAREMGT" => "care management",
        "HPAYMT" => "payment",
        "CLMATTCH" => "claim attachments",
        "COVAUTH" => "prior authorisation",
        "ELIGVER" => "checking eligibility",
        "REMITADV" => "remittance advice",
        "HOPERAT" => "operations",
        "PATADMIN" => "patient administration",
        "RECORDMGT" => "records management",
        "HDIRECT" => "the facility directory",
        "HQUALIMP" => "quality improvement",
        "PERFMSR" => "performance measurement",
        "PATSFTY" => "patient safety",
        "HACCRED" => "accreditation",
        "HCOMPL" => "compliance",
        "HLEGAL" => "legal proceedings",
        "FRAUD" => "fraud detection",
        "HDM" => "management of the delivery of care",
        "HSYSADMIN" => "system administration",
        "SYSDEV" => "system development",
        "TRAIN" => "training",
        "HMARKT" => "marketing",
        "HRESCH" => "research",
        "CLINTRCH" => "a clinical trial",
        "PATRQT" => "the patient's own request",
        "FAMRQT" => "a request of the family",
        "PWATRNY" => "a power of attorney",
        "PUBHLTH" => "public health",
        "DISASTER" => "disaster relief",
        "THREAT" => "averting a threat",
        "HDECD" => "a decedent's affairs",
        "GOV" => "government functions",
        other => other,
    }
}

/// The same with the code behind it, where no page can show it on hover: `public health (PUBHLTH)`.
#[must_use]
pub fn purpose_coded(code: &str) -> String {
    match purpose_words(code) {
        words if words == code => code.to_owned(),
        words => format!("{words} ({code})"),
    }
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
        let waits = if condition.enforced == "not yet" { WAITS } else { "" };
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

/// The conditions of a role in sentences, for whoever holds it (RB-17): for which purposes, of which patients, what more is asked for
/// single kinds of information and for what is specially protected, and in an emergency. It says all of them, and what there is none of.
#[must_use]
pub fn conditions_of(pack: &Pack, role: &Role) -> Vec<String> {
    let phi: Vec<&Permit> = role
        .permits
        .iter()
        .filter(|permit| permit.categories.iter().any(|category| !is_directory(pack, *category)))
        .collect();
    let shared = phi.iter().map(|permit| permit.when.0).reduce(|all, when| all & when).unwrap_or(0);
    let shared = ConditionMask(shared);
    let own: Vec<&str> = std::iter::once(&role.purpose).chain(&role.also).map(String::as_str).collect();
    let mut said = vec![format!(
        "For these purposes alone: {}.",
        role.purposes().into_iter().map(purpose_coded).collect::<Vec<_>>().join(", ")
    )];
    said.extend(condition_labels(pack, role, shared).into_iter().map(|label| format!("Only while {label}.")));
    // By the words of a condition, the kinds of information that ask it.
    let mut more: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |condition: String, of: String| match more.iter_mut().find(|(known, _)| *known == condition) {
        Some((_, all)) if all.contains(&of) => {}
        Some((_, all)) => all.push(of),
        None => more.push((condition, vec![of])),
    };
    for permit in &role.permits {
        let mut conditions = condition_labels(pack, role, ConditionMask(permit.when.0 & !shared.0));
        if !own.iter().all(|purpose| permit.purposes.iter().any(|listed| listed == purpose)) {
            let purposes: Vec<String> = permit.purposes.iter().map(|code| purpose_coded(code)).collect();
            conditions.push(format!("the purpose is {}", purposes.join(" or ")));
        }
        if conditions.is_empty() {
            continue;
        }
        let depth = if permit.view == View::Full { String::new() } else { " in part".to_owned() };
        for category in &permit.categories {
            add(conditions.join(" and "), format!("{}{depth}", category_label(pack, *category)));
        }
    }
    for (segment, word) in pack.segments.iter().zip(&role.segments) {
        if let (Some(condition), true) = (word.condition, word.limit != SegmentLimit::None) {
            let mask = ConditionMask::NONE.with(condition);
            let mut label = condition_labels(pack, role, mask).join(" and ");
            // What is not enforced by itself yet holds by a second confirmation.
            if pack.protected(&role.name).covers(mask) {
                label = label.replace(WAITS, " (so far in an emergency that you confirm a second time, else never)");
            }
            add(label, lower_first(&segment.label));
        }
    }
    said.extend(more.into_iter().map(|(condition, of)| format!("Only while {condition}: {}.", of.join(", "))));
    if role.emergency_access {
        said.push(
            "In an emergency you may open the chart of another patient, for four hours; each is reviewed.".to_owned(),
        );
    }
    said.push(
        "The policy names no other condition: none on the hour, the place or the device but what stands here."
            .to_owned(),
    );
    said
}

/// What is no patient's: it is open to everybody of the role.
fn is_directory(pack: &Pack, category: CategoryId) -> bool {
    pack.categories.get(usize::from(category.0)).is_some_and(|category| !category.phi)
}
