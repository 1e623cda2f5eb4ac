//! `scruple filter`: files in, the minimum of each out, the release recorded.

use crate::{pack, say, state};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressStyle};
use scruple_core::Relationship;
use scruple_ledger::Ledger;
use scruple_policy::{Decider, Question};
use scruple_release::{Asked, FilterOptions, Input, Output, Progress, Released, Spool, Summary, filter};
use scruple_seal::SystemRng;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when resources were withheld because they are malformed, and all else went well.
const EXIT_MALFORMED: u8 = 1;

/// Gives a role what it needs of FHIR R4 files: a resource, a Bundle, NDJSON, any of these with gzip, a folder of them,
/// or standard input. What the role may not see is not in the output; what leaves is in the ledger first.
#[derive(Args)]
#[command(after_help = "Examples:
  scruple filter --role biller --purpose HPAYMT --in export/ --out minimum/
  zcat export.ndjson.gz | scruple filter --role nurse --purpose TREAT --in - --out - >nurse.ndjson
  scruple filter --role roi_clerk --purpose RECORDMGT --with case_approved --in chart.json --out - --json

Exit codes: 0 all went well; 1 some items were malformed and withheld (the summary tells where); 2 nothing, or no more, was released.")]
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
    /// File, folder (for a folder), or - for standard output. Files in a folder are named by ordinal: names of inputs can be PHI
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
    /// Say that there is no relationship to these patients
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
    let asked = asked(args, &active.decider)?;
    let paths = inputs(&args.input)?;
    let mut output = output(args, &paths)?;
    let ledger = state::open_ledger(&state::ledger_folder(args.ledger.as_deref())?)?;
    let token = state::token_key()?;
    let clock = state::SystemClock;
    let bar = Bar::new(&paths, args);
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = FilterOptions {
        decider: &active.decider,
        ledger: &ledger,
        clock: &clock,
        token: &token,
        workers: args.threads.unwrap_or(cores),
        progress: &bar,
    };
    let opened = open_inputs(&paths)?;
    let result = filter(&options, &mut SystemRng, &asked, &opened, &mut output);
    bar.0.finish_and_clear();
    let summary = match result {
        Ok(summary) => summary,
        Err(error) => {
            output.abandon();
            return Err(error.into());
        }
    };
    ledger.close().context("the ledger did not close; what was released is recorded")?;
    report(args, &summary)?;
    Ok(if summary.has_faults() { ExitCode::from(EXIT_MALFORMED) } else { ExitCode::SUCCESS })
}

fn asked(args: &FilterArgs, decider: &Decider) -> Result<Asked> {
    let conditions = pack::conditions(decider.pack(), &args.with, !args.no_relationship)?;
    let account = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    Ok(Asked {
        subject: format!("operator:{account}"),
        question: Question { role: args.role.clone(), purpose: args.purpose.clone(), conditions },
        relationship: if args.no_relationship { Relationship::None } else { Relationship::Asserted },
    })
}

/// The input files, in the order of their names: ordinals do not depend on the file system.
fn inputs(path: &Path) -> Result<Vec<PathBuf>> {
    if path == Path::new("-") {
        return Ok(vec![path.to_owned()]);
    }
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    walk(path, &mut files).with_context(|| format!("cannot read folder `{}`", path.display()))?;
    files.sort();
    if files.is_empty() {
        bail!("`{}` holds no .json, .ndjson or .jsonl file, with or without .gz", path.display());
    }
    Ok(files)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, files)?;
        } else if matches!(ending(&path).0, "json" | "ndjson" | "jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a file's name says of it: its ending, and whether it is packed.
fn ending(path: &Path) -> (&str, bool) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (name, packed) = name.strip_suffix(".gz").map_or((name, false), |name| (name, true));
    (name.rsplit_once('.').map_or("", |(_, ending)| ending), packed)
}

fn open_inputs(paths: &[PathBuf]) -> Result<Vec<Input>> {
    let one = |path: &PathBuf| -> Result<Input> {
        let lines = matches!(ending(path).0, "ndjson" | "jsonl");
        if path == Path::new("-") {
            let spool = Spool::copy(unpacked(io::stdin().lock())?, &std::env::temp_dir())
                .context("standard input cannot be kept for the second pass")?;
            return Ok(Input {
                lines,
                open: Box::new(move || spool.open().map(|reader| Box::new(reader) as Box<dyn Read>)),
            });
        }
        let path = path.clone();
        Ok(Input { lines, open: Box::new(move || unpacked(File::open(&path)?)) })
    };
    paths.iter().map(one).collect()
}

/// Unpacks gzip by its first two bytes.
fn unpacked<'a>(from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut from = BufReader::with_capacity(1 << 18, from);
    let head = io::BufRead::fill_buf(&mut from)?;
    let packed = head.starts_with(&[0x1f, 0x8b]);
    Ok(if packed { Box::new(MultiGzDecoder::new(from)) } else { Box::new(from) })
}

/// Filters the files of a folder into another, for the demo.
pub fn folder(decider: &Decider, ledger: &Ledger, asked: &Asked, from: &Path, to: &Path) -> Result<Summary> {
    let paths = inputs(from)?;
    std::fs::create_dir_all(to).with_context(|| format!("cannot make folder `{}`", to.display()))?;
    let endings = paths.iter().map(|path| own_ending(path)).collect();
    let mut output = FileOutput { to: To::Folder(to.to_owned()), endings, current: None, made: Vec::new() };
    let token = state::token_key()?;
    let options = FilterOptions {
        decider,
        ledger,
        clock: &state::SystemClock,
        token: &token,
        workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        progress: &Bar(ProgressBar::hidden()),
    };
    Ok(filter(&options, &mut SystemRng, asked, &open_inputs(&paths)?, &mut output)?)
}

