//! Rows of access tasks: a case that opens the records of its patients for a time.

use crate::elevation::PATIENT as PATIENT_INDEX;
use crate::error::expect_rows;
use crate::limits::{OPEN_TASKS_MAX, PAGE_ROWS_MAX};
use crate::task_unmask::{Unmask, list_unmasks};
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{
    AccessTask, HeldTask, HeldUnmask, PatientRef, Person, Recording, RoleCode, TaskApproval, TaskEnd, TaskEnded,
    TaskKind, TaskOrder, TaskRule, TaskState, Ticket,
};
use std::collections::BTreeSet;
use uuid::Uuid;

pub(crate) const JUSTIFICATION: &str = "access_task.justification";
pub(crate) const TICKET: &str = "access_task.ticket";
pub(crate) const COMMENT: &str = "access_task.comment";
pub(crate) const RECORDING: &str = "access_task.recording";
pub(crate) const PATIENT: &str = "task_patient.patient";

row! { struct TaskRow {
    id: Uuid, person: Uuid, role: String, kind: String, system: Option<String>, ticket_sealed: Option<Vec<u8>>,
    minutes: i64, justification_sealed: Vec<u8>, approvers: String, minutes_max: i64, idle_minutes: i64,
    decide_hours: i64, step_up: i64, submitted_at: i64, state: String, approved_by: Option<Uuid>,
    approved_at: Option<i64>, began_at: Option<i64>, seen_at: Option<i64>, ended_by: Option<Uuid>,
    ended_at: Option<i64>, cause: Option<String>, decided_by: Option<Uuid>, decided_at: Option<i64>,
    comment_sealed: Option<Vec<u8>>, recording_sealed: Option<Vec<u8>>, recording_sha256: Option<Vec<u8>>, version: i64,
} }

row! { struct PatientRow { patient_sealed: Vec<u8> } }

fn inconsistent(column: &'static str, id: Uuid) -> StoreError {
    StoreError::Inconsistent { table: "access_task", column, id }
}

impl TaskRow {
    fn state(&self, tx: &Tx) -> Result<TaskState, StoreError> {
        let id = self.id;
        let at = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let approval = match (self.approved_by, at(self.approved_at)) {
            (Some(by), Some(at)) => Some(TaskApproval { by: Id::from_uuid(by), at }),
            (None, None) => None,
            _ => return Err(inconsistent("approved_at", id)),
        };
        let (began, seen) = (at(self.began_at), at(self.seen_at));
        let cause = self.cause.as_deref().map(|code| TaskEnd::of(code).ok_or_else(|| inconsistent("cause", id)));
        let ended = match (at(self.ended_at), cause.transpose()?) {
            (Some(at), Some(cause)) => Some(TaskEnded { at, cause, by: self.ended_by.map(Id::from_uuid) }),
            (None, None) => None,
            _ => return Err(inconsistent("ended_at", id)),
        };
        let recording = match (&self.recording_sealed, &self.recording_sha256) {
            (Some(sealed), Some(hash)) => {
                let sha256 = hash.as_slice().try_into().map_err(|_| inconsistent("recording_sha256", id))?;
                Some(Recording { reference: tx.open_text(RECORDING, id, sealed)?, sha256 })
            }
            (None, None) => None,
            _ => return Err(inconsistent("recording_sha256", id)),
        };
        let comment = self.comment_sealed.as_ref().map(|sealed| tx.open_text(COMMENT, id, sealed)).transpose()?;
        let decided = (self.decided_by.map(Id::from_uuid), at(self.decided_at));
        Ok(match (self.state.as_str(), approval, began, ended, decided) {
            ("pending", None, None, None, (None, None)) => TaskState::Pending,
            ("approved", Some(approval), None, None, (None, None)) => TaskState::Approved(approval),
            ("active", Some(approval), Some(began_at), None, (None, None)) => {
                TaskState::Active { approval, began_at, seen_at: seen.ok_or_else(|| inconsistent("seen_at", id))? }
            }
            ("ended", Some(approval), Some(began_at), Some(ended), (None, None)) => {
                TaskState::Ended { approval, began_at, ended, recording }
            }
            ("denied", None, None, None, (Some(by), Some(at))) => {
                TaskState::Denied { by, at, comment: comment.ok_or_else(|| inconsistent("comment_sealed", id))? }
            }
            ("expired", _, None, None, (None, Some(at))) => TaskState::Expired { at },
            ("cancelled", _, None, None, (Some(by), Some(at))) => TaskState::Cancelled { by, at },
            _ => return Err(inconsistent("state", id)),
        })
    }
}

