//! [`Issuer`]: keys and tokens for the demo and for tests. It is no authorization server: it asks nobody who they are.

use crate::token::PURPOSE_SYSTEM;
use crate::{Parties, Token};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rand_core::{CryptoRng, Rng};
use scruple_core::{Timestamp, new_id};
use scruple_seal::Secret;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use std::fmt;
use zeroize::Zeroizing;

/// Draws until a number is a private key: one in 2^32 is none.
const DRAWS_MAX: usize = 8;
/// RFC 5915: an ECPrivateKey with nothing but the number, which follows.
const EC_PRIVATE_KEY_PREFIX: [u8; 7] = [0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20];
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const PEM_END: &str = "-----END PRIVATE KEY-----\n";
/// Bytes that make a line of 64 letters.
const PEM_LINE_BYTES: usize = 48;

/// Why there is no key or no token. No variant holds key bytes.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum IssuerError {
    /// The crypto library made no key.
    #[error("the crypto library made no P-256 key")]
    Generate,
    /// The text is no such key.
    #[error("signing key is no PKCS#8 PEM of a P-256 key")]
    Pem,
    /// The crypto library made no signature.
    #[error("the crypto library made no signature")]
    Sign,
}

/// What a token is to say.
#[derive(Clone)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `client_id`.
    pub client_id: String,
    /// `roles`.
    pub roles: Vec<String>,
    /// The ActReason code of `extensions.ihe_iua.purpose_of_use`.
    pub purpose: Option<String>,
    /// Seconds from `iat` to `exp`.
    pub lifetime_seconds: u32,
}

/// How a token says that its person has signed in.
#[derive(Clone, Copy, Default)]
pub struct SignIn<'a> {
    /// `auth_time`.
    pub at: Option<Timestamp>,
    /// `amr` has `mfa`.
    pub several_factors: bool,
    /// `acr`.
    pub acr: Option<&'a str>,
    /// `device_id`.
    pub device: Option<&'a str>,
}

impl SignIn<'_> {
    /// Several factors, just now.
    #[must_use]
    pub const fn confirmed(at: Timestamp) -> Self {
        Self { at: Some(at), several_factors: true, acr: None, device: None }
    }
}

impl fmt::Debug for SignIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("several_factors", &self.several_factors).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("roles", &self.roles).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// A signing key with the names that its tokens carry.
pub struct Issuer {
    parties: Parties,
    key: EncodingKey,
    kid: String,
    jwks: String,
}

impl Issuer {
    /// A new key, from the generator that is passed in.
    ///
    /// # Errors
    /// The crypto library makes no key.
    pub fn generate(parties: Parties, rng: &mut dyn CryptoRng) -> Result<Self, IssuerError> {
        let pair = (0..DRAWS_MAX).find_map(|_| key_pair(&Secret::generate(rng)));
        let pkcs8 = pair.and_then(|pair| pair.to_pkcs8v1().ok()).ok_or(IssuerError::Generate)?;
        Self::new(parties, EncodingKey::from_ec_der(pkcs8.as_ref())).ok_or(IssuerError::Generate)
    }

    /// A stored key, as [`Issuer::to_pem`] or `openssl pkcs8 -topk8 -nocrypt` writes it.
    ///
    /// # Errors
    /// The text is no such key.
    pub fn from_pem(parties: Parties, pem: &SecretString) -> Result<Self, IssuerError> {
        let key = EncodingKey::from_ec_pem(pem.expose_secret().as_bytes()).map_err(|_| IssuerError::Pem)?;
        Self::new(parties, key).ok_or(IssuerError::Pem)
    }

