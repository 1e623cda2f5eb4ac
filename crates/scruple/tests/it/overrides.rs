//! Managers have no way past the policy (SC-08, PF-09): every route of gateway, API and console with what looks like an override, as a
//! manager. What he is shown of a patient rests on a task that somebody else approved, by its id in the record; his pages hold no patient.

use crate::node::{Asking, Machine, Node, token};
use crate::rest::{Api, Call, EVERY_SCOPE};
use crate::routes::enrolled;
use crate::support::{World, entries_of};
use scruple_api::ROUTES;
use scruple_core::Clock as _;
use scruple_hospital::Hospital;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MANAGER: &str = "mara.keller";
const PEOPLE: &[(&str, &str)] =
    &[(MANAGER, "manager"), ("ines.vogt", "privacy_officer"), ("ola.lund", "administrator"), ("dee.doc", "physician")];
/// Headers that other systems take as an override.
const HEADERS: [(&str, &str); 12] = [
    ("X-Override", "true"),
    ("X-Bypass", "1"),
    ("X-Break-Glass", "true"),
    ("X-Emergency", "yes"),
    ("X-Role", "physician"),
    ("X-Scope", "system/*.*"),
    ("X-Forwarded-User", "dee.doc"),
    ("X-Remote-User", "ola.lund"),
    ("X-Supervisor", "true"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-Purpose-Of-Use", "BTG"),
    ("Impersonate-User", "dee.doc"),
];
/// Parameters that other systems take as an override.
const PARAMETERS: [&str; 10] = [
    "bypass=1",
    "override=true",
    "admin=true",
    "role=admin",
    "role=physician",
    "purpose=BTG",
    "as=dee.doc",
    "debug=1",
    "force=true",
    "emergency=life_threat",
];

/// What tells of a patient in a record.
fn data_of(patient: &Value) -> BTreeSet<String> {
    let mut data = BTreeSet::new();
    let mut add = |value: &Value| data.extend(value.as_str().filter(|text| text.len() > 3).map(str::to_owned));
    add(&patient["birthDate"]);
    for name in patient["name"].as_array().into_iter().flatten() {
        add(&name["family"]);
        name["given"].as_array().into_iter().flatten().for_each(&mut add);
    }
    for identifier in patient["identifier"].as_array().into_iter().flatten() {
        add(&identifier["value"]);
    }
    data
}

#[track_caller]
fn holds_none(text: &str, data: &BTreeSet<String>, what: &str) {
    for datum in data {
        assert!(!text.contains(datum.as_str()), "{what} tells `{datum}`");
    }
}

/// Every permit of somebody that is of a patient, as (patient, what it rests on).
fn permits(entries: &[Value], subject: &str) -> Vec<(String, String)> {
    let bodies = entries.iter().map(|entry| &entry["entry"]["body"]);
    let own = bodies.filter(|body| body["actor"]["subject"] == subject && body["patients"].is_array());
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    own.flat_map(|body| {
        let relations = texts(&body["relations"]);
        let on = move |patient: String| {
            let prefix = format!("{patient} ");
            let on =
                relations.iter().find_map(|relation| relation.strip_prefix(&prefix)).unwrap_or_default().to_owned();
            (patient, on)
        };
        texts(&body["patients"]).into_iter().map(on).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn no_header_parameter_or_token_opens_a_record_to_a_manager_and_each_permit_names_its_task() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let [mara, ines] = [MANAGER, "ines.vogt"].map(|who| api.token(who, EVERY_SCOPE));
    let [first, other, second] = [0, 1, 2].map(Hospital::patient_id);
    let paths = |id: &str| {
        [
            format!("/fhir/Patient/{id}"),
            format!("/fhir/Patient?_id={id}"),
            format!("/fhir/Patient/{id}/$everything"),
            format!("/fhir/Patient/{id}/_history"),
            format!("/fhir/Patient/{id}/Encounter"),
            format!("/fhir/Encounter?patient={id}"),
            format!("/fhir/Observation?patient={id}"),
            "/fhir/Encounter?_count=50".to_owned(),
        ]
    };
    let fuzz = |id: &str| -> usize {
        let mut shown = 0;
        for path in paths(id) {
            let with = |parameter: &str| format!("{path}{}{parameter}", if path.contains('?') { '&' } else { '?' });
            let own = token(&api.keys, MANAGER, "manager", "HDM");
            let mut ask = |target: &str, token: &str, headers: &[(&str, &str)]| {
                let call = Call { method: "GET", target, token: Some(token), headers, body: None };
                let answer = call.ask(&api.node.gateway);
                shown += usize::from(answer.status == 200 && answer.text().contains(&format!("\"Patient/{id}\"")));
            };
            for header in HEADERS {
                ask(&path, &own, &[header]);
            }
            for parameter in PARAMETERS {
                ask(&with(parameter), &own, &[]);
            }
            for (role, purpose) in [
                ("manager", "BTG"),
                ("manager", "ETREAT"),
                ("manager", "TREAT"),
                ("physician", "TREAT"),
                ("privacy_officer", "HCOMPL"),
                ("administrator", "HDM"),
                ("*", "HDM"),
            ] {
                ask(&path, &token(&api.keys, MANAGER, role, purpose), &[]);
            }
        }
        shown
    };
    assert_eq!(fuzz(first.as_str()), 0);
    // The API has no body or header that widens either.
    for route in ROUTES {
        let target = route.path.replace("{id}", "0198c0de-0000-7000-8000-000000000000");
        let body = (route.method == "POST").then_some("{\"override\":true,\"bypass\":1,\"role\":\"physician\"}");
        for parameter in PARAMETERS {
            let target = format!("{target}?{parameter}");
            let headers = [HEADERS[0], HEADERS[6], ("If-Match", "\"1\"")];
            let call = Call { method: route.method, target: &target, token: Some(&mara), headers: &headers, body };
            let answer = call.ask(&api.node.console);
            assert!(answer.status < 500, "{} {target}: {}", route.method, answer.text());
        }
    }
    assert_eq!(permits(&entries_of(&world.run(["ledger", "show", "--json"]).ends(0)), MANAGER), []);
    // The one way: a task that somebody else approves. Then the same calls show its patient, and the other one still not.
    let order = json!({
        "role": "manager", "kind": "complaint", "patients": [first, other],
        "justification": "Complaint 2026-118 about waiting in triage",
    });
    let made = api.post("/api/v1/access-tasks", &mara, &order, &[]).is(201).json();
    let path = format!("/api/v1/access-tasks/{}", made["id"].as_str().unwrap());
    let step = |name: &str, who: &str, version: &str, status: u16| {
        let headers = [("If-Match", version)];
        api.post(&format!("{path}/{name}"), who, &json!({}), &headers).is(status).json()
    };
    step("approve", &mara, "\"1\"", 403);
    step("begin", &mara, "\"1\"", 409);
    step("approve", &ines, "\"1\"", 200);
    step("begin", &mara, "\"2\"", 200);
    let began = Machine.now();
    let opened = crate::node::eventually("the task at the gateway", std::time::Duration::from_secs(10), || {
        let own = token(&api.keys, MANAGER, "manager", "HDM");
        let answer = Call::get("/fhir/Encounter?_count=50", &own).ask(&api.node.gateway);
        (answer.status == 200 && answer.text().contains("\"Encounter\"")).then_some(answer.text())
    });
    assert!(opened.contains("Encounter") && began < Machine.now());
    // What these calls permit is read from the record: below, each by its patient and its task.
    fuzz(first.as_str());
    assert_eq!(fuzz(second.as_str()), 0);
    let task = made["id"].as_str().unwrap();
    let all = permits(&entries_of(&world.run(["ledger", "show", "--json"]).ends(0)), MANAGER);
    assert!(!all.is_empty());
    for (patient, on) in all {
        assert!([&first, &other].iter().any(|id| patient == format!("Patient/{id}")), "{patient}");
        assert_eq!(on, format!("asked AccessTask/{task}"));
    }
    api.node.stops();
}

#[test]
fn no_page_of_a_manager_holds_anything_of_a_patient_whatever_he_adds_to_the_address() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let doctor = line["personas"].as_array().unwrap().iter().find(|one| one["role"] == "nurse").unwrap();
    let doctor = doctor["token"].as_str().unwrap();
    let mut data = BTreeSet::new();
    let target = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    data.extend(data_of(&node.get(&target, doctor).is(200).json()));
    assert!(data.len() > 2, "{data:?}");
    let manager = enrolled(&node, &line, MANAGER, "manager").cookie;
    let (mut pages, mut refused) = (0, 0);
    for (method, path, _) in scruple_console::routes().filter(|(method, ..)| *method == "GET") {
        let target = path.replace("{id}", "0198c0de-0000-7000-8000-000000000000").replace("{kind}", "role");
        let target = target.replace("{role}", "nurse").replace("{right}", "0198c0de-0000-7000-8000-000000000001");
        for parameter in std::iter::once("").chain(PARAMETERS) {
            let target = if parameter.is_empty() { target.clone() } else { format!("{target}?{parameter}") };
            let headers = [("Cookie", manager.as_str()), HEADERS[0], HEADERS[6]];
            let asking = Asking { method, target: &target, token: None, headers: &headers, form: None };
            let answer = asking.ask(&node.console).unwrap();
            assert!(answer.status < 500, "{target}: {}", answer.status);
            holds_none(&answer.text(), &data, &target);
            pages += usize::from(answer.status == 200);
            refused += usize::from(answer.status == 403);
        }
    }
    assert!(pages > 30 && refused > 30, "{pages} pages, {refused} refused");
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    assert_eq!(permits(&entries, MANAGER), []);
}
