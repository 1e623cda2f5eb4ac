//! Sign-in at a provider that is made here.

use crate::{CANARY, NOW, NOW_SECONDS, base64url, rng};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{hmac, signature};
use insta::assert_snapshot;
use scruple_core::Timestamp;
use scruple_identity::oidc::{
    ANSWER_BYTES_MAX, Ask, Client, DOCUMENT_BYTES_MAX, FLOW_SECONDS_MAX, KeySet, Login, OidcError, Provider,
    QUERY_BYTES_MAX, RelyingParty, Started,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::Url;

const ISSUER: &str = "https://idp.example/realm";
const LEEWAY: u32 = 5;

fn discovery() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://idp.example/realm/authorize",
        "token_endpoint": "https://idp.example/realm/token",
        "jwks_uri": "https://idp.example/realm/keys",
        "response_types_supported": ["code", "code id_token"],
        "id_token_signing_alg_values_supported": ["HS256", "RS256"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "scopes_supported": ["openid"],
    })
}

fn client() -> Client {
    Client {
        id: "scruple".to_owned(),
        secret: Some(SecretString::from(format!("{CANARY}: &"))),
        redirect_uri: "https://console.example/sign-in/back".to_owned(),
    }
}

fn provider(document: &Value) -> Provider {
    Provider::parse(&document.to_string(), ISSUER).unwrap()
}

fn party() -> RelyingParty {
    RelyingParty::new(provider(&discovery()), client(), LEEWAY).unwrap()
}

fn start(ask: &Ask) -> Started {
    party().start(ask, NOW, &mut rng(1)).unwrap()
}

fn query(address: &str) -> BTreeMap<String, String> {
    Url::parse(address).unwrap().query_pairs().into_owned().collect()
}

fn later(seconds: i64) -> Timestamp {
    NOW.plus_micros(seconds * 1_000_000)
}

/// The keys of the provider.
struct Keys {
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Keys {
    fn new() -> Self {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { ec, rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    fn ec_jwk(&self) -> Value {
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "x": base64url(x), "y": base64url(y)})
    }

    fn rsa_jwk(&self) -> Value {
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": base64url(n), "e": base64url(e)})
    }

    fn set(&self) -> KeySet {
        key_set(&[self.ec_jwk(), self.rsa_jwk()]).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn signature::RsaEncoding| {
            let mut bytes = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(padding, &random, message.as_bytes(), &mut bytes).unwrap();
            bytes
        };
        let signature = match header["alg"].as_str() {
            Some("ES256") => self.ec.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Some("RS256") => rsa(&RSA_PKCS1_SHA256),
            Some("PS256") => rsa(&RSA_PSS_SHA256),
            _ => Vec::new(),
        };
        format!("{message}.{}", base64url(signature))
    }
}

fn key_set(keys: &[Value]) -> Result<KeySet, OidcError> {
    KeySet::parse(&json!({ "keys": keys }).to_string())
}

fn claims(started: &Started) -> Value {
    json!({
        "iss": ISSUER, "aud": "scruple", "sub": format!("{CANARY}-sub"), "nonce": query(&started.address)["nonce"],
        "iat": NOW_SECONDS, "exp": NOW_SECONDS + 300, "auth_time": NOW_SECONDS - 20, "acr": "phr", "amr": ["hwk", "mfa"],
        "sid": "s1", "name": format!("{CANARY} Nurse"), "email": "nurse@example.org", "email_verified": true,
    })
}

fn answer(token: &str) -> String {
    json!({"access_token": "unused", "token_type": "Bearer", "id_token": token}).to_string()
}

/// A sign-in with one thing changed in the claims (`null` takes the claim away).
fn sign_in(ask: &Ask, now: Timestamp, changes: &[(&str, Value)]) -> Result<Login, OidcError> {
    let (keys, started) = (Keys::new(), start(ask));
    let mut claims = claims(&started);
    for (claim, value) in changes {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(*claim)),
            value => claims[*claim] = value.clone(),
        }
    }
    let token = keys.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims);
    party().finish(&started.flow, &answer(&token), &keys.set(), now)
}

