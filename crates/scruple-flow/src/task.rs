//! Access tasks: a case that opens the records of its patients to one who has none by his role: a manager who oversees, somebody
//! who supports systems. Asked for with a reason, approved by a second person, begun, and over by the first of four ends.
//!
//! `pending -> approved -> active -> ended`; before that `denied | expired | cancelled`. An active task ends when it is closed, when
//! nothing was read under it for a while, at its limit, or when somebody ends it for him. The two ends of the clock hold at their
//! instant, whether a job has written them down or not (**expiry-at-decision**).

use crate::limits::{RECORDING_BYTES_MAX, REQUEST_PATIENTS_MAX, TICKET_BYTES_MAX};
use crate::{PatientRef, Person, RoleCode, WeakReason, Window, reason};
use scruple_core::{Id, Phi, Timestamp};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

const MINUTE_MICROS: i64 = 60_000_000;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;

codes! {
    /// What a task is.
    TaskKind {
        /// A manager looks at the quality of care.
        QualityReview = "quality_review",
        /// A manager answers a complaint.
        Complaint = "complaint",
        /// A manager looks at an event of staffing.
        Staffing = "staffing",
        /// A manager audits the work of his people.
        Audit = "audit",
        /// Somebody finds a fault of a system.
        Support = "support",
        /// The same from outside, seen by the owner of the system and recorded.
        RemoteSupport = "remote_support",
    }
}

impl TaskKind {
    /// It is on a system, by a ticket.
    #[must_use]
    pub const fn is_support(self) -> bool {
        matches!(self, Self::Support | Self::RemoteSupport)
    }

    /// What is seen is recorded elsewhere, and the recording is owed.
    #[must_use]
    pub const fn is_recorded(self) -> bool {
        matches!(self, Self::RemoteSupport)
    }
}

codes! {
    /// Why a task ended.
    TaskEnd {
        /// Who had it is done.
        Closed = "closed",
        /// Nothing was read under it for too long.
        Idle = "idle",
        /// It came to its limit.
        Limit = "limit",
        /// Somebody else ended it.
        Killed = "killed",
        /// Its ticket was closed.
        TicketClosed = "ticket_closed",
    }
}

/// Who approves such a task, and for how long it may last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskRule {
    /// Whoever holds one of these may approve it.
    pub approvers: BTreeSet<RoleCode>,
    /// Minutes that it lasts at most.
    pub minutes_max: i64,
    /// Minutes without a read after which it is over.
    pub idle_minutes: i64,
    /// Hours after which it is over if nobody decides, and after that if it is not begun.
    pub decide_hours: i64,
    /// Whoever approves must have confirmed just now that it is he.
    pub step_up: bool,
}

/// A system and a ticket: what support is bound to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// The system, by its name in the policy.
    pub system: String,
    /// The number of the ticket.
    pub number: Phi<String>,
}

/// What somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskOrder {
    /// Its id.
    pub id: Id<AccessTask>,
    /// Who asks, for himself.
    pub person: Id<Person>,
    /// The role that he does it in.
    pub role: RoleCode,
    /// What it is.
    pub kind: TaskKind,
    /// The ticket, for support; none otherwise.
    pub ticket: Option<Ticket>,
    /// The patients of the case: the records that it opens.
    pub patients: BTreeSet<PatientRef>,
    /// Minutes that it lasts at most.
    pub minutes: i64,
    /// What it is for.
    pub justification: Phi<String>,
}

/// The yes of the second person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskApproval {
    /// Who.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// The end of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskEnded {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: TaskEnd,
    /// By whom; nobody: by the clock.
    pub by: Option<Id<Person>>,
}

/// Where the recording of a remote session is, and what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// Where it is kept.
    pub reference: Phi<String>,
    /// SHA-256 over it.
    pub sha256: [u8; 32],
}

