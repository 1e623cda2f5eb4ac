//! Databases for organisations, one each: copies of one that has its tables and nothing else.

use crate::error::{SimulateError, Sound, failed};
use scruple_app::StoreKeys;
use scruple_seal::{RootKey, Secret};
use scruple_store::{Durability, Options, Store};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// Where databases are made.
#[derive(Debug)]
pub struct Databases {
    place: Place,
    next: AtomicU64,
}

#[derive(Debug)]
enum Place {
    Sqlite(TempDir),
    Postgres { server: String, programs: PathBuf, prefix: String },
}

/// One organisation's database; it is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Database<'a> {
    pub address: String,
    of: &'a Databases,
    name: String,
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        match &self.of.place {
            Place::Sqlite(folder) => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(folder.path().join(format!("{}{end}", self.name)));
                }
            }
            Place::Postgres { server, programs, .. } => {
                let _ = administer(programs, "dropdb", server, &["--if-exists", "--force", &self.name]);
            }
        }
    }
}

async fn migrate(address: &str) -> Sound<()> {
    let keys = StoreKeys::new(&RootKey::new(Secret::new([7; 32])), Box::new(crate::draw::generator(0)));
    let keys = keys.map_err(failed("deriving keys"))?;
    let options = Options::parse(address, Durability::Relaxed).map_err(failed("reading the address"))?;
    let store = Store::connect(options, Box::new(keys)).await.map_err(failed("connecting"))?;
    store.migrate().await.map_err(failed("making the tables"))?;
    store.close().await;
    Ok(())
}

fn administer(programs: &Path, program: &str, server: &str, arguments: &[&str]) -> Sound<()> {
    let mut command = Command::new(programs.join(program));
    command.arg(format!("--maintenance-db={server}")).args(arguments).stdin(Stdio::null());
    output(command, "administering PostgreSQL").map(drop)
}

fn output(mut command: Command, doing: &'static str) -> Sound<Vec<u8>> {
    let done = command.output().map_err(failed(doing))?;
    let why = || String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() { Ok(done.stdout) } else { Err(SimulateError::Failed { doing, why: why() }) }
}

impl Databases {
    /// Files of SQLite in a folder that goes with this.
    ///
    /// # Errors
    /// The folder or the first database cannot be made.
    pub async fn sqlite() -> Result<Self, SimulateError> {
        let folder = tempfile::tempdir().map_err(failed("making a folder"))?;
        migrate(&format!("sqlite:{}", folder.path().join("template").display())).await?;
        Ok(Self { place: Place::Sqlite(folder), next: AtomicU64::new(0) })
    }

    /// Databases of a server of PostgreSQL, whose names begin with `prefix`, made with its own programs.
    ///
    /// # Errors
    /// There are no programs, or the first database cannot be made.
    pub async fn postgres(server: &str, prefix: &str) -> Result<Self, SimulateError> {
        let missing = || SimulateError::Failed { doing: "looking for createdb", why: "it is not there".to_owned() };
        let folders = std::fs::read_dir("/usr/lib/postgresql").map_err(failed("looking for createdb"))?;
        let folders = folders.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
        let programs = folders.filter(|folder| folder.join("createdb").is_file()).max().ok_or_else(missing)?;
        let place = Place::Postgres { server: server.to_owned(), programs, prefix: prefix.to_owned() };
        let databases = Self { place, next: AtomicU64::new(0) };
        let first = databases.create("template0", &format!("{prefix}_template"))?;
        let address = first.address.clone();
        // It stays until the server goes: the others are made from it.
        std::mem::forget(first);
        migrate(&address).await?;
        Ok(databases)
    }

    fn create(&self, template: &str, name: &str) -> Sound<Database<'_>> {
        let name = name.to_owned();
        let address = match &self.place {
            Place::Sqlite(folder) => {
                let file = folder.path().join(&name);
                std::fs::copy(folder.path().join(template), &file).map_err(failed("copying a database"))?;
                format!("sqlite:{}", file.display())
            }
            Place::Postgres { server, programs, .. } => {
                let settings = [&format!("--template={template}"), "--encoding=UTF8", "--locale=C", &name];
                administer(programs, "createdb", server, &settings)?;
                let host = server.rsplit_once('/').map_or(server.as_str(), |(host, _)| host);
                format!("{host}/{name}")
            }
        };
        Ok(Database { address, of: self, name })
    }

    /// A database for one organisation.
    pub(crate) fn next(&self) -> Sound<Database<'_>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match &self.place {
            Place::Sqlite(_) => self.create("template", &format!("{number}.db")),
            Place::Postgres { prefix, .. } => self.create(&format!("{prefix}_template"), &format!("{prefix}_{number}")),
        }
    }
}

/// All that a database holds, by where it stands.
pub(crate) async fn texts(address: &str) -> Sound<Vec<(String, Vec<u8>)>> {
    if let Some(file) = address.strip_prefix("sqlite:") {
        let mut places = Vec::new();
        for end in ["", "-wal"] {
            if let Ok(bytes) = std::fs::read(format!("{file}{end}")) {
                places.push((format!("the file of the database{end}"), bytes));
            }
        }
        return Ok(places);
    }
    let folders = std::fs::read_dir("/usr/lib/postgresql").map_err(failed("looking for pg_dump"))?;
    let programs = folders.filter_map(|entry| Some(entry.ok()?.path().join("bin/pg_dump")));
    let program = programs.filter(|program| program.is_file()).max();
    let program = program.ok_or(SimulateError::Failed { doing: "dumping", why: "no pg_dump".to_owned() })?;
    let mut command = Command::new(program);
    command.args(["--data-only", "--inserts"]).arg(address).stdin(Stdio::null());
    Ok(vec![("the rows".to_owned(), output(command, "dumping")?)])
}
