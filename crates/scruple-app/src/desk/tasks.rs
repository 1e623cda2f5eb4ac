//! Access tasks: asked for, approved by a second person, begun, seen, ended.

use super::{Desk, DeskError, Done, Who, line_manager, roles_of, vouched_for_by};
use crate::limits::TASKS_ACTIVE_MAX;
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{
    AccessTask, PatientRef, Person, Recording, RoleCode, TaskApprover, TaskEnd, TaskError, TaskKind, TaskOrder,
    TaskState, Ticket, Window, reason,
};
use scruple_policy::{Act, ActScope};
use scruple_store::{
    Aggregate, Subject, Subjects, Tx, Unmask, find_task, insert_task, insert_unmask, list_open_tasks, list_tasks_of,
    list_tasks_of_ticket, open_tasks, update_task,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MINUTE_MICROS: i64 = 60_000_000;
/// Minutes for which a field is shown unmasked. A house rule; the table has the same.
const UNMASK_MINUTES_MAX: i64 = 10;

/// What somebody asks for, for himself.
#[derive(Clone, Debug)]
pub struct TaskAsk {
    /// The role that he does it in.
    pub role: RoleCode,
    /// What it is.
    pub kind: TaskKind,
    /// The system and the ticket, for support.
    pub ticket: Option<Ticket>,
    /// The patients of the case.
    pub patients: BTreeSet<PatientRef>,
    /// Minutes that it lasts at most; none: as long as the policy allows.
    pub minutes: Option<i64>,
    /// What it is for.
    pub justification: Phi<String>,
}

/// One kind of information of one patient, to be shown unmasked for minutes.
#[derive(Clone, Debug)]
pub struct UnmaskAsk {
    /// Under which task.
    pub task: Id<AccessTask>,
    /// Whose.
    pub patient: PatientRef,
    /// Which kind of information.
    pub category: String,
    /// For how many minutes.
    pub minutes: i64,
    /// Why.
    pub reason: Phi<String>,
}

impl Desk<'_> {
    /// Hands a task in. It goes to those whom the policy names.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn submit_task(&mut self, who: Who, ask: TaskAsk) -> Result<Done<AccessTask>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.submit_task_as(who, id, ask).await
    }

    /// The same under an id that was drawn before.
    ///
    /// # Errors
    /// See [`DeskError`]. Under an id that is taken: [`DeskError::Changed`].
    pub async fn submit_task_as(
        &mut self,
        who: Who,
        id: Id<AccessTask>,
        ask: TaskAsk,
    ) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Ask, &roles)?;
        if !roles.contains(&ask.role) {
            return Err(DeskError::RoleNotHeld);
        }
        let system = ask.ticket.as_ref().map(|ticket| ticket.system.as_str());
        if ask.kind.is_support() && system.is_none() {
            return Err(TaskError::NoTicket.into());
        }
        let rule = self.rules.task(&ask.role, ask.kind, system).ok_or(DeskError::NotAllowed)?;
        let last = list_tasks_of(&mut tx, who.person, None).await?.into_iter().next();
        let last = last.map(|last| last.order.justification);
        let order = TaskOrder {
            id,
            person: who.person,
            role: ask.role,
            kind: ask.kind,
            ticket: ask.ticket.map(|ticket| Ticket { number: trimmed(&ticket.number), ..ticket }),
            patients: ask.patients,
            minutes: ask.minutes.unwrap_or(rule.minutes_max),
            justification: ask.justification,
        };
        let task = AccessTask::submit(order, rule, last.as_ref().map(|last| last.expose().as_str()), at)?;
        insert_task(&mut tx, &task).await?;
        let record = task_record(&task, 1, at, Some(who.person));
        self.commit(tx, &[record], task).await
    }

    /// Approves a task, as it was seen at `version`.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn approve_task(
        &mut self,
        who: Who,
        id: Id<AccessTask>,
        version: i64,
    ) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = seen(&mut tx, id, version).await?;
        let by = self.approver_of(&mut tx, who, &task, at).await?;
        // What was held when it was asked for may have ended since.
        holds(&mut tx, &task, at).await?;
        self.put_task(tx, task.approve(&by, at)?, (version, at), Some(who.person)).await
    }

    /// Refuses a task, as it was seen at `version`.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn deny_task(
        &mut self,
        who: Who,
        id: Id<AccessTask>,
        version: i64,
        comment: Phi<String>,
    ) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = seen(&mut tx, id, version).await?;
        let by = self.approver_of(&mut tx, who, &task, at).await?;
        self.put_task(tx, task.deny(&by, comment, at)?, (version, at), Some(who.person)).await
    }

    /// Who asked begins: his records are open from now on.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn begin_task(
        &mut self,
        who: Who,
        id: Id<AccessTask>,
        version: i64,
    ) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = own(&mut tx, who, id, version, at).await?;
        holds(&mut tx, &task, at).await?;
        if open_tasks(&mut tx, who.person, at).await?.len() as u64 >= TASKS_ACTIVE_MAX {
            return Err(DeskError::TooMany { max: TASKS_ACTIVE_MAX });
        }
        self.put_task(tx, task.begin(who.person, at)?, (version, at), Some(who.person)).await
    }

    /// Who asked is done, with the recording where one is owed; before it began he takes it back.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn close_task(
        &mut self,
        who: Who,
        id: Id<AccessTask>,
        version: i64,
        recording: Option<Recording>,
    ) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = own(&mut tx, who, id, version, at).await?;
        let closed = match task.state_at(at) {
            TaskState::Pending | TaskState::Approved(_) => task.cancel(who.person, at)?,
            _ => task.close(who.person, recording, at)?,
        };
        self.put_task(tx, closed, (version, at), Some(who.person)).await
    }

    /// Hands in the recording of a remote session that somebody else, or the clock, has ended.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn record_task(
        &mut self,
        who: Who,
        id: Id<AccessTask>,
        version: i64,
        recording: Recording,
    ) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = own(&mut tx, who, id, version, at).await?;
        // The end is written down first: the table goes one step at a time.
        if let Ok(settled) = task.clone().settle(at) {
            update_task(&mut tx, &settled, version).await?;
            let first = task_record(&settled, version + 1, at, None);
            let recorded = AccessTask { version: version + 1, ..settled }.record(who.person, recording, at)?;
            update_task(&mut tx, &recorded, version + 1).await?;
            let second = task_record(&recorded, version + 2, at, Some(who.person));
            return self.commit(tx, &[first, second], AccessTask { version: version + 2, ..recorded }).await;
        }
        self.put_task(tx, task.record(who.person, recording, at)?, (version, at), Some(who.person)).await
    }

    /// Ends somebody else's task at once, whatever its version: by who approved it, whoever owns the system, or whoever oversees
    /// access. One that has not begun is taken back.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn end_task(&mut self, who: Who, id: Id<AccessTask>) -> Result<Done<AccessTask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let task = find_task(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        if !self.may_kill(&mut tx, who, &roles, &task).await? {
            return Err(DeskError::Unknown);
        }
        let version = task.version;
        let ended = stopped(task, who.person, TaskEnd::Killed, at)?;
        self.put_task(tx, ended, (version, at), Some(who.person)).await
    }

    /// A ticket was closed: what is open under its number ends, and what has not begun is taken back. By whoever oversees access, for
    /// everything, or by whoever has a task under it, for his own. Answers how many.
    ///
    /// # Errors
    /// See [`DeskError`]; what was ended before it stays so. Nothing is open under the number: [`DeskError::Unknown`].
    pub async fn close_ticket(&mut self, who: Who, number: &Phi<String>) -> Result<Done<usize>, DeskError> {
        let number = trimmed(number);
        let (mut now, mut last) = (0, None);
        let tasks = list_tasks_of_ticket(&mut self.store.begin_read().await?, &number).await?;
        for task in tasks {
            let (mut tx, at) = self.begin().await?;
            let roles = roles_of(&mut tx, who.person, at).await?;
            let Some(task) = find_task(&mut tx, task.order.id).await? else { continue };
            if task.order.person != who.person && !self.may_kill(&mut tx, who, &roles, &task).await? {
                continue;
            }
            let version = task.version;
            let Ok(ended) = stopped(task, who.person, TaskEnd::TicketClosed, at) else { continue };
            match self.put_task(tx, ended, (version, at), Some(who.person)).await {
                Err(DeskError::Changed) => {}
                other => {
                    last = Some(other?.position);
                    now += 1;
                }
            }
        }
        Ok(Done { now, position: last.ok_or(DeskError::Unknown)? })
    }

    /// Writes down that something was read under a task, if it is time to.
    ///
    /// # Errors
    /// The database failed, or somebody else was first. Nothing depends on it but that the task does not end idle.
    pub async fn see_task(&mut self, id: Id<AccessTask>) -> Result<(), DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = find_task(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        let version = task.version;
        if !task.is_to_be_seen(at) {
            return Ok(());
        }
        let Ok(seen) = task.see(at) else { return Ok(()) };
        self.put_task(tx, seen, (version, at), None).await.map(drop)
    }

    /// Writes down which tasks are over by the clock; they have been since their time, with or without this. Answers how many.
    ///
    /// # Errors
    /// The database failed; those that were written down stay so.
    pub async fn settle_tasks(&mut self) -> Result<usize, DeskError> {
        let now = self.clock.now();
        let (mut done, mut after) = (0, None);
        loop {
            let page = list_open_tasks(&mut self.store.begin_read().await?, after).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = Some(last.order.id);
            for task in page.into_iter().filter(|task| task.runs_out().is_some_and(|(at, _)| at <= now)) {
                let (tx, at) = self.begin().await?;
                let version = task.version;
                let Ok(settled) = task.settle(at) else { continue };
                match self.put_task(tx, settled, (version, at), None).await {
                    // Somebody has ended it, or written it down, meanwhile.
                    Err(DeskError::Changed) => {}
                    other => {
                        other?;
                        done += 1;
                    }
                }
            }
        }
    }

    /// Shows one kind of information of one patient unmasked for minutes, under a support task that is active. Whoever supports has it
    /// by his own word, and it is one event with the reason; meanwhile no other record of the task is open.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn unmask(&mut self, who: Who, ask: UnmaskAsk) -> Result<Done<Unmask>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let task = find_task(&mut tx, ask.task).await?.filter(|task| task.order.person == who.person);
        let task = task.ok_or(DeskError::Unknown)?;
        holds(&mut tx, &task, at).await?;
        let open = task.window().filter(|window| window.contains(at)).ok_or(DeskError::Changed)?;
        if !task.order.kind.is_support() || !self.rules.may_unmask(&task.order.role, &ask.category) {
            return Err(DeskError::NotAllowed);
        }
        if !task.order.patients.contains(&ask.patient) {
            return Err(DeskError::Unknown);
        }
        if !(1..=UNMASK_MINUTES_MAX).contains(&ask.minutes) {
            return Err(TaskError::TooLong { minutes_max: UNMASK_MINUTES_MAX }.into());
        }
        reason(ask.reason.expose(), None).map_err(TaskError::from)?;
        // One at a time: a decision is for all patients that it opens.
        if open_tasks(&mut tx, who.person, at).await?.iter().any(|task| !task.unmasked.is_empty()) {
            return Err(DeskError::TooMany { max: 1 });
        }
        let ends_at = at.plus_micros(ask.minutes * MINUTE_MICROS).min(open.ends_at());
        let unmask = Unmask {
            id: new_id(at, self.rng),
            task: ask.task,
            patient: ask.patient,
            category: ask.category,
            reason: ask.reason,
            window: Window::new(at, ends_at)?,
        };
        insert_unmask(&mut tx, &unmask).await?;
        let record = unmasked(&unmask, who.person);
        self.commit(tx, &[record], unmask).await
    }

    async fn may_kill(
        &mut self,
        tx: &mut Tx,
        who: Who,
        roles: &BTreeSet<RoleCode>,
        task: &AccessTask,
    ) -> Result<bool, DeskError> {
        let order = &task.order;
        // Who has it closes it, with the recording that he owes.
        if order.person == who.person {
            return Ok(false);
        }
        let approved = match &task.state {
            TaskState::Approved(approval) | TaskState::Active { approval, .. } => approval.by == who.person,
            _ => false,
        };
        let owner = order.ticket.as_ref().and_then(|ticket| self.rules.system_owner(&ticket.system));
        let oversees = match self.rules.scope(Act::EndAccess, roles) {
            Some(ActScope::All) => true,
            Some(ActScope::Team) => line_manager(tx, order.person).await? == Some(who.person),
            Some(ActScope::Own) | None => false,
        };
        Ok(approved || oversees || owner.is_some_and(|owner| roles.contains(&owner)))
    }

    async fn approver_of(
        &mut self,
        tx: &mut Tx,
        who: Who,
        task: &AccessTask,
        at: Timestamp,
    ) -> Result<TaskApprover, DeskError> {
        let roles = roles_of(tx, who.person, at).await?;
        self.permits(Act::Decide, &roles)?;
        let is_vouched_for = vouched_for_by(tx, who.person, &[task.order.person]).await?;
        Ok(TaskApprover { person: who.person, roles, is_vouched_for, stepped_up: who.stepped_up })
    }

    async fn put_task(
        &mut self,
        mut tx: Tx,
        task: AccessTask,
        (version, at): (i64, Timestamp),
        by: Option<Id<Person>>,
    ) -> Result<Done<AccessTask>, DeskError> {
        update_task(&mut tx, &task, version).await?;
        let record = task_record(&task, version + 1, at, by);
        self.commit(tx, &[record], AccessTask { version: version + 1, ..task }).await
    }
}

