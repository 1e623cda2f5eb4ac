//! Which resources of the input show, so that references to the others are withheld.

use scruple_fhir::Surroundings;
use scruple_seal::TokenKey;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Ids that are kept. Above it the set is given up, and references that a label could hide are withheld.
const TARGETS_MAX: usize = 8_000_000;

/// The visible resources of the input, as hashes: 8 bytes each.
#[derive(Debug, Default)]
pub struct Targets {
    shown: HashSet<u64>,
    given_up: bool,
}

fn key(resource_type: &str, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (resource_type, id).hash(&mut hasher);
    hasher.finish()
}

impl Targets {
    /// A resource shows.
    pub fn add(&mut self, resource_type: &str, id: &str) {
        self.insert(key(resource_type, id));
    }

    /// The `fullUrl` of an entry whose resource shows.
    pub fn add_urn(&mut self, urn: &str) {
        self.insert(key("urn", urn));
    }

    fn insert(&mut self, key: u64) {
        if self.shown.len() >= TARGETS_MAX {
            self.given_up = true;
            self.shown = HashSet::new();
        } else if !self.given_up {
            self.shown.insert(key);
        }
    }

    /// Whether there were too many.
    #[must_use]
    pub const fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Joins two sets.
    pub fn merge(&mut self, other: Self) {
        self.given_up |= other.given_up;
        other.shown.into_iter().for_each(|key| self.insert(key));
    }
}

/// What the projector asks, answered from the input itself.
pub(crate) struct Around<'a> {
    pub targets: Option<&'a Targets>,
    pub token: &'a TokenKey,
    pub today: (i16, u8, u8),
}

impl Surroundings for Around<'_> {
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool> {
        // While the first pass collects what shows, references do not matter.
        let Some(targets) = self.targets else { return Some(true) };
        Some(!targets.given_up && targets.shown.contains(&key(resource_type, id)))
    }

    fn shows_urn(&self, urn: &str) -> Option<bool> {
        self.shows("urn", urn)
    }

    fn token(&self, kind: &str, value: &str) -> String {
        self.token.token(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        self.today
    }
}
