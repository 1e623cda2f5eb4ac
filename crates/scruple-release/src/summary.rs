//! What a run did, in numbers: no value, no name, no path of an input.

use scruple_core::Counts;
use scruple_fhir::{ElementCounts, Withheld};
use scruple_policy::Pack;
use serde::Serialize;
use std::collections::BTreeMap;

/// Positions of malformed items that a summary keeps.
const FAULTS_MAX: usize = 1_000;

/// An item that is not a resource: where, and what is wrong, without a byte of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Fault {
    /// Ordinal of the input, from 1.
    pub input: u64,
    /// Ordinal of the item in it, from 1.
    pub item: u64,
    /// What is wrong, and at which byte of the item.
    pub what: String,
}

/// Elements of one category, by how they were shown.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ByView {
    /// Withheld by the view.
    pub none: u64,
    /// Shown by a mask.
    pub masked: u64,
    /// Shown as they are.
    pub full: u64,
}

/// The numbers of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Summary {
    /// Id of the release, as in the ledger.
    pub release: String,
    /// The role.
    pub role: String,
    /// The purpose.
    pub purpose: String,
    /// How the relationship was established.
    pub relationship: String,
    /// Conditions that were taken as true.
    pub conditions: Vec<String>,
    /// SHA-256 of the pack.
    pub pack: String,
    /// Files that were read.
    pub inputs: u64,
    /// Bytes that were read, unpacked.
    pub bytes_in: u64,
    /// Bytes that were released.
    pub bytes_out: u64,
    /// Resources read.
    pub read: u64,
    /// Resources released.
    pub released: u64,
    /// Of these, passed as they are.
    pub passed: u64,
    /// Resources withheld, by reason.
    pub withheld: BTreeMap<String, u64>,
    /// Resources released, by type.
    pub released_by_type: BTreeMap<String, u64>,
    /// Elements by category and view, of the resources released.
    pub elements: BTreeMap<String, ByView>,
    /// Items that are no resources, by position; at most 1,000.
    pub faults: Vec<Fault>,
    /// Things that the operator should know.
    pub notes: Vec<String>,
}

impl Summary {
    /// The counts as the ledger has them.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { read: self.read, released: self.released, withheld: self.withheld.clone() }
    }

    /// Whether an item was malformed.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        ["malformed", "too_large"].iter().any(|reason| self.withheld.contains_key(*reason))
    }

    pub(crate) fn withhold(&mut self, input: u64, item: u64, withheld: &Withheld) {
        *self.withheld.entry(withheld.code().to_owned()).or_default() += 1;
        if let Withheld::Malformed(fault) = withheld
            && self.faults.len() < FAULTS_MAX
        {
            self.faults.push(Fault { input, item, what: fault.0.to_string() });
        }
    }

    /// The part of a Bundle that is no entry counts as an item of its own when it is withheld; `item` is the last entry.
    pub(crate) fn withhold_bundle(&mut self, input: u64, item: u64, withheld: &Withheld) {
        self.read += 1;
        self.withhold(input, item, withheld);
        if let Some(fault) = self.faults.last_mut() {
            fault.what = format!("behind it, outside the entries of the Bundle: {}", fault.what);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.read += other.read;
        self.released += other.released;
        self.passed += other.passed;
        for (key, count) in other.withheld {
            *self.withheld.entry(key).or_default() += count;
        }
        for (key, count) in other.released_by_type {
            *self.released_by_type.entry(key).or_default() += count;
        }
        self.faults.extend(other.faults.into_iter().take(FAULTS_MAX.saturating_sub(self.faults.len())));
    }

    pub(crate) fn set_elements(&mut self, pack: &Pack, counts: &ElementCounts) {
        for (index, category) in pack.categories.iter().enumerate() {
            let [none, masked, full] = counts.of(index);
            if none + masked + full > 0 {
                self.elements.insert(category.name.clone(), ByView { none, masked, full });
            }
        }
    }
}
