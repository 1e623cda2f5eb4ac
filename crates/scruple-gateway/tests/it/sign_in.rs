//! How somebody has signed in, from which device and from where: what opens, what is asked of him, and what the record names.

use crate::support::{World, active, code, noon, request, resolved};
use crate::two::{condition, patient, store};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Desk, DeviceDesk, Emergency, Told, Who};
use scruple_core::{Clock as _, EntryBody, Phi};
use scruple_flow::{EmergencyReason, Login};
use scruple_identity::SignIn;
use scruple_identity::signal::{DeviceSignal, Signal};
use scruple_pairs::Behind;
use scruple_policy::{PackFiles, activate};
use scruple_store::find_person_by_login;
use scruple_testkit::interfere::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const INSIDE: &str = "10.1.2.3";
const OUTSIDE: &str = "198.51.100.7";
const MINUTE: i64 = 60_000_000;

/// One patient with a plain diagnosis and one of HIV.
fn values() -> Vec<Value> {
    let mut hiv = condition("hiv", "Patient/p1", None);
    hiv["code"]["coding"][0]["code"] = json!("B20");
    vec![patient("p1", "1980-05-17"), condition("plain", "Patient/p1", None), hiv]
}

fn world() -> World {
    World::under(active(), Behind::Raw.upstream(&store(&values()), noon()).unwrap())
}

fn hear(world: &World) {
    world.runtime.block_on(world.follower.as_ref().unwrap().poll()).unwrap();
}

fn read(world: &World, source: Option<&str>, token: &str, path: &str) -> Response {
    world.ask_from(source, &request("GET", &format!("/fhir/{path}")), Some(token), 1)
}

/// `200`, or the code of the no.
fn answered(response: &Response) -> String {
    if response.status == 200 { "200".to_owned() } else { code(response) }
}

/// What the last entry says did not hold, and the code of a refusal.
fn last(world: &World) -> (Vec<String>, Option<String>) {
    match world.entries().pop().unwrap().body {
        EntryBody::Release { request, .. } => (request.unwrap().lacking, None),
        EntryBody::Refusal { request, code, .. } => (request.unwrap().lacking, Some(code)),
        other => unreachable!("{other:?}"),
    }
}

fn found(world: &World, source: Option<&str>, token: &str) -> String {
    let answer = read(world, source, token, "Condition?patient=Patient/p1");
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let entries = body["entry"].as_array().into_iter().flatten();
    let mut ids: Vec<&str> = entries.map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.join(" ")
}

/// IL-02: a token that does not say that several factors were shown gets a challenge, and the same person's that does gets the record.
#[test]
fn a_token_without_several_factors_gets_a_step_up_and_opens_once_it_is_met() {
    let world = world();
    let weak = SignIn { at: Some(noon()), ..SignIn::default() };
    for (sign_in, expected) in [
        (SignIn::default(), "insufficient_user_authentication"),
        (weak, "insufficient_user_authentication"),
        (SignIn { acr: Some("aal2"), ..weak }, "insufficient_user_authentication"),
        (SignIn::confirmed(noon()), "200"),
        (SignIn { several_factors: true, ..SignIn::default() }, "200"),
    ] {
        let token = world.token_signed_in("nurse", "TREAT", &sign_in);
        let answer = read(&world, Some(INSIDE), &token, "Patient/p1");
        assert_eq!(answered(&answer), expected);
        let challenge = answer.header("www-authenticate");
        if expected == "200" {
            assert_eq!((challenge, last(&world)), (None, (Vec::new(), None)));
        } else {
            assert_eq!(answer.status, 401);
            assert_eq!(challenge, Some("Bearer error=\"insufficient_user_authentication\""));
            assert_eq!(last(&world), (vec!["several_factors".to_owned()], Some(expected.to_owned())));
        }
    }
    // A batch is no way around it.
    let token = world.token_signed_in("nurse", "TREAT", &weak);
    let mut batch = request("POST", "/fhir");
    batch.headers.push(("content-type".to_owned(), "application/fhir+json".to_owned()));
    let entry = json!({ "request": { "method": "GET", "url": "Patient/p1" } });
    batch.body = json!({ "resourceType": "Bundle", "type": "batch", "entry": [entry] }).to_string().into_bytes();
    assert_eq!(world.ask_from(Some(INSIDE), &batch, Some(&token), 1).status, 401);
}

