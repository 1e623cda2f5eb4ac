//! What other systems really grant: systems that are connected, the rights that they know, and drift: where a system grants what
//! nobody holds here, or does not grant what somebody holds.
//!
//! Nothing here believes that a right is gone because its removal was asked for or accepted: only a reading of the whole system that
//! began afterwards says so.

use crate::reason::{WeakReason, reason};
use crate::{Person, RoleCode};
use scruple_core::{Id, Phi, Timestamp};
use std::fmt;
use std::str::FromStr;

const SECOND_MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 24 * 3_600 * SECOND_MICROS;

/// Bytes of a system's code.
const CODE_BYTES_MAX: usize = 64;
/// Days for which drift can be let be (house rule): then it is decided anew.
pub const DRIFT_DAYS_MAX: i64 = 180;
/// The first wait after a removal that did not come to be seen.
const RETRY_FIRST_MICROS: i64 = 60 * SECOND_MICROS;
/// The longest.
const RETRY_MICROS_MAX: i64 = 3_600 * SECOND_MICROS;

/// A system's code, as the configuration names it: lower-case letters, digits, `_` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SystemCode(String);

/// A text that is no system's code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no system's code: lower-case letters, digits, `_` and `-`")]
pub struct InvalidSystem(String);

impl SystemCode {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SystemCode {
    type Err = InvalidSystem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > CODE_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(InvalidSystem(text.chars().take(CODE_BYTES_MAX).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SystemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

codes! {
    /// How a system is reached.
    ConnectorKind {
        /// SCIM 2.0: it is read, and rights are removed there.
        Scim = "scim",
        /// A file that the system writes: who answers for it removes rights by hand.
        File = "file",
    }
}

codes! {
    /// Why a system was not read.
    ReadFailure {
        /// It cannot be reached.
        Unreachable = "unreachable",
        /// It does not answer in time.
        Timeout = "timeout",
        /// It does not take the token, or does not let it read.
        Refused = "refused",
        /// It answers that it is busy or broken.
        Busy = "busy",
        /// What it answers is not what it should be.
        Malformed = "malformed",
        /// It told of more than it showed, or changed while it was read.
        Incomplete = "incomplete",
        /// It shows nobody at all.
        Empty = "empty",
        /// It shows more than is taken.
        TooLarge = "too_large",
        /// No connector of this node has its code.
        NotConfigured = "not_configured",
    }
}

codes! {
    /// Why a right is not known to be removed though that was tried.
    RemovalFailure {
        /// The system cannot be reached.
        Unreachable = "unreachable",
        /// It does not answer in time: it may have removed it.
        Timeout = "timeout",
        /// It refuses.
        Refused = "refused",
        /// It answers that it is busy or broken.
        Busy = "busy",
        /// It took the order, and still grants the right.
        StillThere = "still_there",
    }
}

/// Something in another system, as that system names it: the name that it is addressed by, and the one that people know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct There {
    /// How it is addressed; holds no line end.
    pub reference: String,
    /// What it is called.
    pub name: String,
}

/// A system that is connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectedSystem {
    /// Its id.
    pub id: Id<Self>,
    /// Its code.
    pub code: SystemCode,
    /// How it is reached.
    pub kind: ConnectorKind,
    /// Who answers for it.
    pub owner: Id<Person>,
    /// Whether rights that nobody holds here are removed there without asking anybody. Rights of which the ground has ended always are.
    pub removes_drift: bool,
    /// Who has said so.
    pub set_by: Id<Person>,
    /// When.
    pub set_at: Timestamp,
    /// When somebody last asked for it to be read.
    pub wanted_at: Option<Timestamp>,
    /// When it was last tried to read it.
    pub looked_at: Option<Timestamp>,
    /// When the last reading began that was whole: what is known of it stood then.
    pub read_at: Option<Timestamp>,
    /// Why the last reading failed.
    pub failure: Option<ReadFailure>,
    /// Version of the row.
    pub version: i64,
}

impl ConnectedSystem {
    /// Whether it is to be read now.
    #[must_use]
    pub fn is_due(&self, every_micros: i64, now: Timestamp) -> bool {
        let Some(looked) = self.looked_at else { return true };
        self.wanted_at.is_some_and(|wanted| wanted > looked) || looked.plus_micros(every_micros) <= now
    }

