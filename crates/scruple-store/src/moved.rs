//! Rows of moves: what somebody loses when he works elsewhere, from which instant on. The instant is compared when access
//! is decided; that the grants are then revoked too is book-keeping.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Person, RoleCode};
use uuid::Uuid;

/// What a mover loses, to be stored.
#[derive(Clone, Debug)]
pub struct NewMove {
    /// Its id.
    pub id: Id<Move>,
    /// Who moves.
    pub person: Id<Person>,
    /// The role that he loses; `None` is every role.
    pub role: Option<RoleCode>,
    /// Who told of it.
    pub noted_by: Id<Person>,
    /// When.
    pub noted_at: Timestamp,
    /// From when on it is lost.
    pub effective_at: Timestamp,
}

/// What a mover loses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// Its id.
    pub id: Id<Self>,
    /// Who moves.
    pub person: Id<Person>,
    /// The role that he loses; `None` is every role.
    pub role: Option<RoleCode>,
    /// Who told of it.
    pub noted_by: Id<Person>,
    /// Grants that were made later are not touched: they are approved anew.
    pub covers_until: Timestamp,
    /// From when on it is lost.
    pub effective_at: Timestamp,
    /// Version of the row.
    pub version: i64,
}

row! { struct MoveRow {
    id: Uuid, person: Uuid, role: Option<String>, noted_by: Uuid, covers_until: i64, effective_at: i64, version: i64,
} }

impl TryFrom<MoveRow> for Move {
    type Error = StoreError;

    fn try_from(row: MoveRow) -> Result<Self, StoreError> {
        let role = row.role.map(|role| role.parse()).transpose();
        let inconsistent = |_| StoreError::Inconsistent { table: "person_move", column: "role", id: row.id };
        Ok(Self {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            role: role.map_err(inconsistent)?,
            noted_by: Id::from_uuid(row.noted_by),
            covers_until: Timestamp::from_micros(row.covers_until),
            effective_at: Timestamp::from_micros(row.effective_at),
            version: row.version,
        })
    }
}

/// Stores a move, at version 1, and answers with it. It covers every grant and elevation that is there, also one that a node whose
/// clock is ahead has made: the row of the person must be locked ([`crate::lock_person`]).
///
/// # Errors
/// [`StoreError::Refused`]: it would take effect before it was noted.
pub async fn insert_move(tx: &mut Tx, new: &NewMove) -> Result<Move, StoreError> {
    const SQL_LATEST: &str = "SELECT MAX(granted_at)
                              FROM (SELECT granted_at FROM role_grant WHERE person = $1 AND revoked_at IS NULL
                                    UNION ALL
                                    SELECT granted_at FROM elevation WHERE person = $1 AND ended_at IS NULL) AS given";
    const SQL: &str =
        "INSERT INTO person_move (id, person, role, noted_by, noted_at, covers_until, effective_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1)";
    let (latest,): (Option<i64>,) =
        on_engine!(tx, |conn| sqlx::query_as(SQL_LATEST).bind(new.person.uuid()).fetch_one(conn).await?);
    let covers_until = latest.map_or(new.noted_at, |latest| new.noted_at.max(Timestamp::from_micros(latest)));
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(new.id.uuid())
            .bind(new.person.uuid())
            .bind(new.role.as_ref().map(RoleCode::as_str))
            .bind(new.noted_by.uuid())
            .bind(new.noted_at.micros())
            .bind(covers_until.micros())
            .bind(new.effective_at.micros())
            .execute(conn)
            .await?;
    });
    let NewMove { id, person, role, noted_by, effective_at, .. } = new.clone();
    Ok(Move { id, person, role, noted_by, covers_until, effective_at, version: 1 })
}

/// Moves that are effective and not settled, the oldest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn due_moves(tx: &mut Tx, now: Timestamp) -> Result<Vec<Move>, StoreError> {
    const SQL: &str = "SELECT id, person, role, noted_by, covers_until, effective_at, version FROM person_move
                       WHERE settled_at IS NULL AND effective_at <= $1 ORDER BY effective_at, id LIMIT $2";
    let rows: Vec<MoveRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The grants that a move takes are revoked: nothing is left to do for it.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it is settled.
pub async fn settle_move(tx: &mut Tx, id: Id<Move>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person_move SET settled_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND settled_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("person_move", changed, 1)
}
