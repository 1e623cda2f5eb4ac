//! Every way in which a token is refused, and the code of each.

use crate::{CANARY, NOW, NOW_SECONDS, base64url, claims, decoded, issuer, parties, rng, sign, verifier};
use insta::assert_snapshot;
use jsonwebtoken::{Algorithm, EncodingKey};
use proptest::prelude::*;
use scruple_identity::{Issuer, NAME_BYTES_MAX, ROLES_MAX, TOKEN_BYTES_MAX, Token, TokenError, Verifier};
use serde_json::{Value, json};

const EXP: i64 = NOW_SECONDS + 300;

/// One key and the parts of a good token.
struct Case {
    issuer: Issuer,
    verifier: Verifier,
    header: Value,
    payload: Value,
}

impl Case {
    fn new() -> Self {
        let issuer = issuer(1);
        let token = issuer.issue(&claims(), NOW, &mut rng(2)).unwrap();
        let mut parts = token.split('.').map(|part| serde_json::from_str(&decoded(part)));
        let (header, payload) = (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap());
        Self { verifier: verifier(&issuer), issuer, header, payload }
    }

    fn verify(&self, header: &Value, payload: &Value) -> Result<Token, TokenError> {
        self.verify_text(&header.to_string(), &payload.to_string())
    }

    fn verify_text(&self, header: &str, payload: &str) -> Result<Token, TokenError> {
        self.verifier.verify(&sign(&self.issuer, header, payload), NOW)
    }

    /// With one member of the header set, or removed by null.
    fn header(&self, name: &str, value: Value) -> Result<Token, TokenError> {
        self.verify(&edited(&self.header, name, value), &self.payload)
    }

    /// With one claim set, or removed by null.
    fn claim(&self, name: &str, value: Value) -> Result<Token, TokenError> {
        self.verify(&self.header, &edited(&self.payload, name, value))
    }
}

fn edited(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
    object
}

fn code(result: Result<Token, TokenError>) -> &'static str {
    result.map_or_else(TokenError::code, |_| "accepted")
}

/// Made once with another library (pyca/cryptography), so that two errors of ours cannot agree.
#[test]
fn a_token_of_another_hand_is_read() {
    let jwks = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"2026-11",
        "x":"hfXcDeotgd_0eSaOK1nfZG0jJl73g0J0SuCM6b7bsZI","y":"IkI1xemxhahIKbmJfv-9Nvoat0yRW7uvYjSc72JBoFg"}]}"#;
    let token = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6IjIwMjYtMTEifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlI\
        iwiYXVkIjpbImh0dHBzOi8vZ2F0ZXdheS5leGFtcGxlL2ZoaXIiXSwic3ViIjoidTEiLCJjbGllbnRfaWQiOiJlaHIiLCJqdGkiO\
        iJ0MSIsImlhdCI6MTc5NTgyNDAwMCwiZXhwIjoxNzk1ODI0MzAwLCJyb2xlcyI6WyJudXJzZSJdLCJleHRlbnNpb25zIjp7ImloZ\
        V9pdWEiOnsicHVycG9zZV9vZl91c2UiOlt7InN5c3RlbSI6InVybjpvaWQ6Mi4xNi44NDAuMS4xMTM4ODMuNS44IiwiY29kZSI6I\
        lRSRUFUIn1dfX19.rDGmSkhDW_rgo5Kolk0L5n6ib5-NHCbcE5YclTvQxrlx0w2eu-\
        8kdi8v_P9eo3uUGpvxo7SjDL0FxFrw84rqYQ";
    let read = Verifier::new(jwks, parties(), 0).unwrap().verify(token, NOW).unwrap();
    assert_eq!((read.subject(), read.client_id(), read.jti()), ("u1", "ehr", "t1"));
    assert_eq!((read.roles(), read.purpose()), (&["nurse".to_owned()][..], Some("TREAT")));
    assert_eq!(read.expires_at(), NOW.plus_micros(300_000_000));
}

