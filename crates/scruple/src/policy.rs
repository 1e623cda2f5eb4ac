//! `scruple policy`: check, show, table, diff, replay, propose, versions.

mod live;
mod replay;
mod table;
mod versions;

use crate::pack;
use crate::state::SystemClock;
use crate::terminal::say;
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use scruple_core::Clock as _;
use scruple_policy::{Cedar, PackFiles, Problem, Severity, Show, check, prove};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks and shows a policy pack.
#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Reports every error of a pack with file, line and advice, and proves its two compiled forms equal
    #[command(after_help = "Example: scruple policy check --policy policy/")]
    Check(CheckArgs),
    /// Prints the pack as the table that 45 CFR 164.514(d)(2) asks for: who, which kinds, under which conditions
    #[command(after_help = "Examples:
  scruple policy show --role biller --role nurse
  scruple policy show --format markdown >access-policy.md")]
    Show(ShowArgs),
    /// Prints one role as the determination of 45 CFR 164.514(d)(2), to be signed or handed out
    #[command(after_help = "Examples:
  scruple policy table coder
  scruple policy table coder --format html >coder.html
  scruple policy table coder --active --config scruple.toml")]
    Table(table::TableArgs),
    /// Prints the difference of two packs in plain words: what who sees more, less or otherwise
    #[command(after_help = "Examples:
  scruple policy diff shipped policy/
  scruple policy diff active draft/ --config scruple.toml --json

Exit codes: 0 no difference; 1 a difference; 2 a pack is refused.")]
    Diff(table::DiffArgs),
    /// Decides the recorded accesses of a period anew under a draft: which it would have refused
    #[command(after_help = "Example: scruple policy replay draft/ --days 30 --config scruple.toml")]
    Replay(replay::ReplayArgs),
    /// Lists what roles and people may see and have not used, and drafts a policy without it
    #[command(after_help = "Examples:
  scruple policy unused --days 90 --config scruple.toml
  scruple policy unused --days 90 --draft narrower/ --config scruple.toml")]
    Unused(replay::UnusedArgs),
    /// Tells whether the roles can still be looked through: overlaps, copies, roles of nobody
    #[command(after_help = "Example: scruple policy sprawl --config scruple.toml

Exit codes: 0 no finding; 1 a finding.")]
    Sprawl(replay::SprawlArgs),
    /// Proposes a draft to a second person, with its difference and its replay
    #[command(after_help = "Example:
  scruple policy propose draft/ --by ines.vogt --because 'The coder has not opened notes in 90 days' --config scruple.toml")]
    Propose(versions::ProposeArgs),
    /// Lists the versions of a node's policy: who drafted, who decided, active from when until when
    Versions(versions::VersionsArgs),
    /// Tells which version was active at an instant, and what a person could see under it
    #[command(
        after_help = "Example: scruple policy as-of 2026-03-01T08:00:00Z --person carl.moss --config scruple.toml"
    )]
    AsOf(versions::AsOfArgs),
    /// Prints who is to see what now, a line for each, or how a list of what is differs from it
    #[command(after_help = "Examples:
  scruple policy expected --config scruple.toml >expected.csv
  scruple policy expected --against actual.csv --config scruple.toml

Exit codes: 0 no difference; 1 a difference, `+` before what is and should not be, `-` before what should be and is not.")]
    Expected(versions::ExpectedArgs),
    /// Prints the pack compiled to Cedar
    Cedar(CedarArgs),
    /// Writes the shipped pack into a folder, to begin an own one
    Export(ExportArgs),
}

/// Which pack.
#[derive(Args)]
pub struct CheckArgs {
    /// Folder of a policy pack [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How it is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for the terminal
    Text,
    /// Markdown
    Markdown,
    /// JSON
    Json,
}

