//! AuthZEN Authorization API 1.0 on a real node: the certification scenario of OpenID AuthZEN, the same answer as the gateway's,
//! and what a system that asks cannot learn.

use crate::node::{Asking, Machine, token};
use crate::rest::{Api, Call, EVERY_SCOPE};
use crate::support::{World, entries_of};
use scruple_core::Clock as _;
use scruple_hospital::Hospital;
use serde_json::{Value, json};

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";

/// The scenario's words as ours. Its policy is a toy; each of its eight decisions is one of the shipped policy here:
///
/// * `alice` is a nurse; `bob` is a social worker, and with `role: admin` the physician whom he is as well. Who holds two roles names
///   one, so that `bob` alone is mapped to `role: social_worker`.
/// * `record-1` and `record-2` are the kind of information `medications`; `status: archived` is the label `genetic`, which a nurse
///   does not hold and a physician does; `status: active` is no label.
/// * `read` is our `read`; `write` is our `search` for the whole of it (`view: full`); `delete` is our `read`, with `soft: true` for
///   treatment and `soft: false` for marketing. All but the last name the purpose TREAT, for none is taken for granted.
/// * What has no place here: an action search gives names, so that `write` is found as `search`.
fn ours(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields = fields.clone();
            for (name, map) in [("subject", subject as fn(&Value) -> Value), ("action", action), ("resource", resource)]
            {
                if let Some(known) = fields.get(name).filter(|known| known.is_object()) {
                    let mapped = map(known);
                    fields.insert(name.to_owned(), mapped);
                }
            }
            if let Some(Value::Array(all)) = fields.get("evaluations") {
                let all = all.iter().map(ours).collect();
                fields.insert("evaluations".to_owned(), Value::Array(all));
            }
            // How somebody has signed in is no matter of the scenario: he has, with several factors.
            if fields.contains_key("resource") || fields.contains_key("evaluations") {
                let context = fields.entry("context").or_insert_with(|| json!({}));
                context["sign_in"] = signed_in()["sign_in"].clone();
            }
            // An action search names no action, and with it no purpose: the context does.
            if fields.contains_key("resource") && !fields.contains_key("action") {
                let context = fields.entry("context").or_insert_with(|| json!({}));
                context["purpose_of_use"] = json!("TREAT");
            }
            Value::Object(fields)
        }
        other => other.clone(),
    }
}

fn subject(of: &Value) -> Value {
    let mut mapped = of.clone();
    if of["properties"]["role"] == "admin" {
        mapped["properties"]["role"] = json!("physician");
    } else if of["id"] == "bob" {
        mapped["properties"]["role"] = json!("social_worker");
    } else if let Some(properties) = mapped.get_mut("properties").and_then(Value::as_object_mut) {
        // A role that is none of ours says nothing in the scenario either.
        properties.remove("role");
    }
    mapped
}

fn action(of: &Value) -> Value {
    let mut mapped = of.clone();
    let Some(name) = of["name"].as_str() else { return mapped };
    mapped["properties"]["purpose_of_use"] = json!("TREAT");
    match name {
        "write" => {
            mapped["name"] = json!("search");
            mapped["properties"]["view"] = json!("full");
        }
        "delete" => {
            mapped["name"] = json!("read");
            if of["properties"]["soft"] == false {
                mapped["properties"]["purpose_of_use"] = json!("HMARKT");
            }
        }
        _ => {}
    }
    mapped
}

fn resource(of: &Value) -> Value {
    let mut mapped = of.clone();
    if of["type"] == "record" {
        mapped["type"] = json!("category");
    }
    if of["id"].as_str().is_some_and(|id| id.starts_with("record-")) {
        mapped["id"] = json!("medications");
    }
    if of["properties"]["status"] == "archived" {
        mapped["properties"]["segments"] = json!(["genetic"]);
    }
    mapped
}

fn user(id: &str) -> Value {
    json!({ "type": "user", "id": id })
}

fn record(number: u8) -> Value {
    json!({ "type": "record", "id": format!("record-{number}") })
}

fn archived() -> Value {
    json!({ "type": "record", "id": "record-2", "properties": { "status": "archived" } })
}

fn admin() -> Value {
    json!({ "type": "user", "id": "bob", "properties": { "role": "admin" } })
}

const PEOPLE: &[(&str, &str)] =
    &[("alice", "nurse"), ("bob", "social_worker"), ("bob", "physician"), ("pep", "service_account")];

