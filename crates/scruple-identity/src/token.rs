//! [`Token`]: the claims of a verified access token, and how they are read. Signatures are the verifier's.

use crate::json::{OneOrMany, object, seconds};
use crate::{Parties, TokenError};
use scruple_core::Timestamp;
use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// Bytes of `sub`, `jti`, `client_id` and of each role.
pub const NAME_BYTES_MAX: usize = 255;
/// Entries of `roles`.
pub const ROLES_MAX: usize = 64;
/// Names of `scope` that are looked at.
const SCOPES_MAX: usize = 64;

/// Bytes of a purpose: ActReason codes have at most 10.
const PURPOSE_BYTES_MAX: usize = 64;
/// HL7 v3 ActReason.
pub const PURPOSE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
/// The same by its object identifier.
const PURPOSE_SYSTEM_OID: &str = "urn:oid:2.16.840.1.113883.5.8";

/// The claims of an access token whose signature, issuer, audience and times were good.
// INVARIANT (verified-token): only `Verifier::verify` makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    subject: String,
    client_id: String,
    jti: String,
    valid_from: Timestamp,
    expires_at: Timestamp,
    roles: Vec<String>,
    purpose: Option<String>,
    scopes: Vec<String>,
    authenticated_at: Option<Timestamp>,
    several_factors: bool,
    acr: Option<String>,
    device: Option<String>,
}

impl Token {
    /// The claim `sub`: the person or system that calls.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The claim `client_id`: the program that the subject calls with.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The claim `jti`: the token's own id.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// The claim `exp`, without the leeway.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The claim `roles`, as it stands: none, one or several.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// The one ActReason code of `extensions.ihe_iua.purpose_of_use`; `None` if there is none, are several, or one of
    /// another system or that cannot be read.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// Whether the claim `scope` (RFC 9068, 2.2.3) names this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }

    /// Whether the person has shown several factors (`amr` has `mfa`, RFC 8176) at `auth_time`, and that is no longer ago
    /// than `seconds` (RFC 9470). A token that does not say so has not.
    #[must_use]
    pub fn is_confirmed_within(&self, seconds: u32, now: Timestamp) -> bool {
        let since = now.plus_micros(-i64::from(seconds) * 1_000_000);
        self.several_factors && self.authenticated_at.is_some_and(|at| since <= at && at <= now)
    }

    /// Whether the claim `amr` says that several factors were shown (`mfa`, RFC 8176).
    #[must_use]
    pub const fn has_several_factors(&self) -> bool {
        self.several_factors
    }

    /// The claim `acr`: the authentication class that was met.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// The claim `auth_time`: when the person has shown himself.
    #[must_use]
    pub const fn authenticated_at(&self) -> Option<Timestamp> {
        self.authenticated_at
    }

