//! What may have stood there before a resource became what it is: the same again, less, more, something protected, or
//! somebody else's.

use super::instant;
use super::leaf::{alike, another, at, key, leaves};
use crate::interfere::store::{Store, Stored, Version};
use crate::tree::Numbers;
use scruple_core::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Versions before the current one, at most.
const VERSIONS: usize = 4;
/// The version ids of what is past begin behind those that current resources have.
const FIRST: usize = 2_000;

/// The past of a resource, oldest first.
pub(super) fn past(current: &Stored, store: &Store, numbers: &mut Numbers) -> Vec<Version> {
    let mut versions = Vec::new();
    let mut newer = current.value.clone();
    for _ in 0..1 + numbers.below(VERSIONS) {
        let from = if numbers.chance(500) { &newer } else { &current.value };
        newer = earlier(from, store, numbers);
        let id = FIRST + VERSIONS * 2 - versions.len();
        versions.extend(kept(newer.clone(), id, numbers));
        if numbers.chance(120) {
            versions.push(deletion(FIRST - versions.len()));
        }
    }
    versions.reverse();
    versions
}

/// The past of a resource that was deleted.
pub(super) fn deleted(stored: &Stored, store: &Store, numbers: &mut Numbers) -> Vec<Version> {
    let mut versions = if numbers.chance(500) { past(stored, store, numbers) } else { Vec::new() };
    versions.extend(kept(stored.value.clone(), FIRST + 20, numbers));
    versions.push(deletion(FIRST + 21));
    versions
}

/// A version that hardly anybody sees, whoever sees the resource.
pub(super) fn unseen(current: &Stored, store: &Store, numbers: &mut Numbers) -> Option<Version> {
    let mut value = current.value.clone();
    let object = value.as_object_mut()?;
    match numbers.below(5) {
        0 => drop(object.insert("implicitRules".to_owned(), json!("http://own.example/rules"))),
        1 => drop(object.insert("status".to_owned(), json!(7))),
        2 => drop(object.insert("modifierExtension".to_owned(), json!([{ "url": "http://own.example/not" }]))),
        3 => value = earlier(&value, store, numbers),
        _ => label(&mut value, numbers),
    }
    kept(value, FIRST + 30 + numbers.below(900), numbers)
}

/// A version like this one, with one value changed that does not stand in what shows of it.
pub(super) fn changed(version: &Version, shown: &str, numbers: &mut Numbers) -> Option<Version> {
    let Version::Stored(stored) = version else { return None };
    let mut value = stored.value.clone();
    change_a_leaf(&mut value, shown, numbers);
    Some(Version::Stored(Arc::new(Stored::new(value)?)))
}

/// That the resource was deleted.
pub(super) fn deletion(version: usize) -> Version {
    Version::Deleted { version: version.to_string(), at: Timestamp::from_micros(1_760_000_000_000_000) }
}

/// As a server keeps it.
fn kept(mut value: Value, version: usize, numbers: &mut Numbers) -> Option<Version> {
    let meta = value.as_object_mut()?.entry("meta").or_insert_with(|| json!({})).as_object_mut()?;
    meta.insert("versionId".to_owned(), json!(version.to_string()));
    meta.insert("lastUpdated".to_owned(), json!(instant(numbers)));
    Some(Version::Stored(Arc::new(Stored::new(value)?)))
}

fn earlier(of: &Value, store: &Store, numbers: &mut Numbers) -> Value {
    let mut value = of.clone();
    match numbers.below(8) {
        // What changed was `meta` alone.
        0 | 1 => {}
        2 => label(&mut value, numbers),
        3 => drop(of_another(&mut value, store, numbers)),
        4 => drop(without_a_member(&mut value, numbers)),
        _ => change_a_leaf(&mut value, "", numbers),
    }
    value
}

fn label(value: &mut Value, numbers: &mut Numbers) {
    let code = numbers.one_of(&["HIV", "42CFRPart2", "PSYTHPN", "SEX", "VIO"]).copied().unwrap_or("HIV");
    let security = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code }]);
    if let Some(meta) = value.get_mut("meta").and_then(Value::as_object_mut) {
        meta.insert("security".to_owned(), security);
    }
}

/// It was about another patient.
fn of_another(value: &mut Value, store: &Store, numbers: &mut Numbers) -> Option<()> {
    let patients: Vec<&str> =
        store.iter().filter(|stored| stored.resource_type == "Patient").map(|stored| stored.id.as_str()).collect();
    let patient = numbers.one_of(&patients).copied().unwrap_or("nobody");
    let element = ["subject", "patient", "beneficiary"].into_iter().find(|name| value.get(*name).is_some())?;
    *value.get_mut(element)? = json!({ "reference": format!("Patient/{patient}") });
    Some(())
}

fn without_a_member(value: &mut Value, numbers: &mut Numbers) -> Option<()> {
    let object = value.as_object_mut()?;
    let names = object.keys().filter(|name| !matches!(name.as_str(), "resourceType" | "id" | "meta")).cloned();
    let names: Vec<String> = names.collect();
    object.remove(numbers.one_of(&names)?).map(|_| ())
}

fn change_a_leaf(value: &mut Value, shown: &str, numbers: &mut Numbers) {
    let known = leaves(value);
    let is_fixed = |name: &str| matches!(name, "resourceType" | "id" | "reference" | "versionId" | "lastUpdated");
    let is_free = |name: &str, value: &Value| !is_fixed(name) && !shown.contains(&value.to_string());
    let free: Vec<_> = known.iter().filter(|(path, value)| is_free(key(path), value)).collect();
    let Some((path, old)) = numbers.one_of(&free) else { return };
    let (path, old) = (path.clone(), (*old).clone());
    let new = if numbers.chance(500) { alike(&old, numbers) } else { another(&old, numbers) };
    if let Some(place) = at(value, &path) {
        *place = new;
    }
}
