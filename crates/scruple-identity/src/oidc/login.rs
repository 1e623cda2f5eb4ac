//! [`Login`]: the claims of an ID token, and how they are judged (OpenID Connect Core 1.0, 3.1.3.7).

use super::{Algorithm, KeySet, OidcError};
use crate::json::{OneOrMany, base64url, object, seconds};
use crate::jws;
use crate::token::{is_name, named};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use scruple_core::Timestamp;
use serde::Deserialize;
use serde_json::Number;
use std::fmt;

/// Entries of `amr`.
const AMR_MAX: usize = 16;

/// A person who has signed in at the provider.
// INVARIANT (verified-login): only `RelyingParty::finish` makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    issuer: String,
    subject: String,
    acr: Option<String>,
    amr: Vec<String>,
    authenticated_at: Option<Timestamp>,
    expires_at: Timestamp,
    provider_session: Option<String>,
    name: Option<String>,
    preferred_username: Option<String>,
    email: Option<String>,
    device: Option<String>,
}

impl Login {
    /// The claim `iss`; only together with the subject does it name a person.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The claim `sub`: the person's id at the provider, which never goes to another.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The claim `acr`: how strongly the person was authenticated, in the provider's words.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// The claim `amr` (RFC 8176): by which means, `pwd`, `otp`, `hwk`, `mfa` and others.
    #[must_use]
    pub fn amr(&self) -> &[String] {
        &self.amr
    }

    /// The claim `auth_time`: when the person was there, which may be long before this sign-in.
    #[must_use]
    pub const fn authenticated_at(&self) -> Option<Timestamp> {
        self.authenticated_at
    }

    /// The claim `exp` of the ID token. It bounds the token, not the session.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The claim `sid`: the session at the provider, which a back-channel logout names.
    #[must_use]
    pub fn provider_session(&self) -> Option<&str> {
        self.provider_session.as_deref()
    }

    /// The claim `name`, to show. It identifies nobody.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The claim `preferred_username`: what the person signs in with at the provider. By itself it identifies nobody: names change
    /// hands.
    #[must_use]
    pub fn preferred_username(&self) -> Option<&str> {
        self.preferred_username.as_deref()
    }

    /// The claim `email` if the provider says that it is verified. It identifies nobody: addresses change hands.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The claim that names the device, if it was said which one that is.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("issuer", &self.issuer)
            .field("acr", &self.acr)
            .field("amr", &self.amr)
            .field("authenticated_at", &self.authenticated_at)
            .finish_non_exhaustive()
    }
}

/// What an ID token must say.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// Any of these, if there are any.
    pub acr_values: &'a [String],
    /// `auth_time` must be there and not before.
    pub authenticated_since: Option<Timestamp>,
    pub leeway_micros: i64,
    /// The claim that names the device.
    pub device_claim: Option<&'a str>,
}

#[derive(Deserialize)]
struct Payload {
    iss: Option<String>,
    aud: Option<OneOrMany>,
    azp: Option<String>,
    sub: Option<String>,
    nonce: Option<String>,
    exp: Option<Number>,
    iat: Option<Number>,
    nbf: Option<Number>,
    auth_time: Option<Number>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    sid: Option<String>,
    name: Option<String>,
    preferred_username: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
}

/// Verifies an ID token. Nothing in its claims is looked at before the signature is good.
pub(super) fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>, now: Timestamp) -> Result<Login, OidcError> {
    let malformed = |what| OidcError::Malformed { what };
    let parts = jws::split(token).map_err(malformed)?;
    let algorithm = parts.header.alg.as_deref().and_then(Algorithm::from_name).ok_or(OidcError::Algorithm)?;
    // Most providers write `JWT` or nothing; an access token or a logout token says that it is one.
    if parts.header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return Err(malformed("its `typ` is not `JWT`"));
    }
    if parts.header.crit {
        return Err(malformed("the header has `crit`"));
    }
    let signature = base64url(parts.signature).ok_or(malformed("the signature is no base64url"))?;
    keys.verify(algorithm, parts.header.kid.as_deref(), parts.message.as_bytes(), &signature)?;
    let payload = base64url(parts.payload).ok_or(malformed("the claims are no base64url"))?;
    let claims: Payload = object(&payload).ok_or(OidcError::Claims { claim: "*" })?;
    check_parties(&claims, expected)?;
    let device = expected.device_claim.and_then(|claim| named(&payload, claim));
    Ok(Login { device, ..read(claims, expected, now)? })
}

fn check_parties(payload: &Payload, expected: &Expected<'_>) -> Result<(), OidcError> {
    let missing = |claim| OidcError::Claims { claim };
    if payload.iss.as_deref().ok_or(missing("iss"))? != expected.issuer {
        return Err(OidcError::Issuer);
    }
    let audience = payload.aud.as_ref().ok_or(missing("aud"))?;
    // With others in the audience, the token must say that it was given to us.
    let party = payload.azp.as_deref();
    let ours = match (audience.all(), party) {
        ([_], None) => true,
        (_, party) => party == Some(expected.client_id),
    };
    if !ours || !audience.names(expected.client_id) {
        return Err(OidcError::Audience);
    }
    let nonce = payload.nonce.as_deref().ok_or(OidcError::Nonce)?;
    verify_slices_are_equal(nonce.as_bytes(), expected.nonce.as_bytes()).map_err(|_| OidcError::Nonce)
}

fn read(payload: Payload, expected: &Expected<'_>, now: Timestamp) -> Result<Login, OidcError> {
    let missing = |claim| OidcError::Claims { claim };
    let time = |number: Option<&Number>, claim| number.and_then(seconds).ok_or(missing(claim));
    let optional = |number: Option<&Number>, claim| number.map(|number| time(Some(number), claim)).transpose();
    let latest = now.plus_micros(expected.leeway_micros);
    let expires_at = time(payload.exp.as_ref(), "exp")?;
    let issued_at = time(payload.iat.as_ref(), "iat")?;
    let not_before = optional(payload.nbf.as_ref(), "nbf")?.unwrap_or(issued_at);
    let authenticated_at = optional(payload.auth_time.as_ref(), "auth_time")?;
    if now >= expires_at.plus_micros(expected.leeway_micros) {
        return Err(OidcError::Expired);
    }
    if latest < issued_at.max(not_before) {
        return Err(OidcError::NotYet);
    }
    if authenticated_at.is_some_and(|at| latest < at) {
        return Err(missing("auth_time"));
    }
    if let Some(since) = expected.authenticated_since {
        let at = authenticated_at.ok_or(missing("auth_time"))?;
        if at.plus_micros(expected.leeway_micros) < since {
            return Err(OidcError::TooOld);
        }
    }
    if !expected.acr_values.is_empty() && !payload.acr.as_ref().is_some_and(|acr| expected.acr_values.contains(acr)) {
        return Err(OidcError::Acr);
    }
    if payload.amr.len() > AMR_MAX || !payload.amr.iter().all(|means| is_name(means)) {
        return Err(missing("amr"));
    }
    let email_verified = payload.email_verified == Some(true);
    Ok(Login {
        issuer: expected.issuer.to_owned(),
        subject: payload.sub.filter(|sub| is_name(sub)).ok_or(missing("sub"))?,
        acr: payload.acr.filter(|acr| is_name(acr)),
        amr: payload.amr,
        authenticated_at,
        expires_at,
        provider_session: payload.sid.filter(|sid| is_name(sid)),
        name: payload.name.filter(|name| is_name(name)),
        preferred_username: payload.preferred_username.filter(|name| is_name(name)),
        email: payload.email.filter(|email| email_verified && is_name(email)),
        device: None,
    })
}