fn refused(changes: &[(&str, Value)]) -> Result<(), OidcError> {
    sign_in(&Ask::default(), NOW, changes).map(|_| ())
}

#[test]
fn the_browser_is_sent_with_state_nonce_and_challenge() {
    let ask = Ask {
        scopes: vec!["email".to_owned()],
        acr_values: vec!["phr".to_owned(), "phrh".to_owned()],
        max_age_seconds: Some(300),
        login_hint: Some("a&b@example.org".to_owned()),
    };
    let started = start(&ask);
    assert_snapshot!(started.address, @"https://idp.example/realm/authorize?response_type=code&client_id=scruple&redirect_uri=https%3A%2F%2Fconsole.example%2Fsign-in%2Fback&scope=openid%20email&state=sQ2kjOpMCWdrjg782AaUFGUGBzYDK7iYQg0IY9ynJTg&nonce=5csb1VPyn0hYIOLpNo3qtReK_37g3wl2jkjFtUI_FCc&code_challenge=3Dhx-JHBVPwTZ484EO-S0Yj1Bn2gFpyA7SsOBjDUdlY&code_challenge_method=S256&acr_values=phr%20phrh&max_age=300&login_hint=a%26b%40example.org");
    let flow: Value = serde_json::from_slice(&started.flow).unwrap();
    let asked = query(&started.address);
    let verifier = flow["verifier"].as_str().unwrap();
    assert_eq!(verifier.len(), 43);
    assert_eq!(asked["code_challenge"], base64url(digest(&SHA256, verifier.as_bytes())));
    assert_eq!(
        (&asked["state"], &asked["nonce"]),
        (&flow["state"].as_str().unwrap().to_owned(), &flow["nonce"].as_str().unwrap().to_owned())
    );
    assert!(asked["state"] != asked["nonce"] && asked["state"] != verifier);
    let other = party().start(&ask, NOW, &mut rng(2)).unwrap();
    assert_ne!(query(&other.address)["state"], asked["state"]);
    let plain = start(&Ask::default());
    assert_eq!(
        query(&plain.address).keys().map(String::as_str).collect::<Vec<_>>().join(" "),
        "client_id code_challenge code_challenge_method nonce redirect_uri response_type scope state"
    );
    let mut document = discovery();
    document["authorization_endpoint"] = json!("https://idp.example/authorize?tenant=1");
    let party = RelyingParty::new(provider(&document), client(), LEEWAY).unwrap();
    let started = party.start(&Ask::default(), NOW, &mut rng(1)).unwrap();
    assert!(started.address.starts_with("https://idp.example/authorize?tenant=1&response_type=code&"));
    for unfit in ["", "a b", "a\tb"] {
        let ask = Ask { scopes: vec![unfit.to_owned()], ..Ask::default() };
        assert!(matches!(party.start(&ask, NOW, &mut rng(1)), Err(OidcError::Client { .. })), "{unfit:?}");
    }
}

#[test]
fn a_redirect_belongs_to_its_flow() {
    let started = start(&Ask::default());
    let state = &query(&started.address)["state"];
    let party = party();
    let code = |query: &str| party.code(&started.flow, query, NOW).map(|_| ());
    let redirect = |what| Err(OidcError::Redirect { what });
    assert_eq!(code(&format!("code=abc&state={state}")), Ok(()));
    assert_eq!(code(&format!("state={state}&code=abc&session_state=x&iss=https%3A%2F%2Fidp.example%2Frealm")), Ok(()));
    assert_eq!(code("code=abc"), Err(OidcError::State));
    assert_eq!(code("code=abc&state="), Err(OidcError::State));
    assert_eq!(code(&format!("code=abc&state={state}x")), Err(OidcError::State));
    assert_eq!(code("error=access_denied"), Err(OidcError::State), "a refusal must be ours too");
    assert_eq!(code(&format!("code=abc&state={state}&iss=https://evil.example")), Err(OidcError::Issuer));
    assert_eq!(code(&format!("code=abc&code=abd&state={state}")), redirect("a parameter stands twice"));
    assert_eq!(code(&format!("state={state}")), redirect("it has no code"));
    assert_eq!(code(&format!("state={state}&code=")), redirect("it has no code"));
    assert_eq!(code(&"x".repeat(QUERY_BYTES_MAX + 1)), redirect("it is too long"));
    for (error, reason) in [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("unmet_authentication_requirements", "unmet_authentication_requirements"),
        ("<script>", "other"),
        ("", "other"),
    ] {
        let query = format!("error={error}&error_description=x&state={state}&code=abc");
        assert_eq!(code(&query), Err(OidcError::Refused { reason }), "{error}");
    }
}

