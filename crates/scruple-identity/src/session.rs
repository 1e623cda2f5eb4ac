//! Sessions of persons: their tokens, and the rules by which they end. Rows, cookies and clocks are the caller's.
//!
//! What it deliberately does not do: forget. A session that is no longer [`State::Live`] is to be removed by the caller,
//! so that a token that comes again finds nothing.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use scruple_core::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// Seconds for which a proof of who is there is fresh, unless the operator says otherwise.
pub const FRESH_SECONDS: u32 = 5 * 60;
/// Seconds by which the clocks of two instances may differ.
pub const SKEW_SECONDS: u32 = 5;

const TOKEN_BYTES: usize = 32;
const MICROS_PER_SECOND: i64 = 1_000_000;
const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;

/// What a person sits at. The less it is theirs, the sooner it locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceClass {
    /// One person's computer.
    Personal,
    /// A computer on a ward that whoever passes uses.
    Shared,
    /// One person's phone or tablet.
    Phone,
}

impl DeviceClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Personal, Self::Shared, Self::Phone];

    /// The code that stands in configuration and store; it never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Shared => "shared",
            Self::Phone => "phone",
        }
    }

    /// By its code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }

    const fn limits(self) -> Limits {
        match self {
            Self::Personal => Limits { idle_seconds: 15 * MINUTE, absolute_seconds: 12 * HOUR },
            Self::Shared => Limits { idle_seconds: 5 * MINUTE, absolute_seconds: 4 * HOUR },
            Self::Phone => Limits { idle_seconds: 10 * MINUTE, absolute_seconds: 12 * HOUR },
        }
    }

    /// The most that the operator may say.
    const fn limits_max(self) -> Limits {
        match self {
            Self::Personal => Limits { idle_seconds: 30 * MINUTE, absolute_seconds: 24 * HOUR },
            Self::Shared => Limits { idle_seconds: 10 * MINUTE, absolute_seconds: 12 * HOUR },
            Self::Phone => Limits { idle_seconds: 15 * MINUTE, absolute_seconds: 24 * HOUR },
        }
    }
}

/// Why a session cannot have these limits.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum LimitsError {
    /// Out of bounds.
    #[error("{what} limit of {seconds} seconds for `{}` devices is not within {min} to {max} seconds", class.code())]
    Bounds {
        /// `idle` or `absolute`.
        what: &'static str,
        /// For which devices.
        class: DeviceClass,
        /// What was asked.
        seconds: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
}

/// How long a session lives on one class of device.
// INVARIANT (session-limits): one minute <= idle <= absolute, both within the bounds of the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    idle_seconds: u32,
    absolute_seconds: u32,
}

impl Limits {
    /// The limits of a class unless the operator says otherwise: 5 minutes idle and 4 hours in all on shared devices, 15
    /// minutes and 12 hours on personal ones, 10 minutes and 12 hours on phones.
    #[must_use]
    pub const fn of(class: DeviceClass) -> Self {
        class.limits()
    }

    /// What the operator says.
    ///
    /// # Errors
    /// Less than a minute, over the bounds of the class, or longer idle than in all.
    pub const fn new(class: DeviceClass, idle_seconds: u32, absolute_seconds: u32) -> Result<Self, LimitsError> {
        let bounds = class.limits_max();
        if idle_seconds < MINUTE || idle_seconds > bounds.idle_seconds {
            let (min, max) = (MINUTE, bounds.idle_seconds);
            return Err(LimitsError::Bounds { what: "idle", class, seconds: idle_seconds, min, max });
        }
        if absolute_seconds < idle_seconds || absolute_seconds > bounds.absolute_seconds {
            let (min, max) = (idle_seconds, bounds.absolute_seconds);
            return Err(LimitsError::Bounds { what: "absolute", class, seconds: absolute_seconds, min, max });
        }
        Ok(Self { idle_seconds, absolute_seconds })
    }

    /// Seconds without a request after which a session ends.
    #[must_use]
    pub const fn idle_seconds(self) -> u32 {
        self.idle_seconds
    }

    /// Seconds after which a session ends whatever is done in it.
    #[must_use]
    pub const fn absolute_seconds(self) -> u32 {
        self.absolute_seconds
    }
}

/// What is known of a session, as its row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// When the person signed in.
    pub started_at: Timestamp,
    /// When the last request came.
    pub seen_at: Timestamp,
    /// When the person last proved who they are: at sign-in or by a step-up.
    pub authenticated_at: Timestamp,
    /// When it was ended by the person, an administrator or a leave.
    pub revoked_at: Option<Timestamp>,
}

/// Whether a session opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does, until then if nothing more is done.
    Live {
        /// The first instant at which it no longer does.
        until: Timestamp,
    },
    /// Nothing was done for too long.
    Idle,
    /// It has lasted as long as any may.
    TooOld,
    /// It was ended.
    Revoked,
}

/// What a session is at `now`. An end that was ordered comes before one by age, and that before idleness.
#[must_use]
pub fn state(times: &SessionTimes, limits: Limits, now: Timestamp) -> State {
    if times.revoked_at.is_some() {
        return State::Revoked;
    }
    let too_old_at = after(times.started_at, limits.absolute_seconds);
    let idle_at = after(times.seen_at, limits.idle_seconds);
    if now >= too_old_at {
        State::TooOld
    } else if now >= idle_at {
        State::Idle
    } else {
        State::Live { until: idle_at.min(too_old_at) }
    }
}

/// Whether a person has proved who they are a short while ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// They have, and it counts until then.
    Fresh {
        /// The first instant at which it no longer does.
        until: Timestamp,
    },
    /// They are to prove it again before a sensitive act.
    Stale,
}

/// Whether the proof of `times.authenticated_at` is good for a sensitive act. One that lies ahead by more than clocks may
/// differ is none.
#[must_use]
pub fn freshness(times: &SessionTimes, fresh_seconds: u32, now: Timestamp) -> Freshness {
    let until = after(times.authenticated_at, fresh_seconds);
    if now >= until || times.authenticated_at > after(now, SKEW_SECONDS) {
        Freshness::Stale
    } else {
        Freshness::Fresh { until }
    }
}

const fn after(at: Timestamp, seconds: u32) -> Timestamp {
    // `as`: u32 to i64 loses nothing, and `from` is not const.
    at.plus_micros(seconds as i64 * MICROS_PER_SECOND)
}

/// The secret of a session: 256 random bits. The browser has it in a cookie, the store only its hash.
pub struct SessionToken(Zeroizing<[u8; TOKEN_BYTES]>);

impl SessionToken {
    /// A new one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// From the cookie's text; `None` if it is no token, in the one spelling that each has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()).ok()?;
        (length == TOKEN_BYTES).then_some(Self(bytes))
    }

    /// The text for the cookie: 43 letters of base64url.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    /// Its SHA-256, by which the store finds the session. A look-up by this tells nothing of the token by its time.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        digest(&SHA256, self.0.as_slice()).as_ref().try_into().unwrap_or_default()
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}
