//! Pairs of stores with equal views, by seed.
//!
//! A store is a sample of some patients' records of the synthetic hospital, of its directory, and of crafted resources.
//! Mutations change what a caller most likely does not see. None is believed: each is kept only if the view of the whole
//! store stays equal, byte by byte. So it does not matter how they are thought up, only that enough are kept.

mod leaf;
mod made;
mod mutate;
mod revised;
#[cfg(test)]
mod tests;

use super::store::{Mutation, Store, Stored};
use super::view::{Past, Seen, Sight, View};
use crate::crafted;
use crate::tree::Numbers;
use scruple_core::Timestamp;
use scruple_hospital::{Hospital, Options, Persona, Resource};
use serde_json::{Value, json};
use std::sync::Arc;

/// Patients in a store.
const PATIENTS: usize = 3;
/// Resources of one patient's record, beside the Patient.
const OF_A_RECORD: usize = 20;
/// Resources of the directory.
const OF_THE_DIRECTORY: usize = 12;
/// Crafted resources.
const OF_CRAFTED: usize = 8;
/// Of a thousand resources so many have a past.
const WITH_A_PAST: usize = 400;
/// Resources that were deleted.
const DELETED: usize = 3;
/// Mutations that a pair aims at, and how many are tried.
const MUTATIONS: usize = 14;
const TRIES: usize = 40;

/// Two stores that a caller cannot tell apart.
#[derive(Clone, Debug)]
pub struct Pair {
    /// One.
    pub a: Store,
    /// The other: the first after the mutations.
    pub b: Store,
    /// What was changed.
    pub mutations: Vec<Mutation>,
    /// Mutations tried.
    pub tried: usize,
    /// What shows of either.
    pub view: View,
    /// The versions that show of either. None: the caller has no history.
    pub past: Option<Past>,
}

impl Pair {
    /// All that the caller sees of either.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { view: self.view.clone(), past: self.past.clone() }
    }
}

/// Makes pairs.
pub struct Pairs {
    directory: Vec<Stored>,
    /// By patient, the Patient first.
    records: Vec<Vec<Stored>>,
    crafted: Vec<Stored>,
    has_past: bool,
}

impl Pairs {
    /// Over the synthetic hospital of a seed, one patient of each kind.
    ///
    /// # Errors
    /// Crafted resources that cannot be read.
    pub fn new(seed: u64, as_of: Timestamp) -> std::io::Result<Self> {
        let patients = Persona::fixed().len();
        let hospital = Hospital::generate(&Options { patients, seed, as_of, canary: false });
        let stored = |resources: &[Resource]| -> Vec<Stored> {
            resources.iter().filter_map(|resource| resource.to_value().ok()).filter_map(Stored::new).collect()
        };
        let crafted = crafted::all()?;
        let crafted = crafted.iter().enumerate().filter_map(|(number, case)| {
            let mut value: Value = serde_json::from_str(&case.text).ok()?;
            let kind = value.get("resourceType")?.as_str()?;
            if matches!(kind, "Bundle" | "Parameters") {
                return None;
            }
            // Each has an id of its own: many have the same, or none.
            *value.as_object_mut()?.entry("id").or_insert(Value::Null) = json!(format!("crafted-{number}"));
            Stored::new(value)
        });
        Ok(Self {
            directory: stored(&hospital.directory()),
            records: hospital.records().map(|record| stored(&record.resources)).collect(),
            crafted: crafted.collect(),
            has_past: true,
        })
    }

    /// Without the crafted resources, some of which are malformed: a server that others wrote mends what it is given, and
    /// then holds something else than the store.
    #[must_use]
    pub fn well_formed(mut self) -> Self {
        self.crafted.clear();
        self
    }

    /// Without a past: a server that others wrote takes resources as they are now, and knows no others.
    #[must_use]
    pub const fn without_past(mut self) -> Self {
        self.has_past = false;
        self
    }