struct Scenario {
    api: Api,
    token: String,
}

impl Scenario {
    #[track_caller]
    fn post(&self, path: &str, said: &Value) -> Value {
        let answer = self.api.post(path, &self.token, &ours(said), &[]).is(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    }

    #[track_caller]
    fn decides(&self, said: &Value, expected: bool) {
        let answer = self.post(EVALUATION, said);
        assert_eq!(answer["decision"], expected, "{said}\n{answer}");
        assert!(answer["context"].is_object());
    }

    #[track_caller]
    fn several(&self, said: &Value) -> Vec<bool> {
        let answer = self.post(EVALUATIONS, said);
        answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
    }

    #[track_caller]
    fn finds(&self, what: &str, said: &Value, expected: &[&str]) -> Value {
        let answer = self.post(&format!("/access/v1/search/{what}"), said);
        let named: Vec<&str> = answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().or(one["name"].as_str()).unwrap())
            .collect();
        assert!(expected.iter().all(|name| named.contains(name)), "{said}\n{answer}");
        answer
    }
}

#[test]
fn the_certification_scenario_of_authzen_passes_in_our_words() {
    let world = World::new();
    let api = Api::serve(&world, PEOPLE, true);
    let token = api.token("pep", "scruple.evaluate scruple.search");
    let mut here = Scenario { api, token };
    let ask = |subject: Value, action: Value, resource: Value| json!({ "subject": subject, "action": action, "resource": resource });
    let (read, write) = (json!({ "name": "read" }), json!({ "name": "write" }));
    let delete = |soft: bool| json!({ "name": "delete", "properties": { "soft": soft } });

    // The eight decisions, by the rules of 1.4.
    here.decides(&ask(user("alice"), read.clone(), record(1)), true);
    here.decides(&ask(user("alice"), write.clone(), record(1)), true);
    here.decides(&ask(user("bob"), read.clone(), record(1)), true);
    here.decides(&ask(user("bob"), write.clone(), record(1)), false);
    here.decides(&ask(user("alice"), write.clone(), archived()), false);
    here.decides(&ask(admin(), write.clone(), archived()), true);
    here.decides(&ask(user("alice"), delete(true), record(1)), true);
    here.decides(&ask(user("alice"), delete(false), record(1)), false);

    // Context, other properties and unknown fields change nothing; the same twice is the same.
    let mut more = ask(user("alice"), read.clone(), record(1));
    more["context"] = json!({ "time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1" });
    more["foo"] = json!("bar");
    more["futureField"] = json!({ "nested": true });
    more["subject"]["properties"] = json!({ "department": "Sales", "role": "manager" });
    more["resource"]["properties"] = json!({ "status": "active", "owner": "bob" });
    for _ in 0..3 {
        here.decides(&more, true);
    }
    errors(&here);
    batches(&here, &ask);
    searches(&here, &ask);
    here.api.node.stops();
}

/// 2.4 and 2.5: what is wrong is 400, and the id of the request comes back.
fn errors(here: &Scenario) {
    let host = &here.api.node.console;
    let raw = |body: &str, kind: &str| {
        let headers = [("Content-Type", kind), ("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")];
        let answer =
            Call { method: "POST", target: EVALUATION, token: Some(&here.token), headers: &headers, body: Some(body) };
        let answer = answer.ask(host);
        assert_eq!(answer.header("x-request-id"), Some("bfe9eb29-ab87-4ca3-be83-a1d5d8305716"));
        answer.status
    };
    let whole = ours(&json!({ "subject": user("alice"), "action": { "name": "read" }, "resource": record(1) }));
    let mut whole = whole;
    whole["subject"]["properties"] = json!({});
    assert_eq!(raw(&whole.to_string(), "application/json"), 200);
    assert_eq!(raw(&whole.to_string(), "application/json; charset=utf-8"), 200);
    for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""] {
        assert_eq!(raw(&whole.to_string(), kind), 400, "{kind}");
    }
    for body in ["", "{", "[]", "null", "7", "{\"subject\":", "\u{0}"] {
        assert_eq!(raw(body, "application/json"), 400, "{body}");
    }
    for (at, wrong) in [
        ("/subject", json!(null)),
        ("/action", json!(null)),
        ("/resource", json!(null)),
        ("/subject", json!({ "id": "alice" })),
        ("/subject", json!({ "type": "user" })),
        ("/action", json!({})),
        ("/resource", json!({ "id": "medications" })),
        ("/resource", json!({ "type": "category" })),
        ("/subject", json!("alice")),
        ("/action/name", json!(123)),
        ("/subject/properties", json!([])),
        ("/subject/id", json!("a".repeat(257))),
    ] {
        let mut body = whole.clone();
        *body.pointer_mut(at).unwrap() = wrong.clone();
        assert_eq!(raw(&body.to_string(), "application/json"), 400, "{at} {wrong}");
        if wrong.is_null() {
            body.as_object_mut().unwrap().remove(at.trim_start_matches('/'));
            assert_eq!(raw(&body.to_string(), "application/json"), 400, "without {at}");
        }
    }
    let long = format!("{whole}{}", " ".repeat(300 * 1024));
    assert_eq!(raw(&long, "application/json"), 413);
}