/// IL-02: the classes that a pack asks for stand in the challenge (RFC 9470, 3).
#[test]
fn a_pack_that_asks_for_a_class_says_which() {
    let mut files = PackFiles::embedded().assuming_relationships();
    let text = files.0.get_mut("pack.toml").unwrap();
    *text = text.replace("acr_values = []", "acr_values = [\"urn:aal2\", \"urn:aal3\"]");
    let active = Arc::new(activate(&files, noon()).unwrap());
    let world = World::under(active, Behind::Raw.upstream(&store(&values()), noon()).unwrap());
    let with = |acr: Option<&str>| {
        let sign_in = SignIn { acr, ..SignIn::confirmed(noon()) };
        read(&world, Some(INSIDE), &world.token_signed_in("nurse", "TREAT", &sign_in), "Patient/p1")
    };
    let challenge = "Bearer error=\"insufficient_user_authentication\", acr_values=\"urn:aal2 urn:aal3\"";
    for acr in [None, Some("urn:aal1")] {
        assert_eq!(with(acr).header("www-authenticate"), Some(challenge));
    }
    assert_eq!(answered(&with(Some("urn:aal3"))), "200");
}

/// Care continues: an emergency opens with one factor, outside and on a device that fails, and the record says what was lacking.
#[test]
fn an_emergency_waits_for_no_second_factor_and_the_record_names_what_was_lacking() {
    let world = World::under(resolved(), Behind::Raw.upstream(&store(&values()), noon()).unwrap());
    let login: Login = crate::support::login("nurse").parse().unwrap();
    let (state, lease) = &world.state;
    let person = world.runtime.block_on(async {
        let mut tx = state.begin_read().await.unwrap();
        find_person_by_login(&mut tx, &login).await.unwrap().unwrap().id
    });
    let pack = resolved();
    let mut rng = ChaCha20Rng::seed_from_u64(1 << 40);
    let mut desk = Desk { store: state, lease, clock: world.clock.as_ref(), rng: &mut rng, rules: pack.pack.as_ref() };
    let emergency = Emergency {
        role: "nurse".parse().unwrap(),
        patient: "p1".parse().unwrap(),
        reason: EmergencyReason::LifeThreat,
        words: Phi::new(String::new()),
    };
    let who = Who { person, stepped_up: true };
    world.runtime.block_on(desk.break_glass(who, emergency)).unwrap();
    device(&world, 1, false);
    let weak = SignIn { device: Some("laptop-7"), ..SignIn::default() };
    for purpose in ["BTG", "ETREAT"] {
        let token = world.token_signed_in("nurse", purpose, &weak);
        let answer = read(&world, Some(OUTSIDE), &token, "Condition/hiv");
        assert_eq!((answered(&answer), answer.header("www-authenticate")), ("200".to_owned(), None), "{purpose}");
        let lacking = ["device_in_order", "inside", "several_factors"].map(str::to_owned).to_vec();
        assert_eq!(last(&world), (lacking, None), "{purpose}");
    }
    let token = world.token_signed_in("nurse", "TREAT", &weak);
    assert_eq!(answered(&read(&world, Some(INSIDE), &token, "Patient/p1")), "insufficient_user_authentication");
}

/// What the management of devices tells of `laptop-7`, and the gateway has heard.
fn device(world: &World, number: u8, compliant: bool) {
    let (state, lease) = &world.state;
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(number) << 48);
    let mut desk = DeviceDesk { store: state, lease, clock: world.clock.as_ref(), rng: &mut rng };
    let at = world.clock.now();
    let told = DeviceSignal { device: "laptop-7".to_owned(), compliant: Some(compliant), facts: BTreeMap::new(), at };
    let signal = Signal { hash: [number; 32], devices: vec![told] };
    let told = world.runtime.block_on(desk.take(&signal)).unwrap();
    assert!(matches!(told, Told::Changed(_)));
    hear(world);
}

