//! The ledger's rivals: the same rows inserted durably into SQLite and PostgreSQL.

use super::ledger::{ENTRY_BYTES, Reached};
use anyhow::{Context as _, Result, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Connections to PostgreSQL; more writers share them.
pub const CONNECTIONS_MAX: usize = 100;
/// Rows that one transaction takes, as many as the ledger's batch.
const GROUP_MAX: usize = scruple_core::limits::LEDGER_BATCH_MAX;

/// How rows are committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A transaction for each row.
    CommitEach,
    /// One task takes all rows that wait into one transaction.
    Grouped,
}

impl Shape {
    pub const fn words(self) -> &'static str {
        match self {
            Self::CommitEach => "a commit each",
            Self::Grouped => "grouped",
        }
    }
}

/// A database that is measured.
pub struct Rival {
    runtime: Runtime,
    address: Address,
}

#[derive(Clone)]
enum Address {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    async fn open(address: &Address) -> Result<Self> {
        Ok(match address {
            Address::Sqlite(options) => Self::Sqlite(options.connect().await?),
            Address::Postgres(options) => Self::Postgres(options.connect().await?),
        })
    }

    /// Inserts rows in one transaction, durable when it returns.
    async fn insert(&mut self, rows: &[Vec<u8>]) -> Result<()> {
        match self {
            Self::Sqlite(conn) => {
                const SQL_SQLITE: &str = "INSERT INTO entry (payload) VALUES (?1)";
                let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
                for row in rows {
                    sqlx::query(SQL_SQLITE).bind(row).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
            Self::Postgres(conn) => {
                const SQL_ONE: &str = "INSERT INTO entry (payload) VALUES ($1)";
                const SQL_MANY: &str = "INSERT INTO entry (payload) SELECT unnest($1::bytea[])";
                // One statement is a transaction of its own: no round trips for BEGIN and COMMIT.
                match rows {
                    [row] => sqlx::query(SQL_ONE).bind(row).execute(conn).await?,
                    rows => sqlx::query(SQL_MANY).bind(rows).execute(conn).await?,
                };
            }
        }
        Ok(())
    }

    async fn create(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(conn) => {
                const SQL_DROP: &str = "DROP TABLE IF EXISTS entry";
                const SQL_SQLITE: &str = "CREATE TABLE entry (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)";
                sqlx::query(SQL_DROP).execute(&mut *conn).await?;
                sqlx::query(SQL_SQLITE).execute(conn).await?;
            }
            Self::Postgres(conn) => {
                const SQL_DROP: &str = "DROP TABLE IF EXISTS entry";
                const SQL_POSTGRES: &str =
                    "CREATE TABLE entry (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload BYTEA NOT NULL)";
                sqlx::query(SQL_DROP).execute(&mut *conn).await?;
                sqlx::query(SQL_POSTGRES).execute(conn).await?;
            }
        }
        Ok(())
    }

    async fn count(&mut self) -> Result<usize> {
        const SQL: &str = "SELECT COUNT(*) FROM entry";
        let (count,): (i64,) = match self {
            Self::Sqlite(conn) => sqlx::query_as(SQL).fetch_one(conn).await?,
            Self::Postgres(conn) => sqlx::query_as(SQL).fetch_one(conn).await?,
        };
        Ok(usize::try_from(count)?)
    }

    /// What makes a commit durable, as the server says it.
    async fn settings(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(conn) => {
                const SQL_SQLITE: &str =
                    "SELECT journal_mode, (SELECT synchronous FROM pragma_synchronous) FROM pragma_journal_mode";
                let (journal, synchronous): (String, i64) = sqlx::query_as(SQL_SQLITE).fetch_one(conn).await?;
                ensure!(
                    journal == "wal" && synchronous == 2,
                    "SQLite runs with {journal} and synchronous={synchronous}"
                );
            }
            Self::Postgres(conn) => {
                const SQL_POSTGRES: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";
                let (commit, fsync): (String, String) = sqlx::query_as(SQL_POSTGRES).fetch_one(conn).await?;
                ensure!(
                    commit == "on" && fsync == "on",
                    "PostgreSQL runs with synchronous_commit={commit}, fsync={fsync}"
                );
            }
        }
        Ok(())
    }
}

