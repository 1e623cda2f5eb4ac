//! [`Signals`]: security event tokens (RFC 8417) of a transmitter (OpenID Shared Signals, CAEP), as they are pushed (RFC 8935).
//!
//! It verifies and reads. Whether a token was taken before, and what it changes, is not known here.

use crate::json::{OneOrMany, base64url, object, seconds};
use crate::keys::{self, JwksError, Key};
use crate::token::is_name;
use crate::verifier::TOKEN_BYTES_MAX;
use crate::{Parties, jws};
use aws_lc_rs::digest::{Context, SHA256, digest};
use scruple_core::Timestamp;
use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// CAEP 1.0, 3.5: the compliance of a device has changed.
pub const DEVICE_COMPLIANCE_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";
/// Our own: what is known of a device in particular.
pub const DEVICE_POSTURE: &str = "urn:scruple:event-type:device-posture";
/// Shared Signals Framework 1.0: the transmitter tries whether it gets through.
pub const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
/// Days after which a token is too old to be taken.
pub const SIGNAL_DAYS_MAX: i64 = 7;
const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// Seconds by which the clocks may differ.
const LEEWAY_MICROS: i64 = 60_000_000;
/// Events of one token: RFC 8417 has them tell of one thing.
const EVENTS_MAX: usize = 8;

/// Why a token is refused: the codes of RFC 8935, 2.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignalError {
    /// It is no security event token, or says what cannot be.
    #[error("the request is no security event token that can be read")]
    Request,
    /// Its key is not known, or the signature does not fit.
    #[error("the signature cannot be verified")]
    Key,
    /// Of another issuer.
    #[error("the issuer is not the one of this stream")]
    Issuer,
    /// For another audience.
    #[error("the audience is not this receiver")]
    Audience,
}

impl SignalError {
    /// The registered code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Request => "invalid_request",
            Self::Key => "invalid_key",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
        }
    }
}

/// What a message tells of a device.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceSignal {
    /// The name by which its management knows it.
    pub device: String,
    /// Whether it meets what is asked of it; none: it does not say.
    pub compliant: Option<bool>,
    /// `managed`, `disk_encrypted`, `os_patched`, `screen_lock`, as far as they are said.
    pub facts: BTreeMap<&'static str, bool>,
    /// When that was so.
    pub at: Timestamp,
}

impl fmt::Debug for DeviceSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSignal").field("compliant", &self.compliant).field("at", &self.at).finish_non_exhaustive()
    }
}

/// A token that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// What makes it this one: a hash of issuer and `jti`.
    pub hash: [u8; 32],
    /// What it tells of devices. Events of other kinds, and that of a verification, tell nothing that counts here.
    pub devices: Vec<DeviceSignal>,
}

/// What tokens are verified against.
pub struct Signals {
    keys: Vec<Key>,
    parties: Parties,
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("parties", &self.parties).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Payload<'a> {
    iss: Option<String>,
    aud: Option<OneOrMany>,
    iat: Option<Number>,
    jti: Option<String>,
    #[serde(borrow)]
    sub_id: Option<&'a RawValue>,
    #[serde(borrow)]
    events: Option<BTreeMap<String, &'a RawValue>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    subject: Option<&'a RawValue>,
    event_timestamp: Option<Number>,
    current_status: Option<String>,
    managed: Option<bool>,
    disk_encrypted: Option<bool>,
    os_patched: Option<bool>,
    screen_lock: Option<bool>,
}

/// RFC 9493, and the complex subjects of Shared Signals.
#[derive(Deserialize)]
struct SubjectId<'a> {
    format: Option<String>,
    id: Option<String>,
    sub: Option<String>,
    #[serde(borrow)]
    device: Option<&'a RawValue>,
}

impl Signals {
    /// From the keys of a transmitter (JWKS), its name, and the name by which it knows us.
    ///
    /// # Errors
    /// The keys cannot be used.
    pub fn new(jwks: &str, parties: Parties) -> Result<Self, JwksError> {
        Ok(Self { keys: keys::parse(jwks)?, parties })
    }