    /// Whether nothing is known of it that is new enough.
    #[must_use]
    pub fn is_stale(&self, after_micros: i64, now: Timestamp) -> bool {
        self.read_at.unwrap_or(self.set_at).plus_micros(after_micros) <= now
    }
}

/// A right that a system knows: a group, a profile, a licence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemRight {
    /// Its id.
    pub id: Id<Self>,
    /// The system.
    pub system: Id<ConnectedSystem>,
    /// As the system names it.
    pub there: Phi<There>,
    /// What it stands for.
    pub meaning: RightMeaning,
    /// Version of the row.
    pub version: i64,
}

/// What a right of another system stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RightMeaning {
    /// Nobody has decided.
    Undecided,
    /// Who holds the role may have it, and nobody else.
    Role {
        /// The role.
        role: RoleCode,
        /// Who has decided.
        by: Id<Person>,
        /// When.
        at: Timestamp,
    },
    /// It opens nothing that the policy is about: whoever is here may have it.
    Nothing {
        /// Who has decided.
        by: Id<Person>,
        /// When.
        at: Timestamp,
    },
}

impl RightMeaning {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Role { .. } => "role",
            Self::Nothing { .. } => "nothing",
        }
    }

    /// The role, where it is one.
    #[must_use]
    pub const fn role(&self) -> Option<&RoleCode> {
        match self {
            Self::Role { role, .. } => Some(role),
            Self::Undecided | Self::Nothing { .. } => None,
        }
    }
}

codes! {
    /// What is wrong.
    DriftKind {
        /// An account has a right there of which the role is not held here.
        Extra = "extra",
        /// An account is nobody's, or of somebody who has left.
        Orphan = "orphan",
        /// A role is held here, and none of its rights is there.
        Missing = "missing",
        /// Nobody has decided what a right there stands for.
        Undecided = "undecided",
        /// The system has not been read for too long.
        Stale = "stale",
    }
}

impl DriftKind {
    /// Whether it goes by removing something there.
    #[must_use]
    pub const fn is_removed(self) -> bool {
        matches!(self, Self::Extra | Self::Orphan)
    }
}

codes! {
    /// How it came to be.
    DriftCause {
        /// It was granted there, and never here.
        Drift = "drift",
        /// It was held here, and that has ended: by its end, by revocation, by leaving.
        Ended = "ended",
    }
}

codes! {
    /// Why drift is over that no removal has ended.
    DriftEnd {
        /// The system does not have it any more.
        Gone = "gone",
        /// It is right now: the role is held, the right is decided on, the system was read.
        Right = "right",
    }
}

/// A removal that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removal {
    /// Who has asked; none: the rule.
    pub by: Option<Id<Person>>,
    /// When.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// What came of the last time.
    pub failure: Option<RemovalFailure>,
}

/// How far drift has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DriftState {
    /// Somebody has to decide.
    Open,
    /// It is to be removed there.
    Asked(Removal),
    /// It is let be for a time.
    Excepted {
        /// Who has decided.
        by: Id<Person>,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Phi<String>,
        /// Until when.
        until: Timestamp,
    },
    /// It is removed: the system was read, and does not have it.
    // INVARIANT (confirmed-is-read): `read_at` is the beginning of a whole reading, not before it was asked for and last tried.
    Confirmed {
        /// What was asked.
        removal: Removal,
        /// When the reading began that showed it.
        read_at: Timestamp,
        /// When that was noted.
        at: Timestamp,
    },
    /// It is over without a removal.
    Closed {
        /// Why.
        end: DriftEnd,
        /// When.
        at: Timestamp,
    },
}

impl DriftState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Asked(_) => "asked",
            Self::Excepted { .. } => "excepted",
            Self::Confirmed { .. } => "confirmed",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Confirmed { .. } | Self::Closed { .. })
    }
}