#[test]
fn a_provider_that_says_it_names_itself_must() {
    let mut document = discovery();
    document["authorization_response_iss_parameter_supported"] = json!(true);
    let party = RelyingParty::new(provider(&document), client(), LEEWAY).unwrap();
    let started = party.start(&Ask::default(), NOW, &mut rng(1)).unwrap();
    let state = &query(&started.address)["state"];
    let code = |query: &str| party.code(&started.flow, query, NOW).map(|_| ());
    assert_eq!(code(&format!("code=abc&state={state}")), Err(OidcError::Issuer));
    assert_eq!(code(&format!("code=abc&state={state}&iss={ISSUER}")), Ok(()));
}

#[test]
fn the_code_is_exchanged_with_the_verifier() {
    let started = start(&Ask::default());
    let flow: Value = serde_json::from_slice(&started.flow).unwrap();
    let back = format!("code=a%2Bb%20c&state={}", flow["state"].as_str().unwrap());
    let body = |party: &RelyingParty| {
        let code = party.code(&started.flow, &back, NOW).unwrap();
        let request = party.token_request(&started.flow, &code, NOW).unwrap();
        assert_eq!(request.address, "https://idp.example/realm/token");
        let printed = format!("{request:?} {code:?} {party:?} {started:?}");
        assert!(!printed.contains(CANARY) && !printed.contains("a+b") && !printed.contains("a%2Bb"), "{printed}");
        let body: BTreeMap<String, String> =
            url::form_urlencoded::parse(request.body.expose_secret().as_bytes()).into_owned().collect();
        (request.authorization.map(|header| header.expose_secret().to_owned()), body)
    };
    let expected = [
        ("code", "a+b c"),
        ("code_verifier", flow["verifier"].as_str().unwrap()),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://console.example/sign-in/back"),
    ];
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (header, sent) = body(&party());
    assert_eq!(sent, expected);
    // scruple:Zq7CANARY%3A%20%26
    assert_eq!(header.as_deref(), Some("Basic c2NydXBsZTpacTdDQU5BUlklM0ElMjAlMjY="));

    let mut document = discovery();
    document["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt", "client_secret_post"]);
    let (header, sent) = body(&RelyingParty::new(provider(&document), client(), LEEWAY).unwrap());
    assert_eq!((header, sent["client_secret"].as_str()), (None, "Zq7CANARY: &"));
    assert_eq!(sent["client_id"], "scruple");

    let public = Client { secret: None, ..client() };
    let (header, sent) = body(&RelyingParty::new(provider(&discovery()), public, LEEWAY).unwrap());
    assert_eq!((header, sent["client_id"].as_str(), sent.get("client_secret")), (None, "scruple", None));
}

