//! Versions of the policy pack and their content. At most one is active; which one was, is told for any instant.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, PackHash, Phi, Timestamp};
use scruple_flow::{PackApproval, PackCase, PackOrigin, PackState, PackTerm, PackVersion};
use uuid::Uuid;

pub(crate) const FILES: &str = "pack_content.files";
pub(crate) const RATIONALE: &str = "pack_version.rationale";
pub(crate) const COMMENT: &str = "pack_version.comment";

/// The content of a pack; a mark for its id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackContent;

/// A version to be stored.
#[derive(Clone, Debug)]
pub struct NewPackVersion<'a> {
    /// Its id.
    pub id: Id<PackVersion>,
    /// Hash of its files, which are stored.
    pub hash: PackHash,
    /// Version of the engine.
    pub engine: &'a str,
    /// Where it comes from: somebody's begins as a draft, all else is active at once.
    pub origin: PackOrigin,
    /// The criteria of its roles: text, no PHI.
    pub criteria: &'a str,
    /// Why it is to replace the one before.
    pub rationale: Phi<String>,
    /// When.
    pub at: Timestamp,
}

row! { struct PackRow {
    id: Uuid, hash: Vec<u8>, engine: String, state: String, origin: String, criteria: String, rationale_sealed: Vec<u8>,
    drafted_by: Option<Uuid>, drafted_at: i64, checked_at: Option<i64>, proposed_at: Option<i64>, base: Option<Vec<u8>>,
    changed: Option<String>, replay: Option<String>, decided_by: Option<Uuid>, decided_at: Option<i64>,
    comment_sealed: Option<Vec<u8>>, activated_by: Option<Uuid>, activated_at: Option<i64>, ended_at: Option<i64>,
    version: i64,
} }

row! { struct ContentRow { id: Uuid, files_sealed: Vec<u8> } }

row! { struct HashRow { hash: Vec<u8> } }

fn hash_of(bytes: &[u8], id: Uuid) -> Result<PackHash, StoreError> {
    let hash = bytes.try_into().map_err(|_| StoreError::Inconsistent { table: "pack_version", column: "hash", id })?;
    Ok(PackHash(hash))
}

impl PackRow {
    fn case(&self) -> Result<Option<PackCase>, StoreError> {
        let (Some(at), Some(changed), Some(replay)) = (self.proposed_at, &self.changed, &self.replay) else {
            return Ok(None);
        };
        Ok(Some(PackCase {
            base: self.base.as_deref().map(|base| hash_of(base, self.id)).transpose()?,
            changed: changed.split_whitespace().map(str::to_owned).collect(),
            replay: replay.clone(),
            at: Timestamp::from_micros(at),
        }))
    }

    fn approval(&self) -> Option<PackApproval> {
        let (by, at) = (self.decided_by?, self.decided_at?);
        Some(PackApproval { by: Id::from_uuid(by), at: Timestamp::from_micros(at) })
    }

    fn into_version(self, tx: &Tx) -> Result<PackVersion, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "pack_version", column, id };
        let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let origin = match (self.origin.as_str(), self.drafted_by) {
            ("shipped", None) => PackOrigin::Shipped,
            ("folder", None) => PackOrigin::Folder,
            ("person", Some(by)) => PackOrigin::Person(Id::from_uuid(by)),
            _ => return Err(inconsistent("origin")),
        };
        // relies on (two-people)
        if self.decided_by.is_some() && self.decided_by == self.drafted_by {
            return Err(inconsistent("decided_by"));
        }
        let (case, approval) = (self.case()?, self.approval());
        let is_of_person = matches!(origin, PackOrigin::Person(_));
        let comment = self.comment_sealed.as_ref().map(|sealed| tx.open_text(COMMENT, id, sealed)).transpose()?;
        let term = time(self.activated_at).map(|since| PackTerm {
            decided: case.clone().zip(approval),
            by: self.activated_by.map(Id::from_uuid),
            since,
        });
        let term = term.filter(|term| !is_of_person || term.decided.is_some() && term.by.is_some());
        let state =
            match (self.state.as_str(), time(self.checked_at), case, approval, comment, term, time(self.ended_at)) {
                ("draft", None, None, None, None, None, None) => PackState::Draft,
                ("checked", Some(at), None, None, None, None, None) => PackState::Checked { at },
                ("proposed", Some(_), Some(case), None, None, None, None) => PackState::Proposed(case),
                ("approved", Some(_), Some(case), Some(by), None, None, None) => PackState::Approved(case, by),
                ("refused", Some(_), Some(case), Some(by), Some(comment), None, None) => {
                    PackState::Refused { case, by, comment }
                }
                ("withdrawn", _, _, _, None, None, Some(at)) => PackState::Withdrawn { at },
                ("active", Some(_), _, _, None, Some(term), None) => PackState::Active(term),
                ("superseded", Some(_), _, _, None, Some(term), Some(until)) => PackState::Superseded { term, until },
                _ => return Err(inconsistent("state")),
            };
        Ok(PackVersion {
            id: Id::from_uuid(id),
            hash: hash_of(&self.hash, id)?,
            engine: self.engine,
            origin,
            criteria: self.criteria,
            rationale: tx.open_text(RATIONALE, id, &self.rationale_sealed)?,
            drafted_at: Timestamp::from_micros(self.drafted_at),
            checked_at: time(self.checked_at),
            state,
            version: self.version,
        })
    }
}

