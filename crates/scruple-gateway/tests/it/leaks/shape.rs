//! Counts, pages, what comes beside, versions, and what is in a resource.

use super::*;
use scruple_core::{EntryBody, Timestamp};
use scruple_fhir::search::Dialect;
use scruple_release::{Fetched, Upstream, UpstreamFuture, UpstreamQuery};
use std::sync::Mutex;

#[test]
fn l13_totals() {
    let two = one_hidden();
    assert_eq!(two.found(NURSE, "/fhir/Observation?_total=accurate&_count=1", &["Observation/o1"])["total"], 2);
    assert_eq!(two.found(NURSE, "/fhir/Observation?code=2345-7&_summary=count", &[])["total"], 2);
}

#[test]
fn l14_pages_that_are_short() {
    let two = one_hidden();
    let first = two.found(NURSE, "/fhir/Observation?patient=p1&_count=1", &["Observation/o1"]);
    let next = first["link"][1]["url"].as_str().unwrap().trim_start_matches("https://gateway.example").to_owned();
    let second = two.found(NURSE, &next, &["Observation/o3"]);
    assert!(second["link"].as_array().unwrap().len() == 1, "no page follows");
}

#[test]
fn l15_forbidden_missing_and_deleted() {
    let mut deleted = store(&[visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), patient("p2", "1970-01-01")]);
    deleted.delete("Patient", "p2", "2", Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let hidden = store(&[visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), patient("p2", "1970-01-01")]);
    let two = Two::over(resolved(), hidden, deleted);
    two.refused(NURSE, "/fhir/Patient/p2", 404, "not_found");
    let hidden = two.get(NURSE, "/fhir/Patient/p2").body;
    assert_eq!(two.get(NURSE, "/fhir/Patient/nobody").body, hidden);
    assert_eq!(two.get(NURSE, "/fhir/Patient/p1").status, 200);
}

/// Notes what it is asked.
struct Noting(Arc<dyn Upstream>, Mutex<Vec<String>>);

impl Noting {
    fn note(&self, what: String) {
        self.1.lock().unwrap().push(what);
    }
}

impl Upstream for Noting {
    fn read<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.note(format!("read {kind}"));
        self.0.read(kind, id)
    }

    fn version<'a>(&'a self, kind: &'a str, id: &'a str, version: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.note(format!("version {kind}"));
        self.0.version(kind, id, version)
    }

    fn history<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.note(format!("history {kind}"));
        self.0.history(kind, id)
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        self.note(format!("search {}", query.resource_type));
        self.0.search(query)
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        self.note("page".to_owned());
        self.0.page(link)
    }

    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }
}

#[test]
fn l16_work_that_depends_on_what_is_hidden() {
    let world = World::under(resolved(), Behind::Raw.upstream(&Store::new(), noon()).unwrap());
    let asked = |values: &[Value], path: &str| {
        let noting = Arc::new(Noting(Behind::Raw.upstream(&store(values), noon()).unwrap(), Mutex::default()));
        world.upstream.put(Arc::clone(&noting) as Arc<dyn Upstream>);
        let before = world.entries().len();
        assert_eq!(world.get("nurse", "TREAT", path).status, 404);
        let mut calls = noting.1.lock().unwrap().clone();
        calls.sort();
        (calls, world.entries().len() - before)
    };
    let mine = [visit("e1", "Patient/p1"), patient("p1", "1980-05-17")];
    let others =
        [mine.as_slice(), &[patient("p2", "1970-01-01"), observation("o9", "Patient/p2", "2026-01-01", 1.0)]].concat();
    for path in ["/fhir/Patient/p2", "/fhir/Observation/o9"] {
        let (hidden, absent) = (asked(&others, path), asked(&mine, path));
        assert_eq!(hidden, absent, "{path}");
        assert_eq!(hidden.1, 1, "one record each");
    }
}