#[test]
fn a_good_token_says_who_signed_in_and_how() {
    let login = sign_in(&Ask::default(), NOW, &[]).unwrap();
    assert_eq!((login.issuer(), login.subject()), (ISSUER, "Zq7CANARY-sub"));
    assert_eq!((login.acr(), login.amr()), (Some("phr"), &["hwk".to_owned(), "mfa".to_owned()][..]));
    assert_eq!(login.authenticated_at(), Some(later(-20)));
    assert_eq!(login.expires_at(), later(300));
    assert_eq!(login.provider_session(), Some("s1"));
    assert_eq!((login.name(), login.email()), (Some("Zq7CANARY Nurse"), Some("nurse@example.org")));
    assert!(!format!("{login:?}").contains(CANARY));
    let bare = ["acr", "amr", "auth_time", "sid", "name", "email_verified"].map(|claim| (claim, Value::Null));
    let login = sign_in(&Ask::default(), NOW, &bare).unwrap();
    assert_eq!((login.acr(), login.amr(), login.authenticated_at()), (None, &[][..], None));
    assert_eq!((login.provider_session(), login.name(), login.email()), (None, None, None));
}

#[test]
fn a_token_is_refused_for_its_claims() {
    let missing = |claim| Err(OidcError::Claims { claim });
    for (claim, value, expected) in [
        ("iss", json!("https://idp.example/realm/"), Err(OidcError::Issuer)),
        ("iss", json!("https://evil.example"), Err(OidcError::Issuer)),
        ("iss", Value::Null, missing("iss")),
        ("aud", json!("other"), Err(OidcError::Audience)),
        ("aud", json!(["other"]), Err(OidcError::Audience)),
        ("aud", json!([]), Err(OidcError::Audience)),
        ("aud", json!(["other", "another"]), Err(OidcError::Audience)),
        ("aud", json!(["scruple"]), Ok(())),
        ("aud", json!(["scruple", "other"]), Err(OidcError::Audience)),
        ("aud", Value::Null, missing("aud")),
        ("aud", json!(7), missing("*")),
        ("azp", json!("scruple"), Ok(())),
        ("azp", json!("other"), Err(OidcError::Audience)),
        ("nonce", json!("other"), Err(OidcError::Nonce)),
        ("nonce", json!(""), Err(OidcError::Nonce)),
        ("nonce", Value::Null, Err(OidcError::Nonce)),
        ("sub", Value::Null, missing("sub")),
        ("sub", json!(""), missing("sub")),
        ("sub", json!("a\nb"), missing("sub")),
        ("sub", json!("x".repeat(256)), missing("sub")),
        ("exp", Value::Null, missing("exp")),
        ("exp", json!("soon"), missing("*")),
        ("exp", json!(-1), missing("exp")),
        ("exp", json!(NOW_SECONDS - 5), Err(OidcError::Expired)),
        ("exp", json!(NOW_SECONDS - 4), Ok(())),
        ("iat", Value::Null, missing("iat")),
        ("iat", json!(NOW_SECONDS + 5), Ok(())),
        ("iat", json!(NOW_SECONDS + 6), Err(OidcError::NotYet)),
        ("nbf", json!(NOW_SECONDS + 5), Ok(())),
        ("nbf", json!(NOW_SECONDS + 6), Err(OidcError::NotYet)),
        ("auth_time", json!(NOW_SECONDS + 6), missing("auth_time")),
        ("auth_time", json!(-1), missing("auth_time")),
        ("amr", json!("mfa"), missing("*")),
        ("amr", json!([""]), missing("amr")),
        ("amr", json!(vec!["x"; 17]), missing("amr")),
        ("email_verified", json!(false), Ok(())),
    ] {
        assert_eq!(refused(&[(claim, value.clone())]), expected, "{claim} {value}");
    }
    let ours = [("aud", json!(["scruple", "other"])), ("azp", json!("scruple"))];
    assert_eq!(refused(&ours), Ok(()));
    let not_ours = [("aud", json!(["another", "other"])), ("azp", json!("scruple"))];
    assert_eq!(refused(&not_ours), Err(OidcError::Audience));
    let unverified = sign_in(&Ask::default(), NOW, &[("email_verified", json!(false))]).unwrap();
    assert_eq!(unverified.email(), None);
}

