//! The ending of a write transaction: position, event, COMMIT, and what to do when COMMIT is answered by an error.

use crate::event::{Aggregate, Event, Position};
use crate::limits::EVENTS_PER_COMMIT_MAX;
use crate::{ShardId, ShardLease, Store, StoreError, Subjects, Tx};
use scruple_core::{Id, Timestamp};

/// What happened to one aggregate, to be recorded with the change itself.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Its id.
    pub id: Id<Event>,
    /// What changed.
    pub aggregate: Aggregate,
    /// Its version after the change.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// What kind of change.
    pub kind: &'static str,
    /// Whose access it may alter.
    pub subjects: Subjects,
    /// The facts, sealed before they are stored.
    pub body: &'a [u8],
}

pub(crate) const BODY: &str = "event.body";

impl Tx {
    /// Records the events, each at the next position of the shard, and commits. The row of the shard stays locked until
    /// the commit, which makes the positions gap-free and in the order of the commits; never a sequence, whose numbers
    /// are lost by a rollback and overtaken by a slower transaction.
    ///
    /// Returns the position of each event. A commit that is answered by an error is read again before anything is said.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: another node has the shard. [`StoreError::Conflict`]: an event with this aggregate and
    /// version exists. [`StoreError::NotCommitted`], [`StoreError::CommitUnknown`].
    pub async fn commit(mut self, lease: &ShardLease, events: &[NewEvent<'_>]) -> Result<Vec<Position>, StoreError> {
        let Some(last) = events.last() else {
            return Err(StoreError::NoEvent);
        };
        if events.len() > EVENTS_PER_COMMIT_MAX {
            return Err(StoreError::Limit { what: "events in one transaction", max: EVENTS_PER_COMMIT_MAX as u64 });
        }
        let mut positions = Vec::with_capacity(events.len());
        for event in events {
            positions.push(self.record(lease, event).await?);
        }
        let Self { conn, store } = self;
        match conn.commit().await {
            Ok(()) => Ok(positions),
            Err(source) => store.settle(lease.shard(), last.id, source).await.map(|()| positions),
        }
    }

    async fn record(&mut self, lease: &ShardLease, event: &NewEvent<'_>) -> Result<Position, StoreError> {
        const SQL_SEQ: &str = "UPDATE shard SET seq = seq + 1 WHERE shard = $1 AND epoch = $2 RETURNING seq";
        const SQL_EVENT: &str =
            "INSERT INTO event (shard, seq, id, aggregate, version, at, kind, subjects, body_sealed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let shard = lease.shard();
        let body = self.seal(BODY, event.id.uuid(), event.body)?;
        let row: Option<(i64,)> = on_engine!(self, |conn| {
            sqlx::query_as(SQL_SEQ).bind(shard.0).bind(lease.epoch()).fetch_optional(conn).await?
        });
        let Some((seq,)) = row else {
            return Err(StoreError::Fenced { shard });
        };
        on_engine!(self, |conn| {
            sqlx::query(SQL_EVENT)
                .bind(shard.0)
                .bind(seq)
                .bind(event.id.uuid())
                .bind(event.aggregate.as_str())
                .bind(event.version)
                .bind(event.at.micros())
                .bind(event.kind)
                .bind(event.subjects.to_string())
                .bind(body.as_slice())
                .execute(conn)
                .await?;
        });
        Ok(Position { shard, seq })
    }
}

impl Store {
    /// Where an event stands, if its transaction was committed. The answer is final: the row of the shard is locked
    /// first, which waits for a transaction that is still being committed.
    ///
    /// # Errors
    /// The database failed; the question stays open.
    pub async fn find_recorded(&self, shard: ShardId, event: Id<Event>) -> Result<Option<Position>, StoreError> {
        const SQL_LOCK: &str = "UPDATE shard SET seq = seq WHERE shard = $1";
        const SQL_FIND: &str = "SELECT seq FROM event WHERE shard = $1 AND id = $2";
        let mut tx = self.begin().await?;
        let locked = on_engine!(tx, |conn| sqlx::query(SQL_LOCK).bind(shard.0).execute(conn).await?.rows_affected());
        if locked == 0 {
            return Ok(None);
        }
        let row: Option<(i64,)> = on_engine!(tx, |conn| sqlx::query_as(SQL_FIND)
            .bind(shard.0)
            .bind(event.uuid())
            .fetch_optional(conn)
            .await?);
        tx.rollback().await?;
        Ok(row.map(|(seq,)| Position { shard, seq }))
    }

    async fn settle(&self, shard: ShardId, event: Id<Event>, source: sqlx::Error) -> Result<(), StoreError> {
        match self.find_recorded(shard, event).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(StoreError::NotCommitted(source)),
            Err(_) => Err(StoreError::CommitUnknown { event: event.uuid(), source }),
        }
    }
}