async fn read(tx: &mut Tx, row: TaskRow) -> Result<AccessTask, StoreError> {
    const SQL_PATIENTS: &str = "SELECT patient_sealed FROM task_patient WHERE task = $1";
    let id = row.id;
    let rows: Vec<PatientRow> = on_engine!(tx, |conn| sqlx::query_as(SQL_PATIENTS).bind(id).fetch_all(conn).await?);
    let mut patients = BTreeSet::new();
    for patient in rows {
        let clear = tx.open_text(PATIENT, id, &patient.patient_sealed)?;
        patients.insert(clear.expose().parse::<PatientRef>().map_err(|_| inconsistent("patient", id))?);
    }
    let state = row.state(tx)?;
    let ticket = match (row.system, row.ticket_sealed) {
        (Some(system), Some(sealed)) => Some(Ticket { system, number: tx.open_text(TICKET, id, &sealed)? }),
        (None, None) => None,
        _ => return Err(inconsistent("system", id)),
    };
    let approvers: Result<BTreeSet<RoleCode>, _> = row.approvers.split_ascii_whitespace().map(str::parse).collect();
    Ok(AccessTask {
        order: TaskOrder {
            id: Id::from_uuid(id),
            person: Id::from_uuid(row.person),
            role: row.role.parse().map_err(|_| inconsistent("role", id))?,
            kind: TaskKind::of(&row.kind).ok_or_else(|| inconsistent("kind", id))?,
            ticket,
            patients,
            minutes: row.minutes,
            justification: tx.open_text(JUSTIFICATION, id, &row.justification_sealed)?,
        },
        rule: TaskRule {
            approvers: approvers.map_err(|_| inconsistent("approvers", id))?,
            minutes_max: row.minutes_max,
            idle_minutes: row.idle_minutes,
            decide_hours: row.decide_hours,
            step_up: row.step_up == 1,
        },
        submitted_at: Timestamp::from_micros(row.submitted_at),
        state,
        version: row.version,
    })
}

async fn read_all(tx: &mut Tx, rows: Vec<TaskRow>) -> Result<Vec<AccessTask>, StoreError> {
    let mut tasks = Vec::with_capacity(rows.len());
    for row in rows {
        tasks.push(read(tx, row).await?);
    }
    Ok(tasks)
}

/// Stores a task, at version 1, with its patients. The row of the person is locked: he cannot leave meanwhile.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person, or he has left. [`StoreError::Refused`]: it is not pending, or not as
/// tasks are.
pub async fn insert_task(tx: &mut Tx, task: &AccessTask) -> Result<(), StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str =
        "INSERT INTO access_task (id, person, role, kind, system, ticket_blind, ticket_sealed, minutes, justification_sealed,
                                  approvers, minutes_max, idle_minutes, decide_hours, step_up, submitted_at, state, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1)";
    const SQL_PATIENT: &str = "INSERT INTO task_patient (task, patient_blind, patient_sealed) VALUES ($1, $2, $3)";
    let (order, rule) = (&task.order, &task.rule);
    let id = order.id.uuid();
    let justification = tx.seal(JUSTIFICATION, id, order.justification.expose().as_bytes())?;
    let ticket = order.ticket.as_ref().map(|ticket| ticket.number.expose().as_bytes());
    let blind = ticket.map(|number| tx.store.sealer().blind(TICKET, number).to_vec());
    let sealed = ticket.map(|number| tx.seal(TICKET, id, number)).transpose()?;
    let approvers: Vec<&str> = rule.approvers.iter().map(RoleCode::as_str).collect();
    let locked = on_engine!(tx, |conn| {
        sqlx::query(SQL_PERSON).bind(order.person.uuid()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(order.person.uuid())
            .bind(order.role.as_str())
            .bind(order.kind.code())
            .bind(order.ticket.as_ref().map(|ticket| ticket.system.as_str()))
            .bind(blind)
            .bind(sealed)
            .bind(order.minutes)
            .bind(justification)
            .bind(approvers.join(" "))
            .bind(rule.minutes_max)
            .bind(rule.idle_minutes)
            .bind(rule.decide_hours)
            .bind(i64::from(rule.step_up))
            .bind(task.submitted_at.micros())
            .bind(task.state.code())
            .execute(conn)
            .await?;
    });
    for patient in &order.patients {
        let blind = tx.store.sealer().blind(PATIENT_INDEX, patient.id().as_bytes());
        let sealed = tx.seal(PATIENT, id, patient.id().as_bytes())?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL_PATIENT).bind(id).bind(blind.as_slice()).bind(sealed).execute(conn).await?;
        });
    }
    Ok(())
}

