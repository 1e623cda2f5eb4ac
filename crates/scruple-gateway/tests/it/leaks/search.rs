//! Searches as oracles: L01 to L12.

use super::*;

/// Before a search, a patient whose day of birth the analyst does not see: both are 46 years old.
fn born(day: &str) -> Store {
    store([with(patient("p1"), "birthDate", json!(day)), with(patient("p2"), "birthDate", json!("1990-05-05"))])
}

/// A result that the nurse sees, and one that she does not, with this value.
fn results(hidden: Option<f64>) -> Store {
    let seen = store([patient("p1"), visit("e1", "p1"), result("o1", "p1", HEMOGLOBIN, 14.0)]);
    and(&seen, hidden.map(|value| secret(result("o2", "p1", GLUCOSE, value))))
}

/// The same, where the hidden result is that of a patient of others.
fn of_others(hidden: Option<f64>) -> Store {
    let seen = store([patient("p1"), visit("e1", "p1"), result("o1", "p1", HEMOGLOBIN, 14.0), patient("p2")]);
    and(&seen, hidden.map(|value| result("o2", "p2", GLUCOSE, value)))
}

/// What the nurse is asked of, whichever way the second result is hidden from her.
fn hidden_results() -> [Alike; 2] {
    [
        Alike::new(&[results(Some(1_500.0)), results(Some(500.0)), results(None)]),
        Alike::related(&[of_others(Some(1_500.0)), of_others(Some(500.0)), of_others(None)]),
    ]
}

#[test]
fn l01_a_filter_by_a_hidden_element() {
    let alike = Alike::new(&[born("1980-01-02"), born("1979-12-30")]);
    let shown = json_of(&alike.get(ANALYST, "/fhir/Patient/p1"));
    assert!(shown["birthDate"].is_null() && shown["gender"] == "female", "{shown}");
    for query in ["birthdate=ge1980-01-01", "birthdate=1980-01-02", "birthdate=lt1980", "birthdate:missing=false"] {
        alike.refused(ANALYST, &format!("/fhir/Patient?_id=p1&{query}"), 403, "parameter_not_permitted");
    }
    assert_eq!(alike.found(ANALYST, "/fhir/Patient?_id=p1"), ["Patient/p1"]);
    // Of the numbers of a patient the nurse sees one: it is found, and the other is as if it were not there.
    let alike = Alike::new(&["999-12-3456", "999-12-0000"].map(|ssn| store([insured("p1", ssn)])));
    let ssn = "identifier=http://hl7.org/fhir/sid/us-ssn%7C999-12-3456";
    for query in [ssn, "identifier=999-12-3456", "identifier=999-12-0000"] {
        assert!(alike.found(NURSE, &format!("/fhir/Patient?_id=p1&{query}")).is_empty(), "{query}");
    }
    assert_eq!(alike.found(NURSE, "/fhir/Patient?_id=p1&identifier=urn:mrn%7CMRN-p1"), ["Patient/p1"]);
}

#[test]
fn l02_a_binary_search_for_a_hidden_quantity() {
    for alike in hidden_results() {
        for bound in ["gt1000", "le1000", "gt700", "1500", "ge3", "500%7C%7Cmg/dL"] {
            let expected: &[&str] = if matches!(bound, "le1000" | "ge3") { &["Observation/o1"] } else { &[] };
            let found = alike.found(NURSE, &format!("/fhir/Observation?patient=p1&value-quantity={bound}"));
            assert_eq!(found, expected, "{bound}");
            assert_eq!(alike.found(NURSE, &format!("/fhir/Observation?value-quantity={bound}")), expected, "{bound}");
        }
        let composite = "/fhir/Observation?patient=p1&code-value-quantity=http://loinc.org%7C2339-0$gt1000";
        alike.refused(NURSE, composite, 400, "parameter_not_supported");
        alike.refused(NURSE, "/fhir/Observation?value-quantity=ne3", 400, "query_malformed");
    }
}

