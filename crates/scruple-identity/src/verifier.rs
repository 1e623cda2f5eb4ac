//! [`Verifier`]: from the text of a token to a [`Token`]. It asks no server: a revoked token is the cache's to know.

use crate::json::base64url;
use crate::jws::{self, Header};
use crate::keys::{self, JwksError, Key};
use crate::token::{self, Token};
use crate::{Parties, TokenError};
use aws_lc_rs::digest::{Context, SHA256};
use scruple_core::Timestamp;
use std::fmt;

/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Seconds by which the clocks of issuer and gateway may differ, unless the operator says otherwise.
pub const LEEWAY_SECONDS: u32 = 5;
/// The most that the operator may say.
pub const LEEWAY_SECONDS_MAX: u32 = 60;

/// Why there can be no verifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum VerifierError {
    /// The key set cannot be used.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// An empty name would be met by a token that leaves its own empty.
    #[error("the expected {what} is empty")]
    EmptyParty {
        /// Which name.
        what: &'static str,
    },
    /// Too much leeway.
    #[error("leeway of {seconds} seconds is over the limit of {} seconds", LEEWAY_SECONDS_MAX)]
    Leeway {
        /// What was asked.
        seconds: u32,
    },
}

/// What a token is verified against: keys, issuer, audience, leeway. New keys are a new verifier.
pub struct Verifier {
    keys: Vec<Key>,
    parties: Parties,
    leeway_micros: i64,
    device_claim: Option<String>,
    fingerprint: [u8; 32],
}

impl Verifier {
    /// From a JWKS as JSON text. Keys that cannot verify ES256 are passed over.
    ///
    /// # Errors
    /// The JWKS cannot be read or has no usable key; an expected name is empty; the leeway is too long.
    pub fn new(jwks: &str, parties: Parties, leeway_seconds: u32) -> Result<Self, VerifierError> {
        for (what, name) in [("issuer", &parties.issuer), ("audience", &parties.audience)] {
            if name.is_empty() {
                return Err(VerifierError::EmptyParty { what });
            }
        }
        if leeway_seconds > LEEWAY_SECONDS_MAX {
            return Err(VerifierError::Leeway { seconds: leeway_seconds });
        }
        let keys = keys::parse(jwks)?;
        let leeway_micros = i64::from(leeway_seconds) * 1_000_000;
        let fingerprint = fingerprint(&keys, &parties, leeway_micros, None);
        Ok(Self { keys, parties, leeway_micros, device_claim: None, fingerprint })
    }

    /// The same, which also reads the claim that names the device.
    #[must_use]
    pub fn with_device_claim(self, claim: &str) -> Self {
        let fingerprint = fingerprint(&self.keys, &self.parties, self.leeway_micros, Some(claim));
        Self { device_claim: Some(claim.to_owned()), fingerprint, ..self }
    }

    /// Verifies a token at the time `now`. Nothing in its claims is looked at before the signature is good.
    ///
    /// # Errors
    /// Each reason to refuse is a variant.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Token, TokenError> {
        check_length(token)?;
        let malformed = |what| TokenError::Malformed { what };
        let parts = jws::split(token).map_err(malformed)?;
        check_header(&parts.header)?;
        let key = keys::find(&self.keys, parts.header.kid.as_deref()).ok_or(TokenError::KeyUnknown)?;
        if !key.verify(parts.message, parts.signature).ok_or(malformed("the signature is no base64url"))? {
            return Err(TokenError::Signature);
        }
        let payload = base64url(parts.payload).ok_or(malformed("the claims are no base64url"))?;
        let token = token::read(&payload, &self.parties, self.device_claim.as_deref())?;
        self.check_time(&token, now)?;
        Ok(token)
    }

    /// Whether a token that was verified before is still good at `now`.
    pub(crate) fn check_time(&self, token: &Token, now: Timestamp) -> Result<(), TokenError> {
        token.check_time(now, self.leeway_micros)
    }

    /// One value for all that this verifier compares with.
    pub(crate) const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.keys.iter().map(|key| key.parts().0).collect();
        f.debug_struct("Verifier").field("kids", &kids).field("parties", &self.parties).finish_non_exhaustive()
    }
}

/// Refuses a token by its length, before any work is done on it.
pub fn check_length(token: &str) -> Result<(), TokenError> {
    if token.len() > TOKEN_BYTES_MAX { Err(TokenError::TooLong) } else { Ok(()) }
}

fn check_header(header: &Header) -> Result<(), TokenError> {
    if header.alg.as_deref() != Some("ES256") {
        return Err(TokenError::Algorithm);
    }
    let typ = header.typ.as_deref().unwrap_or_default();
    if !["at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)) {
        return Err(TokenError::Malformed { what: "its `typ` is not `at+jwt`" });
    }
    if header.crit {
        return Err(TokenError::Malformed { what: "the header has `crit`" });
    }
    Ok(())
}

fn fingerprint(keys: &[Key], parties: &Parties, leeway_micros: i64, device_claim: Option<&str>) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(parties.issuer.as_bytes());
    part(parties.audience.as_bytes());
    part(&leeway_micros.to_be_bytes());
    part(device_claim.unwrap_or_default().as_bytes());
    for (kid, point) in keys.iter().map(Key::parts) {
        part(&[u8::from(kid.is_some())]);
        part(kid.unwrap_or_default().as_bytes());
        part(point);
    }
    hash.finish().as_ref().try_into().unwrap_or_default()
}
