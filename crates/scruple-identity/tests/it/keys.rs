//! Which keys of a JWKS count, and which key sets and names make no verifier.

use crate::{NOW, claims, issuer, parties, rng};
use scruple_identity::{JWKS_BYTES_MAX, JWKS_KEYS_MAX, JwksError, Parties, TokenError, Verifier, VerifierError};
use serde_json::{Value, json};

fn key(seed: u64) -> Value {
    let set: Value = serde_json::from_str(issuer(seed).jwks()).unwrap();
    set["keys"][0].clone()
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn without(mut key: Value, name: &str) -> Value {
    key.as_object_mut().unwrap().remove(name);
    key
}

fn load(keys: &[Value]) -> Result<Verifier, VerifierError> {
    Verifier::new(&json!({"keys": keys}).to_string(), parties(), 5)
}

fn refused(jwks: &str) -> VerifierError {
    Verifier::new(jwks, parties(), 5).unwrap_err()
}

#[test]
fn keys_that_cannot_verify_es256_are_passed_over() {
    let token = issuer(1).issue(&claims(), NOW, &mut rng(2)).unwrap();
    let useless = [
        json!("text"),
        json!({}),
        json!({"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "oct", "kid": "o", "k": "AQAB"}),
        with(key(1), "crv", json!("P-384")),
        with(key(1), "alg", json!("ES384")),
        with(key(1), "use", json!("enc")),
        with(key(1), "key_ops", json!(["sign"])),
        with(key(1), "d", json!("AQAB")),
        with(key(1), "x", json!("AQAB")),
        with(key(1), "x", key(1)["y"].clone()),
        with(key(1), "y", json!("not base64!")),
        without(key(1), "y"),
        with(key(1), "kid", json!(7)),
    ];
    for one in &useless {
        assert_eq!(load(std::slice::from_ref(one)).unwrap_err(), JwksError::NoUsableKey.into(), "{one}");
    }
    let mut all = useless.to_vec();
    all.push(with(key(1), "key_ops", json!(["verify"])));
    assert!(load(&all).unwrap().verify(&token, NOW).is_ok());
}

#[test]
fn a_token_without_kid_fits_the_only_key() {
    let issuer = issuer(1);
    let token = issuer.issue(&claims(), NOW, &mut rng(2)).unwrap();
    let payload = crate::decoded(token.split('.').nth(1).unwrap());
    let nameless = crate::sign(&issuer, r#"{"alg":"ES256","typ":"at+jwt"}"#, &payload);
    let check = |keys: &[Value], token: &str| load(keys).unwrap().verify(token, NOW).err();
    assert_eq!(check(&[key(1)], &nameless), None);
    assert_eq!(check(&[without(key(1), "kid")], &nameless), None);
    assert_eq!(check(&[without(key(1), "kid")], &token), Some(TokenError::KeyUnknown));
    assert_eq!(check(&[key(2), key(1)], &token), None);
    assert_eq!(check(&[key(2), key(1)], &nameless), Some(TokenError::KeyUnknown));
    assert_eq!(check(&[key(2)], &token), Some(TokenError::KeyUnknown));
    let unnamed = [without(key(1), "kid"), without(key(2), "kid")];
    assert_eq!(load(&unnamed).unwrap_err(), JwksError::NoUsableKey.into());
}

#[test]
fn a_kid_names_one_key() {
    let kid = json!("k");
    let (one, other) = (with(key(1), "kid", kid.clone()), with(key(2), "kid", kid));
    assert!(load(&[one.clone(), one.clone()]).is_ok());
    assert_eq!(load(&[one, other]).unwrap_err(), JwksError::DuplicateKid { kid: "k".to_owned() }.into());
}

#[test]
fn a_key_set_is_an_object_within_limits() {
    for jwks in ["", "{", "[]", "[[]]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(refused(jwks), JwksError::Unreadable.into(), "{jwks}");
    }
    assert_eq!(refused(r#"{"keys":[]}"#), JwksError::NoUsableKey.into());
    let long = " ".repeat(JWKS_BYTES_MAX + 1);
    assert_eq!(refused(&long), JwksError::TooLong { bytes: long.len() }.into());
    let many = vec![key(1); JWKS_KEYS_MAX + 1];
    assert_eq!(load(&many).unwrap_err(), JwksError::TooManyKeys { count: many.len() }.into());
    assert!(load(&many[1..]).is_ok());
}

#[test]
fn names_and_leeway_are_checked() {
    let load = |parties, leeway| Verifier::new(issuer(1).jwks(), parties, leeway).map(|_| ());
    let no_issuer = Parties { issuer: String::new(), ..parties() };
    let no_audience = Parties { audience: String::new(), ..parties() };
    assert_eq!(load(no_issuer, 5), Err(VerifierError::EmptyParty { what: "issuer" }));
    assert_eq!(load(no_audience, 5), Err(VerifierError::EmptyParty { what: "audience" }));
    assert_eq!(load(parties(), 60), Ok(()));
    assert_eq!(load(parties(), 61), Err(VerifierError::Leeway { seconds: 61 }));
}