/// Where a system and what is held here differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drift {
    /// Its id.
    pub id: Id<Self>,
    /// The system.
    pub system: Id<ConnectedSystem>,
    /// What is wrong.
    pub kind: DriftKind,
    /// How it came to be.
    pub cause: DriftCause,
    /// The account there, where it is about one.
    pub account: Option<Phi<There>>,
    /// Whose it is, where it is known.
    pub person: Option<Id<Person>>,
    /// The right there, where it is about one.
    pub right: Option<Id<SystemRight>>,
    /// Since when it is known.
    pub opened_at: Timestamp,
    /// How far it has come.
    pub state: DriftState,
    /// Version of the row.
    pub version: i64,
}

/// Why drift does not go on so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DriftError {
    /// It is over.
    #[error("it is over")]
    Over,
    /// Its removal was asked for.
    #[error("its removal was asked for already")]
    Asked,
    /// Its removal was not asked for.
    #[error("its removal was not asked for")]
    NotAsked,
    /// There is nothing in the other system that could be removed.
    #[error("there is nothing to be removed in the other system")]
    NotRemovable,
    /// It is let be already.
    #[error("it is let be already")]
    Excepted,
    /// It is not let be, or its time is not over.
    #[error("it is not let be, or the time for it is not over")]
    NotOver,
    /// Nobody lets be what he has himself.
    #[error("nobody lets be a right of his own")]
    Own,
    /// What is not held any more cannot be let be: it is asked for anew.
    #[error("what has ended here is asked for anew, and not let be")]
    Ended,
    /// It ends before it begins, or is too far away.
    #[error("drift is let be until an end to come, within 180 days")]
    Until,
    /// The reading began before that: it says nothing of it.
    #[error("the system was read before it was asked or tried")]
    ReadTooSoon,
    /// The reason says nothing.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl DriftError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Over => "drift_over",
            Self::Asked => "removal_asked",
            Self::NotAsked => "removal_not_asked",
            Self::NotRemovable => "not_removable",
            Self::Excepted => "drift_excepted",
            Self::NotOver => "exception_not_over",
            Self::Own => "own_right",
            Self::Ended => "ground_ended",
            Self::Until => "exception_end_invalid",
            Self::ReadTooSoon => "read_too_soon",
            Self::Reason(error) => error.code(),
        }
    }
}

impl Drift {
    /// The removal that is under way.
    #[must_use]
    pub const fn removal(&self) -> Option<&Removal> {
        match &self.state {
            DriftState::Asked(removal) | DriftState::Confirmed { removal, .. } => Some(removal),
            _ => None,
        }
    }

    /// Its removal is asked for: by somebody, or by the rule, for which `cause` is why.
    ///
    /// # Errors
    /// See [`DriftError`].
    pub fn asked(self, by: Option<Id<Person>>, cause: DriftCause, at: Timestamp) -> Result<Self, DriftError> {
        match self.state {
            _ if !self.kind.is_removed() => Err(DriftError::NotRemovable),
            DriftState::Asked(_) => Err(DriftError::Asked),
            DriftState::Confirmed { .. } | DriftState::Closed { .. } => Err(DriftError::Over),
            DriftState::Open | DriftState::Excepted { .. } => {
                let removal = Removal { by, at, attempts: 0, tried_at: None, next_at: at, failure: None };
                // What has ended does not become drift again.
                let cause = if self.cause == DriftCause::Ended { self.cause } else { cause };
                Ok(Self { state: DriftState::Asked(removal), cause, ..self })
            }
        }
    }

    /// It was tried to remove it: accepted or not, it is tried again until a reading shows that it is gone. `wait_s`: the system
    /// asked for so many seconds.
    ///
    /// # Errors
    /// Its removal was not asked for.
    pub fn tried(
        self,
        failure: Option<RemovalFailure>,
        wait_s: Option<u32>,
        at: Timestamp,
    ) -> Result<Self, DriftError> {
        let DriftState::Asked(removal) = self.state else { return Err(DriftError::NotAsked) };
        let doublings = removal.attempts.min(6);
        let wait = (RETRY_FIRST_MICROS << doublings).min(RETRY_MICROS_MAX);
        let asked = i64::from(wait_s.unwrap_or(0)).saturating_mul(SECOND_MICROS).min(DAY_MICROS);
        let at = at.max(removal.at);
        let removal = Removal {
            attempts: removal.attempts.saturating_add(1),
            tried_at: Some(at),
            next_at: at.plus_micros(wait.max(asked)),
            failure,
            ..removal
        };
        Ok(Self { state: DriftState::Asked(removal), ..self })
    }

