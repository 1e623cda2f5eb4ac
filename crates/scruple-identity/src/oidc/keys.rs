//! [`KeySet`]: the provider's JWKS, and the three algorithms that are accepted.

use super::OidcError;
use crate::json::{base64url, object};
use crate::{JWKS_BYTES_MAX, JWKS_KEYS_MAX};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::fmt;

/// Bytes of a coordinate of P-256.
const COORDINATE_BYTES: usize = 32;
/// SEC 1, 2.3.3: an uncompressed point.
const UNCOMPRESSED: u8 = 4;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
const EXPONENT_BYTES_MAX: usize = 8;

/// How an ID token may be signed. There is no other: neither `none` nor a shared secret can be written with this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A key together with the one algorithm that it verifies. An RSA key that says no `alg` stands twice.
struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

/// The keys of a provider. New keys are a new set.
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Jwks<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    d: Option<IgnoredAny>,
}

impl Jwk {
    /// What it verifies: nothing if it is of another kind, or published with its private half.
    fn keys(self) -> Vec<Key> {
        let may_verify = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !may_verify || self.d.is_some() {
            return Vec::new();
        }
        [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256]
            .into_iter()
            .filter(|algorithm| self.alg.as_deref().is_none_or(|alg| Algorithm::from_name(alg) == Some(*algorithm)))
            .filter_map(|algorithm| Some(Key { kid: self.kid.clone(), algorithm, parsed: self.parsed(algorithm)? }))
            .collect()
    }

    fn parsed(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        let part = |text: &Option<String>| base64url(text.as_deref()?);
        let parameters = match (algorithm, self.kty.as_str()) {
            (Algorithm::Rs256, "RSA") => &RSA_PKCS1_2048_8192_SHA256,
            (Algorithm::Ps256, "RSA") => &RSA_PSS_2048_8192_SHA256,
            (Algorithm::Es256, "EC") if self.crv.as_deref() == Some("P-256") => {
                let (x, y) = (part(&self.x)?, part(&self.y)?);
                if x.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
                    return None;
                }
                let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
                return ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).ok();
            }
            _ => return None,
        };
        let (n, e) = (part(&self.n)?, part(&self.e)?);
        if !MODULUS_BYTES.contains(&n.len()) || e.len() > EXPONENT_BYTES_MAX {
            return None;
        }
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
    }
}

impl KeySet {
    /// Reads a JWKS. Keys that verify none of the accepted algorithms are passed over.
    ///
    /// # Errors
    /// It cannot be read, has too many keys, or none that is usable.
    pub fn parse(jwks: &str) -> Result<Self, OidcError> {
        let unfit = |what| OidcError::Keys { what };
        if jwks.len() > JWKS_BYTES_MAX {
            return Err(unfit("it is too long"));
        }
        let Jwks { keys: listed } = object(jwks.as_bytes()).ok_or(unfit("it cannot be read"))?;
        if listed.len() > JWKS_KEYS_MAX {
            return Err(unfit("it has too many keys"));
        }
        let keys: Vec<Key> =
            listed.iter().filter_map(|raw| object::<Jwk>(raw.get().as_bytes())).flat_map(Jwk::keys).collect();
        if keys.is_empty() { Err(unfit("it has no key for RS256, PS256 or ES256")) } else { Ok(Self(keys)) }
    }

    /// Verifies a signature. A token that names no key is taken for the only one's of its algorithm.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), OidcError> {
        let able = || self.0.iter().filter(|key| key.algorithm == algorithm);
        let candidates: Vec<&Key> = match kid {
            Some(kid) => able().filter(|key| key.kid.as_deref() == Some(kid)).collect(),
            None if able().count() == 1 => able().collect(),
            None => Vec::new(),
        };
        if candidates.is_empty() {
            return Err(OidcError::KeyUnknown);
        }
        let fits = candidates.iter().any(|key| key.parsed.verify_sig(message, signature).is_ok());
        if fits { Ok(()) } else { Err(OidcError::Signature) }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.kid, key.algorithm))).finish()
    }
}