/// What to show.
#[derive(Args)]
pub struct ShowArgs {
    /// Folder of a policy pack [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Only this role (repeatable)
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

/// What to print.
#[derive(Args)]
pub struct CedarArgs {
    /// Folder of a policy pack [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Only this role
    #[arg(long)]
    role: Option<String>,
    /// Print the schema
    #[arg(long)]
    schema: bool,
}

/// Where to.
#[derive(Args)]
pub struct ExportArgs {
    /// New folder
    dir: PathBuf,
}

/// Runs the command.
pub fn run(command: &PolicyCommand) -> Result<ExitCode> {
    match command {
        PolicyCommand::Check(args) => run_check(args),
        PolicyCommand::Show(args) => show(args),
        PolicyCommand::Table(args) => table::table(args),
        PolicyCommand::Diff(args) => table::diff(args),
        PolicyCommand::Replay(args) => replay::replay(args),
        PolicyCommand::Unused(args) => replay::unused(args),
        PolicyCommand::Sprawl(args) => replay::look_through(args),
        PolicyCommand::Propose(args) => versions::propose(args),
        PolicyCommand::Versions(args) => versions::versions(args),
        PolicyCommand::AsOf(args) => versions::as_of(args),
        PolicyCommand::Expected(args) => versions::expected(args),
        PolicyCommand::Cedar(args) => {
            let pack = pack::activate(args.policy.as_deref())?.pack;
            let cedar = Cedar::compile(pack)?;
            say(&if args.schema { cedar.schema().to_owned() } else { cedar.text(args.role.as_deref()) })?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Export(args) => export(&args.dir),
    }
}

fn run_check(args: &CheckArgs) -> Result<ExitCode> {
    let files = pack::files(args.policy.as_deref())?;
    let checked = check(&files, SystemClock.now());
    let proof = match checked.pack.as_ref().filter(|_| checked.is_publishable()) {
        Some(pack) => Some(prove(pack)?),
        None => None,
    };
    let of = |severity: Severity| checked.problems.iter().filter(move |problem| problem.severity == severity);
    let errors = of(Severity::Error).count();
    if args.json {
        let list = |problems: Vec<&Problem>| -> Vec<serde_json::Value> {
            let one = |problem: &&Problem| serde_json::json!({ "file": problem.file, "line": (problem.line > 0).then_some(problem.line), "what": problem.what, "advice": problem.advice });
            problems.iter().map(one).collect()
        };
        let report = serde_json::json!({
            "pack": files.hash().to_string(),
            "publishable": errors == 0,
            "errors": list(of(Severity::Error).collect()),
            "warnings": list(of(Severity::Warning).collect()),
            "notes": list(of(Severity::Information).collect()),
            "proved_cells": proof.as_ref().map(|proof| proof.cells),
        });
        say(&serde_json::to_string_pretty(&report)?)?;
    } else {
        for problem in &checked.problems {
            say(&problem.to_string())?;
        }
        say(&match proof {
            Some(proof) => format!(
                "pack {} is good: {} cells of {} questions decided alike by its tables and by {} Cedar policies; {} warnings, {} notes",
                files.hash(),
                proof.cells,
                proof.questions,
                proof.policies,
                of(Severity::Warning).count(),
                of(Severity::Information).count()
            ),
            None => format!("{errors} errors; the pack is not used"),
        })?;
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn show(args: &ShowArgs) -> Result<ExitCode> {
    let pack = pack::activate(args.policy.as_deref())?.pack;
    let roles: Vec<&str> = args.role.iter().map(String::as_str).collect();
    let show = Show::new(&pack, &roles)?;
    say(&match args.format {
        Format::Json => serde_json::to_string_pretty(&show.json())?,
        _ if args.json => serde_json::to_string_pretty(&show.json())?,
        Format::Markdown => show.markdown(),
        Format::Text => show.text(width()),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Columns of the terminal, by `COLUMNS`, else 110.
fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(110)
}

/// Writes a pack into a new folder.
fn write_files(dir: &Path, files: &PackFiles) -> Result<()> {
    anyhow::ensure!(!dir.exists(), "`{}` is there already; name a new folder", dir.display());
    for (name, text) in &files.0 {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn export(dir: &Path) -> Result<ExitCode> {
    let files = PackFiles::embedded();
    write_files(dir, &files)?;
    say(&format!(
        "{} files in {}; edit, then `scruple policy check --policy {}`",
        files.0.len(),
        dir.display(),
        dir.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
