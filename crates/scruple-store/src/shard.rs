//! Shards: who may write, and where the positions come from.
//!
//! A shard is one node's share of the event table. Its row is held by a lease; each new holder raises the epoch, and
//! every commit names its epoch, so that a node that was thought dead and comes back cannot write (it is *fenced*).

use crate::error::expect_rows;
use crate::{Store, StoreError, Tx};
use scruple_core::Timestamp;
use std::fmt;

/// One node's share of the event table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub i64);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The right to write on a shard, until another node takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardLease {
    shard: ShardId,
    epoch: i64,
}

impl ShardLease {
    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// Which holder of the shard this is, counted from 1.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }
}

impl Store {
    /// Takes a shard, where nobody else holds it. The same node takes it over from its own earlier run at once: what
    /// keeps two processes of one node apart is the lock on the ledger's folder.
    ///
    /// # Errors
    /// The database failed. That another node holds the shard is `Ok(None)`.
    pub async fn acquire_shard(
        &self,
        shard: ShardId,
        node: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<ShardLease>, StoreError> {
        const SQL: &str = "INSERT INTO shard (shard, epoch, seq, node, lease_until) VALUES ($1, 1, 0, $2, $4)
                           ON CONFLICT (shard) DO UPDATE
                           SET epoch = shard.epoch + 1, node = excluded.node, lease_until = excluded.lease_until
                           WHERE shard.node = excluded.node OR shard.lease_until <= $3
                           RETURNING epoch";
        let mut tx = self.begin().await?;
        let epoch: Option<(i64,)> = on_engine!(tx, |conn| {
            let query = sqlx::query_as(SQL).bind(shard.0).bind(node).bind(now.micros()).bind(lease_until.micros());
            query.fetch_optional(conn).await?
        });
        tx.conn.commit().await?;
        Ok(epoch.map(|(epoch,)| ShardLease { shard, epoch }))
    }

    /// Holds a shard for longer.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: another holder has taken it.
    pub async fn extend_shard(&self, lease: &ShardLease, lease_until: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE shard SET lease_until = $3 WHERE shard = $1 AND epoch = $2";
        let mut tx = self.begin().await?;
        let changed = on_engine!(tx, |conn| {
            let query = sqlx::query(SQL).bind(lease.shard.0).bind(lease.epoch).bind(lease_until.micros());
            query.execute(conn).await?.rows_affected()
        });
        if changed == 0 {
            return Err(StoreError::Fenced { shard: lease.shard });
        }
        Ok(tx.conn.commit().await?)
    }

    /// Whether the database has all that the ledger has. To be asked before a node serves.
    ///
    /// # Errors
    /// [`StoreError::OlderThanLedger`]: it was restored from an older copy.
    pub async fn check_origin(&self, shard: ShardId, last_origin: i64) -> Result<(), StoreError> {
        const SQL: &str = "SELECT seq FROM shard WHERE shard = $1";
        let mut tx = self.begin_read().await?;
        let row: Option<(i64,)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(shard.0).fetch_optional(conn).await?);
        let seq = row.map_or(0, |(seq,)| seq);
        if seq < last_origin { Err(StoreError::OlderThanLedger { shard, seq, last_origin }) } else { Ok(()) }
    }

    /// After a restore: lifts the positions over what the ledger has seen and raises the epoch, so that no position is
    /// given out twice. The caller records it in the ledger first; what was lost stays visible as a hole in the table.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], or [`StoreError::RowsAffected`] where the database is not older than the ledger.
    pub async fn reconcile_shard(&self, lease: &ShardLease, last_origin: i64) -> Result<ShardLease, StoreError> {
        const SQL_EPOCH: &str = "UPDATE shard SET epoch = epoch + 1 WHERE shard = $1 AND epoch = $2";
        const SQL_SEQ: &str = "UPDATE shard SET seq = $3 WHERE shard = $1 AND epoch = $2 AND seq < $3";
        let mut tx = self.begin().await?;
        let changed = on_engine!(tx, |conn| {
            sqlx::query(SQL_EPOCH).bind(lease.shard.0).bind(lease.epoch).execute(conn).await?.rows_affected()
        });
        if changed == 0 {
            return Err(StoreError::Fenced { shard: lease.shard });
        }
        let raised = ShardLease { shard: lease.shard, epoch: lease.epoch.saturating_add(1) };
        let changed = on_engine!(tx, |conn| {
            let query = sqlx::query(SQL_SEQ).bind(raised.shard.0).bind(raised.epoch).bind(last_origin);
            query.execute(conn).await?.rows_affected()
        });
        expect_rows("shard", changed, 1)?;
        tx.conn.commit().await?;
        Ok(raised)
    }
}

/// Every shard that was ever written on, in order.
///
/// # Errors
/// The database failed.
pub async fn list_shards(tx: &mut Tx) -> Result<Vec<ShardId>, StoreError> {
    const SQL: &str = "SELECT shard FROM shard ORDER BY shard";
    let rows: Vec<(i64,)> = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(shard,)| ShardId(shard)).collect())
}