    /// The transmitter.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.parties.issuer
    }

    /// Verifies a token. Nothing in its claims is looked at before the signature is good.
    ///
    /// # Errors
    /// See [`SignalError`].
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Signal, SignalError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(SignalError::Request);
        }
        let parts = jws::split(text).map_err(|_| SignalError::Request)?;
        let typ = parts.header.typ.as_deref().unwrap_or_default();
        // RFC 8417, 2.3: without the type an access token could be taken for one, or the other way round.
        let is_event = ["secevent+jwt", "application/secevent+jwt"].iter().any(|one| typ.eq_ignore_ascii_case(one));
        if parts.header.alg.as_deref() != Some("ES256") || !is_event || parts.header.crit {
            return Err(SignalError::Request);
        }
        let key = keys::find(&self.keys, parts.header.kid.as_deref()).ok_or(SignalError::Key)?;
        if key.verify(parts.message, parts.signature) != Some(true) {
            return Err(SignalError::Key);
        }
        let payload = base64url(parts.payload).ok_or(SignalError::Request)?;
        self.read(&payload, now)
    }

    fn read(&self, payload: &[u8], now: Timestamp) -> Result<Signal, SignalError> {
        let payload: Payload<'_> = object(payload).ok_or(SignalError::Request)?;
        if payload.iss.as_deref() != Some(self.parties.issuer.as_str()) {
            return Err(SignalError::Issuer);
        }
        if !payload.aud.is_some_and(|aud| aud.names(&self.parties.audience)) {
            return Err(SignalError::Audience);
        }
        let jti = payload.jti.filter(|jti| is_name(jti)).ok_or(SignalError::Request)?;
        let issued_at = payload.iat.as_ref().and_then(seconds).ok_or(SignalError::Request)?;
        let oldest = now.plus_micros(-SIGNAL_DAYS_MAX * DAY_MICROS);
        if issued_at < oldest || issued_at > now.plus_micros(LEEWAY_MICROS) {
            return Err(SignalError::Request);
        }
        let events = payload.events.filter(|events| !events.is_empty() && events.len() <= EVENTS_MAX);
        let mut devices = Vec::new();
        for (kind, event) in events.ok_or(SignalError::Request)? {
            if kind != DEVICE_COMPLIANCE_CHANGE && kind != DEVICE_POSTURE {
                continue;
            }
            let event: Event<'_> = object(event.get().as_bytes()).ok_or(SignalError::Request)?;
            let subject = payload.sub_id.or(event.subject).ok_or(SignalError::Request)?;
            let device = device(subject).filter(|name| is_name(name)).ok_or(SignalError::Request)?;
            let compliant = match event.current_status.as_deref() {
                Some("compliant") => Some(true),
                Some("not-compliant") => Some(false),
                None if kind == DEVICE_POSTURE => None,
                _ => return Err(SignalError::Request),
            };
            // What happens later than it is told of has not happened. Not by the clock of this node: which of two is the newer is for the
            // transmitter to say, whichever node takes them.
            let at = match &event.event_timestamp {
                Some(at) => seconds(at).ok_or(SignalError::Request)?.min(issued_at),
                None => issued_at,
            };
            let said = [
                ("managed", event.managed),
                ("disk_encrypted", event.disk_encrypted),
                ("os_patched", event.os_patched),
                ("screen_lock", event.screen_lock),
            ];
            let facts = said.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect();
            devices.push(DeviceSignal { device, compliant, facts, at });
        }
        let mut hash = Context::new(&SHA256);
        for part in [self.parties.issuer.as_bytes(), b"\n", jti.as_bytes()] {
            hash.update(part);
        }
        Ok(Signal { hash: hash.finish().as_ref().try_into().unwrap_or_default(), devices })
    }
}

/// What a device is kept under: the first half of the hash of its name.
#[must_use]
pub fn device_key(name: &str) -> [u8; 16] {
    let hash = digest(&SHA256, name.as_bytes());
    hash.as_ref().first_chunk::<16>().copied().unwrap_or_default()
}

/// The name of the device in a subject: that of a complex subject, or the subject itself.
fn device(subject: &RawValue) -> Option<String> {
    let subject: SubjectId<'_> = object(subject.get().as_bytes())?;
    let simple = match subject.device {
        Some(device) => object::<SubjectId<'_>>(device.get().as_bytes())?,
        None => subject,
    };
    match simple.format.as_deref() {
        Some("opaque") => simple.id,
        Some("iss_sub") => simple.sub,
        _ => None,
    }
}
