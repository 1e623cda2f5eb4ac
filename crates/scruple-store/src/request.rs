//! Rows of requests for access, with their patients and approvals.

use crate::elevation::PATIENT as PATIENT_INDEX;
use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{
    AccessRequest, Approval, ApprovalRule, ApproverKind, Backup, Extended, KindCode, Kinds, PatientRef, Person,
    RequestState, RequestTask, Wanted, Window,
};
use std::collections::BTreeSet;
use uuid::Uuid;

pub(crate) const JUSTIFICATION: &str = "access_request.justification";
pub(crate) const TICKET: &str = "access_request.ticket";
pub(crate) const COMMENT: &str = "access_request.comment";
pub(crate) const PATIENT: &str = "request_patient.patient";

row! { struct RequestRow {
    id: Uuid, person: Uuid, requested_by: Uuid, role: String, purpose: Option<String>, starts_at: i64, ends_at: i64,
    justification_sealed: Vec<u8>, ticket_sealed: Option<Vec<u8>>, needs: String, hours_max: i64, decide_hours: i64,
    step_up: i64, submitted_at: i64, decide_by: i64, state: String, decided_by: Option<Uuid>, decided_at: Option<i64>,
    comment_sealed: Option<Vec<u8>>, task: String, whole: i64, version: i64,
    backup: Option<String>, escalate_hours: Option<i64>, extends: Option<Uuid>, extension: Option<i64>,
    extends_since: Option<i64>, acknowledged: Option<String>,
} }

row! { struct ApprovalRow { by_person: Uuid, acting_for: Option<Uuid>, kind: String, at: i64 } }

row! { struct PatientRow { patient_sealed: Vec<u8> } }

row! { struct KindRow { kind: String } }

fn kind(text: &str) -> Option<ApproverKind> {
    text.parse().ok()
}

fn inconsistent(column: &'static str, id: Uuid) -> StoreError {
    StoreError::Inconsistent { table: "access_request", column, id }
}

/// The kinds of information of a request that is not of all of them. One that names none is no request.
async fn named(tx: &mut Tx, id: Uuid) -> Result<BTreeSet<KindCode>, StoreError> {
    const SQL: &str = "SELECT kind FROM request_kind WHERE request = $1 AND dropped = 0";
    let rows: Vec<KindRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_all(conn).await?);
    let kinds = rows.into_iter().map(|row| row.kind.parse::<KindCode>().map_err(|_| inconsistent("kind", id)));
    kinds.collect()
}