/// 3: several questions in one request.
fn batches(here: &Scenario, ask: &impl Fn(Value, Value, Value) -> Value) {
    let (read, write) = (json!({ "name": "read" }), json!({ "name": "write" }));
    let of = |resources: Value| json!({ "subject": user("alice"), "action": read, "evaluations": resources });
    assert_eq!(here.several(&of(json!([{ "resource": record(1) }, { "resource": record(2) }]))).len(), 2);
    let bob = json!({ "subject": user("bob"), "resource": record(1), "evaluations": [{ "action": read }, { "action": write }] });
    assert_eq!(here.several(&bob), [true, false]);
    let active = json!({ "type": "record", "id": "record-1", "properties": { "status": "active" } });
    let by_resource = json!({ "subject": user("alice"), "action": write, "evaluations": [{ "resource": active }, { "resource": archived() }] });
    assert_eq!(here.several(&by_resource), [true, false]);
    let by_subject = json!({ "action": write, "resource": archived(), "evaluations": [{ "subject": user("alice") }, { "subject": admin() }] });
    assert_eq!(here.several(&by_subject), [false, true]);
    let whole = json!({ "evaluations": [ask(user("alice"), read.clone(), record(1)), ask(user("bob"), write.clone(), record(1))] });
    assert_eq!(here.several(&whole), [true, false]);
    let inherited = json!({ "subject": user("alice"), "action": write, "resource": active, "evaluations": [{}, { "resource": archived() }] });
    assert_eq!(here.several(&inherited), [true, false]);
    let incomplete = json!({ "subject": user("alice"), "action": read, "options": { "evaluations_semantic": "execute_all" },
        "evaluations": [{ "resource": record(1) }, {}] });
    assert_eq!(here.several(&incomplete), [true, false]);
    for alone in [json!([]), Value::Null] {
        let mut one = ask(user("alice"), read.clone(), record(1));
        one["evaluations"] = alone;
        assert_eq!(here.post(EVALUATIONS, &one)["decision"], true);
    }
    // Each semantic stops where it says.
    let three = |semantic: &str| {
        json!({ "subject": user("alice"), "action": write, "options": { "evaluations_semantic": semantic },
            "evaluations": [{ "resource": record(1) }, { "resource": archived() }, { "resource": record(1) }] })
    };
    assert_eq!(here.several(&three("execute_all")), [true, false, true]);
    assert_eq!(here.several(&three("deny_on_first_deny")), [true, false]);
    assert_eq!(here.several(&three("permit_on_first_permit")), [true]);
    let refused = |said: Value| here.api.post(EVALUATIONS, &here.token, &ours(&said), &[]).status;
    assert_eq!(refused(three("some_other")), 400);
    assert_eq!(refused(of(json!(vec![json!({ "resource": record(1) }); 101]))), 400);
    assert_eq!(refused(json!({ "subject": "alice", "evaluations": [{}] })), 400);
    // Of the top too, where no item is whole; characters count, and not bytes.
    let named = |name: String| json!({ "action": { "name": name }, "evaluations": [{}] });
    assert_eq!((refused(named("a".repeat(257))), refused(named("é".repeat(257)))), (400, 400));
    assert_eq!(refused(named("é".repeat(256))), 200);
}

