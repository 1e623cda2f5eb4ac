//! Rows of leaves. A leave suspends from its first moment until it is closed; both are compared when access is decided.

use crate::account::account_suspensions;
use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::Person;
use scruple_flow::directory::{Leave, LeaveState, Suspension};
use uuid::Uuid;

row! { struct LeaveRow {
    id: Uuid, person: Uuid, starts_at: i64, noted_by: Uuid, ended_at: Option<i64>, closed_by: Option<Uuid>,
    closed_at: Option<i64>, version: i64,
} }

impl TryFrom<LeaveRow> for Leave {
    type Error = StoreError;

    fn try_from(row: LeaveRow) -> Result<Self, StoreError> {
        let state = match (row.ended_at, row.closed_by, row.closed_at) {
            (None, None, None) => LeaveState::Open,
            (Some(ended_at), None, None) => LeaveState::Returning { ended_at: Timestamp::from_micros(ended_at) },
            (_, Some(by), Some(at)) if by != row.person => {
                LeaveState::Closed { at: Timestamp::from_micros(at), by: Id::from_uuid(by) }
            }
            _ => return Err(StoreError::Inconsistent { table: "person_leave", column: "closed_at", id: row.id }),
        };
        Ok(Self {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            starts_at: Timestamp::from_micros(row.starts_at),
            noted_by: Id::from_uuid(row.noted_by),
            state,
            version: row.version,
        })
    }
}

/// Stores a leave that is open, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: the person has one that is not closed.
pub async fn insert_leave(tx: &mut Tx, leave: &Leave, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO person_leave (id, person, starts_at, noted_by, noted_at, version)
                       VALUES ($1, $2, $3, $4, $5, 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(leave.id.uuid())
            .bind(leave.person.uuid())
            .bind(leave.starts_at.micros())
            .bind(leave.noted_by.uuid())
            .bind(at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A leave comes to the state that is given; `leave.version` is the one that this was decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it is closed. [`StoreError::Refused`]: the person would close
/// it himself.
pub async fn update_leave(tx: &mut Tx, leave: &Leave) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person_leave
                       SET starts_at = $3, closed_by = $5, closed_at = $6, version = version + 1,
                           ended_at = CASE WHEN CAST($6 AS BIGINT) IS NULL THEN $4 ELSE ended_at END
                       WHERE id = $1 AND version = $2 AND closed_at IS NULL";
    let (ended_at, closed) = match leave.state {
        LeaveState::Open => (None, None),
        LeaveState::Returning { ended_at } => (Some(ended_at), None),
        LeaveState::Closed { at, by } => (None, Some((at, by))),
    };
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(leave.id.uuid())
            .bind(leave.version)
            .bind(leave.starts_at.micros())
            .bind(ended_at.map(Timestamp::micros))
            .bind(closed.map(|(_, by)| by.uuid()))
            .bind(closed.map(|(at, _)| at.micros()))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("person_leave", changed, 1)
}

/// The leave of a person that is not closed.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_open_leave(tx: &mut Tx, person: Id<Person>) -> Result<Option<Leave>, StoreError> {
    const SQL: &str = "SELECT id, person, starts_at, noted_by, ended_at, closed_by, closed_at, version
                       FROM person_leave WHERE person = $1 AND closed_at IS NULL";
    let row: Option<LeaveRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// When a person holds nothing from `now` on: on leave, after his account lay idle, or, of a system, while nobody answers for it. A
/// leave that began when it was noted counts from its commit, whatever the clock of the node that wrote it.
// relies on (leave-suspends)
pub async fn suspensions(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Vec<Suspension>, StoreError> {
    const SQL: &str = "SELECT starts_at, noted_at, closed_at FROM person_leave
                       WHERE person = $1 AND (closed_at IS NULL OR closed_at > $2) ORDER BY starts_at LIMIT $3";
    let rows: Vec<(i64, i64, Option<i64>)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    let one = |(starts_at, noted_at, closed_at): (i64, i64, Option<i64>)| Suspension {
        from: (starts_at > noted_at).then(|| Timestamp::from_micros(starts_at)),
        until: closed_at.map(Timestamp::from_micros),
    };
    let mut suspended: Vec<Suspension> = rows.into_iter().map(one).collect();
    suspended.extend(account_suspensions(tx, person, now).await?);
    Ok(suspended)
}
