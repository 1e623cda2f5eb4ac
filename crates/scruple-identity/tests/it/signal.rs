//! Security event tokens: what is taken, what each refusal is called, and what of a device is read.

use crate::{NOW, rng};
use scruple_identity::signal::{
    DEVICE_COMPLIANCE_CHANGE, DEVICE_POSTURE, SignalError, Signals, VERIFICATION, device_key,
};
use scruple_identity::{Claims, Issuer, Parties};
use serde_json::{Value, json};

const AUDIENCE: &str = "https://scruple.example/api/v1/security-events";

fn parties() -> Parties {
    Parties { issuer: "https://mdm.example".to_owned(), audience: AUDIENCE.to_owned() }
}

fn transmitter(seed: u64) -> Issuer {
    Issuer::generate(parties(), &mut rng(seed)).unwrap()
}

fn now_seconds() -> i64 {
    NOW.micros() / 1_000_000
}

/// CAEP 1.0, 3.5.1.
fn compliance(current: &str) -> Value {
    json!({
        "iss": "https://mdm.example",
        "jti": "756E69717565206964656E746966696572",
        "iat": now_seconds(),
        "aud": AUDIENCE,
        "sub_id": {
            "format": "complex",
            "device": { "format": "iss_sub", "iss": "https://mdm.example", "sub": "laptop-7" },
            "tenant": { "format": "opaque", "id": "123456789" }
        },
        "events": { DEVICE_COMPLIANCE_CHANGE: {
            "event_timestamp": now_seconds() - 2, "previous_status": "compliant", "current_status": current
        } }
    })
}

/// The device, whether it is compliant, its facts, and when that was so.
type Told = (String, Option<bool>, String, i64);

fn verify(claims: &Value) -> Result<Vec<Told>, SignalError> {
    let transmitter = transmitter(1);
    let signals = Signals::new(transmitter.jwks(), parties()).unwrap();
    let signal = signals.verify(&transmitter.issue_event(claims).unwrap(), NOW)?;
    let words = |facts: std::collections::BTreeMap<&str, bool>| {
        facts.into_iter().map(|(name, holds)| format!("{name} {holds}")).collect::<Vec<_>>().join(", ")
    };
    Ok(signal
        .devices
        .into_iter()
        .map(|one| (one.device, one.compliant, words(one.facts), (NOW.micros() - one.at.micros()) / 1_000_000))
        .collect())
}

#[test]
fn what_is_told_of_a_device_is_read() {
    let told = |compliant| vec![("laptop-7".to_owned(), Some(compliant), String::new(), 2)];
    assert_eq!(verify(&compliance("not-compliant")), Ok(told(false)));
    assert_eq!(verify(&compliance("compliant")), Ok(told(true)));
    // As a simple subject, and as earlier drafts have it in the event.
    let mut simple = compliance("compliant");
    simple["sub_id"] = json!({ "format": "opaque", "id": "laptop-7" });
    assert_eq!(verify(&simple), Ok(told(true)));
    let mut inside = simple.clone();
    inside["events"][DEVICE_COMPLIANCE_CHANGE]["subject"] = inside["sub_id"].take();
    inside.as_object_mut().unwrap().remove("sub_id");
    assert_eq!(verify(&inside), Ok(told(true)));
    // Facts, with it or alone; without a time of its own it was so when it was said, and never later than now.
    let mut posture = simple.clone();
    posture["events"] =
        json!({ DEVICE_POSTURE: { "disk_encrypted": false, "managed": true, "event_timestamp": now_seconds() + 50 } });
    let facts = "disk_encrypted false, managed true".to_owned();
    assert_eq!(verify(&posture), Ok(vec![("laptop-7".to_owned(), None, facts, 0)]));
    let mut other = simple;
    other["events"] = json!({ VERIFICATION: { "state": "x" }, "https://events.example/unknown": {} });
    assert_eq!(verify(&other), Ok(vec![]), "others tell nothing that counts here");
    assert_ne!(device_key("laptop-7"), device_key("laptop-8"));
}

#[test]
fn each_refusal_has_its_registered_code() {
    for (at, value, expected) in [
        ("/iss", json!("https://other.example"), SignalError::Issuer),
        ("/iss", Value::Null, SignalError::Issuer),
        ("/aud", json!("https://other.example"), SignalError::Audience),
        ("/aud", json!([]), SignalError::Audience),
        ("/jti", json!(""), SignalError::Request),
        ("/jti", Value::Null, SignalError::Request),
        ("/iat", Value::Null, SignalError::Request),
        ("/iat", json!(now_seconds() + 61), SignalError::Request),
        ("/iat", json!(now_seconds() - 7 * 86_400 - 1), SignalError::Request),
        ("/events", json!({}), SignalError::Request),
        ("/sub_id", json!({ "format": "email", "email": "a@b.example" }), SignalError::Request),
        ("/sub_id/device", json!({ "format": "opaque" }), SignalError::Request),
    ] {
        let mut claims = compliance("compliant");
        *claims.pointer_mut(at).unwrap() = value.clone();
        assert_eq!(verify(&claims), Err(expected), "{at} {value}");
    }
    for status in [json!("fine"), Value::Null] {
        let mut claims = compliance("compliant");
        claims["events"][DEVICE_COMPLIANCE_CHANGE]["current_status"] = status;
        assert_eq!(verify(&claims), Err(SignalError::Request));
    }
    let codes =
        [SignalError::Request, SignalError::Key, SignalError::Issuer, SignalError::Audience].map(SignalError::code);
    assert_eq!(codes, ["invalid_request", "invalid_key", "invalid_issuer", "invalid_audience"]);
}

#[test]
fn only_the_transmitters_own_tokens_of_this_type_are_taken() {
    let (own, forger) = (transmitter(1), transmitter(2));
    let signals = Signals::new(own.jwks(), parties()).unwrap();
    let token = own.issue_event(&compliance("compliant")).unwrap();
    assert!(signals.verify(&token, NOW).is_ok());
    assert_eq!(signals.verify(&forger.issue_event(&compliance("compliant")).unwrap(), NOW), Err(SignalError::Key));
    // An access token of the same key is no event.
    let claims = Claims {
        subject: "a".to_owned(),
        client_id: "b".to_owned(),
        roles: Vec::new(),
        purpose: None,
        lifetime_seconds: 60,
    };
    assert_eq!(signals.verify(&own.issue(&claims, NOW, &mut rng(3)).unwrap(), NOW), Err(SignalError::Request));
    let (head, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(signals.verify(&format!("{head}."), NOW), Err(SignalError::Key));
    for wrong in [String::new(), "a.b".to_owned(), head.to_owned(), "a".repeat(20_000)] {
        assert_eq!(signals.verify(&wrong, NOW), Err(SignalError::Request), "{wrong:.20}");
    }
    let other = own.issue_event(&compliance("not-compliant")).unwrap();
    let (other_head, _) = other.rsplit_once('.').unwrap();
    assert_eq!(signals.verify(&format!("{other_head}.{signature}"), NOW), Err(SignalError::Key));
    // What makes a token this one is its issuer and its id.
    let hash = |claims: &Value| signals.verify(&own.issue_event(claims).unwrap(), NOW).unwrap().hash;
    let mut another = compliance("compliant");
    another["jti"] = json!("2");
    assert_eq!(hash(&compliance("compliant")), hash(&compliance("not-compliant")));
    assert_ne!(hash(&compliance("compliant")), hash(&another));
}