/// 4: the three searches.
fn searches(here: &Scenario, ask: &impl Fn(Value, Value, Value) -> Value) {
    let (read, write) = (json!({ "name": "read" }), json!({ "name": "write" }));
    let people = ask(json!({ "type": "user" }), read.clone(), record(1));
    let all = here.finds("subject", &people, &["alice", "bob"]);
    let mut same = people.clone();
    same["context"] = json!({ "ip": "192.168.1.1" });
    same["subject"]["id"] = json!("alice");
    assert_eq!(here.finds("subject", &same, &["alice", "bob"])["results"], all["results"]);
    here.finds("subject", &ask(json!({ "type": "user" }), write.clone(), archived()), &["bob"]);
    here.finds("resource", &ask(user("alice"), read.clone(), json!({ "type": "record" })), &["medications"]);
    here.finds("resource", &ask(user("alice"), read.clone(), record(1)), &["medications"]);
    here.finds("resource", &ask(admin(), write.clone(), json!({ "type": "record" })), &["medications"]);
    here.finds("action", &json!({ "subject": user("alice"), "resource": record(1) }), &["read", "search"]);
    here.finds("action", &json!({ "subject": admin(), "resource": archived() }), &["read", "search"]);
    // Page by page it is the same list, and a token is good for its own search alone.
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let mut page = people.clone();
        page["page"] = json!({ "limit": 1, "token": token });
        let answer = here.finds("subject", &page, &[]);
        found.extend(answer["results"].as_array().unwrap().clone());
        answer["page"]["next_token"].as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            break;
        }
        let mut other = ask(json!({ "type": "user" }), write.clone(), record(1));
        other["page"] = json!({ "token": token });
        assert_eq!(here.api.post("/access/v1/search/subject", &here.token, &ours(&other), &[]).status, 422);
    }
    assert_eq!(Value::Array(found), all["results"]);
    // Nobody and nothing is no error.
    let none = |what: &str, said: &Value| assert_eq!(here.finds(what, said, &[])["results"], json!([]), "{said}");
    none("action", &json!({ "subject": user("nonexistent-user"), "resource": record(1) }));
    none("subject", &ask(json!({ "type": "spaceship" }), read.clone(), record(1)));
    none("resource", &ask(user("alice"), read.clone(), json!({ "type": "spaceship" })));
    none("resource", &ask(user("nonexistent-user"), read.clone(), json!({ "type": "record" })));
    for (what, said) in [
        ("subject", json!({ "subject": { "type": "user" }, "resource": record(1) })),
        ("resource", json!({ "action": read, "resource": { "type": "record" } })),
        ("action", json!({ "subject": user("alice") })),
        ("subject", ask(json!({ "type": "user" }), read.clone(), json!({ "type": "record" }))),
        ("resource", ask(json!({ "type": "user" }), read.clone(), json!({ "type": "record" }))),
        ("action", json!({ "subject": { "type": "user" }, "resource": record(1) })),
    ] {
        let path = format!("/access/v1/search/{what}");
        assert_eq!(here.api.post(&path, &here.token, &ours(&said), &[]).status, 400, "{what} {said}");
    }
    let metadata =
        Asking::get("/.well-known/authzen-configuration", None).ask(&here.api.node.console).unwrap().is(200).json();
    let base = metadata["policy_decision_point"].as_str().unwrap();
    assert_eq!(metadata["access_evaluation_endpoint"], format!("{base}{EVALUATION}"));
    assert_eq!(metadata["supported_obligations"], json!(["custom"]));
}

fn reads(login: &str, resource: Value) -> Value {
    let action = json!({ "name": "read", "properties": { "purpose_of_use": "TREAT" } });
    json!({ "subject": user(login), "action": action, "resource": resource, "context": signed_in() })
}

/// Somebody who has just shown several factors.
fn signed_in() -> Value {
    json!({ "sign_in": { "amr": ["pwd", "mfa"], "auth_time": Machine.now().micros() / 1_000_000 } })
}