async fn read(tx: &mut Tx, row: RequestRow) -> Result<AccessRequest, StoreError> {
    const SQL_PATIENTS: &str = "SELECT patient_sealed FROM request_patient WHERE request = $1 AND dropped = 0";
    const SQL_APPROVALS: &str = "SELECT by_person, acting_for, kind, at FROM request_approval
                                 WHERE request = $1 ORDER BY at, by_person";
    let id = row.id;
    let patients: Vec<PatientRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL_PATIENTS).bind(id).fetch_all(conn).await?);
    let mut patients_named = BTreeSet::new();
    for patient in patients {
        let clear = tx.open_text(PATIENT, id, &patient.patient_sealed)?;
        patients_named.insert(clear.expose().parse::<PatientRef>().map_err(|_| inconsistent("patient", id))?);
    }
    let given: Vec<ApprovalRow> = on_engine!(tx, |conn| sqlx::query_as(SQL_APPROVALS).bind(id).fetch_all(conn).await?);
    let mut approvals = Vec::with_capacity(given.len());
    for approval in given {
        approvals.push(Approval {
            by: Id::from_uuid(approval.by_person),
            acting_for: approval.acting_for.map(Id::from_uuid),
            kind: kind(&approval.kind).ok_or_else(|| inconsistent("approval", id))?,
            at: Timestamp::from_micros(approval.at),
        });
    }
    let decided = row.decided_at.map(Timestamp::from_micros);
    let by = row.decided_by.map(Id::from_uuid);
    let comment = row.comment_sealed.map(|sealed| tx.open_text(COMMENT, id, &sealed)).transpose()?;
    let state = match (row.state.as_str(), decided, by, comment) {
        ("draft", None, None, None) => RequestState::Draft,
        ("pending", None, None, None) => RequestState::Pending { approvals },
        ("approved", Some(at), None, None) => RequestState::Approved { approvals, at },
        ("denied", Some(at), Some(by), Some(comment)) => RequestState::Denied { by, at, comment },
        ("expired", Some(at), None, None) => RequestState::Expired { at },
        ("cancelled", Some(at), Some(by), None) => RequestState::Cancelled { by, at },
        ("failed", Some(at), None, None) => RequestState::Failed { at },
        _ => return Err(inconsistent("state", id)),
    };
    let kinds = match row.whole {
        1 => Kinds::Whole,
        _ => Kinds::named(named(tx, id).await?).ok_or_else(|| inconsistent("kind", id))?,
    };
    let backup = match (&row.backup, row.escalate_hours) {
        (None, None) => None,
        (Some(code), Some(after_hours)) => {
            Some(Backup { kind: kind(code).ok_or_else(|| inconsistent("backup", id))?, after_hours })
        }
        _ => return Err(inconsistent("escalate_hours", id)),
    };
    let extends = match (row.extends, row.extension, row.extends_since) {
        (None, None, None) => None,
        (Some(request), Some(number), Some(since)) => {
            Some(Extended { request: Id::from_uuid(request), number, since: Timestamp::from_micros(since) })
        }
        _ => return Err(inconsistent("extends", id)),
    };
    let needs: Option<Vec<ApproverKind>> = row.needs.split_ascii_whitespace().map(kind).collect();
    // relies on (grant-window)
    let window = Window::new(Timestamp::from_micros(row.starts_at), Timestamp::from_micros(row.ends_at));
    Ok(AccessRequest {
        id: Id::from_uuid(id),
        person: Id::from_uuid(row.person),
        requested_by: Id::from_uuid(row.requested_by),
        wanted: Wanted {
            role: row.role.parse().map_err(|_| inconsistent("role", id))?,
            purpose: row.purpose,
            patients: patients_named,
            task: RequestTask::of(&row.task).ok_or_else(|| inconsistent("task", id))?,
            kinds,
            window: window.map_err(|_| inconsistent("ends_at", id))?,
        },
        justification: tx.open_text(JUSTIFICATION, id, &row.justification_sealed)?,
        ticket: row.ticket_sealed.map(|sealed| tx.open_text(TICKET, id, &sealed).map(Phi::into_inner)).transpose()?,
        rule: ApprovalRule {
            needs: needs.ok_or_else(|| inconsistent("needs", id))?,
            hours_max: row.hours_max,
            decide_hours: row.decide_hours,
            step_up: row.step_up == 1,
            backup,
        },
        submitted_at: Timestamp::from_micros(row.submitted_at),
        decide_by: Timestamp::from_micros(row.decide_by),
        extends,
        acknowledged: row.acknowledged,
        state,
        version: row.version,
    })
}

/// Stores a request, at version 1, with its patients. The row of the person is locked: he cannot leave meanwhile.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person, or he has left. [`StoreError::Refused`]: it is neither a draft nor
/// pending.
pub async fn insert_request(tx: &mut Tx, request: &AccessRequest) -> Result<(), StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str =
        "INSERT INTO access_request (id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed,
                                     ticket_sealed, needs, needed, hours_max, decide_hours, step_up, submitted_at,
                                     decide_by, state, task, whole, version,
                                     backup, escalate_hours, extends, extension, extends_since, acknowledged)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 1,
                 $20, $21, $22, $23, $24, $25)";
    const SQL_PATIENT: &str = "INSERT INTO request_patient (request, patient_blind, patient_sealed, dropped)
                               VALUES ($1, $2, $3, 0)";
    let id = request.id.uuid();
    let justification = tx.seal(JUSTIFICATION, id, request.justification.expose().as_bytes())?;
    let ticket = request.ticket.as_ref().map(|ticket| tx.seal(TICKET, id, ticket.as_bytes())).transpose()?;
    let needs: Vec<String> = request.rule.needs.iter().map(ToString::to_string).collect();
    let locked = on_engine!(tx, |conn| {
        sqlx::query(SQL_PERSON).bind(request.person.uuid()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(request.person.uuid())
            .bind(request.requested_by.uuid())
            .bind(request.wanted.role.as_str())
            .bind(request.wanted.purpose.as_deref())
            .bind(request.wanted.window.starts_at().micros())
            .bind(request.wanted.window.ends_at().micros())
            .bind(justification)
            .bind(ticket)
            .bind(needs.join(" "))
            .bind(i64::try_from(needs.len()).unwrap_or(i64::MAX))
            .bind(request.rule.hours_max)
            .bind(request.rule.decide_hours)
            .bind(i64::from(request.rule.step_up))
            .bind(request.submitted_at.micros())
            .bind(request.decide_by.micros())
            .bind(request.state.code())
            .bind(request.wanted.task.code())
            .bind(i64::from(request.wanted.kinds == Kinds::Whole))
            .bind(request.rule.backup.as_ref().map(|backup| backup.kind.to_string()))
            .bind(request.rule.backup.as_ref().map(|backup| backup.after_hours))
            .bind(request.extends.map(|earlier| earlier.request.uuid()))
            .bind(request.extends.map(|earlier| earlier.number))
            .bind(request.extends.map(|earlier| earlier.since.micros()))
            .bind(request.acknowledged.as_deref())
            .execute(conn)
            .await?;
    });
    name_kinds(tx, id, request.wanted.kinds.codes().into_iter().flatten()).await?;
    for patient in &request.wanted.patients {
        let blind = tx.store.sealer().blind(PATIENT_INDEX, patient.id().as_bytes());
        let sealed = tx.seal(PATIENT, id, patient.id().as_bytes())?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL_PATIENT).bind(id).bind(blind.as_slice()).bind(sealed).execute(conn).await?;
        });
    }
    Ok(())
}

