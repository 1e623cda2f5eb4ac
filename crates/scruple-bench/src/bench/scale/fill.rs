//! Fills the database: people with their directory and roles, the pack of so many roles, and the index of charts.

use super::Size;
use crate::bench::progress;
use crate::node::{SystemClock, root};
use anyhow::{Context as _, Result};
use scruple_app::{SeedPerson, StoreKeys, seed_workforce};
use scruple_core::{Clock, Id, Phi, Timestamp, new_id};
use scruple_flow::directory::{Attributes, Employment};
use scruple_policy::PackFiles;
use scruple_seal::SystemRng;
use scruple_store::{
    AccessBasis, AccessOutcome, AccessSource, Aggregate, Durability, Event, NewChartAccess, NewDirectoryRecord,
    NewEvent, Options, Person, ShardId, ShardLease, SourceKind, Store, Subjects, Tx, find_person_by_login,
    insert_directory,
};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::path::{Path, PathBuf};

/// The shard that fills; nodes count from 1.
const SHARD: ShardId = ShardId(900);
/// Microseconds for which its lease is taken.
const LEASE_MICROS: i64 = 6 * 3_600 * 1_000_000;
/// People that are added at a time.
const CHUNK: usize = 500;
/// Accesses that are stored in one transaction.
const BATCH: usize = 2_000;
/// Accesses of one patient, on average.
const PER_PATIENT: usize = 25;
/// The patient whom many look at, and one in how many accesses is of him.
const KNOWN: &str = "well-known";
const KNOWN_EVERY: usize = 10_000;
/// The accesses lie in so long before now.
const PERIOD_MICROS: i64 = 365 * 24 * 3_600 * 1_000_000;
/// People of one manager.
const TEAM: usize = 40;

/// Who signs in to the console, with his role.
pub const OFFICERS: [(&str, &str); 3] =
    [("scale.privacy", "privacy_officer"), ("scale.manager", "manager"), ("scale.nurse", "nurse")];

/// What was filled.
pub struct Filled {
    /// The database's address.
    pub database: String,
    /// The folder of the policy pack.
    pub pack: PathBuf,
    pub store: Store,
    /// By which rows are added.
    pub lease: ShardLease,
    /// In the order of [`OFFICERS`].
    pub officers: Vec<Id<Person>>,
    /// Some of the others: login, id, role.
    pub people: Vec<(String, Id<Person>, String)>,
    /// The record numbers of some patients, the well-known one first.
    pub patients: Vec<String>,
}

/// Fills a new database of the server.
pub async fn fill(dir: &Path, server: &str, size: Size) -> Result<Filled> {
    let database = new_database(server).await?;
    let roles = pack_of(&dir.join("pack"), size.roles)?;
    let keys = StoreKeys::new(&root(), Box::new(SystemRng))?;
    let store = Store::connect(Options::parse(&database, Durability::Relaxed)?, Box::new(keys)).await?;
    store.migrate().await?;
    let now = SystemClock.now();
    let lease = store.acquire_shard(SHARD, "scale", now, now.plus_micros(LEASE_MICROS)).await?;
    let lease = lease.context("another process holds the shard")?;
    let (officers, people) = add_people((&store, &lease), &roles, size.people).await?;
    let patients = add_accesses(&store, &people, size.accesses).await?;
    let mut connection = PgConnection::connect(&database).await?;
    connection.execute("ANALYZE").await?;
    connection.close().await?;
    Ok(Filled { database, pack: dir.join("pack"), store, lease, officers, people, patients })
}