impl Recording {
    /// A recording by its place and the hexadecimal digits of its SHA-256.
    ///
    /// # Errors
    /// There is no place, or the digits are not 64.
    pub fn new(reference: &str, sha256: &str) -> Result<Self, TaskError> {
        let reference = reference.trim();
        if reference.is_empty() || reference.len() > RECORDING_BYTES_MAX {
            return Err(TaskError::Recording);
        }
        let digits = sha256.trim().as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(TaskError::Recording);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let text = std::str::from_utf8(pair).map_err(|_| TaskError::Recording)?;
            *byte = u8::from_str_radix(text, 16).map_err(|_| TaskError::Recording)?;
        }
        Ok(Self { reference: Phi::new(reference.to_owned()), sha256: hash })
    }

    /// The hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn digits(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Where a task stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// With those who decide.
    Pending,
    /// Somebody else has said yes; nothing is open yet.
    Approved(TaskApproval),
    /// The records are open.
    Active {
        /// Who had said yes.
        approval: TaskApproval,
        /// Since when.
        began_at: Timestamp,
        /// When something was last read under it, as it was written down.
        seen_at: Timestamp,
    },
    /// Over.
    Ended {
        /// Who had said yes.
        approval: TaskApproval,
        /// From when.
        began_at: Timestamp,
        /// Until when, and why.
        ended: TaskEnded,
        /// The recording, where one is owed and was handed in.
        recording: Option<Recording>,
    },
    /// Somebody else has said no.
    Denied {
        /// Who.
        by: Id<Person>,
        /// When.
        at: Timestamp,
        /// Why.
        comment: Phi<String>,
    },
    /// Nobody decided, or nobody began, in time.
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// Taken back before it began.
    Cancelled {
        /// By whom.
        by: Id<Person>,
        /// When.
        at: Timestamp,
    },
}

impl TaskState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved(_) => "approved",
            Self::Active { .. } => "active",
            Self::Ended { .. } => "ended",
            Self::Denied { .. } => "denied",
            Self::Expired { .. } => "expired",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// A task with its history so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessTask {
    /// What was asked for.
    pub order: TaskOrder,
    /// Who may approve it and how long it may last, as the policy said when it was asked for.
    pub rule: TaskRule,
    /// When it was asked for.
    pub submitted_at: Timestamp,
    /// Where it stands.
    pub state: TaskState,
    /// Version of the row.
    pub version: i64,
}

/// Somebody who would decide, with the facts that tell whether he may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskApprover {
    /// Who.
    pub person: Id<Person>,
    /// The roles that he holds.
    pub roles: BTreeSet<RoleCode>,
    /// Who asked has vouched for him: he may be the same person.
    pub is_vouched_for: bool,
    /// He has confirmed just now that it is he.
    pub stepped_up: bool,
}

/// What happens to a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskEvent {
    /// Somebody says yes.
    Approve,
    /// Somebody says no.
    Deny,
    /// It is taken back.
    Cancel,
    /// Who asked begins.
    Begin,
    /// Something was read.
    See,
    /// Who asked is done.
    Close,
    /// Somebody else ends it, or its ticket is closed.
    End,
    /// What the clock has ended is written down.
    Settle,
    /// The recording is handed in.
    Record,
}