/// Stores the content of a pack under its hash, unless it is there.
///
/// # Errors
/// The database failed, or the content cannot be sealed.
pub async fn keep_pack_content(
    tx: &mut Tx,
    id: Id<PackContent>,
    hash: PackHash,
    files: &[u8],
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO pack_content (id, hash, files_sealed, stored_at) VALUES ($1, $2, $3, $4)";
    if has_pack_content(tx, hash).await? {
        return Ok(());
    }
    let sealed = tx.seal(FILES, id.uuid(), files)?;
    on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(id.uuid()).bind(hash.0.as_slice()).bind(sealed).bind(at.micros());
        query.execute(conn).await?;
    });
    Ok(())
}

/// Whether the content of a pack is stored.
///
/// # Errors
/// The database failed.
pub async fn has_pack_content(tx: &mut Tx, hash: PackHash) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT hash FROM pack_content WHERE hash = $1";
    let row: Option<HashRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(hash.0.as_slice()).fetch_optional(conn).await?);
    Ok(row.is_some_and(|row| row.hash == hash.0))
}

/// The content of a pack.
///
/// # Errors
/// The database failed, or the content does not open.
pub async fn find_pack_content(tx: &mut Tx, hash: PackHash) -> Result<Option<Vec<u8>>, StoreError> {
    const SQL: &str = "SELECT id, files_sealed FROM pack_content WHERE hash = $1";
    let row: Option<ContentRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(hash.0.as_slice()).fetch_optional(conn).await?);
    row.map(|row| tx.open(FILES, row.id, &row.files_sealed).map(Phi::into_inner)).transpose()
}

/// Stores a version, at version 1 of its row.
///
/// # Errors
/// [`StoreError::Conflict`]: one with this id exists, or another is active. [`StoreError::Refused`]: its content or who drafted
/// it is not there.
pub async fn insert_pack(tx: &mut Tx, new: &NewPackVersion<'_>) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO pack_version
                           (id, hash, engine, state, origin, criteria, rationale_sealed, drafted_by, drafted_at, checked_at,
                            activated_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 1)";
    let id = new.id.uuid();
    let rationale = tx.seal(RATIONALE, id, new.rationale.expose().as_bytes())?;
    let (state, by, found) = match new.origin {
        PackOrigin::Person(by) => ("draft", Some(by.uuid()), None),
        PackOrigin::Shipped | PackOrigin::Folder => ("active", None, Some(new.at.micros())),
    };
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(new.hash.0.as_slice())
            .bind(new.engine)
            .bind(state)
            .bind(new.origin.code())
            .bind(new.criteria)
            .bind(rationale)
            .bind(by)
            .bind(new.at.micros())
            .bind(found)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What the columns of a state hold.
#[derive(Default)]
struct Columns<'a> {
    case: Option<&'a PackCase>,
    decided: Option<PackApproval>,
    comment: Option<&'a Phi<String>>,
    term: Option<&'a PackTerm>,
    ended: Option<Timestamp>,
}

fn columns(state: &PackState) -> Columns<'_> {
    let of_term = |term: &'_ PackTerm| term.decided.as_ref().map(|(_, approval)| *approval);
    match state {
        PackState::Draft | PackState::Checked { .. } => Columns::default(),
        PackState::Proposed(case) => Columns { case: Some(case), ..Columns::default() },
        PackState::Approved(case, by) => Columns { case: Some(case), decided: Some(*by), ..Columns::default() },
        PackState::Refused { case, by, comment } => {
            Columns { case: Some(case), decided: Some(*by), comment: Some(comment), ..Columns::default() }
        }
        PackState::Withdrawn { at } => Columns { ended: Some(*at), ..Columns::default() },
        PackState::Active(term) => Columns {
            case: term.decided.as_ref().map(|(case, _)| case),
            decided: of_term(term),
            term: Some(term),
            ..Columns::default()
        },
        PackState::Superseded { term, until } => Columns {
            case: term.decided.as_ref().map(|(case, _)| case),
            decided: of_term(term),
            term: Some(term),
            ended: Some(*until),
            ..Columns::default()
        },
    }
}

