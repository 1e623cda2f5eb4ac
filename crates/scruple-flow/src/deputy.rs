//! Deputies: who stands in for somebody at the desk while he cannot be there. The one names, the other accepts, either ends it, and it
//! ends by itself. What a deputy may decide is judged at the decision: as his principal could at that instant, and never in what
//! concerns one of the two. A deputy of a deputy stands in for the deputy alone.
//!
//! `named -> accepted -> over | ended`

use crate::limits::DEPUTY_DAYS_MAX;
use crate::{Person, Window};
use scruple_core::{Id, Timestamp};

#[cfg(test)]
mod tests;

const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// As what somebody stands in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DeputyAs {
    /// Decides on requests.
    Approver,
    /// Reviews emergencies.
    Reviewer,
}

impl DeputyAs {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Approver, Self::Reviewer];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Approver => "approver",
            Self::Reviewer => "reviewer",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeputyState {
    /// The deputy has not said yes.
    Named,
    /// He has.
    Accepted {
        /// When.
        at: Timestamp,
    },
    /// One of the two has ended it, or has left.
    Ended {
        /// Who.
        by: Id<Person>,
        /// When.
        at: Timestamp,
        /// When it was accepted, if it was.
        accepted: Option<Timestamp>,
    },
}

/// Somebody who stands in for another.
// INVARIANT (deputy-in-force): it gives something from the acceptance on, within its window, and until it is ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deputy {
    /// Its id.
    pub id: Id<Self>,
    /// In whose place.
    pub principal: Id<Person>,
    /// Who stands in.
    pub deputy: Id<Person>,
    /// As what.
    pub capacity: DeputyAs,
    /// For which time.
    pub window: Window,
    /// When he was named.
    pub named_at: Timestamp,
    /// How far it has come.
    pub state: DeputyState,
    /// Version of the row.
    pub version: i64,
}

/// What happens to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeputyEvent {
    /// The deputy says yes.
    Accept,
    /// One of the two ends it.
    End,
}

/// Why nobody stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeputyError {
    /// That does not follow on where it stands.
    #[error("a deputy who is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: DeputyEvent,
    },
    /// Somebody would stand in for himself.
    #[error("nobody is his own deputy")]
    Himself,
    /// It would last longer than the house allows.
    #[error("a deputy stands in for at most {DEPUTY_DAYS_MAX} days")]
    TooLong,
    /// It would be over before it could begin.
    #[error("the time that is named is over")]
    Over,
    /// It is somebody else's to accept or to end.
    #[error("the deputy accepts, and one of the two ends it")]
    NotYours,
}

impl DeputyError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_task_state",
            Self::Himself => "deputy_himself",
            Self::TooLong => "deputy_too_long",
            Self::Over => "window_over",
            Self::NotYours => "not_your_deputy",
        }
    }
}

impl Deputy {
    /// Where it stands at an instant: `named`, `accepted`, `over` or `ended`.
    #[must_use]
    pub fn code_at(&self, now: Timestamp) -> &'static str {
        match self.state {
            DeputyState::Ended { .. } => "ended",
            _ if now >= self.window.ends_at() => "over",
            DeputyState::Named => "named",
            DeputyState::Accepted { .. } => "accepted",
        }
    }

    /// Whether the deputy stands in at an instant.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        matches!(self.state, DeputyState::Accepted { .. }) && self.window.contains(now)
    }

    /// Names him: `self` is as it is meant to be.
    ///
    /// # Errors
    /// Nobody stands in for himself, for longer than the house allows, or in a time that is over.
    pub fn named(self, at: Timestamp) -> Result<Self, DeputyError> {
        if self.principal == self.deputy {
            return Err(DeputyError::Himself);
        }
        let (from, until) = (self.window.starts_at().max(at), self.window.ends_at());
        if until <= at {
            return Err(DeputyError::Over);
        }
        if until.micros().saturating_sub(from.micros()) > DEPUTY_DAYS_MAX.saturating_mul(DAY_MICROS) {
            return Err(DeputyError::TooLong);
        }
        Ok(Self { named_at: at, state: DeputyState::Named, version: 1, ..self })
    }

    /// The deputy says yes.
    ///
    /// # Errors
    /// It is somebody else's to say, or nothing waits for a yes.
    pub fn accept(self, by: Id<Person>, at: Timestamp) -> Result<Self, DeputyError> {
        if by != self.deputy {
            return Err(DeputyError::NotYours);
        }
        match self.code_at(at) {
            "named" => Ok(Self { state: DeputyState::Accepted { at }, ..self }),
            from => Err(DeputyError::Transition { from, event: DeputyEvent::Accept }),
        }
    }

    /// One of the two ends it.
    ///
    /// # Errors
    /// It is nobody's of them, or it has ended.
    pub fn end(self, by: Id<Person>, at: Timestamp) -> Result<Self, DeputyError> {
        if ![self.principal, self.deputy].contains(&by) {
            return Err(DeputyError::NotYours);
        }
        let accepted = match (self.state, self.code_at(at)) {
            (DeputyState::Named, "named") => None,
            (DeputyState::Accepted { at }, "accepted") => Some(at),
            (_, from) => return Err(DeputyError::Transition { from, event: DeputyEvent::End }),
        };
        Ok(Self { state: DeputyState::Ended { by, at, accepted }, ..self })
    }
}