#[test]
fn l17_what_comes_beside() {
    let mut seen = visit("e1", "Patient/p1");
    seen["diagnosis"] = json!([{ "condition": to("Condition/c1") }]);
    let mut with_hidden = seen.clone();
    with_hidden["reasonReference"] = json!([to("Observation/o2")]);
    let both = [patient("p1", "1980-05-17"), condition("c1", "Patient/p1", None), seen];
    let two = Two::new(&both, &[hidden("o2", "Patient/p1", "2026-01-02", 1.0)], &[]);
    two.found(NURSE, "/fhir/Encounter?_id=e1&_include=Encounter:diagnosis", &["Encounter/e1", "Condition/c1"]);
    two.found(NURSE, "/fhir/Patient?_id=p1&_revinclude=Observation:patient", &["Patient/p1"]);
    two.refused(BILLER, "/fhir/Patient?_revinclude=DocumentReference:patient", 403, "type_not_permitted");
}

#[test]
fn l18_everything_beside() {
    let two = one_hidden();
    for query in ["_include=*", "_revinclude=*", "_include:iterate=*"] {
        two.refused(NURSE, &format!("/fhir/Observation?{query}"), 400, "parameter_not_supported");
    }
    let path = "/fhir/Observation?_id=o1&_include=Observation:subject&_revinclude:iterate=Observation:patient";
    two.found(NURSE, path, &["Observation/o1", "Observation/o3", "Patient/p1"]);
}

#[test]
fn l19_everything_of_a_patient_and_compartments() {
    let two = one_hidden();
    two.found(NURSE, "/fhir/Patient/p1/$everything", &["Patient/p1", "Observation/o1", "Observation/o3"]);
    two.found(NURSE, "/fhir/Patient/p1/Observation?_count=1&date=gt2026-01-01", &["Observation/o3"]);
    two.refused(NURSE, "/fhir/Practitioner/D1/Patient", 400, "interaction_not_supported");
    let others = [patient("p2", "1970-01-01"), observation("o9", "Patient/p2", "2026-01-01", 1.0)];
    let two = Two::related(&[visit("e1", "Patient/p1"), patient("p1", "1980-05-17")], &others, &[]);
    two.found(NURSE, "/fhir/Patient/p2/Observation", &[]);
    two.refused(NURSE, "/fhir/Patient/p2/$everything?_type=Condition", 404, "not_found");
    two.found(NURSE, "/fhir/Observation?code=2345-7", &[]);
    two.found(NURSE, "/fhir/Patient", &["Patient/p1"]);
}

#[test]
fn l20_graphql() {
    let mut asked = request("POST", "/fhir/$graphql");
    asked.body = br#"{Patient(id:"p1"){birthDate}}"#.to_vec();
    let response = one_hidden().ask(NURSE, &asked);
    assert_eq!((response.status, code(&response).as_str()), (400, "interaction_not_supported"));
}

#[test]
fn l21_other_operations() {
    let two = one_hidden();
    for path in [
        "Observation/$lastn",
        "Patient/p1/$summary",
        "Patient/p1/$document",
        "Patient/p1/$meta",
        "ValueSet/$expand",
        "$convert",
    ] {
        two.refused(NURSE, &format!("/fhir/{path}"), 400, "interaction_not_supported");
    }
    let response = two.ask(NURSE, &request("POST", "/fhir/Patient/$match"));
    assert_eq!((response.status, code(&response).as_str()), (405, "method_not_allowed"));
}

fn versioned(birth: &str, version: &str) -> Arc<Stored> {
    let mut value = patient("p1", birth);
    value["meta"] = json!({ "versionId": version, "lastUpdated": format!("2026-01-0{version}T00:00:00Z") });
    Arc::new(Stored::new(value).unwrap())
}

