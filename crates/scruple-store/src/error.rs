//! [`StoreError`]: what can go wrong between Scruple and its database.

use crate::{SealError, ShardId};
use uuid::Uuid;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is neither SQLite's nor PostgreSQL's.
    #[error("database address is neither `sqlite:FILE` nor `postgres://...`")]
    Address,
    /// The database does not run with a setting that Scruple relies on.
    #[error("database runs with {setting}={found}, needed is {needed}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        needed: &'static str,
    },
    /// A migration failed, or the database is newer than this build.
    #[error("database cannot be brought to this version")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A lock or a connection was not free in time. Nothing was written; it may be tried again.
    #[error("database is busy")]
    Busy(#[source] sqlx::Error),
    /// A row with this id, key or version exists: somebody else was first.
    #[error("a row with this id, key or version exists")]
    Conflict(#[source] sqlx::Error),
    /// A constraint or a trigger of the database refuses the row.
    #[error("database refuses the row")]
    Refused(#[source] sqlx::Error),
    /// Any other error of the database.
    #[error("database failed")]
    Database(#[source] sqlx::Error),
    /// The state that the change was decided on is no longer there.
    #[error("{table}: {changed} rows changed instead of {expected}")]
    RowsAffected {
        /// The table.
        table: &'static str,
        /// Rows that should have changed.
        expected: u64,
        /// Rows that changed.
        changed: u64,
    },
    /// Another node has taken this shard. Nothing was written; this node must stop writing.
    #[error("shard {shard} is held by another node")]
    Fenced {
        /// The shard.
        shard: ShardId,
    },
    /// The ledger has seen events that the database does not have: the database was restored from an older copy.
    #[error("database is older than the ledger: shard {shard} stands at {seq}, the ledger at {last_origin}")]
    OlderThanLedger {
        /// The shard.
        shard: ShardId,
        /// Where the database stands.
        seq: i64,
        /// Where the ledger stands.
        last_origin: i64,
    },
    /// A position of the event table is missing.
    #[error("database damaged: event {expected} of shard {shard} is missing")]
    Damaged {
        /// The shard.
        shard: ShardId,
        /// The position that is missing.
        expected: i64,
    },
    /// The commit failed and, read again, is not there.
    #[error("transaction was not committed")]
    NotCommitted(#[source] sqlx::Error),
    /// The commit was answered by an error and could not be read again: it may be there or not.
    #[error("it is unknown whether event {event} was committed")]
    CommitUnknown {
        /// The last event of the transaction.
        event: Uuid,
        /// What the commit answered.
        #[source]
        source: sqlx::Error,
    },
    /// A transaction was to be committed without an event.
    #[error("transaction has no event")]
    NoEvent,
    /// A stored row fits no state.
    #[error("{table} {id} has an inconsistent {column}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: Uuid,
    },
    /// A column could not be sealed or opened.
    #[error("{column} of {id} cannot be sealed or opened")]
    Seal {
        /// Table and column.
        column: &'static str,
        /// The row.
        id: Uuid,
        /// Why.
        #[source]
        source: SealError,
    },
    /// There is more than a named limit allows.
    #[error("more than {max} {what}")]
    Limit {
        /// Of what there is too much.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

// SQLSTATE: lock_not_available, deadlock_detected, serialization_failure.
const POSTGRES_BUSY: [&str; 3] = ["55P03", "40P01", "40001"];
// SQLSTATE restrict_violation: raised by the triggers of the migrations.
const POSTGRES_TRIGGER: &str = "23001";
// Low byte of the extended result code.
const SQLITE_BUSY: i32 = 5;
const SQLITE_CONSTRAINT: i32 = 19;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        let database = match &error {
            sqlx::Error::PoolTimedOut => return Self::Busy(error),
            sqlx::Error::Database(database) => database,
            _ => return Self::Database(error),
        };
        let code = database.code().unwrap_or_default();
        let sqlite = code.parse::<i32>().map_or(0, |code| code & 0xff);
        let is_sqlite = database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
        match database.kind() {
            ErrorKind::UniqueViolation => Self::Conflict(error),
            ErrorKind::ForeignKeyViolation | ErrorKind::NotNullViolation | ErrorKind::CheckViolation => {
                Self::Refused(error)
            }
            _ if is_sqlite && sqlite == SQLITE_BUSY => Self::Busy(error),
            // The triggers that keep INSERT OR REPLACE out fire before the index does.
            _ if is_sqlite && sqlite == SQLITE_CONSTRAINT && database.message().starts_with("conflict:") => {
                Self::Conflict(error)
            }
            _ if is_sqlite && sqlite == SQLITE_CONSTRAINT => Self::Refused(error),
            _ if !is_sqlite && POSTGRES_BUSY.contains(&code.as_ref()) => Self::Busy(error),
            _ if !is_sqlite && code == POSTGRES_TRIGGER => Self::Refused(error),
            _ => Self::Database(error),
        }
    }
}

/// An UPDATE must change as many rows as it was decided on.
pub(crate) fn expect_rows(table: &'static str, changed: u64, expected: u64) -> Result<(), StoreError> {
    if changed == expected { Ok(()) } else { Err(StoreError::RowsAffected { table, expected, changed }) }
}
