//! Who opened a chart: the question, and the case that grows out of it when somebody complains (164.530(d)). The reader is asked and
//! answers, somebody else decides with reasons, and a letter ends it.
//!
//! `open -> asked -> answered -> permitted | not_permitted -> lettered`

use crate::{Person, WeakReason, reason};
use scruple_core::{Id, Phi, Timestamp};

#[cfg(test)]
mod tests;

/// Why somebody wants to know who opened a chart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuestionCause {
    /// Somebody complains.
    Complaint,
    /// The patient, or who speaks for him, wants to know.
    Patient,
    /// The regular review of activity.
    Routine,
    /// An incident is looked into.
    Incident,
    /// Something else.
    Other,
}

impl QuestionCause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Complaint, Self::Patient, Self::Routine, Self::Incident, Self::Other];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Complaint => "complaint",
            Self::Patient => "patient",
            Self::Routine => "routine",
            Self::Incident => "incident",
            Self::Other => "other",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// Somebody asked who opened a chart in a period. Its id names neither.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChartQuestion {
    /// Its id: what addresses and the ledger name.
    pub id: Id<Self>,
    /// Whose chart: `Patient/` and an id, or `number:` and a record number that no record system knows.
    pub patient: Phi<String>,
    /// By all these the logs may name him.
    pub keys: Phi<Vec<String>>,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why it is asked.
    pub cause: QuestionCause,
    /// By whom.
    pub asked_by: Id<Person>,
    /// When.
    pub asked_at: Timestamp,
}

/// What was found of the access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaseFinding {
    /// The reader's work needed it.
    Permitted,
    /// It did not.
    NotPermitted,
}

impl CaseFinding {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Permitted, Self::NotPermitted];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::NotPermitted => "not_permitted",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// How a case was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseVerdict {
    /// What was found.
    pub finding: CaseFinding,
    /// By whom.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub rationale: Phi<String>,
}

/// The letter that ends a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseLetter {
    /// Its words.
    pub text: Phi<String>,
    /// Who made it.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// Where a case stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaseState {
    /// Nobody was asked.
    Open,
    /// The reader was asked, and has not answered.
    Asked,
    /// The reader has answered.
    Answered,
    /// Somebody else than the reader has decided.
    Decided(CaseVerdict),
    /// The letter is made.
    Lettered(CaseVerdict, CaseLetter),
}

impl CaseState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Decided(verdict) => verdict.finding.code(),
            Self::Lettered(..) => "lettered",
        }
    }

    /// How it was decided, if it was.
    #[must_use]
    pub const fn verdict(&self) -> Option<&CaseVerdict> {
        match self {
            Self::Decided(verdict) | Self::Lettered(verdict, _) => Some(verdict),
            Self::Open | Self::Asked | Self::Answered => None,
        }
    }
}

/// One complaint about one reader of one chart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChartCase {
    /// Its id.
    pub id: Id<Self>,
    /// The history that it grew out of.
    pub question: Id<ChartQuestion>,
    /// Whose access it is about.
    pub reader: Id<Person>,
    /// The first and the last access that it is about.
    pub about: (Timestamp, Timestamp),
    /// What is complained of, in the words of who took it down.
    pub complaint: Phi<String>,
    /// Who opened it.
    pub opened_by: Id<Person>,
    /// When.
    pub opened_at: Timestamp,
    /// Who asked the reader last, and when.
    pub asked: Option<(Id<Person>, Timestamp)>,
    /// What the reader answered last, and when.
    pub answer: Option<(Phi<String>, Timestamp)>,
    /// Where it stands.
    pub state: CaseState,
    /// Version of the row.
    pub version: i64,
}

/// Somebody who works on a case, with the facts that tell whether he may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaseWorker {
    /// Who.
    pub person: Id<Person>,
    /// He and the reader have the same line manager, or one is the other's.
    pub is_of_the_same_line: bool,
}

/// What happens to a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaseEvent {
    /// It is opened.
    Open,
    /// The reader is asked.
    Ask,
    /// The reader answers.
    Answer,
    /// It is decided.
    Decide,
    /// The letter is made.
    Letter,
}