    /// The claim that names the device, if the verifier was told which one that is.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Whether the time is right: from the later of `iat` and `nbf` until before `exp`, both ends wider by the leeway.
    pub(crate) fn check_time(&self, now: Timestamp, leeway_micros: i64) -> Result<(), TokenError> {
        if now >= self.expires_at.plus_micros(leeway_micros) {
            return Err(TokenError::Expired);
        }
        if now.plus_micros(leeway_micros) < self.valid_from {
            return Err(TokenError::NotYet);
        }
        Ok(())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("subject", &format_args!(".."))
            .field("client_id", &self.client_id)
            .field("jti", &format_args!(".."))
            .field("valid_from", &self.valid_from)
            .field("expires_at", &self.expires_at)
            .field("roles", &self.roles)
            .field("purpose", &self.purpose)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// The claims as they are written.
#[derive(Deserialize)]
struct Payload<'a> {
    iss: Option<String>,
    aud: Option<OneOrMany>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
    sub: Option<String>,
    jti: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    auth_time: Option<&'a RawValue>,
    #[serde(borrow)]
    amr: Option<&'a RawValue>,
    #[serde(borrow)]
    acr: Option<&'a RawValue>,
}

/// Reads the claims of a token whose signature is good. The caller checks the time.
pub fn read(json: &[u8], parties: &Parties, device_claim: Option<&str>) -> Result<Token, TokenError> {
    let payload: Payload<'_> = object(json).ok_or(TokenError::Claims { claim: "*" })?;
    if payload.iss.ok_or(TokenError::Claims { claim: "iss" })? != parties.issuer {
        return Err(TokenError::Issuer);
    }
    if !payload.aud.ok_or(TokenError::Claims { claim: "aud" })?.names(&parties.audience) {
        return Err(TokenError::Audience);
    }
    let issued_at = time(payload.iat.as_ref(), "iat")?;
    let not_before = payload.nbf.as_ref().map_or(Ok(issued_at), |nbf| time(Some(nbf), "nbf"))?;
    if payload.roles.len() > ROLES_MAX || !payload.roles.iter().all(|role| is_name(role)) {
        return Err(TokenError::Claims { claim: "roles" });
    }
    Ok(Token {
        subject: name(payload.sub, "sub")?,
        client_id: name(payload.client_id, "client_id")?,
        jti: name(payload.jti, "jti")?,
        valid_from: issued_at.max(not_before),
        expires_at: time(payload.exp.as_ref(), "exp")?,
        roles: payload.roles,
        purpose: purpose(payload.extensions),
        scopes: scopes(payload.scope),
        authenticated_at: payload.auth_time.and_then(|time| seconds(&serde_json::from_str(time.get()).ok()?)),
        several_factors: payload.amr.is_some_and(|amr| {
            serde_json::from_str::<Vec<String>>(amr.get()).is_ok_and(|amr| amr.iter().any(|one| one == "mfa"))
        }),
        acr: payload.acr.and_then(|acr| serde_json::from_str::<String>(acr.get()).ok()).filter(|acr| is_name(acr)),
        device: device_claim.and_then(|claim| named(json, claim)),
    })
}

/// A claim of the name that the operator has said, if it is a text.
pub fn named(json: &[u8], claim: &str) -> Option<String> {
    let all: HashMap<String, &RawValue> = object(json)?;
    serde_json::from_str::<String>(all.get(claim)?.get()).ok().filter(|text| is_name(text))
}

/// The names of the claim `scope`, one blank between them (RFC 6749, 3.3). What cannot be read names none.
fn scopes(scope: Option<&RawValue>) -> Vec<String> {
    let text: Option<String> = scope.and_then(|scope| serde_json::from_str(scope.get()).ok());
    let text = text.unwrap_or_default();
    text.split(' ').filter(|name| is_name(name)).take(SCOPES_MAX).map(str::to_owned).collect()
}

/// Whether a name is of a length to be kept and prints as one line.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

fn name(text: Option<String>, claim: &'static str) -> Result<String, TokenError> {
    text.filter(|text| is_name(text)).ok_or(TokenError::Claims { claim })
}

fn time(number: Option<&Number>, claim: &'static str) -> Result<Timestamp, TokenError> {
    number.and_then(seconds).ok_or(TokenError::Claims { claim })
}

#[derive(Deserialize)]
struct Extensions<'a> {
    #[serde(borrow)]
    ihe_iua: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct IheIua<'a> {
    #[serde(borrow)]
    purpose_of_use: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Coding {
    system: Option<String>,
    code: String,
}

/// IHE IUA writes an array of codings; one coding or one code alone is taken too. Each level is read by what it begins
/// with: left to itself, serde would read `["a", "b"]` as a coding with the system `a`.
fn purpose(extensions: Option<&RawValue>) -> Option<String> {
    let Extensions { ihe_iua } = object(extensions?.get().as_bytes())?;
    let IheIua { purpose_of_use } = object(ihe_iua?.get().as_bytes())?;
    let written = purpose_of_use?.get();
    if !written.starts_with('[') {
        return code(written);
    }
    let list: Vec<&RawValue> = serde_json::from_str(written).ok()?;
    let [only] = list.as_slice() else { return None };
    code(only.get())
}

fn code(written: &str) -> Option<String> {
    let code = if written.starts_with('{') {
        let coding: Coding = object(written.as_bytes())?;
        let known = coding.system.is_none_or(|system| system == PURPOSE_SYSTEM || system == PURPOSE_SYSTEM_OID);
        known.then_some(coding.code)?
    } else {
        serde_json::from_str(written).ok()?
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (!code.is_empty() && code.len() <= PURPOSE_BYTES_MAX && code.bytes().all(plain)).then_some(code)
}