/// What a state writes down; what is not said stays as it is.
#[derive(Default)]
struct Written<'a> {
    approval: Option<TaskApproval>,
    began_at: Option<Timestamp>,
    seen_at: Option<Timestamp>,
    ended: Option<TaskEnded>,
    recording: Option<&'a Recording>,
    decided_by: Option<Id<Person>>,
    decided_at: Option<Timestamp>,
    comment: Option<&'a Phi<String>>,
}

impl<'a> Written<'a> {
    fn of(state: &'a TaskState) -> Self {
        match state {
            TaskState::Pending => Self::default(),
            TaskState::Approved(approval) => Self { approval: Some(*approval), ..Self::default() },
            TaskState::Active { approval, began_at, seen_at } => Self {
                approval: Some(*approval),
                began_at: Some(*began_at),
                seen_at: Some(*seen_at),
                ..Self::default()
            },
            TaskState::Ended { approval, began_at, ended, recording } => Self {
                approval: Some(*approval),
                began_at: Some(*began_at),
                ended: Some(*ended),
                recording: recording.as_ref(),
                ..Self::default()
            },
            TaskState::Denied { by, at, comment } => {
                Self { decided_by: Some(*by), decided_at: Some(*at), comment: Some(comment), ..Self::default() }
            }
            TaskState::Expired { at } => Self { decided_at: Some(*at), ..Self::default() },
            TaskState::Cancelled { by, at } => Self { decided_by: Some(*by), decided_at: Some(*at), ..Self::default() },
        }
    }
}