/// What somebody else stops: an active one ends, one that has not begun is taken back.
pub(crate) fn stopped(
    task: AccessTask,
    by: Id<Person>,
    cause: TaskEnd,
    at: Timestamp,
) -> Result<AccessTask, TaskError> {
    match task.state_at(at) {
        TaskState::Pending | TaskState::Approved(_) => task.cancel(by, at),
        _ => task.end(by, cause, at),
    }
}

fn trimmed(text: &Phi<String>) -> Phi<String> {
    Phi::new(text.expose().trim().to_owned())
}

async fn seen(tx: &mut Tx, id: Id<AccessTask>, version: i64) -> Result<AccessTask, DeskError> {
    let task = find_task(tx, id).await?.ok_or(DeskError::Unknown)?;
    if task.version == version { Ok(task) } else { Err(DeskError::Changed) }
}

/// One's own task. Whose it is not is told nothing of it.
async fn own(tx: &mut Tx, who: Who, id: Id<AccessTask>, version: i64, at: Timestamp) -> Result<AccessTask, DeskError> {
    roles_of(tx, who.person, at).await?;
    let task = find_task(tx, id).await?.filter(|task| task.order.person == who.person).ok_or(DeskError::Unknown)?;
    if task.version == version { Ok(task) } else { Err(DeskError::Changed) }
}

