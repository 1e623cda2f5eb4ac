//! Rows of reviews of the mappings of roles.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, PackHash, Timestamp};
use scruple_flow::{MappingCause, MappingDecision, MappingReview, MappingVerdict, RoleCode};
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) const COMMENT: &str = "mapping_review.comment";

/// A review to be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMappingReview {
    /// Its id.
    pub id: Id<MappingReview>,
    /// The role.
    pub role: RoleCode,
    /// The policy whose mapping is looked at; its content is stored.
    pub pack: PackHash,
    /// Why.
    pub cause: MappingCause,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when it is to be closed.
    pub due_at: Timestamp,
}

row! { struct MappingRow {
    id: Uuid, role: String, pack: Vec<u8>, cause: String, opened_at: i64, due_at: i64, closed_by: Option<Uuid>,
    closed_at: Option<i64>, decisions: Option<String>, comment_sealed: Option<Vec<u8>>, version: i64,
} }

impl MappingRow {
    fn into_review(self, tx: &Tx) -> Result<MappingReview, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "mapping_review", column, id };
        let comment = self.comment_sealed.map(|sealed| tx.open_text(COMMENT, id, &sealed)).transpose()?;
        let verdict = match (self.closed_by, self.closed_at, self.decisions, comment) {
            (None, None, None, None) => None,
            (Some(by), Some(at), Some(decisions), Some(comment)) => Some(MappingVerdict {
                by: Id::from_uuid(by),
                at: Timestamp::from_micros(at),
                decisions: parse(&decisions).ok_or_else(|| inconsistent("decisions"))?,
                comment,
            }),
            _ => return Err(inconsistent("closed_at")),
        };
        Ok(MappingReview {
            id: Id::from_uuid(id),
            role: self.role.parse().map_err(|_| inconsistent("role"))?,
            pack: PackHash(self.pack.as_slice().try_into().map_err(|_| inconsistent("pack"))?),
            cause: MappingCause::of(&self.cause).ok_or_else(|| inconsistent("cause"))?,
            opened_at: Timestamp::from_micros(self.opened_at),
            due_at: Timestamp::from_micros(self.due_at),
            verdict,
            version: self.version,
        })
    }
}

/// `claims=keep labs=remove`.
fn parse(text: &str) -> Option<BTreeMap<String, MappingDecision>> {
    let one = |pair: &str| {
        let (kind, decision) = pair.split_once('=')?;
        Some((kind.to_owned(), MappingDecision::of(decision)?))
    };
    text.split_whitespace().map(one).collect()
}

fn written(decisions: &BTreeMap<String, MappingDecision>) -> String {
    decisions.iter().map(|(kind, decision)| format!("{kind}={}", decision.code())).collect::<Vec<_>>().join(" ")
}

/// Opens a review, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: one of this role is open. [`StoreError::Refused`]: the pack is not stored.
pub async fn insert_mapping_review(tx: &mut Tx, new: &NewMappingReview) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO mapping_review (id, role, pack, cause, opened_at, due_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(new.id.uuid())
            .bind(new.role.as_str())
            .bind(new.pack.0.as_slice())
            .bind(new.cause.code())
            .bind(new.opened_at.micros())
            .bind(new.due_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores how a review ended.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has closed it, or it is open.
pub async fn close_mapping_review(tx: &mut Tx, review: &MappingReview, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE mapping_review
                       SET closed_by = $3, closed_at = $4, decisions = $5, comment_sealed = $6, version = version + 1
                       WHERE id = $1 AND version = $2 AND closed_at IS NULL";
    let id = review.id.uuid();
    let Some(verdict) = &review.verdict else { return expect_rows("mapping_review", 0, 1) };
    let comment = tx.seal(COMMENT, id, verdict.comment.expose().as_bytes())?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(verdict.by.uuid())
            .bind(verdict.at.micros())
            .bind(written(&verdict.decisions))
            .bind(comment)
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("mapping_review", changed, 1)
}

/// Finds a review by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_mapping_review(tx: &mut Tx, id: Id<MappingReview>) -> Result<Option<MappingReview>, StoreError> {
    const SQL: &str =
        "SELECT id, role, pack, cause, opened_at, due_at, closed_by, closed_at, decisions, comment_sealed, version
                       FROM mapping_review WHERE id = $1";
    let row: Option<MappingRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_review(tx)).transpose()
}

/// The reviews that nobody has closed, what is due first before what is due later, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_mapping_reviews(tx: &mut Tx) -> Result<Vec<MappingReview>, StoreError> {
    const SQL: &str =
        "SELECT id, role, pack, cause, opened_at, due_at, closed_by, closed_at, decisions, comment_sealed, version
                       FROM mapping_review WHERE closed_at IS NULL ORDER BY due_at, id LIMIT $1";
    let rows: Vec<MappingRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_review(tx)).collect()
}

row! { struct LastRow { role: String, closed_at: i64 } }

/// When the mapping of each role was last reviewed, by role.
///
/// # Errors
/// The database failed.
pub async fn last_mapping_reviews(tx: &mut Tx) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    const SQL: &str = "SELECT role, MAX(closed_at) AS closed_at FROM mapping_review
                       WHERE closed_at IS NOT NULL GROUP BY role ORDER BY role";
    let rows: Vec<LastRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|row| (row.role, Timestamp::from_micros(row.closed_at))).collect())
}
