//! Events as they are read: by the drainer in the order of their positions, and as the history of one aggregate.

use crate::commit::BODY;
use crate::limits::{EVENTS_READ_MAX, PAGE_ROWS_MAX};
use crate::{ShardId, Store, StoreError, Subjects, Tx};
use scruple_core::{Id, Phi, Timestamp};
use std::fmt;
use uuid::Uuid;

/// What an event happened to: its kind and its id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Aggregate(String);

impl Aggregate {
    /// The aggregate of one kind and id.
    #[must_use]
    pub fn new<T>(kind: &'static str, id: Id<T>) -> Self {
        Self(format!("{kind}:{id}"))
    }

    /// As it stands in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an event stands. The ledger keeps it in the entry, which makes draining exactly once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The shard.
    pub shard: ShardId,
    /// The place in it, from 1, without gaps.
    pub seq: i64,
}

/// A change of state that was committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its id.
    pub id: Id<Self>,
    /// Where it stands.
    pub position: Position,
    /// What changed.
    pub aggregate: Aggregate,
    /// Its version after the change.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// What kind of change.
    pub kind: String,
    /// Whose access it may alter.
    pub subjects: Subjects,
    /// The facts, opened.
    pub body: Phi<Vec<u8>>,
}

row! { struct EventRow {
    shard: i64, seq: i64, id: Uuid, aggregate: String, version: i64, at: i64, kind: String, subjects: String,
    body_sealed: Vec<u8>,
} }

impl EventRow {
    fn into_event(self, tx: &Tx) -> Result<Event, StoreError> {
        let subjects = self.subjects.parse();
        Ok(Event {
            id: Id::from_uuid(self.id),
            position: Position { shard: ShardId(self.shard), seq: self.seq },
            aggregate: Aggregate(self.aggregate),
            version: self.version,
            at: Timestamp::from_micros(self.at),
            kind: self.kind,
            subjects: subjects.map_err(|_| StoreError::Inconsistent {
                table: "event",
                column: "subjects",
                id: self.id,
            })?,
            body: tx.open(BODY, self.id, &self.body_sealed)?,
        })
    }
}

impl Store {
    /// The events after position `after`, at most `limit` and at most [`EVENTS_READ_MAX`]: what the drainer takes to the
    /// ledger. They are `after + 1`, `after + 2`, ... without a gap, up to where the shard stands.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: a position is missing, also at the end. [`StoreError::OlderThanLedger`]: the shard stands
    /// below `after`.
    pub async fn events_after(&self, shard: ShardId, after: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        const SQL_SEQ: &str = "SELECT seq FROM shard WHERE shard = $1";
        const SQL: &str = "SELECT shard, seq, id, aggregate, version, at, kind, subjects, body_sealed
                           FROM event WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let limit = limit.clamp(1, EVENTS_READ_MAX);
        // One state of the database: where the shard stands and what is there belong together.
        let mut tx = self.begin_read().await?;
        let head: Option<(i64,)> =
            on_engine!(tx, |conn| sqlx::query_as(SQL_SEQ).bind(shard.0).fetch_optional(conn).await?);
        let head = head.map_or(0, |(seq,)| seq);
        if head < after {
            return Err(StoreError::OlderThanLedger { shard, seq: head, last_origin: after });
        }
        let rows: Vec<EventRow> =
            on_engine!(tx, |conn| sqlx::query_as(SQL).bind(shard.0).bind(after).bind(limit).fetch_all(conn).await?);
        let mut events = Vec::with_capacity(rows.len());
        let mut expected = after.saturating_add(1);
        for row in rows {
            if row.seq != expected {
                return Err(StoreError::Damaged { shard, expected });
            }
            events.push(row.into_event(&tx)?);
            expected = expected.saturating_add(1);
        }
        let due = head.saturating_sub(after).min(limit);
        if i64::try_from(events.len()) != Ok(due) {
            return Err(StoreError::Damaged { shard, expected });
        }
        Ok(events)
    }
}

/// The history of one aggregate after a version, oldest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or an event does not open.
pub async fn history(tx: &mut Tx, aggregate: &Aggregate, after_version: i64) -> Result<Vec<Event>, StoreError> {
    const SQL: &str = "SELECT shard, seq, id, aggregate, version, at, kind, subjects, body_sealed
                       FROM event WHERE aggregate = $1 AND version > $2 ORDER BY version LIMIT $3";
    let rows: Vec<EventRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(aggregate.as_str()).bind(after_version).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_event(tx)).collect()
}
