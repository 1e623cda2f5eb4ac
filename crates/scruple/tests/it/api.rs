//! `/api/v1` on a real node: asked for, decided, taken back; versions, keys and cursors; and what each kind of caller cannot do.

use crate::node::{Machine, eventually};
use crate::rest::{Api, Call, EVERY_SCOPE, acknowledged};
use crate::support::{World, entries_of};
use scruple_api::{Asks, ROUTES};
use scruple_core::Clock as _;
use scruple_policy::{PackFiles, ReminderOf, read};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const REQUESTS: &str = "/api/v1/access-requests";
const WORDS: &str = "Covers the billing desk until the roster is out";

fn in_hours(hours: i64) -> String {
    Machine.now().plus_micros(hours * 3_600_000_000).to_string()
}

fn order(role: &str) -> Value {
    with_words(role, WORDS, 12)
}

fn with_words(role: &str, words: &str, hours: i64) -> Value {
    let read = acknowledged(role, ReminderOf::Role);
    json!({ "role": role, "task": "duty", "justification": words, "ends_at": in_hours(hours), "acknowledged": read })
}

fn items(answer: &Value) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

const PEOPLE: &[(&str, &str)] = &[
    ("nia.nurse", "nurse"),
    ("ben.biller", "biller"),
    ("mara.keller", "manager"),
    ("ines.vogt", "privacy_officer"),
    ("ola.lund", "administrator"),
    ("crm", "service_account"),
    ("gone.away", "nurse"),
];