/// AB-10, JX-06, JX-10: the same decision as the gateway's before and after a request that a denial leads to; whoever is nobody's
/// patient looks like who is none; each answer is in the ledger before it is told.
#[test]
fn the_same_decision_as_the_gateway_before_and_after_a_request_that_the_denial_leads_to() {
    let world = World::new();
    let people = [
        ("nia.nurse", "nurse"),
        ("mara.keller", "manager"),
        ("ines.vogt", "privacy_officer"),
        ("crm", "service_account"),
    ];
    let mut api = Api::serve(&world, &people, false);
    let pep = api.token("crm", EVERY_SCOPE);
    let bearer = token(&api.keys, "nia.nurse", "nurse", "TREAT");
    // Whom the hospital labels as specially protected is closed to the nurse at the gateway, which reads labels; a system that asks
    // says itself which labels its data carries.
    let patients: Vec<String> = [1, 2, 3].map(Hospital::patient_id).to_vec();
    let decided = |patient: &str| {
        let of = json!({ "type": "Patient", "id": patient });
        api.post(EVALUATION, &pep, &reads("nia.nurse", of), &[]).is(200).json()
    };
    let agree = |open: Option<&str>| {
        for patient in patients.iter().map(String::as_str).chain(["no-such-patient"]) {
            let gateway = api.node.get(&format!("/fhir/Patient/{patient}"), &bearer).status;
            let decision = decided(patient)["decision"].as_bool().unwrap();
            assert_eq!(
                (gateway == 200, decision),
                (open == Some(patient), open == Some(patient)),
                "{patient}: {gateway}"
            );
        }
    };
    agree(None);
    // There or not: the same answer but for its ids, its instants and the token that binds it.
    let blind = |mut answer: Value| {
        for at in ["/context/evaluation_id", "/context/evaluated_at", "/context/access_request/expires_at"] {
            *answer.pointer_mut(at).unwrap() = Value::Null;
        }
        let bound = answer.pointer_mut("/context/access_request/binding_token").unwrap();
        *bound = json!(bound.as_str().unwrap().len());
        answer.pointer_mut("/context/access_request/request_schema/properties/patients").unwrap().take();
        answer
    };
    let (here, nowhere) = (decided(&patients[0]), decided("no-such-patient"));
    assert_eq!(blind(here.clone()), blind(nowhere));
    assert_eq!(here["context"]["reason"], "not_open");
    for what in ["subject", "resource", "action"] {
        let found = |patient: &str| {
            let mut said = reads("nia.nurse", json!({ "type": "patient", "id": patient }));
            said["resource"]["properties"] = json!({ "patient": patient });
            api.post(&format!("/access/v1/search/{what}"), &pep, &said, &[]).is(200).json()
        };
        assert_eq!(found(&patients[0]), found("no-such-patient"), "{what}");
        assert_eq!(found(&patients[0])["results"], json!([]));
    }

    // The denial leads to a request: its schema holds for what is sent, and what is sent is bound to it.
    let asks = &here["context"]["access_request"];
    // All that the role has but what is specially protected: that needs one more who agrees.
    let kinds = asks["request_schema"]["properties"]["kinds"]["items"]["oneOf"].as_array().unwrap().iter();
    let kinds = kinds.filter_map(|kind| kind["const"].as_str()).filter(|kind| !kind.starts_with("segment:"));
    let kinds: Vec<&str> = kinds.collect();
    let ends_at = Machine.now().plus_micros(3_600_000_000).to_string();
    let order = json!({
        "role": asks["request_schema"]["properties"]["role"]["const"],
        "patients": asks["request_schema"]["properties"]["patients"]["const"],
        "task": "cover",
        "kinds": kinds,
        "justification": "Covers bed 12 while the night nurse is away",
        "ends_at": ends_at,
        "acknowledged": asks["request_schema"]["properties"]["acknowledged"]["const"],
        "denial": { "binding_token": asks["binding_token"], "evaluation_id": here["context"]["evaluation_id"], "expires_at": asks["expires_at"] },
    });
    let path = asks["endpoint"].as_str().unwrap().splitn(4, '/').nth(3).unwrap();
    assert_eq!(path, "api/v1/access-requests");
    for (at, other) in [
        ("/patients", json!([patients[1]])),
        ("/patients", json!([])),
        ("/role", json!("physician")),
        ("/denial/binding_token", json!("AAAA")),
        ("/denial/evaluation_id", json!("01a224db-0eda-7c4d-8bc8-20a202782219")),
    ] {
        let mut changed = order.clone();
        *changed.pointer_mut(at).unwrap() = other;
        let refused = api.post("/api/v1/access-requests", &pep, &changed, &[]).is(422).json();
        assert_eq!(refused["type"], "urn:openid:authzen:access-request:error:invalid_denial_binding", "{at}");
    }
    // Kinds of information, or all of them: not neither, not both, none that the role has not.
    for (at, other, code) in [
        ("/kinds", json!(null), "kinds_missing"),
        ("/kinds", json!([]), "value_invalid"),
        ("/kinds", json!(["claims"]), "kinds_not_of_role"),
        ("/task", json!("leisure"), "value_invalid"),
    ] {
        let mut changed = order.clone();
        *changed.pointer_mut(at).unwrap() = other;
        assert_eq!(api.post("/api/v1/access-requests", &pep, &changed, &[]).is(422).json()["code"], code, "{at}");
    }
    let mut both = order.clone();
    both["whole"] = json!(true);
    api.post("/api/v1/access-requests", &pep, &both, &[]).is(422);
    // Nobody else shows it, and without it a system asks for nobody.
    let other = api.token("mara.keller", EVERY_SCOPE);
    assert_eq!(api.post("/api/v1/access-requests", &other, &order, &[]).status, 422);
    let made = api.post("/api/v1/access-requests", &pep, &order, &[]).is(201).json();
    assert_eq!((&made["person"]["login"], &made["requested_by"]["login"]), (&json!("nia.nurse"), &json!("crm")));
    assert!(made["ticket"].as_str().unwrap().contains(here["context"]["evaluation_id"].as_str().unwrap()));
    agree(None);
    let approve = format!("/api/v1/access-requests/{}/approve", made["id"].as_str().unwrap());
    api.post(&approve, &other, &json!({}), &[("If-Match", "\"1\"")]).is(200);
    crate::node::eventually("the opened record", std::time::Duration::from_secs(10), || {
        (decided(&patients[0])["decision"] == true).then_some(())
    });
    agree(Some(&patients[0]));
    let permit = decided(&patients[0]);
    let obligation = &permit["context"]["obligations"][0];
    assert_eq!((&obligation["type"], &obligation["properties"]["otherwise"]), (&json!("custom"), &json!("withhold")));
    assert_eq!(obligation["properties"]["elements"]["Patient.name"]["view"], "full");
    assert!(obligation["properties"]["segments"]["withheld"].as_array().unwrap().contains(&json!("genetic")));
    // A system that says that it cannot leave out the rest is told no.
    let mut said = reads("nia.nurse", json!({ "type": "Patient", "id": patients[0] }));
    said["context"]["supported_obligations"] = json!(["notification"]);
    let refused = api.post(EVALUATION, &pep, &said, &[]).is(200).json();
    assert_eq!(
        (&refused["decision"], &refused["context"]["reason"]),
        (&json!(false), &json!("obligation_not_supported"))
    );
    // Taken back by who agreed to it: whoever asks next is told no, within the second.
    let ines = api.token("ines.vogt", EVERY_SCOPE);
    let held = format!("/api/v1/people/{}/grants", made["person"]["id"].as_str().unwrap());
    let opened = api.get(&held, &ines).is(200).json()["elevations"][0].clone();
    let end = format!("/api/v1/elevations/{}/end", opened["id"].as_str().unwrap());
    api.post(&end, &other, &Value::Null, &[("If-Match", "\"1\"")]).is(200);
    crate::node::eventually("the end", std::time::Duration::from_secs(10), || {
        (decided(&patients[0])["decision"] == false).then_some(())
    });
    agree(None);

    // From the elevation its reads, and each names the elevation. What was read in a role is for its holder alone.
    let nia = api.token("nia.nurse", EVERY_SCOPE);
    let opened = api.get("/api/v1/elevations", &nia).is(200).json()["items"][0].clone();
    assert_eq!((&opened["access_request"], &opened["kinds"]), (&made["id"], &json!(kinds)));
    let elevation = opened["id"].as_str().unwrap();
    let under = format!("/api/v1/elevations/{elevation}/reads");
    let reads_under = crate::node::eventually("the index", std::time::Duration::from_secs(10), || {
        let found = api.get(&under, &nia).is(200).json()["items"].as_array().unwrap().clone();
        (!found.is_empty()).then_some(found)
    });
    for read in &reads_under {
        assert_eq!((&read["elevation"], &read["basis"]), (&json!(elevation), &json!("asked")), "{read}");
        assert_eq!((&read["outcome"], &read["types"]), (&json!("opened"), &json!({ "Patient": 1 })), "{read}");
    }
    assert_eq!(api.get(&under, &other).is(200).json()["items"], json!(reads_under), "who agreed to it sees them too");
    let grant = reads_under[0]["grant"].as_str().unwrap();
    let by_grant = format!("/api/v1/grants/{grant}/reads?limit=1");
    assert_eq!(api.get(&by_grant, &nia).is(200).json()["items"][0]["grant"], json!(grant));
    api.get(&by_grant, &other).is(404);

    api.node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    // The exception by itself: each step of it and each read under it, with its place and hash in the ledger.
    let request = made["id"].as_str().unwrap();
    let about = ["ledger", "show", "--json", "--about", request, "--about", elevation];
    let about = entries_of(&world.run(about).ends(0));
    assert!(about.iter().all(|entry| entry["leaf"].as_str().is_some_and(|leaf| !leaf.is_empty())));
    let said: Vec<String> = about.iter().map(|entry| entry["entry"]["body"].to_string()).collect();
    for word in ["request_submitted", "request_approved", "elevation_granted", " asked Elevation/"] {
        assert!(said.iter().any(|body| body.contains(word)), "{word}");
    }
    let others = entries.iter().filter(|entry| !about.contains(entry));
    assert!(others.into_iter().all(|entry| !entry.to_string().contains(elevation)));
    let bodies: Vec<&Value> = entries.iter().map(|entry| &entry["entry"]["body"]).collect();
    let told = |answer: &Value| {
        let id = &answer["context"]["evaluation_id"];
        bodies.iter().find(|body| body["kind"] == "evaluation" && body["evaluation"] == *id).copied().cloned().unwrap()
    };
    assert_eq!((&told(&here)["permitted"], &told(&here)["code"]), (&json!(false), &json!("not_open")));
    let entry = told(&permit);
    assert_eq!(
        (&entry["permitted"], &entry["caller"], &entry["actor"]["subject"]),
        (&json!(true), &json!("crm"), &json!("nia.nurse"))
    );
    assert_eq!(entry["decision"]["pack"], permit["context"]["policy"]["pack"]);
    assert!(entry["relations"][0].as_str().unwrap().contains(" asked Elevation/"), "{entry}");
    world.run(["ledger", "verify"]).ends(0);
}

