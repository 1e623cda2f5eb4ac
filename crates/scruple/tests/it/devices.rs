//! What the management of devices tells a real node, as it is pushed: RFC 8935 on the wire, and the gateway within seconds.

use crate::node::{AUDIENCE, ISSUER, Machine, Node, config, eventually, issuer, notices, seed, serving};
use crate::rest::{Call, assuming};
use crate::support::{World, entries_of};
use scruple_core::Clock as _;
use scruple_hospital::Hospital;
use scruple_identity::signal::{DEVICE_COMPLIANCE_CHANGE, VERIFICATION};
use scruple_identity::{Claims, Issuer, Parties, SignIn};
use scruple_seal::SystemRng;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const MDM: &str = "https://mdm.example";
const RECEIVER: &str = "https://scruple.example/events";

fn event(jti: &str, device: &str, status: &str, at: i64) -> Value {
    let now = Machine.now().micros() / 1_000_000;
    json!({
        "iss": MDM, "aud": RECEIVER, "iat": now, "jti": jti,
        "sub_id": { "format": "opaque", "id": device },
        "events": { DEVICE_COMPLIANCE_CHANGE: { "event_timestamp": at, "previous_status": "compliant", "current_status": status } },
    })
}

/// IL-04: the status flips, and within seconds the device opens nothing; a replay does not bring it back; each change is an event of
/// the ledger, each refusal an entry.
#[test]
fn a_device_that_fails_opens_no_record_within_seconds_and_each_change_is_recorded() {
    let world = World::new();
    let pack = assuming(&world);
    seed(&world.path("state"), &[("nia.nurse", "nurse")]);
    let keys = issuer(&world, "jwks.json");
    let parties = || Parties { issuer: MDM.to_owned(), audience: RECEIVER.to_owned() };
    let mdm = Issuer::generate(parties(), &mut SystemRng).unwrap();
    std::fs::write(world.path("mdm.json"), mdm.jwks()).unwrap();
    let more = format!(
        "[signals]\nissuer = \"{MDM}\"\naudience = \"{RECEIVER}\"\njwks_file = {:?}\n[gateway]\ninside_networks = \"127.0.0.0/8\"\n",
        world.path("mdm.json")
    );
    let mut node = Node::serve(world.command(serving(&config(&world, &pack, &more))));
    assert_eq!((keys.parties().issuer.as_str(), keys.parties().audience.as_str()), (ISSUER, AUDIENCE));
    let token = |device: &str| {
        let claims = Claims {
            subject: "nia.nurse".to_owned(),
            client_id: "tests".to_owned(),
            roles: vec!["nurse".to_owned()],
            purpose: Some("TREAT".to_owned()),
            lifetime_seconds: 3_600,
        };
        let sign_in = SignIn { device: Some(device), ..SignIn::confirmed(Machine.now()) };
        keys.issue_signed_in(&claims, &sign_in, Machine.now(), &mut SystemRng).unwrap()
    };
    let (laptop, phone) = (token("laptop-7"), token("phone-1"));
    let patient = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let reads = |token: &str| node.get(&patient, token).status;
    let push = |text: &str, kind: &str| {
        let headers = [("Content-Type", kind), ("Accept", "application/json")];
        let call = Call {
            method: "POST",
            target: "/api/v1/security-events",
            token: None,
            headers: &headers,
            body: Some(text),
        };
        let answer = call.ask(&node.console);
        let err = (answer.status == 400).then(|| answer.json()["err"].as_str().unwrap().to_owned());
        (answer.status, err.unwrap_or_default())
    };
    let sent = |claims: &Value| push(&mdm.issue_event(claims).unwrap(), "application/secevent+jwt");
    let taken = (202, String::new());
    assert_eq!([reads(&laptop), reads(&phone)], [200, 200]);
    let now = Machine.now().micros() / 1_000_000;
    let good = event("1", "laptop-7", "compliant", now - 10);
    assert_eq!(sent(&good), taken);
    assert_eq!(sent(&event("2", "laptop-7", "not-compliant", now - 5)), taken);
    let since = Instant::now();
    eventually("the limit", Duration::from_secs(5), || (reads(&laptop) == 403).then_some(()));
    assert!(since.elapsed() < Duration::from_secs(3), "within seconds");
    assert_eq!(reads(&phone), 200, "another device is not concerned");
    // The first once more: as if it had not been sent before, and nothing changes.
    assert_eq!(sent(&good), taken);
    assert_eq!(sent(&event("3", "laptop-7", "compliant", now - 8)), taken);
    std::thread::park_timeout(Duration::from_millis(600));
    assert_eq!(reads(&laptop), 403);
    let mut verification = good.clone();
    verification["jti"] = json!("4");
    verification["events"] = json!({ VERIFICATION: { "state": "s" } });
    assert_eq!(sent(&verification), taken);
    // What is refused, and how.
    let forger = Issuer::generate(parties(), &mut SystemRng).unwrap();
    let forged = forger.issue_event(&event("5", "laptop-7", "compliant", now)).unwrap();
    let kind = "application/secevent+jwt";
    let refused = |code: &str| (400, code.to_owned());
    assert_eq!(push(&forged, kind), refused("invalid_key"));
    assert_eq!(push(&mdm.issue_event(&good).unwrap(), "application/json"), refused("invalid_request"));
    assert_eq!(push("{}", kind), refused("invalid_request"));
    assert_eq!(push(&token("laptop-7"), kind), refused("invalid_request"), "an access token is no event");
    for (name, value, code) in [("iss", ISSUER, "invalid_issuer"), ("aud", AUDIENCE, "invalid_audience")] {
        let mut claims = event("6", "laptop-7", "compliant", now);
        claims[name] = json!(value);
        assert_eq!(sent(&claims), refused(code));
    }
    assert_eq!(reads(&laptop), 403);
    assert_eq!(sent(&event("7", "laptop-7", "compliant", now)), taken);
    eventually("the device", Duration::from_secs(5), || (reads(&laptop) == 200).then_some(()));
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let told = entries.iter().filter(|entry| entry["entry"]["body"]["event"] == "device_told");
    assert_eq!(told.count(), 3, "one for each change");
    let codes: Vec<Value> =
        notices(&entries, "security_event_refused").into_iter().map(|facts| facts["code"].clone()).collect();
    let expected =
        ["invalid_key", "invalid_request", "invalid_request", "invalid_request", "invalid_issuer", "invalid_audience"];
    assert_eq!(codes, expected);
    assert!(
        !entries.iter().any(|entry| entry.to_string().contains("laptop-7")),
        "no device is named outside of its sealed event"
    );
}

#[test]
fn without_a_transmitter_nothing_is_taken() {
    let world = World::new();
    seed(&world.path("state"), &[("nia.nurse", "nurse")]);
    let keys = issuer(&world, "jwks.json");
    let mut node = Node::serve(world.command(serving(&config(&world, &crate::support::shipped_pack(), ""))));
    let text = keys.issue_event(&event("1", "laptop-7", "compliant", 1)).unwrap();
    let headers = [("Content-Type", "application/secevent+jwt")];
    let call =
        Call { method: "POST", target: "/api/v1/security-events", token: None, headers: &headers, body: Some(&text) };
    let answer = call.ask(&node.console);
    assert_eq!((answer.status, answer.json()["err"].as_str()), (400, Some("access_denied")));
    node.stops();
}