#[test]
fn a_request_is_asked_for_seen_by_those_whom_it_concerns_and_decided_at_the_version_that_was_read() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let [nurse, biller, manager, privacy] =
        ["nia.nurse", "ben.biller", "mara.keller", "ines.vogt"].map(|who| api.token(who, EVERY_SCOPE));
    let made = api.post(REQUESTS, &nurse, &order("biller"), &[]).is(201);
    assert_eq!(made.header("etag"), Some("\"1\""));
    let (id, place) = (made.json()["id"].as_str().unwrap().to_owned(), made.header("location").unwrap().to_owned());
    assert!(place.ends_with(&format!("{REQUESTS}/{id}")), "{place}");
    let path = format!("{REQUESTS}/{id}");
    // Whose it is not does not learn that it is there, whatever he does.
    for (method, target) in [("GET", path.clone()), ("POST", format!("{path}/withdraw"))] {
        let headers = [("If-Match", "\"1\"")];
        let call = Call { method, target: &target, token: Some(&biller), headers: &headers, body: None };
        assert_eq!(call.ask(&api.node.console).status, 404, "{method} {target}");
    }
    assert_eq!(items(&api.get(REQUESTS, &biller).json()), Vec::<String>::new());
    assert_eq!(items(&api.get(&format!("{REQUESTS}?whose=decide"), &manager).json()), std::slice::from_ref(&id));
    assert_eq!(items(&api.get(&format!("{REQUESTS}?whose=all"), &privacy).json()), std::slice::from_ref(&id));
    assert_eq!(api.get(&path, &manager).json()["for_me"], true);
    // What is decided is what was read.
    let approve = format!("{path}/approve");
    for (headers, status) in [
        (vec![], 428),
        (vec![("If-Match", "*")], 428),
        (vec![("If-Match", "\"1\""), ("If-Match", "\"2\"")], 428),
        (vec![("If-Match", "\"2\"")], 412),
        (vec![("If-Match", "1")], 412),
        (vec![("If-Match", "\"x\"")], 412),
    ] {
        assert_eq!(api.post(&approve, &manager, &json!({}), &headers).status, status, "{headers:?}");
    }
    let version = [("If-Match", "\"1\"")];
    // Who asks does not approve, a wider approval is none, and nobody stays is no approval.
    for (who, body, status) in [
        (&nurse, json!({}), 403),
        (&manager, json!({ "ends_at": in_hours(300) }), 422),
        (&manager, json!({ "patients": [] }), 422),
        (&manager, json!({ "patients": [3] }), 422),
        (&manager, json!({ "ends_at": "tomorrow" }), 422),
        (&manager, json!({ "override": true }), 400),
        (&manager, json!({ "force": true, "reason": "convenience" }), 400),
    ] {
        assert_eq!(api.post(&approve, who, &body, &version).status, status, "{body}");
    }
    let done = api.post(&approve, &manager, &json!({ "ends_at": in_hours(2) }), &version).is(200);
    assert_eq!((done.header("etag"), &done.json()["state"]), (Some("\"2\""), &json!("approved")));
    assert_eq!(api.post(&approve, &manager, &json!({}), &[("If-Match", "\"2\"")]).status, 409);
    let mine = api.get("/api/v1/access", &nurse).is(200).json();
    let roles: BTreeSet<&str> =
        mine["grants"].as_array().unwrap().iter().map(|grant| grant["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["biller", "nurse"].into());
    // Given back, once.
    let grant = mine["grants"].as_array().unwrap().iter().find(|grant| grant["role"] == "biller").unwrap();
    let end = format!("/api/v1/grants/{}/end", grant["id"].as_str().unwrap());
    assert_eq!(api.post(&end, &biller, &Value::Null, &version).status, 404);
    api.post(&end, &nurse, &Value::Null, &version).is(200);
    assert_eq!(api.post(&end, &nurse, &Value::Null, &version).status, 412);
    // Refused and taken back.
    let other = api.post(REQUESTS, &nurse, &with_words("coder", "Codes the visits of last week", 12), &[]);
    let other = format!("{REQUESTS}/{}", other.is(201).json()["id"].as_str().unwrap());
    let no = json!({ "comment": "no" });
    assert_eq!(api.post(&format!("{other}/refuse"), &manager, &no, &version).json()["code"], "reason_short");
    let because = json!({ "comment": "The coders have nobody away this week" });
    assert_eq!(api.post(&format!("{other}/refuse"), &manager, &because, &version).is(200).json()["state"], "denied");
    assert_eq!(api.post(&format!("{other}/withdraw"), &nurse, &Value::Null, &[("If-Match", "\"2\"")]).status, 409);
    api.node.stops();
}

/// JX-08: in the place of another by the API; what is refused to a deputy is recorded as what is refused to anybody.
#[test]
fn a_deputy_decides_in_the_place_of_another_and_what_he_is_refused_is_recorded() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let [nurse, biller, manager] = ["nia.nurse", "ben.biller", "mara.keller"].map(|who| api.token(who, EVERY_SCOPE));
    let (first, second) = ([("If-Match", "\"1\"")], [("If-Match", "\"2\"")]);
    let ask = |token: &str| {
        let made = api.post(REQUESTS, token, &order("registrar"), &[]).is(201).json();
        format!("{REQUESTS}/{}/approve", made["id"].as_str().unwrap())
    };
    let [of_nurse, of_deputy, of_manager] = [&nurse, &biller, &manager].map(|token| ask(token));
    let code = |path: &str| api.post(path, &biller, &json!({}), &first).json()["code"].clone();
    assert_eq!(code(&of_nurse), "act_not_permitted");
    let deputies = "/api/v1/deputies";
    let named = json!({ "login": "ben.biller", "capacity": "approver", "ends_at": in_hours(24) });
    let reviewer = json!({ "login": "ben.biller", "capacity": "reviewer", "ends_at": in_hours(24) });
    assert_eq!(api.post(deputies, &manager, &reviewer, &[]).status, 403, "nobody passes on what he may not do");
    assert_eq!(api.post(deputies, &nurse, &named, &[]).status, 403);
    let key = [("Idempotency-Key", "deputy")];
    let made = api.post(deputies, &manager, &named, &key).is(201).json();
    assert_eq!(api.post(deputies, &manager, &named, &key).is(201).json(), made, "once");
    assert_eq!((&made["state"], &made["in_force"]), (&json!("named"), &json!(false)));
    let place = format!("{deputies}/{}", made["id"].as_str().unwrap());
    assert_eq!(api.post(&format!("{place}/accept"), &manager, &Value::Null, &first).status, 403);
    assert_eq!(api.post(&format!("{place}/accept"), &nurse, &Value::Null, &first).status, 404);
    assert_eq!(code(&of_nurse), "act_not_permitted", "named is not accepted");
    let accepted = api.post(&format!("{place}/accept"), &biller, &Value::Null, &first).is(200).json();
    assert_eq!((&accepted["state"], &accepted["in_force"]), (&json!("accepted"), &json!(true)));

    assert_eq!(code(&of_deputy), "own_request");
    assert_eq!(code(&of_manager), "own_request");
    let waits = api.get(&format!("{REQUESTS}?whose=decide"), &biller).is(200).json();
    assert_eq!(items(&waits).len(), 1, "he sees what he decides, and no other: {waits}");
    let decided = api.post(&of_nurse, &biller, &json!({}), &first).is(200).json();
    let approval = &decided["approvals"][0];
    assert_eq!(
        (&decided["state"], &approval["by"]["login"], &approval["acting_for"]["login"]),
        (&json!("approved"), &json!("ben.biller"), &json!("mara.keller"))
    );
    assert_eq!(items(&api.get(deputies, &biller).is(200).json()).len(), 1);
    api.post(&format!("{place}/end"), &biller, &Value::Null, &second).is(200);
    assert_eq!(code(&of_manager), "act_not_permitted");
    api.node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let refused = |code: &str| {
        let bodies = entries.iter().map(|entry| &entry["entry"]["body"]);
        bodies.filter(|body| body["code"] == "api_refused" && body["facts"]["code"] == code).count()
    };
    assert_eq!((refused("own_request"), refused("not_your_deputy")), (2, 1));
    assert!(refused("act_not_permitted") >= 5);
}