/// Stores what has become of a version. What was decided stays: a state that does not tell of it leaves it as it is.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it
/// go this way. [`StoreError::Conflict`]: another one is active.
pub async fn update_pack(tx: &mut Tx, pack: &PackVersion, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE pack_version
                       SET state = $3, rationale_sealed = COALESCE($4, rationale_sealed),
                           checked_at = COALESCE($5, checked_at), proposed_at = COALESCE($6, proposed_at),
                           base = COALESCE($7, base), changed = COALESCE($8, changed), replay = COALESCE($9, replay),
                           decided_by = COALESCE($10, decided_by), decided_at = COALESCE($11, decided_at),
                           comment_sealed = COALESCE($12, comment_sealed), activated_by = COALESCE($13, activated_by),
                           activated_at = COALESCE($14, activated_at), ended_at = $15, version = version + 1
                       WHERE id = $1 AND version = $2";
    let id = pack.id.uuid();
    let Columns { case, decided, comment, term, ended } = columns(&pack.state);
    let is_proposed = matches!(pack.state, PackState::Proposed(_));
    let rationale = is_proposed.then(|| tx.seal(RATIONALE, id, pack.rationale.expose().as_bytes())).transpose()?;
    let comment = comment.map(|text| tx.seal(COMMENT, id, text.expose().as_bytes())).transpose()?;
    let changed_roles = case.map(|case| case.changed.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(pack.state.code())
            .bind(rationale)
            .bind(pack.checked_at.map(Timestamp::micros))
            .bind(case.map(|case| case.at.micros()))
            .bind(case.and_then(|case| case.base).map(|base| base.0.to_vec()))
            .bind(changed_roles)
            .bind(case.map(|case| case.replay.as_str()))
            .bind(decided.map(|by| by.by.uuid()))
            .bind(decided.map(|by| by.at.micros()))
            .bind(comment)
            .bind(term.and_then(|term| term.by).map(Id::uuid))
            .bind(term.map(|term| term.since.micros()))
            .bind(ended.map(Timestamp::micros))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("pack_version", changed, 1)
}

/// Finds a version by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_pack(tx: &mut Tx, id: Id<PackVersion>) -> Result<Option<PackVersion>, StoreError> {
    const SQL: &str =
        "SELECT id, hash, engine, state, origin, criteria, rationale_sealed, drafted_by, drafted_at, checked_at,
                              proposed_at, base, changed, replay, decided_by, decided_at, comment_sealed, activated_by,
                              activated_at, ended_at, version
                       FROM pack_version WHERE id = $1";
    let row: Option<PackRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_version(tx)).transpose()
}

/// The hash of the active pack: what every node asks four times a second.
///
/// # Errors
/// The database failed.
pub async fn active_pack_hash(tx: &mut Tx) -> Result<Option<PackHash>, StoreError> {
    const SQL: &str = "SELECT hash FROM pack_version WHERE state = 'active'";
    let row: Option<HashRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_optional(conn).await?);
    row.map(|row| hash_of(&row.hash, Uuid::nil())).transpose()
}

/// The version by which decisions were made at an instant; for the present, the active one.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn active_pack_as_of(tx: &mut Tx, at: Timestamp) -> Result<Option<PackVersion>, StoreError> {
    const SQL: &str =
        "SELECT id, hash, engine, state, origin, criteria, rationale_sealed, drafted_by, drafted_at, checked_at,
                              proposed_at, base, changed, replay, decided_by, decided_at, comment_sealed, activated_by,
                              activated_at, ended_at, version
                       FROM pack_version WHERE activated_at <= $1 AND (ended_at IS NULL OR ended_at > $1)
                       ORDER BY activated_at DESC, id DESC LIMIT 1";
    let row: Option<PackRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(at.micros()).fetch_optional(conn).await?);
    row.map(|row| row.into_version(tx)).transpose()
}

/// Versions, oldest first, one page of at most [`PAGE_ROWS_MAX`] after a version.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_packs(
    tx: &mut Tx,
    after: Option<Id<PackVersion>>,
    limit: i64,
) -> Result<Vec<PackVersion>, StoreError> {
    const SQL: &str =
        "SELECT id, hash, engine, state, origin, criteria, rationale_sealed, drafted_by, drafted_at, checked_at,
                              proposed_at, base, changed, replay, decided_by, decided_at, comment_sealed, activated_by,
                              activated_at, ended_at, version
                       FROM pack_version WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let limit = limit.clamp(1, PAGE_ROWS_MAX);
    let rows: Vec<PackRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_version(tx)).collect()
}
