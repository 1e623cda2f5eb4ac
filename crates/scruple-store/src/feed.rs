//! The feed: whose access changed since a node last looked. The event table is read, nothing is stored or marked.

use crate::limits::{FEED_EVENTS_MAX, SHARDS_MAX};
use crate::{ShardId, Store, StoreError, Subject, Subjects, Tx};
use scruple_core::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How far each shard has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ShardVector(BTreeMap<ShardId, i64>);

impl ShardVector {
    /// How far one shard has come.
    #[must_use]
    pub fn seq(&self, shard: ShardId) -> i64 {
        self.0.get(&shard).copied().unwrap_or(0)
    }

    /// Whether this is at least as far in every shard.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(shard, seq)| self.seq(*shard) >= *seq)
    }

    /// Every shard and how far it has come.
    pub fn iter(&self) -> impl Iterator<Item = (ShardId, i64)> {
        self.0.iter().map(|(shard, seq)| (*shard, *seq))
    }
}

/// One look at the feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Feed {
    /// How far the shards have come; the next look starts here.
    pub vector: ShardVector,
    /// Whose access may have changed.
    pub subjects: BTreeSet<Subject>,
}

/// How far the shards have come. Read before what is cached, in one transaction with it: then an event above the vector
/// is one that the cached state may lack.
///
/// # Errors
/// The database failed, or has more shards than [`SHARDS_MAX`].
pub async fn shard_vector(tx: &mut Tx) -> Result<ShardVector, StoreError> {
    const SQL: &str = "SELECT shard, seq FROM shard ORDER BY shard LIMIT $1";
    let rows: Vec<(i64, i64)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(SHARDS_MAX.saturating_add(1)).fetch_all(conn).await?);
    if rows.len() as u64 > SHARDS_MAX.unsigned_abs() {
        return Err(StoreError::Limit { what: "shards", max: SHARDS_MAX.unsigned_abs() });
    }
    Ok(ShardVector(rows.into_iter().map(|(shard, seq)| (ShardId(shard), seq)).collect()))
}

impl Store {
    /// Whose access may have changed since `seen`. Where the answer is not sure it is [`Subject::Everyone`]: a shard
    /// that went back or has a hole (a restore), one that moved by more than [`FEED_EVENTS_MAX`].
    ///
    /// # Errors
    /// The database failed; the caller's cache then grows stale and denies.
    pub async fn subjects_since(&self, seen: &ShardVector) -> Result<Feed, StoreError> {
        const SQL: &str = "SELECT id, subjects FROM event WHERE shard = $1 AND seq > $2 AND seq <= $3 LIMIT $4";
        let mut tx = self.begin_read().await?;
        let vector = shard_vector(&mut tx).await?;
        let mut subjects = BTreeSet::new();
        for (shard, head) in vector.iter() {
            let from = seen.seq(shard);
            let moved = head.saturating_sub(from);
            if moved == 0 {
                continue;
            }
            if !(0..=FEED_EVENTS_MAX).contains(&moved) {
                subjects.insert(Subject::Everyone);
                continue;
            }
            let rows: Vec<(Uuid, String)> = on_engine!(tx, |conn| {
                sqlx::query_as(SQL).bind(shard.0).bind(from).bind(head).bind(FEED_EVENTS_MAX).fetch_all(conn).await?
            });
            if i64::try_from(rows.len()) != Ok(moved) {
                subjects.insert(Subject::Everyone);
            }
            for (id, text) in rows {
                let parsed = text.parse::<Subjects>();
                let parsed = parsed.map_err(|_| StoreError::Inconsistent { table: "event", column: "subjects", id })?;
                subjects.extend(parsed.iter().cloned());
            }
        }
        // A shard that is gone altogether: the database is another one.
        if seen.iter().any(|(shard, seq)| vector.seq(shard) < seq) {
            subjects.insert(Subject::Everyone);
        }
        Ok(Feed { vector, subjects })
    }

    /// Notes that a node has applied the feed so far: from now on it refuses what was taken back until there. What is noted already
    /// stays as it was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_applied(&self, node: &str, vector: &ShardVector, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO feed_applied (node, shard, seq, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let mut tx = self.begin().await?;
        for (shard, seq) in vector.iter() {
            on_engine!(tx, |conn| {
                sqlx::query(SQL).bind(node).bind(shard.0).bind(seq).bind(at.micros()).execute(conn).await?;
            });
        }
        Ok(tx.conn.commit().await?)
    }
}
