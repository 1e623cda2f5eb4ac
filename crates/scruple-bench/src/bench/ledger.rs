//! Durable entries by number of writers, beside databases that insert the same rows durably on the same disk.
//!
//! Only the ledger seals, chains, hashes into a tree and signs; the databases store the bytes as they are.

use super::disk::fdatasync;
use super::measure::{Times, ratio, short, table};
use super::sql::{Rival, Shape};
use super::{Effort, progress};
use anyhow::{Context as _, Result, ensure};
use scruple_core::{FixedClock, Timestamp};
use scruple_ledger::{AppendError, Ledger, OpenOptions, VerifyOptions, verify};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 512;
const WRITERS: [usize; 4] = [1, 8, 64, 512];

/// What a number of writers reached.
pub struct Reached {
    /// Entries a second.
    pub rate: f64,
    /// From the call to the acknowledgement.
    pub times: Times,
}

impl Reached {
    pub fn new(times: Vec<Duration>, took: Duration) -> Self {
        Self { rate: times.len() as f64 / took.as_secs_f64(), times: Times::new(times) }
    }
}

/// The section of the ledger.
///
/// # Errors
/// The disk or a database fails, or what was written does not verify.
pub fn ledger(effort: Effort) -> Result<String> {
    let dir = tempfile::Builder::new().prefix("scruple-bench-ledger-").tempdir()?;
    let time = Duration::from_secs(effort.seconds);
    let syncs = fdatasync(dir.path())?;
    let mut columns: Vec<(String, Vec<Reached>)> = vec![("Scruple".to_owned(), Vec::new())];
    let mut notes = Vec::new();
    for writers in WRITERS {
        progress(&format!("ledger: {writers} writers"));
        let reached = scruple(&dir.path().join(format!("ledger-{writers}")), writers, time)?;
        columns
            .iter_mut()
            .take(1)
            .for_each(|(_, all)| all.push(Reached { rate: reached.rate, times: reached.times.clone() }));
    }
    let mut rivals = vec![Rival::sqlite(&dir.path().join("rows.sqlite"))];
    match std::env::var("SCRUPLE_BENCH_POSTGRES") {
        Ok(address) if !address.is_empty() => rivals.push(Rival::postgres(&address)),
        _ => notes.push("PostgreSQL: not run: SCRUPLE_BENCH_POSTGRES gives no address.".to_owned()),
    }
    for rival in rivals {
        let (name, rival) = rival;
        let rival = match rival {
            Ok(rival) => rival,
            Err(error) => {
                notes.push(format!("{name}: not run: {error:#}."));
                continue;
            }
        };
        for shape in [Shape::CommitEach, Shape::Grouped] {
            let mut all = Vec::new();
            for writers in WRITERS {
                progress(&format!("{name}, {}: {writers} writers", shape.words()));
                all.push(rival.run(shape, writers, time)?);
            }
            columns.push((format!("{name}, {}", shape.words()), all));
        }
    }
    Ok(section(&syncs, &columns, &notes, effort))
}

fn section(syncs: &Times, columns: &[(String, Vec<Reached>)], notes: &[String], effort: Effort) -> String {
    let mut text = format!(
        "Entries of {ENTRY_BYTES} bytes for {} s by each number of writers; each waits until its entry is durable. fdatasync \
         of 4 KiB in a file that is already written, on this disk: p50 {}, p99 {}. Scruple seals, chains, hashes into the \
         tree and signs; what it wrote was verified afterwards. The databases insert a row of the same bytes: SQLite WAL with \
         synchronous=FULL, PostgreSQL with synchronous_commit=on; a commit for each row ({} connections at most), or one \
         writer that commits all rows that wait.\n\n",
        effort.seconds,
        short(syncs.median()),
        short(syncs.at(99)),
        super::sql::CONNECTIONS_MAX,
    );
    let mut header = vec!["entries/s; p50; p99".to_owned()];
    header.extend(WRITERS.iter().map(|writers| format!("{writers} writers")));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let cell = |one: &Reached| format!("{:.0}; {}; {}", one.rate, short(one.times.median()), short(one.times.at(99)));
    let row =
        |(name, all): &(String, Vec<Reached>)| std::iter::once(name.clone()).chain(all.iter().map(cell)).collect();
    text += &table(&header, &columns.iter().map(row).collect::<Vec<Vec<String>>>());
    if let Some(((_, ours), rivals)) = columns.split_first()
        && !rivals.is_empty()
    {
        let row = |(name, all): &(String, Vec<Reached>)| {
            let ratios = ours.iter().zip(all).map(|(ours, theirs)| ratio(ours.rate, theirs.rate));
            std::iter::once(name.clone()).chain(ratios).collect()
        };
        let mut header = header.clone();
        header.splice(..1, ["entries/s of Scruple ÷"]);
        text += &format!("\n{}", table(&header, &rivals.iter().map(row).collect::<Vec<Vec<String>>>()));
    }
    notes.iter().fold(text, |text, note| text + "\n" + note + "\n")
}

fn scruple(dir: &Path, writers: usize, time: Duration) -> Result<Reached> {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(1_772_352_000_000_000)));
    let ledger = Ledger::create(dir, OpenOptions::new("bench.example/ledger", clock))?;
    let begin = Instant::now();
    let written: Vec<Result<Vec<Duration>, AppendError>> = std::thread::scope(|scope| {
        let spawn = |writer: usize| {
            let ledger = &ledger;
            scope.spawn(move || write(ledger, writer, begin, time))
        };
        let threads: Vec<_> = (0..writers).map(spawn).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let took = begin.elapsed();
    ensure!(written.len() == writers, "a writer panicked");
    let mut times = Vec::new();
    for one in written {
        times.extend(one?);
    }
    ledger.integrate_now()?;
    let kept = ledger.checkpoint();
    ledger.close()?;
    let report = verify(dir, VerifyOptions { outside_checkpoint: Some(kept), ..VerifyOptions::default() })?;
    ensure!(report.is_good(), "what was written does not verify: {report}");
    ensure!(
        report.entries == times.len() as u64,
        "{} entries are there, {} were acknowledged",
        report.entries,
        times.len()
    );
    std::fs::remove_dir_all(dir).context("the ledger of the benchmark cannot be removed")?;
    Ok(Reached::new(times, took))
}

fn write(ledger: &Ledger, writer: usize, begin: Instant, time: Duration) -> Result<Vec<Duration>, AppendError> {
    let payload = [u8::try_from(writer % 256).unwrap_or(0); ENTRY_BYTES];
    let mut times = Vec::new();
    while begin.elapsed() < time {
        let start = Instant::now();
        ledger.append(&payload, None)?;
        times.push(start.elapsed());
    }
    Ok(times)
}
