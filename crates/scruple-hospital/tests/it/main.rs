//! Tests of the generated hospital as a reader of its files sees it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails loudly")]

mod bytes;
mod canaries;
mod codes;
mod plausible;
mod required;
mod stories;
mod upstream;

use scruple_core::Timestamp;
use scruple_hospital::{Hospital, Options, Record};
use serde_json::Value;
use std::collections::BTreeMap;

const AS_OF: &str = "2026-03-10T17:30:00Z";

fn hospital(patients: usize, seed: u64, as_of: &str, canary: bool) -> Hospital {
    Hospital::generate(&Options { patients, seed, as_of: Timestamp::parse(as_of).unwrap(), canary })
}

fn values(record: &Record) -> Vec<Value> {
    record.resources.iter().map(|resource| resource.to_value().unwrap()).collect()
}

/// Everything of a hospital as values, with the directory.
fn everything(hospital: &Hospital) -> Vec<Value> {
    let directory = hospital.directory().into_iter().map(|resource| resource.to_value().unwrap());
    directory.chain(hospital.records().flat_map(|record| values(&record))).collect()
}

/// Calls `see` with the path (`Patient.name.family`) and value of each node below `value`.
fn walk<'a>(path: &str, value: &'a Value, see: &mut impl FnMut(&str, &'a Value)) {
    see(path, value);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, see)),
        Value::Array(items) => items.iter().for_each(|item| walk(path, item, see)),
        _ => {}
    }
}

fn kind(resource: &Value) -> &str {
    resource["resourceType"].as_str().unwrap()
}

fn by_kind(resources: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut all: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    resources.iter().for_each(|resource| all.entry(kind(resource)).or_default().push(resource));
    all
}
