//! [`Store`]: connections that are checked one by one for the settings that the protocol relies on.

use crate::engine::Conn;
use crate::limits::{CONNECTIONS_MAX, LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS};
use crate::migrate::migrator;
use crate::{Engine, Sealer, StoreError, Tx};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Whether a committed transaction must survive a power cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// It must. `serve` and `admin` open the store so.
    Full,
    /// It need not: for tests that do not cut the power.
    Relaxed,
}

/// How to reach the database.
#[derive(Clone)]
pub struct Options {
    address: Address,
    durability: Durability,
}

#[derive(Clone)]
enum Address {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

impl Options {
    /// Parses `sqlite:FILE` or `postgres://...`. A file is created where there is none.
    ///
    /// # Errors
    /// The address is of no known kind. The text does not repeat it: it may hold a password.
    pub fn parse(address: &str, durability: Durability) -> Result<Self, StoreError> {
        let address = if address.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(address).map_err(|_| StoreError::Address)?;
            Address::Sqlite(Box::new(options.create_if_missing(true)))
        } else if address.starts_with("postgres:") || address.starts_with("postgresql:") {
            Address::Postgres(Box::new(PgConnectOptions::from_str(address).map_err(|_| StoreError::Address)?))
        } else {
            return Err(StoreError::Address);
        };
        Ok(Self { address, durability })
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    sealer: Box<dyn Sealer>,
}

enum Pools {
    // One writer: SQLite has one anyway, and waiting in our queue is fair where `busy_timeout` is not.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.engine()).finish()
    }
}

impl Store {
    /// Connects, and asserts on each connection, now and later, that it is as durable as was asked.
    ///
    /// # Errors
    /// The database cannot be reached, or runs with a setting that Scruple cannot rely on.
    pub async fn connect(options: Options, sealer: Box<dyn Sealer>) -> Result<Self, StoreError> {
        let durability = options.durability;
        let pools = match options.address {
            Address::Sqlite(options) => connect_sqlite(*options, durability).await?,
            Address::Postgres(options) => connect_postgres(*options, durability).await?,
        };
        Ok(Self { inner: Arc::new(Inner { pools, sealer }) })
    }

    /// Which database this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Brings the tables to this build's version.
    ///
    /// # Errors
    /// A migration failed, was changed after it ran, or comes from a newer build.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let migrator = migrator(self.engine());
        let done = match &self.inner.pools {
            Pools::Sqlite { writer, .. } => migrator.run(writer).await,
            Pools::Postgres(pool) => migrator.run(pool).await,
        };
        done.map_err(StoreError::Migrate)
    }

    /// Begins a transaction that writes. On SQLite it takes the write lock at once: a deferred one that reads and then
    /// writes fails without waiting.
    ///
    /// # Errors
    /// The lock or a connection was not free in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let conn = match &self.inner.pools {
            Pools::Sqlite { writer, .. } => Conn::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Conn::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?),
        };
        Ok(Tx { conn, store: self.clone() })
    }

    /// Begins a transaction that reads one state of the database throughout, and cannot write.
    ///
    /// # Errors
    /// A connection was not free in time.
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        const SQL_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let conn = match &self.inner.pools {
            Pools::Sqlite { readers, .. } => Conn::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => Conn::Postgres(pool.begin_with(SQL_POSTGRES).await?),
        };
        Ok(Tx { conn, store: self.clone() })
    }

    /// Rewrites what the database keeps of overwritten rows: after data keys were destroyed, their wrapped bytes are then
    /// gone from SQLite's files (write-ahead log emptied, free pages zeroed) and from the files of PostgreSQL's table, save
    /// what a transaction that is open on the server at this moment could still see: the next call takes that. Backups and
    /// PostgreSQL's write-ahead log are outside.
    ///
    /// # Errors
    /// The database is busy; destroyed keys stay destroyed, their old bytes stay until the next call.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        const SQL_SQLITE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        const SQL_POSTGRES: &str = "VACUUM (FULL) data_key";
        match &self.inner.pools {
            Pools::Sqlite { writer, .. } => {
                let (busy, ..): (i64, i64, i64) = sqlx::query_as(SQL_SQLITE).fetch_one(writer).await?;
                if busy != 0 {
                    return Err(StoreError::Busy(sqlx::Error::PoolTimedOut));
                }
            }
            Pools::Postgres(pool) => {
                sqlx::query(SQL_POSTGRES).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match &self.inner.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    pub(crate) fn sealer(&self) -> &dyn Sealer {
        &*self.inner.sealer
    }
}

/// Makes the file of a new database readable to its owner alone; SQLite gives what it keeps beside it the same mode.
fn own_alone(file: &Path) -> Result<(), StoreError> {
    // A database in memory has such a name.
    if file.as_os_str().is_empty() || file.to_string_lossy().starts_with("file:") {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop).map_err(|error| StoreError::from(sqlx::Error::Io(error)))
}

async fn connect_sqlite(options: SqliteConnectOptions, durability: Durability) -> Result<Pools, StoreError> {
    let synchronous = match durability {
        Durability::Full => SqliteSynchronous::Full,
        Durability::Relaxed => SqliteSynchronous::Off,
    };
    own_alone(options.get_filename())?;
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(Duration::from_millis(LOCK_TIMEOUT_MS))
        // Overwritten and deleted content is zeroed, which is what destroying a data key relies on.
        .pragma("secure_delete", "ON")
        .pragma("recursive_triggers", "ON")
        .disable_statement_logging();
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_millis(LOCK_TIMEOUT_MS))
            .after_connect(move |conn, _| Box::pin(assert_sqlite(conn, durability)))
    };
    let writer = pool(1).connect_with(options.clone()).await.map_err(refused_setting)?;
    let readers =
        pool(CONNECTIONS_MAX).connect_with(options.pragma("query_only", "ON")).await.map_err(refused_setting)?;
    Ok(Pools::Sqlite { writer, readers })
}

