//! Keys and tokens that the demo makes.

use crate::{NOW, base64url, claims, decoded, issuer, parties, rng, verifier};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, TryCryptoRng, TryRng};
use scruple_identity::{Claims, Issuer, IssuerError, LEEWAY_SECONDS, SignIn, Verifier};
use secrecy::{ExposeSecret as _, SecretString};
use std::convert::Infallible;

#[test]
fn a_token_says_what_rfc_9068_asks() {
    let issuer = issuer(1);
    let token = issuer.issue(&claims(), NOW, &mut rng(2)).unwrap();
    let [header, payload, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    assert_snapshot!(decoded(header), @r#"{"typ":"at+jwt","alg":"ES256","kid":"m_n-bONnCMWA0YwpPX7gUPOLeJRsdqKZ4wwUcS1JzTA"}"#);
    assert_snapshot!(decoded(payload), @r#"{"iss":"https://idp.example","aud":"https://gateway.example/fhir","sub":"Zq7CANARY-sub","client_id":"ehr","iat":1795824000,"exp":1795824300,"jti":"01a21f73-9c00-751b-8a31-c98b9fe13065","roles":["nurse"],"auth_time":1795824000,"amr":["mfa"],"extensions":{"ihe_iua":{"purpose_of_use":[{"code":"TREAT","system":"http://terminology.hl7.org/CodeSystem/v3-ActReason"}]}}}"#);
    assert_snapshot!(issuer.jwks(), @r#"{"keys":[{"use":"sig","alg":"ES256","kid":"m_n-bONnCMWA0YwpPX7gUPOLeJRsdqKZ4wwUcS1JzTA","kty":"EC","crv":"P-256","x":"oO-YBpSfOWsVtDvfSPuM3z9AfN6W56Hk_KvYxb_jdEA","y":"66tmkPfZb9C-zm21ltzOeIh9nt5OctXPC4p9tWSU7Ak"}]}"#);
    let read = verifier(&issuer).verify(&token, NOW).unwrap();
    assert_eq!(read.subject(), claims().subject);
    assert_eq!(read.client_id(), "ehr");
    assert_eq!(read.roles(), ["nurse"]);
    assert_eq!(read.purpose(), Some("TREAT"));
    assert_eq!(read.expires_at(), NOW.plus_micros(300_000_000));
    assert_eq!(read.jti(), "01a21f73-9c00-751b-8a31-c98b9fe13065");
}

#[test]
fn without_purpose_and_roles_a_token_says_none() {
    let issuer = issuer(1);
    let bare = Claims { roles: Vec::new(), purpose: None, ..claims() };
    let token = issuer.issue(&bare, NOW, &mut rng(2)).unwrap();
    let read = verifier(&issuer).verify(&token, NOW).unwrap();
    assert_eq!((read.roles(), read.purpose()), (&[][..], None));
}

/// IL-02, IL-04: what a token says of the sign-in and of the device is read, and what it does not say is not so.
#[test]
fn a_token_says_how_its_person_has_signed_in_and_on_which_device() {
    let issuer = issuer(1);
    let earlier = NOW.plus_micros(-600_000_000);
    let full = SignIn { at: Some(earlier), several_factors: true, acr: Some("aal2"), device: Some("laptop-7") };
    for (sign_in, expected) in [
        (SignIn::default(), (false, None, None, None)),
        (SignIn::confirmed(NOW), (true, None, Some(NOW), None)),
        (full, (true, Some("aal2"), Some(earlier), Some("laptop-7"))),
    ] {
        let token = issuer.issue_signed_in(&claims(), &sign_in, NOW, &mut rng(2)).unwrap();
        let own = verifier(&issuer).with_device_claim("device_id");
        let read = own.verify(&token, NOW).unwrap();
        assert_eq!((read.has_several_factors(), read.acr(), read.authenticated_at(), read.device()), expected);
        // Nobody has said which claim it is, or another one.
        assert_eq!(verifier(&issuer).verify(&token, NOW).unwrap().device(), None);
        let other = Verifier::new(issuer.jwks(), parties(), LEEWAY_SECONDS).unwrap().with_device_claim("deviceid");
        assert_eq!(other.verify(&token, NOW).unwrap().device(), None);
    }
}

#[test]
fn a_key_survives_its_file_and_comes_from_the_generator() {
    let made = issuer(1);
    let pem = made.to_pem();
    let lines: Vec<_> = pem.expose_secret().lines().collect();
    assert!(lines.iter().all(|line| line.len() <= 64) && lines.len() > 3, "RFC 7468, 2");
    let loaded = Issuer::from_pem(parties(), &pem).unwrap();
    assert_eq!(loaded.jwks(), made.jwks());
    assert_eq!(loaded.to_pem().expose_secret(), pem.expose_secret());
    let token = loaded.issue(&claims(), NOW, &mut rng(3)).unwrap();
    assert!(verifier(&made).verify(&token, NOW).is_ok());
    assert_eq!(issuer(1).jwks(), made.jwks());
    assert_ne!(issuer(2).jwks(), made.jwks());
}

/// Gives 32 bytes of 0xff, which is no private number of P-256, then 32 zero bytes, which is none either.
struct Unlucky(usize, ChaCha8Rng);

impl TryRng for Unlucky {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.1.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.1.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self.0 {
            0 => bytes.fill(0xff),
            1 => bytes.fill(0),
            _ => self.1.fill_bytes(bytes),
        }
        self.0 += 1;
        Ok(())
    }
}

impl TryCryptoRng for Unlucky {}

#[test]
fn a_number_that_is_no_private_key_is_drawn_again() {
    let mut unlucky = Unlucky(0, rng(1));
    let made = Issuer::generate(parties(), &mut unlucky).unwrap();
    assert_eq!(unlucky.0, 3);
    assert_eq!(made.jwks(), issuer(1).jwks());
}

#[test]
fn only_a_p256_key_in_pkcs8_is_loaded() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let other_curve = STANDARD.encode(pair.to_pkcs8v1().unwrap().as_ref());
    for pem in [
        String::new(),
        base64url("no key"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
        format!("-----BEGIN PRIVATE KEY-----\n{other_curve}\n-----END PRIVATE KEY-----\n"),
    ] {
        assert_eq!(Issuer::from_pem(parties(), &SecretString::from(pem)).err(), Some(IssuerError::Pem));
    }
}