/// IL-04: what a device may show is limited as soon as the node has heard that it is out of order, and comes back with it; another
/// device is not concerned.
#[test]
fn a_device_that_is_out_of_order_opens_no_record_from_the_next_look_at_the_feed() {
    let world = world();
    let on = |name: Option<&str>| {
        let sign_in = SignIn { device: name, ..SignIn::confirmed(world.clock.now()) };
        let token = world.token_signed_in("nurse", "TREAT", &sign_in);
        answered(&read(&world, Some(INSIDE), &token, "Patient/p1"))
    };
    assert_eq!([on(Some("laptop-7")), on(Some("phone-1")), on(None)], ["200"; 3]);
    device(&world, 1, false);
    assert_eq!([on(Some("phone-1")), on(None)], ["200"; 2]);
    assert_eq!(on(Some("laptop-7")), "device_not_in_order");
    assert_eq!(last(&world), (vec!["device_in_order".to_owned()], Some("device_not_in_order".to_owned())));
    world.clock.advance_micros(1_000_000);
    hear(&world);
    device(&world, 2, true);
    assert_eq!(on(Some("laptop-7")), "200");
}

/// IL-04: where the policy asks that a device is known, what nobody has told of opens nothing.
#[test]
fn a_device_that_nobody_has_told_of_opens_nothing_where_the_policy_asks_for_it() {
    let mut files = PackFiles::embedded().assuming_relationships();
    let text = files.0.get_mut("pack.toml").unwrap();
    *text = text.replace("device = \"not_failing\"", "device = \"in_order\"");
    let active = Arc::new(activate(&files, noon()).unwrap());
    let world = World::under(active, Behind::Raw.upstream(&store(&values()), noon()).unwrap());
    let on = |name: Option<&str>| {
        let sign_in = SignIn { device: name, ..SignIn::confirmed(noon()) };
        let token = world.token_signed_in("nurse", "TREAT", &sign_in);
        answered(&read(&world, Some(INSIDE), &token, "Patient/p1"))
    };
    assert_eq!([on(None), on(Some("laptop-7"))], ["device_not_in_order"; 2]);
    device(&world, 1, true);
    assert_eq!([on(None), on(Some("laptop-7"))], ["device_not_in_order", "200"]);
}

/// IL-16: from outside, what is specially protected waits until the person confirms; it looks as if it were not there, and the answer
/// says by policy alone that more may show. From where somebody asks is the listener's to know, or a proxy's of ours.
#[test]
fn from_outside_what_is_protected_opens_to_who_has_just_confirmed() {
    let world = world();
    let signed_in_at = |at| world.token_signed_in("physician", "TREAT", &SignIn::confirmed(at));
    let (fresh, old) = (signed_in_at(noon()), signed_in_at(noon().plus_micros(-15 * MINUTE - 1_000_000)));
    let may = "Bearer error=\"insufficient_user_authentication\", max_age=\"900\"";
    for (source, token, expected, challenge, lacking) in [
        (Some(INSIDE), &fresh, "hiv plain", None, vec![]),
        (Some(INSIDE), &old, "hiv plain", None, vec![]),
        (Some(OUTSIDE), &fresh, "hiv plain", None, vec!["inside"]),
        (Some(OUTSIDE), &old, "plain", Some(may), vec!["confirmed_lately", "inside"]),
        // Nobody knows from where.
        (None, &fresh, "hiv plain", None, vec!["inside"]),
        (None, &old, "plain", Some(may), vec!["confirmed_lately", "inside"]),
        // A proxy that says nothing.
        (Some("10.9.0.1"), &old, "plain", Some(may), vec!["confirmed_lately", "inside"]),
    ] {
        assert_eq!(found(&world, source, token), expected, "{source:?}");
        assert_eq!(last(&world).0, lacking, "{source:?}");
        let answer = read(&world, source, token, "Condition/hiv");
        let status = if expected == "plain" { 404 } else { 200 };
        assert_eq!(answer.status, status, "{source:?}");
        let answer = read(&world, source, token, "Condition/plain");
        assert_eq!((answer.status, answer.header("www-authenticate")), (200, challenge), "{source:?}");
    }
    // What a client says of its address counts only behind a proxy of ours, and then what the proxy saw.
    for (source, forwarded, expected) in
        [(OUTSIDE, INSIDE, "plain"), ("10.9.0.1", INSIDE, "hiv plain"), ("10.9.0.1", "10.1.2.3, 198.51.100.7", "plain")]
    {
        let mut asked = request("GET", "/fhir/Condition?patient=Patient/p1");
        asked.headers.push(("x-forwarded-for".to_owned(), forwarded.to_owned()));
        let answer = world.ask_from(Some(source), &asked, Some(&old), 1);
        let hiv = String::from_utf8(answer.body).unwrap().contains("Condition/hiv");
        assert_eq!(hiv, expected == "hiv plain", "{source} {forwarded}");
    }
}

