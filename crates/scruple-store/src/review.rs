//! Rows of reviews of emergency access.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{EmergencyReview, Finding, Person, ReaderAsked, ReviewState, Verdict};
use uuid::Uuid;

pub(crate) const ACCOUNT: &str = "emergency_review.account";
pub(crate) const QUESTION: &str = "emergency_review.question";
pub(crate) const RATIONALE: &str = "emergency_review.rationale";

/// A review to be stored before its elevation: neither can be there without the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewReview {
    /// Its id.
    pub id: Id<EmergencyReview>,
    /// Whose access is reviewed.
    pub reader: Id<Person>,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when it is to be closed.
    pub due_at: Timestamp,
}

row! { struct ReviewRow {
    id: Uuid, elevation: Uuid, reader: Uuid, opened_at: i64, due_at: i64, account_sealed: Option<Vec<u8>>, state: String,
    moved_by: Option<Uuid>, moved_at: Option<i64>, rationale_sealed: Option<Vec<u8>>,
    question_sealed: Option<Vec<u8>>, asked_by: Option<Uuid>, asked_at: Option<i64>, answered_at: Option<i64>, version: i64,
} }

impl ReviewRow {
    fn into_review(self, tx: &Tx) -> Result<EmergencyReview, StoreError> {
        let id = self.id;
        let by = self.moved_by.map(Id::from_uuid);
        let at = self.moved_at.map(Timestamp::from_micros);
        let rationale = self.rationale_sealed.map(|sealed| tx.open_text(RATIONALE, id, &sealed)).transpose()?;
        let state = match (self.state.as_str(), by, at, rationale) {
            ("open", None, None, None) => Some(ReviewState::Open),
            ("asked", Some(by), Some(at), None) => Some(ReviewState::Asked { by, at }),
            (code, Some(by), Some(at), Some(rationale)) => {
                Finding::of(code).map(|finding| ReviewState::Closed(Verdict { finding, by, at, rationale }))
            }
            _ => None,
        };
        let words = self.question_sealed.map(|sealed| tx.open_text(QUESTION, id, &sealed)).transpose()?;
        let answered_at = self.answered_at.map(Timestamp::from_micros);
        let asked = match (words, self.asked_by.map(Id::from_uuid), self.asked_at.map(Timestamp::from_micros)) {
            (Some(words), Some(by), Some(at)) => Some(ReaderAsked { by, at, words, answered_at }),
            (None, None, None) => None,
            _ => return Err(StoreError::Inconsistent { table: "emergency_review", column: "asked_at", id }),
        };
        Ok(EmergencyReview {
            id: Id::from_uuid(id),
            elevation: Id::from_uuid(self.elevation),
            reader: Id::from_uuid(self.reader),
            opened_at: Timestamp::from_micros(self.opened_at),
            due_at: Timestamp::from_micros(self.due_at),
            account: self.account_sealed.map(|sealed| tx.open_text(ACCOUNT, id, &sealed)).transpose()?,
            asked,
            state: state.ok_or(StoreError::Inconsistent { table: "emergency_review", column: "state", id })?,
            version: self.version,
        })
    }
}

