//! Values of records and of requests stand in what a caller may see and in sealed entries, and nowhere else: not in logs of
//! any level, not in metrics, refusals, headers, and not in the files of a node.

use crate::canaries::without_unknown_codes;
use crate::node::{Asking, Node, config, issuer, seed, serving, token};
use crate::search::{find, find_in_folder};
use crate::support::{World, entries_of};
use scruple_core::Timestamp;
use scruple_hospital::upstream::{Request, Server};
use scruple_hospital::{Hospital, Options, canary};
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer, Seen};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// What is looked for: of records, of requests, of credentials.
const RECORDS: [&str; 3] = [canary::TOKEN, canary::DIGITS, "CANARY-"];
const ASKED: &str = "Qx3ASKED";
const SECRET: &str = "Vb8SECRET";

/// An upstream with the canary patient and what is crafted against gateways.
fn upstream() -> FaultServer {
    let as_of = Timestamp::parse("2026-03-01T08:00:00Z").unwrap();
    let hospital = Hospital::generate(&Options { patients: 2, seed: 7, as_of, canary: true });
    let records = hospital.records().flat_map(|record| record.resources);
    let mut all: Vec<(String, String, Vec<u8>)> = records
        .map(|resource| {
            let mut value: Value = serde_json::from_slice(&resource.to_json()).unwrap();
            // With these most of it is withheld as a whole.
            without_unknown_codes(&mut value);
            named(&value, value.to_string().into_bytes())
        })
        .collect();
    let open = open_patient();
    all.push(named(&open, open.to_string().into_bytes()));
    for crafted in scruple_testkit::crafted::all().unwrap() {
        for line in crafted.text.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
            if value["resourceType"].is_string() && value["id"].is_string() {
                all.push(named(&value, line.as_bytes().to_vec()));
            }
        }
    }
    let served: Arc<OnceLock<Server>> = Arc::default();
    let answering = Arc::clone(&served);
    let server = FaultServer::start(move |seen: &Seen| {
        let server = answering.get().unwrap();
        let target = seen.target.strip_prefix("/fhir").unwrap_or(&seen.target);
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let response = server.respond(&Request {
            method: &seen.method,
            path,
            query,
            content_type: seen.header("content-type"),
            accept: Some("application/fhir+json"),
            body: &seen.body,
            now: as_of,
        });
        // What servers say beside it is hostile too.
        Answer::json(response.body)
            .with_status(response.status)
            .with_header("x-patient", canary::TOKEN)
            .with_header("set-cookie", canary::TOKEN)
            .with_header("warning", &format!("199 - \"{}\"", canary::TOKEN))
            .with_header("etag", &format!("W/\"{}\"", canary::DIGITS))
    })
    .unwrap();
    let base = server.url("/fhir");
    assert!(served.set(Server::from_resources(all, &base)).is_ok());
    server
}

/// Whom no label hides: what a caller sees of such a person passes through every part of a node.
const OPEN: &str = "pat-open";

fn open_patient() -> Value {
    let text = canary::TOKEN;
    json!({
        "resourceType": "Patient",
        "id": OPEN,
        "identifier": [{ "system": "https://saguaro-valley.example/mrn", "value": canary::DIGITS }],
        "name": [{ "text": text, "family": text, "given": [text] }],
        "telecom": [{ "system": "phone", "value": canary::DIGITS }],
        "gender": "female",
        "birthDate": "1903-03-03",
        "address": [{ "line": [text], "city": text, "postalCode": canary::DIGITS }],
        "contact": [{ "name": { "text": text } }],
    })
}

fn named(value: &Value, bytes: Vec<u8>) -> (String, String, Vec<u8>) {
    let text = |key: &str| value[key].as_str().unwrap().to_owned();
    (text("resourceType"), text("id"), bytes)
}

/// Faults that end at once.
const FAULTS: [Fault; 12] = [
    Fault::CloseBeforeAnswer,
    Fault::HalfCloseInBody,
    Fault::LengthTooShort,
    Fault::ChunkedGarbage,
    Fault::Gzip,
    Fault::Xml,
    Fault::Html200,
    Fault::Charset,
    Fault::Redirect,
    Fault::Status(401),
    Fault::NoHttp,
    Fault::HalfJson,
];

