//! What comes from outside: what is accepted, what is refused and by which code, what the cache remembers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails loudly")]

mod authenticator;
mod cache;
mod issuer;
mod keys;
mod oidc;
mod passkey;
mod recovery;
mod session;
mod signal;
mod totp;
mod verify;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_core::Timestamp;
use scruple_identity::{Claims, Issuer, LEEWAY_SECONDS, Parties, Verifier};
use secrecy::ExposeSecret as _;

/// Appears in no `Debug` and no error.
const CANARY: &str = "Zq7CANARY";
/// 2026-11-28T00:00:00Z.
const NOW_SECONDS: i64 = 1_795_824_000;
const NOW: Timestamp = Timestamp::from_micros(NOW_SECONDS * 1_000_000);

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn parties() -> Parties {
    Parties { issuer: "https://idp.example".to_owned(), audience: "https://gateway.example/fhir".to_owned() }
}

fn issuer(seed: u64) -> Issuer {
    Issuer::generate(parties(), &mut rng(seed)).unwrap()
}

fn verifier(issuer: &Issuer) -> Verifier {
    Verifier::new(issuer.jwks(), parties(), LEEWAY_SECONDS).unwrap()
}

fn claims() -> Claims {
    Claims {
        subject: format!("{CANARY}-sub"),
        client_id: "ehr".to_owned(),
        roles: vec!["nurse".to_owned()],
        purpose: Some("TREAT".to_owned()),
        lifetime_seconds: 300,
    }
}

/// Signs any header and claims with the issuer's key.
fn sign(issuer: &Issuer, header: &str, payload: &str) -> String {
    let key = EncodingKey::from_ec_pem(issuer.to_pem().expose_secret().as_bytes()).unwrap();
    let message = format!("{}.{}", base64url(header), base64url(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn a_bearer_is_one_token_of_the_right_letters() {
    use scruple_identity::bearer;
    for (value, expected) in [
        ("Bearer abc.def-1_2~+/==", Some("abc.def-1_2~+/==")),
        ("bEARER  x", Some("x")),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer ===", None),
        ("Bearer a b", None),
        ("Bearer a, Bearer b", None),
        ("Bearer a ", None),
        ("Bearer a=b", None),
        ("Bearer\ta", None),
        (" Bearer a", None),
        ("Basic abc", None),
        ("Bearer ä", None),
        ("Bearer a\0", None),
        ("", None),
    ] {
        assert_eq!(bearer(value), expected, "{value:?}");
    }
}