#[test]
fn what_is_asked_twice_under_one_key_is_done_once_also_by_twins_that_race() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let (nurse, biller) = (api.token("nia.nurse", EVERY_SCOPE), api.token("ben.biller", EVERY_SCOPE));
    let body = order("biller");
    let key = [("Idempotency-Key", "8e03978e-40d5-43e8-bc93-6894a57f9324")];
    let first = api.post(REQUESTS, &nurse, &body, &key).is(201);
    let again = api.post(REQUESTS, &nurse, &body, &key).is(201);
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, Some("true")));
    assert_eq!((again.header("etag"), again.header("location")), (first.header("etag"), first.header("location")));
    assert_eq!(api.post(REQUESTS, &nurse, &order("coder"), &key).is(422).json()["code"], "idempotency_key_reused");
    // Another's key of the same name is his own; a key that says nothing is refused.
    let other = with_words("coder", "Codes the visits of last week", 12);
    assert_eq!(api.post(REQUESTS, &biller, &other, &key).status, 201);
    let (long, none) = ("k".repeat(256), "");
    for key in [long.as_str(), none] {
        assert_eq!(api.post(REQUESTS, &nurse, &body, &[("Idempotency-Key", key)]).status, 400, "{key}");
    }
    // What was refused changed nothing, and the key is free for what is right.
    let fresh = [("Idempotency-Key", "fresh")];
    assert_eq!(api.post(REQUESTS, &nurse, &with_words("coder", "test test test test", 2), &fresh).status, 422);
    let right = with_words("coder", "Codes the visits of the week before", 2);
    assert_eq!(api.post(REQUESTS, &nurse, &right, &fresh).status, 201);
    let twin = with_words("registrar", "Registers whom the ambulance brings in tonight", 3);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let (api, nurse, twin) = (&api, &nurse, &twin);
        let race = || api.post(REQUESTS, nurse, twin, &[("Idempotency-Key", "twins")]).status;
        let all: Vec<_> = (0..6).map(|_| scope.spawn(race)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|status| [201, 409].contains(status)) && answers.contains(&201), "{answers:?}");
    let all = api.get(REQUESTS, &nurse).is(200).json();
    let made = all["items"].as_array().unwrap().iter().filter(|one| one["role"] == "registrar").count();
    assert_eq!(made, 1);
    api.node.stops();
}

