//! [`Tx`] and the macros that let one text run on both engines. The body of `on_engine!` is type-checked once per engine.

use crate::{SealError, Store, StoreError};
use scruple_core::Phi;
use sqlx::{Postgres, Sqlite, Transaction};
use uuid::Uuid;

/// Which database is behind a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// One file, one node.
    Sqlite,
    /// A server, several nodes.
    Postgres,
}

/// An open transaction. Dropped, it is rolled back; its one other ending is [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    pub(crate) conn: Conn,
    pub(crate) store: Store,
}

#[derive(Debug)]
pub(crate) enum Conn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Conn {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.rollback().await,
        }
    }
}

impl Tx {
    /// Ends the transaction without a trace.
    ///
    /// # Errors
    /// The connection is gone; the transaction is then rolled back by the database.
    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.conn.rollback().await?)
    }

    pub(crate) fn seal(&self, column: &'static str, id: Uuid, clear: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.store.sealer().seal(column, id, clear).map_err(|source| StoreError::Seal { column, id, source })
    }

    pub(crate) fn open(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Phi<Vec<u8>>, StoreError> {
        let opened = self.store.sealer().open(column, id, sealed);
        opened.map(Phi::new).map_err(|source| StoreError::Seal { column, id, source })
    }

    pub(crate) fn open_text(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Phi<String>, StoreError> {
        let clear = self.open(column, id, sealed)?.into_inner();
        // The source of a UTF-8 error shows positions, and `FromUtf8Error` holds the bytes: neither goes on.
        let text = String::from_utf8(clear).map_err(|_| SealError::new("value is not text"));
        text.map(Phi::new).map_err(|source| StoreError::Seal { column, id, source })
    }
}

/// Runs one body on either engine: `on_engine!(tx, |conn| query.execute(conn).await?)`.
macro_rules! on_engine {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match &mut $tx.conn {
            $crate::engine::Conn::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::engine::Conn::Postgres(tx) => {
                let $conn = &mut **tx;
                $body
            }
        }
    };
}

/// A row struct that both engines can fill; columns are found by the names of the fields.
macro_rules! row {
    ($seen:vis struct $name:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        $seen struct $name { $($field: $kind),+ }
        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($kind: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>),+
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
