//! Jobs: effects outside, enqueued in the transaction that decided on them.
//!
//! A job may run twice (a worker dies after the effect and before the finish), so that it must be idempotent. What it
//! changes in the store happens once: [`finish_job`] in the transaction of the change succeeds for one run alone.

use crate::error::expect_rows;
use crate::limits::{JOB_ATTEMPTS_MAX, JOBS_LEASED_MAX};
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use uuid::Uuid;

pub(crate) const PAYLOAD: &str = "job.payload";

/// Marks the id of a job.
#[derive(Debug)]
pub enum Job {}

/// Marks the id of one lease of jobs.
#[derive(Debug)]
pub enum JobLease {}

/// A job to be done.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: Id<Job>,
    /// Its kind.
    pub name: &'static str,
    /// A second job with this key is not enqueued. Made of ids and codes; it is stored in clear.
    pub dedup_key: Option<&'a str>,
    /// What it needs, sealed before it is stored.
    pub payload: &'a [u8],
    /// When it was decided on.
    pub at: Timestamp,
    /// When it is due.
    pub run_at: Timestamp,
    /// How often it is tried, at most [`JOB_ATTEMPTS_MAX`].
    pub attempts_max: u32,
}

/// A job that this worker holds until its lease is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeasedJob {
    /// Its id.
    pub id: Id<Job>,
    /// Its kind.
    pub name: String,
    /// What it needs, opened.
    pub payload: Phi<Vec<u8>>,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// How often it is tried.
    pub attempts_max: i64,
    lease: Id<JobLease>,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub struct JobFailure {
    /// A stable code; no text from outside.
    pub code: &'static str,
    /// When.
    pub at: Timestamp,
    /// When to try again, if there is an attempt left.
    pub retry_at: Timestamp,
}

/// What becomes of a job whose attempt failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is tried again.
    Retried,
    /// It was the last attempt.
    Failed,
}

/// Where the jobs stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JobCounts {
    /// To be done, now or later.
    pub open: i64,
    /// Given up.
    pub failed: i64,
}

row! { struct JobRow { id: Uuid, name: String, payload_sealed: Vec<u8>, attempts: i64, attempts_max: i64 } }

/// Enqueues a job, which exists if and only if the transaction is committed. Answers whether it is new: `false` where its
/// `dedup_key` is taken.
///
/// # Errors
/// [`StoreError::Conflict`]: a job with this id exists. [`StoreError::Limit`]: too many attempts.
pub async fn enqueue(tx: &mut Tx, job: &NewJob<'_>) -> Result<bool, StoreError> {
    const SQL: &str =
        "INSERT INTO job (id, name, dedup_key, payload_sealed, state, enqueued_at, run_at, attempts, attempts_max)
                       VALUES ($1, $2, $3, $4, 'ready', $5, $6, 0, $7) ON CONFLICT (dedup_key) DO NOTHING";
    if job.attempts_max == 0 || job.attempts_max > JOB_ATTEMPTS_MAX {
        return Err(StoreError::Limit { what: "attempts of a job", max: u64::from(JOB_ATTEMPTS_MAX) });
    }
    let payload = tx.seal(PAYLOAD, job.id.uuid(), job.payload)?;
    let inserted = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(job.id.uuid())
            .bind(job.name)
            .bind(job.dedup_key)
            .bind(payload)
            .bind(job.at.micros())
            .bind(job.run_at.micros())
            .bind(i64::from(job.attempts_max))
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(inserted == 1)
}

/// A job is done, in the transaction of what it changed.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the lease was over and somebody else has the job; the change must be dropped.
pub async fn finish_job(tx: &mut Tx, job: &LeasedJob, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE job SET state = 'done', lease = NULL, lease_until = NULL, finished_at = $3
                       WHERE id = $1 AND lease = $2 AND state = 'leased'";
    let changed = on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(job.id.uuid()).bind(job.lease.uuid()).bind(at.micros());
        query.execute(conn).await?.rows_affected()
    });
    expect_rows("job", changed, 1)
}

