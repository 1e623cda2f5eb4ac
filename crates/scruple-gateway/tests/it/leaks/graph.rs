//! What stands beside: L17 to L19.

use super::*;

fn at(resource: Value, visit: &str) -> Value {
    with(resource, "encounter", reference(&format!("Encounter/{visit}")))
}

fn by(resource: Value, performer: &str) -> Value {
    with(resource, "performer", json!([reference(&format!("Practitioner/{performer}"))]))
}

/// What the nurse sees: a patient, a visit, a result by somebody; and somebody else who did nothing that she sees.
fn seen() -> Store {
    let result = by(at(result("o1", "p1", HEMOGLOBIN, 14.0), "e1"), "d1");
    store([patient("p1"), visit("e1", "p1"), result, practitioner("d1"), practitioner("d2")])
}

/// With a result that is hidden; or with none.
fn hidden_results() -> [Alike; 2] {
    let labelled = and(&seen(), [secret(by(at(result("o2", "p1", GLUCOSE, 1.0), "e1"), "d2"))]);
    let others = [patient("p2"), foreign_visit("e2", "p2"), by(at(result("o2", "p2", GLUCOSE, 1.0), "e2"), "d2")];
    [Alike::new(&[seen(), labelled]), Alike::related(&[seen(), and(&seen(), others)])]
}

#[test]
fn l17_what_a_hidden_resource_brings_along() {
    for alike in hidden_results() {
        let with_results = alike.found(NURSE, "/fhir/Patient?_id=p1&_revinclude=Observation:patient");
        assert_eq!(with_results, ["Patient/p1", "Observation/o1"]);
        let with_visit = alike
            .found(NURSE, "/fhir/Observation?code=718-7&_include=Observation:encounter&_include=Observation:patient");
        assert_eq!(with_visit, ["Observation/o1", "Encounter/e1", "Patient/p1"]);
        assert_eq!(
            alike.found(NURSE, "/fhir/Encounter?_revinclude=Observation:encounter"),
            ["Encounter/e1", "Observation/o1"]
        );
        assert!(alike.found(NURSE, "/fhir/Patient?_id=p2&_revinclude=Observation:patient").is_empty());
        assert!(alike.found(NURSE, "/fhir/Observation?_id=o2&_include=Observation:performer").is_empty());
    }
    // What shows refers to what does not: it is withheld, and so is the reference.
    let hidden = |hidden: Value| and(&seen(), [hidden, at(result("o9", "p1", GLUCOSE, 1.0), "e9")]);
    let planned = with(secret(visit("e9", "p1")), "status", json!("planned"));
    let without = and(&seen(), [at(result("o9", "p1", GLUCOSE, 1.0), "e9")]);
    let alike = Alike::new(&[hidden(secret(visit("e9", "p1"))), hidden(planned), without]);
    // The nurse's own records pass, with what they refer to (docs/limits.md, 15): hers is an answer without the visit.
    assert_eq!(alike.found(NURSE, "/fhir/Observation?_id=o9&_include=Observation:encounter"), ["Observation/o9"]);
    let response = alike.get(CODER, "/fhir/Observation?_id=o9&_include=Observation:encounter");
    assert_eq!(ids(&response), ["Observation/o9"]);
    assert!(!text(&response).contains("Encounter/e9"), "{}", text(&response));
    // A subscriber who is hidden by a label, or is not there; and an include by what the role does not see in full.
    let coverage = json!({
        "resourceType": "Coverage", "id": "v1", "status": "active", "beneficiary": { "reference": "Patient/p1" },
        "subscriber": { "reference": "Patient/p3" }, "payor": [{ "reference": "Organization/x" }],
    });
    let policy = |subscriber: Option<Value>| and(&seen(), [coverage.clone()].into_iter().chain(subscriber));
    let alike = Alike::new(&[policy(None), policy(Some(labelled(patient("p3"), "42CFRPart2")))]);
    let by_subscriber = "/fhir/Coverage?_id=v1&_include=Coverage:subscriber";
    let response = alike.get(BILLER, by_subscriber);
    assert_eq!((response.status, ids(&response)), (200, vec!["Coverage/v1".to_owned()]));
    assert!(!text(&response).contains("Patient/p3"));
    let beneficiary = alike.found(BILLER, "/fhir/Coverage?_include=Coverage:beneficiary");
    assert_eq!(beneficiary, ["Coverage/v1", "Patient/p1"]);
    alike.refused(NURSE, by_subscriber, 403, "parameter_not_permitted");
    let [alike, _] = hidden_results();
    alike.refused(BILLER, "/fhir/Patient?_revinclude=DocumentReference:patient", 403, "type_not_permitted");
}

#[test]
fn l18_includes_without_end() {
    for alike in hidden_results() {
        let path = "/fhir/Patient?_id=p1&_revinclude=Observation:patient&_include:iterate=Observation:performer";
        assert_eq!(alike.found(NURSE, path), ["Patient/p1", "Observation/o1", "Practitioner/d1"]);
        let back =
            "/fhir/Observation?code=718-7&_include=Observation:encounter&_revinclude:iterate=Observation:encounter";
        assert_eq!(alike.found(NURSE, back), ["Observation/o1", "Encounter/e1"]);
        for query in [
            "_include=*",
            "_revinclude=*",
            "_include:iterate=*",
            "_include=Patient:*",
            "_include:recurse=Patient:link",
            "_include=Observation:performer",
        ] {
            alike.refused(NURSE, &format!("/fhir/Patient?_id=p1&{query}"), 400, "parameter_not_supported");
        }
    }
}

#[test]
fn l19_all_of_a_patient() {
    for alike in hidden_results() {
        let all = alike.get(NURSE, "/fhir/Patient/p1/$everything");
        let expected = ["Patient/p1", "Encounter/e1", "Observation/o1", "Practitioner/d1"];
        assert_eq!(ids(&all), expected);
        assert_eq!(json_of(&all)["total"], 3);
        assert_eq!(
            alike.found(NURSE, "/fhir/Patient/p1/$everything?_type=Observation,Encounter"),
            ["Encounter/e1", "Observation/o1"]
        );
        assert!(alike.found(NURSE, "/fhir/Patient/p1/$everything?_type=Condition").is_empty());
        alike.absent(NURSE, "/fhir/Patient/p2/$everything");
        assert_eq!(alike.found(NURSE, "/fhir/Patient/p1/Observation"), ["Observation/o1"]);
        assert!(alike.found(NURSE, "/fhir/Patient/p2/Observation").is_empty());
        assert!(alike.found(NURSE, "/fhir/Patient/never/Observation").is_empty());
        for path in
            ["Practitioner/d1/Patient", "Patient/$everything", "Encounter/e1/$everything", "Encounter/e1/Observation"]
        {
            alike.refused(NURSE, &format!("/fhir/{path}"), 400, "interaction_not_supported");
        }
        alike.refused(NURSE, "/fhir/Patient/p1/*", 400, "path_malformed");
        alike.refused(NURSE, "/fhir/Patient/p1/$everything?_since=2020", 400, "parameter_not_supported");
    }
}