/// RB-10, RB-12: what has no rule is denied, and who asks about others sees nothing himself.
#[test]
fn what_has_no_rule_is_denied_and_the_asking_system_has_no_right_of_its_own() {
    let world = World::new();
    let people = [("nia.nurse", "nurse"), ("ola.lund", "administrator"), ("crm", "service_account")];
    let mut api = Api::serve(&world, &people, true);
    let pep = api.token("crm", EVERY_SCOPE);
    let reason = |said: &Value| {
        let answer = api.post(EVALUATION, &pep, said, &[]).is(200).json();
        assert_eq!(answer["decision"], false, "{answer}");
        answer["context"]["reason"].as_str().unwrap().to_owned()
    };
    let labs = || json!({ "type": "category", "id": "labs" });
    let with = |at: &str, value: Value| {
        let mut said = reads("nia.nurse", labs());
        match at {
            "" => said = value,
            at => *said.pointer_mut(at).unwrap() = value,
        }
        said
    };
    for (said, expected) in [
        (with("/subject/type", json!("device")), "subject_unknown"),
        (with("/subject/id", json!("nobody")), "role_not_selected"),
        (with("/subject/id", json!("crm")), "role_unknown"),
        (with("/subject/id", json!("ola.lund")), "role_unknown"),
        (with("/action/name", json!("write")), "action_unknown"),
        (with("/action/properties", json!({})), "purpose_missing"),
        (with("/action/properties/purpose_of_use", json!("HPAYMT")), "purpose_not_allowed"),
        (with("/action/properties/purpose_of_use", json!("WHATEVER")), "purpose_unknown"),
        (with("/action/properties/purpose_of_use", json!("BTG")), "elevation_missing"),
        (with("/action/properties", json!({ "purpose_of_use": "TREAT", "view": 7 })), "view_unknown"),
        (with("/resource/id", json!("gossip")), "resource_unknown"),
        (with("/resource/type", json!("Gossip")), "resource_unknown"),
        (with("/resource", json!({ "type": "patient", "id": "a b" })), "resource_malformed"),
        (
            with("/resource", json!({ "type": "category", "id": "labs", "properties": { "segments": "genetic" } })),
            "segments_malformed",
        ),
        (
            with("/resource", json!({ "type": "category", "id": "labs", "properties": { "segments": ["genetic"] } })),
            "segment_withheld",
        ),
        // A label that the policy does not know may mean any.
        (
            with("/resource", json!({ "type": "category", "id": "labs", "properties": { "segments": ["secret"] } })),
            "segment_withheld",
        ),
        (with("/resource/id", json!("claims")), "category_withheld"),
    ] {
        assert_eq!(reason(&said), expected, "{said}");
    }
    // At the gateway the asking system and the administrator see nothing.
    for (login, role) in [("crm", "service_account"), ("ola.lund", "administrator")] {
        let bearer = token(&api.keys, login, role, "TREAT");
        let answer = api.node.get("/fhir/Patient?_count=1", &bearer);
        assert_eq!(answer.status, 403, "{login}: {}", answer.text());
    }
    api.node.stops();
}