    /// A whole reading that began at `read_at` still has it.
    ///
    /// # Errors
    /// Its removal was not asked for, or not tried before.
    pub fn still_there(self, read_at: Timestamp) -> Result<Self, DriftError> {
        let DriftState::Asked(removal) = self.state else { return Err(DriftError::NotAsked) };
        if removal.tried_at.is_none_or(|tried| read_at < tried) {
            return Err(DriftError::ReadTooSoon);
        }
        let failure = Some(removal.failure.unwrap_or(RemovalFailure::StillThere));
        Ok(Self { state: DriftState::Asked(Removal { failure, ..removal }), ..self })
    }

    /// A whole reading that began at `read_at` does not have it.
    ///
    /// # Errors
    /// It is over; or the reading began before its removal was asked for or last tried, or before it was known.
    pub fn gone(self, read_at: Timestamp, at: Timestamp) -> Result<Self, DriftError> {
        let state = match self.state {
            DriftState::Confirmed { .. } | DriftState::Closed { .. } => return Err(DriftError::Over),
            DriftState::Asked(removal) => {
                if read_at < removal.at.max(removal.tried_at.unwrap_or(removal.at)) {
                    return Err(DriftError::ReadTooSoon);
                }
                DriftState::Confirmed { removal, read_at, at: at.max(read_at) }
            }
            DriftState::Open | DriftState::Excepted { .. } => DriftState::Closed { end: DriftEnd::Gone, at },
        };
        Ok(Self { state, ..self })
    }

    /// It is right now, though the system still has it.
    ///
    /// # Errors
    /// It is over.
    pub fn right(self, at: Timestamp) -> Result<Self, DriftError> {
        if self.state.is_over() {
            return Err(DriftError::Over);
        }
        Ok(Self { state: DriftState::Closed { end: DriftEnd::Right, at }, ..self })
    }

    /// Somebody else than whose right it is lets it be for a time.
    ///
    /// # Errors
    /// See [`DriftError`].
    pub fn excepted(self, by: Id<Person>, why: &str, until: Timestamp, at: Timestamp) -> Result<Self, DriftError> {
        match self.state {
            DriftState::Open => {}
            DriftState::Asked(_) => return Err(DriftError::Asked),
            DriftState::Excepted { .. } => return Err(DriftError::Excepted),
            DriftState::Confirmed { .. } | DriftState::Closed { .. } => return Err(DriftError::Over),
        }
        if self.cause == DriftCause::Ended {
            return Err(DriftError::Ended);
        }
        if self.person == Some(by) {
            return Err(DriftError::Own);
        }
        if until <= at || until > at.plus_micros(DRIFT_DAYS_MAX * DAY_MICROS) {
            return Err(DriftError::Until);
        }
        let reason = Phi::new(reason(why, None)?.to_owned());
        Ok(Self { state: DriftState::Excepted { by, at, reason, until }, ..self })
    }

    /// Whose it is was told since: as it is now known. What somebody let be who turns out to have it himself is open again.
    #[must_use]
    pub fn of(self, person: Option<Id<Person>>) -> Self {
        let state = match self.state {
            DriftState::Excepted { by, .. } if person == Some(by) => DriftState::Open,
            state => state,
        };
        Self { person, state, ..self }
    }

    /// The time for which it was let be is over: somebody has to decide anew.
    ///
    /// # Errors
    /// It is not let be, or its time is not over.
    pub fn reopened(self, at: Timestamp) -> Result<Self, DriftError> {
        match self.state {
            DriftState::Excepted { until, .. } if until <= at => Ok(Self { state: DriftState::Open, ..self }),
            DriftState::Confirmed { .. } | DriftState::Closed { .. } => Err(DriftError::Over),
            _ => Err(DriftError::NotOver),
        }
    }
}

#[cfg(test)]
mod tests;
