//! Which versions show, to whom, and which a history lists.

use super::*;
use crate::interfere::store::Store;
use crate::interfere::view::{Related, RelatedBy, Resolved, Window};
use crate::interfere::world::{OFFICER, PACK, sight};
use crate::interfere::{Inherits, shared_types};
use scruple_core::{ConditionMask, DecisionTable, Timestamp};
use scruple_policy::{Question, table};
use serde_json::{Value, json};
use std::sync::Arc;

/// A Patient as a version has it, with what else stands there.
fn patient(version: &str, gender: &str, more: Value) -> Value {
    let mut value = json!({
        "resourceType": "Patient", "id": "p", "gender": gender,
        "meta": { "versionId": version, "lastUpdated": "2025-01-01T00:00:00Z" },
    });
    merge(&mut value, more);
    value
}

fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(own), Value::Object(more)) => {
            for (name, more) in more {
                merge(own.entry(name).or_insert(Value::Null), more);
            }
        }
        (own, more) => *own = more,
    }
}

fn labelled() -> Value {
    let code = json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV" });
    json!({ "meta": { "security": [code] } })
}

fn stored(value: Value) -> Arc<Stored> {
    Arc::new(Stored::new(value).unwrap())
}

/// One resource after another in its place; null deletes it.
fn store(versions: &[Value]) -> Store {
    let mut store = Store::new();
    for (place, version) in versions.iter().enumerate() {
        if version.is_null() {
            store.delete("Patient", "p", &format!("d{place}"), Timestamp::from_micros(0));
        } else {
            store.revise(stored(version.clone()));
        }
    }
    store
}

/// Ids of versions that show, and of those that a history lists, newest first. None: there is no history.
fn ids(past: &Past, kind: &str, id: &str) -> Option<(String, String)> {
    let versions = past.get(&(kind.to_owned(), id.to_owned()))?;
    let own = |version: &ShownVersion| version.id.clone().unwrap_or_else(|| "-".to_owned());
    let shown: Vec<String> = versions.iter().map(own).collect();
    let listed: Vec<String> = history(versions).into_iter().map(own).collect();
    Some((shown.join(" "), listed.join(" ")))
}

fn check(versions: &[Value], expected: Option<(&str, &str)>) {
    let past = sight(OFFICER).seen(&store(versions)).past.unwrap();
    let expected = expected.map(|(shown, listed)| (shown.to_owned(), listed.to_owned()));
    assert_eq!(ids(&past, "Patient", "p"), expected, "{versions:?}");
}

#[test]
fn a_history_leaves_out_what_says_the_same_as_the_next_older_one() {
    let unseen = json!({ "maritalStatus": { "text": "widowed" } });
    check(
        &[
            patient("1", "male", json!({})),
            patient("2", "male", unseen.clone()),
            patient("3", "female", unseen.clone()),
            patient("4", "female", json!({ "extension": [{ "url": "http://own.example/x", "valueString": "y" }] })),
            patient("5", "female", json!({ "meta": { "lastUpdated": "2025-02-01T00:00:00Z" } })),
        ],
        Some(("5 4 3 2 1", "3 1")),
    );
    // What came back is listed: it is not the next older one that says the same.
    let genders = ["male", "female", "male"].into_iter().zip(["1", "2", "3"]);
    let there_and_back: Vec<Value> = genders.map(|(gender, version)| patient(version, gender, json!({}))).collect();
    check(&there_and_back, Some(("3 2 1", "3 2 1")));
    check(&[patient("1", "male", json!({}))], Some(("1", "1")));
}

#[test]
fn labels_of_an_old_version_hide_it_alone_and_those_of_the_current_one_all() {
    let plain = |version: &str, gender: &str| patient(version, gender, json!({}));
    let hidden = |version: &str| patient(version, "other", labelled());
    check(&[plain("1", "male"), hidden("2"), plain("3", "female")], Some(("3 1", "3 1")));
    // Of what is left the newer one says what the older one does.
    check(&[plain("1", "male"), hidden("2"), plain("3", "male")], Some(("3 1", "1")));
    check(&[plain("1", "male"), plain("2", "female"), hidden("3")], None);
}

#[test]
fn deletions_are_no_versions_and_what_is_deleted_has_none() {
    let plain = |version: &str, gender: &str| patient(version, gender, json!({}));
    check(&[plain("1", "male"), Value::Null, plain("3", "female")], Some(("3 1", "3 1")));
    check(&[plain("1", "male"), Value::Null, plain("3", "male")], Some(("3 1", "1")));
    check(&[plain("1", "male"), Value::Null], None);
    check(&[plain("1", "male"), Value::Null, plain("3", "male"), Value::Null], None);
}

#[test]
fn what_cannot_be_read_is_no_version() {
    let odd = patient("2", "male", json!({ "implicitRules": "http://own.example/rules" }));
    check(&[patient("1", "male", json!({})), odd, patient("3", "female", json!({}))], Some(("3 1", "3 1")));
    let nameless = json!({ "resourceType": "Patient", "id": "p", "gender": "other" });
    check(&[nameless.clone(), patient("2", "male", json!({}))], Some(("2", "2")));
    check(&[patient("1", "male", json!({})), nameless], Some(("- 1", "- 1")));
}