#[test]
fn l22_older_versions() {
    let mut a = Store::new();
    a.revise(versioned("1980-05-17", "1"));
    a.revise(versioned("1980-05-17", "2"));
    a.revise(versioned("1980-08-30", "3"));
    let two = Two::over(active(), a.clone(), a.clone());
    // Versions are for those who see times of change.
    two.refused(NURSE, "/fhir/Patient/p1/_history/1", 403, "history_not_permitted");
    two.refused(NURSE, "/fhir/Patient/nobody/_history", 403, "history_not_permitted");
    let history = two.found(PRIVACY, "/fhir/Patient/p1/_history", &["Patient/p1", "Patient/p1"]);
    let versions: Vec<&Value> =
        history["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]["meta"]["versionId"]).collect();
    assert_eq!(versions, ["3", "1"], "what the second changed does not show");
    assert_eq!(two.get(PRIVACY, "/fhir/Patient/p1/_history/2").status, 200);
    two.refused(PRIVACY, "/fhir/Patient/p1/_history/9", 404, "not_found");
    for path in ["/fhir/Patient/_history", "/fhir/_history?_since=2020"] {
        two.refused(PRIVACY, path, 400, "interaction_not_supported");
    }
    // Of what is hidden now there is no version, though an older one had no label.
    let relabelled = |security: Value| {
        let mut now = patient("p2", "1970-01-01");
        now["meta"] = json!({ "versionId": "2", "security": security });
        let mut before = patient("p2", "1970-01-01");
        before["meta"] = json!({ "versionId": "1" });
        let mut store = Store::new();
        store.revise(Arc::new(Stored::new(before).unwrap()));
        store.revise(Arc::new(Stored::new(now).unwrap()));
        store
    };
    let label = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }]);
    let two = Two::over(active(), relabelled(label), Store::new());
    two.refused(PRIVACY, "/fhir/Patient/p2/_history/1", 404, "not_found");
    two.refused(PRIVACY, "/fhir/Patient/p2/_history", 404, "not_found");
    // The entry names the version.
    assert!(matches!(two.world.entries().last().unwrap().body, EntryBody::Release { .. }));
}

#[test]
fn l23_whether_something_hidden_has_changed() {
    let changed = |birth: &str, version: &str| {
        let mut value = patient("p1", birth);
        value["meta"] = json!({ "versionId": version, "lastUpdated": "2026-01-01T00:00:00Z" });
        value
    };
    let two = Two::new(&[], &[changed("1980-05-17", "1")], &[changed("1980-08-30", "7")]);
    let response = two.get(ANALYST, "/fhir/Patient/p1");
    let etag = response.header("etag").unwrap().to_owned();
    assert!(response.header("last-modified").is_none());
    let unchanged = two.ask(ANALYST, &request("GET", "/fhir/Patient/p1").with_header("if-none-match", &etag));
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let since = request("GET", "/fhir/Patient/p1").with_header("if-modified-since", "Sat, 01 Mar 2036 00:00:00 GMT");
    assert_eq!(two.ask(ANALYST, &since).status, 200);
}

/// Two patients who differ in one element that the analyst does not see.
fn differ(key: &str, a: Value, b: Value) -> Two {
    let with = |value: Value| {
        let mut patient = patient("p1", "1980-05-17");
        patient[key] = value;
        patient
    };
    Two::new(&[], &[with(a)], &[with(b)])
}

#[test]
fn l24_narrative() {
    let text = |words: &str| json!({ "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{words}</div>") });
    let two = differ("text", text("born 1980-05-17"), text("nothing"));
    assert_eq!(two.get(ANALYST, "/fhir/Patient/p1").status, 200);
    two.found(ANALYST, "/fhir/Patient?_summary=text", &["Patient/p1"]);
}

#[test]
fn l25_extensions() {
    let unknown = |value: &str| json!([{ "url": "http://own.example/secret", "valueString": value }]);
    assert_eq!(differ("extension", unknown("a"), unknown("b")).get(ANALYST, "/fhir/Patient/p1").status, 200);
    let two = Two::new(
        &[],
        &[{
            let mut p = patient("p1", "1980-05-17");
            p["modifierExtension"] = unknown("a");
            p
        }],
        &[],
    );
    two.refused(ANALYST, "/fhir/Patient/p1", 404, "not_found");
}

