//! Whom resources are about, to whom a caller is related and when, what is inherited, and the view that comes of it.

use super::*;
use crate::interfere::world::{PACK, sight};
use scruple_core::{ConditionMask, SegmentId, Timestamp};
use scruple_policy::{Question, table};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000_000;
const NOON: &str = "2026-03-01T12:00:00Z";

fn stored(value: Value) -> Stored {
    Stored::new(value).unwrap()
}

fn to(reference: &str) -> Value {
    json!({ "reference": reference })
}

fn store(values: Vec<Value>) -> Store {
    values.into_iter().map(stored).collect()
}

#[test]
fn patients_stand_as_literals() {
    for (value, expected) in [
        (json!({ "resourceType": "Patient", "id": "p" }), Some("p")),
        (json!({ "resourceType": "Observation", "id": "o", "subject": to("Patient/a") }), Some("a")),
        (json!({ "resourceType": "Observation", "id": "o", "subject": to("Patient/a/_history/2") }), Some("a")),
        (json!({ "resourceType": "Observation", "id": "o", "subject": to("Group/g") }), Some("")),
        (json!({ "resourceType": "Observation", "id": "o", "subject": to("http://x/fhir/Patient/a") }), None),
        (json!({ "resourceType": "Observation", "id": "o", "subject": to("#a") }), None),
        (json!({ "resourceType": "Observation", "id": "o", "subject": to("Shoe/a") }), None),
        (json!({ "resourceType": "Observation", "id": "o", "subject": { "identifier": { "value": "1" } } }), None),
        (json!({ "resourceType": "Observation", "id": "o" }), Some("")),
        (json!({ "resourceType": "Task", "id": "t", "for": to("Patient/a") }), Some("a")),
        (json!({ "resourceType": "Account", "id": "t", "subject": [to("Patient/a"), to("Patient/b")] }), Some("a,b")),
        (
            json!({ "resourceType": "Appointment", "id": "a", "participant": [{ "actor": to("Patient/a") }, { "actor": to("Location/l") }, { "status": "accepted" }] }),
            Some("a"),
        ),
        (json!({ "resourceType": "AppointmentResponse", "id": "a", "actor": to("Patient/a") }), Some("a")),
        (
            json!({ "resourceType": "Group", "id": "g", "member": [{ "entity": to("Patient/a") }, { "entity": to("Patient/b") }] }),
            Some("a,b"),
        ),
        (json!({ "resourceType": "Person", "id": "p", "link": [{ "target": to("Patient/a") }] }), Some("a")),
        (json!({ "resourceType": "Person", "id": "p", "link": [{ "target": { "display": "x" } }] }), Some("")),
    ] {
        let found = patients(&stored(value.clone())).map(|found| found.into_iter().collect::<Vec<_>>().join(","));
        assert_eq!(found.as_deref(), expected, "{value}");
    }
}

/// Whether the caller, who is `Practitioner/d`, is related to `a` by this resource at noon.
#[track_caller]
fn related(kind: RelatedBy, value: &Value, expected: bool) {
    let windows = vec![Window { kind, before: 2 * HOUR, after: 3 * HOUR }];
    let at = Timestamp::parse(NOON).unwrap().micros();
    let mut caller = Related { practitioners: vec!["Practitioner/d".to_owned()], windows, at };
    let store = store(vec![value.clone()]);
    assert_eq!(caller.to(&store).contains("a"), expected, "{value}");
    let other = if kind == RelatedBy::Panel { RelatedBy::Encounter } else { RelatedBy::Panel };
    caller.windows = vec![Window { kind: other, before: 0, after: 0 }];
    assert!(caller.to(&store).is_empty(), "no line for it, {value}");
    caller.windows = vec![Window { kind, before: 2 * HOUR, after: 3 * HOUR }];
    caller.practitioners = vec!["PractitionerRole/d".to_owned()];
    assert!(caller.to(&store).is_empty(), "somebody else, {value}");
}