#[test]
fn a_token_expires_at_the_microsecond() {
    let leeway = i64::from(LEEWAY);
    let finish = |now| sign_in(&Ask::default(), now, &[]).map(|_| ());
    assert_eq!(finish(later(300 + leeway).plus_micros(-1)), Ok(()));
    assert_eq!(finish(later(300 + leeway)), Err(OidcError::Expired));
    assert_eq!(finish(later(-leeway)), Ok(()));
    assert_eq!(finish(later(-leeway).plus_micros(-1)), Err(OidcError::NotYet));
}

#[test]
fn a_stronger_or_newer_proof_is_had_if_it_is_asked_for() {
    let acr =
        |values: &[&str]| Ask { acr_values: values.iter().map(|one| (*one).to_owned()).collect(), ..Ask::default() };
    let finish = |ask: &Ask, changes: &[(&str, Value)]| sign_in(ask, later(60), changes).map(|_| ());
    assert_eq!(finish(&acr(&["phr"]), &[]), Ok(()));
    assert_eq!(finish(&acr(&["phrh", "phr"]), &[]), Ok(()));
    assert_eq!(finish(&acr(&["phrh"]), &[]), Err(OidcError::Acr));
    assert_eq!(finish(&acr(&["phr"]), &[("acr", Value::Null)]), Err(OidcError::Acr));

    let age = |seconds| Ask { max_age_seconds: Some(seconds), ..Ask::default() };
    assert_eq!(finish(&age(20), &[]), Ok(()));
    assert_eq!(finish(&age(15), &[]), Ok(()), "within the leeway");
    assert_eq!(finish(&age(14), &[]), Err(OidcError::TooOld));
    assert_eq!(finish(&age(0), &[]), Err(OidcError::TooOld));
    assert_eq!(finish(&age(0), &[("auth_time", json!(NOW_SECONDS))]), Ok(()));
    assert_eq!(finish(&age(0), &[("auth_time", json!(NOW_SECONDS + 50))]), Ok(()));
    assert_eq!(finish(&age(60), &[("auth_time", Value::Null)]), Err(OidcError::Claims { claim: "auth_time" }));
}

#[test]
fn only_three_algorithms_with_the_providers_keys_are_taken() {
    let (keys, started) = (Keys::new(), start(&Ask::default()));
    let party = party();
    let set = keys.set();
    let finish = |token: &str| party.finish(&started.flow, &answer(token), &set, NOW).map(|_| ());
    let claims = claims(&started);
    let signed = |header: Value| finish(&keys.sign(&header, &claims));
    let malformed = |what| Err(OidcError::Malformed { what });
    assert_eq!(signed(json!({"alg": "ES256", "kid": "ec"})), Ok(()));
    assert_eq!(signed(json!({"alg": "RS256", "kid": "rsa"})), Ok(()));
    assert_eq!(signed(json!({"alg": "PS256", "kid": "rsa", "typ": "JWT"})), Ok(()));
    assert_eq!(signed(json!({"alg": "RS256"})), Ok(()), "the only key of its kind");
    assert_eq!(signed(json!({"alg": "RS256", "kid": "ec"})), Err(OidcError::KeyUnknown));
    assert_eq!(signed(json!({"alg": "ES256", "kid": "rsa"})), Err(OidcError::KeyUnknown));
    assert_eq!(signed(json!({"alg": "ES256", "kid": "new"})), Err(OidcError::KeyUnknown));
    for alg in ["none", "None", "HS256", "HS384", "RS384", "RS512", "PS512", "ES384", "EdDSA", "es256", ""] {
        assert_eq!(signed(json!({"alg": alg, "kid": "ec"})), Err(OidcError::Algorithm), "{alg}");
    }
    assert_eq!(signed(json!({"kid": "ec"})), Err(OidcError::Algorithm));
    assert_eq!(signed(json!({"alg": "ES256", "kid": "ec", "typ": "at+jwt"})), malformed("its `typ` is not `JWT`"));
    assert_eq!(signed(json!({"alg": "ES256", "kid": "ec", "typ": "logout+jwt"})), malformed("its `typ` is not `JWT`"));
    assert_eq!(signed(json!({"alg": "ES256", "kid": "ec", "crit": ["b64"]})), malformed("the header has `crit`"));

    // The public key as a shared secret, under the names of each.
    let modulus = keys.rsa_jwk()["n"].as_str().unwrap().to_owned();
    for alg in ["HS256", "RS256"] {
        let message =
            format!("{}.{}", base64url(json!({"alg": alg, "kid": "rsa"}).to_string()), base64url(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, modulus.as_bytes()), message.as_bytes());
        let expected = if alg == "HS256" { OidcError::Algorithm } else { OidcError::Signature };
        assert_eq!(finish(&format!("{message}.{}", base64url(tag))), Err(expected), "{alg}");
    }
    // One padding for the other.
    let token = keys.sign(&json!({"alg": "RS256", "kid": "rsa"}), &claims);
    let (message, _) = token.rsplit_once('.').unwrap();
    let mut bytes = vec![0; keys.rsa.public_modulus_len()];
    keys.rsa.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut bytes).unwrap();
    assert_eq!(finish(&format!("{message}.{}", base64url(bytes))), Err(OidcError::Signature));
}

