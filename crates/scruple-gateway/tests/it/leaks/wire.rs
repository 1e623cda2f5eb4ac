//! Formats, headers, batches, writes, pages, faults, and what a server says of itself.

use super::*;
use scruple_release::{Fetched, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery};

#[test]
fn l32_other_formats() {
    let two = one_hidden();
    for accept in ["application/fhir+xml", "text/turtle", "text/html", "application/fhir+ndjson"] {
        let response = two.ask(NURSE, &request("GET", "/fhir/Patient/p1").with_header("accept", accept));
        assert_eq!((response.status, code(&response).as_str()), (406, "format_not_supported"), "{accept}");
    }
    two.refused(NURSE, "/fhir/Observation?_format=xml", 406, "format_not_supported");
}

#[test]
fn l33_cuts_that_probe() {
    let two = two_dates();
    let body = two.found(ANALYST, "/fhir/Patient?_elements=birthDate", &["Patient/p1"]);
    assert!(body["entry"][0]["resource"].get("birthDate").is_none());
    two.refused(ANALYST, "/fhir/Patient?_elements=shoeSize", 400, "query_malformed");
    two.refused(ANALYST, "/fhir/Patient?_summary=true", 400, "parameter_not_supported");
    two.refused(ANALYST, "/fhir/Patient?_elements:exclude=name", 400, "parameter_not_supported");
    two.refused(ANALYST, "/fhir/Patient/p1?_elements=birthDate", 400, "parameter_not_supported");
}

#[test]
fn l34_heads_ranges_and_conditions() {
    let two =
        Two::related(&[visit("e1", "Patient/p1"), patient("p1", "1980-05-17")], &[patient("p2", "1970-01-01")], &[]);
    assert_eq!(two.ask(NURSE, &request("HEAD", "/fhir/Patient/p2")).status, 405);
    for (name, value) in [("range", "bytes=0-9"), ("if-none-match", "*"), ("if-match", "W/\"1\"")] {
        let response = two.ask(NURSE, &request("GET", "/fhir/Patient/p2").with_header(name, value));
        assert_eq!(response.status, 404, "{name}");
    }
    let whole = two.get(NURSE, "/fhir/Patient/p1");
    let part = two.ask(NURSE, &request("GET", "/fhir/Patient/p1").with_header("range", "bytes=0-9"));
    assert_eq!(whole.body, part.body);
}

fn batch(entries: &Value) -> Request {
    let mut asked = request("POST", "/fhir");
    asked.headers.push(("content-type".to_owned(), "application/fhir+json".to_owned()));
    asked.body = json!({ "resourceType": "Bundle", "type": "batch", "entry": entries }).to_string().into_bytes();
    asked
}

#[test]
fn l35_batches() {
    let two = one_hidden();
    let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let asked = batch(&json!([
        get("Observation/o2"),
        get("Observation?patient=p1&_total=accurate&code=http://loinc.org|2345-7"),
        get("Patient/p1"),
        get("https://evil.example/fhir/Patient/p1"),
        { "request": { "method": "PUT", "url": "Patient/p1" }, "resource": patient("p1", "1900-01-01") },
        { "request": { "method": "GET", "url": "Patient/p1" }, "resource": patient("p1", "1900-01-01") },
        get("../Patient/p1"),
        get("$graphql"),
    ]));
    let before = two.world.entries().len();
    let response = two.ask(NURSE, &asked);
    assert_eq!(two.world.entries().len() - before, 16, "each part is a record of its own");
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    let statuses: Vec<&str> =
        body["entry"].as_array().unwrap().iter().map(|entry| entry["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["404", "200", "200", "400", "405", "405", "400", "400"]);
    // As if each had come alone.
    let alone: Value = serde_json::from_slice(&two.get(NURSE, "/fhir/Patient/p1").body).unwrap();
    assert_eq!(body["entry"][2]["resource"], alone);
    assert_eq!(body["entry"][1]["resource"]["total"], 2);
    for wrong in [
        r#"{"resourceType":"Bundle","type":"transaction","entry":[]}"#,
        r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{}}]}"#,
        r#"{"resourceType":"Patient"}"#,
        "",
    ] {
        let mut asked = batch(&json!([]));
        asked.body = wrong.as_bytes().to_vec();
        let response = two.ask(NURSE, &asked);
        assert_eq!((response.status, code(&response).as_str()), (400, "batch_malformed"), "{wrong}");
    }
    let many: Vec<Value> = (0..51).map(|_| get("Patient/p1")).collect();
    assert_eq!(two.ask(NURSE, &batch(&json!(many))).status, 400);
}

#[test]
fn l36_other_paths() {
    let two = one_hidden();
    for path in ["/fhir/Patient/p1/../p2", "/fhir//Patient", "/fhir/%2e%2e/Patient", "/fhir/Patient/p1;jsessionid=1"] {
        two.refused(NURSE, path, 400, "path_malformed");
    }
    let asked = request("GET", "/fhir/Patient/p1").with_header("x-http-method-override", "DELETE");
    let asked = asked.with_header("x-forwarded-host", "evil.example").with_header("host", "evil.example");
    assert_eq!(two.ask(NURSE, &asked).body, two.get(NURSE, "/fhir/Patient/p1").body);
}