#[test]
fn l26_contained_resources() {
    let claim = |birth: &str| {
        json!({ "resourceType": "Claim", "id": "c1", "status": "active", "use": "claim", "patient": to("Patient/p1"),
        "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional" }] },
        "created": "2026-01-01", "provider": to("Organization/o"), "priority": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/processpriority", "code": "normal" }] },
        "insurance": [{ "sequence": 1, "focal": true, "coverage": to("Coverage/v") }],
        "contained": [{ "resourceType": "DocumentReference", "id": "d", "status": "current", "description": birth }] })
    };
    let two = Two::new(&[patient("p1", "1980-05-17")], &[claim("born in May")], &[claim("born in June")]);
    let shown = two.get(BILLER, "/fhir/Claim/c1");
    assert_eq!(shown.status, 200);
    assert!(!String::from_utf8(shown.body).unwrap().contains("contained"));
}

#[test]
fn l27_what_stands_beside_a_reference() {
    let seen = |name: &str| {
        let mut seen = observation("o1", "Patient/p1", "2026-01-01", 1.0);
        seen["subject"] = json!({ "reference": "Patient/p1", "display": name, "identifier": { "value": name } });
        seen
    };
    let two = Two::new(&[patient("p1", "1980-05-17")], &[seen("Ana Ruiz")], &[seen("Eva Roth")]);
    assert_eq!(two.get(ANALYST, "/fhir/Observation/o1").status, 200);
}

#[test]
fn l28_prose_beside_codes() {
    let noted = |words: &str| {
        let mut noted = condition("c1", "Patient/p1", None);
        noted["code"]["text"] = json!(words);
        noted["code"]["coding"][0]["display"] = json!(words);
        noted["note"] = json!([{ "text": words }]);
        noted
    };
    let two = Two::new(&[patient("p1", "1980-05-17")], &[noted("hypertension since the divorce")], &[noted("-")]);
    assert_eq!(two.get(BILLER, "/fhir/Condition/c1").status, 200);
}

#[test]
fn l29_attachments() {
    let letter = |attachment: Value| {
        json!({ "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": to("Patient/p1"),
            "type": { "coding": [{ "system": "http://loinc.org", "code": "11506-3" }] },
            "content": [{ "attachment": attachment }] })
    };
    let binary =
        |id: &str| json!({ "resourceType": "Binary", "id": id, "contentType": "application/pdf", "data": "AAAA" });
    let seen =
        [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter(json!({ "url": "Binary/b1", "size": 3 }))];
    let two = Two::related(&seen, &[binary("b1"), binary("b2")], &[binary("b1")]);
    // By itself a Binary is not there, in whichever form it is asked for.
    for path in [
        "/fhir/Binary/b1",
        "/fhir/Binary/b2",
        "/fhir/Binary/b1?of=DocumentReference/d1&seal=0",
        "/fhir/Binary/b1?seal=0",
    ] {
        two.refused(NURSE, path, 404, "not_found");
    }
    two.refused(NURSE, "/fhir/Binary?_id=b1", 403, "type_not_permitted");
    two.refused(NURSE, "/fhir/Binary/b1/_history/1", 403, "type_not_permitted");
    let raw = two.ask(NURSE, &request("GET", "/fhir/Binary/b1").with_header("accept", "application/pdf"));
    assert_eq!(raw.status, 406);
    two.refused(NURSE, "/fhir/DocumentReference?location=Binary/b1", 403, "parameter_not_permitted");
    // The letter gives a link, and the link the Binary.
    let read: Value = serde_json::from_slice(&two.get(NURSE, "/fhir/DocumentReference/d1").body).unwrap();
    let link = read["content"][0]["attachment"]["url"].as_str().unwrap();
    let opened = two.get(NURSE, &format!("/fhir/{link}"));
    assert_eq!(opened.status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&opened.body).unwrap()["data"], "AAAA");
    // It is this caller's, for this Binary of this letter: no other's, and no other.
    two.refused(BILLER, &format!("/fhir/{link}"), 404, "not_found");
    two.refused(("physician", "TREAT"), &format!("/fhir/{link}"), 404, "not_found");
    two.refused(NURSE, &format!("/fhir/{}", link.replace("Binary/b1", "Binary/b2")), 404, "not_found");
    two.refused(
        NURSE,
        &format!("/fhir/{}", link.replace("DocumentReference/d1", "DocumentReference/d2")),
        404,
        "not_found",
    );
    two.refused(NURSE, &format!("/fhir/{link}&seal=x"), 404, "not_found");
    // An address that leads around the gateway goes.
    for address in ["https://ehr.example/fhir/Binary/b1", "https://files.example/1?sig=abc", "Binary/b1/_history/1"] {
        let seen =
            [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter(json!({ "url": address, "size": 3 }))];
        let read = Two::related(&seen, &[], &[binary("b1")]).get(NURSE, "/fhir/DocumentReference/d1");
        assert_eq!(read.status, 200);
        let read: Value = serde_json::from_slice(&read.body).unwrap();
        let attachment = &read["content"][0]["attachment"];
        assert!(
            attachment.get("url").is_none() && attachment["_url"]["extension"][0]["valueCode"] == "masked",
            "{read}"
        );
    }
}

