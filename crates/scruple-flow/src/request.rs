//! Requests for access beyond what a person has: asked for, decided by others, never by silence.
//!
//! `draft -> pending -> approved | denied | expired | cancelled | failed` (the names of the AuthZEN access request profile). A
//! request that nobody decides in time is expired at that instant, whether a job has written it down or not (**no-silence-is-yes**).

use crate::limits::{APPROVALS_MAX, REQUEST_PATIENTS_MAX};
use crate::{ApproverKind, Kinds, PatientRef, Person, RequestTask, RoleCode, WeakReason, Window, reason};
use scruple_core::{Id, Phi, Timestamp};
use std::collections::BTreeSet;

mod longer;
#[cfg(test)]
mod tests;

pub use longer::{Backup, Extended, ExtensionRule};

const HOUR_MICROS: i64 = 3_600_000_000;

/// Who must approve a kind of access, and for how long it may be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalRule {
    /// One approval of each, by as many people.
    pub needs: Vec<ApproverKind>,
    /// Hours for which the access may be given.
    pub hours_max: i64,
    /// Hours after which an undecided request is over.
    pub decide_hours: i64,
    /// Whoever approves must have confirmed just now that it is he.
    pub step_up: bool,
    /// Who may answer in the place of those who do not.
    pub backup: Option<Backup>,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The role to act in.
    pub role: RoleCode,
    /// The one purpose of use (HL7 v3 ActReason) that it is for; none: those of the role.
    pub purpose: Option<String>,
    /// The patients whose records it opens; none: it is the role itself, with whomever the role relates the person to.
    pub patients: BTreeSet<PatientRef>,
    /// For what kind of task.
    pub task: RequestTask,
    /// Which kinds of information of these patients; a role is opened whole.
    pub kinds: Kinds,
    /// For which time.
    pub window: Window,
}

impl Wanted {
    /// Whether everything that this opens is opened by `other` too.
    fn is_within(&self, other: &Self) -> bool {
        let patients = if other.patients.is_empty() {
            // A role for everybody whom it relates is not made of patients, nor the other way round.
            self.patients.is_empty()
        } else {
            !self.patients.is_empty() && self.patients.is_subset(&other.patients)
        };
        self.role == other.role
            && self.task == other.task
            && self.kinds.is_within(&other.kinds)
            && (other.purpose.is_none() || self.purpose == other.purpose)
            && patients
            && other.window.starts_at() <= self.window.starts_at()
            && self.window.ends_at() <= other.window.ends_at()
    }
}

/// One person's yes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Who.
    pub by: Id<Person>,
    /// In whose place, if in somebody's.
    pub acting_for: Option<Id<Person>>,
    /// In what capacity.
    pub kind: ApproverKind,
    /// When.
    pub at: Timestamp,
}

/// Where a request stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestState {
    /// Being written.
    Draft,
    /// With those who decide.
    Pending {
        /// Those who have said yes.
        approvals: Vec<Approval>,
    },
    /// Everyone who had to has said yes.
    Approved {
        /// Who.
        approvals: Vec<Approval>,
        /// Since when.
        at: Timestamp,
    },
    /// Somebody has said no.
    Denied {
        /// Who.
        by: Id<Person>,
        /// When.
        at: Timestamp,
        /// Why.
        comment: Phi<String>,
    },
    /// Nobody decided in time.
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// Taken back.
    Cancelled {
        /// By whom.
        by: Id<Person>,
        /// When.
        at: Timestamp,
    },
    /// Approved, and what it should open could not be opened.
    Failed {
        /// When.
        at: Timestamp,
    },
}

impl RequestState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Pending { .. } => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Expired { .. } => "expired",
            Self::Cancelled { .. } => "cancelled",
            Self::Failed { .. } => "failed",
        }
    }
}

