//! `bench NAME`: one benchmark beside its rivals; on standard output a section of Markdown.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use anyhow::Result;
use clap::{Parser, ValueEnum};
use scruple_bench::bench::{Effort, decision, gateway, generator, ledger, part, pinned, projection, scale, timing};

/// A benchmark beside what a user would pick instead. `cargo xtask bench` starts it and keeps what it prints.
#[derive(Parser)]
struct Args {
    /// Which
    #[arg(value_enum)]
    name: Name,
    /// Little input and few runs: whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// Times that each thing is measured
    #[arg(long)]
    runs: Option<usize>,
    /// Seconds for each number of writers or connections
    #[arg(long)]
    seconds: Option<u64>,
    /// Megabytes of input, at most
    #[arg(long)]
    megabytes: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// FHIR JSON on one core, beside sonic_rs, serde_json, jq and jaq
    Projection,
    /// Decisions, beside bare Cedar and the Cerbos server
    Decision,
    /// Durable entries by number of writers, beside SQLite and PostgreSQL
    Ledger,
    /// Requests before a FHIR server, beside nginx
    Gateway,
    /// How well time tells what is hidden from what is not there
    Timing,
    /// 50,000 people, 400 roles, 5,000,000 accesses, two nodes over PostgreSQL
    Scale,
    /// The load generator of the gateway's bench, beside wrk: kept nowhere, it judges the generator
    Generator,
}

fn main() -> Result<()> {
    if part(&std::env::args().nth(1).unwrap_or_default())? {
        return Ok(());
    }
    let args = Args::parse();
    let usual = if args.quick { Effort::QUICK } else { Effort::FULL };
    let effort = Effort {
        runs: args.runs.unwrap_or(usual.runs),
        megabytes: args.megabytes.unwrap_or(usual.megabytes),
        seconds: args.seconds.unwrap_or(usual.seconds),
    };
    let section = match args.name {
        Name::Projection if pinned()? => return Ok(()),
        Name::Projection => projection(effort)?,
        Name::Decision => decision(effort)?,
        Name::Ledger => ledger(effort)?,
        Name::Gateway => gateway(effort)?,
        Name::Timing => timing(effort)?,
        Name::Scale => scale(effort)?,
        Name::Generator => generator(effort)?,
    };
    println!("{}", section.trim_end());
    Ok(())
}