/// What clients get wrong, with values of a record in it.
fn wrong<'a>(token: &'a str, form: &'static str) -> Vec<Asking<'a>> {
    let get = |target: &'static str| Asking::get(target, Some(token));
    let mut all: Vec<Asking<'a>> = [
        "/fhir/Patient/Qx3ASKED-not-there",
        "/fhir/Patient/Qx3ASKED%00",
        "/fhir/Qx3ASKED/1",
        "/fhir/Qx3ASKED",
        "/Qx3ASKED",
        "/fhir/Patient/1/_history/Qx3ASKED",
        "/fhir/Patient/1?Qx3ASKED=Qx3ASKED",
        "/fhir/Patient?Qx3ASKED=1",
        "/fhir/Patient?name:Qx3ASKED=Qx3ASKED",
        "/fhir/Patient?birthdate=Qx3ASKED",
        "/fhir/Patient?family=Qx3ASKED",
        "/fhir/Patient?identifier=Qx3ASKED|Qx3ASKED",
        "/fhir/Patient?_format=Qx3ASKED",
        "/fhir/Patient?_page=Qx3ASKED",
        "/fhir/Patient?_sort=Qx3ASKED",
        "/fhir/Patient?family=%ff%Qx3ASKED",
        "/fhir/Observation?patient=Patient/Qx3ASKED",
        "/fhir/Observation?patient.name=Qx3ASKED",
        "/fhir/Encounter?patient=Qx3ASKED&date=gtQx3ASKED",
        "/fhir/$Qx3ASKED",
    ]
    .map(get)
    .into();
    all.push(Asking { method: "POST", form: Some(form), ..get("/fhir/Patient/_search") });
    all.push(Asking { method: "POST", form: Some(form), ..get("/fhir/Patient/_search?family=Qx3ASKED") });
    all.push(Asking { method: "POST", form: Some(form), ..get("/fhir/Patient") });
    all.push(Asking { method: "PUT", form: Some(form), ..get("/fhir/Patient/Qx3ASKED") });
    all.push(Asking { method: "DELETE", ..get("/fhir/Patient/Qx3ASKED") });
    all.push(Asking { method: "QX3ASKED", ..get("/fhir/Patient/Qx3ASKED") });
    let headers = &[
        ("X-Request-Id", ASKED),
        ("X-Forwarded-For", ASKED),
        ("Referer", "http://a/Qx3ASKED"),
        ("User-Agent", ASKED),
        ("Traceparent", ASKED),
        ("Cookie", ASKED),
        ("If-None-Exist", ASKED),
        ("If-None-Match", "W/\"Qx3ASKED\""),
        ("Accept-Language", ASKED),
    ];
    all.push(Asking { headers, ..get("/fhir/Patient/Qx3ASKED") });
    all.push(Asking { headers: &[("Accept", "text/Qx3ASKED")], ..get("/fhir/Patient/1") });
    all.push(Asking { headers: &[("Expect", ASKED)], ..get("/fhir/Patient/1") });
    all
}