#[test]
fn l03_a_reverse_chain_through_hidden_resources() {
    let has = |loinc: &str| format!("/fhir/Patient?_has:Observation:patient:code=http://loinc.org%7C{loinc}");
    for alike in hidden_results() {
        assert!(alike.found(NURSE, &has(GLUCOSE)).is_empty());
        assert!(alike.found(NURSE, &format!("{}&_id=p1", has(GLUCOSE))).is_empty());
        assert!(alike.found(NURSE, &format!("{}&_id=p2", has(GLUCOSE))).is_empty());
        assert_eq!(alike.found(NURSE, &has(HEMOGLOBIN)), ["Patient/p1"]);
    }
    let [alike, _] = hidden_results();
    // The front desk has Observations that say what to do, by no code; the biller has no documents at all.
    alike.refused(DESK, &has(HEMOGLOBIN), 403, "parameter_not_permitted");
    let of_documents = "/fhir/Patient?_has:DocumentReference:patient:status=current";
    alike.refused(BILLER, of_documents, 403, "type_not_permitted");
}

#[test]
fn l04_a_reverse_chain_of_a_reverse_chain() {
    let at = |result: Value, visit: &str| with(result, "encounter", reference(&format!("Encounter/{visit}")));
    let seen = store([
        patient("p1"),
        visit("e1", "p1"),
        patient("p3"),
        visit("e3", "p3"),
        at(result("o3", "p3", HEMOGLOBIN, 14.0), "e3"),
    ]);
    let asked = |loinc: &str| {
        format!("/fhir/Patient?_has:Encounter:patient:_has:Observation:encounter:code=http://loinc.org%7C{loinc}")
    };
    // The result at the end is hidden; then the visit in the middle.
    let at_the_end = and(&seen, [secret(at(result("o1", "p1", HEMOGLOBIN, 14.0), "e1"))]);
    let in_the_middle = and(&seen, [secret(visit("e9", "p1")), at(result("o1", "p1", GLUCOSE, 1.0), "e9")]);
    let without = and(&seen, [result("o1", "p1", GLUCOSE, 1.0)]);
    let alike = Alike::new(&[seen.clone(), at_the_end]);
    assert_eq!(alike.found(NURSE, &asked(HEMOGLOBIN)), ["Patient/p3"]);
    let alike = Alike::new(&[in_the_middle, without]);
    assert!(alike.found(NURSE, &asked(GLUCOSE)).is_empty());
    // The patient of others has a visit with such a result, or is not there.
    let others = [patient("p2"), foreign_visit("e2", "p2"), at(result("o2", "p2", HEMOGLOBIN, 14.0), "e2")];
    let alike = Alike::related(&[and(&seen, others), seen]);
    assert_eq!(alike.found(NURSE, &asked(HEMOGLOBIN)), ["Patient/p3"]);
    alike.refused(DESK, &asked(HEMOGLOBIN), 403, "parameter_not_permitted");
}

#[test]
fn l05_a_chain_through_what_is_hidden() {
    // An element of the target that is masked.
    let alike = Alike::new(&["1980-01-02", "1979-12-30"].map(|day| and(&born(day), [visit("e1", "p1")])));
    alike.refused(ANALYST, "/fhir/Encounter?subject:Patient.birthdate=1980-01-02", 403, "parameter_not_permitted");
    // A type that the role does not have.
    let through_documents = "/fhir/Patient?_has:DocumentReference:patient:author:Practitioner.name=x";
    alike.refused(BILLER, through_documents, 403, "type_not_permitted");
    // A target in the middle that is hidden, whatever stands in it: the visit of a result that shows.
    let at = |status: &str| {
        let hidden = secret(with(visit("e9", "p1"), "status", json!(status)));
        let of = |id: &str, visit: &str| with(result(id, "p1", HEMOGLOBIN, 1.0), "encounter", reference(visit));
        store([patient("p1"), visit("e1", "p1"), hidden, of("o1", "Encounter/e1"), of("o9", "Encounter/e9")])
    };
    let alike = Alike::new(&[at("in-progress"), at("planned")]);
    assert_eq!(alike.found(NURSE, "/fhir/Observation?encounter:Encounter.status=in-progress"), ["Observation/o1"]);
    assert!(alike.found(NURSE, "/fhir/Observation?encounter:Encounter.status=planned").is_empty());
    // Patients of others.
    let others = |postcode: &str| {
        let address = json!([{ "postalCode": postcode }]);
        let of = |id: &str, postcode: &Value| with(patient(id), "address", postcode.clone());
        store([
            of("p1", &json!([{ "postalCode": "02139" }])),
            visit("e1", "p1"),
            result("o1", "p1", HEMOGLOBIN, 14.0),
            of("p2", &address),
            result("o2", "p2", HEMOGLOBIN, 14.0),
        ])
    };
    let alike = Alike::related(&[others("02139"), others("99999")]);
    let chain = "/fhir/Observation?patient.address-postalcode=";
    assert_eq!(alike.found(NURSE, &format!("{chain}02139")), ["Observation/o1"]);
    assert!(alike.found(NURSE, &format!("{chain}99999")).is_empty());
    assert_eq!(alike.found(NURSE, "/fhir/Observation?patient.birthdate=1980-01-02"), ["Observation/o1"]);
}

