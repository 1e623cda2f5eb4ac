//! Every answer has its record, with subject, elements, time bound and justification, and no value of a record in it.

use crate::support::{World, active, embedded_hospital, login, noon, read_entries, request, resolved};
use crate::two::{condition, patient, store, to, visit};
use scruple_core::{ConditionMask, EntryBody, Relationship};
use scruple_hospital::{Hospital, canary};
use scruple_pairs::Behind;
use scruple_policy::{Question, explain_type};
use serde_json::{Value, json};

#[test]
fn each_answer_is_one_record_with_all_that_a_permit_must_say() {
    let world = World::new(embedded_hospital());
    let id = Hospital::patient_id(1);
    let before = world.entries().len();
    let read = world.get("nurse", "TREAT", &format!("/fhir/Patient/{id}"));
    let search = world.get("nurse", "TREAT", &format!("/fhir/Observation?patient={id}&_count=2"));
    let absent = world.get("nurse", "TREAT", "/fhir/Patient/none");
    let refused = world.get("nurse", "TREAT", "/fhir/Patient?birthdate=yesterday");
    assert_eq!([read.status, search.status, absent.status, refused.status], [200, 200, 404, 400]);
    let entries = world.entries();
    assert_eq!(entries.len() - before, 4, "one record for each answer");
    let bodies: Vec<&EntryBody> = entries[before..].iter().map(|entry| &entry.body).collect();
    for (body, response) in bodies.iter().zip([&read, &search, &absent]) {
        let EntryBody::Release { actor, decision, request, bytes, references, patients, .. } = body else {
            panic!("{body:?}")
        };
        assert_eq!((actor.subject.as_str(), actor.role.as_str()), (login("nurse"), "nurse"));
        assert_eq!(decision.relationship, Relationship::Assumed);
        assert!(decision.grant.is_some() && decision.justification.starts_with("tasks of "));
        assert_eq!(decision.conditions, ["relationship"]);
        let request = request.as_ref().unwrap();
        assert_eq!(request.request_id.as_deref(), response.header("x-request-id"));
        if response.status == 200 {
            assert_eq!(*bytes, response.body.len() as u64);
            assert!(!references.is_empty() && patients.contains(&format!("Patient/{id}")));
        } else {
            assert!(references.is_empty() && *bytes == 0);
            assert_eq!(request.id.as_deref(), Some("none"));
        }
    }
    let EntryBody::Release { request, .. } = bodies[1] else { panic!() };
    assert_eq!(request.as_ref().unwrap().parameters, ["patient"], "names, never values");
    assert!(matches!(bodies[3], EntryBody::Refusal { code, .. } if code == "query_malformed"));
}

/// Whoever is counted, or is met by a condition on what others refer to, is told of, and stands in the record.
#[test]
fn a_count_and_a_chain_name_those_of_whom_they_tell() {
    let mut asserted = condition("c1", "Patient/p1", None);
    asserted["asserter"] = to("Practitioner/prac-physician-1");
    let values = [
        patient("p1", "1980-05-17"),
        patient("p2", "1970-01-01"),
        visit("e1", "Patient/p1"),
        asserted,
        condition("c2", "Patient/p1", None),
        condition("c3", "Patient/p2", None),
        json!({ "resourceType": "Practitioner", "id": "prac-physician-1" }),
    ];
    let world = World::under(resolved(), Behind::Raw.upstream(&store(&values), noon()).unwrap());
    let diabetes = "code=http://hl7.org/fhir/sid/icd-10-cm|I10";
    for (path, references) in [
        (format!("Condition?patient=Patient/p1&{diabetes}&_summary=count"), vec![]),
        (format!("Condition?{diabetes}&_total=accurate&_count=1"), vec!["Condition/c1"]),
        (format!("Practitioner?_has:Condition:asserter:{diabetes}"), vec!["Practitioner/prac-physician-1"]),
        (format!("Condition?{diabetes}&asserter:Practitioner._id=prac-physician-1"), vec!["Condition/c1"]),
    ] {
        assert_eq!(world.get("nurse", "TREAT", &format!("/fhir/{path}")).status, 200, "{path}");
        let EntryBody::Release { decision, references: named, patients, relations, .. } =
            world.entries().pop().unwrap().body
        else {
            panic!("{path}: no release")
        };
        assert_eq!(decision.relationship, Relationship::Resolved, "{path}");
        assert_eq!(
            (named, patients),
            (references.iter().map(|one| (*one).to_owned()).collect(), vec!["Patient/p1".to_owned()]),
            "{path}"
        );
        assert_eq!(relations, ["Patient/p1 encounter Encounter/e1"], "{path}");
    }
    // Whoever does not show is told of by nothing.
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Condition?patient=Patient/p2&_summary=count").status, 200);
    assert!(matches!(world.entries().pop().unwrap().body, EntryBody::Release { patients, .. } if patients.is_empty()));
}