#[test]
fn a_changed_token_is_refused() {
    let (keys, started) = (Keys::new(), start(&Ask::default()));
    let (party, set) = (party(), keys.set());
    let token = keys.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims(&started));
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(party.finish(&started.flow, &answer(&changed), &set, NOW).is_err(), "{place}");
    }
    for unfit in ["", ".", "..", "a.b", "a.b.c.d", "e30.e30.", &token.replace('.', "-")] {
        let refused = party.finish(&started.flow, &answer(unfit), &set, NOW).map(|_| ());
        assert!(matches!(refused, Err(OidcError::Malformed { .. } | OidcError::Algorithm)), "{unfit} {refused:?}");
    }
}

#[test]
fn new_keys_are_fetched_once_and_the_same_answer_is_judged_again() {
    let (old, new, started) = (Keys::new(), Keys::new(), start(&Ask::default()));
    let party = party();
    let renamed = |mut key: Value| {
        key["kid"] = json!("2027");
        key
    };
    let answer = answer(&new.sign(&json!({"alg": "ES256", "kid": "2027"}), &claims(&started)));
    let finish = |set: &KeySet| party.finish(&started.flow, &answer, set, NOW).map(|_| ());
    assert_eq!(finish(&old.set()), Err(OidcError::KeyUnknown));
    assert_eq!(finish(&key_set(&[old.ec_jwk(), renamed(new.ec_jwk())]).unwrap()), Ok(()));
    assert_eq!(finish(&key_set(&[renamed(old.ec_jwk())]).unwrap()), Err(OidcError::Signature));
    // A provider that gives one name to two keys.
    assert_eq!(finish(&key_set(&[renamed(old.ec_jwk()), renamed(new.ec_jwk())]).unwrap()), Ok(()));
    // A token without a name among several keys.
    let unnamed = self::answer(&new.sign(&json!({"alg": "ES256"}), &claims(&started)));
    let finish = |set: &KeySet| party.finish(&started.flow, &unnamed, set, NOW).map(|_| ());
    assert_eq!(finish(&key_set(&[new.ec_jwk()]).unwrap()), Ok(()));
    assert_eq!(finish(&key_set(&[old.ec_jwk(), new.ec_jwk()]).unwrap()), Err(OidcError::KeyUnknown));
}

