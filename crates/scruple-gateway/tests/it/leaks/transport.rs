//! Formats, headers, paths, errors, records: L32, L34, L36, L43 to L45.

use super::*;
use crate::support::read_entries;
use scruple_connect::{Base, HttpUpstream, Options};
use scruple_core::EntryBody;
use scruple_ledger::simulate::SimStorage;
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer};

/// What no answer of the gateway, and no entry of its ledger, may hold.
const CANARY: &str = "Zq7CANARY";

/// Stores with and without the patient of others.
fn hidden() -> Alike {
    let seen = store([patient("p1"), visit("e1", "p1"), result("o1", "p1", HEMOGLOBIN, 14.0)]);
    let there = and(&seen, [patient("p2"), result("o2", "p2", GLUCOSE, 1.0)]);
    let gone = deleted(&seen, patient("p2"), "2");
    Alike::related(&[seen, there, gone])
}

/// A server on a socket with one patient, whose number of social security is the canary.
fn server() -> FaultServer {
    FaultServer::start(|seen| {
        let patient = with(insured("p1", CANARY), "text", json!({ "status": "generated", "div": CANARY }));
        match (seen.method.as_str(), seen.target.as_str()) {
            ("GET", "/fhir/Patient/p1") => Answer::json(patient.to_string()),
            ("POST", "/fhir/Patient/_search") => {
                let entry = json!([{ "fullUrl": CANARY, "resource": patient, "search": { "mode": "match" } }]);
                let bundle = json!({ "resourceType": "Bundle", "type": "searchset", "entry": entry, "total": 1 });
                Answer::json(bundle.to_string()).with_header("x-upstream", CANARY).with_header("warning", CANARY)
            }
            ("POST", _) => Answer::json(r#"{"resourceType":"Bundle","type":"searchset"}"#),
            _ => Answer::json(format!(r#"{{"resourceType":"OperationOutcome","text":"{CANARY}"}}"#)).with_status(404),
        }
    })
    .unwrap()
}

/// A gateway before a server on a socket. Its limits are short.
fn before(server: &FaultServer) -> World {
    let base = Base::parse(&server.url("/fhir")).unwrap();
    let options = Options { call_ms: 400, wait_ms: 100, ..Options::new(base) };
    World::under(active(), Arc::new(HttpUpstream::new(&options).unwrap()))
}

/// That nothing of the canary is in an answer.
fn holds_none(response: &Response) {
    let headers: String = response.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    assert!(!text(response).contains(CANARY) && !headers.contains(CANARY), "{headers}{}", text(response));
}

#[test]
fn l32_other_formats() {
    let alike = hidden();
    for path in ["/fhir/Patient/p1", "/fhir/Patient/p2", "/fhir/Patient?_id=p2"] {
        let together = if path.contains('?') { '&' } else { '?' };
        for format in ["xml", "ttl", "html", "ndjson", "text/xml", "application/fhir%2Bxml", "json%00"] {
            alike.refused(NURSE, &format!("{path}{together}_format={format}"), 406, "format_not_supported");
        }
        for accept in [
            "application/fhir+xml",
            "text/html",
            "application/fhir+ndjson",
            "text/turtle",
            "application/pdf",
            "image/*",
        ] {
            alike.refuses(
                Some(NURSE),
                &request("GET", path).with_header("accept", accept),
                406,
                "format_not_supported",
            );
        }
    }
    for accept in ["application/fhir+json; fhirVersion=3.0", "*/*", "application/json"] {
        let asked =
            request("GET", "/fhir/Patient/p1").with_header("accept", accept).with_header("accept-encoding", "gzip, br");
        let response = alike.ask(Some(NURSE), &asked);
        assert!(response.status == 200 && response.header("content-encoding").is_none());
        assert_eq!(response.body, alike.get(NURSE, "/fhir/Patient/p1").body);
    }
    // A body that the gateway cannot read is none that it sends on.
    let server = server();
    let world = before(&server);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p1").status, 200);
    for fault in [Fault::Gzip, Fault::Xml, Fault::Html200, Fault::WrongType, Fault::NoType, Fault::Charset] {
        for path in ["/fhir/Patient/p1", "/fhir/Patient?_id=p1"] {
            server.next(fault);
            let response = world.get("nurse", "TREAT", path);
            assert_eq!((response.status, code(&response).as_str()), (503, "upstream_not_json"), "{fault:?} {path}");
            holds_none(&response);
        }
    }
    assert_eq!(ids(&world.get("nurse", "TREAT", "/fhir/Patient?_id=p1")), ["Patient/p1"]);
}

#[test]
fn l34_methods_and_conditions_that_ask_without_reading() {
    let alike = hidden();
    for id in ["p1", "p2", "never"] {
        for method in ["HEAD", "OPTIONS", "TRACE", "PURGE"] {
            alike.refuses(Some(NURSE), &request(method, &format!("/fhir/Patient/{id}")), 405, "method_not_allowed");
        }
    }
    alike.refuses(Some(NURSE), &request("HEAD", "/fhir/Patient?birthdate=1970"), 405, "method_not_allowed");
    let absent = alike.get(NURSE, "/fhir/Patient/never");
    for (name, value) in [
        ("range", "bytes=0-0"),
        ("if-none-match", "*"),
        ("if-none-match", "W/\"1\""),
        ("if-match", "*"),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("if-range", "W/\"1\""),
    ] {
        let asked = |id: &str| request("GET", &format!("/fhir/Patient/{id}")).with_header(name, value);
        assert_eq!(alike.ask(Some(NURSE), &asked("p2")), absent, "{name}: {value}");
        let seen = alike.ask(Some(NURSE), &asked("p1"));
        let expected = if (name, value) == ("if-none-match", "*") { 304 } else { 200 };
        assert_eq!(seen.status, expected, "{name}: {value}");
        assert!(seen.header("content-range").is_none() && seen.header("accept-ranges").is_none());
    }
}

#[test]
fn l36_paths_and_hosts() {
    let alike = hidden();
    for path in [
        "/fhir/Patient/p1/../p2",
        "/fhir/Patient/./p2",
        "/fhir//Patient/p2",
        "//fhir/Patient/p2",
        "/fhir/Patient/%2e%2e/Patient/p2",
        "/fhir/Patient/p%32",
        "/fhir/Patient%2Fp2",
        "/fhir/Patient/p2;jsessionid=1",
        "/fhir/Patient/p2/",
        "/fhir/Patient/p2%00",
        "/FHIR/Patient/p2",
        "/fhirx/Patient/p2",
        "/other/Patient/p2",
    ] {
        alike.refused(NURSE, path, 400, "path_malformed");
    }
    for (path, reason) in
        [("/fhir/patient/p2", "type_unknown"), ("/fhir/PATIENT", "type_unknown"), ("/fhir/Patient/p$2", "id_malformed")]
    {
        alike.refused(NURSE, path, 400, reason);
    }
    let plain = alike.get(NURSE, "/fhir/Patient?_id=p1");
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-prefix", "/other"),
        ("forwarded", "host=evil.example"),
        ("x-original-url", "/fhir/Patient/p2"),
        ("x-rewrite-url", "/fhir/Patient/p2"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "PUT"),
        ("x-method-override", "PATCH"),
    ] {
        let asked = request("GET", "/fhir/Patient?_id=p1").with_header(name, value);
        assert_eq!(alike.ask(Some(NURSE), &asked), plain, "{name}");
    }
    assert_eq!(ids(&plain), ["Patient/p1"]);
}

#[test]
fn l43_errors_of_the_server_behind() {
    let server = server();
    let world = before(&server);
    let faults = [
        (Fault::Status(500), "upstream_status"),
        (Fault::Status(400), "upstream_status"),
        (Fault::Status(401), "upstream_credential"),
        (Fault::Status(422), "upstream_status"),
        (Fault::Redirect, "upstream_status"),
        (Fault::HalfJson, "upstream_malformed"),
        (Fault::NoHttp, "upstream_malformed"),
        (Fault::LengthTwice, "upstream_malformed"),
        (Fault::HalfCloseInBody, "upstream_unreachable"),
        (Fault::LengthTooLong, "upstream_timeout"),
        (Fault::SlowFirstByte, "upstream_timeout"),
    ];
    for (fault, expected) in faults {
        server.always(Some(fault));
        let response = world.get("nurse", "TREAT", "/fhir/Patient?_id=p1");
        assert_eq!((response.status, code(&response).as_str()), (503, expected), "{fault:?}");
        holds_none(&response);
        let read = world.get("nurse", "TREAT", "/fhir/Patient/p1");
        assert!(matches!(read.status, 404 | 503), "{fault:?}: {}", read.status);
        holds_none(&read);
        server.always(None);
    }
    // When it is well again, so is the answer; and the same fault is the same answer, whoever it is about.
    let well = world.get("nurse", "TREAT", "/fhir/Patient?_id=p1");
    assert_eq!(ids(&well), ["Patient/p1"]);
    holds_none(&well);
    server.always(Some(Fault::Status(500)));
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p1"), world.get("nurse", "TREAT", "/fhir/Patient/never"));
    for entry in read_entries(&world.ledger()) {
        assert!(!String::from_utf8(entry.to_bytes().unwrap()).unwrap().contains(CANARY));
    }
    // What cannot be projected fails closed: of a record that is no record nothing leaves.
    let broken = [
        format!(r#"{{"resourceType":"Patient","id":"p1","birthDate":{{"x":"{CANARY}"}}}}"#),
        format!(r#"{{"resourceType":"Patient","id":"p1","gender":"male","gender":"{CANARY}"}}"#),
        format!(r#"{{"resourceType":"Patient","id":"p1","birth\u0044ate":"{CANARY}","BirthDate":"{CANARY}"}}"#),
        format!("{{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{{\"family\":\"{CANARY}\n\"}}]}}"),
    ];
    for bytes in broken {
        let server = FaultServer::start(move |_| Answer::json(bytes.clone())).unwrap();
        let response = before(&server).get("quality_analyst", "HQUALIMP", "/fhir/Patient/p1");
        assert!(matches!(response.status, 200 | 404), "{}", response.status);
        holds_none(&response);
    }
}

#[test]
fn l44_the_ledger_and_what_it_holds() {
    // Values of queries stand nowhere in it, and what was hidden neither.
    let alike = hidden();
    for path in [
        "/fhir/Patient?name=Zq7CANARY",
        "/fhir/Patient?Zq7CANARY=Zq7CANARY",
        "/fhir/Patient/Zq7CANARY%3F",
        "/fhir/Patient/p2",
    ] {
        alike.get(NURSE, path);
    }
    let entries = alike.entries();
    assert!(entries.len() >= 24);
    for entry in &entries {
        let bytes = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
        assert!(!bytes.contains(CANARY) && !bytes.contains("MRN-p2"), "{bytes}");
        if let EntryBody::Release { references, patients, .. } = &entry.body {
            assert!(references.iter().chain(patients).all(|name| name != "Patient/p2"), "{bytes}");
        }
    }
    // Records of access are records of patients: who has none of them has none here either.
    alike.refused(NURSE, "/fhir/AuditEvent?patient=p1", 403, "type_not_permitted");
    alike.refused(NURSE, "/fhir/AuditEvent/a1", 403, "type_not_permitted");
    // Without room for an entry nothing leaves, and what is said is the same whatever was asked.
    let held = |ssn: &str| Behind::Raw.upstream(&store([insured("p1", ssn)]), noon()).unwrap();
    let disk = SimStorage::new();
    let world = World::on_disk(held("999-12-3456"), &disk);
    let (role, purpose) = BILLER;
    assert_eq!(world.get(role, purpose, "/fhir/Patient/p1").status, 200);
    disk.set_room(Some(disk.used_bytes()));
    let main = world.recorder.main().unwrap();
    while main.integrate_now().is_ok() {
        let _ = main.append(&[0; 1_000], None);
    }
    drop(main);
    let refused = world.get(role, purpose, "/fhir/Patient/p1");
    assert_eq!((refused.status, code(&refused).as_str()), (503, "ledger_unavailable"));
    assert!(!text(&refused).contains("Visible"));
    for path in ["/fhir/Patient/never", "/fhir/Patient", "/fhir/DocumentReference/1", "/fhir/Patient?x=1"] {
        assert_eq!(world.get(role, purpose, path), refused, "{path}");
    }
}

#[test]
fn l45_the_capability_statement() {
    let alike = hidden();
    let statement = alike.ask(None, &request("GET", "/fhir/metadata"));
    assert_eq!(statement.status, 200);
    for who in [NURSE, DESK, ANALYST] {
        assert_eq!(alike.get(who, "/fhir/metadata").body, statement.body, "it is of the deployment, and of nobody");
    }
    let value = json_of(&statement);
    let rest = &value["rest"][0];
    for interaction in rest["interaction"].as_array().into_iter().flatten() {
        assert_eq!(interaction["code"], "batch");
    }
    let mut codes = std::collections::BTreeSet::new();
    for resource in rest["resource"].as_array().unwrap() {
        for interaction in resource["interaction"].as_array().into_iter().flatten() {
            codes.insert(interaction["code"].as_str().unwrap().to_owned());
        }
        let blocked = [
            "_text",
            "_content",
            "_filter",
            "_query",
            "_list",
            "_security",
            "_tag",
            "_profile",
            "near",
            "code-value-quantity",
        ];
        for parameter in resource["searchParam"].as_array().into_iter().flatten() {
            assert!(!blocked.contains(&parameter["name"].as_str().unwrap()), "{parameter}");
        }
        assert!(resource["conditionalCreate"] != true && resource["conditionalUpdate"] != true);
    }
    let served = ["history-instance", "read", "search-type", "vread"];
    assert!(codes.iter().all(|code| served.contains(&code.as_str())), "{codes:?}");
    assert!(codes.contains("read") && codes.contains("search-type"));
    alike.refuses(None, &request("GET", "/fhir/SearchParameter"), 401, "token_missing");
    let text = text(&statement);
    for hidden in ["upstream.example", "$export", "$graphql", "p2"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
}