/// A link is good as long as what holds it shows, and for what that shows.
#[test]
fn l29_a_link_ends_with_what_it_stands_in() {
    let letter = |url: &str, labels: Value| {
        json!({ "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": to("Patient/p1"),
            "meta": labels,
            "type": { "coding": [{ "system": "http://loinc.org", "code": "11506-3" }] },
            "content": [{ "attachment": { "url": url } }] })
    };
    let binary = json!({ "resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": "AAAA" });
    let seen = |letter: Value| [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter, binary.clone()];
    let before = Two::related(&seen(letter("Binary/b1", json!({}))), &[], &[]);
    let read: Value = serde_json::from_slice(&before.get(NURSE, "/fhir/DocumentReference/d1").body).unwrap();
    let link = format!("/fhir/{}", read["content"][0]["attachment"]["url"].as_str().unwrap());
    assert_eq!(before.get(NURSE, &link).status, 200);
    let secret =
        json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] });
    for after in [letter("Binary/b1", secret.clone()), letter("Binary/other", json!({}))] {
        Two::related(&seen(after), &[], &[]).refused(NURSE, &link, 404, "not_found");
    }
    let mut closed = binary.clone();
    closed["meta"] = secret;
    let seen = [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter("Binary/b1", json!({})), closed];
    Two::related(&seen, &[], &[]).refused(NURSE, &link, 404, "not_found");
}

#[test]
fn l30_addresses_of_the_server_behind() {
    let two = one_hidden();
    let body = two.found(NURSE, "/fhir/Observation?patient=p1&_format=json", &["Observation/o1", "Observation/o3"]);
    assert_eq!(body["link"][0]["url"], "https://gateway.example/fhir/Observation?patient=p1");
    assert_eq!(body["entry"][0]["fullUrl"], "https://gateway.example/fhir/Observation/o1");
}

#[test]
fn l31_meta() {
    let meta = |source: &str, tag: &str| json!({ "source": source, "tag": [{ "code": tag }], "versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z" });
    let two = differ("meta", meta("urn:a", "x"), meta("urn:b", "y"));
    let body: Value = serde_json::from_slice(&two.get(ANALYST, "/fhir/Patient/p1").body).unwrap();
    assert_eq!(body["meta"]["security"][0]["code"], "REDACTED");
    assert_eq!(body["meta"]["tag"][0]["code"], "SUBSETTED");
    assert!(body["meta"].get("source").is_none());
}