async fn name_kinds(tx: &mut Tx, id: Uuid, kinds: impl Iterator<Item = &KindCode>) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO request_kind (request, kind, dropped) VALUES ($1, $2, 0)";
    for kind in kinds {
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(id).bind(kind.as_str()).execute(conn).await?;
        });
    }
    Ok(())
}

/// Drops the kinds that are not kept, or names those that are instead of all.
async fn narrow_kinds(tx: &mut Tx, request: &AccessRequest) -> Result<(), StoreError> {
    const SQL_DROP: &str = "UPDATE request_kind SET dropped = 1 WHERE request = $1 AND kind = $2 AND dropped = 0";
    let Some(kept) = request.wanted.kinds.codes() else { return Ok(()) };
    let id = request.id.uuid();
    let known = named(tx, id).await?;
    for kind in known.difference(kept) {
        on_engine!(tx, |conn| {
            sqlx::query(SQL_DROP).bind(id).bind(kind.as_str()).execute(conn).await?;
        });
    }
    name_kinds(tx, id, kept.difference(&known)).await
}

/// Stores what has become of a request: its state, an approval that is new, and what was narrowed.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it
/// go this way. [`StoreError::Conflict`]: the same person has approved it.
pub async fn update_request(tx: &mut Tx, request: &AccessRequest, version: i64) -> Result<(), StoreError> {
    const SQL_APPROVAL: &str = "INSERT INTO request_approval (request, by_person, acting_for, kind, at)
                                VALUES ($1, $2, $3, $4, $5)";
    const SQL_KNOWN: &str = "SELECT COUNT(*) FROM request_approval WHERE request = $1";
    const SQL_PATIENTS: &str = "SELECT patient_sealed FROM request_patient WHERE request = $1 AND dropped = 0";
    const SQL_DROP: &str = "UPDATE request_patient SET dropped = 1
                            WHERE request = $1 AND patient_blind = $2 AND dropped = 0";
    const SQL: &str =
        "UPDATE access_request SET starts_at = $3, ends_at = $4, purpose = $5, state = $6, decided_by = $7, decided_at = $8,
                comment_sealed = $9, submitted_at = $10, decide_by = $11, whole = $12, version = version + 1
         WHERE id = $1 AND version = $2";
    let id = request.id.uuid();
    let (decided_by, decided_at, comment) = match &request.state {
        RequestState::Draft | RequestState::Pending { .. } => (None, None, None),
        RequestState::Approved { at, .. } | RequestState::Expired { at } | RequestState::Failed { at } => {
            (None, Some(*at), None)
        }
        RequestState::Denied { by, at, comment } => (Some(*by), Some(*at), Some(comment)),
        RequestState::Cancelled { by, at } => (Some(*by), Some(*at), None),
    };
    if let RequestState::Pending { approvals } | RequestState::Approved { approvals, .. } = &request.state {
        let (known,): (i64,) = on_engine!(tx, |conn| sqlx::query_as(SQL_KNOWN).bind(id).fetch_one(conn).await?);
        for approval in approvals.iter().skip(usize::try_from(known).unwrap_or(0)) {
            on_engine!(tx, |conn| {
                sqlx::query(SQL_APPROVAL)
                    .bind(id)
                    .bind(approval.by.uuid())
                    .bind(approval.acting_for.map(Id::uuid))
                    .bind(approval.kind.to_string())
                    .bind(approval.at.micros())
                    .execute(conn)
                    .await?;
            });
        }
    }
    let kept: Vec<PatientRow> = on_engine!(tx, |conn| sqlx::query_as(SQL_PATIENTS).bind(id).fetch_all(conn).await?);
    for patient in kept {
        let clear = tx.open_text(PATIENT, id, &patient.patient_sealed)?;
        if request.wanted.patients.iter().any(|kept| kept.id() == clear.expose()) {
            continue;
        }
        let blind = tx.store.sealer().blind(PATIENT_INDEX, clear.expose().as_bytes());
        on_engine!(tx, |conn| {
            sqlx::query(SQL_DROP).bind(id).bind(blind.as_slice()).execute(conn).await?;
        });
    }
    narrow_kinds(tx, request).await?;
    let comment = comment.map(|comment| tx.seal(COMMENT, id, comment.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(request.wanted.window.starts_at().micros())
            .bind(request.wanted.window.ends_at().micros())
            .bind(request.wanted.purpose.as_deref())
            .bind(request.state.code())
            .bind(decided_by.map(Id::uuid))
            .bind(decided_at.map(Timestamp::micros))
            .bind(comment)
            .bind(request.submitted_at.micros())
            .bind(request.decide_by.micros())
            .bind(i64::from(request.wanted.kinds == Kinds::Whole))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("access_request", changed, 1)
}

/// Finds a request by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_request(tx: &mut Tx, id: Id<AccessRequest>) -> Result<Option<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request WHERE id = $1";
    let row: Option<RequestRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    match row {
        Some(row) => read(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// The requests that a person has made or would get, newest first, one page of at most [`PAGE_ROWS_MAX`] before a request.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_requests_of(
    tx: &mut Tx,
    person: Id<Person>,
    before: Option<Id<AccessRequest>>,
) -> Result<Vec<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request WHERE (person = $1 OR requested_by = $1) AND id < $2 ORDER BY id DESC LIMIT $3";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<RequestRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    all(tx, rows).await
}

/// The requests that a person has approved or refused, whatever came of them, newest first, one page of at most [`PAGE_ROWS_MAX`]
/// before a request.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_requests_decided_by(
    tx: &mut Tx,
    person: Id<Person>,
    before: Option<Id<AccessRequest>>,
) -> Result<Vec<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request
         WHERE id < $2 AND (EXISTS (SELECT 1 FROM request_approval WHERE request = access_request.id AND by_person = $1)
                            OR (state = 'denied' AND decided_by = $1))
         ORDER BY id DESC LIMIT $3";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<RequestRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    all(tx, rows).await
}

