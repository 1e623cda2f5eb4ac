//! Projection on one core, beside programs and libraries that parse and print the same bytes.
//!
//! The rivals only parse and print: they check no FHIR, withhold nothing, and collect no labels.

use super::inputs::Inputs;
use super::measure::{Times, rate, ratio, table, time};
use super::processes::{Printer, quiet};
use super::{Effort, progress};
use crate::shipped;
use anyhow::{Context as _, Result, bail, ensure};
use scruple_core::limits::CHUNK_BYTES_MAX;
use scruple_fhir::{Projection, Projector, Shown, Surroundings};
use scruple_policy::{Pack, table as decide};
use scruple_release::{Item, Part, Splitter};
use scruple_seal::{Secret, TokenKey};
use std::collections::HashSet;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// A role that passes, one that is wide, and two narrow ones.
const ASKED: &[(&str, &str)] =
    &[("physician", "TREAT"), ("coder", "HPAYMT"), ("biller", "HPAYMT"), ("front_desk", "PATADMIN")];
/// Set in the process that is pinned.
const PINNED: &str = "SCRUPLE_BENCH_PINNED";

/// Starts this program again on one core, unless it is on one; its output is ours then.
///
/// # Errors
/// It fails there.
pub fn pinned() -> Result<bool> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores == 1 || std::env::var_os(PINNED).is_some() || !quiet(Command::new("taskset").arg("-V")).unwrap_or(false) {
        return Ok(false);
    }
    // The last one: interrupts and everybody else tend to be on the first.
    let own = std::env::current_exe()?;
    let core = (cores - 1).to_string();
    let mut command = Command::new("taskset");
    command.args(["-c", &core]).arg(own).args(std::env::args_os().skip(1)).env(PINNED, &core);
    let status = command.status().context("cannot start `taskset`")?;
    if !status.success() {
        bail!("the pinned process ends with {status}");
    }
    Ok(true)
}

/// Answers about references, as `filter` has them: a set of what shows.
struct Around {
    shown: Option<HashSet<String>>,
    token: TokenKey,
}

impl Surroundings for Around {
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool> {
        self.shown.as_ref().map_or(Some(true), |shown| Some(shown.contains(&format!("{resource_type}/{id}"))))
    }

    fn shows_urn(&self, urn: &str) -> Option<bool> {
        self.shown.as_ref().map_or(Some(true), |shown| Some(shown.contains(urn)))
    }

    fn token(&self, kind: &str, value: &str) -> String {
        self.token.token(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        (2026, 3, 1)
    }
}

/// One role's decision, ready.
struct Ours {
    name: String,
    projection: Projection,
    around: Around,
}

impl Ours {
    fn new(pack: &Pack, role: &str, purpose: &str) -> Result<Self> {
        let table = decide(pack, &shipped::question(pack, role, purpose)?)?;
        let projection = Projection::new(Arc::clone(&pack.annotation), table);
        let around = Around { shown: None, token: TokenKey::new(&Secret::new([7; 32])) };
        Ok(Self { name: format!("{role}, {purpose}"), projection, around })
    }

    /// The projector alone: each input a resource or a Bundle in memory.
    fn projector(&self, inputs: &[Vec<u8>], out: &mut Vec<u8>) -> usize {
        let mut projector = Projector::new(&self.projection, &self.around);
        let mut bytes = 0;
        for input in inputs {
            out.clear();
            let _ = black_box(projector.project(input, out));
            bytes += black_box(&*out).len();
        }
        bytes
    }