#[test]
fn the_current_version_is_what_a_read_gives_and_others_have_no_history() {
    let held = store(&[patient("1", "male", json!({})), patient("2", "female", json!({}))]);
    let seen = sight(OFFICER).seen(&held);
    let past = seen.past.unwrap();
    let newest = &past[&("Patient".to_owned(), "p".to_owned())][0];
    assert_eq!(seen.view[0].2, newest.bytes);
    assert_eq!(seen.view, sight(OFFICER).view(&held));
    for role in [("physician", "TREAT"), ("biller", "HPAYMT"), ("researcher", "HRESCH")] {
        let seen = sight(role).seen(&held);
        assert_eq!((seen.past, seen.view), (None, sight(role).view(&held)), "{role:?}");
    }
}

fn procedure(version: &str, more: Value) -> Arc<Stored> {
    let mut value = json!({
        "resourceType": "Procedure", "id": "r", "status": "completed", "meta": { "versionId": version },
        "subject": { "reference": "Patient/p" }, "code": { "coding": [{ "system": "http://loinc.org", "code": "8480-6" }] },
    });
    merge(&mut value, more);
    stored(value)
}

#[test]
fn a_version_has_what_it_inherits_and_what_the_current_one_does() {
    let mut held = store(&[patient("1", "male", json!({}))]);
    let mut order = json!({ "resourceType": "ServiceRequest", "id": "s", "status": "active", "intent": "order",
        "subject": { "reference": "Patient/p" } });
    merge(&mut order, labelled());
    held.put(stored(order));
    let ordered = json!({ "basedOn": [{ "reference": "ServiceRequest/s" }] });
    held.revise(procedure("1", ordered.clone()));
    held.revise(procedure("2", json!({})));
    let shown = |held: &Store| ids(&sight(OFFICER).seen(held).past.unwrap(), "Procedure", "r").map(|(shown, _)| shown);
    assert_eq!(shown(&held).as_deref(), Some("2"));
    held.revise(procedure("3", ordered));
    assert_eq!(shown(&held), None);
}

/// The tables of the privacy officer with the relationship, and without.
fn tables() -> [DecisionTable; 2] {
    let near = ConditionMask::NONE.with(PACK.condition("relationship").unwrap());
    [near, ConditionMask::NONE].map(|conditions| {
        let question = Question { role: OFFICER.0.to_owned(), purpose: OFFICER.1.to_owned(), conditions };
        table(&PACK, &question).unwrap()
    })
}

/// One who is in the visits of `Practitioner/d`.
fn in_visits(far: DecisionTable) -> Sight {
    let [near, _] = tables();
    let related = Related {
        practitioners: vec!["Practitioner/d".to_owned()],
        windows: vec![Window { kind: RelatedBy::Encounter, before: 0, after: 0 }],
        at: Timestamp::parse("2026-03-01T12:00:00Z").unwrap().micros(),
    };
    let shared = shared_types(&PACK.annotation);
    let caller = Resolved { near, far, shared, related, inheritance: Inherits::of(&PACK.annotation) };
    Sight::resolved(&PACK.annotation, caller, (2026, 3, 1), Arc::new(|_: &str, _: &str| String::new()))
}

#[test]
fn a_version_about_another_patient_is_not_near() {
    let mut held = store(&[patient("1", "male", json!({}))]);
    held.put(stored(json!({
        "resourceType": "Encounter", "id": "e", "status": "in-progress", "subject": { "reference": "Patient/p" },
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP" },
        "participant": [{ "individual": { "reference": "Practitioner/d" } }],
    })));
    let of = |patient: &str| json!({ "subject": { "reference": format!("Patient/{patient}") } });
    for (version, patient) in [("1", "p"), ("2", "q"), ("3", "p")] {
        held.revise(procedure(version, of(patient)));
    }
    let [near, far] = tables();
    let shown = |sight: &Sight, held: &Store| ids(&sight.seen(held).past.unwrap(), "Procedure", "r");
    let both = |ids: &str| Some((ids.to_owned(), "1".to_owned()));
    assert_eq!(shown(&in_visits(far.clone()), &held), both("3 1"));
    assert_eq!(shown(&in_visits(near), &held).map(|(shown, _)| shown).as_deref(), Some("3 2 1"));
    held.revise(procedure("4", of("q")));
    assert_eq!(shown(&in_visits(far.clone()), &held), None);
    // A far table that shows the resource, and not its changes, has no history of it.
    let mut without_changes = tables()[0].clone();
    without_changes.views[usize::from(PACK.annotation.change_metadata.0)] = scruple_core::View::None;
    let sight = in_visits(without_changes);
    assert!(sight.view(&held).iter().any(|(kind, ..)| kind == "Procedure"));
    assert_eq!(shown(&sight, &held), None);
}
