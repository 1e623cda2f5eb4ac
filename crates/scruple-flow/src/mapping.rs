//! Reviews of the mapping of a role to kinds of information: opened when a year is over, when the role has changed, or when the
//! organisation has; closed by one decision for each kind.

use crate::{Person, RoleCode, WeakReason, reason};
use scruple_core::{Id, PackHash, Phi, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Why a mapping is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MappingCause {
    /// Its year is over.
    Due,
    /// A version of the policy has changed the role.
    RoleChanged,
    /// The organisation has changed.
    OrganisationChanged,
}

impl MappingCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Due, Self::RoleChanged, Self::OrganisationChanged];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::RoleChanged => "role_changed",
            Self::OrganisationChanged => "organisation_changed",
        }
    }

    /// By its code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.code() == code)
    }
}

/// What becomes of a kind of information in the role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MappingDecision {
    /// A task still needs it.
    Keep,
    /// It goes with the next version.
    Remove,
}

impl MappingDecision {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }

    /// By its code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        [Self::Keep, Self::Remove].into_iter().find(|decision| decision.code() == code)
    }
}

/// How a review ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MappingVerdict {
    /// Who closed it.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
    /// A decision for each kind that the role has.
    pub decisions: BTreeMap<String, MappingDecision>,
    /// What there is to say.
    pub comment: Phi<String>,
}

/// A review of one role's mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MappingReview {
    /// Its id.
    pub id: Id<Self>,
    /// The role.
    pub role: RoleCode,
    /// The policy whose mapping is looked at.
    pub pack: PackHash,
    /// Why.
    pub cause: MappingCause,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when it is to be closed.
    pub due_at: Timestamp,
    /// How it ended; none while it is open.
    pub verdict: Option<MappingVerdict>,
    /// Version of the row.
    pub version: i64,
}

/// Why a review is not closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MappingError {
    /// It is closed.
    #[error("the review of this mapping is closed")]
    Closed,
    /// A kind of the role has no decision.
    #[error("a review of a mapping decides on each kind of information: `{0}` has no decision")]
    Undecided(String),
    /// A decision on what the role does not have.
    #[error("the role has no `{0}` to decide on")]
    NotOfRole(String),
    /// Nothing is said.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl MappingError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "mapping_review_closed",
            Self::Undecided(_) => "mapping_undecided",
            Self::NotOfRole(_) => "mapping_not_of_role",
            Self::Reason(reason) => reason.code(),
        }
    }
}

impl MappingReview {
    /// Closes it. `kinds`: those that the role has now.
    ///
    /// # Errors
    /// A kind has no decision, a decision has no kind, nothing is said, or it is closed already.
    // INVARIANT (no-silence-is-yes): what nobody decided on keeps the review open.
    pub fn close(self, kinds: &BTreeSet<String>, verdict: MappingVerdict) -> Result<Self, MappingError> {
        if self.verdict.is_some() {
            return Err(MappingError::Closed);
        }
        if let Some(kind) = kinds.iter().find(|kind| !verdict.decisions.contains_key(*kind)) {
            return Err(MappingError::Undecided(kind.clone()));
        }
        if let Some(kind) = verdict.decisions.keys().find(|kind| !kinds.contains(*kind)) {
            return Err(MappingError::NotOfRole(kind.clone()));
        }
        reason(verdict.comment.expose(), None)?;
        Ok(Self { verdict: Some(verdict), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn review() -> MappingReview {
        let at = Timestamp::from_micros(0);
        MappingReview {
            id: Id::from_uuid(Uuid::from_u128(1)),
            role: "coder".parse().unwrap(),
            pack: PackHash([1; 32]),
            cause: MappingCause::RoleChanged,
            opened_at: at,
            due_at: at.plus_micros(1),
            verdict: None,
            version: 1,
        }
    }

    fn closed(decided: &[&str], words: &str) -> Result<MappingReview, MappingError> {
        let kinds = BTreeSet::from(["claims", "labs"].map(str::to_owned));
        let verdict = MappingVerdict {
            by: Id::from_uuid(Uuid::from_u128(2)),
            at: Timestamp::from_micros(5),
            decisions: decided.iter().map(|kind| ((*kind).to_owned(), MappingDecision::Keep)).collect(),
            comment: Phi::new(words.to_owned()),
        };
        review().close(&kinds, verdict)
    }

    #[test]
    fn a_review_is_closed_by_a_decision_for_each_kind_and_once() {
        const WORDS: &str = "Looked at with the coding lead, tasks are as they were";
        assert_eq!(closed(&["claims"], WORDS), Err(MappingError::Undecided("labs".to_owned())));
        assert_eq!(closed(&["claims", "labs", "notes"], WORDS), Err(MappingError::NotOfRole("notes".to_owned())));
        assert_eq!(closed(&["claims", "labs"], "ok"), Err(MappingError::Reason(WeakReason::Short)));
        let done = closed(&["claims", "labs"], WORDS).unwrap();
        let verdict = done.verdict.clone().unwrap();
        assert_eq!(done.close(&BTreeSet::new(), verdict), Err(MappingError::Closed));
    }
}
