//! Versions of the policy pack: proposed, checked, approved by a second person, active, retired. At most one is active.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Person, StoreError, Tx};
use scruple_core::{Id, PackHash, Timestamp};
use uuid::Uuid;

/// A pack that somebody proposes.
#[derive(Clone, Debug)]
pub struct NewPack<'a> {
    /// Its id. The same hash may be proposed again later.
    pub id: Id<Pack>,
    /// Hash of its files.
    pub hash: PackHash,
    /// Version of the engine that compiled it.
    pub engine: &'a str,
    /// By what criteria it was made (164.514(d)): text, no PHI.
    pub criteria: &'a str,
    /// Why it is to replace the one before: text, no PHI.
    pub rationale: &'a str,
    /// Who proposes it.
    pub proposed_by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// A version of the policy pack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pack {
    /// Its id.
    pub id: Id<Self>,
    /// Hash of its files.
    pub hash: PackHash,
    /// Version of the engine that compiled it.
    pub engine: String,
    /// By what criteria it was made.
    pub criteria: String,
    /// Why it replaces the one before.
    pub rationale: String,
    /// Who proposed it.
    pub proposed_by: Id<Person>,
    /// When.
    pub proposed_at: Timestamp,
    /// How far it has come.
    pub state: PackState,
    /// Version of the row.
    pub version: i64,
}

/// The approval of a pack by a second person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackApproval {
    /// When it was checked.
    pub checked_at: Timestamp,
    /// Who approved it.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// How far a pack has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackState {
    /// Proposed.
    Draft,
    /// It compiles, both forms are equal.
    Checked {
        /// When it was checked.
        at: Timestamp,
    },
    /// A second person has approved it.
    Approved(PackApproval),
    /// Decisions are made by it.
    Active {
        /// Its approval.
        approval: PackApproval,
        /// Since when.
        since: Timestamp,
    },
    /// Another one has taken its place.
    Retired {
        /// Its approval.
        approval: PackApproval,
        /// Since when it was active.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

row! { struct PackRow {
    id: Uuid, hash: Vec<u8>, engine: String, state: String, criteria: String, rationale: String, proposed_by: Uuid,
    proposed_at: i64, checked_at: Option<i64>, approved_by: Option<Uuid>, approved_at: Option<i64>,
    activated_at: Option<i64>, retired_at: Option<i64>, version: i64,
} }

impl TryFrom<PackRow> for Pack {
    type Error = StoreError;

    fn try_from(row: PackRow) -> Result<Self, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "pack_version", column, id: row.id };
        let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let approval = match (time(row.checked_at), row.approved_by, time(row.approved_at)) {
            (Some(checked_at), Some(by), Some(at)) => Some(PackApproval { checked_at, by: Id::from_uuid(by), at }),
            (_, None, None) => None,
            _ => return Err(inconsistent("approved_at")),
        };
        // relies on (two-people)
        if row.approved_by == Some(row.proposed_by) {
            return Err(inconsistent("approved_by"));
        }
        let state =
            match (row.state.as_str(), time(row.checked_at), approval, time(row.activated_at), time(row.retired_at)) {
                ("draft", None, None, None, None) => PackState::Draft,
                ("checked", Some(at), None, None, None) => PackState::Checked { at },
                ("approved", Some(_), Some(approval), None, None) => PackState::Approved(approval),
                ("active", Some(_), Some(approval), Some(since), None) => PackState::Active { approval, since },
                ("retired", Some(_), Some(approval), Some(since), Some(until)) => {
                    PackState::Retired { approval, since, until }
                }
                _ => return Err(inconsistent("state")),
            };
        Ok(Self {
            id: Id::from_uuid(row.id),
            hash: PackHash(row.hash.as_slice().try_into().map_err(|_| inconsistent("hash"))?),
            engine: row.engine,
            criteria: row.criteria,
            rationale: row.rationale,
            proposed_by: Id::from_uuid(row.proposed_by),
            proposed_at: Timestamp::from_micros(row.proposed_at),
            state,
            version: row.version,
        })
    }
}