#[test]
fn keys_that_must_not_verify_are_passed_over() {
    let keys = Keys::new();
    let with = |mut key: Value, member: &str, value: Value| {
        key[member] = value;
        key_set(&[key]).map(|_| ())
    };
    let none = Err(OidcError::Keys { what: "it has no key for RS256, PS256 or ES256" });
    for key in [keys.ec_jwk(), keys.rsa_jwk()] {
        assert_eq!(key_set(&[key.clone(), json!({"kty": "OKP"}), json!(7), json!([])]).map(|_| ()), Ok(()));
        for (member, value) in [
            ("use", json!("enc")),
            ("key_ops", json!(["encrypt"])),
            ("alg", json!("RS512")),
            ("alg", json!("HS256")),
            ("d", json!("AAAA")),
            ("kty", json!("oct")),
        ] {
            assert_eq!(with(key.clone(), member, value.clone()), none, "{member} {value}");
        }
    }
    for (member, value) in
        [("crv", json!("P-384")), ("x", json!("AAAA")), ("y", json!(base64url([1; 32]))), ("x", json!("!"))]
    {
        assert_eq!(with(keys.ec_jwk(), member, value.clone()), none, "{member} {value}");
    }
    // 1024 bits, more than 8192, and an exponent that is no number.
    for (member, value) in [
        ("n", json!(base64url([0xff; 128]))),
        ("n", json!(base64url([0xff; 1_025]))),
        ("e", json!("")),
        ("e", json!("AAAAAAAAAAAAAAAAAA")),
    ] {
        assert_eq!(with(keys.rsa_jwk(), member, value.clone()), none, "{member} {value}");
    }
    let text = json!({ "keys": [keys.rsa_jwk()] }).to_string();
    assert!(KeySet::parse(&text).is_ok());
    for (unfit, what) in [
        ("", "it cannot be read"),
        ("[]", "it cannot be read"),
        ("{}", "it cannot be read"),
        (r#"{"keys":{}}"#, "it cannot be read"),
        (&json!({ "keys": vec![keys.ec_jwk(); 65] }).to_string(), "it has too many keys"),
        (&" ".repeat(256 * 1024 + 1), "it is too long"),
    ] {
        assert_eq!(KeySet::parse(unfit).map(|_| ()), Err(OidcError::Keys { what }));
    }
    let started = start(&Ask::default());
    let mut only_pss = keys.rsa_jwk();
    only_pss["alg"] = json!("PS256");
    let set = key_set(&[only_pss]).unwrap();
    let finish = |alg: &str| {
        let token = keys.sign(&json!({"alg": alg, "kid": "rsa"}), &claims(&started));
        party().finish(&started.flow, &answer(&token), &set, NOW).map(|_| ())
    };
    assert_eq!(finish("PS256"), Ok(()));
    assert_eq!(finish("RS256"), Err(OidcError::KeyUnknown));
}

#[test]
fn an_answer_without_an_id_token_signs_nobody_in() {
    let (keys, started) = (Keys::new().set(), start(&Ask::default()));
    let party = party();
    let finish = |answer: &str| party.finish(&started.flow, answer, &keys, NOW).map(|_| ());
    for answer in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"id_token":null}"#,
        r#"{"id_token":7}"#,
        r#"{"error":"invalid_grant"}"#,
        r#"{"access_token":"a","token_type":"Bearer"}"#,
    ] {
        assert_eq!(finish(answer), Err(OidcError::Exchange), "{answer}");
    }
    assert_eq!(finish(&" ".repeat(ANSWER_BYTES_MAX + 1)), Err(OidcError::TooLong));
}

#[test]
fn a_flow_ends_and_is_of_one_client_at_one_provider() {
    let started = start(&Ask::default());
    let state = &query(&started.address)["state"];
    let back = format!("code=abc&state={state}");
    let code = |party: &RelyingParty, flow: &[u8], now| party.code(flow, &back, now).map(|_| ());
    let ours = party();
    let end = later(i64::from(FLOW_SECONDS_MAX));
    assert_eq!(code(&ours, &started.flow, end.plus_micros(-1)), Ok(()));
    assert_eq!(code(&ours, &started.flow, end), Err(OidcError::FlowExpired));
    assert_eq!(code(&ours, &started.flow, later(-60)), Ok(()));
    assert_eq!(code(&ours, &started.flow, later(-61)), Err(OidcError::FlowExpired));
    let other = Client { id: "other".to_owned(), ..client() };
    let other = RelyingParty::new(provider(&discovery()), other, LEEWAY).unwrap();
    assert_eq!(code(&other, &started.flow, NOW), Err(OidcError::Flow));
    let mut document = discovery();
    document["issuer"] = json!("https://other.example");
    let provider = Provider::parse(&document.to_string(), "https://other.example").unwrap();
    let other = RelyingParty::new(provider, client(), LEEWAY).unwrap();
    assert_eq!(code(&other, &started.flow, NOW), Err(OidcError::Flow));
    for garbage in [&b""[..], b"{}", b"[]", &started.flow[1..]] {
        assert_eq!(code(&ours, garbage, NOW), Err(OidcError::Flow));
    }
}

