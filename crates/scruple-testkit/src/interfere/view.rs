//! View(c, S): what a caller sees of a store, as DESIGN.md's non-interference means it.
//!
//! By the projector of `scruple-fhir`, which the slow one is held against elsewhere, and in two passes, as
//! `scruple-release` follows references between the resources of files: what shows with every reference taken as shown is
//! the set of targets that show.

use super::shared::shared_types;
use super::store::Store;
use scruple_core::DecisionTable;
use scruple_fhir::{Annotation, Projection, Projector, Surroundings};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Type, id and projected bytes, in the order of types and ids.
pub type View = Vec<(String, String, Vec<u8>)>;

/// Makes the pseudonym of a kind and a value.
pub type Pseudonyms = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// What one caller's decision lets through.
pub struct Sight {
    projection: Projection,
    today: (i16, u8, u8),
    pseudonyms: Pseudonyms,
    shared: BTreeSet<String>,
}

impl Sight {
    /// Of a decision on a day.
    #[must_use]
    pub fn new(
        annotation: Arc<Annotation>,
        table: DecisionTable,
        today: (i16, u8, u8),
        pseudonyms: Pseudonyms,
    ) -> Self {
        let shared = shared_types(&annotation);
        Self { projection: Projection::new(annotation, table), today, pseudonyms, shared }
    }

    /// The types that are shared.
    #[must_use]
    pub const fn shared(&self) -> &BTreeSet<String> {
        &self.shared
    }

    /// What shows of the store.
    #[must_use]
    pub fn view(&self, store: &Store) -> View {
        let first = Around { sight: self, shown: None };
        let shown: HashSet<(&str, &str)> = {
            let mut projector = Projector::new(&self.projection, &first);
            let mut scratch = Vec::new();
            let mut shows = |bytes: &[u8]| {
                scratch.clear();
                projector.project(bytes, &mut scratch).is_ok()
            };
            store
                .iter()
                .filter(|stored| shows(&stored.bytes))
                .map(|stored| (stored.resource_type.as_str(), stored.id.as_str()))
                .collect()
        };
        let second = Around { sight: self, shown: Some(&shown) };
        let mut projector = Projector::new(&self.projection, &second);
        let mut view = View::new();
        for stored in store.iter() {
            let mut bytes = Vec::new();
            if projector.project(&stored.bytes, &mut bytes).is_ok() {
                view.push((stored.resource_type.clone(), stored.id.clone(), bytes));
            }
        }
        view.sort();
        view
    }
}

struct Around<'a> {
    sight: &'a Sight,
    shown: Option<&'a HashSet<(&'a str, &'a str)>>,
}

impl Surroundings for Around<'_> {
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool> {
        // While it is collected what shows, references do not matter.
        Some(self.shown.is_none_or(|shown| shown.contains(&(resource_type, id))))
    }

    fn shows_urn(&self, _: &str) -> Option<bool> {
        // A store has no `fullUrl`.
        Some(self.shown.is_none())
    }

    fn token(&self, kind: &str, value: &str) -> String {
        (self.sight.pseudonyms)(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        self.sight.today
    }
}