/// A row on its way into a group.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

impl Rival {
    /// SQLite in a file.
    pub fn sqlite(path: &Path) -> (&'static str, Result<Self>) {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .disable_statement_logging();
        ("SQLite", Self::open(Address::Sqlite(options)))
    }

    /// PostgreSQL at an address.
    pub fn postgres(address: &str) -> (&'static str, Result<Self>) {
        let options = PgConnectOptions::from_str(address)
            .context("SCRUPLE_BENCH_POSTGRES is no address")
            .map(|options| options.options([("synchronous_commit", "on")]).disable_statement_logging());
        ("PostgreSQL", options.and_then(|options| Self::open(Address::Postgres(options))))
    }

    fn open(address: Address) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async { Conn::open(&address).await?.settings().await })?;
        Ok(Self { runtime, address })
    }

    /// Inserts rows for so long by so many writers.
    ///
    /// # Errors
    /// The database fails, or does not have the rows in the end.
    pub fn run(&self, shape: Shape, writers: usize, time: Duration) -> Result<Reached> {
        self.runtime.block_on(async {
            let mut first = Conn::open(&self.address).await?;
            first.create().await?;
            let begin = Instant::now();
            let times = match shape {
                Shape::CommitEach => self.commit_each(writers, time).await?,
                Shape::Grouped => self.grouped(writers, time).await?,
            };
            let took = begin.elapsed();
            let rows = first.count().await?;
            ensure!(rows == times.len(), "{rows} rows are there, {} were acknowledged", times.len());
            Ok(Reached::new(times, took))
        })
    }

    async fn commit_each(&self, writers: usize, time: Duration) -> Result<Vec<Duration>> {
        // SQLite has one writer: waiting for it in a queue is better for all than its busy handler.
        let connections = match self.address {
            Address::Sqlite(_) => 1,
            Address::Postgres(_) => writers.min(CONNECTIONS_MAX),
        };
        let mut pool = Vec::new();
        for _ in 0..connections {
            pool.push(Arc::new(Mutex::new(Conn::open(&self.address).await?)));
        }
        let begin = Instant::now();
        let spawn = |(writer, conn): (usize, Arc<Mutex<Conn>>)| {
            tokio::spawn(async move {
                let row = [payload(writer)];
                let mut times = Vec::new();
                while begin.elapsed() < time {
                    let start = Instant::now();
                    conn.lock().await.insert(&row).await?;
                    times.push(start.elapsed());
                }
                anyhow::Ok(times)
            })
        };
        let shared = pool.iter().cycle().map(Arc::clone);
        let tasks: Vec<_> = (0..writers).zip(shared).map(spawn).collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        Ok(times)
    }

    async fn grouped(&self, writers: usize, time: Duration) -> Result<Vec<Duration>> {
        let mut conn = Conn::open(&self.address).await?;
        let (sender, mut receiver) = mpsc::channel::<Waiting>(writers.max(1));
        let committer = tokio::spawn(async move {
            let mut waiting = Vec::new();
            while receiver.recv_many(&mut waiting, GROUP_MAX).await > 0 {
                let (rows, told): (Vec<Vec<u8>>, Vec<oneshot::Sender<()>>) = waiting.drain(..).unzip();
                conn.insert(&rows).await?;
                for told in told {
                    let _ = told.send(());
                }
            }
            anyhow::Ok(())
        });
        let begin = Instant::now();
        let spawn = |writer| {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                while begin.elapsed() < time {
                    let start = Instant::now();
                    let (told, hears) = oneshot::channel();
                    if sender.send((payload(writer), told)).await.is_err() || hears.await.is_err() {
                        bail!("the committing task is gone");
                    }
                    times.push(start.elapsed());
                }
                Ok(times)
            })
        };
        let tasks: Vec<_> = (0..writers).map(spawn).collect();
        drop(sender);
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        committer.await??;
        Ok(times)
    }
}

fn payload(writer: usize) -> Vec<u8> {
    vec![u8::try_from(writer % 256).unwrap_or(0); ENTRY_BYTES]
}