fn own_ending(path: &Path) -> (String, bool) {
    let (ending, packed) = ending(path);
    (if ending == "json" { "json".to_owned() } else { "ndjson".to_owned() }, packed)
}

/// Where the output goes.
enum To {
    Stdout,
    File(PathBuf),
    /// A file for each input, named by its ordinal.
    Folder(PathBuf),
}

struct FileOutput {
    to: To,
    /// Endings of the inputs: `json` or `ndjson`, and packed or not.
    endings: Vec<(String, bool)>,
    current: Option<(u64, Box<dyn Write>)>,
    /// Files under their temporary names, and what they shall be called.
    made: Vec<(PathBuf, PathBuf)>,
}

fn output(args: &FilterArgs, paths: &[PathBuf]) -> Result<FileOutput> {
    let is_folder = args.input.is_dir();
    let to = if args.output == Path::new("-") {
        To::Stdout
    } else if is_folder {
        if args.output.exists() && std::fs::read_dir(&args.output).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("output folder `{}` is not empty; give an empty or a new one", args.output.display());
        }
        std::fs::create_dir_all(&args.output)
            .with_context(|| format!("cannot make folder `{}`", args.output.display()))?;
        To::Folder(args.output.clone())
    } else {
        if args.output.exists() {
            bail!("output `{}` is there already; remove it or name another", args.output.display());
        }
        To::File(args.output.clone())
    };
    let endings = match &to {
        To::File(path) => vec![own_ending(path)],
        _ => paths.iter().map(|path| own_ending(path)).collect(),
    };
    Ok(FileOutput { to, endings, current: None, made: Vec::new() })
}

impl FileOutput {
    fn open(&mut self, input: u64) -> io::Result<Box<dyn Write>> {
        let index = usize::try_from(input - 1).unwrap_or(usize::MAX);
        let (path, packed) = match &self.to {
            To::Stdout => return Ok(Box::new(BufWriter::new(io::stdout().lock()))),
            To::File(path) => (path.clone(), self.endings.first().is_some_and(|(_, packed)| *packed)),
            To::Folder(dir) => {
                let (ending, packed) = self.endings.get(index).cloned().unwrap_or_default();
                let gz = if packed { ".gz" } else { "" };
                (dir.join(format!("{input:06}.{ending}{gz}")), packed)
            }
        };
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let file = BufWriter::new(File::create(&partial)?);
        self.made.push((partial.into(), path));
        Ok(if packed { Box::new(GzEncoder::new(file, Compression::default())) } else { Box::new(file) })
    }

    /// A run that failed leaves no half file that looks whole: what is written keeps the name `.partial`.
    fn abandon(&mut self) {
        self.current = None;
    }

    fn close_current(&mut self) -> io::Result<()> {
        let Some((_, mut writer)) = self.current.take() else { return Ok(()) };
        writer.flush()
    }
}

impl Output for FileOutput {
    fn write(&mut self, input: u64, released: &Released) -> io::Result<()> {
        let one = matches!(self.to, To::Stdout | To::File(_));
        let is_open = self.current.as_ref().is_some_and(|(current, _)| one || *current == input);
        if !is_open {
            self.close_current()?;
            self.current = Some((input, self.open(input)?));
        }
        match &mut self.current {
            Some((_, writer)) => writer.write_all(released.bytes()),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.close_current()?;
        for (partial, path) in self.made.drain(..) {
            std::fs::rename(partial, path)?;
        }
        Ok(())
    }
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
    let text = if args.json { serde_json::to_string_pretty(summary)? } else { words(summary) };
    if args.output == Path::new("-") { say::aside(&text) } else { say::line(&text) }
}

fn words(summary: &Summary) -> String {
    let withheld: u64 = summary.withheld.values().sum();
    let reasons: Vec<String> =
        summary.withheld.iter().map(|(reason, count)| format!("{count} {}", reason_in_words(reason))).collect();
    let mut lines = vec![format!(
        "{} of {} resources released to role {} for {} ({} bytes of {}); {} withheld{}",
        summary.released,
        summary.read,
        summary.role,
        summary.purpose,
        summary.bytes_out,
        summary.bytes_in,
        withheld,
        if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) }
    )];
    lines.push(format!(
        "relationship {}; conditions: {}; release {} in the ledger",
        summary.relationship,
        summary.conditions.join(", "),
        summary.release
    ));
    for fault in summary.faults.iter().take(20) {
        lines.push(format!("input {}, item {}: {}", fault.input, fault.item, fault.what));
    }
    if summary.faults.len() > 20 {
        lines.push(format!("and {} more; --json lists them", summary.faults.len() - 20));
    }
    lines.extend(summary.notes.iter().cloned());
    lines.join("\n")
}

fn reason_in_words(reason: &str) -> &str {
    match reason {
        "policy" => "of types that the role has not",
        "label" => "specially protected",
        "unclassified" => "with a code that no listed system has",
        "malformed" => "malformed",
        "too_large" => "too large",
        "implicit_rules" => "with implicit rules",
        "modifier_extension" => "with an unknown modifier extension",
        "required" => "with a required element that cannot be withheld",
        other => other,
    }
}