#[test]
fn l06_a_filter_expression() {
    for alike in hidden_results() {
        for filter in ["_filter=birthdate%20gt%201980-01-01", "_filter=name%20eq%20%22Visible%22"] {
            alike.refused(NURSE, &format!("/fhir/Patient?{filter}"), 400, "parameter_not_supported");
            alike.refused(ANALYST, &format!("/fhir/Patient?_id=p1&{filter}"), 400, "parameter_not_supported");
        }
    }
}

#[test]
fn l07_a_search_for_words() {
    let noted = |words: &str| {
        let code =
            json!({ "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9" }], "text": words });
        store([patient("p1"), with(condition("c1", "p1", "E11.9"), "code", code)])
    };
    // The analyst sees codes without their words.
    let alike = Alike::new(&[noted("after alcohol"), noted("after surgery")]);
    for query in
        ["_text=alcohol", "_content=alcohol", "code:text=alcohol", "code:in=http://x", "code:of-type=a%7Cb%7Cc"]
    {
        alike.refused(ANALYST, &format!("/fhir/Condition?{query}"), 400, "parameter_not_supported");
        alike.refused(NURSE, &format!("/fhir/Condition?{query}"), 400, "parameter_not_supported");
    }
    assert_eq!(alike.found(ANALYST, "/fhir/Condition?code=E11.9"), ["Condition/c1"]);
    assert!(alike.found(ANALYST, "/fhir/Condition?code=alcohol").is_empty());
}

#[test]
fn l08_a_search_for_what_is_missing() {
    // Whether there is a day of birth, and whether there is a number.
    let alike = Alike::new(&[born("1980-01-02"), born("1979-12-30")]);
    for parameter in ["birthdate", "death-date", "identifier", "family"] {
        for value in ["true", "false"] {
            let query = format!("/fhir/Patient?_id=p1&{parameter}:missing={value}");
            alike.refused(ANALYST, &query, 403, "parameter_not_permitted");
        }
    }
    let alike = Alike::new(&[store([insured("p1", "999-12-3456")]), store([patient("p1")])]);
    alike.refused(NURSE, "/fhir/Patient?identifier:missing=true", 403, "parameter_not_permitted");
    // What is whole may be asked for: no result without a value is found, whichever is hidden.
    for alike in hidden_results() {
        assert!(alike.found(NURSE, "/fhir/Observation?value-quantity:missing=true").is_empty());
        assert_eq!(alike.found(NURSE, "/fhir/Observation?value-quantity:missing=false"), ["Observation/o1"]);
        assert_eq!(alike.found(NURSE, "/fhir/Patient?_id=p1&birthdate:missing=false"), ["Patient/p1"]);
    }
}