#[test]
fn a_header_says_es256_at_jwt_and_a_known_key() {
    let case = Case::new();
    for (name, value, expected) in [
        ("typ", json!("AT+JWT"), "accepted"),
        ("typ", json!("application/at+jwt"), "accepted"),
        ("typ", json!("Application/AT+jwt"), "accepted"),
        ("typ", json!("JWT"), "token_malformed"),
        ("typ", json!(null), "token_malformed"),
        ("typ", json!(["at+jwt"]), "token_malformed"),
        ("alg", json!(null), "token_algorithm"),
        ("alg", json!("none"), "token_algorithm"),
        ("alg", json!("es256"), "token_algorithm"),
        ("alg", json!("ES384"), "token_algorithm"),
        ("alg", json!("RS256"), "token_algorithm"),
        ("kid", json!(null), "accepted"),
        ("kid", json!("other"), "token_key_unknown"),
        ("kid", json!(""), "token_key_unknown"),
        ("crit", json!([]), "token_malformed"),
        ("crit", json!(["exp"]), "token_malformed"),
        ("jku", json!("https://evil.example/jwks"), "accepted"),
        ("x5u", json!("https://evil.example/x5"), "accepted"),
        ("jwk", json!({"kty": "EC"}), "accepted"),
    ] {
        assert_eq!(code(case.header(name, value.clone())), expected, "{name} {value}");
    }
    let kid = &case.header["kid"];
    let payload = case.payload.to_string();
    for (header, expected) in [
        (format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{kid},"crit":null}}"#), "token_malformed"),
        (format!(r#"{{"alg":"none","alg":"ES256","typ":"at+jwt","kid":{kid}}}"#), "token_malformed"),
        (format!(r#"{{"alg":"ES256","alg":"none","typ":"at+jwt","kid":{kid}}}"#), "token_malformed"),
        (format!(r#"["ES256","at+jwt",{kid}]"#), "token_malformed"),
        ("null".to_owned(), "token_malformed"),
        (String::new(), "token_malformed"),
    ] {
        assert_eq!(code(case.verify_text(&header, &payload)), expected, "{header}");
    }
}

#[test]
fn a_signature_is_by_the_known_key_alone() {
    let case = Case::new();
    let (header, payload) = (case.header.to_string(), case.payload.to_string());
    let refused = |token: &str| code(case.verifier.verify(token, NOW));
    // Another key under the same name, also when the token brings that key along.
    let forger = issuer(9);
    assert_eq!(refused(&sign(&forger, &header, &payload)), "token_signature");
    let jwks: Value = serde_json::from_str(forger.jwks()).unwrap();
    let own_key = edited(&case.header, "jwk", jwks["keys"][0].clone()).to_string();
    assert_eq!(refused(&sign(&forger, &own_key, &payload)), "token_signature");
    // No signature at all.
    let none = edited(&case.header, "alg", json!("none")).to_string();
    assert_eq!(refused(&format!("{}.{}.", base64url(&none), base64url(&payload))), "token_algorithm");
    assert_eq!(refused(&format!("{}.{}.", base64url(&header), base64url(&payload))), "token_signature");
    assert_eq!(
        refused(&format!("{}.{}.{}", base64url(&header), base64url(&payload), base64url([0; 64]))),
        "token_signature"
    );
    // The public key taken for a shared secret, whether the token says HS256 or still ES256.
    let hs256 = edited(&case.header, "alg", json!("HS256")).to_string();
    for (header, expected) in [(&hs256, "token_algorithm"), (&header, "token_signature")] {
        let message = format!("{}.{}", base64url(header), base64url(&payload));
        let secret = EncodingKey::from_secret(case.issuer.jwks().as_bytes());
        let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap();
        assert_eq!(refused(&format!("{message}.{mac}")), expected);
    }
    // A good signature over other claims.
    let good = sign(&case.issuer, &header, &payload);
    let signature = good.rsplit('.').next().unwrap();
    let raised = edited(&case.payload, "roles", json!(["chief"])).to_string();
    assert_eq!(refused(&format!("{}.{}.{signature}", base64url(&header), base64url(raised))), "token_signature");
}

#[test]
fn a_token_has_three_parts_in_one_spelling() {
    let case = Case::new();
    let good = sign(&case.issuer, &case.header.to_string(), &case.payload.to_string());
    let refused = |token: &str| code(case.verifier.verify(token, NOW));
    assert_eq!(refused(&good), "accepted");
    let (message, signature) = good.rsplit_once('.').unwrap();
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        message.to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{message}..{signature}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{message}.{}ä", &signature[..10]),
    ] {
        assert_eq!(refused(&token), "token_malformed", "{token}");
    }
    assert_eq!(refused(&"a".repeat(TOKEN_BYTES_MAX)), "token_malformed");
    assert_eq!(refused(&"a".repeat(TOKEN_BYTES_MAX + 1)), "token_too_long");
    let padded = edited(&case.payload, "pad", json!("x".repeat(TOKEN_BYTES_MAX)));
    assert_eq!(code(case.verify(&case.header, &padded)), "token_too_long");
}

#[test]
fn claims_are_there_once_and_of_their_type() {
    let case = Case::new();
    let aud = case.payload["aud"].clone();
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    for (name, value, expected) in [
        ("iss", json!(null), "token_claims"),
        ("iss", json!("https://idp.example/"), "token_issuer"),
        ("iss", json!(["https://idp.example"]), "token_claims"),
        ("aud", json!(null), "token_claims"),
        ("aud", json!("https://gateway.example"), "token_audience"),
        ("aud", json!([]), "token_audience"),
        ("aud", json!(["https://other.example", aud]), "accepted"),
        ("aud", json!([7, aud]), "token_claims"),
        ("exp", json!(null), "token_claims"),
        ("exp", json!(EXP.to_string()), "token_claims"),
        ("exp", json!(-1), "token_claims"),
        ("exp", json!(253_402_300_800_i64), "token_claims"),
        ("exp", json!(u64::MAX), "token_claims"),
        ("exp", json!(1e300), "token_claims"),
        ("exp", json!(253_402_300_799_i64), "accepted"),
        ("iat", json!(null), "token_claims"),
        ("iat", json!("now"), "token_claims"),
        ("nbf", json!({}), "token_claims"),
        ("sub", json!(null), "token_claims"),
        ("sub", json!(""), "token_claims"),
        ("sub", json!(7), "token_claims"),
        ("sub", json!("a\nb"), "token_claims"),
        ("sub", json!("a\u{85}b"), "token_claims"),
        ("sub", json!(long), "token_claims"),
        ("sub", json!(&long[1..]), "accepted"),
        ("sub", json!("Zoë Müller"), "accepted"),
        ("jti", json!(null), "token_claims"),
        ("jti", json!(""), "token_claims"),
        ("jti", json!(long), "token_claims"),
        ("client_id", json!(null), "token_claims"),
        ("client_id", json!("\0"), "token_claims"),
        ("roles", json!(null), "accepted"),
        ("roles", json!("nurse"), "token_claims"),
        ("roles", json!(["nurse", 1]), "token_claims"),
        ("roles", json!([""]), "token_claims"),
        ("roles", json!([long]), "token_claims"),
        ("roles", json!(vec!["nurse"; ROLES_MAX]), "accepted"),
        ("roles", json!(vec!["nurse"; ROLES_MAX + 1]), "token_claims"),
        ("scope", json!({"any": "thing"}), "accepted"),
    ] {
        assert_eq!(code(case.claim(name, value.clone())), expected, "{name} {value}");
    }
    let header = case.header.to_string();
    let payload = case.payload.to_string();
    let before = |text: &str| payload.replacen('{', &format!("{{{text},"), 1);
    for (claims, expected) in [
        (before(r#""sub":"other""#), "token_claims"),
        (before(r#""s\u0075b":"other""#), "token_claims"),
        (before(r#""roles":["chief"]"#), "token_claims"),
        (before(r#""extensions":{}"#), "token_claims"),
        (before(r#""exp":1"#), "token_claims"),
        (before(r#""other":1,"other":2"#), "accepted"),
        (payload.replace(r#"["nurse"]"#, "null"), "token_claims"),
        (format!("[{payload}]"), "token_claims"),
        // The good claims by their place alone.
        (format!(r#"["https://idp.example",{aud},{EXP},null,1,"s","j","c",[],null]"#), "token_claims"),
        (format!("{payload}{{}}"), "token_claims"),
        (String::new(), "token_claims"),
    ] {
        assert_eq!(code(case.verify_text(&header, &claims)), expected, "{claims}");
    }
    let several = case.claim("roles", json!(["nurse", "biller"])).unwrap();
    assert_eq!(several.roles(), ["nurse", "biller"]);
}

#[test]
fn times_are_exact_to_the_microsecond() {
    let case = Case::new();
    let header = case.header.to_string();
    let at = |iat: Value, nbf: Value, exp: Value, micros: i64| {
        let payload = edited(&edited(&edited(&case.payload, "iat", iat), "nbf", nbf), "exp", exp).to_string();
        code(case.verifier.verify(&sign(&case.issuer, &header, &payload), NOW.plus_micros(micros)))
    };
    let (now, exp) = (json!(NOW_SECONDS), json!(EXP));
    let end = 305_000_000;
    assert_eq!(at(now.clone(), json!(null), exp.clone(), end - 1), "accepted");
    assert_eq!(at(now.clone(), json!(null), exp.clone(), end), "token_expired");
    assert_eq!(at(now.clone(), json!(null), exp.clone(), -5_000_000), "accepted");
    assert_eq!(at(now.clone(), json!(null), exp.clone(), -5_000_001), "token_not_yet");
    let later = json!(NOW_SECONDS + 10);
    assert_eq!(at(now.clone(), later.clone(), exp.clone(), 5_000_000), "accepted");
    assert_eq!(at(now.clone(), later.clone(), exp.clone(), 4_999_999), "token_not_yet");
    assert_eq!(at(later.clone(), now.clone(), exp.clone(), 4_999_999), "token_not_yet");
    let half = json!(EXP as f64 + 0.5);
    assert_eq!(at(now.clone(), json!(null), half.clone(), end + 499_999), "accepted");
    assert_eq!(at(now.clone(), json!(null), half, end + 500_000), "token_expired");
    assert_eq!(at(now, later, json!(1), i64::MAX), "token_expired");
}

#[test]
fn a_purpose_is_one_code_of_act_reason() {
    let case = Case::new();
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    for (written, expected) in [
        (json!([{"system": system, "code": "TREAT"}]), Some("TREAT")),
        (json!([{"system": "urn:oid:2.16.840.1.113883.5.8", "code": "HPAYMT"}]), Some("HPAYMT")),
        (json!([{"code": "TREAT", "display": "treatment"}]), Some("TREAT")),
        (json!(["TREAT"]), Some("TREAT")),
        (json!("TREAT"), Some("TREAT")),
        (json!({"code": "TREAT"}), Some("TREAT")),
        (json!([]), None),
        (json!([[]]), None),
        (json!([["TREAT"]]), None),
        (json!([[system, "TREAT"]]), None),
        (json!([system, "TREAT"]), None),
        (json!(["TREAT", "TREAT"]), None),
        (json!([{"code": "TREAT"}, {"code": "HOPERAT"}]), None),
        (json!([{"system": "urn:other", "code": "TREAT"}]), None),
        (json!([{"system": 1, "code": "TREAT"}]), None),
        (json!([{"system": system}]), None),
        (json!([{"code": ["TREAT"]}]), None),
        (json!(""), None),
        (json!("TREAT HOPERAT"), None),
        (json!("TREAT\n"), None),
        (json!("T".repeat(65)), None),
        (json!(7), None),
        (json!(true), None),
    ] {
        let token = case.claim("extensions", json!({"ihe_iua": {"purpose_of_use": written}})).unwrap();
        assert_eq!(token.purpose(), expected, "{written}");
    }
    for extensions in [json!(null), json!({}), json!([]), json!("x"), json!({"ihe_iua": []}), json!({"ihe_iua": {}})] {
        assert_eq!(case.claim("extensions", extensions.clone()).unwrap().purpose(), None, "{extensions}");
    }
    // Written twice, on any level, it is none: two readers might take two different ones.
    let whole = case.payload["extensions"].to_string();
    for twice in [
        r#"{"ihe_iua":{"purpose_of_use":"TREAT"},"ihe_iua":{"purpose_of_use":"BTG"}}"#,
        r#"{"ihe_iua":{"purpose_of_use":"TREAT","purpose_of_use":"BTG"}}"#,
        r#"{"ihe_iua":{"purpose_of_use":[{"code":"TREAT","code":"BTG"}]}}"#,
    ] {
        let payload = case.payload.to_string().replace(&whole, twice);
        assert_eq!(case.verify_text(&case.header.to_string(), &payload).unwrap().purpose(), None, "{twice}");
    }
}

#[test]
fn nothing_printed_holds_a_part_of_the_token() {
    let case = Case::new();
    assert_snapshot!(format!("{:?}", case.claim("jti", json!(CANARY)).unwrap()), @r#"Token { subject: .., client_id: "ehr", jti: .., valid_from: 2026-11-28T00:00:00.000000Z, expires_at: 2026-11-28T00:05:00.000000Z, roles: ["nurse"], purpose: Some("TREAT"), scopes: [], .. }"#);
    let mut said = String::new();
    for name in ["alg", "typ", "kid", "crit"] {
        let refused = case.header(name, json!(CANARY)).unwrap_err();
        said.push_str(&format!("{}: {refused}\n", refused.code()));
        said.push_str(&format!("{refused:?}\n"));
    }
    for name in ["iss", "aud", "exp", "nbf", "roles"] {
        let refused = case.claim(name, json!(CANARY)).unwrap_err();
        said.push_str(&format!("{}: {refused}\n", refused.code()));
        said.push_str(&format!("{refused:?}\n"));
    }
    assert!(!said.contains(CANARY));
    assert_snapshot!(said, @r#"
    token_algorithm: access token is not signed with ES256
    Algorithm
    token_malformed: access token is malformed: its `typ` is not `at+jwt`
    Malformed { what: "its `typ` is not `at+jwt`" }
    token_key_unknown: access token names a key that is not known
    KeyUnknown
    token_malformed: access token is malformed: the header has `crit`
    Malformed { what: "the header has `crit`" }
    token_issuer: access token comes from another issuer
    Issuer
    token_audience: access token is meant for another audience
    Audience
    token_claims: claim `*` of the access token is missing or unusable
    Claims { claim: "*" }
    token_claims: claim `*` of the access token is missing or unusable
    Claims { claim: "*" }
    token_claims: claim `*` of the access token is missing or unusable
    Claims { claim: "*" }
    "#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_changed_byte_is_never_another_token(at in any::<prop::sample::Index>(), byte in 0_u8..128, act in 0..3) {
        let case = Case::new();
        let good = sign(&case.issuer, &case.header.to_string(), &case.payload.to_string());
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        match act {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != good);
        prop_assert!(case.verifier.verify(&good, NOW).is_ok());
        prop_assert!(case.verifier.verify(&changed, NOW).is_err());
    }

    #[test]
    fn any_signed_claims_are_read_or_refused(payload in "\\PC*", header in "\\PC*", text in "[A-Za-z0-9_.-]*") {
        let case = Case::new();
        prop_assert!(case.verify_text(&case.header.to_string(), &payload).is_err());
        prop_assert!(case.verify_text(&header, &case.payload.to_string()).is_err());
        prop_assert!(case.verifier.verify(&text, NOW).is_err());
    }
}