/// Stores a proposal, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: a pack with this id exists. [`StoreError::Refused`]: nobody knows who proposes it.
pub async fn propose_pack(tx: &mut Tx, pack: &NewPack<'_>) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO pack_version (id, hash, engine, state, criteria, rationale, proposed_by, proposed_at, version)
         VALUES ($1, $2, $3, 'draft', $4, $5, $6, $7, 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(pack.id.uuid())
            .bind(pack.hash.0.as_slice())
            .bind(pack.engine)
            .bind(pack.criteria)
            .bind(pack.rationale)
            .bind(pack.proposed_by.uuid())
            .bind(pack.at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A draft has passed the checks.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it is no draft.
pub async fn mark_pack_checked(tx: &mut Tx, id: Id<Pack>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE pack_version SET state = 'checked', checked_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND state = 'draft'";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("pack_version", changed, 1)
}

/// A second person approves a checked pack.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, it is not in state checked, or `by` has proposed it himself.
// INVARIANT (two-people): here in WHERE, and in the table's constraint.
pub async fn approve_pack(
    tx: &mut Tx,
    id: Id<Pack>,
    version: i64,
    by: Id<Person>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE pack_version
                       SET state = 'approved', approved_by = $3, approved_at = $4, version = version + 1
                       WHERE id = $1 AND version = $2 AND state = 'checked' AND proposed_by <> $3";
    let changed = on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(id.uuid()).bind(version).bind(by.uuid()).bind(at.micros());
        query.execute(conn).await?.rows_affected()
    });
    expect_rows("pack_version", changed, 1)
}

/// Puts an approved pack in the place of the active one, which must be `replaces` (none: the first ever).
///
/// # Errors
/// [`StoreError::RowsAffected`]: a version or state is another, or `replaces` is not the active one.
/// [`StoreError::Conflict`]: another pack is active.
pub async fn activate_pack(
    tx: &mut Tx,
    id: Id<Pack>,
    version: i64,
    replaces: Option<Id<Pack>>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL_RETIRE: &str = "UPDATE pack_version SET state = 'retired', retired_at = $2, version = version + 1
                              WHERE id = $1 AND state = 'active'";
    const SQL: &str = "UPDATE pack_version SET state = 'active', activated_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND state = 'approved' AND approved_by <> proposed_by";
    if let Some(replaces) = replaces {
        let changed = on_engine!(tx, |conn| {
            sqlx::query(SQL_RETIRE).bind(replaces.uuid()).bind(at.micros()).execute(conn).await?.rows_affected()
        });
        expect_rows("pack_version", changed, 1)?;
    }
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("pack_version", changed, 1)
}

/// Finds a pack by id.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_pack(tx: &mut Tx, id: Id<Pack>) -> Result<Option<Pack>, StoreError> {
    const SQL: &str = "SELECT id, hash, engine, state, criteria, rationale, proposed_by, proposed_at, checked_at,
                              approved_by, approved_at, activated_at, retired_at, version
                       FROM pack_version WHERE id = $1";
    let row: Option<PackRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// The pack by which decisions were made at an instant; for the present, the active one.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn active_pack_as_of(tx: &mut Tx, at: Timestamp) -> Result<Option<Pack>, StoreError> {
    const SQL: &str = "SELECT id, hash, engine, state, criteria, rationale, proposed_by, proposed_at, checked_at,
                              approved_by, approved_at, activated_at, retired_at, version
                       FROM pack_version WHERE activated_at <= $1 AND (retired_at IS NULL OR retired_at > $1)
                       ORDER BY activated_at DESC, id DESC LIMIT 1";
    let row: Option<PackRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(at.micros()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// All packs, oldest first, one page of at most [`PAGE_ROWS_MAX`] after a pack.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_packs(tx: &mut Tx, after: Option<Id<Pack>>, limit: i64) -> Result<Vec<Pack>, StoreError> {
    const SQL: &str = "SELECT id, hash, engine, state, criteria, rationale, proposed_by, proposed_at, checked_at,
                              approved_by, approved_at, activated_at, retired_at, version
                       FROM pack_version WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let limit = limit.clamp(1, PAGE_ROWS_MAX);
    let rows: Vec<PackRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}
