//! Reviews of emergency access (break-glass): born with the elevation, closed by another person with a reason, never by silence and
//! never in the way of the clinician's next emergency.
//!
//! `open -> asked -> open -> justified | unjustified | escalated`

use crate::limits::{REASON_BYTES_MAX, SHIFT_HOURS};
use crate::{Elevation, HeldElevation, Person, WeakReason, reason};
use scruple_core::{Id, Phi, Timestamp};

#[cfg(test)]
mod tests;

const HOUR_MICROS: i64 = 3_600_000_000;

/// Where a review stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReviewState {
    /// Nobody has closed it.
    Open,
    /// The reader was asked, and has not answered.
    Asked {
        /// By whom.
        by: Id<Person>,
        /// When.
        at: Timestamp,
    },
    /// Somebody else than the reader has closed it.
    Closed(Verdict),
}

/// How a review was closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What was found.
    pub finding: Finding,
    /// By whom.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub rationale: Phi<String>,
}

/// What a review found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The access was needed.
    Justified,
    /// It was not: a case is opened.
    Unjustified,
    /// Somebody else must say.
    Escalated,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Justified, Self::Unjustified, Self::Escalated];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::Unjustified => "unjustified",
            Self::Escalated => "escalated",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

impl ReviewState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Asked { .. } => "asked",
            Self::Closed(verdict) => verdict.finding.code(),
        }
    }
}

/// What who reviews asked the reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReaderAsked {
    /// Who asked.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
    /// In which words; none are needed: it is known what is asked.
    pub words: Phi<String>,
    /// When the reader answered.
    pub answered_at: Option<Timestamp>,
}

/// The review of one emergency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmergencyReview {
    /// Its id.
    pub id: Id<Self>,
    /// What is reviewed.
    pub elevation: Id<Elevation>,
    /// Whose access is reviewed.
    pub reader: Id<Person>,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when it is to be closed.
    pub due_at: Timestamp,
    /// What the reader says it was for.
    pub account: Option<Phi<String>>,
    /// What the reader was asked the last time; none: nothing, or before the words of it were kept.
    pub asked: Option<ReaderAsked>,
    /// Where it stands.
    pub state: ReviewState,
    /// Version of the row.
    pub version: i64,
}

/// The reader's own sentence on why he opened a chart: a reason from the list is enough to open it, the sentence comes before his
/// shift ends. That there is none is seen in the review, and is in the way of nothing (care-continues).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sentence {
    /// It is there.
    Given,
    /// It is awaited.
    Owed {
        /// Until when.
        until: Timestamp,
    },
    /// The shift is over without one.
    NotGiven,
}

impl Sentence {
    /// Where it stands at `now`, for a chart that was opened at `opened_at`.
    #[must_use]
    pub fn at(opened_at: Timestamp, is_given: bool, now: Timestamp) -> Self {
        let until = Self::due(opened_at);
        if is_given {
            Self::Given
        } else if now < until {
            Self::Owed { until }
        } else {
            Self::NotGiven
        }
    }

    /// When it is due: the end of the shift.
    #[must_use]
    pub fn due(opened_at: Timestamp) -> Timestamp {
        opened_at.plus_micros(SHIFT_HOURS * HOUR_MICROS)
    }

    /// When the reader is reminded of it: an hour before.
    #[must_use]
    pub fn reminded(opened_at: Timestamp) -> Timestamp {
        opened_at.plus_micros((SHIFT_HOURS - 1) * HOUR_MICROS)
    }
}

/// Somebody who would close a review, with the facts that tell whether he may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reviewer {
    /// Who.
    pub person: Id<Person>,
    /// He and the reader have the same line manager, or one is the other's.
    pub is_of_the_same_line: bool,
}

/// What happens to a review.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReviewEvent {
    /// The reader tells what it was for.
    Tell,
    /// The reader is asked.
    Ask,
    /// It is closed.
    Close,
}