/// Why a task does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TaskError {
    /// That does not follow on where it stands.
    #[error("a task that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: TaskEvent,
    },
    /// Who asked would decide.
    #[error("a task is decided by a second person")]
    OwnTask,
    /// The policy does not name who would decide.
    #[error("the policy asks for the approval of others")]
    NotEligible,
    /// Who decides must confirm first that it is he.
    #[error("approval needs a fresh confirmation of identity")]
    StepUp,
    /// Somebody else's.
    #[error("only who asked for the task does this")]
    NotYours,
    /// Support without a ticket and a system, or oversight with one.
    #[error("support is bound to a ticket and a system, and nothing else is")]
    NoTicket,
    /// No patient, or too many.
    #[error("a task names at least one patient and at most {REQUEST_PATIENTS_MAX}")]
    Patients,
    /// It would last longer than such a task may, or not at all.
    #[error("such a task lasts at most {minutes_max} minutes")]
    TooLong {
        /// The limit.
        minutes_max: i64,
    },
    /// The policy gives nobody such a task.
    #[error("the policy has no rule for this task")]
    NoRule,
    /// A remote session without its recording, or with one that is none, or a recording where none is made.
    #[error("a remote session closes with the place of its recording and its SHA-256 as 64 hexadecimal digits")]
    Recording,
    /// What it is for is not said.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl TaskError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_task_state",
            Self::OwnTask => "own_request",
            Self::NotEligible => "approver_not_eligible",
            Self::StepUp => "step_up_required",
            Self::NotYours => "not_your_request",
            Self::NoTicket => "ticket_missing",
            Self::Patients => "patients_too_many",
            Self::TooLong { .. } => "duration_too_long",
            Self::NoRule => "not_requestable",
            Self::Recording => "recording_missing",
            Self::Reason(reason) => reason.code(),
        }
    }
}

impl AccessTask {
    /// Hands a task in; `last` is the reason that the same person gave the last time.
    ///
    /// # Errors
    /// It asks for too much, for nothing, or does not say what for.
    pub fn submit(order: TaskOrder, rule: TaskRule, last: Option<&str>, at: Timestamp) -> Result<Self, TaskError> {
        let TaskRule { approvers, minutes_max, idle_minutes, decide_hours, .. } = &rule;
        if approvers.is_empty() || *minutes_max < 1 || *idle_minutes < 1 || *decide_hours < 1 {
            return Err(TaskError::NoRule);
        }
        let has_ticket = order.ticket.as_ref().is_some_and(|ticket| {
            let number = ticket.number.expose().trim();
            !ticket.system.is_empty() && !number.is_empty() && number.len() <= TICKET_BYTES_MAX
        });
        if order.kind.is_support() != order.ticket.is_some() || order.ticket.is_some() && !has_ticket {
            return Err(TaskError::NoTicket);
        }
        if order.patients.is_empty() || order.patients.len() > REQUEST_PATIENTS_MAX {
            return Err(TaskError::Patients);
        }
        if !(1..=*minutes_max).contains(&order.minutes) {
            return Err(TaskError::TooLong { minutes_max: *minutes_max });
        }
        reason(order.justification.expose(), last)?;
        Ok(Self { order, rule, submitted_at: at, state: TaskState::Pending, version: 1 })
    }

    /// When it is over by the clock, where it stands now, and by which of its limits; none: the clock does not end it.
    #[must_use]
    pub fn runs_out(&self) -> Option<(Timestamp, TaskEnd)> {
        let decide = self.rule.decide_hours.saturating_mul(HOUR_MICROS);
        match &self.state {
            TaskState::Pending => Some((self.submitted_at.plus_micros(decide), TaskEnd::Limit)),
            TaskState::Approved(approval) => Some((approval.at.plus_micros(decide), TaskEnd::Limit)),
            TaskState::Active { began_at, seen_at, .. } => {
                let limit = began_at.plus_micros(self.order.minutes.saturating_mul(MINUTE_MICROS));
                let idle = seen_at.plus_micros(self.rule.idle_minutes.saturating_mul(MINUTE_MICROS));
                Some(if idle < limit { (idle, TaskEnd::Idle) } else { (limit, TaskEnd::Limit) })
            }
            _ => None,
        }
    }