/// Everybody's requests, newest first, one page of at most [`PAGE_ROWS_MAX`] before a request.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_requests(tx: &mut Tx, before: Option<Id<AccessRequest>>) -> Result<Vec<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<RequestRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    all(tx, rows).await
}

/// The requests that nobody has decided and whose time is not over, the most urgent first, at most [`PAGE_ROWS_MAX`] after a time.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_pending_requests(tx: &mut Tx, now: Timestamp) -> Result<Vec<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request WHERE state = 'pending' AND decide_by > $1 ORDER BY decide_by, id LIMIT $2";
    let rows: Vec<RequestRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    all(tx, rows).await
}

/// The same, one page behind a request, by when it is to be decided and its id.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_pending_requests_after(
    tx: &mut Tx,
    now: Timestamp,
    after: Option<(Timestamp, Id<AccessRequest>)>,
) -> Result<Vec<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request
         WHERE state = 'pending' AND decide_by > $1 AND (decide_by > $2 OR (decide_by = $2 AND id > $3))
         ORDER BY decide_by, id LIMIT $4";
    let (by, id) = after.map_or((i64::MIN, Uuid::nil()), |(by, id)| (by.micros(), id.uuid()));
    let rows: Vec<RequestRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(now.micros()).bind(by).bind(id).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    all(tx, rows).await
}

/// The requests that are pending and over, for the job that writes it down; at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_overdue_requests(tx: &mut Tx, now: Timestamp) -> Result<Vec<AccessRequest>, StoreError> {
    const SQL: &str =
        "SELECT id, person, requested_by, role, purpose, starts_at, ends_at, justification_sealed, ticket_sealed, needs,
                hours_max, decide_hours, step_up, submitted_at, decide_by, state, decided_by, decided_at, comment_sealed,
                task, whole, version, backup, escalate_hours, extends, extension, extends_since, acknowledged
         FROM access_request WHERE state = 'pending' AND decide_by <= $1 ORDER BY decide_by, id LIMIT $2";
    let rows: Vec<RequestRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    all(tx, rows).await
}

async fn all(tx: &mut Tx, rows: Vec<RequestRow>) -> Result<Vec<AccessRequest>, StoreError> {
    let mut requests = Vec::with_capacity(rows.len());
    for row in rows {
        requests.push(read(tx, row).await?);
    }
    Ok(requests)
}