impl Store {
    /// Takes at most `limit` jobs that are due, until `until`. Jobs whose worker was lost in the last attempt are given
    /// up as `worker_lost`.
    ///
    /// # Errors
    /// The database failed, or a payload does not open: nothing is then leased.
    pub async fn lease_jobs(
        &self,
        lease: Id<JobLease>,
        now: Timestamp,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<LeasedJob>, StoreError> {
        const SQL_LOST: &str = "UPDATE job SET state = 'failed', lease = NULL, lease_until = NULL, finished_at = $1,
                                               failure = 'worker_lost'
                                WHERE state = 'leased' AND lease_until <= $1 AND attempts >= attempts_max";
        // The outer conditions repeat the inner ones: on PostgreSQL a second worker waits for the row and looks again.
        const SQL: &str = "UPDATE job SET state = 'leased', lease = $1, lease_until = $3, attempts = attempts + 1
                           WHERE id IN (SELECT id FROM job
                                        WHERE run_at <= $2 AND attempts < attempts_max
                                          AND (state = 'ready' OR (state = 'leased' AND lease_until <= $2))
                                        ORDER BY run_at, id LIMIT $4)
                             AND run_at <= $2 AND attempts < attempts_max
                             AND (state = 'ready' OR (state = 'leased' AND lease_until <= $2))
                           RETURNING id, name, payload_sealed, attempts, attempts_max";
        let limit = limit.clamp(1, JOBS_LEASED_MAX);
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL_LOST).bind(now.micros()).execute(conn).await?;
        });
        let mut rows: Vec<JobRow> = on_engine!(tx, |conn| {
            let query = sqlx::query_as(SQL).bind(lease.uuid()).bind(now.micros()).bind(until.micros()).bind(limit);
            query.fetch_all(conn).await?
        });
        // RETURNING has no order; ids have that of their making.
        rows.sort_by_key(|row| row.id);
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            jobs.push(LeasedJob {
                id: Id::from_uuid(row.id),
                payload: tx.open(PAYLOAD, row.id, &row.payload_sealed)?,
                name: row.name,
                attempt: row.attempts,
                attempts_max: row.attempts_max,
                lease,
            });
        }
        tx.conn.commit().await?;
        Ok(jobs)
    }

    /// A job is done that changed nothing in the store.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`]: the lease was over and somebody else has the job.
    pub async fn close_job(&self, job: &LeasedJob, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        finish_job(&mut tx, job, at).await?;
        Ok(tx.conn.commit().await?)
    }

    /// An attempt failed.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`]: the lease was over and somebody else has the job.
    pub async fn fail_job(&self, job: &LeasedJob, failure: JobFailure) -> Result<Outcome, StoreError> {
        const SQL: &str = "UPDATE job
                           SET state = CASE WHEN attempts < attempts_max THEN 'ready' ELSE 'failed' END,
                               finished_at = CASE WHEN attempts < attempts_max THEN NULL ELSE CAST($3 AS BIGINT) END,
                               run_at = $4, failure = $5, lease = NULL, lease_until = NULL
                           WHERE id = $1 AND lease = $2 AND state = 'leased'
                           RETURNING state";
        let mut tx = self.begin().await?;
        let row: Option<(String,)> = on_engine!(tx, |conn| {
            sqlx::query_as(SQL)
                .bind(job.id.uuid())
                .bind(job.lease.uuid())
                .bind(failure.at.micros())
                .bind(failure.retry_at.micros())
                .bind(failure.code)
                .fetch_optional(conn)
                .await?
        });
        expect_rows("job", u64::from(row.is_some()), 1)?;
        tx.conn.commit().await?;
        let retried = row.is_some_and(|(state,)| state == "ready");
        Ok(if retried { Outcome::Retried } else { Outcome::Failed })
    }

    /// Removes jobs that were done before an instant, at most `limit`; failed ones stay until somebody has looked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purge_jobs(&self, done_before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state = 'done' AND finished_at < $1
                                                        ORDER BY id LIMIT $2)";
        let mut tx = self.begin().await?;
        let removed = on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(done_before.micros()).bind(limit.max(0)).execute(conn).await?.rows_affected()
        });
        tx.conn.commit().await?;
        Ok(removed)
    }

    /// Where the jobs stand.
    ///
    /// # Errors
    /// The database failed.
    pub async fn count_jobs(&self) -> Result<JobCounts, StoreError> {
        const SQL: &str = "SELECT state, COUNT(*) FROM job WHERE state <> 'done' GROUP BY state";
        let mut tx = self.begin_read().await?;
        let rows: Vec<(String, i64)> = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
        let mut counts = JobCounts::default();
        for (state, count) in rows {
            let place = if state == "failed" { &mut counts.failed } else { &mut counts.open };
            *place = place.saturating_add(count);
        }
        Ok(counts)
    }
}
