//! Projects and changed processes: nobody gets a role, or a system its credentials, for one before somebody has assessed what is
//! minimum necessary in it (164.502(b), 164.514(d)).
//!
//! `proposed -> approved | refused | withdrawn`, `approved -> ended`; one whose last day is over has ended by itself.

use crate::{Kinds, Person, RoleCode, WeakReason, reason};
use scruple_core::{Id, Phi, Timestamp};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

/// Roles that one project can name.
pub const PROJECT_ROLES_MAX: usize = 16;
/// Bytes of its title, and of its purpose.
const TITLE_BYTES_MAX: usize = 200;
/// The longest that an assessment holds: then it is made anew.
pub const PROJECT_DAYS_MAX: i64 = 366;
const DAY_MICROS: i64 = 24 * 3_600_000_000;

codes! {
    /// The level of data that is worked on, the lowest first (164.514(a), (e)).
    DataLevel {
        /// Nobody can be told from it.
        Deidentified = "deidentified",
        /// A limited data set, with its agreement.
        Limited = "limited",
        /// Patients are named in it.
        Identified = "identified",
    }
}

/// What is assessed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assessment {
    /// What it is called, without anything of a patient.
    pub title: Phi<String>,
    /// What it is for (HL7 v3 ActReason).
    pub purpose: String,
    /// The roles of those who work in it.
    pub roles: BTreeSet<RoleCode>,
    /// The kinds of information that it needs; named, never all.
    pub kinds: Kinds,
    /// From where to where they go, and who else gets them.
    pub flows: Phi<String>,
    /// How long they are kept, and what becomes of them then.
    pub retention: Phi<String>,
    /// The level of data.
    pub level: DataLevel,
    /// Why a lower level does not do.
    pub level_reason: Phi<String>,
    /// The last moment.
    pub ends_at: Timestamp,
}

/// How a project was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectDecision {
    /// By whom.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
    /// With which words.
    pub comment: Phi<String>,
}

/// Where a project stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProjectState {
    /// Nobody has decided.
    Proposed,
    /// It may go on, until its end.
    Approved(ProjectDecision),
    /// It may not.
    Refused(ProjectDecision),
    /// Who proposed it took it back.
    Withdrawn(Timestamp),
    /// It was ended before its time.
    Ended(ProjectDecision, Id<Person>, Timestamp),
}

impl ProjectState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved(_) => "approved",
            Self::Refused(_) => "refused",
            Self::Withdrawn(_) => "withdrawn",
            Self::Ended(..) => "ended",
        }
    }

    /// How it was decided, if it was.
    #[must_use]
    pub const fn decision(&self) -> Option<&ProjectDecision> {
        match self {
            Self::Approved(decision) | Self::Refused(decision) | Self::Ended(decision, ..) => Some(decision),
            Self::Proposed | Self::Withdrawn(_) => None,
        }
    }
}

/// A project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// Its id.
    pub id: Id<Self>,
    /// Who answers for it.
    pub owner: Id<Person>,
    /// What is assessed. It is never changed: another assessment is another project.
    pub assessment: Assessment,
    /// Who proposed it.
    pub proposed_by: Id<Person>,
    /// When.
    pub proposed_at: Timestamp,
    /// Where it stands.
    pub state: ProjectState,
    /// Version of the row.
    pub version: i64,
}

/// What happens to a project.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProjectEvent {
    /// It is approved.
    Approve,
    /// It is refused.
    Refuse,
    /// It is taken back.
    Withdraw,
    /// It is ended.
    End,
}

/// Why a project does not go on, or nothing is given for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProjectError {
    /// That does not follow on where it stands.
    #[error("a project that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: ProjectEvent,
    },
    /// Who decides has proposed it, or answers for it.
    #[error("a project is assessed by somebody who has not proposed it and does not answer for it")]
    Own,
    /// Who acts has not proposed it, does not answer for it and does not oversee it.
    #[error("this is for who proposed it, answers for it or oversees it")]
    NotInvolved,
    /// Its title or purpose says nothing, or too much.
    #[error("a project has a title and a purpose, of at most {TITLE_BYTES_MAX} bytes each")]
    Title,
    /// It names no role, or too many.
    #[error("a project names 1 to {PROJECT_ROLES_MAX} roles")]
    Roles,
    /// It asks for all kinds of information.
    #[error("a project names the kinds of information that it needs; all of them is no answer")]
    Kinds,
    /// Its end is not to come, or too far away.
    #[error("a project ends within {PROJECT_DAYS_MAX} days: then it is assessed anew")]
    Dates,
    /// Something that has to be said is not.
    #[error("{field}: {reason}")]
    Said {
        /// Of which field.
        field: &'static str,
        /// What is wrong with it.
        reason: WeakReason,
    },
    /// A role is asked for that is given for projects alone, and none is named.
    #[error("this role is given for a project that was assessed: name it")]
    Missing,
    /// The project that is named is not there, is not approved, or is over.
    #[error("no project that is named here is approved and under way")]
    NotApproved,
    /// The project that is named does not have the role, or the kinds of information.
    #[error("the assessment of the project does not name this role, or not these kinds of information")]
    Beyond,
    /// What is asked for lasts longer than the project.
    #[error("the project ends before what is asked for")]
    Longer,
}

impl ProjectError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_project_state",
            Self::Own => "own_project",
            Self::NotInvolved => "not_involved",
            Self::Title => "project_title",
            Self::Roles => "project_roles",
            Self::Kinds => "project_kinds",
            Self::Dates => "project_dates",
            Self::Said { reason, .. } => reason.code(),
            Self::Missing => "project_required",
            Self::NotApproved => "project_not_approved",
            Self::Beyond => "beyond_project",
            Self::Longer => "longer_than_project",
        }
    }
}

