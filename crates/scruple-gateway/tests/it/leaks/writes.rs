//! Operations, batches and writes: L20, L21, L35, L37 to L40, L42.

use super::*;

/// Stores with and without the patient of others, and with another value of hers.
fn hidden() -> Alike {
    let seen = store([patient("p1"), visit("e1", "p1"), result("o1", "p1", HEMOGLOBIN, 14.0)]);
    let others =
        |day: &str| and(&seen, [with(patient("p2"), "birthDate", json!(day)), result("o2", "p2", GLUCOSE, 1.0)]);
    Alike::related(&[seen.clone(), others("1970-01-01"), others("1980-01-01")])
}

fn body(method: &str, path: &str, body: &Value) -> Request {
    let mut request = request(method, path).with_header("content-type", "application/fhir+json");
    request.body = body.to_string().into_bytes();
    request
}

/// A batch of reads.
fn batch(entries: &[Value]) -> Request {
    body("POST", "/fhir/", &json!({ "resourceType": "Bundle", "type": "batch", "entry": entries }))
}

fn get(url: &str) -> Value {
    json!({ "request": { "method": "GET", "url": url } })
}

#[test]
fn l20_graphql() {
    let alike = hidden();
    let query = json!({ "query": r#"{Patient(id:"p2"){birthDate ObservationList(_reference:subject){valueQuantity{value}}}}"# });
    for path in ["/fhir/$graphql", "/fhir/Patient/p2/$graphql"] {
        let status =
            if path == "/fhir/$graphql" { (400, "interaction_not_supported") } else { (405, "method_not_allowed") };
        alike.refuses(Some(NURSE), &body("POST", path, &query), status.0, status.1);
        alike.refused(
            NURSE,
            &format!("{path}?query=%7BPatient(id:%22p2%22)%7Bid%7D%7D"),
            400,
            "interaction_not_supported",
        );
    }
    assert_eq!(alike.get(NURSE, "/fhir/Patient/p1").status, 200);
}

#[test]
fn l21_other_operations() {
    let alike = hidden();
    let operations = [
        "$match",
        "$member-match",
        "$lastn",
        "$summary",
        "$document",
        "$meta",
        "$validate",
        "$expand",
        "$evaluate-measure",
        "$diff",
        "$stats",
        "$convert",
        "$purge",
        "$merge",
        "$care-gaps",
        "$docref",
        "$validate-code",
        "$translate",
    ];
    for operation in operations {
        for place in ["", "Patient/", "Patient/p2/", "Observation/o2/"] {
            let path = format!("/fhir/{place}{operation}");
            alike.refused(NURSE, &path, 400, "interaction_not_supported");
            let given = json!({ "resourceType": "Parameters", "parameter": [{ "name": "resource", "resource": patient("p2") }] });
            let response = alike.ask(Some(NURSE), &body("POST", &path, &given));
            assert!(matches!(response.status, 400 | 405), "{path}: {}", response.status);
            assert!(matches!(code(&response).as_str(), "interaction_not_supported" | "method_not_allowed"));
        }
    }
    alike.refused(NURSE, "/fhir/Observation/$lastn?patient=p2&max=1", 400, "interaction_not_supported");
}

#[test]
fn l35_batches() {
    let alike = hidden();
    let asked = [
        get("Patient/p1"),
        get("Patient/p2"),
        get("Patient/never"),
        get("Patient?birthdate=1970-01-01"),
        get("Observation?patient=p2&_total=accurate"),
        get("Observation?code=718-7"),
        get("http://upstream.example/fhir/Patient/p2"),
        get("https://gateway.example/fhir/Patient/p2"),
        get("/fhir/Patient/p2"),
        get("../fhir/Patient/p2"),
        get(""),
        json!({ "request": { "method": "POST", "url": "Patient", "ifNoneExist": "birthdate=1970-01-01" }, "resource": patient("p2") }),
        json!({ "request": { "method": "PUT", "url": "Patient/p2" }, "resource": patient("p2") }),
        json!({ "request": { "method": "DELETE", "url": "Patient/p2" } }),
        json!({ "request": { "method": "HEAD", "url": "Patient/p2" } }),
        json!({ "request": { "method": "GET", "url": "Patient/p2", "ifNoneMatch": "*" } }),
        get("Patient/p2/$everything"),
        get("$export"),
    ];
    let response = alike.ask(Some(NURSE), &batch(&asked));
    assert_eq!(response.status, 200, "{}", text(&response));
    let bundle = json_of(&response);
    let parts = bundle["entry"].as_array().unwrap();
    let status = |place: usize| parts[place]["response"]["status"].as_str().unwrap();
    let expected = [
        "200", "404", "404", "200", "200", "200", "400", "400", "400", "400", "400", "405", "405", "405", "405", "404",
        "404", "400",
    ];
    let statuses: Vec<&str> = (0..parts.len()).map(status).collect();
    assert_eq!(statuses, expected);
    assert_eq!(parts[0]["resource"]["id"], "p1");
    assert_eq!(parts[1]["response"], parts[2]["response"], "hidden as absent");
    assert!(parts[3]["resource"]["entry"].is_null() && parts[4]["resource"]["total"] == 0);
    assert_eq!(parts[5]["resource"]["entry"].as_array().unwrap().len(), 1);
    // One record of each part, as if it had come alone.
    let entries = alike.entries().len();
    alike.ask(Some(NURSE), &batch(&asked[..2]));
    assert_eq!(alike.entries().len() - entries, 2 * 2 * 3, "two parts, before two servers, over three stores");
    // What is no batch of reads is refused whole.
    for (kind, entry) in
        [("transaction", get("Patient/p2")), ("document", get("Patient/p2")), ("searchset", get("Patient/p2"))]
    {
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": [entry] });
        alike.refuses(Some(NURSE), &body("POST", "/fhir/", &bundle), 400, "batch_malformed");
    }
    let nested = json!({ "request": { "method": "POST", "url": "" }, "resource": { "resourceType": "Bundle", "type": "batch", "entry": [get("Patient/p2")] } });
    let response = json_of(&alike.ask(Some(NURSE), &batch(&[nested])));
    assert_eq!(response["entry"][0]["response"]["status"], "400");
}

#[test]
fn l37_conditional_writes() {
    let alike = hidden();
    let create = |criteria: &str| body("POST", "/fhir/Patient", &patient("p2")).with_header("if-none-exist", criteria);
    for criteria in ["birthdate=1970-01-01", "birthdate=1900-01-01", "identifier=urn:mrn|MRN-p2"] {
        alike.refuses(Some(NURSE), &create(criteria), 405, "method_not_allowed");
    }
    for (method, path) in [
        ("DELETE", "/fhir/Observation?code=2339-0"),
        ("DELETE", "/fhir/Observation?code=nothing"),
        ("PUT", "/fhir/Patient?birthdate=1970-01-01"),
        ("PATCH", "/fhir/Patient?birthdate=1970-01-01"),
    ] {
        alike.refuses(Some(NURSE), &body(method, path, &patient("p2")), 405, "method_not_allowed");
    }
}

#[test]
fn l38_writing_back_and_testing() {
    let alike = Alike::new(&["999-12-3456", "000-00-0000"].map(|ssn| store([insured("p1", ssn)])));
    // What the nurse was shown, as it came: her write of it would delete the number that she does not see.
    let read = alike.get(NURSE, "/fhir/Patient/p1");
    let etag = read.header("etag").unwrap().to_owned();
    for condition in [etag.as_str(), "W/\"1\"", "*"] {
        let write = body("PUT", "/fhir/Patient/p1", &json_of(&read)).with_header("if-match", condition);
        alike.refuses(Some(NURSE), &write, 405, "method_not_allowed");
    }
    for value in ["999-12-3456", "000-00-0000"] {
        let test = json!([{ "op": "test", "path": "/identifier/1/value", "value": value }]);
        let mut patch = body("PATCH", "/fhir/Patient/p1", &test);
        alike.refuses(Some(NURSE), &patch, 405, "method_not_allowed");
        patch.headers[0].1 = "application/json-patch+json".to_owned();
        alike.refuses(Some(NURSE), &patch, 405, "method_not_allowed");
    }
    assert_eq!(alike.get(NURSE, "/fhir/Patient/p1"), read, "nothing was written");
}

#[test]
fn l39_the_answer_to_a_write() {
    let alike = hidden();
    for prefer in ["return=representation", "return=OperationOutcome", "return=minimal"] {
        for (method, path) in [("POST", "/fhir/Patient"), ("PUT", "/fhir/Patient/p2"), ("PATCH", "/fhir/Patient/p2")] {
            let write =
                body(method, path, &with(patient("p2"), "gender", json!("CANARY"))).with_header("prefer", prefer);
            alike.refuses(Some(NURSE), &write, 405, "method_not_allowed");
            assert!(!text(&alike.ask(Some(NURSE), &write)).contains("CANARY"), "no value is echoed");
        }
    }
}

#[test]
fn l40_giving_oneself_access() {
    let alike = hidden();
    let mine = json!([{ "individual": { "reference": "Practitioner/prac-nurse-6" } }]);
    let team = json!({ "resourceType": "CareTeam", "id": "t1", "status": "active", "subject": { "reference": "Patient/p2" }, "participant": mine });
    let consent = json!({ "resourceType": "Consent", "status": "active", "patient": { "reference": "Patient/p2" } });
    for (method, path, given) in [
        ("POST", "/fhir/Encounter", visit("e2", "p2")),
        ("PUT", "/fhir/Encounter/e2", visit("e2", "p2")),
        ("POST", "/fhir/CareTeam", team.clone()),
        ("PUT", "/fhir/CareTeam/t1", team),
        ("POST", "/fhir/Consent", consent),
        ("PATCH", "/fhir/Encounter/e1", json!([{ "op": "add", "path": "/participant/0", "value": mine[0] }])),
        ("POST", "/fhir/Observation/o2/$meta-add", json!({ "resourceType": "Parameters" })),
        ("POST", "/fhir/Observation/o2/$meta-delete", json!({ "resourceType": "Parameters" })),
    ] {
        alike.refuses(Some(NURSE), &body(method, path, &given), 405, "method_not_allowed");
    }
    alike.absent(NURSE, "/fhir/Patient/p2");
    assert_eq!(alike.get(NURSE, "/fhir/Patient/p1").status, 200);
    // A visit that a patient of others is said to have by no reference of hers makes no relationship.
    let seen = store([patient("p1"), visit("e1", "p1")]);
    let odd = |subject: Value| and(&seen, [patient("p2"), with(visit("e2", "p2"), "subject", subject)]);
    let alike = Alike::related(&[
        odd(json!({ "display": "Patient/p2" })),
        odd(json!({ "reference": "https://elsewhere.example/fhir/Patient/p2" })),
        odd(json!({ "identifier": { "system": "urn:mrn", "value": "MRN-p2" } })),
        odd(json!({ "reference": "Patient?identifier=MRN-p2" })),
        seen,
    ]);
    alike.absent(NURSE, "/fhir/Patient/p2");
    alike.absent(NURSE, "/fhir/Encounter/e2");
}

#[test]
fn l42_bulk_export() {
    let alike = hidden();
    for path in [
        "/fhir/$export",
        "/fhir/Patient/$export",
        "/fhir/Group/g1/$export",
        "/fhir/Group/g1/$export?_typeFilter=Patient%3Fbirthdate%3D1970-01-01",
        "/fhir/$export-poll-status?_jobId=1",
        "/fhir/$bulkdata-status",
    ] {
        alike.refused(NURSE, path, 400, "interaction_not_supported");
        let asked = request("GET", path)
            .with_header("prefer", "respond-async")
            .with_header("accept", "application/fhir+ndjson");
        let response = alike.ask(Some(NURSE), &asked);
        assert!(response.status >= 400 && response.header("content-location").is_none(), "{path}");
    }
    alike.refused(NURSE, "/fhir/bulkstatus/1", 400, "type_unknown");
    alike.refused(NURSE, "/fhir/export/1/Patient.ndjson", 400, "type_unknown");
}