    /// Where it stands at an instant, whatever was written down.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> TaskState {
        match (&self.state, self.runs_out()) {
            (TaskState::Pending | TaskState::Approved(_), Some((at, _))) if now >= at => TaskState::Expired { at },
            (TaskState::Active { approval, began_at, .. }, Some((at, cause))) if now >= at => TaskState::Ended {
                approval: *approval,
                began_at: *began_at,
                ended: TaskEnded { at, cause, by: None },
                recording: None,
            },
            (state, _) => state.clone(),
        }
    }

    /// For which time it opens its records, as far as is known now; none: it opens nothing.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        let TaskState::Active { began_at, .. } = self.state else { return None };
        Window::new(began_at, self.runs_out()?.0).ok()
    }

    /// Whether it is time to write down that something was read under it: a fifth of the idle time after the last.
    #[must_use]
    pub fn is_to_be_seen(&self, now: Timestamp) -> bool {
        let TaskState::Active { seen_at, .. } = self.state else { return false };
        let after = self.rule.idle_minutes.saturating_mul(MINUTE_MICROS) / 5;
        now >= seen_at.plus_micros(after)
    }

    /// Whether a recording is owed that nobody has handed in.
    #[must_use]
    pub fn owes_recording(&self, now: Timestamp) -> bool {
        self.order.kind.is_recorded() && matches!(self.state_at(now), TaskState::Ended { recording: None, .. })
    }

    fn refuse<T>(&self, at: Timestamp, event: TaskEvent) -> Result<T, TaskError> {
        Err(TaskError::Transition { from: self.state_at(at).code(), event })
    }

    // INVARIANT (two-people): who asks does not decide, nor somebody whom he may be himself.
    fn judged_by(&self, by: &TaskApprover) -> Result<(), TaskError> {
        if by.person == self.order.person || by.is_vouched_for {
            return Err(TaskError::OwnTask);
        }
        if by.roles.is_disjoint(&self.rule.approvers) {
            return Err(TaskError::NotEligible);
        }
        if self.rule.step_up && !by.stepped_up { Err(TaskError::StepUp) } else { Ok(()) }
    }

    /// The yes of a second person. Nothing is open before who asked begins.
    ///
    /// # Errors
    /// Who says it may not, or it is decided already.
    pub fn approve(self, by: &TaskApprover, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Pending = self.state_at(at) else { return self.refuse(at, TaskEvent::Approve) };
        self.judged_by(by)?;
        Ok(Self { state: TaskState::Approved(TaskApproval { by: by.person, at }), ..self })
    }

    /// The no of a second person.
    ///
    /// # Errors
    /// Who says it may not, does not say why, or it is decided already.
    pub fn deny(self, by: &TaskApprover, comment: Phi<String>, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Pending = self.state_at(at) else { return self.refuse(at, TaskEvent::Deny) };
        self.judged_by(by)?;
        reason(comment.expose(), None)?;
        Ok(Self { state: TaskState::Denied { by: by.person, at, comment }, ..self })
    }

    /// Taken back before it began: by who asked, or by somebody who may end it.
    ///
    /// # Errors
    /// It has begun, or is over.
    pub fn cancel(self, by: Id<Person>, at: Timestamp) -> Result<Self, TaskError> {
        match self.state_at(at) {
            TaskState::Pending | TaskState::Approved(_) => Ok(Self { state: TaskState::Cancelled { by, at }, ..self }),
            _ => self.refuse(at, TaskEvent::Cancel),
        }
    }

    /// Who asked begins: from now on the records are open.
    ///
    /// # Errors
    /// Nobody has approved it, or it is somebody else's.
    pub fn begin(self, by: Id<Person>, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Approved(approval) = self.state_at(at) else { return self.refuse(at, TaskEvent::Begin) };
        if by != self.order.person {
            return Err(TaskError::NotYours);
        }
        Ok(Self {
            state: TaskState::Active { approval, began_at: at.max(approval.at), seen_at: at.max(approval.at) },
            ..self
        })
    }

    /// Something was read under it: the idle time begins anew, the limit stays.
    ///
    /// # Errors
    /// It is not active.
    pub fn see(self, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Active { approval, began_at, seen_at } = self.state_at(at) else {
            return self.refuse(at, TaskEvent::See);
        };
        Ok(Self { state: TaskState::Active { approval, began_at, seen_at: seen_at.max(at) }, ..self })
    }

    /// Who asked is done. A remote session closes with its recording.
    ///
    /// # Errors
    /// It is not active, somebody else's, or its recording is missing.
    pub fn close(self, by: Id<Person>, recording: Option<Recording>, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Active { approval, began_at, .. } = self.state_at(at) else {
            return self.refuse(at, TaskEvent::Close);
        };
        if by != self.order.person {
            return Err(TaskError::NotYours);
        }
        if self.order.kind.is_recorded() != recording.is_some() {
            return Err(TaskError::Recording);
        }
        // A clock that runs behind ends it at its beginning.
        let ended = TaskEnded { at: at.max(began_at), cause: TaskEnd::Closed, by: Some(by) };
        Ok(Self { state: TaskState::Ended { approval, began_at, ended, recording }, ..self })
    }

    /// Somebody else ends it, or its ticket is closed. A recording is then owed.
    ///
    /// # Errors
    /// It is not active.
    pub fn end(self, by: Id<Person>, cause: TaskEnd, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Active { approval, began_at, .. } = self.state_at(at) else {
            return self.refuse(at, TaskEvent::End);
        };
        let ended = TaskEnded { at: at.max(began_at), cause, by: Some(by) };
        Ok(Self { state: TaskState::Ended { approval, began_at, ended, recording: None }, ..self })
    }

    /// Writes down what the clock has ended.
    ///
    /// # Errors
    /// It is not over by the clock, or that is written down.
    pub fn settle(self, at: Timestamp) -> Result<Self, TaskError> {
        let state = self.state_at(at);
        if state == self.state { self.refuse(at, TaskEvent::Settle) } else { Ok(Self { state, ..self }) }
    }

    /// Hands in the recording of a remote session that did not end by being closed.
    ///
    /// # Errors
    /// None is owed, or it is somebody else's.
    pub fn record(self, by: Id<Person>, recording: Recording, at: Timestamp) -> Result<Self, TaskError> {
        let TaskState::Ended { approval, began_at, ended, recording: None } = self.state_at(at) else {
            return self.refuse(at, TaskEvent::Record);
        };
        if !self.order.kind.is_recorded() {
            return Err(TaskError::Recording);
        }
        if by != self.order.person {
            return Err(TaskError::NotYours);
        }
        Ok(Self { state: TaskState::Ended { approval, began_at, ended, recording: Some(recording) }, ..self })
    }
}