async fn connect_postgres(options: PgConnectOptions, durability: Durability) -> Result<Pools, StoreError> {
    let synchronous_commit = match durability {
        Durability::Full => "on",
        Durability::Relaxed => "off",
    };
    let options = options
        .options([
            ("synchronous_commit", synchronous_commit.to_owned()),
            ("lock_timeout", LOCK_TIMEOUT_MS.to_string()),
            ("statement_timeout", STATEMENT_TIMEOUT_MS.to_string()),
            ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT_MS.to_string()),
        ])
        .disable_statement_logging();
    let mut first = PgConnection::connect_with(&options).await?;
    assert_postgres(&mut first, durability).await.map_err(refused_setting)?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_millis(LOCK_TIMEOUT_MS))
        .after_connect(move |conn, _| Box::pin(assert_postgres(conn, durability)))
        .connect_with(options)
        .await?;
    Ok(Pools::Postgres(pool))
}

/// A setting that was refused, on its way through the pool, which knows `sqlx::Error` alone.
#[derive(Debug, thiserror::Error)]
#[error("database runs with {setting}={found}, needed is {needed}")]
struct RefusedSetting {
    setting: &'static str,
    found: String,
    needed: &'static str,
}

impl From<RefusedSetting> for sqlx::Error {
    fn from(refused: RefusedSetting) -> Self {
        Self::Configuration(Box::new(refused))
    }
}

fn refused_setting(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Configuration(inner) => match inner.downcast::<RefusedSetting>() {
            Ok(refused) => {
                let RefusedSetting { setting, found, needed } = *refused;
                StoreError::Setting { setting, found, needed }
            }
            Err(inner) => StoreError::Database(sqlx::Error::Configuration(inner)),
        },
        other => other.into(),
    }
}

fn expect_setting(setting: &'static str, found: String, needed: &'static str) -> Result<(), sqlx::Error> {
    if found == needed { Ok(()) } else { Err(RefusedSetting { setting, found, needed }.into()) }
}

// INVARIANT (durable-commit): a transaction whose COMMIT answered is on disk.
async fn assert_sqlite(conn: &mut SqliteConnection, durability: Durability) -> Result<(), sqlx::Error> {
    const SQL_SQLITE: &str = "SELECT journal_mode, (SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous),
                                     (SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys)
                              FROM pragma_journal_mode";
    let (journal, synchronous, foreign_keys): (String, String, String) =
        sqlx::query_as(SQL_SQLITE).fetch_one(conn).await?;
    expect_setting("journal_mode", journal, "wal")?;
    expect_setting("foreign_keys", foreign_keys, "1")?;
    if durability == Durability::Full { expect_setting("synchronous", synchronous, "2") } else { Ok(()) }
}

async fn assert_postgres(conn: &mut PgConnection, durability: Durability) -> Result<(), sqlx::Error> {
    const SQL_POSTGRES: &str = "SELECT current_setting('server_encoding'), current_setting('synchronous_commit'),
                                       current_setting('fsync'), current_setting('full_page_writes')";
    let (encoding, synchronous_commit, fsync, full_page_writes): (String, String, String, String) =
        sqlx::query_as(SQL_POSTGRES).fetch_one(conn).await?;
    expect_setting("server_encoding", encoding, "UTF8")?;
    if durability == Durability::Full {
        expect_setting("synchronous_commit", synchronous_commit, "on")?;
        expect_setting("fsync", fsync, "on")?;
        expect_setting("full_page_writes", full_page_writes, "on")?;
    }
    Ok(())
}