#[track_caller]
fn keeps_to_itself(format: &str) {
    let world = World::new();
    let pack = world.pack(&["biller", "front_desk"]);
    let upstream = upstream();
    let keys = issuer(&world, "jwks.json");
    seed(&world.path("state"), &[("ben.bill", "biller"), ("ana.desk", "front_desk")]);
    std::fs::write(world.path("credential"), SECRET).unwrap();
    let more = format!(
        "[upstream]\nurl = {url:?}\nbearer_file = {file:?}\ntimeout_ms = 2000\n\
         [gateway]\nallow_assumed_relationships = true\n[log]\nlevel = \"trace\"\nformat = \"{format}\"\n",
        url = upstream.url("/fhir"),
        file = world.path("credential"),
    );
    let mut node = Node::serve(world.command(serving(&config(&world, &pack, &more))));
    let ben = token(&keys, "ben.bill", "biller", "HPAYMT");
    let ana = token(&keys, "ana.desk", "front_desk", "PATADMIN");

    // Reads and searches that are answered: what leaves is the caller's to see, and checked by the gateway's own tests.
    let mut answers = Vec::new();
    let mut released = 0;
    let patient = canary::PATIENT_ID;
    let searches = ["Encounter", "Condition", "Observation", "Claim", "Coverage", "Appointment", "MedicationRequest"];
    for token in [&ben, &ana] {
        let reads = [
            format!("/fhir/Patient/{patient}"),
            format!("/fhir/Patient/{OPEN}"),
            format!("/fhir/Patient?family={}", canary::TOKEN),
            format!("/fhir/Patient?identifier={}&_total=accurate", canary::DIGITS),
        ];
        for target in reads.into_iter().chain(searches.map(|kind| format!("/fhir/{kind}?patient={patient}&_count=50")))
        {
            let answer = node.get(&target, token);
            if answer.status == 200 {
                released += usize::from(!find(&answer.body, &RECORDS).is_empty());
                answers.push((target, format!("{:?}", answer.headers)));
            } else {
                answers.push((target, format!("{:?}{}", answer.headers, answer.text())));
            }
        }
        node.post("/fhir/Patient/_search", token, &format!("family={}", canary::TOKEN)).is(200);
    }
    assert!(released >= 4, "{released}: the canaries reach the gateway, and callers who may see them");
    assert!(upstream.seen().iter().all(|seen| seen.header("authorization") == Some(&format!("Bearer {SECRET}"))));

    // Faults of the upstream, each on a read and a search.
    for fault in FAULTS {
        for target in [format!("/fhir/Patient/{OPEN}"), format!("/fhir/Claim?patient={patient}")] {
            upstream.always(Some(fault));
            let answer = node.get(&target, &ben);
            upstream.always(None);
            assert_eq!(answer.status, 503, "{fault:?} on {target}: {}", answer.text());
            assert!(answer.code().starts_with("upstream_"), "{fault:?} on {target}: {}", answer.text());
            answers.push((format!("{fault:?}"), format!("{:?}{}", answer.headers, answer.text())));
        }
    }

    // What clients get wrong; and tokens that are none.
    let form = "family=Qx3ASKED&Qx3ASKED=Qx3ASKED";
    for asking in wrong(&ben, form) {
        // A connection that ends without an answer tells nothing either.
        let Ok(answer) = asking.ask(&node.gateway) else { continue };
        let body = if answer.status == 200 {
            assert!(answer.json()["entry"].is_null(), "{}: {}", asking.target, answer.text());
            // The link to itself repeats the query that was asked, to whom asked it.
            String::new()
        } else {
            answer.text()
        };
        answers.push((asking.target.to_owned(), format!("{:?}{body}", answer.headers)));
    }
    let stranger = issuer(&world, "stranger.json");
    let forged = token(&stranger, ASKED, "biller", "HPAYMT");
    let unknown = token(&keys, ASKED, "biller", "HPAYMT");
    let role = token(&keys, "ben.bill", ASKED, "HPAYMT");
    let purpose = token(&keys, "ben.bill", "biller", ASKED);
    for (text, status) in [(ASKED, 401), (&forged, 401), (&unknown, 403), (&role, 403), (&purpose, 403)] {
        let answer = node.get("/fhir/Patient/1", text);
        assert_eq!(answer.status, status, "{}", answer.text());
        answers.push((text.to_owned(), format!("{:?}{}", answer.headers, answer.text())));
    }
    for page in ["/lens?patient=Qx3ASKED&role=Qx3ASKED&purpose=Qx3ASKED", "/Qx3ASKED"] {
        assert_ne!(Asking::get(page, None).ask(&node.console).unwrap().status, 500, "{page}");
    }
    let metrics = node.health("/metrics").is(200).text();
    let ready = node.health("/readyz").text();
    node.stops();

    let credentials = [ben.as_str(), ana.as_str(), &forged, &unknown];
    let parts: Vec<&str> = credentials.iter().map(|token| token.rsplit('.').next().unwrap()).collect();
    let everything: Vec<&str> =
        RECORDS.into_iter().chain([ASKED, "QX3ASKED", SECRET, patient, OPEN]).chain(parts).collect();
    for (what, text) in &answers {
        assert_eq!(find(text.as_bytes(), &everything), [], "{what}");
    }
    assert_eq!(find(metrics.as_bytes(), &everything), []);
    assert_eq!(find(ready.as_bytes(), &everything), []);
    assert_eq!(find(&node.out.bytes(), &everything), []);
    let log = node.err.text();
    assert_eq!(find(log.as_bytes(), &everything), []);
    // The search finds what is there: the log is long, of every level, and in the form that was asked for.
    assert!(log.lines().count() > 100, "{}", log.lines().count());
    let of_level = if format == "json" { r#""level":"TRACE""# } else { " TRACE " };
    assert!(log.contains(of_level) && log.contains(upstream.address().to_string().as_str()), "it is at level trace");
    if format == "json" {
        let lines = log.lines().filter(|line| !line.starts_with(['g', 'c', 'h']));
        let first = lines.filter(|line| serde_json::from_str::<Value>(line).is_err()).take(3).collect::<Vec<_>>();
        assert!(first.is_empty(), "{first:?}");
    }
    // Ids of patients that were asked for stand in sealed entries: the folder holds none of it in clear.
    assert!(world.path("state/ledger-reserve").exists() && world.path("state/scruple.db").exists());
    assert_eq!(find_in_folder(&world.path("state"), &everything), []);
    assert_eq!(find_in_folder(&world.path("tmp"), &everything), []);
    let words = world.run(["ledger", "show"]).ends(0);
    let of_records: Vec<&str> = RECORDS.into_iter().chain([SECRET]).collect();
    assert_eq!(find(&words.out, &of_records), []);
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let opened = serde_json::to_vec(&entries).unwrap();
    assert_eq!(find(&opened, &of_records), [], "an entry names what was released, and repeats nothing of it");
    assert!(String::from_utf8(opened).unwrap().contains(OPEN), "the entries tell whose record it was");
    world.run(["ledger", "verify"]).ends(0);
}

#[test]
fn check_upstream_tells_what_a_server_does_and_nothing_of_a_patient() {
    let world = World::new();
    let server = upstream();
    let url = server.url("/fhir");
    let ran = world.run(["check-upstream", &url, "--json"]).ends(1);
    let found = ran.json();
    let verdict =
        |name: &str| found.as_array().unwrap().iter().find(|one| one["check"] == name).unwrap()["verdict"].clone();
    assert_eq!((verdict("version"), verdict("post"), verdict("around")), ("good".into(), "good".into(), "bad".into()));
    let told = [ran.out.as_slice(), ran.err.as_bytes()].concat();
    assert_eq!(find(&told, &RECORDS), []);
    // With what a configuration says of it, and in words.
    let key = world.input("upstream.token", SECRET);
    let text = format!("[upstream]\nurl = \"{url}\"\nbearer_file = \"{}\"\n", key.display());
    let config = world.input("scruple.toml", text);
    let ran = world.run(["check-upstream", "--config", config.to_str().unwrap()]).ends(1);
    assert!(ran.text().contains("good     transport  on this machine"), "{}", ran.text());
    assert!(server.seen().iter().any(|seen| seen.header("authorization") == Some(&format!("Bearer {SECRET}"))));
    let told = [ran.out.as_slice(), ran.err.as_bytes()].concat();
    assert_eq!(find(&told, &[RECORDS.as_slice(), &[SECRET]].concat()), []);
    drop(server);
    let ran = world.run(["check-upstream", &url]).ends(1);
    assert!(ran.text().contains("upstream cannot be reached"), "{}", ran.text());
    world.run(["check-upstream"]).ends(2).tells(&["URL"]);
    world.run(["check-upstream", "fhir.example"]).ends(2).tells(&["`upstream.url`", "`http://`"]);
}

#[test]
fn a_node_that_logs_text_at_trace_tells_nothing_of_a_record() {
    keeps_to_itself("text");
}

#[test]
fn a_node_that_logs_json_at_trace_tells_nothing_of_a_record() {
    keeps_to_itself("json");
}