    /// A store of a seed.
    #[must_use]
    pub fn store(&self, seed: u64) -> Store {
        let mut numbers = Numbers::new(seed ^ 0x5701_e000);
        let mut chosen: Vec<Stored> = Vec::new();
        for number in 0..PATIENTS {
            let Some((patient, rest)) = numbers.one_of(&self.records).and_then(|record| record.split_first()) else {
                continue;
            };
            chosen.push(patient.clone());
            chosen.extend(made::letter(&patient.id, number).into_iter().filter_map(Stored::new));
            chosen.extend(sample(rest, OF_A_RECORD, &mut numbers));
        }
        chosen.extend(sample(&self.directory, OF_THE_DIRECTORY, &mut numbers));
        chosen.extend(sample(&self.crafted, OF_CRAFTED, &mut numbers));
        shuffle(&mut chosen, &mut numbers);
        let mut store = chosen.into_iter().filter_map(|stored| with_versions(stored, &mut numbers)).collect();
        if self.has_past {
            self.give_past(&mut store, &mut Numbers::new(seed ^ 0x0009_a570));
        }
        store
    }

    /// Gives some resources a past, and the store some that were deleted.
    fn give_past(&self, store: &mut Store, numbers: &mut Numbers) {
        let changed: Vec<Arc<Stored>> = store.iter().filter(|_| numbers.chance(WITH_A_PAST)).map(Arc::clone).collect();
        for stored in &changed {
            let past = revised::past(stored, store, numbers);
            store.set_past(&stored.resource_type, &stored.id, past);
        }
        for _ in 0..DELETED {
            let gone = numbers.one_of(&self.records).and_then(|record| numbers.one_of(record));
            let Some(gone) = gone.filter(|gone| store.get(&gone.resource_type, &gone.id).is_none()) else { continue };
            store.set_past(&gone.resource_type, &gone.id, revised::deleted(gone, store, numbers));
        }
    }

    /// A pair of a seed for a caller.
    #[must_use]
    pub fn make(&self, sight: &Sight, seed: u64) -> Pair {
        let a = self.store(seed);
        let seen = sight.seen(&a);
        let mut numbers = Numbers::new(seed ^ 0x0b5e_55ed);
        let mut pair =
            Pair { b: a.clone(), a, mutations: Vec::new(), tried: 0, view: seen.view.clone(), past: seen.past.clone() };
        while pair.tried < TRIES && pair.mutations.len() < MUTATIONS {
            pair.tried += 1;
            let Some(mutation) = mutate::propose(&pair, self, &mut numbers) else { continue };
            let mutated = pair.b.after(std::slice::from_ref(&mutation));
            if mutated != pair.b && sight.seen(&mutated) == seen {
                pair.b = mutated;
                pair.mutations.push(mutation);
            }
        }
        pair
    }
}

/// Some of them, without order.
fn sample(of: &[Stored], count: usize, numbers: &mut Numbers) -> Vec<Stored> {
    let mut left: Vec<&Stored> = of.iter().collect();
    let mut chosen = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        chosen.push(left.swap_remove(numbers.below(left.len())).clone());
    }
    chosen
}

fn shuffle<T>(items: &mut [T], numbers: &mut Numbers) {
    for place in (1..items.len()).rev() {
        items.swap(place, numbers.below(place + 1));
    }
}

/// As a server keeps it: with a version and a time of change.
fn with_versions(stored: Stored, numbers: &mut Numbers) -> Option<Stored> {
    let mut value = stored.value;
    let meta = value.as_object_mut()?.entry("meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        meta.insert("versionId".to_owned(), json!((1 + numbers.below(4)).to_string()));
        meta.insert("lastUpdated".to_owned(), json!(instant(numbers)));
    }
    Stored::new(value)
}

/// A time of change.
fn instant(numbers: &mut Numbers) -> String {
    let mut part = |from: usize, count: usize| from + numbers.below(count);
    let (month, day, hour, minute) = (part(1, 12), part(1, 28), part(0, 24), part(0, 60));
    format!("2025-{month:02}-{day:02}T{hour:02}:{minute:02}:00.000Z")
}