#[test]
fn a_provider_is_refused_if_its_document_is_unfit() {
    assert_eq!(Provider::address(ISSUER).as_deref(), Ok("https://idp.example/realm/.well-known/openid-configuration"));
    assert_eq!(
        Provider::address("https://idp.example/").as_deref(),
        Ok("https://idp.example/.well-known/openid-configuration")
    );
    for unfit in
        ["", "idp.example", "http://idp.example", "https://idp.example/#a", "https://idp.example/?a", "file:///etc"]
    {
        assert!(matches!(Provider::address(unfit), Err(OidcError::Client { .. })), "{unfit}");
    }
    let parse = |document: &Value| Provider::parse(&document.to_string(), ISSUER).map(|_| ());
    assert_eq!(parse(&discovery()), Ok(()));
    for (member, value, what) in [
        ("issuer", json!("https://idp.example/realm/"), "it is another issuer's"),
        ("issuer", json!(null), "it cannot be read"),
        ("authorization_endpoint", json!("http://idp.example/a"), "an address is not https"),
        ("token_endpoint", json!("https://u:p@idp.example/a"), "an address has a fragment or credentials"),
        ("token_endpoint", json!("https://idp.example/a#b"), "an address has a fragment or credentials"),
        ("jwks_uri", json!("file:///etc/passwd"), "an address has no host"),
        ("jwks_uri", json!("/keys"), "an address is no URL"),
        ("response_types_supported", json!(["id_token"]), "it does not offer the authorization code flow"),
        ("code_challenge_methods_supported", json!(["plain"]), "it does not offer PKCE with S256"),
        (
            "id_token_signing_alg_values_supported",
            json!(["none", "HS256"]),
            "it signs ID tokens with none of RS256, PS256, ES256",
        ),
    ] {
        let mut document = discovery();
        document[member] = value;
        assert_eq!(parse(&document), Err(OidcError::Discovery { what }), "{member}");
    }
    let mut local = discovery();
    local["token_endpoint"] = json!("http://127.0.0.1:9000/token");
    local["jwks_uri"] = json!("http://[::1]:9000/keys");
    assert_eq!(parse(&local), Ok(()));
    let mut silent = discovery();
    for member in
        ["response_types_supported", "code_challenge_methods_supported", "id_token_signing_alg_values_supported"]
    {
        silent.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(parse(&silent), Ok(()));
    let long = " ".repeat(DOCUMENT_BYTES_MAX + 1);
    assert_eq!(Provider::parse(&long, ISSUER), Err(OidcError::Discovery { what: "it is too long" }));

    let new = |client, leeway| RelyingParty::new(provider(&discovery()), client, leeway).map(|_| ());
    assert_eq!(new(client(), 60), Ok(()));
    for (client, leeway) in [
        (client(), 61),
        (Client { id: String::new(), ..client() }, LEEWAY),
        (Client { secret: Some(SecretString::from("")), ..client() }, LEEWAY),
        (Client { redirect_uri: "http://console.example/back".to_owned(), ..client() }, LEEWAY),
        (Client { redirect_uri: "/back".to_owned(), ..client() }, LEEWAY),
    ] {
        assert!(matches!(new(client, leeway), Err(OidcError::Client { .. })));
    }
}
