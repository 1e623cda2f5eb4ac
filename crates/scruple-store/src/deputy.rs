//! Rows of deputies. Whether one stands in is judged by the clock of whoever asks, and never by a job.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Deputy, DeputyAs, DeputyState, Person, Window};
use uuid::Uuid;

row! { struct DeputyRow {
    id: Uuid, principal: Uuid, deputy: Uuid, capacity: String, starts_at: i64, ends_at: i64, named_at: i64,
    accepted_at: Option<i64>, ended_by: Option<Uuid>, ended_at: Option<i64>, version: i64,
} }

impl TryFrom<DeputyRow> for Deputy {
    type Error = StoreError;

    fn try_from(row: DeputyRow) -> Result<Self, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "deputy", column, id: row.id };
        let accepted = row.accepted_at.map(Timestamp::from_micros);
        let state = match (row.ended_by, row.ended_at, accepted) {
            (None, None, None) => DeputyState::Named,
            (None, None, Some(at)) => DeputyState::Accepted { at },
            (Some(by), Some(at), accepted) => {
                DeputyState::Ended { by: Id::from_uuid(by), at: Timestamp::from_micros(at), accepted }
            }
            _ => return Err(inconsistent("ended_at")),
        };
        // relies on (grant-window)
        let window = Window::new(Timestamp::from_micros(row.starts_at), Timestamp::from_micros(row.ends_at));
        Ok(Self {
            id: Id::from_uuid(row.id),
            principal: Id::from_uuid(row.principal),
            deputy: Id::from_uuid(row.deputy),
            capacity: DeputyAs::of(&row.capacity).ok_or_else(|| inconsistent("capacity"))?,
            window: window.map_err(|_| inconsistent("ends_at"))?,
            named_at: Timestamp::from_micros(row.named_at),
            state,
            version: row.version,
        })
    }
}

/// Stores a deputy who was named, at version 1.
///
/// # Errors
/// [`StoreError::Refused`]: it is in another state. [`StoreError::Conflict`]: the id is taken.
pub async fn insert_deputy(tx: &mut Tx, deputy: &Deputy) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO deputy (id, principal, deputy, capacity, starts_at, ends_at, named_at, accepted_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let accepted = if let DeputyState::Accepted { at } = deputy.state { Some(at) } else { None };
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(deputy.id.uuid())
            .bind(deputy.principal.uuid())
            .bind(deputy.deputy.uuid())
            .bind(deputy.capacity.code())
            .bind(deputy.window.starts_at().micros())
            .bind(deputy.window.ends_at().micros())
            .bind(deputy.named_at.micros())
            .bind(accepted.map(Timestamp::micros))
            .bind(deputy.version)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores what has become of a deputy: accepted, or ended.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it go
/// this way.
pub async fn update_deputy(tx: &mut Tx, deputy: &Deputy, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE deputy SET accepted_at = $3, ended_by = $4, ended_at = $5, version = version + 1
                       WHERE id = $1 AND version = $2 AND ended_at IS NULL";
    let (accepted, ended) = match deputy.state {
        DeputyState::Named => (None, None),
        DeputyState::Accepted { at } => (Some(at), None),
        DeputyState::Ended { by, at, accepted } => (accepted, Some((by, at))),
    };
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(deputy.id.uuid())
            .bind(version)
            .bind(accepted.map(Timestamp::micros))
            .bind(ended.map(|(by, _)| by.uuid()))
            .bind(ended.map(|(_, at)| at.micros()))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("deputy", changed, 1)
}

/// Ends whatever somebody who leaves was named for and had named, and answers with it as it then is: it does not wait for him to come
/// back.
///
/// # Errors
/// The database failed, or a row is inconsistent.
// relies on (deputy-in-force)
pub async fn end_deputies_of(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<Vec<Deputy>, StoreError> {
    const SQL: &str = "UPDATE deputy SET ended_by = $1, ended_at = $2, version = version + 1
                       WHERE (principal = $1 OR deputy = $1) AND ended_at IS NULL AND ends_at > $2
                       RETURNING id, principal, deputy, capacity, starts_at, ends_at, named_at, accepted_at, ended_by,
                                 ended_at, version";
    let rows: Vec<DeputyRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).bind(at.micros()).fetch_all(conn).await?);
    let mut ended = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<Deputy>, _>>()?;
    ended.sort_by_key(|one| one.id);
    Ok(ended)
}

/// Finds a deputy by id.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_deputy(tx: &mut Tx, id: Id<Deputy>) -> Result<Option<Deputy>, StoreError> {
    const SQL: &str =
        "SELECT id, principal, deputy, capacity, starts_at, ends_at, named_at, accepted_at, ended_by, ended_at,
                              version
                       FROM deputy WHERE id = $1";
    let row: Option<DeputyRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// Those whom a person has named and those for whom he stands in, what is over included, the newest first, at most
/// [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_deputies_of(
    tx: &mut Tx,
    person: Id<Person>,
    before: Option<Id<Deputy>>,
) -> Result<Vec<Deputy>, StoreError> {
    const SQL: &str =
        "SELECT id, principal, deputy, capacity, starts_at, ends_at, named_at, accepted_at, ended_by, ended_at,
                              version
                       FROM deputy WHERE (principal = $1 OR deputy = $1) AND id < $2 ORDER BY id DESC LIMIT $3";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<DeputyRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Those for whom a person stands in at an instant, as what; at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
// relies on (deputy-in-force)
pub async fn deputies_in_force(
    tx: &mut Tx,
    (person, capacity): (Id<Person>, DeputyAs),
    now: Timestamp,
) -> Result<Vec<Deputy>, StoreError> {
    const SQL: &str = "SELECT id, principal, deputy, capacity, starts_at, ends_at, named_at, accepted_at, ended_by, ended_at,
                              version
                       FROM deputy
                       WHERE deputy = $1 AND capacity = $2 AND starts_at <= $3 AND ends_at > $3 AND accepted_at IS NOT NULL
                         AND ended_at IS NULL
                       ORDER BY id LIMIT $4";
    let rows: Vec<DeputyRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(person.uuid())
            .bind(capacity.code())
            .bind(now.micros())
            .bind(PAGE_ROWS_MAX)
            .fetch_all(conn)
            .await?
    });
    rows.into_iter().map(TryInto::try_into).collect()
}
