//! Labels that resources inherit (`docs/view.md`, 3).

use super::name;
use crate::interfere::oracle::{literal, references_at};
use crate::interfere::store::{Store, Stored};
use scruple_core::SegmentSet;
use scruple_fhir::Annotation;
use scruple_fhir::about::Inheritance;
use serde_json::Value;
use std::collections::HashMap;

/// Steps over which labels are inherited.
const STEPS_MAX: usize = 3;
/// Every label.
pub const EVERY_LABEL: SegmentSet = SegmentSet::ALL.union(SegmentSet::UNCLASSIFIED).union(SegmentSet::UNREADABLE);

impl Inherits {
    /// The lines of a pack's annotation.
    #[must_use]
    pub fn of(annotation: &Annotation) -> Vec<Self> {
        let line = |line: &Inheritance| Self { element: line.element.clone(), passes: line.passes };
        annotation.inheritance.lines().iter().map(line).collect()
    }
}

/// A line of the pack: an element whose target's labels pass, and which of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inherits {
    /// `Observation.encounter`, or `*.encounter` for every type that has it.
    pub element: String,
    /// The labels that pass.
    pub passes: SegmentSet,
}

/// Inheritance over a store.
pub(super) struct Labels<'a> {
    store: &'a Store,
    lines: &'a [Inherits],
    /// The labels of each resource itself, by type and id.
    own: HashMap<(&'a str, &'a str), SegmentSet>,
}

impl<'a> Labels<'a> {
    /// `own` tells the labels of a resource itself; what is malformed has every one.
    pub fn new(store: &'a Store, lines: &'a [Inherits], mut own: impl FnMut(&Stored) -> SegmentSet) -> Self {
        let known = if lines.is_empty() {
            HashMap::new()
        } else {
            store.iter().map(|stored| (name(stored), own(stored))).collect()
        };
        Self { store, lines, own: known }
    }

    /// What a resource inherits.
    pub fn inherited(&self, stored: &Stored) -> SegmentSet {
        self.within(stored, STEPS_MAX)
    }

    fn within(&self, stored: &Stored, steps: usize) -> SegmentSet {
        let Some(fewer) = steps.checked_sub(1) else { return SegmentSet::EMPTY };
        let mut found = self.of_one(&stored.value, fewer);
        // What a resource contains passes its own through it.
        for inner in stored.value.get("contained").and_then(Value::as_array).into_iter().flatten() {
            found = found.union(self.of_one(inner, fewer));
        }
        found
    }

    fn of_one(&self, value: &Value, fewer: usize) -> SegmentSet {
        let kind = value.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let mut found = SegmentSet::EMPTY;
        for line in self.lines {
            let element = match line.element.split_once('.') {
                Some(("*", element)) => element,
                Some((of, element)) if of == kind => element,
                _ => continue,
            };
            for reference in references_at(value, kind, &format!("{kind}.{element}")) {
                found = found.union(self.of(reference, fewer).intersect(line.passes));
            }
        }
        found
    }

    /// What a reference has to pass.
    fn of(&self, reference: &Value, steps: usize) -> SegmentSet {
        let text = reference.get("reference").and_then(Value::as_str);
        if text.is_some_and(|text| text.starts_with('#')) {
            return SegmentSet::EMPTY;
        }
        if text.is_none() && reference.get("identifier").is_none() {
            return SegmentSet::EMPTY;
        }
        let Some((kind, id)) = text.and_then(literal) else { return EVERY_LABEL };
        match self.store.get(kind, id) {
            Some(target) => {
                let own = self.own.get(&name(target)).copied().unwrap_or(EVERY_LABEL);
                own.union(self.within(target, steps))
            }
            None => SegmentSet::EMPTY,
        }
    }
}
