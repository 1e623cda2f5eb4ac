//! Data keys, wrapped by a key-encryption key that the store never sees. Destroying one erases what it sealed.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Timestamp};
use uuid::Uuid;

/// A data key to be stored.
#[derive(Clone, Debug)]
pub struct NewDataKey {
    /// Its id, which stands in what it seals.
    pub id: Id<DataKey>,
    /// What it seals.
    pub scope: String,
    /// The period it is for, as `Timestamp::hour`.
    pub period: i64,
    /// Which key-encryption key wraps it.
    pub wrapping_key: String,
    /// The wrapped bytes.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A data key as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataKey {
    /// Its id.
    pub id: Id<Self>,
    /// What it seals.
    pub scope: String,
    /// The period it is for.
    pub period: i64,
    /// Which key-encryption key wraps it.
    pub wrapping_key: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it can still open anything.
    pub state: DataKeyState,
}

/// Whether a data key can still open anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataKeyState {
    /// It can, once it is unwrapped.
    Usable {
        /// The wrapped bytes.
        wrapped: Vec<u8>,
    },
    /// It is gone.
    Destroyed {
        /// Since when.
        at: Timestamp,
    },
}

row! { struct DataKeyRow {
    id: Uuid, scope: String, period: i64, wrapping_key: String, wrapped: Option<Vec<u8>>, created_at: i64,
    destroyed_at: Option<i64>,
} }

impl TryFrom<DataKeyRow> for DataKey {
    type Error = StoreError;

    fn try_from(row: DataKeyRow) -> Result<Self, StoreError> {
        let state = match (row.wrapped, row.destroyed_at) {
            (Some(wrapped), None) => DataKeyState::Usable { wrapped },
            (None, Some(at)) => DataKeyState::Destroyed { at: Timestamp::from_micros(at) },
            _ => return Err(StoreError::Inconsistent { table: "data_key", column: "destroyed_at", id: row.id }),
        };
        Ok(Self {
            id: Id::from_uuid(row.id),
            scope: row.scope,
            period: row.period,
            wrapping_key: row.wrapping_key,
            created_at: Timestamp::from_micros(row.created_at),
            state,
        })
    }
}

impl Store {
    /// Stores a data key, durable when this returns: before anything is sealed with it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: a key with this id exists. On any error nothing may be sealed with the key.
    pub async fn put_data_key(&self, key: &NewDataKey) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO data_key (id, scope, period, wrapping_key, wrapped, created_at)
                           VALUES ($1, $2, $3, $4, $5, $6)";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL)
                .bind(key.id.uuid())
                .bind(key.scope.as_str())
                .bind(key.period)
                .bind(key.wrapping_key.as_str())
                .bind(key.wrapped.as_slice())
                .bind(key.created_at.micros())
                .execute(conn)
                .await?;
        });
        Ok(tx.conn.commit().await?)
    }

    /// Finds a data key by id.
    ///
    /// # Errors
    /// The database failed, or the row is inconsistent.
    pub async fn find_data_key(&self, id: Id<DataKey>) -> Result<Option<DataKey>, StoreError> {
        const SQL: &str = "SELECT id, scope, period, wrapping_key, wrapped, created_at, destroyed_at
                           FROM data_key WHERE id = $1";
        let mut tx = self.begin_read().await?;
        let row: Option<DataKeyRow> =
            on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
        row.map(TryInto::try_into).transpose()
    }

    /// The data keys of a scope, destroyed ones included, one page of at most [`PAGE_ROWS_MAX`] after a key.
    ///
    /// # Errors
    /// The database failed, or a row is inconsistent.
    pub async fn list_data_keys(&self, scope: &str, after: Option<Id<DataKey>>) -> Result<Vec<DataKey>, StoreError> {
        const SQL: &str = "SELECT id, scope, period, wrapping_key, wrapped, created_at, destroyed_at
                           FROM data_key WHERE scope = $1 AND id > $2 ORDER BY id LIMIT $3";
        let after = after.map_or(Uuid::nil(), Id::uuid);
        let mut tx = self.begin_read().await?;
        let rows: Vec<DataKeyRow> = on_engine!(tx, |conn| sqlx::query_as(SQL)
            .bind(scope)
            .bind(after)
            .bind(PAGE_ROWS_MAX)
            .fetch_all(conn)
            .await?);
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

/// Destroys a data key; what it sealed cannot be opened again. Call [`Store::scrub`] after the commit.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such key, or it was destroyed.
pub async fn destroy_data_key(tx: &mut Tx, id: Id<DataKey>, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE data_key SET wrapped = NULL, destroyed_at = $2 WHERE id = $1 AND destroyed_at IS NULL";
    let changed =
        on_engine!(tx, |conn| sqlx::query(SQL).bind(id.uuid()).bind(at.micros()).execute(conn).await?.rows_affected());
    expect_rows("data_key", changed, 1)
}