/// Refuses where who asked does not hold the role of his task now.
async fn holds(tx: &mut Tx, task: &AccessTask, at: Timestamp) -> Result<(), DeskError> {
    let held = roles_of(tx, task.order.person, at).await.map_err(|error| match error {
        DeskError::Gone => DeskError::PersonGone,
        error => error,
    })?;
    if held.contains(&task.order.role) { Ok(()) } else { Err(DeskError::RoleNotHeld) }
}

/// What has become of a task, with all of it: whoever reads the log needs no other place.
pub(crate) fn task_record(task: &AccessTask, version: i64, at: Timestamp, by: Option<Id<Person>>) -> Record {
    let (order, rule) = (&task.order, &task.rule);
    let mut body = json!({
        "task": order.id.to_string(),
        "person": order.person.to_string(),
        "by": by.map(|by| by.to_string()),
        "role": order.role.as_str(),
        "kind": order.kind.code(),
        "system": order.ticket.as_ref().map(|ticket| &ticket.system),
        "ticket": order.ticket.as_ref().map(|ticket| ticket.number.expose()),
        "patients": order.patients.iter().map(PatientRef::id).collect::<Vec<_>>(),
        "minutes": order.minutes,
        "idle_minutes": rule.idle_minutes,
        "approvers": rule.approvers.iter().map(RoleCode::as_str).collect::<Vec<_>>(),
        "justification": order.justification.expose(),
        "state": task.state.code(),
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut body, facts(&task.state)) {
        fields.extend(more);
    }
    let kind = match &task.state {
        TaskState::Pending => "task_submitted",
        TaskState::Approved(_) => "task_approved",
        TaskState::Active { began_at, seen_at, .. } if began_at == seen_at => "task_begun",
        TaskState::Active { .. } => "task_seen",
        TaskState::Ended { recording: Some(_), ended, .. } if ended.cause != TaskEnd::Closed => "task_recorded",
        TaskState::Ended { .. } => "task_ended",
        TaskState::Denied { .. } => "task_denied",
        TaskState::Expired { .. } => "task_expired",
        TaskState::Cancelled { .. } => "task_cancelled",
    };
    // Whose access changes hears of it at once: what a decision knows of him is loaded anew.
    let subjects = match &task.state {
        TaskState::Active { .. } | TaskState::Ended { .. } => Subject::Person(order.person).into(),
        _ => Subjects::none(),
    };
    Record::new((Aggregate::new("access_task", order.id), version), kind, at, subjects, &body)
}

/// What a state tells: approver, start, end and why, the recording and its hash.
fn facts(state: &TaskState) -> Value {
    match state {
        TaskState::Pending => json!({}),
        TaskState::Approved(approval) => {
            json!({ "approved_by": approval.by.to_string(), "approved_at": approval.at.micros() })
        }
        TaskState::Active { approval, began_at, seen_at } => json!({
            "approved_by": approval.by.to_string(),
            "approved_at": approval.at.micros(),
            "began_at": began_at.micros(),
            "seen_at": seen_at.micros(),
        }),
        TaskState::Ended { approval, began_at, ended, recording } => json!({
            "approved_by": approval.by.to_string(),
            "approved_at": approval.at.micros(),
            "began_at": began_at.micros(),
            "ended_at": ended.at.micros(),
            "cause": ended.cause.code(),
            "ended_by": ended.by.map(|by| by.to_string()),
            "recording": recording.as_ref().map(|one| one.reference.expose()),
            "recording_sha256": recording.as_ref().map(Recording::digits),
        }),
        TaskState::Denied { comment, .. } => json!({ "comment": comment.expose() }),
        TaskState::Expired { at } => json!({ "expired_at": at.micros() }),
        TaskState::Cancelled { .. } => json!({}),
    }
}

fn unmasked(unmask: &Unmask, by: Id<Person>) -> Record {
    let body = json!({
        "unmask": unmask.id.to_string(),
        "task": unmask.task.to_string(),
        "by": by.to_string(),
        "patient": unmask.patient.id(),
        "category": unmask.category,
        "reason": unmask.reason.expose(),
        "ends_at": unmask.window.ends_at().micros(),
    });
    let aggregate = (Aggregate::new("task_unmask", unmask.id), 1);
    Record::new(aggregate, "task_unmasked", unmask.window.starts_at(), Subject::Person(by), &body)
}