#[test]
fn a_list_goes_on_behind_a_sealed_cursor_that_is_its_own_and_its_caller_s() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let (privacy, ola) = (api.token("ines.vogt", EVERY_SCOPE), api.token("ola.lund", EVERY_SCOPE));
    let whole = api.get("/api/v1/people", &privacy).is(200).json();
    let (mut found, mut target) = (Vec::new(), "/api/v1/people?limit=2".to_owned());
    loop {
        let page = api.get(&target, &privacy).is(200).json();
        found.extend(items(&page));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(api.get(&format!("/api/v1/people?cursor={next}"), &ola).status, 422, "another's");
        assert_eq!(api.get(&format!("/api/v1/people?cursor={next}&q=a"), &privacy).status, 422, "another list's");
        assert_eq!(api.get(&format!("{REQUESTS}?cursor={next}"), &privacy).status, 422);
        target = format!("/api/v1/people?limit=2&cursor={next}");
    }
    assert_eq!(found, items(&whole));
    assert_eq!(api.get("/api/v1/people?cursor=AAAA", &privacy).status, 422);
    for wrong in ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "q=%ff", "all=true"] {
        assert_eq!(api.get(&format!("/api/v1/people?{wrong}"), &privacy).status, 400, "{wrong}");
    }
    // Who leaves is out at once, with all that he has; nobody says it of himself.
    let id = |login: &str| {
        let all = whole["items"].as_array().unwrap();
        all.iter().find(|one| one["login"] == login).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let nurse = api.token("nia.nurse", EVERY_SCOPE);
    api.get("/api/v1/access", &nurse).is(200);
    let leave = |login: &str| format!("/api/v1/people/{}/leave", id(login));
    assert_eq!(api.post(&leave("ola.lund"), &ola, &Value::Null, &[]).status, 403);
    assert_eq!(api.post(&leave("nia.nurse"), &nurse, &Value::Null, &[]).status, 403);
    let gone = api.post(&leave("nia.nurse"), &ola, &Value::Null, &[]).is(200).json();
    assert!(gone["left_at"].is_string() && gone["roles"] == json!([]), "{gone}");
    eventually("the end of the nurse", Duration::from_secs(10), || {
        (api.get("/api/v1/access", &nurse).status == 401).then_some(())
    });
    api.post(&leave("nia.nurse"), &ola, &Value::Null, &[]).is(200);
    api.node.stops();
}

