//! `scruple admin import-log` and `rebuild-history`: what other systems tell of charts, and the index of what the ledger tells.

use crate::admin::{WhereArgs, take_shard};
use crate::config::Config;
use crate::node::{existing_store, quiet_upstream};
use crate::state::{SystemClock, create_private};
use crate::terminal::{say, tell};
use anyhow::{Context as _, Result, anyhow};
use clap::{Args, ValueEnum};
use scruple_app::charts::{LogReader, Watching};
use scruple_core::Clock as _;
use scruple_formats::Mapping;
use scruple_release::patients_of;
use scruple_seal::SystemRng;
use scruple_store::{ImportCounts, RefusedLine, SourceKind};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

/// Refused lines that are told on the terminal; all of them are in the file of --refused.
const TOLD_MAX: u64 = 20;

/// What a log is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table with a head
    Csv,
    /// FHIR AuditEvent: NDJSON, a Bundle, or one resource
    Fhir,
    /// IHE ATNA: audit messages as XML, in syslog frames or without
    Atna,
}

/// A log to be read.
#[derive(Args)]
pub struct ImportArgs {
    /// The log; `-` is standard input
    file: PathBuf,
    /// File that says what its columns are, its time zone, and how it names people and patients
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// What it is
    #[arg(long, value_enum)]
    format: Format,
    /// A new file for the lines that are refused, as they stand. It holds what they hold: keep it as you keep the log
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Ask the record system for each patient that the log names, and tell how many it does not know
    #[arg(long)]
    check_patients: bool,
    #[command(flatten)]
    pub place: WhereArgs,
}

/// Hears of the run.
struct Terminal {
    name: String,
    bar: Option<indicatif::ProgressBar>,
    file: Option<File>,
    refused: Vec<serde_json::Value>,
    count: u64,
    json: bool,
}

impl Watching for Terminal {
    fn goes_on(&mut self, counts: &ImportCounts) {
        if let Some(bar) = &self.bar {
            bar.set_position(counts.lines);
        }
    }

    fn refused(&mut self, line: &RefusedLine) -> io::Result<()> {
        self.count += 1;
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", line.text.expose())?;
        }
        if self.count <= TOLD_MAX {
            if self.json {
                self.refused.push(json!({ "line": line.line, "field": line.field, "reason": line.reason }));
            } else {
                tell(&format!("{}:{}: {}: {}", self.name, line.line, line.field, line.reason));
            }
        }
        Ok(())
    }
}

/// Runs the command.
pub async fn run(args: &ImportArgs) -> Result<()> {
    let text =
        std::fs::read_to_string(&args.mapping).with_context(|| format!("cannot read `{}`", args.mapping.display()))?;
    let mapping = Mapping::parse(&text).map_err(|error| anyhow!("`{}`: {error}", args.mapping.display()))?;
    let (kind, from) = open(args)?;
    let config = Config::load(args.place.config.as_deref())?;
    let store = existing_store(&config).await?;
    let lease = take_shard(&store).await?;
    let (clock, mut rng) = (SystemClock, SystemRng);
    let mut terminal = Terminal {
        name: args.file.display().to_string(),
        bar: (io::stderr().is_terminal() && !args.place.json).then(indicatif::ProgressBar::new_spinner),
        file: args.refused.as_deref().map(create_private).transpose()?,
        refused: Vec::new(),
        count: 0,
        json: args.place.json,
    };
    let operator = operator();
    let reader = LogReader::new((&store, &lease), &clock, &mut rng, &mapping);
    let read = reader.read((kind, from), &operator, &mut terminal).await;
    if let Some(bar) = &terminal.bar {
        bar.finish_and_clear();
    }
    // Given back, so that the next command need not wait until it is over.
    let _ = store.extend_shard(&lease, clock.now()).await;
    let imported = read.with_context(|| format!("`{}`", args.file.display()))?;
    store.close().await;
    let unknown_patients =
        if args.check_patients { Some(unknown(&config, imported.patients.expose()).await?) } else { None };
    let counts = imported.counts;
    if args.place.json {
        let between = imported.between.map(|(first, last)| json!([first.to_string(), last.to_string()]));
        let told = json!({
            "import": imported.import.to_string(),
            "source": mapping.source,
            "accesses": counts.lines - counts.refused,
            "added": counts.added,
            "known": counts.known,
            "refused": counts.refused,
            "unknown_people": counts.unknown_people,
            "unknown_patients": unknown_patients,
            "other_records": imported.others,
            "between": between,
            "refused_lines": terminal.refused,
        });
        return say(&told.to_string());
    }
    say(&format!(
        "{}: {} accesses, {} new, {} known before; {} lines refused; {} records of no chart",
        mapping.source,
        counts.lines - counts.refused,
        counts.added,
        counts.known,
        counts.refused,
        imported.others
    ))?;
    if let Some((first, last)) = imported.between {
        say(&format!("from {first} to {last}"))?;
    }
    if counts.unknown_people > 0 {
        tell(&format!(
            "note: {} accesses are by people whom nobody here knows by that name; they stand in histories as unexplained",
            counts.unknown_people
        ));
    }
    if let Some(unknown) = unknown_patients.filter(|unknown| *unknown > 0) {
        tell(&format!(
            "note: the record system does not know {unknown} of the patients; ask for them by the number that the log has"
        ));
    }
    if counts.refused > TOLD_MAX && args.refused.is_none() {
        tell("note: with --refused FILE all refused lines go to a file");
    }
    Ok(())
}

/// How many of these patients the record system does not know.
async fn unknown(config: &Config, patients: &BTreeSet<String>) -> Result<u64> {
    let upstream = quiet_upstream(config)?;
    let mut unknown = 0;
    for key in patients {
        let number = key.trim_start_matches("Patient/").trim_start_matches("number:");
        let found = patients_of(upstream.as_ref(), number).await;
        let found = found.context("the record system cannot be asked for patients; the log itself was read")?;
        unknown += u64::from(found.is_empty());
    }
    Ok(unknown)
}

fn open(args: &ImportArgs) -> Result<(SourceKind, Box<dyn BufRead>)> {
    let kind = match args.format {
        Format::Csv => SourceKind::Csv,
        Format::Fhir => SourceKind::Fhir,
        Format::Atna => SourceKind::Atna,
    };
    let from: Box<dyn Read> = if args.file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(&args.file).with_context(|| format!("cannot read `{}`", args.file.display()))?;
        Box::new(file)
    };
    Ok((kind, Box::new(BufReader::with_capacity(256 * 1024, from))))
}

fn operator() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    format!("operator:{name}")
}

/// Takes what the index has of the ledger away; the node makes it again.
pub async fn rebuild(place: &WhereArgs) -> Result<()> {
    let store = existing_store(&Config::load(place.config.as_deref())?).await?;
    let gone = store.empty_index().await?;
    store.close().await;
    if place.json {
        return say(&json!({ "removed": gone }).to_string());
    }
    say(&format!(
        "{gone} accesses were taken out of the index; a node that runs makes it again from the ledger, else the next start does"
    ))
}