#[test]
fn visits_relate_within_their_window() {
    for (status, period, expected) in [
        ("in-progress", json!({ "start": "2026-03-01T11:00:00Z" }), true),
        ("planned", json!({ "start": "2026-03-01T14:00:00Z" }), true),
        ("planned", json!({ "start": "2026-03-01T14:00:01Z" }), false),
        ("finished", json!({ "start": "2026-02-01", "end": "2026-03-01T09:00:00Z" }), true),
        ("finished", json!({ "start": "2026-02-01", "end": "2026-03-01T08:59:58Z" }), false),
        ("finished", json!({ "start": "2026-02-01", "end": "2026-02-28" }), false),
        ("finished", json!({ "start": "2026-02-01" }), false),
        ("in-progress", json!({}), true),
        ("in-progress", json!({ "start": "yesterday" }), false),
        ("in-progress", json!({ "end": "soon" }), false),
        ("in-progress", json!("2026"), false),
        ("cancelled", json!({ "start": "2026-03-01" }), false),
        ("entered-in-error", json!({ "start": "2026-03-01" }), false),
    ] {
        let visit = json!({
            "resourceType": "Encounter", "id": "e", "status": status, "period": period, "subject": to("Patient/a"),
            "participant": [{ "individual": to("Practitioner/other") }, { "individual": to("Practitioner/d/_history/1") }],
        });
        related(RelatedBy::Encounter, &visit, expected);
    }
    let without = json!({ "resourceType": "Encounter", "id": "e", "status": "arrived", "subject": to("Patient/a") });
    related(RelatedBy::Encounter, &without, false);
}

#[test]
fn appointments_teams_and_panels_relate() {
    for (times, expected) in [
        (json!({ "start": "2026-03-01T13:30:00Z" }), true),
        (json!({ "start": "2026-03-01T09:30:00Z" }), true),
        (json!({ "start": "2026-03-01T08:30:00Z" }), false),
        (json!({ "start": "2026-03-01T07:00:00Z", "end": "2026-03-01T10:00:00Z" }), true),
        (json!({ "start": "2026-03-01T11:00:00Z", "end": "never" }), false),
        (json!({ "end": "2026-03-01T13:00:00Z" }), false),
    ] {
        let mut booked = json!({
            "resourceType": "Appointment", "id": "x", "status": "booked",
            "participant": [{ "actor": to("Patient/a") }, { "actor": to("Practitioner/d") }],
        });
        booked.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        related(RelatedBy::Appointment, &booked, expected);
        booked["status"] = json!("cancelled");
        related(RelatedBy::Appointment, &booked, false);
    }
    for (of_team, own, expected) in [
        (json!({}), json!({}), true),
        (json!({ "start": "2026-03-01" }), json!({}), true),
        (json!({ "start": "2026-03-01T13:00:00Z" }), json!({}), false),
        (json!({ "end": "2026-03-01T10:00:00Z" }), json!({}), true),
        (json!({}), json!({ "end": "2026-02-28" }), false),
        (json!({}), json!({ "start": "?" }), false),
    ] {
        let mut team = json!({
            "resourceType": "CareTeam", "id": "t", "status": "active", "subject": to("Patient/a"), "period": of_team,
            "participant": [{ "member": to("Practitioner/d"), "period": own }],
        });
        related(RelatedBy::CareTeam, &team, expected);
        team["status"] = json!("inactive");
        related(RelatedBy::CareTeam, &team, false);
    }
    let mut patient = json!({ "resourceType": "Patient", "id": "a", "generalPractitioner": [to("Practitioner/d")] });
    related(RelatedBy::Panel, &patient, true);
    patient["active"] = json!(false);
    related(RelatedBy::Panel, &patient, false);
}

#[test]
fn labels_are_inherited_over_three_steps_as_far_as_lines_pass_them() {
    let [one, two] = [0, 1].map(|segment| SegmentSet::EMPTY.with(SegmentId(segment)));
    let held = store(vec![
        json!({ "resourceType": "Observation", "id": "o", "encounter": to("Encounter/e") }),
        json!({ "resourceType": "Observation", "id": "gone", "encounter": to("Encounter/gone") }),
        json!({ "resourceType": "Observation", "id": "far", "encounter": to("http://x/fhir/Encounter/e") }),
        json!({ "resourceType": "Observation", "id": "own", "encounter": to("#e") }),
        json!({ "resourceType": "Observation", "id": "words", "encounter": { "display": "ward" } }),
        json!({ "resourceType": "Encounter", "id": "e", "partOf": to("Encounter/f"), "serviceProvider": to("Organization/clinic") }),
        json!({ "resourceType": "Encounter", "id": "f", "partOf": to("Encounter/g") }),
        json!({ "resourceType": "Encounter", "id": "g", "partOf": to("Encounter/h") }),
        json!({ "resourceType": "Encounter", "id": "h" }),
        json!({ "resourceType": "Organization", "id": "clinic" }),
    ]);
    let inherited = |lines: &[(&str, SegmentSet)], labelled: &[(&str, SegmentSet)], id: &str| {
        let lines: Vec<Inherits> = lines
            .iter()
            .map(|(element, passes)| Inherits { element: (*element).to_owned(), passes: *passes })
            .collect();
        let own = |stored: &Stored| {
            labelled.iter().find(|(own, _)| *own == stored.id).map_or(SegmentSet::EMPTY, |(_, labels)| *labels)
        };
        let labels = Labels::new(&held, &lines, own);
        labels.inherited(held.iter().find(|stored| stored.id == id).unwrap())
    };
    let both = one.union(two);
    let all: &[(&str, SegmentSet)] = &[("*.encounter", EVERY_LABEL), ("Encounter.partOf", EVERY_LABEL)];
    for (lines, labelled, id, expected) in [
        (all, &[("e", one)][..], "o", one),
        (all, &[("f", one), ("g", two)][..], "o", both),
        (all, &[("h", one)][..], "o", SegmentSet::EMPTY),
        (all, &[("h", one)][..], "e", one),
        (all, &[][..], "gone", SegmentSet::EMPTY),
        (all, &[][..], "far", EVERY_LABEL),
        (all, &[][..], "words", SegmentSet::EMPTY),
        (all, &[("e", one)][..], "own", SegmentSet::EMPTY),
        (&[("*.encounter", one), ("Encounter.partOf", EVERY_LABEL)][..], &[("f", both)][..], "o", one),
        (&[("*.encounter", EVERY_LABEL), ("Encounter.partOf", two)][..], &[("e", one), ("f", both)][..], "o", both),
        (&[("*.encounter", one)][..], &[][..], "far", one),
        (&[("Condition.encounter", EVERY_LABEL)][..], &[("e", one)][..], "o", SegmentSet::EMPTY),
        (&[("*.encounter", EVERY_LABEL), ("*.serviceProvider", one)][..], &[("clinic", both)][..], "o", one),
    ] {
        assert_eq!(inherited(lines, labelled, id), expected, "{lines:?} {labelled:?} {id}");
    }
}

