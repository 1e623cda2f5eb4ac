//! `scruple filter`: files in, the minimum of each out, the release recorded.

mod inputs;
mod output;
mod words;

use crate::{pack, state, terminal};
use anyhow::{Error, Result, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use scruple_core::Relationship;
use scruple_ledger::Ledger;
use scruple_policy::{Decider, Question, Refusal};
use scruple_release::{Asked, FilterError, FilterOptions, Progress, ReleaseError, Summary, filter};
use scruple_seal::SystemRng;
use std::io::{self, IsTerminal as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when all that may leave has left, and somebody should look at the summary all the same.
const EXIT_LOOK: u8 = 1;

/// Gives a role what it needs of FHIR R4 files: a resource, a Bundle, NDJSON, any of these with gzip, a folder of them,
/// or standard input. What the role may not see is not in the output; what leaves is in the ledger first.
#[derive(Args)]
#[command(after_help = "Examples:
  scruple filter --role biller --purpose HPAYMT --in export/ --out minimum/
  zcat export.ndjson.gz | scruple filter --role nurse --purpose TREAT --in - --out - >nurse.ndjson
  scruple filter --role roi_clerk --purpose RECORDMGT --with case_approved --in chart.json --out - --json

Inputs of a folder are numbered in the order of their paths, from 1. Output files are named by these numbers, and the summary
names inputs and items by number only: the names of inputs can be PHI. Where nothing of an input is released, no file is written.
A reference shows only if its target is in the same run and shows: give the files of one export together, as a folder.

Exit codes: 0 all went well; 1 all went out, but look at the summary: items were malformed and withheld, or the ledger
did not close; 2 nothing, or no more, was released.")]
pub struct FilterArgs {
    /// Role, as in the policy pack (see `scruple policy show`)
    #[arg(long)]
    role: String,
    /// Purpose of use, an HL7 v3 ActReason code such as TREAT or HPAYMT
    #[arg(long)]
    purpose: String,
    /// File, folder, or - for standard input
    #[arg(long = "in", value_name = "PATH")]
    input: PathBuf,
    /// File, folder (if the input is one), or - for standard output. Nothing is written over; a name that ends in .gz is packed
    #[arg(long = "out", value_name = "PATH")]
    output: PathBuf,
    /// Folder of a policy pack [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Folder of the ledger [default: that of the state folder]
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// A named condition of the pack that holds, by your word (repeatable)
    #[arg(long = "with", value_name = "CONDITION")]
    with: Vec<String>,
    /// Say that there is no relationship to these patients [default: by your word, there is]
    #[arg(long)]
    no_relationship: bool,
    /// Threads that work [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print the summary as JSON, on standard error if the output is standard output
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &FilterArgs) -> Result<ExitCode> {
    let active = pack::activate(args.policy.as_deref())?;
    let decider = &active.decider;
    let asked = asked(args, decider)?;
    let found = inputs::find(&args.input)?;
    let mut output = output::prepare(&args.output, &args.input, &found.paths)?;
    let ledger = state::open_ledger(&state::ledger_folder(args.ledger.as_deref())?)?;
    let token = state::token_key()?;
    let clock = state::SystemClock;
    let bar = Bar::new(&found.paths, args);
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = FilterOptions {
        decider,
        ledger: &ledger,
        clock: &clock,
        token: &token,
        workers: args.threads.unwrap_or(cores),
        progress: &bar,
    };
    let result = filter(&options, &mut SystemRng, &asked, &inputs::open(&found.paths), &mut output);
    bar.0.finish_and_clear();
    let mut summary = match result {
        Ok(summary) => summary,
        Err(error) => {
            let error = with_advice(error, decider);
            return Err(match output.abandon() {
                Some(place) => error.context(format!("stopped, and what was released before stands in {place}")),
                None => error,
            });
        }
    };
    let closed = ledger.close();
    if let Err(error) = &closed {
        summary.notes.push(format!(
            "the ledger did not close ({}): all that was released is recorded, and its last entries come under a signed \
             checkpoint at the next start",
            terminal::chain(error)
        ));
    }
    if found.others > 0 {
        summary.notes.push(format!(
            "{} of the folder not read: of another kind than .json, .ndjson, .jsonl",
            terminal::count(found.others, "file")
        ));
    }
    if summary.bytes_out == 0 {
        summary.notes.push("nothing was released, so that no output is written".to_owned());
    }
    match report(args, &summary) {
        Err(error) if error.is::<terminal::Gone>() => {}
        told => told?,
    }
    Ok(if summary.has_faults() || closed.is_err() { ExitCode::from(EXIT_LOOK) } else { ExitCode::SUCCESS })
}

/// Filters the files of a folder into another.
pub fn folder(decider: &Decider, ledger: &Ledger, asked: &Asked, from: &Path, to: &Path) -> Result<Summary> {
    let found = inputs::find(from)?;
    let mut output = output::prepare(to, from, &found.paths)?;
    let token = state::token_key()?;
    let options = FilterOptions {
        decider,
        ledger,
        clock: &state::SystemClock,
        token: &token,
        workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        progress: &Bar(ProgressBar::hidden()),
    };
    Ok(filter(&options, &mut SystemRng, asked, &inputs::open(&found.paths), &mut output)?)
}

/// What the pack has, for who asked for something that it has not.
fn with_advice(error: FilterError, decider: &Decider) -> Error {
    let pack = decider.pack();
    let names = |names: Vec<&str>| names.join(", ");
    match error {
        FilterError::Release(ReleaseError::Refused(refusal @ Refusal::UnknownRole(_))) => {
            anyhow!("{refusal}; the pack has {}", names(pack.roles.keys().map(String::as_str).collect()))
        }
        FilterError::Release(ReleaseError::Refused(refusal @ Refusal::UnknownPurpose(_))) => {
            anyhow!(
                "{refusal}; the pack has {}",
                names(pack.purposes.iter().map(|purpose| purpose.code.as_str()).collect())
            )
        }
        error => error.into(),
    }
}

fn asked(args: &FilterArgs, decider: &Decider) -> Result<Asked> {
    let conditions = pack::conditions(decider.pack(), &args.with, !args.no_relationship)?;
    let account = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    Ok(Asked {
        subject: format!("operator:{account}"),
        question: Question { role: args.role.clone(), purpose: args.purpose.clone(), conditions },
        relationship: if args.no_relationship { Relationship::None } else { Relationship::Asserted },
        grant: None,
        practitioners: Vec::new(),
        opened: std::collections::BTreeMap::new(),
        limited: std::collections::BTreeMap::new(),
    })
}

/// The progress bar: on a terminal, and not when the output goes there too.
struct Bar(ProgressBar);

impl Bar {
    fn new(paths: &[PathBuf], args: &FilterArgs) -> Self {
        let quiet = !io::stderr().is_terminal() || (args.output == Path::new("-") && io::stdout().is_terminal());
        if quiet {
            return Self(ProgressBar::hidden());
        }
        let total: u64 = paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
        let bar = ProgressBar::new(total * 2);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn read(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

fn report(args: &FilterArgs, summary: &Summary) -> Result<()> {
    let text = if args.json { serde_json::to_string_pretty(summary)? } else { words::of(summary) };
    if args.output == Path::new("-") {
        terminal::tell(&text);
        return Ok(());
    }
    terminal::say(&text)
}