/// More of whom a count tells than one entry can name: chained entries, each patient once.
#[test]
fn a_count_of_thousands_names_each_of_them() {
    let values: Vec<Value> = (0..3_000).map(|number| patient(&format!("{number:036}"), "1980-05-17")).collect();
    let world = World::new(Behind::Raw.upstream(&store(&values), noon()).unwrap());
    let before = world.entries().len();
    let counted = world.get("physician", "TREAT", "/fhir/Patient?_summary=count");
    assert_eq!(serde_json::from_slice::<Value>(&counted.body).unwrap()["total"], 3_000);
    let mut named: Vec<String> = Vec::new();
    for entry in world.entries().into_iter().skip(before) {
        if let EntryBody::ReleaseChunk { patients, .. } = entry.body {
            named.extend(patients);
        }
    }
    let count = named.len();
    named.sort();
    named.dedup();
    assert_eq!((count, named.len()), (3_000, 3_000));
}

/// Whether the policy shows anything of an element to a role, under some class.
fn shows(role: &str, purpose: &str, path: &str) -> bool {
    let pack = &active().pack;
    let conditions = ConditionMask::NONE.with(pack.condition("relationship").unwrap());
    let question = Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions };
    let kind = path.split('.').next().unwrap_or_default();
    let Ok(classes) = explain_type(pack, &question, kind) else { return true };
    classes.iter().filter(|class| class.shows).any(|class| {
        let near = class.rows.iter().filter(|row| path == row.path || path.starts_with(&format!("{}.", row.path)));
        near.max_by_key(|row| row.path.len()).is_none_or(|row| row.view != "none")
    })
}

#[test]
fn no_canary_is_found_in_answers_headers_or_the_ledger() {
    let world = World::new(embedded_hospital());
    let mut seen = Vec::new();
    let purposes = [
        ("front_desk", "PATADMIN"),
        ("biller", "HPAYMT"),
        ("quality_analyst", "HQUALIMP"),
        ("it_support", "HSYSADMIN"),
    ];
    for (role, purpose) in purposes {
        for kind in [
            "Patient",
            "Observation",
            "Condition",
            "DocumentReference",
            "Encounter",
            "Claim",
            "Coverage",
            "MedicationRequest",
            "Appointment",
        ] {
            let mut next = Some(format!("/fhir/{kind}?_count=200"));
            while let Some(path) = next {
                let response = world.get(role, purpose, &path);
                let text = String::from_utf8(response.body.clone()).unwrap();
                next = text
                    .split(r#""relation":"next","url":""#)
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .map(|link| link.strip_prefix("https://gateway.example").unwrap().to_owned());
                seen.push((role, text));
                let headers: String =
                    response.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                seen.push((role, headers));
            }
        }
    }
    // A canary ends in the path of its element: where it shows, the policy must show that element.
    let mut found = 0;
    for (role, text) in &seen {
        let purpose = purposes.iter().find(|(known, _)| known == role).unwrap().1;
        for rest in text.split(canary::TOKEN).skip(1) {
            let letters = |letter: char| !letter.is_ascii_alphanumeric() && letter != '.';
            let path = rest.split(letters).next().unwrap().trim_matches('.');
            assert!(shows(role, purpose, path), "{role} was shown {path}");
            found += 1;
        }
    }
    assert!(found > 0, "the canary patient was never asked for");
    // A search that names a canary leaves it nowhere: the ledger holds names of parameters alone.
    let probe = "CANARY-PROBE-7f3a";
    let token = world.token("front_desk", "PATADMIN");
    let response = world.ask(&request("GET", &format!("/fhir/Patient?name={probe}&_format=json")), Some(&token), 1);
    assert_eq!(response.status, 200);
    let refused = world.ask(&request("GET", &format!("/fhir/Patient?{probe}={probe}")), Some(&token), 1);
    assert!(!String::from_utf8_lossy(&refused.body).contains(probe));
    drop(world.entries());
    for entry in read_entries(&world.ledger()) {
        let text = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
        assert!(!text.contains(probe), "{text}");
        assert!(!text.contains(canary::TOKEN), "{text}");
    }
}
