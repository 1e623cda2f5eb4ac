//! How a FHIR server is reached: base, credential, limits.

use crate::base::Base;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use scruple_core::limits::RESOURCE_BYTES_MAX;
use scruple_fhir::search::Dialect;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Milliseconds to reach the server, TLS handshake included.
pub const CONNECT_MS: u64 = 3_000;
/// Milliseconds for a whole call, from the first byte sent to the last one taken.
pub const CALL_MS: u64 = 30_000;
/// Milliseconds that a call waits for its turn when [`CALLS_MAX`] are under way.
pub const WAIT_MS: u64 = 5_000;
/// Calls at a time.
pub const CALLS_MAX: usize = 256;
/// Idle connections that are kept.
pub const POOL_IDLE_MAX: usize = 128;
/// Milliseconds that an idle connection is kept: less than what servers keep theirs (20 s and more).
pub const POOL_IDLE_MS: u64 = 15_000;
/// Bytes of a search's answer.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of all answers that are held at one time, until what was made of them is sent on; more is refused. The memory
/// that they take is up to four times as much: the answer, its projections, and what is sent.
pub const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of a read's answer: a resource, and white space around it.
pub const READ_BYTES_MAX: usize = RESOURCE_BYTES_MAX + 64 * 1024;
/// Bytes of an answer's head.
pub const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Who we are to the server. The caller's token is never here.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Credential {
    /// Nobody.
    #[default]
    None,
    /// A static bearer token.
    Bearer(SecretString),
    /// A user and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(..)",
            Self::Basic { .. } => "Basic(..)",
        })
    }
}

impl Credential {
    /// The header's value; marked as secret, so that no `Debug` shows it.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, InvalidOptions> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Bearer(token) if token.expose_secret().is_empty() => return Err(InvalidOptions::Credential),
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Self::Basic { user, .. } if user.contains(':') => return Err(InvalidOptions::Credential),
            Self::Basic { user, password } => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose_secret())))
            }
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| InvalidOptions::Credential)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// How searches go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SearchBy {
    /// `POST [type]/_search`: the server's access log holds no query.
    #[default]
    Post,
    /// `GET [type]?query`, for a server that cannot do otherwise.
    Get,
}

/// Whom TLS trusts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The public authorities (Mozilla's list).
    #[default]
    Public,
    /// These alone, as PEM.
    Pem(Vec<u8>),
}

/// Why the options cannot be used. None holds a byte of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// The credential cannot stand in a header, or is empty.
    #[error("the upstream credential cannot be sent")]
    Credential,
    /// The PEM holds no certificate, or one that cannot be read.
    #[error("the upstream's certificate authorities cannot be read")]
    Roots,
    /// TLS cannot be had.
    #[error("no TLS version can be offered to the upstream")]
    Tls,
    /// A limit is 0.
    #[error("the upstream limit `{0}` is 0")]
    Limit(&'static str),
}

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// The base URL.
    pub base: Base,
    /// Bases by which the server calls itself in `next` links, besides `base`: links under them are taken as links under it.
    pub link_bases: Vec<Base>,
    /// Our credential.
    pub credential: Credential,
    /// How searches go.
    pub search_by: SearchBy,
    /// How far the server's search is relied on.
    pub dialect: Dialect,
    /// Whom TLS trusts.
    pub roots: Roots,
    /// [`CONNECT_MS`].
    pub connect_ms: u64,
    /// [`CALL_MS`].
    pub call_ms: u64,
    /// [`WAIT_MS`].
    pub wait_ms: u64,
    /// [`CALLS_MAX`].
    pub calls_max: usize,
    /// [`POOL_IDLE_MAX`].
    pub pool_idle_max: usize,
    /// [`POOL_IDLE_MS`].
    pub pool_idle_ms: u64,
    /// [`ANSWER_BYTES_MAX`].
    pub answer_bytes_max: usize,
    /// [`READ_BYTES_MAX`].
    pub read_bytes_max: usize,
    /// [`HELD_BYTES_MAX`].
    pub held_bytes_max: usize,
}

impl Options {
    /// The defaults for a base.
    #[must_use]
    pub const fn new(base: Base) -> Self {
        Self {
            base,
            link_bases: Vec::new(),
            credential: Credential::None,
            search_by: SearchBy::Post,
            dialect: Dialect::Standard,
            roots: Roots::Public,
            connect_ms: CONNECT_MS,
            call_ms: CALL_MS,
            wait_ms: WAIT_MS,
            calls_max: CALLS_MAX,
            pool_idle_max: POOL_IDLE_MAX,
            pool_idle_ms: POOL_IDLE_MS,
            answer_bytes_max: ANSWER_BYTES_MAX,
            read_bytes_max: READ_BYTES_MAX,
            held_bytes_max: HELD_BYTES_MAX,
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let limits = [
            ("connect_ms", self.connect_ms == 0),
            ("call_ms", self.call_ms == 0),
            ("wait_ms", self.wait_ms == 0),
            ("calls_max", self.calls_max == 0),
            ("answer_bytes_max", self.answer_bytes_max == 0),
            ("read_bytes_max", self.read_bytes_max == 0),
            ("held_bytes_max", self.held_bytes_max == 0),
        ];
        limits.iter().find(|(_, zero)| *zero).map_or(Ok(()), |(name, _)| Err(InvalidOptions::Limit(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_sent_and_never_shown() {
        let secret = || SecretString::from("s3cret".to_owned());
        let bearer = Credential::Bearer(secret());
        let basic = Credential::Basic { user: "me".to_owned(), password: secret() };
        assert_eq!(bearer.header().unwrap().unwrap(), "Bearer s3cret");
        assert_eq!(basic.header().unwrap().unwrap(), "Basic bWU6czNjcmV0");
        for credential in [bearer, basic] {
            let shown = format!("{credential:?} {:?}", credential.header());
            assert!(!shown.contains("s3cret") && !shown.contains("bWU6"), "{shown}");
        }
        let refused = |text: &str| Credential::Bearer(SecretString::from(text.to_owned())).header().unwrap_err();
        assert_eq!(refused(""), InvalidOptions::Credential);
        assert_eq!(refused("a\r\nx: y"), InvalidOptions::Credential);
    }
}