    /// As `filter` does it, on one thread and without the ledger: split, if references ask a first pass, project.
    fn filter(&self, stream: &[u8], lines: bool) -> Result<usize> {
        let shown = if self.projection.asks() {
            let mut projector = Projector::new(&self.projection, &self.around);
            let (mut shown, mut scratch) = (HashSet::new(), Vec::new());
            each_item(stream, lines, |item| {
                scratch.clear();
                if let Some(found) = show(&mut projector, item, &mut scratch) {
                    shown.extend(found.id.map(|id| format!("{}/{id}", found.resource_type)));
                    shown.extend(found.urn);
                }
            })?;
            Some(shown)
        } else {
            None
        };
        let around = Around { shown, token: TokenKey::new(&Secret::new([7; 32])) };
        let mut projector = Projector::new(&self.projection, &around);
        let (mut bytes, mut chunk) = (0, Vec::new());
        each_item(stream, lines, |item| {
            let before = chunk.len();
            if show(&mut projector, item, &mut chunk).is_some() {
                chunk.push(b'\n');
            }
            bytes += chunk.len() - before;
            if chunk.len() >= CHUNK_BYTES_MAX {
                black_box(&chunk);
                chunk.clear();
            }
        })?;
        Ok(bytes)
    }
}

fn show(projector: &mut Projector<'_>, item: &Item, out: &mut Vec<u8>) -> Option<Shown> {
    let bytes = item.bytes.as_ref().ok()?;
    if item.is_entry { projector.project_entry(bytes, out) } else { projector.project(bytes, out) }.ok()
}

fn each_item(stream: &[u8], lines: bool, mut take: impl FnMut(&Item)) -> Result<()> {
    let mut splitter = Splitter::new(stream, 1, lines);
    while let Some(part) = splitter.next()? {
        if let Part::Item(item) = part {
            take(&item);
        }
    }
    Ok(())
}

/// What is measured in one row: how it is run, and how many bytes come out.
type Contender<'c> = (String, Box<dyn FnMut() -> Result<(Duration, usize)> + 'c>);

struct Measured {
    name: String,
    times: Times,
    bytes_out: usize,
}

/// The section of the projection.
///
/// # Errors
/// An input cannot be read, or something fails that should not.
pub fn projection(effort: Effort) -> Result<String> {
    let inputs = Inputs::load(effort.megabytes)?;
    let pack = shipped::pack()?;
    let ours: Vec<Ours> = ASKED.iter().map(|(role, purpose)| Ours::new(&pack, role, purpose)).collect::<Result<_>>()?;
    let core = std::env::var(PINNED).map_or_else(
        |_| "Not pinned to a core (no `taskset`); all on one thread.".to_owned(),
        |core| format!("Everything on core {core} alone (`taskset`), rivals too."),
    );
    let cpu = std::env::var("SCRUPLE_BENCH_CPU").unwrap_or_else(|_| "the default target".to_owned());
    let mut text = format!(
        "{core} Compiled for {cpu}, all Rust with the same flags, jq as Debian ships it. Input: {}. MB/s of input, best and \
         median of {} runs in turn. Libraries read from and write to memory: `sonic_rs::from_slice::<Value>` and `to_vec`, \
         `serde_json` likewise. `jq -c .` and `jaq -c .` are whole processes, start included, from a cached file to \
         /dev/null. Rivals only parse and print. \"projector\" has each input in memory; \"as filter\" splits the stream too \
         and reads it twice where references may depend on labels. Ratios are of the bests.\n",
        inputs.source, effort.runs
    );
    for (title, parts, lines) in [("Pretty Bundles", &inputs.bundles, false), ("Minified NDJSON", &inputs.lines, true)]
    {
        text += &one_input(title, parts, lines, &ours, effort)?;
    }
    Ok(text)
}

