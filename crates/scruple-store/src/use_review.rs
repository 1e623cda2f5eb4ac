//! Rows of comparisons of what was used with what was asked for, one for each elevation that is over and named kinds of information.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Elevation, KindCode, UseFinding, UseReview, UseState};
use std::collections::BTreeSet;
use uuid::Uuid;

pub(crate) const COMMENT: &str = "use_review.comment";

row! { struct UseRow {
    id: Uuid, elevation: Uuid, reader: Uuid, beside: String, unused: i64, compared_at: i64, state: String,
    closed_by: Option<Uuid>, closed_at: Option<i64>, comment_sealed: Option<Vec<u8>>, version: i64,
} }

impl UseRow {
    fn into_review(self, tx: &Tx) -> Result<UseReview, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "use_review", column, id };
        let beside = self.beside.split_ascii_whitespace().map(str::parse::<KindCode>);
        let beside: Result<BTreeSet<KindCode>, _> = beside.collect();
        let comment = self.comment_sealed.map(|sealed| tx.open_text(COMMENT, id, &sealed)).transpose()?;
        let closed = (self.closed_by, self.closed_at, comment);
        let state = match (self.state.as_str(), UseFinding::of(&self.state), closed) {
            ("matched", None, (None, None, None)) => UseState::Matched,
            ("open", None, (None, None, None)) => UseState::Open,
            (_, Some(finding), (Some(by), Some(at), Some(comment))) => {
                UseState::Closed { finding, by: Id::from_uuid(by), at: Timestamp::from_micros(at), comment }
            }
            _ => return Err(inconsistent("state")),
        };
        Ok(UseReview {
            id: Id::from_uuid(id),
            elevation: Id::from_uuid(self.elevation),
            reader: Id::from_uuid(self.reader),
            beside: beside.map_err(|_| inconsistent("beside"))?,
            unused: self.unused == 1,
            compared_at: Timestamp::from_micros(self.compared_at),
            state,
            version: self.version,
        })
    }
}

/// Stores a comparison, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: the elevation was compared already. [`StoreError::Refused`]: it is not this reader's, or is of all that
/// his role has.
pub async fn insert_use_review(tx: &mut Tx, review: &UseReview) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO use_review (id, elevation, reader, beside, unused, compared_at, state, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1)";
    let beside: Vec<&str> = review.beside.iter().map(KindCode::as_str).collect();
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(review.id.uuid())
            .bind(review.elevation.uuid())
            .bind(review.reader.uuid())
            .bind(beside.join(" "))
            .bind(i64::from(review.unused))
            .bind(review.compared_at.micros())
            .bind(review.state.code())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores that somebody has closed a difference.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else was first, or it is not closed. [`StoreError::Refused`]: the table does not let it go
/// this way.
pub async fn close_use_review(tx: &mut Tx, review: &UseReview, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE use_review
                       SET state = $3, closed_by = $4, closed_at = $5, comment_sealed = $6, version = version + 1
                       WHERE id = $1 AND version = $2 AND state = 'open'";
    let id = review.id.uuid();
    let UseState::Closed { finding, by, at, comment } = &review.state else {
        return expect_rows("use_review", 0, 1);
    };
    let comment = tx.seal(COMMENT, id, comment.expose().as_bytes())?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(finding.code())
            .bind(by.uuid())
            .bind(at.micros())
            .bind(comment)
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("use_review", changed, 1)
}

/// Finds a comparison by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_use_review(tx: &mut Tx, id: Id<UseReview>) -> Result<Option<UseReview>, StoreError> {
    const SQL: &str =
        "SELECT id, elevation, reader, beside, unused, compared_at, state, closed_by, closed_at, comment_sealed,
                              version
                       FROM use_review WHERE id = $1";
    let row: Option<UseRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_review(tx)).transpose()
}

/// The differences that nobody has closed, the oldest first, one page of at most [`PAGE_ROWS_MAX`] behind one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_use_reviews(tx: &mut Tx, after: Option<Id<UseReview>>) -> Result<Vec<UseReview>, StoreError> {
    const SQL: &str =
        "SELECT id, elevation, reader, beside, unused, compared_at, state, closed_by, closed_at, comment_sealed,
                              version
                       FROM use_review WHERE state = 'open' AND id > $1 ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<UseRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_review(tx)).collect()
}

/// The elevations that named kinds of information, were over at an instant, and were not compared; the oldest first, at most
/// [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed.
pub async fn list_uncompared(tx: &mut Tx, over_at: Timestamp) -> Result<Vec<Id<Elevation>>, StoreError> {
    const SQL: &str = "SELECT id FROM elevation
                       WHERE kinds <> '*' AND (ends_at <= $1 OR ended_at <= $1)
                         AND NOT EXISTS (SELECT 1 FROM use_review WHERE use_review.elevation = elevation.id)
                       ORDER BY id LIMIT $2";
    let rows: Vec<(Uuid,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(over_at.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
}

/// The comparison of an elevation, if there is one.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_use_review_of(tx: &mut Tx, elevation: Id<Elevation>) -> Result<Option<UseReview>, StoreError> {
    const SQL: &str =
        "SELECT id, elevation, reader, beside, unused, compared_at, state, closed_by, closed_at, comment_sealed,
                              version
                       FROM use_review WHERE elevation = $1";
    let row: Option<UseRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(elevation.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_review(tx)).transpose()
}
