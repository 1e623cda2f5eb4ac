//! Rows of devices as their management tells them, and which messages of it were taken.

use crate::error::expect_rows;
use crate::{Person, Session, ShardVector, StoreError, Tx, shard_vector};
use scruple_core::{Id, Timestamp};
use scruple_flow::{DeviceFacts, DevicePosture, DeviceStatus};
use uuid::Uuid;

row! { struct DeviceRow {
    id: Uuid, status: String, managed: Option<i64>, disk_encrypted: Option<i64>, os_patched: Option<i64>,
    screen_lock: Option<i64>, told_at: i64, version: i64,
} }

impl TryFrom<DeviceRow> for DevicePosture {
    type Error = StoreError;

    fn try_from(row: DeviceRow) -> Result<Self, StoreError> {
        let is = |fact: Option<i64>| fact.map(|fact| fact == 1);
        let inconsistent = StoreError::Inconsistent { table: "device_posture", column: "status", id: row.id };
        Ok(Self {
            id: Id::from_uuid(row.id),
            status: DeviceStatus::of(&row.status).ok_or(inconsistent)?,
            facts: DeviceFacts {
                managed: is(row.managed),
                disk_encrypted: is(row.disk_encrypted),
                os_patched: is(row.os_patched),
                screen_lock: is(row.screen_lock),
            },
            told_at: Timestamp::from_micros(row.told_at),
            version: row.version,
        })
    }
}

/// What is known of a device, with the vector that tells whether it is still true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownDevice {
    /// How far the shards had come. An event above it that names the device makes this stale.
    pub vector: ShardVector,
    /// The device; none: nobody has told of it.
    pub posture: Option<DevicePosture>,
}

/// Loads what is known of a device. To be called in one transaction of [`crate::Store::begin_read`].
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn load_device(tx: &mut Tx, id: Id<DevicePosture>) -> Result<KnownDevice, StoreError> {
    // The vector first: should the database move meanwhile, the device is newer than it and never older.
    let vector = shard_vector(tx).await?;
    Ok(KnownDevice { vector, posture: find_device(tx, id).await? })
}

/// Finds a device.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_device(tx: &mut Tx, id: Id<DevicePosture>) -> Result<Option<DevicePosture>, StoreError> {
    const SQL: &str = "SELECT id, status, managed, disk_encrypted, os_patched, screen_lock, told_at, version
                       FROM device_posture WHERE id = $1";
    let row: Option<DeviceRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(DevicePosture::try_from).transpose()
}

/// Stores a device that nobody had told of.
///
/// # Errors
/// [`StoreError::Conflict`]: somebody has, meanwhile.
pub async fn insert_device(tx: &mut Tx, device: &DevicePosture) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO device_posture (id, status, managed, disk_encrypted, os_patched, screen_lock, told_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1)";
    let [managed, disk, patched, lock] = device.facts.named().map(|(_, fact)| fact.map(i64::from));
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(device.id.uuid())
            .bind(device.status.code())
            .bind(managed)
            .bind(disk)
            .bind(patched)
            .bind(lock)
            .bind(device.told_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores a device as it is after a message; its version is one above that of the row.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else was first.
pub async fn update_device(tx: &mut Tx, device: &DevicePosture) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE device_posture
                       SET status = $2, managed = $3, disk_encrypted = $4, os_patched = $5, screen_lock = $6, told_at = $7,
                           version = version + 1
                       WHERE id = $1 AND version = $8 AND told_at <= $7";
    let [managed, disk, patched, lock] = device.facts.named().map(|(_, fact)| fact.map(i64::from));
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(device.id.uuid())
            .bind(device.status.code())
            .bind(managed)
            .bind(disk)
            .bind(patched)
            .bind(lock)
            .bind(device.told_at.micros())
            .bind(device.version.saturating_sub(1))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("device_posture", changed, 1)
}

/// Remembers that a message was taken: once. Those from before `forget_before` are forgotten; they are too old to be taken again.
///
/// # Errors
/// The database failed.
pub async fn take_signal(
    tx: &mut Tx,
    hash: [u8; 32],
    at: Timestamp,
    forget_before: Timestamp,
) -> Result<bool, StoreError> {
    const SQL_FORGET: &str = "DELETE FROM signal_taken WHERE taken_at < $1";
    const SQL: &str = "INSERT INTO signal_taken (hash, taken_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    on_engine!(tx, |conn| {
        sqlx::query(SQL_FORGET).bind(forget_before.micros()).execute(conn).await?;
    });
    let added = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(hash.as_slice()).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    Ok(added == 1)
}

/// Ends the sessions on a device. Answers which, and whose.
///
/// # Errors
/// The database failed.
pub async fn end_sessions_on(
    tx: &mut Tx,
    device: Id<DevicePosture>,
    reason: &'static str,
    at: Timestamp,
) -> Result<Vec<(Id<Session>, Id<Person>)>, StoreError> {
    const SQL: &str = "UPDATE session SET ended_at = $2, end_reason = $3 WHERE device_id = $1 AND ended_at IS NULL
                       RETURNING id, person";
    let rows: Vec<(Uuid, Uuid)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(device.uuid()).bind(at.micros()).bind(reason).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id, person)| (Id::from_uuid(id), Id::from_uuid(person))).collect())
}