impl Assessment {
    fn check(&self, now: Timestamp) -> Result<(), ProjectError> {
        let is_short = |text: &str| !text.trim().is_empty() && text.len() <= TITLE_BYTES_MAX;
        if !is_short(self.title.expose()) || !is_short(&self.purpose) {
            return Err(ProjectError::Title);
        }
        if self.roles.is_empty() || self.roles.len() > PROJECT_ROLES_MAX {
            return Err(ProjectError::Roles);
        }
        if self.kinds.codes().is_none() {
            return Err(ProjectError::Kinds);
        }
        if self.ends_at <= now || self.ends_at > now.plus_micros(PROJECT_DAYS_MAX * DAY_MICROS) {
            return Err(ProjectError::Dates);
        }
        let said = [("flows", &self.flows), ("retention", &self.retention), ("level_reason", &self.level_reason)];
        for (field, text) in said {
            // The lowest level needs no reason.
            if field != "level_reason" || self.level != DataLevel::Deidentified {
                reason(text.expose(), None).map_err(|reason| ProjectError::Said { field, reason })?;
            }
        }
        Ok(())
    }
}

impl Project {
    /// Proposes one.
    ///
    /// # Errors
    /// The assessment is not whole.
    pub fn propose(
        id: Id<Self>,
        owner: Id<Person>,
        assessment: Assessment,
        by: Id<Person>,
        at: Timestamp,
    ) -> Result<Self, ProjectError> {
        assessment.check(at)?;
        Ok(Self { id, owner, assessment, proposed_by: by, proposed_at: at, state: ProjectState::Proposed, version: 1 })
    }

    fn refuse<T>(&self, event: ProjectEvent) -> Result<T, ProjectError> {
        Err(ProjectError::Transition { from: self.state.code(), event })
    }

    fn decision(
        &self,
        event: ProjectEvent,
        by: Id<Person>,
        comment: Phi<String>,
        at: Timestamp,
    ) -> Result<ProjectDecision, ProjectError> {
        if self.state != ProjectState::Proposed {
            return self.refuse(event);
        }
        if by == self.proposed_by || by == self.owner {
            return Err(ProjectError::Own);
        }
        reason(comment.expose(), None).map_err(|reason| ProjectError::Said { field: "comment", reason })?;
        Ok(ProjectDecision { by, at, comment })
    }

    /// Approves it.
    ///
    /// # Errors
    /// It is decided, its last day is over, who decides may not, or does not say why.
    pub fn approve(self, by: Id<Person>, comment: Phi<String>, at: Timestamp) -> Result<Self, ProjectError> {
        let decision = self.decision(ProjectEvent::Approve, by, comment, at)?;
        if self.assessment.ends_at <= at {
            return Err(ProjectError::Dates);
        }
        Ok(Self { state: ProjectState::Approved(decision), ..self })
    }

    /// Refuses it.
    ///
    /// # Errors
    /// It is decided, who decides may not, or does not say why.
    pub fn deny(self, by: Id<Person>, comment: Phi<String>, at: Timestamp) -> Result<Self, ProjectError> {
        let decision = self.decision(ProjectEvent::Refuse, by, comment, at)?;
        Ok(Self { state: ProjectState::Refused(decision), ..self })
    }

    fn is_of(&self, person: Id<Person>) -> bool {
        person == self.proposed_by || person == self.owner
    }

    /// Takes it back.
    ///
    /// # Errors
    /// It is decided, or who acts neither proposed it nor answers for it.
    pub fn withdraw(self, by: Id<Person>, at: Timestamp) -> Result<Self, ProjectError> {
        if self.state != ProjectState::Proposed {
            return self.refuse(ProjectEvent::Withdraw);
        }
        if !self.is_of(by) {
            return Err(ProjectError::NotInvolved);
        }
        Ok(Self { state: ProjectState::Withdrawn(at), ..self })
    }

    /// Ends it: what was given for it ends with it. `oversees`: who acts oversees projects.
    ///
    /// # Errors
    /// It is not approved, or who acts may not.
    pub fn end(self, by: Id<Person>, oversees: bool, at: Timestamp) -> Result<Self, ProjectError> {
        let ProjectState::Approved(decision) = self.state.clone() else { return self.refuse(ProjectEvent::End) };
        if !oversees && !self.is_of(by) {
            return Err(ProjectError::NotInvolved);
        }
        Ok(Self { state: ProjectState::Ended(decision, by, at), ..self })
    }

    /// Where it stands at an instant: one that is approved has ended with its last moment, whether or not anything ran.
    #[must_use]
    pub fn code_at(&self, at: Timestamp) -> &'static str {
        match self.state {
            ProjectState::Approved(_) if self.assessment.ends_at <= at => "ended",
            ref state => state.code(),
        }
    }

    /// Whether a role, or records of patients in it with these kinds of information, may be given for it at `at`, until then.
    ///
    /// # Errors
    /// It is not approved, or the assessment does not go so far.
    pub fn covers(
        &self,
        role: &RoleCode,
        of_patients: Option<&Kinds>,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<(), ProjectError> {
        if self.code_at(at) != "approved" {
            return Err(ProjectError::NotApproved);
        }
        // A role that is asked for as such is whole: its own policy bounds it. Records of patients are not.
        let is_within = of_patients.is_none_or(|kinds| kinds.is_within(&self.assessment.kinds));
        if !self.assessment.roles.contains(role) || !is_within {
            return Err(ProjectError::Beyond);
        }
        if until > self.assessment.ends_at { Err(ProjectError::Longer) } else { Ok(()) }
    }
}
