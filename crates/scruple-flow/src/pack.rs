//! Versions of the policy pack: drafted, checked, proposed with what it would have done, decided by a second person, active, and
//! superseded. An older one comes back as a version of its own with the same content: nothing that is over is changed.
//!
//! `draft -> checked -> proposed -> approved -> active -> superseded`; a proposal ends as `refused`, and whoever drafted it
//! takes it back (`withdrawn`) until it is active. What ships with the program, and what an operator puts into a folder of
//! the configuration, is active as it is found: there is nobody to ask, and it is told so.

use crate::{Person, WeakReason, reason};
use scruple_core::{Id, PackHash, Phi, Timestamp};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

/// Where a version comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackOrigin {
    /// It shipped with the program.
    Shipped,
    /// It lay in the folder of the configuration.
    Folder,
    /// Somebody drafted it.
    Person(Id<Person>),
}

impl PackOrigin {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Folder => "folder",
            Self::Person(_) => "person",
        }
    }
}

/// What was shown of a proposal: to be decided on, and no more than this is activated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackCase {
    /// The pack that it was compared with: the active one.
    pub base: Option<PackHash>,
    /// The roles that it changes.
    pub changed: BTreeSet<String>,
    /// What it would have done to the recorded accesses of a period: a JSON text, no PHI.
    pub replay: String,
    /// When it was proposed.
    pub at: Timestamp,
}

/// A second person's word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackApproval {
    /// Who.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// How far a version has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PackState {
    /// Somebody has written it down.
    Draft,
    /// It is read, checked, and its two forms are proved equal.
    Checked {
        /// When.
        at: Timestamp,
    },
    /// It waits for a second person.
    Proposed(PackCase),
    /// A second person has approved it.
    Approved(PackCase, PackApproval),
    /// A second person has refused it.
    Refused {
        /// What was refused.
        case: PackCase,
        /// By whom.
        by: PackApproval,
        /// Why.
        comment: Phi<String>,
    },
    /// Who drafted it has taken it back.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
    /// Decisions are made by it.
    Active(PackTerm),
    /// Another one has taken its place.
    Superseded {
        /// Its time.
        term: PackTerm,
        /// Until when.
        until: Timestamp,
    },
}

/// The time of a version that is or was active.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackTerm {
    /// On what it was decided, and by whom; none for what ships or lay in a folder.
    pub decided: Option<(PackCase, PackApproval)>,
    /// Who activated it; none: the node that found it.
    pub by: Option<Id<Person>>,
    /// Since when.
    pub since: Timestamp,
}

impl PackState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Checked { .. } => "checked",
            Self::Proposed(_) => "proposed",
            Self::Approved(..) => "approved",
            Self::Refused { .. } => "refused",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Active(_) => "active",
            Self::Superseded { .. } => "superseded",
        }
    }
}

/// A version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackVersion {
    /// Its id.
    pub id: Id<Self>,
    /// SHA-256 of its files. Two versions may have the same: an older one that came back.
    pub hash: PackHash,
    /// Version of the engine that it was drafted under.
    pub engine: String,
    /// Where it comes from.
    pub origin: PackOrigin,
    /// The criteria by which its roles were designed, as it says itself (164.514(d)).
    pub criteria: String,
    /// Why it is to replace the one before.
    pub rationale: Phi<String>,
    /// When it was drafted.
    pub drafted_at: Timestamp,
    /// When it was found good; none while it is a draft.
    pub checked_at: Option<Timestamp>,
    /// How far it has come.
    pub state: PackState,
    /// Version of the row.
    pub version: i64,
}

/// Somebody who would decide, with the facts that tell whether he may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackReviewer {
    /// Who.
    pub person: Id<Person>,
    /// Who drafted it made the link by which this person came to sign in: it could be himself.
    pub is_vouched_for_by_drafter: bool,
    /// He has confirmed just now that it is he.
    pub stepped_up: bool,
}

/// What happens to a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackEvent {
    /// It is found good.
    Check,
    /// It is handed to a second person.
    Propose,
    /// A second person says yes.
    Approve,
    /// A second person says no.
    Refuse,
    /// It is taken back.
    Withdraw,
    /// Decisions are made by it from now on.
    Activate,
    /// Another one takes its place.
    Supersede,
}