/// Writes are refused, whatever the store holds.
fn no_write(method: &str, path: &str, headers: &[(&str, &str)], body: &Value) {
    let mut asked = request(method, path);
    asked.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    asked.body = body.to_string().into_bytes();
    let response = one_hidden().ask(NURSE, &asked);
    assert_eq!((response.status, code(&response).as_str()), (405, "method_not_allowed"), "{method} {path}");
}

#[test]
fn l37_conditional_writes() {
    no_write("POST", "/fhir/Patient", &[("if-none-exist", "birthdate=1970-01-01")], &patient("x", "1970-01-01"));
    no_write("DELETE", "/fhir/Observation?code=2345-7", &[], &json!({}));
}

#[test]
fn l38_writes_of_what_was_redacted() {
    no_write("PUT", "/fhir/Patient/p1", &[], &patient("p1", "1970-01-01"));
    let test = json!([{ "op": "test", "path": "/birthDate", "value": "1980-05-17" }]);
    no_write("PATCH", "/fhir/Patient/p1", &[("content-type", "application/json-patch+json")], &test);
}

#[test]
fn l39_what_a_write_would_return() {
    no_write("PUT", "/fhir/Patient/p1", &[("prefer", "return=representation")], &patient("p1", "1970-01-01"));
}

#[test]
fn l40_making_oneself_related() {
    no_write("POST", "/fhir/Consent", &[], &json!({ "resourceType": "Consent" }));
    no_write("PUT", "/fhir/CareTeam/t1", &[], &json!({ "resourceType": "CareTeam", "id": "t1" }));
    no_write("POST", "/fhir/Observation/o2/$meta-delete", &[], &json!({}));
}

#[test]
fn l41_page_tokens_of_others() {
    let two = one_hidden();
    let first = two.found(NURSE, "/fhir/Observation?_count=1&_sort=-date", &["Observation/o3"]);
    let next = first["link"][1]["url"].as_str().unwrap().trim_start_matches("https://gateway.example").to_owned();
    assert_eq!(two.get(NURSE, &next).status, 200);
    assert!(!next.contains("2026-01") && !next.contains("o3"), "nothing of a value is in a link");
    two.refused(("physician", "TREAT"), &next, 400, "page_token_invalid");
    two.refused(("nurse", "ETREAT"), &next, 400, "page_token_invalid");
    let spoilt = format!("{}A", next.get(..next.len() - 1).unwrap());
    two.refused(NURSE, &spoilt, 400, "page_token_invalid");
    two.refused(NURSE, &next.replace("/Observation?", "/Patient/p1/Observation?"), 400, "page_token_invalid");
}

#[test]
fn l42_exports() {
    let two = one_hidden();
    for path in
        ["/fhir/$export", "/fhir/Group/g/$export", "/fhir/Patient/$export?_typeFilter=Patient%3Fbirthdate%3D1980"]
    {
        two.refused(NURSE, path, 400, "interaction_not_supported");
    }
}

/// A server that fails with words of a record.
struct Failing(UpstreamError);

impl Upstream for Failing {
    fn read<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn version<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn history<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn search<'a>(&'a self, _: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn page<'a>(&'a self, _: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }
}

#[test]
fn l43_errors_of_the_server_behind() {
    let world = World::new(Behind::Raw.upstream(&Store::new(), noon()).unwrap());
    let mut bodies = Vec::new();
    for error in
        [UpstreamError::Status(500), UpstreamError::Unreachable, UpstreamError::NotJson, UpstreamError::ForeignLink]
    {
        world.upstream.put(Arc::new(Failing(error)));
        for path in ["/fhir/Patient/p1", "/fhir/Patient?name=a", "/fhir/Patient/p1/$everything"] {
            let response = world.get("nurse", "TREAT", path);
            assert_eq!(response.status, 503, "{path}");
            let words = String::from_utf8(response.body).unwrap();
            bodies.push(words.split("diagnostics").nth(1).unwrap().to_owned());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the words are ours and constant");
}

#[test]
fn l44_no_record_no_answer() {
    let disk = scruple_ledger::simulate::SimStorage::new();
    let upstream = Behind::Raw.upstream(&store(&[patient("p1", "1980-05-17")]), noon()).unwrap();
    let world = World::on_disk(upstream, &disk);
    assert_eq!(world.get("biller", "HPAYMT", "/fhir/Patient/p1").status, 200);
    disk.set_room(Some(disk.used_bytes()));
    let main = world.recorder.main().unwrap();
    while main.integrate_now().is_ok() {
        let _ = main.append(&[0; 1_000], None);
    }
    drop(main);
    let response = world.get("biller", "HPAYMT", "/fhir/Patient/p1");
    assert_eq!((response.status, code(&response).as_str()), (503, "ledger_unavailable"));
}

#[test]
fn l45_what_the_server_says_of_itself() {
    let two = one_hidden();
    let statement: Value = serde_json::from_slice(&two.get(NURSE, "/fhir/metadata").body).unwrap();
    let rest = &statement["rest"][0];
    let text = rest.to_string();
    for absent in [
        "\"create\"",
        "\"update\"",
        "\"delete\"",
        "\"patch\"",
        "$export",
        "graphql",
        "_filter",
        "\"history-type\"",
        "transaction",
    ] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(text.contains("\"search-type\"") && text.contains("\"vread\""));
}