/// Equal views give equal answers: outside and unconfirmed, a store with what is protected answers as one without it.
#[test]
fn what_is_closed_outside_leaves_no_trace() {
    let (with, without) = (world(), {
        let values: Vec<Value> = values().into_iter().filter(|value| value["id"] != "hiv").collect();
        World::under(active(), Behind::Raw.upstream(&store(&values), noon()).unwrap())
    });
    let old = SignIn::confirmed(noon().plus_micros(-60 * MINUTE));
    for path in
        ["Condition", "Condition?_total=accurate", "Condition/hiv", "Condition?code=B20", "Patient/p1/$everything"]
    {
        let of = |world: &World| {
            let answer = read(world, Some(OUTSIDE), &world.token_signed_in("physician", "TREAT", &old), path);
            let headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| name != "x-request-id").collect();
            (answer.status, headers, answer.body)
        };
        assert_eq!(of(&with), of(&without), "{path}");
    }
}

/// RB-03: the same person and the same record; one condition is flipped at a time, the decision flips with it, and the record names the
/// one that failed.
#[test]
fn one_condition_flipped_flips_the_decision_and_the_record_names_it() {
    const ALL: [&str; 5] = ["confirmed_lately", "device_in_order", "inside", "several_factors", "working_hours"];
    let mut files = PackFiles::embedded().assuming_relationships();
    let hours =
        "working_hours = { zone = \"America/Phoenix\", days = [\"mon\"], from = \"05:00\", until = \"19:00\" }\n";
    let text = files.0.get_mut("pack.toml").unwrap();
    // The floor is off: it is the permit that asks.
    *text = text
        .replace("several_factors = true ", "several_factors = false ")
        .replace("device = \"not_failing\"", "device = \"any\"");
    *text = text.replace("acr_values = []\n", &format!("acr_values = []\n{hours}"));
    let biller = files.0.get_mut("roles/biller.toml").unwrap();
    let claims = "categories = [\"id_name\", \"id_birth_sex\", \"id_mrn\", \"coverage\", \"claims\", \"balance\"]\n";
    let asked: Vec<String> = ["relationship"].into_iter().chain(ALL).map(|name| format!("\"{name}\"")).collect();
    assert!(biller.contains(claims));
    *biller = biller.replace(claims, &format!("{claims}when = [{}]\n", asked.join(", ")));
    let active = Arc::new(activate(&files, noon()).unwrap());
    let world = World::under(active, Behind::Raw.upstream(&store(&values()), noon()).unwrap());
    device(&world, 1, true);
    // Monday, five in the morning in Phoenix.
    let good = SignIn { device: Some("laptop-7"), ..SignIn::confirmed(noon()) };
    let shows = |source: &str, sign_in: &SignIn<'_>| {
        let token = world.token_signed_in("biller", "HPAYMT", sign_in);
        let answer = read(&world, Some(source), &token, "Patient/p1");
        assert!(matches!(answer.status, 200 | 403 | 404), "{}", answer.status);
        String::from_utf8(answer.body).unwrap().contains("1980-05-17")
    };
    assert!(shows(INSIDE, &good));
    assert_eq!(last(&world).0, Vec::<String>::new());
    let old = good.at.map(|at| at.plus_micros(-15 * MINUTE - 1_000_000));
    for (source, sign_in, failed) in [
        (OUTSIDE, good, vec!["inside"]),
        (INSIDE, SignIn { at: old, ..good }, vec!["confirmed_lately"]),
        // Who has not shown several factors has not confirmed either.
        (INSIDE, SignIn { several_factors: false, ..good }, vec!["confirmed_lately", "several_factors"]),
        (INSIDE, SignIn { device: Some("phone-1"), ..good }, vec!["device_in_order"]),
    ] {
        assert!(!shows(source, &sign_in), "{failed:?}");
        assert_eq!(last(&world).0, failed);
        assert!(shows(INSIDE, &good));
    }
    // A microsecond before the house closes, and when it does.
    let at_the_end = |micros: i64| {
        world.clock.advance_micros(micros);
        hear(&world);
        shows(INSIDE, &SignIn { at: Some(world.clock.now()), ..good })
    };
    assert!(at_the_end(14 * 60 * MINUTE - 1));
    assert!(!at_the_end(1));
    assert_eq!(last(&world).0, ["working_hours"]);
}