    fn new(parties: Parties, key: EncodingKey) -> Option<Self> {
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).ok()?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let jwks = serde_json::to_string(&JwkSet { keys: vec![jwk] }).ok()?;
        Some(Self { parties, key, kid, jwks })
    }

    /// The key as PKCS#8 PEM, for a file that only its owner reads.
    #[must_use]
    pub fn to_pem(&self) -> SecretString {
        let pkcs8 = self.key.as_bytes();
        // All at once: a text that grows leaves copies of itself behind.
        let mut pem = String::with_capacity(PEM_BEGIN.len() + PEM_END.len() + pkcs8.len() * 2);
        pem.push_str(PEM_BEGIN);
        for line in pkcs8.chunks(PEM_LINE_BYTES) {
            STANDARD.encode_string(line, &mut pem);
            pem.push('\n');
        }
        pem.push_str(PEM_END);
        SecretString::from(pem)
    }

    /// The public key as a JWKS; its `kid` is the thumbprint of RFC 7638.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The names that its tokens carry.
    #[must_use]
    pub const fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Signs a token of somebody who has just shown several factors; its `jti` comes from `now` and the generator. The signature is
    /// random by the crypto library's own generator, so that equal arguments give equal claims but not equal tokens.
    ///
    /// # Errors
    /// The crypto library makes no signature.
    pub fn issue(&self, claims: &Claims, now: Timestamp, rng: &mut dyn Rng) -> Result<String, IssuerError> {
        self.sign(claims, None, &SignIn::confirmed(now), now, rng)
    }

    /// The same with a `scope`: names with a blank between them. Where not `confirmed`, the token says nothing of how its person has
    /// signed in.
    ///
    /// # Errors
    /// The crypto library makes no signature.
    pub fn issue_scoped(
        &self,
        claims: &Claims,
        (scope, confirmed): (&str, bool),
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Result<String, IssuerError> {
        let sign_in = if confirmed { SignIn::confirmed(now) } else { SignIn::default() };
        self.sign(claims, Some(scope), &sign_in, now, rng)
    }

    /// A token that says of the sign-in what is said here, and nothing else.
    ///
    /// # Errors
    /// The crypto library makes no signature.
    pub fn issue_signed_in(
        &self,
        claims: &Claims,
        sign_in: &SignIn<'_>,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Result<String, IssuerError> {
        self.sign(claims, None, sign_in, now, rng)
    }

    fn sign(
        &self,
        claims: &Claims,
        scope: Option<&str>,
        sign_in: &SignIn<'_>,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Result<String, IssuerError> {
        let iat = second(now);
        let payload = Payload {
            iss: &self.parties.issuer,
            aud: &self.parties.audience,
            sub: &claims.subject,
            client_id: &claims.client_id,
            iat,
            exp: iat + i64::from(claims.lifetime_seconds),
            jti: new_id::<Token>(now, rng).to_string(),
            roles: &claims.roles,
            scope,
            auth_time: sign_in.at.map(second),
            amr: sign_in.several_factors.then_some(["mfa"]),
            acr: sign_in.acr,
            device_id: sign_in.device,
            extensions: claims
                .purpose
                .as_ref()
                .map(|code| Extensions { ihe_iua: Iua { purpose_of_use: [Purpose { code, system: PURPOSE_SYSTEM }] } }),
        };
        self.encode("at+jwt", &payload)
    }

    /// Signs a security event token (RFC 8417) with these claims.
    ///
    /// # Errors
    /// The crypto library makes no signature.
    pub fn issue_event(&self, claims: &serde_json::Value) -> Result<String, IssuerError> {
        self.encode("secevent+jwt", claims)
    }

    fn encode(&self, typ: &str, payload: &impl Serialize) -> Result<String, IssuerError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, payload, &self.key).map_err(|_| IssuerError::Sign)
    }
}

/// RFC 7519 counts seconds.
const fn second(at: Timestamp) -> i64 {
    at.millis().div_euclid(1_000)
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("parties", &self.parties).field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Extensions<'a>>,
}

/// IHE IUA's own claims.
#[derive(Serialize)]
struct Extensions<'a> {
    ihe_iua: Iua<'a>,
}

#[derive(Serialize)]
struct Iua<'a> {
    purpose_of_use: [Purpose<'a>; 1],
}

#[derive(Serialize)]
struct Purpose<'a> {
    code: &'a str,
    system: &'a str,
}

/// The pair of a private number; `None` if it is 0 or not below the order of the curve.
fn key_pair(number: &Secret) -> Option<EcdsaKeyPair> {
    let der = Zeroizing::new([EC_PRIVATE_KEY_PREFIX.as_slice(), number.expose()].concat());
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()
}