#[test]
fn l09_an_order_by_hidden_values() {
    let alike = Alike::new(&[born("1980-01-02"), born("1979-12-30")]);
    for sort in ["birthdate", "-birthdate", "_id,birthdate", "-death-date"] {
        alike.refused(ANALYST, &format!("/fhir/Patient?_sort={sort}&_count=1"), 403, "parameter_not_permitted");
    }
    assert_eq!(alike.found(ANALYST, "/fhir/Patient?_sort=-_id"), ["Patient/p2", "Patient/p1"]);
    // The nurse sorts by the number that she sees.
    let with = |one: &str, other: &str| store([insured("p1", one), insured("p2", other)]);
    let alike = Alike::new(&[with("100-00-0000", "900-00-0000"), with("900-00-0000", "100-00-0000")]);
    assert_eq!(alike.found(NURSE, "/fhir/Patient?_sort=identifier"), ["Patient/p1", "Patient/p2"]);
    assert_eq!(alike.found(NURSE, "/fhir/Patient?_sort=-identifier"), ["Patient/p2", "Patient/p1"]);
}

#[test]
fn l10_a_search_for_labels() {
    let [one, other] =
        ["HIV", "STD"].map(|label| store([patient("p1"), labelled(condition("c1", "p1", "E11.9"), label)]));
    let alike = Alike::new(&[one, other]);
    for query in [
        "_security=http://terminology.hl7.org/CodeSystem/v3-ActCode%7CHIV",
        "_security=HIV",
        "_security:not=HIV",
        "_tag=SUBSETTED",
        "_profile=http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition",
        "_source=http://lab",
    ] {
        alike.refused(DESK, &format!("/fhir/Patient?{query}"), 400, "parameter_not_supported");
        alike.refused(BILLER, &format!("/fhir/Condition?{query}"), 400, "parameter_not_supported");
    }
    // Both are of a segment that narrows the biller's view to codes, and neither says of which.
    assert_eq!(alike.found(BILLER, "/fhir/Condition?code=E11.9"), ["Condition/c1"]);
}

#[test]
fn l11_a_reference_by_identifier() {
    let known = |ssn: &str| {
        let subject = json!({ "reference": "Patient/p1", "identifier": { "system": "http://ssn", "value": ssn } });
        store([patient("p1"), visit("e1", "p1"), with(result("o1", "p1", HEMOGLOBIN, 14.0), "subject", subject)])
    };
    let alike = Alike::new(&[known("999-12-3456"), known("000-00-0000")]);
    for query in ["subject:identifier=http://ssn%7C999-12-3456", "patient:identifier=999-12-3456"] {
        for who in [NURSE, ANALYST] {
            alike.refused(who, &format!("/fhir/Observation?{query}"), 400, "parameter_not_supported");
        }
    }
    let of_type = "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203%7CSS%7C999-12-3456";
    alike.refused(NURSE, &format!("/fhir/Patient?{of_type}"), 400, "parameter_not_supported");
    assert_eq!(alike.found(ANALYST, "/fhir/Observation?subject=Patient/p1"), ["Observation/o1"]);
}

#[test]
fn l12_parameters_that_are_none() {
    for alike in hidden_results() {
        for query in [
            "near=42.3%7C-71.1%7C5%7Ckm",
            "_list=vip",
            "_query=everybody",
            "_type=Patient",
            "_contained=true",
            "Birthdate=1980-01-02",
            "BIRTHDATE=1980-01-02",
            "birthDate=1980-01-02",
            "birth%64%61te:exact=1980-01-02",
            "no-such-thing=1",
            "_has:Observation:patient:nothing=1",
            "name:above=a",
        ] {
            alike.refused(NURSE, &format!("/fhir/Patient?{query}"), 400, "parameter_not_supported");
        }
        for query in ["component-code-value-quantity=a$5", "combo-code-value-quantity=a$5"] {
            alike.refused(NURSE, &format!("/fhir/Observation?{query}"), 400, "parameter_not_supported");
        }
        // However a name is written, it is the same name.
        assert_eq!(alike.found(NURSE, "/fhir/Patient?birth%64%61te=1980-01-02&_id=p1"), ["Patient/p1"]);
    }
}