/// One kind of information of one patient that is shown unmasked for a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldUnmask {
    /// Whose.
    pub patient: PatientRef,
    /// Which kind of information.
    pub category: String,
    /// For which time.
    pub window: Window,
}

/// An active task as it is held: what a decision needs of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldTask {
    /// Its id.
    pub id: Id<AccessTask>,
    /// In which role.
    pub role: RoleCode,
    /// What it is.
    pub kind: TaskKind,
    /// The system that its ticket is on, for support.
    pub system: Option<String>,
    /// The patients whose records it opens.
    pub patients: BTreeSet<PatientRef>,
    /// For which time, as far as is known: until the earlier of its two limits.
    pub window: Window,
    /// From when on a read is to be written down.
    pub seen_from: Timestamp,
    /// What is shown unmasked under it.
    pub unmasked: Vec<HeldUnmask>,
}

impl HeldTask {
    /// What a decision needs of a task; none: it opens nothing.
    #[must_use]
    pub fn of(task: &AccessTask) -> Option<Self> {
        let TaskState::Active { seen_at, .. } = task.state else { return None };
        let order = &task.order;
        Some(Self {
            id: order.id,
            role: order.role.clone(),
            kind: order.kind,
            system: order.ticket.as_ref().map(|ticket| ticket.system.clone()),
            patients: order.patients.clone(),
            window: task.window()?,
            unmasked: Vec::new(),
            seen_from: seen_at.plus_micros(task.rule.idle_minutes.saturating_mul(MINUTE_MICROS) / 5),
        })
    }
}
