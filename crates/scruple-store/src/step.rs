//! Rows of steps that people have taken: each stays, and the last one of a step counts.

use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::Person;
use scruple_flow::step::StepDone;
use std::collections::BTreeMap;

/// Writes down that a person has taken a step.
///
/// # Errors
/// [`StoreError::Conflict`]: it is written down already. [`StoreError::Refused`]: it is told by who may not, or lies ahead.
pub async fn insert_step(tx: &mut Tx, done: &StepDone) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO step_done (id, person, step, kind, done_at, by_person, noted_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(done.id.uuid())
            .bind(done.person.uuid())
            .bind(done.step.as_str())
            .bind(done.kind.as_str())
            .bind(done.done_at.micros())
            .bind(done.by.uuid())
            .bind(done.noted_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// When a person has last taken each step.
///
/// # Errors
/// The database failed, or there are more steps than [`PAGE_ROWS_MAX`].
pub async fn steps_of(tx: &mut Tx, person: Id<Person>) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    const SQL: &str = "SELECT step, MAX(done_at) FROM step_done WHERE person = $1 GROUP BY step ORDER BY step LIMIT $2";
    let limit = PAGE_ROWS_MAX.saturating_add(1);
    let rows: Vec<(String, i64)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).bind(limit).fetch_all(conn).await?);
    let max = PAGE_ROWS_MAX.unsigned_abs();
    if rows.len() as u64 > max {
        return Err(StoreError::Limit { what: "steps of one person", max });
    }
    Ok(rows.into_iter().map(|(step, at)| (step, Timestamp::from_micros(at))).collect())
}