/// Why a version does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PackError {
    /// That does not follow on where it stands.
    #[error("a policy version that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: PackEvent,
    },
    /// Who drafted it would decide.
    #[error("a policy version is decided by a second person")]
    OwnProposal,
    /// Who decides must confirm first that it is he.
    #[error("a decision on the policy needs a fresh confirmation of identity")]
    StepUp,
    /// Somebody else would hand it in or take it back.
    #[error("a policy version is handed in and taken back by who drafted it")]
    NotYours,
    /// The active pack is another than the one that was compared with.
    #[error(
        "another policy became active since this one was proposed: what was decided on is no longer what would change"
    )]
    BaseChanged,
    /// Why is not said.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl PackError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_policy_state",
            Self::OwnProposal => "own_proposal",
            Self::StepUp => "step_up_required",
            Self::NotYours => "not_your_proposal",
            Self::BaseChanged => "policy_base_changed",
            Self::Reason(reason) => reason.code(),
        }
    }
}

impl PackVersion {
    fn refused<T>(&self, event: PackEvent) -> Result<T, PackError> {
        Err(PackError::Transition { from: self.state.code(), event })
    }

    /// It is found good: read, checked, proved.
    ///
    /// # Errors
    /// It is no draft.
    pub fn check(self, at: Timestamp) -> Result<Self, PackError> {
        match self.state {
            PackState::Draft => Ok(Self { checked_at: Some(at), state: PackState::Checked { at }, ..self }),
            _ => self.refused(PackEvent::Check),
        }
    }

    /// Hands it to a second person, with why, and with what was shown of it.
    ///
    /// # Errors
    /// It is not checked, is somebody else's, or does not say why.
    pub fn propose(self, by: Id<Person>, rationale: Phi<String>, case: PackCase) -> Result<Self, PackError> {
        let PackState::Checked { .. } = self.state else { return self.refused(PackEvent::Propose) };
        self.of_drafter(by)?;
        reason(rationale.expose(), None)?;
        Ok(Self { rationale, state: PackState::Proposed(case), ..self })
    }

    fn of_drafter(&self, by: Id<Person>) -> Result<(), PackError> {
        if self.origin == PackOrigin::Person(by) { Ok(()) } else { Err(PackError::NotYours) }
    }

    // INVARIANT (two-people): who drafted it, or whom only he has vouched for, does not decide.
    fn judged_by(&self, by: &PackReviewer) -> Result<(), PackError> {
        if self.origin == PackOrigin::Person(by.person) || by.is_vouched_for_by_drafter {
            return Err(PackError::OwnProposal);
        }
        if by.stepped_up { Ok(()) } else { Err(PackError::StepUp) }
    }

    /// A second person's yes.
    ///
    /// # Errors
    /// It is not proposed, or who says it may not.
    pub fn approve(self, by: &PackReviewer, at: Timestamp) -> Result<Self, PackError> {
        let PackState::Proposed(case) = &self.state else { return self.refused(PackEvent::Approve) };
        self.judged_by(by)?;
        let state = PackState::Approved(case.clone(), PackApproval { by: by.person, at });
        Ok(Self { state, ..self })
    }

    /// A second person's no.
    ///
    /// # Errors
    /// It is not proposed, who says it may not, or does not say why.
    pub fn refuse(self, by: &PackReviewer, comment: Phi<String>, at: Timestamp) -> Result<Self, PackError> {
        let PackState::Proposed(case) = &self.state else { return self.refused(PackEvent::Refuse) };
        self.judged_by(by)?;
        reason(comment.expose(), None)?;
        let state = PackState::Refused { case: case.clone(), by: PackApproval { by: by.person, at }, comment };
        Ok(Self { state, ..self })
    }

    /// Taken back by who drafted it.
    ///
    /// # Errors
    /// It is somebody else's, or is over, or active.
    pub fn withdraw(self, by: Id<Person>, at: Timestamp) -> Result<Self, PackError> {
        match self.state {
            PackState::Draft | PackState::Checked { .. } | PackState::Proposed(_) | PackState::Approved(..) => {}
            _ => return self.refused(PackEvent::Withdraw),
        }
        self.of_drafter(by)?;
        Ok(Self { state: PackState::Withdrawn { at }, ..self })
    }

    /// Decisions are made by it from now on, in the place of `active`.
    ///
    /// # Errors
    /// It is not approved, or was compared with another one.
    pub fn activate(self, by: Id<Person>, active: Option<PackHash>, at: Timestamp) -> Result<Self, PackError> {
        let PackState::Approved(case, approval) = &self.state else { return self.refused(PackEvent::Activate) };
        if case.base != active {
            return Err(PackError::BaseChanged);
        }
        let term = PackTerm { decided: Some((case.clone(), *approval)), by: Some(by), since: at };
        Ok(Self { state: PackState::Active(term), ..self })
    }

    /// Another one takes its place.
    ///
    /// # Errors
    /// It is not active.
    pub fn supersede(self, at: Timestamp) -> Result<Self, PackError> {
        match self.state {
            PackState::Active(term) => Ok(Self { state: PackState::Superseded { term, until: at }, ..self }),
            _ => self.refused(PackEvent::Supersede),
        }
    }
}