/// Why a review does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReviewError {
    /// That does not follow on where it stands.
    #[error("a review that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: ReviewEvent,
    },
    /// The reader, or one of his team, would judge.
    #[error("emergency access is reviewed by somebody outside the reader's team")]
    NotIndependent,
    /// Somebody else would speak for the reader.
    #[error("only the reader tells what the access was for")]
    NotTheReader,
    /// It would be closed together with others, unread.
    #[error("a review of protected information, or in which the reader was asked, is closed by itself")]
    StandsAlone,
    /// What is said is nothing.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl ReviewError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_task_state",
            Self::NotIndependent => "reviewer_not_independent",
            Self::NotTheReader => "not_the_reader",
            Self::StandsAlone => "review_stands_alone",
            Self::Reason(reason) => reason.code(),
        }
    }
}

impl EmergencyReview {
    fn refuse<T>(&self, event: ReviewEvent) -> Result<T, ReviewError> {
        Err(ReviewError::Transition { from: self.state.code(), event })
    }

    /// The reader tells what it was for; `last` is what he wrote the last time.
    ///
    /// # Errors
    /// Somebody else speaks, says nothing, or it is closed.
    pub fn tell(
        self,
        by: Id<Person>,
        account: Phi<String>,
        last: Option<&str>,
        at: Timestamp,
    ) -> Result<Self, ReviewError> {
        if matches!(self.state, ReviewState::Closed(_)) {
            return self.refuse(ReviewEvent::Tell);
        }
        if by != self.reader {
            return Err(ReviewError::NotTheReader);
        }
        reason(account.expose(), last)?;
        let asked = self.asked.map(|asked| ReaderAsked { answered_at: Some(at), ..asked });
        Ok(Self { account: Some(account), asked, state: ReviewState::Open, ..self })
    }

    /// Asks the reader.
    ///
    /// # Errors
    /// Who asks may not review it or asks at too great length, or it is closed or asked already.
    pub fn ask(self, by: Reviewer, words: Phi<String>, at: Timestamp) -> Result<Self, ReviewError> {
        if self.state != ReviewState::Open {
            return self.refuse(ReviewEvent::Ask);
        }
        self.is_open_to(by)?;
        if words.expose().len() > REASON_BYTES_MAX {
            return Err(ReviewError::Reason(WeakReason::Long));
        }
        let asked = ReaderAsked { by: by.person, at, words, answered_at: None };
        Ok(Self { asked: Some(asked), state: ReviewState::Asked { by: by.person, at }, ..self })
    }

    /// Whether it is read by itself, and never closed together with others: protected information was asked for too, or somebody has
    /// asked the reader.
    #[must_use]
    pub const fn stands_alone(&self, of: &HeldElevation) -> bool {
        of.protected_at.is_some() || self.asked.is_some() || matches!(self.state, ReviewState::Asked { .. })
    }

    /// Closes it as justified, by a sentence that stands for like ones too.
    ///
    /// # Errors
    /// It stands alone; see [`Self::close`].
    pub fn close_alike(
        self,
        of: &HeldElevation,
        by: Reviewer,
        rationale: Phi<String>,
        at: Timestamp,
    ) -> Result<Self, ReviewError> {
        // INVARIANT (read-alone): what stands alone is not closed together with others.
        if self.stands_alone(of) {
            return Err(ReviewError::StandsAlone);
        }
        self.close(by, Finding::Justified, rationale, at)
    }

    /// Closes it.
    ///
    /// # Errors
    /// Who closes it may not, does not say why, or it is closed.
    pub fn close(
        self,
        by: Reviewer,
        finding: Finding,
        rationale: Phi<String>,
        at: Timestamp,
    ) -> Result<Self, ReviewError> {
        if matches!(self.state, ReviewState::Closed(_)) {
            return self.refuse(ReviewEvent::Close);
        }
        self.is_open_to(by)?;
        reason(rationale.expose(), None)?;
        Ok(Self { state: ReviewState::Closed(Verdict { finding, by: by.person, at, rationale }), ..self })
    }

    fn is_open_to(&self, by: Reviewer) -> Result<(), ReviewError> {
        if by.person == self.reader || by.is_of_the_same_line { Err(ReviewError::NotIndependent) } else { Ok(()) }
    }
}