/// IL-02, IL-16: of who has not shown several factors the decision is no, and says what he is to do; from outside, what is specially
/// protected waits until he confirms; each no names in the ledger what was lacking.
#[test]
fn a_sign_in_that_is_not_enough_is_told_with_the_step_up_that_mends_it() {
    let world = World::new();
    let people = [("nia.nurse", "nurse"), ("crm", "service_account")];
    let mut api = Api::serve(&world, &people, true);
    let pep = api.token("crm", EVERY_SCOPE);
    let now = Machine.now().micros() / 1_000_000;
    let labs = json!({ "type": "category", "id": "labs" });
    let hiv = json!({ "type": "category", "id": "labs", "properties": { "segments": ["hiv"] } });
    let mfa = json!(["mfa"]);
    let ask = |resource: &Value, purpose: &str, sign_in: Value| {
        let mut said = reads("nia.nurse", resource.clone());
        said["action"]["properties"]["purpose_of_use"] = json!(purpose);
        said["context"] = json!({ "sign_in": sign_in });
        api.post(EVALUATION, &pep, &said, &[]).is(200).json()
    };
    let told = |answer: &Value| {
        let context = &answer["context"];
        let step_up = context.get("step_up").cloned().unwrap_or(Value::Null);
        (answer["decision"].as_bool().unwrap(), context["reason"].as_str().unwrap().to_owned(), step_up)
    };
    let permitted = (true, "permitted".to_owned(), Value::Null);
    let factors = json!({ "error": "insufficient_user_authentication" });
    let lacking = (false, "insufficient_user_authentication".to_owned(), factors);
    let confirm = json!({ "error": "insufficient_user_authentication", "max_age": 900 });
    let mut evaluations = Vec::new();
    for (resource, purpose, sign_in, expected, failed) in [
        (&labs, "TREAT", json!({}), lacking.clone(), vec!["confirmed_lately", "inside", "several_factors"]),
        (
            &labs,
            "TREAT",
            json!({ "amr": ["pwd"] }),
            lacking.clone(),
            vec!["confirmed_lately", "inside", "several_factors"],
        ),
        (&labs, "TREAT", json!({ "amr": mfa }), permitted.clone(), vec!["confirmed_lately", "inside"]),
        (&labs, "TREAT", json!({ "amr": mfa, "auth_time": now }), permitted.clone(), vec!["inside"]),
        // Care continues.
        (&labs, "ETREAT", json!({}), permitted.clone(), vec!["inside", "several_factors"]),
        (&hiv, "ETREAT", json!({}), permitted.clone(), vec!["inside", "several_factors"]),
        // From outside, with the protected.
        (
            &hiv,
            "TREAT",
            json!({ "amr": mfa, "auth_time": now - 3_600 }),
            (false, "segment_withheld".to_owned(), confirm),
            vec!["confirmed_lately", "inside"],
        ),
        (&hiv, "TREAT", json!({ "amr": mfa, "auth_time": now }), permitted.clone(), vec!["inside"]),
    ] {
        let answer = ask(resource, purpose, sign_in.clone());
        assert_eq!(told(&answer), expected, "{resource} {purpose} {sign_in}");
        if !expected.2.is_null() {
            assert_eq!(answer["context"]["next_action"], "step_up");
        }
        evaluations.push((answer["context"]["evaluation_id"].clone(), json!(failed)));
    }
    // A search finds nobody who would be told no.
    let mut said = reads("nia.nurse", labs.clone());
    said["context"] = json!({});
    let found = |said: &Value| api.post("/access/v1/search/resource", &pep, said, &[]).is(200).json();
    assert_eq!(found(&said)["results"], json!([]));
    assert_eq!(found(&said)["context"]["reason"], "insufficient_user_authentication");
    api.node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let bodies: Vec<&Value> = entries.iter().map(|entry| &entry["entry"]["body"]).collect();
    for (id, failed) in evaluations {
        let body = bodies.iter().find(|body| body["evaluation"] == id).unwrap();
        assert_eq!(body["lacking"], failed, "{body}");
    }
}
