//! `long NAME --seed S (--minutes N | --cases N)`: one long run; its last line on standard output is the report.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use scruple_bench::bench::part;
use scruple_bench::long::bare::bare;
use scruple_bench::long::crash::LedgerCrash;
use scruple_bench::long::grammar::FuzzGrammar;
use scruple_bench::long::http::crash::HttpCrash;
use scruple_bench::long::http::kill::http_kill;
use scruple_bench::long::http::load::load;
use scruple_bench::long::kill::ledger_kill;
use scruple_bench::long::ledger::FuzzLedger;
use scruple_bench::long::pack::FuzzPack;
use scruple_bench::long::page::FuzzPage;
use scruple_bench::long::pairs::pairs;
use scruple_bench::long::projector::FuzzProjector;
use scruple_bench::long::reserve::ReserveCrash;
use scruple_bench::long::simulate::Simulate;
use scruple_bench::long::{Limit, Settings, fuzz};
use scruple_bench::workspace;
use scruple_pairs::Behind;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A run that is too long for every change. `cargo xtask long` starts it and keeps what it reports.
#[derive(Parser)]
struct Args {
    /// Which
    #[arg(value_enum)]
    name: Name,
    /// All cases follow from it
    #[arg(long)]
    seed: u64,
    /// How long
    #[arg(long, conflicts_with = "cases")]
    minutes: Option<u64>,
    /// How many
    #[arg(long)]
    cases: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The `scruple` program that ledger-kill kills [default: that of this build, made if need be]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Hostile bytes into the projector
    FuzzProjector,
    /// Hostile files into the pack parser
    FuzzPack,
    /// Hostile requests into the grammar of paths and queries
    FuzzGrammar,
    /// Hostile page tokens into a gateway
    FuzzPage,
    /// Damaged folders into the ledger reader
    FuzzLedger,
    /// Storage that forgets unsynced sectors, cut after every operation
    LedgerCrash,
    /// SIGKILL under load, then verify
    LedgerKill,
    /// Stores with equal views, each request to both gateways and to the reference server
    Pairs,
    /// The same, before the embedded server alone
    PairsEmbedded,
    /// The same, before the servers that others wrote alone
    PairsOthers,
    /// What servers of others tell whose answers are filtered and nothing more
    Bare,
    /// The gateway under load with faults: memory stays, no release without its record
    Load,
    /// Power cuts under the gateway: every released answer has its record
    HttpCrash,
    /// SIGKILL of the gateway under load, then verify
    HttpKill,
    /// Power cuts while the reserve is written and merged
    ReserveCrash,
    /// Organisations against a plain model: races, clock jumps, crashes
    Simulate,
}

fn main() -> Result<()> {
    if part(&std::env::args().nth(1).unwrap_or_default())? {
        return Ok(());
    }
    let args = Args::parse();
    let limit = match (args.minutes, args.cases) {
        (Some(minutes), _) => Limit::Minutes(minutes),
        (None, Some(cases)) => Limit::Cases(cases),
        (None, None) => bail!("give --minutes or --cases"),
    };
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let fuzz_folder = workspace::fuzz_folder();
    let settings = Settings {
        seed: args.seed,
        limit,
        threads: args.threads.unwrap_or(cores),
        regressions: Some(fuzz_folder.join("regressions")),
        progress: true,
    };
    let report = match args.name {
        Name::FuzzProjector => fuzz(&FuzzProjector::new(&fuzz_folder)?, &settings)?,
        Name::FuzzPack => fuzz(&FuzzPack::new()?, &settings)?,
        Name::FuzzGrammar => fuzz(&FuzzGrammar::new(), &settings)?,
        Name::FuzzPage => fuzz(&FuzzPage::new()?, &settings)?,
        Name::FuzzLedger => fuzz(&FuzzLedger::new()?, &settings)?,
        Name::LedgerCrash => fuzz(&LedgerCrash::new()?, &settings)?,
        Name::LedgerKill => {
            let program = args.program.map_or_else(workspace::scruple, Ok)?;
            ledger_kill(&program, &settings)?
        }
        Name::Pairs => pairs(&Behind::all(), &settings)?,
        Name::PairsEmbedded => pairs(&[Behind::Embedded], &settings)?,
        Name::PairsOthers => pairs(&Behind::of_others(), &settings)?,
        Name::Bare => bare(&settings)?,
        Name::Load => load(&std::env::current_exe()?, &settings)?,
        Name::HttpCrash => fuzz(&HttpCrash::new()?, &settings)?,
        Name::HttpKill => http_kill(&std::env::current_exe()?, &settings)?,
        Name::ReserveCrash => fuzz(&ReserveCrash, &settings)?,
        Name::Simulate => fuzz(&Simulate::new()?, &settings)?,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