/// Every route with everybody, from the table of routes: no token, a cookie, a token that is over, one of another kind, the wrong
/// scope, somebody who has left, the wrong role. Each is refused and recorded; there is no list of exceptions.
#[test]
fn every_route_of_the_api_refuses_and_records_whoever_may_not() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let pack = read(&PackFiles::embedded()).unwrap();
    let ola = api.token("ola.lund", EVERY_SCOPE);
    let people = api.get("/api/v1/people", &ola).is(200).json();
    let gone = people["items"].as_array().unwrap().iter().find(|one| one["login"] == "gone.away").unwrap();
    api.post(&format!("/api/v1/people/{}/leave", gone["id"].as_str().unwrap()), &ola, &Value::Null, &[]).is(200);
    let left = api.token("gone.away", EVERY_SCOPE);
    eventually("the end of one who left", Duration::from_secs(10), || {
        (api.get("/api/v1/access", &left).status == 401).then_some(())
    });
    let before = refusals(&world, &api);
    let over = api.token_for("ola.lund", EVERY_SCOPE, 0, true);
    let nobody = api.token("nobody.known", EVERY_SCOPE);
    let gateway = crate::node::token(&api.keys, "ines.vogt", "privacy_officer", "TREAT");
    let at = ola.len() - 20;
    let forged = format!("{}{}{}", &ola[..at], if &ola[at..=at] == "A" { "B" } else { "A" }, &ola[at + 1..]);
    let mut refused = 0;
    for route in ROUTES {
        let target = route.path.replace("{id}", "0198c0de-0000-7000-8000-000000000000");
        let headers = [("If-Match", "\"1\"")];
        let body = (route.method == "POST").then_some("{}");
        let ask = |token: Option<&str>| {
            let call = Call { method: route.method, target: &target, token, headers: &headers, body };
            call.ask(&api.node.console)
        };
        let (scope, act) = match route.asks {
            Asks::Caller { scope, act } => (scope, act),
            Asks::Nothing => {
                assert_eq!((ask(None).status, route.method), (200, "GET"), "{target}");
                continue;
            }
            // No token of a person opens it, and of the configuration there is no transmitter.
            Asks::Signed => {
                for token in [None, Some(ola.as_str()), Some(forged.as_str())] {
                    let answer = ask(token);
                    assert_eq!(
                        (answer.status, answer.json()["err"].as_str()),
                        (400, Some("access_denied")),
                        "{target}"
                    );
                }
                continue;
            }
        };
        for (what, token) in [("over", &over), ("forged", &forged), ("unknown", &nobody), ("left", &left)] {
            let answer = ask(Some(token));
            assert_eq!(answer.status, 401, "{what} {} {target}: {}", route.method, answer.text());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
            refused += 1;
        }
        assert_eq!(ask(None).status, 401, "{target}");
        let cookie = [("Cookie", "__Host-scruple=abc")];
        let call = Call { method: route.method, target: &target, token: None, headers: &cookie, body };
        assert_eq!(call.ask(&api.node.console).status, 401, "a cookie at {target}");
        refused += 2;
        // Every other scope, and the token of the gateway, which has none.
        let others: Vec<&str> = EVERY_SCOPE.split(' ').filter(|other| *other != scope).collect();
        for token in [api.token("ines.vogt", &others.join(" ")), gateway.clone()] {
            let answer = ask(Some(&token));
            assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("insufficient_scope")), "{target}");
            assert!(answer.header("www-authenticate").unwrap().contains(scope));
            refused += 1;
        }
        for (login, role) in PEOPLE.iter().filter(|(login, _)| *login != "gone.away") {
            let may = pack.console.scope(act, [*role]).is_some();
            let answer = ask(Some(&api.token(login, scope)));
            let is_refused = answer.status == 403 && answer.json()["code"] == "act_not_permitted";
            assert_eq!(is_refused, !may, "{} {target} for {role}: {} {}", route.method, answer.status, answer.text());
            assert!(answer.status < 500, "{target} for {role}: {}", answer.text());
            refused += usize::from(answer.status >= 400);
        }
    }
    let after = eventually("the refusals", Duration::from_secs(20), || {
        let found = refusals(&world, &api);
        (found >= before + refused).then_some(found)
    });
    assert_eq!(after - before, refused, "each is recorded, and once");
    api.node.stops();
}

/// How many refusals of the API the ledger of a running node holds.
fn refusals(world: &World, _: &Api) -> usize {
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    entries.iter().filter(|entry| entry["entry"]["body"]["code"] == "api_refused").count()
}

/// What high-risk acts ask of a token: that its person has just confirmed that it is he (RFC 9470).
#[test]
fn a_step_up_is_asked_for_by_a_challenge_and_met_by_a_fresh_token() {
    let world = World::new();
    let mut api = Api::serve(&world, PEOPLE, true);
    let nurse = api.token("nia.nurse", EVERY_SCOPE);
    let made = api.post(REQUESTS, &nurse, &order("auditor"), &[]).is(201).json();
    assert_eq!(made["needs"], json!(["privacy_officer"]));
    let approve = format!("{REQUESTS}/{}/approve", made["id"].as_str().unwrap());
    let (stale, fresh) = (api.token_for("ines.vogt", EVERY_SCOPE, 3_600, false), api.token("ines.vogt", EVERY_SCOPE));
    let version = [("If-Match", "\"1\""), ("Idempotency-Key", "stepped")];
    let asked = api.post(&approve, &stale, &json!({}), &version).is(401);
    assert!(asked.header("www-authenticate").unwrap().contains("insufficient_user_authentication"));
    assert_eq!(asked.json()["code"], "step_up_required");
    assert_eq!(api.post(&approve, &fresh, &json!({}), &version).is(200).json()["state"], "approved");
    api.node.stops();
}

#[test]
fn the_document_of_the_api_is_the_one_that_was_agreed_and_names_every_route() {
    let document: Value = serde_json::from_str(&scruple_api::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        routes.extend(methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let expected: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(routes, expected);
    assert_eq!(document["openapi"].as_str().unwrap().split('.').take(2).collect::<Vec<_>>(), ["3", "1"]);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept.trim_end() == scruple_api::openapi(),
        "docs/openapi.json: curl .../api/openapi.json, and look at what changed"
    );
}