/// A request with its history so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessRequest {
    /// Its id.
    pub id: Id<Self>,
    /// Who would get the access.
    pub person: Id<Person>,
    /// Who asks.
    pub requested_by: Id<Person>,
    /// For what; narrower than at first where an approver has narrowed it.
    pub wanted: Wanted,
    /// What it is for, in his words.
    pub justification: Phi<String>,
    /// The number of a ticket or case.
    pub ticket: Option<String>,
    /// Who must approve, as the policy said when it was asked for.
    pub rule: ApprovalRule,
    /// Since when it stands as it does.
    pub submitted_at: Timestamp,
    /// When it is over if nobody decides.
    pub decide_by: Timestamp,
    /// The request whose access it would prolong.
    pub extends: Option<Extended>,
    /// The text on what is minimum necessary here, which who asks has said that he has read: its id.
    pub acknowledged: Option<String>,
    /// Where it stands.
    pub state: RequestState,
    /// Version of the row.
    pub version: i64,
}

/// Somebody who would decide, with the facts that tell whether he may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approver {
    /// Who decides.
    pub person: Id<Person>,
    /// In whose place, if in somebody's: a delegation that is in force.
    pub acting_for: Option<Id<Person>>,
    /// In what capacities, his own or those of whom he stands for.
    pub kinds: BTreeSet<ApproverKind>,
    /// He has confirmed just now that it is he.
    pub stepped_up: bool,
}

impl Approver {
    /// The roles by which he decides.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<RoleCode> {
        let role = |kind: &ApproverKind| if let ApproverKind::Role(role) = kind { Some(role.clone()) } else { None };
        self.kinds.iter().filter_map(role).collect()
    }
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestEvent {
    /// It is handed in.
    Submit,
    /// Somebody says yes.
    Approve,
    /// Somebody says no.
    Deny,
    /// Who asked takes it back.
    Cancel,
    /// Its time is over.
    Expire,
    /// What it should open could not be opened.
    Fail,
}

/// Why a request does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// That does not follow on where it stands.
    #[error("a request that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: RequestEvent,
    },
    /// Who asked, or who would get it, would decide.
    #[error("a request is decided by a second person")]
    OwnRequest,
    /// The policy does not name the approver, or another has approved in that capacity.
    #[error("the policy asks for the approval of others")]
    NotEligible,
    /// One person, or the one for whom he stands, would approve twice.
    #[error("the same person has approved it already")]
    Twice,
    /// The approver must confirm first that it is he.
    #[error("approval needs a fresh confirmation of identity")]
    StepUp,
    /// An approver would give more than was asked for.
    #[error("an approval can narrow a request and never widen it")]
    Wider,
    /// It would last longer than the policy allows.
    #[error("access is given for at most {hours_max} hours")]
    TooLong {
        /// The limit.
        hours_max: i64,
    },
    /// It would be over before it could begin.
    #[error("the time that is asked for is over")]
    Over,
    /// Too many patients, or approvals.
    #[error("a request names at most {REQUEST_PATIENTS_MAX} patients")]
    TooManyPatients,
    /// For what kind of task is not said.
    #[error("a request says for what kind of task it is")]
    NoTask,
    /// Patients are named and kinds of information are not.
    #[error("a request for patients names the kinds of information, or says that it is for all of them")]
    NoKinds,
    /// A kind of information is named that the role does not have.
    #[error("a kind of information is named that the role does not have")]
    KindsNotOfRole,
    /// Kinds of information are named and patients are not.
    #[error("kinds of information are named for the records of patients alone")]
    KindsOfNobody,
    /// The policy asks for nobody's approval, or for too many.
    #[error("the policy has no rule for this request")]
    NoRule,
    /// What it is for is not said.
    #[error(transparent)]
    Reason(#[from] WeakReason),
    /// Somebody else than who asked would take it back.
    #[error("a request is taken back by who asked for it")]
    NotYours,
    /// It does not say that the text on what is minimum necessary was read, or names another text.
    #[error("the text on what is minimum necessary is read first")]
    NotRead,
    /// What would be prolonged is not in force, or is somebody else's.
    #[error("only access that stands is prolonged")]
    NotStanding,
    /// It is not in the last part of its time.
    #[error("access is prolonged in the last part of its time, from {from}")]
    TooEarly {
        /// From when on.
        from: Timestamp,
    },
    /// It was prolonged as often, or would last as long, as the policy allows.
    #[error("access is prolonged at most {count_max} times, and for {hours_max} hours in all")]
    Cap {
        /// How often.
        count_max: i64,
        /// Hours from its first beginning to its last end.
        hours_max: i64,
    },
}