async fn new_database(server: &str) -> Result<String> {
    let name = format!("scale_{}", std::process::id());
    let mut connection = PgConnection::connect(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    connection.close().await?;
    let (head, query) =
        server.split_once('?').map_or((server, String::new()), |(head, query)| (head, format!("?{query}")));
    let (place, _) = head.rsplit_once('/').context("the server's address has no database")?;
    Ok(format!("{place}/{name}{query}"))
}

/// A pack of so many roles: those that ship, and copies of those who treat.
fn pack_of(dir: &Path, count: usize) -> Result<Vec<String>> {
    let mut files = PackFiles::embedded().assuming_relationships();
    let mut roles: Vec<String> = files
        .0
        .keys()
        .filter_map(|name| Some(name.strip_prefix("roles/")?.strip_suffix(".toml")?.to_owned()))
        .collect();
    let shipped = roles.clone();
    for number in 0..count.saturating_sub(shipped.len()) {
        let Some(base) = shipped.get(number % shipped.len().max(1)) else { break };
        let name = format!("{base}_{number:03}");
        let text = files.0.get(&format!("roles/{base}.toml")).cloned().unwrap_or_default();
        files.0.insert(format!("roles/{name}.toml"), text);
        for table in ["segment-by-role.csv", "relationships.csv"] {
            if let Some(text) = files.0.get_mut(table) {
                let line = text.lines().find(|line| line.starts_with(&format!("{base},")));
                if let Some(line) = line.map(|line| line.replacen(base.as_str(), &name, 1)) {
                    *text += &format!("{line}\n");
                }
            }
        }
        roles.push(name);
    }
    for (name, text) in &files.0 {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
        std::fs::write(path, text)?;
    }
    Ok(roles)
}

type People = Vec<(String, Id<Person>, String)>;

async fn add_people(
    (store, lease): (&Store, &ShardLease),
    roles: &[String],
    count: usize,
) -> Result<(Vec<Id<Person>>, People)> {
    let now = SystemClock.now();
    // Doctors and nurses first among those who are told of, so that there is somebody to leave.
    let told: Vec<(String, String)> = (0..count)
        .filter_map(|number| {
            let role = roles.get(number % roles.len().max(1))?;
            let role = if number % 7 == 0 { "physician" } else { role.as_str() };
            Some((format!("person.{number:05}"), role.to_owned()))
        })
        .collect();
    let officers = OFFICERS.map(|(login, role)| (login.to_owned(), role.to_owned()));
    let mut ids = Vec::with_capacity(count);
    let everybody: Vec<&(String, String)> = officers.iter().chain(&told).collect();
    let mut managers: Vec<Id<Person>> = Vec::new();
    for (place, chunk) in everybody.chunks(CHUNK).enumerate() {
        progress(&format!("people: {}", place * CHUNK));
        let seeds: Vec<SeedPerson<'_>> =
            chunk.iter().map(|(login, role)| SeedPerson { login, name: login, role, practitioners: &[] }).collect();
        seed_workforce(store, lease, &SystemClock, &mut SystemRng, &seeds).await?;
        let mut tx = store.begin().await?;
        for (login, role) in chunk {
            let person = find_person_by_login(&mut tx, &login.parse()?).await?.context("nobody was added")?;
            let number = ids.len();
            // The second officer is a manager, of those who come next.
            if number % TEAM == 1 {
                managers.push(person.id);
            }
            let manager = managers.iter().rev().copied().find(|id| *id != person.id);
            let attributes = Attributes {
                employee_number: Some(Phi::new(format!("E{number:06}"))),
                title: Some(Phi::new(role.clone())),
                department: Some(Phi::new(format!("Unit {}", number % 300))),
                manager,
                employment: Some(Employment::Employee),
                ..Attributes::default()
            };
            let document = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": login });
            let document = Phi::new(document.to_string().into_bytes());
            insert_directory(&mut tx, &NewDirectoryRecord { person: person.id, attributes, document, at: now }).await?;
            ids.push((login.clone(), person.id, role.clone()));
        }
        commit(tx, lease).await?;
    }
    let people = ids.split_off(OFFICERS.len());
    Ok((ids.into_iter().map(|(_, id, _)| id).collect(), people))
}

/// Commits rows that nobody did: the bench's own.
pub async fn commit(tx: Tx, lease: &ShardLease) -> Result<()> {
    let now = SystemClock.now();
    let id: Id<Event> = new_id(now, &mut SystemRng);
    let aggregate = Aggregate::new("bench", id);
    let event =
        NewEvent { id, aggregate, version: 1, at: now, kind: "bench_filled", subjects: Subjects::none(), body: b"{}" };
    tx.commit(lease, &[event]).await?;
    Ok(())
}

async fn add_accesses(store: &Store, people: &People, count: usize) -> Result<Vec<String>> {
    let now = SystemClock.now();
    let source = store.ensure_source(new_id(now, &mut SystemRng), (SourceKind::Csv, "record system"), now).await?;
    let source = source.context("another kind of log has this code")?;
    let patients = (count / PER_PATIENT).max(1);
    let half = count / 2;
    let (one, other) = tokio::join!(
        store_accesses(store, people, (source, now), (0, half, count)),
        store_accesses(store, people, (source, now), (half, count, count))
    );
    one.and(other)?;
    let some = (0..200).map(|number| format!("r{:07}", number * 31 % patients));
    Ok(std::iter::once(KNOWN.to_owned()).chain(some).collect())
}

async fn store_accesses(
    store: &Store,
    people: &People,
    (source, now): (Id<AccessSource>, Timestamp),
    (from, until, count): (usize, usize, usize),
) -> Result<()> {
    let patients = (count / PER_PATIENT).max(1);
    let mut batch = Vec::with_capacity(BATCH);
    for number in from..until {
        // Spread without a pattern that an index would like.
        let drawn = number.wrapping_mul(2_654_435_761) >> 3;
        let Some((login, person, role)) = people.get(drawn % people.len().max(1)) else { break };
        let patient = if number % KNOWN_EVERY == 0 { KNOWN.to_owned() } else { format!("r{:07}", drawn % patients) };
        let age = i64::try_from((count - number) as u128 * PERIOD_MICROS as u128 / count as u128)?;
        let at = now.plus_micros(-age);
        batch.push(NewChartAccess {
            id: new_id(at, &mut SystemRng),
            source,
            once: Phi::new(format!("scale {number}")),
            at,
            patient: Phi::new(format!("number:{patient}")),
            person: Some(*person),
            actor: Phi::new(login.clone()),
            role: Some(role.clone()),
            purpose: Some("TREAT".to_owned()),
            outcome: AccessOutcome::Opened,
            basis: AccessBasis::Unknown,
            grant: None,
            elevation: None,
            entry: None,
            outside: false,
            // Each reads at a place of his own.
            place: Some(Phi::new(format!("W-{login}"))),
            facts: Phi::new(br#"{"action":"read"}"#.to_vec()),
        });
        if batch.len() == BATCH || number + 1 == until {
            store.append_log(&batch).await?;
            batch.clear();
            if (number - from) % 100_000 < BATCH {
                progress(&format!("accesses: {number} of {count}"));
            }
        }
    }
    Ok(())
}