/// Stores a review, at version 1 and open.
///
/// # Errors
/// [`StoreError::Conflict`]: there is one with this id.
pub async fn insert_review(tx: &mut Tx, review: &NewReview) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO emergency_review (id, reader, opened_at, due_at, state, version)
                       VALUES ($1, $2, $3, $4, 'open', 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(review.id.uuid())
            .bind(review.reader.uuid())
            .bind(review.opened_at.micros())
            .bind(review.due_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores what has become of a review.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it
/// go this way.
pub async fn update_review(tx: &mut Tx, review: &EmergencyReview, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE emergency_review
                       SET account_sealed = $3, state = $4, moved_by = $5, moved_at = $6, rationale_sealed = $7,
                           question_sealed = $8, asked_by = $9, asked_at = $10, answered_at = $11, version = version + 1
                       WHERE id = $1 AND version = $2";
    let id = review.id.uuid();
    let account = review.account.as_ref().map(|text| tx.seal(ACCOUNT, id, text.expose().as_bytes())).transpose()?;
    let (by, at, rationale) = match &review.state {
        ReviewState::Open => (None, None, None),
        ReviewState::Asked { by, at } => (Some(*by), Some(*at), None),
        ReviewState::Closed(verdict) => (Some(verdict.by), Some(verdict.at), Some(&verdict.rationale)),
    };
    let rationale = rationale.map(|text| tx.seal(RATIONALE, id, text.expose().as_bytes())).transpose()?;
    let asked = review.asked.as_ref();
    let question = asked.map(|asked| tx.seal(QUESTION, id, asked.words.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(account)
            .bind(review.state.code())
            .bind(by.map(Id::uuid))
            .bind(at.map(Timestamp::micros))
            .bind(rationale)
            .bind(question)
            .bind(asked.map(|asked| asked.by.uuid()))
            .bind(asked.map(|asked| asked.at.micros()))
            .bind(asked.and_then(|asked| asked.answered_at).map(Timestamp::micros))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("emergency_review", changed, 1)
}

/// Finds a review by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_review(tx: &mut Tx, id: Id<EmergencyReview>) -> Result<Option<EmergencyReview>, StoreError> {
    const SQL: &str =
        "SELECT emergency_review.id, elevation.id AS elevation, reader, opened_at, due_at, account_sealed, state,
                              moved_by, moved_at, rationale_sealed, question_sealed, asked_by, asked_at, answered_at,
                              emergency_review.version
                       FROM emergency_review JOIN elevation ON elevation.review = emergency_review.id
                       WHERE emergency_review.id = $1";
    let row: Option<ReviewRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_review(tx)).transpose()
}

/// The reviews that nobody has closed, what is due first before what is due later, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_reviews(tx: &mut Tx) -> Result<Vec<EmergencyReview>, StoreError> {
    const SQL: &str =
        "SELECT emergency_review.id, elevation.id AS elevation, reader, opened_at, due_at, account_sealed, state,
                              moved_by, moved_at, rationale_sealed, question_sealed, asked_by, asked_at, answered_at,
                              emergency_review.version
                       FROM emergency_review JOIN elevation ON elevation.review = emergency_review.id
                       WHERE state IN ('open', 'asked') ORDER BY due_at, emergency_review.id LIMIT $1";
    let rows: Vec<ReviewRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_review(tx)).collect()
}

/// The reviews of one reader that nobody has closed, what is due first before what is due later, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_reviews_of(tx: &mut Tx, reader: Id<Person>) -> Result<Vec<EmergencyReview>, StoreError> {
    const SQL: &str =
        "SELECT emergency_review.id, elevation.id AS elevation, reader, opened_at, due_at, account_sealed, state,
                              moved_by, moved_at, rationale_sealed, question_sealed, asked_by, asked_at, answered_at,
                              emergency_review.version
                       FROM emergency_review JOIN elevation ON elevation.review = emergency_review.id
                       WHERE reader = $1 AND state IN ('open', 'asked')
                       ORDER BY due_at, emergency_review.id LIMIT $2";
    let rows: Vec<ReviewRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(reader.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_review(tx)).collect()
}

/// The reviews that were closed before a moment, the last one first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_closed_reviews(tx: &mut Tx, before: Timestamp) -> Result<Vec<EmergencyReview>, StoreError> {
    const SQL: &str =
        "SELECT emergency_review.id, elevation.id AS elevation, reader, opened_at, due_at, account_sealed, state,
                              moved_by, moved_at, rationale_sealed, question_sealed, asked_by, asked_at, answered_at,
                              emergency_review.version
                       FROM emergency_review JOIN elevation ON elevation.review = emergency_review.id
                       WHERE state NOT IN ('open', 'asked') AND moved_at < $1
                       ORDER BY moved_at DESC, emergency_review.id DESC LIMIT $2";
    let rows: Vec<ReviewRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(before.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_review(tx)).collect()
}

/// The same, one page behind a review, by when it is due and its id.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_reviews_after(
    tx: &mut Tx,
    after: Option<(Timestamp, Id<EmergencyReview>)>,
) -> Result<Vec<EmergencyReview>, StoreError> {
    const SQL: &str =
        "SELECT emergency_review.id, elevation.id AS elevation, reader, opened_at, due_at, account_sealed, state,
                              moved_by, moved_at, rationale_sealed, question_sealed, asked_by, asked_at, answered_at,
                              emergency_review.version
                       FROM emergency_review JOIN elevation ON elevation.review = emergency_review.id
                       WHERE state IN ('open', 'asked')
                         AND (due_at > $1 OR (due_at = $1 AND emergency_review.id > $2))
                       ORDER BY due_at, emergency_review.id LIMIT $3";
    let (due, id) = after.map_or((i64::MIN, Uuid::nil()), |(due, id)| (due.micros(), id.uuid()));
    let rows: Vec<ReviewRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(due).bind(id).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_review(tx)).collect()
}