/// Why a case does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CaseError {
    /// That does not follow on where it stands.
    #[error("a case that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: CaseEvent,
    },
    /// The reader, or one of his team, would judge.
    #[error("a complaint is handled by somebody outside the reader's team")]
    NotIndependent,
    /// Somebody else would speak for the reader.
    #[error("only the reader answers")]
    NotTheReader,
    /// What is said is nothing.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl CaseError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_task_state",
            Self::NotIndependent => "worker_not_independent",
            Self::NotTheReader => "not_the_reader",
            Self::Reason(reason) => reason.code(),
        }
    }
}

/// What a new case is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewCase {
    /// Its id.
    pub id: Id<ChartCase>,
    /// The history that it grows out of.
    pub question: Id<ChartQuestion>,
    /// Whose access it is about.
    pub reader: Id<Person>,
    /// The first and the last access that it is about.
    pub about: (Timestamp, Timestamp),
    /// What is complained of.
    pub complaint: Phi<String>,
}

impl ChartCase {
    /// Opens a case.
    ///
    /// # Errors
    /// Who opens it may not, or does not say what is complained of.
    pub fn open(new: NewCase, by: CaseWorker, at: Timestamp) -> Result<Self, CaseError> {
        if by.person == new.reader || by.is_of_the_same_line {
            return Err(CaseError::NotIndependent);
        }
        reason(new.complaint.expose(), None)?;
        Ok(Self {
            id: new.id,
            question: new.question,
            reader: new.reader,
            about: new.about,
            complaint: new.complaint,
            opened_by: by.person,
            opened_at: at,
            asked: None,
            answer: None,
            state: CaseState::Open,
            version: 1,
        })
    }

    fn refuse<T>(&self, event: CaseEvent) -> Result<T, CaseError> {
        Err(CaseError::Transition { from: self.state.code(), event })
    }

    fn is_open_to(&self, by: CaseWorker) -> Result<(), CaseError> {
        if by.person == self.reader || by.is_of_the_same_line { Err(CaseError::NotIndependent) } else { Ok(()) }
    }

    /// Asks the reader, or asks him again after his answer.
    ///
    /// # Errors
    /// Who asks may not, or the reader was asked already, or it is decided.
    pub fn ask(self, by: CaseWorker, at: Timestamp) -> Result<Self, CaseError> {
        if !matches!(self.state, CaseState::Open | CaseState::Answered) {
            return self.refuse(CaseEvent::Ask);
        }
        self.is_open_to(by)?;
        Ok(Self { asked: Some((by.person, at)), state: CaseState::Asked, ..self })
    }

    /// The reader answers.
    ///
    /// # Errors
    /// Somebody else speaks, says nothing, or nobody has asked.
    pub fn answer(self, by: Id<Person>, text: Phi<String>, at: Timestamp) -> Result<Self, CaseError> {
        if self.state != CaseState::Asked {
            return self.refuse(CaseEvent::Answer);
        }
        if by != self.reader {
            return Err(CaseError::NotTheReader);
        }
        reason(text.expose(), self.answer.as_ref().map(|(last, _)| last.expose().as_str()))?;
        Ok(Self { answer: Some((text, at)), state: CaseState::Answered, ..self })
    }

    /// Decides it. A reader who does not answer keeps nobody from it.
    ///
    /// # Errors
    /// Who decides may not, does not say why, or it is decided.
    pub fn decide(
        self,
        by: CaseWorker,
        finding: CaseFinding,
        rationale: Phi<String>,
        at: Timestamp,
    ) -> Result<Self, CaseError> {
        if !matches!(self.state, CaseState::Open | CaseState::Asked | CaseState::Answered) {
            return self.refuse(CaseEvent::Decide);
        }
        self.is_open_to(by)?;
        reason(rationale.expose(), None)?;
        Ok(Self { state: CaseState::Decided(CaseVerdict { finding, by: by.person, at, rationale }), ..self })
    }

    /// Makes the letter.
    ///
    /// # Errors
    /// Who makes it may not, it is empty, or nothing is decided.
    pub fn letter(self, by: CaseWorker, text: Phi<String>, at: Timestamp) -> Result<Self, CaseError> {
        self.is_open_to(by)?;
        let CaseState::Decided(verdict) = self.state.clone() else { return self.refuse(CaseEvent::Letter) };
        if text.expose().trim().is_empty() {
            return Err(WeakReason::Short.into());
        }
        Ok(Self { state: CaseState::Lettered(verdict, CaseLetter { text, by: by.person, at }), ..self })
    }
}
