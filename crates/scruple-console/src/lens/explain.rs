//! Reasons for the elements of one resource, from the policy: it chooses the class of the resource by its codes, as the
//! policy's discriminators say, and puts the policy's explanation into words. It decides nothing.

use super::{LensError, Reason, SeenView};
use crate::words;
use scruple_core::CategoryId;
use scruple_fhir::Place;
use scruple_fhir::tree::Tree;
use scruple_policy::{ElementRow, ExplainError, Pack, Question, TypeExplanation, explain_type};
use std::collections::BTreeSet;

/// What the policy says of a resource.
pub struct Explained {
    /// By element.
    pub reasons: Vec<Reason>,
    /// The kind of information that the type is, in words.
    pub home: String,
}

/// Explains a resource.
pub fn explain(pack: &Pack, question: &Question, whole: &Tree) -> Result<Explained, LensError> {
    let type_name = whole.get("resourceType").and_then(Tree::text).unwrap_or_default();
    let explanations = match explain_type(pack, question, type_name) {
        Ok(explanations) => explanations,
        Err(ExplainError::Refused(refusal)) => return Err(refused(&refusal)),
        Err(ExplainError::UnknownType(_)) => return Err(LensError::Failed),
    };
    let classes = classes(pack, type_name, whole);
    let is_of = |one: &TypeExplanation| {
        one.class.as_ref().is_none_or(|class| classes.iter().any(|id| pack.category_name(*id) == class))
    };
    // Of several the narrowest decides.
    let shown = |one: &TypeExplanation| one.rows.iter().filter(|row| row.view != "none").count();
    let chosen = explanations.iter().filter(|one| is_of(one)).min_by_key(|one| (one.shows, shown(one)));
    let reasons = chosen.map_or_else(Vec::new, |one| one.rows.iter().map(|row| reason(pack, row)).collect());
    let home = match pack.annotation.homes.get(type_name) {
        Some(Place::Category(id)) => label(pack, *id),
        Some(Place::Class) => {
            chosen.and_then(|one| pack.category(one.class.as_deref()?)).map_or_else(String::new, |id| label(pack, id))
        }
        _ => String::new(),
    };
    Ok(Explained { reasons, home })
}

/// A refusal of the policy.
pub const fn refused(refusal: &scruple_policy::Refusal) -> LensError {
    match refusal {
        scruple_policy::Refusal::UnknownRole(_) => LensError::UnknownRole,
        scruple_policy::Refusal::Overdue(_) => LensError::UnknownRole,
        scruple_policy::Refusal::NoElevation => LensError::NoElevation,
        scruple_policy::Refusal::UnknownPurpose(_) | scruple_policy::Refusal::PurposeNotAllowed { .. } => {
            LensError::PurposeNotAllowed
        }
    }
}

fn label(pack: &Pack, id: CategoryId) -> String {
    pack.categories.get(usize::from(id.0)).map_or_else(String::new, |category| category.label.clone())
}

/// The classes that a resource's codes choose (docs/projection.md, 2).
fn classes(pack: &Pack, type_name: &str, whole: &Tree) -> BTreeSet<CategoryId> {
    let mut codings = Vec::new();
    let lines: Vec<_> = pack.annotation.class_lines(type_name).collect();
    let elements: BTreeSet<&str> = lines.iter().map(|line| line.element.as_str()).collect();
    for element in elements {
        let key = element.rsplit_once('.').map_or(element, |(_, key)| key);
        for item in whole.get(key).map(Tree::items).unwrap_or_default() {
            let concept = item.get("coding").map_or_else(|| std::slice::from_ref(item), Tree::items);
            for coding in concept {
                let part = |name: &str| coding.get(name).and_then(Tree::text);
                codings.push((element, part("system"), part("code").or_else(|| coding.text())));
            }
        }
    }
    let fits = |line: &scruple_fhir::Discriminator| {
        line.coding.as_ref().is_some_and(|(system, code)| {
            codings.iter().any(|(element, of, found)| {
                *element == line.element && *found == Some(code) && of.is_none_or(|of| of == system)
            })
        })
    };
    let matched: BTreeSet<CategoryId> = lines.iter().filter(|line| fits(line)).map(|line| line.category).collect();
    if !matched.is_empty() {
        return matched;
    }
    let default: BTreeSet<CategoryId> =
        lines.iter().filter(|line| line.coding.is_none()).map(|line| line.category).collect();
    if default.is_empty() { lines.iter().map(|line| line.category).collect() } else { default }
}

fn reason(pack: &Pack, row: &ElementRow) -> Reason {
    let kind = pack.category(&row.category).map_or_else(String::new, |id| label(pack, id));
    let view = match row.view.as_str() {
        "full" => SeenView::Full,
        "none" => SeenView::None,
        masked => SeenView::Masked(masked.trim_start_matches("masked:").to_owned()),
    };
    let in_words = |name: &String| {
        let known = pack.conditions.iter().find(|condition| condition.name == *name);
        known.map_or_else(|| name.clone(), |condition| condition.label.clone())
    };
    Reason {
        path: row.path.clone(),
        category: row.category.clone(),
        kind,
        view,
        tasks: row.rule.as_ref().map(|rule| rule.tasks.clone()).unwrap_or_default(),
        rule: row.rule.as_ref().map(|rule| rule.place.clone()),
        missing: row.missing.iter().map(in_words).collect(),
        because: row.because.as_deref().map(|because| words::because(pack, because)),
    }
}
