//! A JWKS (RFC 7517) and its P-256 keys. Other keys are passed over, as the RFC asks.

use crate::json::{base64url, object};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Bytes of a JWKS.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;
/// Keys in a JWKS.
pub const JWKS_KEYS_MAX: usize = 64;

/// Bytes of a coordinate of P-256.
const COORDINATE_BYTES: usize = 32;
/// SEC 1, 2.3.3: an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// Why a JWKS cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum JwksError {
    /// Longer than any key set should be.
    #[error("JWKS of {bytes} bytes is over the limit of {} bytes", JWKS_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// No JSON object with an array `keys`.
    #[error("JWKS is no JSON object with an array `keys`")]
    Unreadable,
    /// More keys than any key set should have.
    #[error("JWKS has {count} keys, over the limit of {}", JWKS_KEYS_MAX)]
    TooManyKeys {
        /// How many.
        count: usize,
    },
    /// Two different keys of one name.
    #[error("JWKS has two different keys of `kid` `{kid}`")]
    DuplicateKid {
        /// The name.
        kid: String,
    },
    /// Nothing that could verify ES256.
    #[error("JWKS has no public P-256 key for ES256 signatures")]
    NoUsableKey,
}

/// A public key that verifies ES256.
pub struct Key {
    kid: Option<String>,
    point: Vec<u8>,
    decoding: DecodingKey,
}

impl Key {
    /// Whether the signature (base64url) is this key's; `None` if it cannot be read.
    pub fn verify(&self, message: &str, signature: &str) -> Option<bool> {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, Algorithm::ES256).ok()
    }

    /// Its name and its point, for a fingerprint of the set.
    pub fn parts(&self) -> (Option<&str>, &[u8]) {
        (self.kid.as_deref(), &self.point)
    }
}

/// Picks the key that a token names. A token that names none is taken for the only key's.
pub fn find<'a>(keys: &'a [Key], kid: Option<&str>) -> Option<&'a Key> {
    match (kid, keys) {
        (Some(kid), keys) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

#[derive(Deserialize)]
struct Jwks<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    d: Option<IgnoredAny>,
}

impl Jwk {
    /// The key, if it is a public one of P-256 that may verify ES256. One published with its private half is nobody's.
    fn key(self) -> Option<Key> {
        let may_verify = self.alg.is_none_or(|alg| alg == "ES256")
            && self.usage.is_none_or(|usage| usage == "sig")
            && self.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if self.kty != "EC" || self.crv != "P-256" || self.d.is_some() || !may_verify {
            return None;
        }
        let (x, y) = (base64url(&self.x)?, base64url(&self.y)?);
        if x.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
            return None;
        }
        let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
        // Parsed to learn whether the point is on the curve.
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).ok()?;
        Some(Key { kid: self.kid, decoding: DecodingKey::from_ec_der(&point), point })
    }
}

/// The usable keys of a JWKS, at least one.
pub fn parse(jwks: &str) -> Result<Vec<Key>, JwksError> {
    if jwks.len() > JWKS_BYTES_MAX {
        return Err(JwksError::TooLong { bytes: jwks.len() });
    }
    let Jwks { keys: listed } = object(jwks.as_bytes()).ok_or(JwksError::Unreadable)?;
    if listed.len() > JWKS_KEYS_MAX {
        return Err(JwksError::TooManyKeys { count: listed.len() });
    }
    let mut keys: Vec<Key> = Vec::new();
    for key in listed.iter().filter_map(|raw| object::<Jwk>(raw.get().as_bytes())?.key()) {
        match keys.iter().find(|known| known.kid == key.kid) {
            Some(known) if known.point == key.point => {}
            Some(Key { kid: Some(kid), .. }) => return Err(JwksError::DuplicateKid { kid: kid.clone() }),
            _ => keys.push(key),
        }
    }
    if keys.len() > 1 {
        // Of several, a token can only pick one by its name.
        keys.retain(|key| key.kid.is_some());
    }
    if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(keys) }
}