fn one_input(title: &str, parts: &[Vec<u8>], lines: bool, ours: &[Ours], effort: Effort) -> Result<String> {
    let stream = parts.join(&b'\n');
    let bytes_in = stream.len();
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), &stream)?;
    let mut missing = Vec::new();
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    contenders.push(("sonic_rs".to_owned(), Box::new(|| parse_and_print(parts, sonic))));
    contenders.push(("serde_json".to_owned(), Box::new(|| parse_and_print(parts, serde))));
    for (name, printer) in [("jq", Printer::jq()), ("jaq", Printer::jaq())] {
        match printer.and_then(|printer| Ok((printer.output_bytes(file.path())?, printer))) {
            Ok((bytes_out, printer)) => {
                let path = file.path();
                contenders.push((printer.name.clone(), Box::new(move || Ok((printer.run(path)?, bytes_out)))));
            }
            Err(error) => missing.push(format!("{name}: not run, {error:#}.")),
        }
    }
    let rivals = contenders.len();
    for role in ours {
        let mut out = Vec::new();
        let projector = move || Ok(time(|| role.projector(parts, &mut out)));
        contenders.push((format!("{}: projector", role.name), Box::new(projector)));
        let stream = &stream;
        let filter = move || {
            let (took, bytes) = time(|| role.filter(stream, lines));
            Ok((took, bytes?))
        };
        let passes = if role.projection.asks() { ", two passes" } else { "" };
        contenders.push((format!("{}: as filter{passes}", role.name), Box::new(filter)));
    }
    let measured = in_turn(title, contenders, effort.runs)?;
    let (rivals, ours) = measured.split_at_checked(rivals).context("fewer were measured than there are")?;
    let best = |one: &Measured| rate(bytes_in, one.times.best());
    let row = |one: &Measured| {
        vec![
            one.name.clone(),
            format!("{:.0}", best(one)),
            format!("{:.0}", rate(bytes_in, one.times.median())),
            one.bytes_out.to_string(),
            format!("{:.3}", one.bytes_out as f64 / bytes_in as f64),
        ]
    };
    let mut text = format!("\n**{title}**: {} inputs, {bytes_in} bytes\n\n", parts.len());
    text +=
        &table(&["rival", "best MB/s", "median", "bytes out", "out/in"], &rivals.iter().map(row).collect::<Vec<_>>());
    let ratios: Vec<String> = rivals.iter().map(|rival| format!("÷ {}", rival.name)).collect();
    let mut header = vec!["Scruple", "best MB/s", "median", "bytes out", "out/in"];
    header.extend(ratios.iter().map(String::as_str));
    let with_ratios = |one: &Measured| {
        let mut cells = row(one);
        cells.extend(rivals.iter().map(|rival| ratio(best(one), best(rival))));
        cells
    };
    text += &format!("\n{}", table(&header, &ours.iter().map(with_ratios).collect::<Vec<_>>()));
    for line in missing {
        text += &format!("\n{line}\n");
    }
    Ok(text)
}

/// Measures all in turn, so that a machine that changes its speed changes it for all. The first round warms up.
fn in_turn(title: &str, mut contenders: Vec<Contender<'_>>, runs: usize) -> Result<Vec<Measured>> {
    let mut times = vec![Vec::new(); contenders.len()];
    let mut bytes_out = vec![0; contenders.len()];
    for round in 0..=runs {
        progress(&format!("{title}: round {round} of {runs}"));
        for (((name, run), times), bytes_out) in contenders.iter_mut().zip(&mut times).zip(&mut bytes_out) {
            let (took, bytes) = run()?;
            ensure!(round == 0 || bytes == *bytes_out, "{name} prints another number of bytes each time");
            *bytes_out = bytes;
            if round > 0 {
                times.push(took);
            }
        }
    }
    let named = contenders.into_iter().map(|(name, _)| name);
    Ok(named
        .zip(times)
        .zip(bytes_out)
        .map(|((name, times), bytes_out)| Measured { name, times: Times::new(times), bytes_out })
        .collect())
}

fn parse_and_print(parts: &[Vec<u8>], print: fn(&[u8]) -> Result<Vec<u8>>) -> Result<(Duration, usize)> {
    let mut bytes = 0;
    let (took, result) = time(|| {
        parts.iter().try_for_each(|part| {
            bytes += black_box(print(part)?).len();
            anyhow::Ok(())
        })
    });
    result?;
    Ok((took, bytes))
}

fn sonic(part: &[u8]) -> Result<Vec<u8>> {
    Ok(sonic_rs::to_vec(&sonic_rs::from_slice::<sonic_rs::Value>(part)?)?)
}

fn serde(part: &[u8]) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(part)?)?)
}