fn tables(role: (&str, &str)) -> [DecisionTable; 2] {
    let near = ConditionMask::NONE.with(PACK.condition("relationship").unwrap());
    [near, ConditionMask::NONE].map(|conditions| {
        let question = Question { role: role.0.to_owned(), purpose: role.1.to_owned(), conditions };
        table(&PACK, &question).unwrap()
    })
}

#[test]
fn a_caller_sees_those_to_whom_he_is_related() {
    let nurse = ("nurse", "TREAT");
    let [near, far] = tables(nurse);
    let pressure = |id: &str, patient: &str| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final", "subject": to(patient),
            "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs" }] }],
            "code": { "coding": [{ "system": "http://loinc.org", "code": "8480-6" }] }, "valueQuantity": { "value": 120 },
        })
    };
    let held = store(vec![
        json!({ "resourceType": "Patient", "id": "a", "gender": "female" }),
        json!({ "resourceType": "Patient", "id": "b", "gender": "male" }),
        pressure("of-a", "Patient/a"),
        pressure("of-b", "Patient/b"),
        pressure("of-nobody", "Group/g"),
        pressure("of-somebody", "http://x/fhir/Patient/a"),
        json!({ "resourceType": "Practitioner", "id": "d", "name": [{ "family": "Dahl" }] }),
        json!({
            "resourceType": "Encounter", "id": "e", "status": "in-progress", "subject": to("Patient/a"),
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP" },
            "participant": [{ "individual": to("Practitioner/d") }],
        }),
    ]);
    let windows = vec![Window { kind: RelatedBy::Encounter, before: 0, after: 0 }];
    let at = Timestamp::parse(NOON).unwrap().micros();
    let seen = |practitioner: &str| {
        let related = Related { practitioners: vec![practitioner.to_owned()], windows: windows.clone(), at };
        let shared = shared_types(&PACK.annotation);
        let caller = Resolved { near: near.clone(), far: far.clone(), shared, related, inheritance: Vec::new() };
        let pseudonyms = Arc::new(|_: &str, _: &str| String::new());
        Sight::resolved(&PACK.annotation, caller, (2026, 3, 1), pseudonyms).view(&held)
    };
    let near_to = |view: &View, id: &str| view.iter().find(|(_, own, _)| own == id).map(|(_, _, bytes)| bytes.clone());
    let (assumed, own, others) = (sight(nurse).view(&held), seen("Practitioner/d"), seen("Practitioner/x"));
    for id in ["a", "of-a", "e", "d"] {
        assert_eq!(near_to(&own, id), near_to(&assumed, id), "{id}");
        assert!(near_to(&own, id).is_some(), "{id}");
    }
    for id in ["b", "of-b", "of-nobody", "of-somebody"] {
        assert_eq!(near_to(&own, id), near_to(&others, id), "{id}");
    }
    assert_ne!(near_to(&own, "of-a"), near_to(&others, "of-a"));
    assert!(near_to(&others, "d").is_some(), "what is shared shows to all");
}