impl RequestError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_task_state",
            Self::OwnRequest => "own_request",
            Self::NotEligible => "approver_not_eligible",
            Self::Twice => "approved_twice",
            Self::StepUp => "step_up_required",
            Self::Wider => "approval_wider",
            Self::TooLong { .. } => "duration_too_long",
            Self::Over => "window_over",
            Self::TooManyPatients => "patients_too_many",
            Self::NoTask => "task_missing",
            Self::NoKinds => "kinds_missing",
            Self::KindsNotOfRole => "kinds_not_of_role",
            Self::KindsOfNobody => "kinds_of_nobody",
            Self::NoRule => "not_requestable",
            Self::Reason(reason) => reason.code(),
            Self::NotYours => "not_your_request",
            Self::NotRead => "reminder_not_read",
            Self::NotStanding => "extension_of_nothing",
            Self::TooEarly { .. } => "extension_too_early",
            Self::Cap { .. } => "extension_cap",
        }
    }
}

impl AccessRequest {
    /// Where it stands at an instant: a request whose time is over is expired, whatever was written down.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> RequestState {
        match &self.state {
            RequestState::Pending { .. } if now >= self.decide_by => RequestState::Expired { at: self.decide_by },
            state => state.clone(),
        }
    }

    /// The approvals that are still needed.
    #[must_use]
    pub fn open_needs(&self) -> Vec<&ApproverKind> {
        let approvals: &[Approval] = match &self.state {
            RequestState::Pending { approvals } | RequestState::Approved { approvals, .. } => approvals,
            _ => &[],
        };
        let mut open: Vec<&ApproverKind> = self.rule.needs.iter().collect();
        for approval in approvals {
            if let Some(place) = open.iter().position(|need| **need == approval.kind) {
                open.remove(place);
            }
        }
        open
    }

    fn refuse<T>(&self, at: Timestamp, event: RequestEvent) -> Result<T, RequestError> {
        Err(RequestError::Transition { from: self.state_at(at).code(), event })
    }

    /// Hands it in; `last` is the reason that the same person gave the last time.
    ///
    /// # Errors
    /// It asks for too much, for nothing, or does not say what for.
    pub fn submit(self, last: Option<&str>, at: Timestamp) -> Result<Self, RequestError> {
        if self.state != RequestState::Draft {
            return self.refuse(at, RequestEvent::Submit);
        }
        let ApprovalRule { needs, hours_max, decide_hours, .. } = &self.rule;
        if needs.is_empty() || needs.len() > APPROVALS_MAX || *hours_max < 1 || *decide_hours < 1 {
            return Err(RequestError::NoRule);
        }
        if self.wanted.patients.len() > REQUEST_PATIENTS_MAX {
            return Err(RequestError::TooManyPatients);
        }
        if self.wanted.patients.is_empty() && self.wanted.kinds != Kinds::Whole {
            return Err(RequestError::KindsOfNobody);
        }
        reason(self.justification.expose(), last)?;
        let window = self.wanted.window;
        if window.ends_at() <= at {
            return Err(RequestError::Over);
        }
        let from = window.starts_at().max(at);
        if window.ends_at().micros().saturating_sub(from.micros()) > hours_max.saturating_mul(HOUR_MICROS) {
            return Err(RequestError::TooLong { hours_max: *hours_max });
        }
        let decide_by = at.plus_micros(decide_hours.saturating_mul(HOUR_MICROS)).min(window.ends_at());
        Ok(Self { submitted_at: at, decide_by, state: RequestState::Pending { approvals: Vec::new() }, ..self })
    }

    // INVARIANT (two-people): nobody who asks, gets, or has one of these two stand in for him decides.
    fn judged_by(&self, approver: &Approver) -> Result<(), RequestError> {
        let involved = [Some(self.person), Some(self.requested_by)];
        if involved.contains(&Some(approver.person))
            || approver.acting_for.is_some() && involved.contains(&approver.acting_for)
        {
            return Err(RequestError::OwnRequest);
        }
        if self.rule.step_up && !approver.stepped_up {
            return Err(RequestError::StepUp);
        }
        Ok(())
    }

    /// One approval, of all that is wanted or of less. The last one that is needed approves the request.
    ///
    /// # Errors
    /// The approver may not, or it is decided already.
    pub fn approve(self, approver: &Approver, narrower: Option<Wanted>, at: Timestamp) -> Result<Self, RequestError> {
        let RequestState::Pending { approvals } = self.state_at(at) else {
            return self.refuse(at, RequestEvent::Approve);
        };
        self.judged_by(approver)?;
        let who = [Some(approver.person), approver.acting_for];
        let same = |known: &Approval| {
            who.contains(&Some(known.by)) || known.acting_for.is_some() && who.contains(&known.acting_for)
        };
        if approvals.iter().any(same) {
            return Err(RequestError::Twice);
        }
        let open = self.open_needs();
        // Somebody else was first, and the row does not say so yet.
        if open.is_empty() {
            return self.refuse(at, RequestEvent::Approve);
        }
        let is_backup = self.backup_at(at).is_some_and(|kind| approver.kinds.contains(kind));
        let own = open.iter().copied().find(|need| approver.kinds.contains(*need));
        // A backup answers for the first who has not, once nobody is needed in his own capacity; never for one who must stand apart.
        let silent = open.iter().copied().find(|need| !matches!(need, ApproverKind::Apart(_)));
        let kind = own.or_else(|| silent.filter(|_| is_backup)).cloned();
        let kind = kind.ok_or(RequestError::NotEligible)?;
        let wanted = narrower.unwrap_or_else(|| self.wanted.clone());
        if !wanted.is_within(&self.wanted) {
            return Err(RequestError::Wider);
        }
        // A role is given whole: whoever leaves some kinds of it alone would be told that he gave less than he did (never-wider).
        if wanted.patients.is_empty() && wanted.kinds != Kinds::Whole {
            return Err(RequestError::KindsOfNobody);
        }
        if wanted.window.ends_at() <= at {
            return Err(RequestError::Over);
        }
        let mut approvals = approvals;
        approvals.push(Approval { by: approver.person, acting_for: approver.acting_for, kind, at });
        let is_last = approvals.len() >= self.rule.needs.len();
        let state =
            if is_last { RequestState::Approved { approvals, at } } else { RequestState::Pending { approvals } };
        Ok(Self { wanted, state, ..self })
    }

    /// One no, which is enough.
    ///
    /// # Errors
    /// Who says it may not, does not say why, or it is decided already.
    pub fn deny(self, approver: &Approver, comment: Phi<String>, at: Timestamp) -> Result<Self, RequestError> {
        let RequestState::Pending { .. } = self.state_at(at) else { return self.refuse(at, RequestEvent::Deny) };
        self.judged_by(approver)?;
        if !self.rule.needs.iter().chain(self.backup_at(at)).any(|kind| approver.kinds.contains(kind)) {
            return Err(RequestError::NotEligible);
        }
        reason(comment.expose(), None)?;
        Ok(Self { state: RequestState::Denied { by: approver.person, at, comment }, ..self })
    }

    /// Taken back by who asked, or by who would get it.
    ///
    /// # Errors
    /// It is somebody else's, or decided already.
    pub fn cancel(self, by: Id<Person>, at: Timestamp) -> Result<Self, RequestError> {
        match self.state_at(at) {
            RequestState::Draft | RequestState::Pending { .. } => {}
            _ => return self.refuse(at, RequestEvent::Cancel),
        }
        if by != self.requested_by && by != self.person {
            return Err(RequestError::NotYours);
        }
        Ok(Self { state: RequestState::Cancelled { by, at }, ..self })
    }

    /// Writes down that its time is over.
    ///
    /// # Errors
    /// It is not over, or decided already.
    pub fn expire(self, at: Timestamp) -> Result<Self, RequestError> {
        match (&self.state, self.state_at(at)) {
            (RequestState::Pending { .. }, state @ RequestState::Expired { .. }) => Ok(Self { state, ..self }),
            _ => self.refuse(at, RequestEvent::Expire),
        }
    }

    /// Writes down that what it should open could not be opened.
    ///
    /// # Errors
    /// It is not approved.
    pub fn fail(self, at: Timestamp) -> Result<Self, RequestError> {
        match self.state {
            RequestState::Approved { .. } => Ok(Self { state: RequestState::Failed { at }, ..self }),
            _ => self.refuse(at, RequestEvent::Fail),
        }
    }
}