/// Stores what has become of a task.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it
/// go this way.
pub async fn update_task(tx: &mut Tx, task: &AccessTask, version: i64) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE access_task
         SET state = $3, approved_by = COALESCE($4, approved_by), approved_at = COALESCE($5, approved_at),
             began_at = COALESCE($6, began_at), seen_at = COALESCE($7, seen_at), ended_by = $8, ended_at = $9, cause = $10,
             decided_by = $11, decided_at = $12, comment_sealed = $13, recording_sealed = $14, recording_sha256 = $15,
             version = version + 1
         WHERE id = $1 AND version = $2";
    let id = task.order.id.uuid();
    let written = Written::of(&task.state);
    let comment = written.comment.map(|text| tx.seal(COMMENT, id, text.expose().as_bytes())).transpose()?;
    let recording =
        written.recording.map(|one| tx.seal(RECORDING, id, one.reference.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(task.state.code())
            .bind(written.approval.map(|one| one.by.uuid()))
            .bind(written.approval.map(|one| one.at.micros()))
            .bind(written.began_at.map(Timestamp::micros))
            .bind(written.seen_at.map(Timestamp::micros))
            .bind(written.ended.and_then(|one| one.by).map(Id::uuid))
            .bind(written.ended.map(|one| one.at.micros()))
            .bind(written.ended.map(|one| one.cause.code()))
            .bind(written.decided_by.map(Id::uuid))
            .bind(written.decided_at.map(Timestamp::micros))
            .bind(comment)
            .bind(recording)
            .bind(written.recording.map(|one| one.sha256.to_vec()))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("access_task", changed, 1)
}

/// Finds a task by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_task(tx: &mut Tx, id: Id<AccessTask>) -> Result<Option<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task WHERE id = $1";
    let row: Option<TaskRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    match row {
        Some(row) => read(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// The tasks of a person that are active at an instant, whatever was written down.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are more than [`OPEN_TASKS_MAX`].
// relies on (expiry-at-decision): the window of each is judged by whoever asks it with a clock.
pub async fn open_tasks(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Vec<HeldTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task
                       WHERE person = $1 AND state = 'active' AND began_at + minutes * 60000000 > $2
                         AND seen_at + idle_minutes * 60000000 > $2
                       ORDER BY id LIMIT $3";
    let rows: Vec<TaskRow> = on_engine!(tx, |conn| {
        let limit = OPEN_TASKS_MAX.saturating_add(1);
        sqlx::query_as(SQL).bind(person.uuid()).bind(now.micros()).bind(limit).fetch_all(conn).await?
    });
    let max = OPEN_TASKS_MAX.unsigned_abs();
    if rows.len() as u64 > max {
        return Err(StoreError::Limit { what: "active tasks of one person", max });
    }
    let mut held: Vec<HeldTask> = read_all(tx, rows).await?.iter().filter_map(HeldTask::of).collect();
    for task in held.iter_mut().filter(|task| task.kind.is_support()) {
        let unmasks = list_unmasks(tx, task.id, now).await?.into_iter();
        let shown = |one: Unmask| HeldUnmask { patient: one.patient, category: one.category, window: one.window };
        task.unmasked = unmasks.map(shown).collect();
    }
    Ok(held)
}

/// The tasks of a person, newest first, one page of at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_tasks_of(
    tx: &mut Tx,
    person: Id<Person>,
    before: Option<Id<AccessTask>>,
) -> Result<Vec<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task WHERE person = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<TaskRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    read_all(tx, rows).await
}

/// The tasks of everybody, newest first, one page of at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_tasks(tx: &mut Tx, before: Option<Id<AccessTask>>) -> Result<Vec<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<TaskRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    read_all(tx, rows).await
}

/// The tasks that are not over as it is written down, oldest first, one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_tasks(tx: &mut Tx, after: Option<Id<AccessTask>>) -> Result<Vec<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task
                       WHERE state IN ('pending', 'approved', 'active') AND id > $1 ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<TaskRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    read_all(tx, rows).await
}

/// The tasks of a person that are not over as it is written down.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn open_tasks_of(tx: &mut Tx, person: Id<Person>) -> Result<Vec<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task
                       WHERE person = $1 AND state IN ('pending', 'approved', 'active') ORDER BY id";
    let rows: Vec<TaskRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_all(conn).await?);
    read_all(tx, rows).await
}

/// The tasks under the number of a ticket that are not over as it is written down, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_tasks_of_ticket(tx: &mut Tx, number: &Phi<String>) -> Result<Vec<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task
                       WHERE ticket_blind = $1 AND state IN ('pending', 'approved', 'active') ORDER BY id LIMIT $2";
    let blind = tx.store.sealer().blind(TICKET, number.expose().as_bytes());
    let rows: Vec<TaskRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(blind.as_slice()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    read_all(tx, rows).await
}

/// The tasks that name a patient, newest first, one page of at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_tasks_of_patient(
    tx: &mut Tx,
    patient: &PatientRef,
    before: Option<Id<AccessTask>>,
) -> Result<Vec<AccessTask>, StoreError> {
    const SQL: &str = "SELECT * FROM access_task
                       WHERE id < $2 AND id IN (SELECT task FROM task_patient WHERE patient_blind = $1)
                       ORDER BY id DESC LIMIT $3";
    let blind = tx.store.sealer().blind(PATIENT_INDEX, patient.id().as_bytes());
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<TaskRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(blind.as_slice()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    read_all(tx, rows).await
}
