//! `cargo xtask long`: runs that are too long for every change, and the table of what they found.
//!
//! The runs themselves live in scruple-bench: `long NAME --seed S (--minutes N | --cases N)` prints progress on its
//! standard error, and as its last line on standard output `{"cases":N,"findings":N,"details":["..."]}`. It ends with 0
//! when it came to its end, whatever it found; any other end is itself a finding. No detail may hold PHI.
//! `schemathesis` alone is a test of the binary, which writes that line to a file.

use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::args::Args;
use crate::postgres::{Durability, Postgres};
use crate::test::{POSTGRES_VARIABLE, SCHEMATHESIS_PACKAGES, SCHEMATHESIS_VARIABLE};
use crate::upstream::{self, HELIOS_VARIABLE, MEDPLUM_VARIABLE, Upstream};
use crate::{pip, shell};

pub const HELP: &str = "
usage: cargo xtask long NAME [--seed S] [--minutes N | --cases N]

Runs one of these in release, and adds a row to docs/long-runs.md:
  fuzz-projector   hostile bytes into the projector (10 minutes)
  fuzz-pack        hostile files into the pack parser (10 minutes)
  fuzz-grammar     hostile requests into the grammar of paths and queries (10 minutes)
  fuzz-page        hostile page tokens into a gateway (10 minutes)
  fuzz-ledger      damaged folders into the ledger reader (10 minutes)
  ledger-crash     storage that forgets unsynced sectors, cut after every operation (10,000 cases)
  ledger-kill      SIGKILL under load, then verify (50 cases)
  pairs            stores with equal views, each request to both gateways and to the reference server (200,000 cases);
                   before Medplum too, and before Helios if it is built (cargo xtask helios)
  pairs-embedded   the same before the embedded server alone (1,000,000 cases)
  pairs-others     the same before Medplum and Helios alone (40,000 cases)
  bare             what servers of others tell whose answers are filtered alone: docs/servers-alone.md (20,000 cases)
  load             the gateway under load with faults: memory stays, no release without its record (30 minutes)
  http-crash       power cuts under the gateway: every released answer has its record (1,000 cases)
  http-kill        SIGKILL of the gateway under load, then verify (50 cases)
  reserve-crash    power cuts while the reserve is written and merged (1,000 cases)
  simulate         organisations against a plain model: races, clock jumps, crashes, on both engines (30 minutes)
  schemathesis     requests that the document of the API allows, and ones that it does not, to a node (20 minutes)

  --seed S       repeats an earlier run; default: from the clock
  --minutes N    how long
  --cases N      how many";

const FILE: &str = "docs/long-runs.md";

#[derive(Clone, Copy)]
enum Limit {
    Minutes(u64),
    Cases(u64),
}

const RUNS: &[(&str, Limit)] = &[
    ("fuzz-projector", Limit::Minutes(10)),
    ("fuzz-pack", Limit::Minutes(10)),
    ("fuzz-grammar", Limit::Minutes(10)),
    ("fuzz-page", Limit::Minutes(10)),
    ("fuzz-ledger", Limit::Minutes(10)),
    ("ledger-crash", Limit::Cases(10_000)),
    ("ledger-kill", Limit::Cases(50)),
    ("pairs", Limit::Cases(200_000)),
    ("pairs-embedded", Limit::Cases(1_000_000)),
    ("pairs-others", Limit::Cases(40_000)),
    ("bare", Limit::Cases(20_000)),
    ("load", Limit::Minutes(30)),
    ("http-crash", Limit::Cases(1_000)),
    ("http-kill", Limit::Cases(50)),
    ("reserve-crash", Limit::Cases(1_000)),
    ("simulate", Limit::Minutes(30)),
    (SCHEMATHESIS, Limit::Minutes(20)),
];

/// Runs in a test of the product, as `cargo xtask test` does it for a minute.
const SCHEMATHESIS: &str = "schemathesis";

impl Limit {
    fn arguments(self) -> [String; 2] {
        match self {
            Self::Minutes(n) => ["--minutes".to_owned(), n.to_string()],
            Self::Cases(n) => ["--cases".to_owned(), n.to_string()],
        }
    }
}

/// A run that is over.
struct Ran {
    said: String,
    status: ExitStatus,
    /// In seconds.
    duration: u64,
}

/// The last line of a run.
#[derive(Deserialize, Debug, PartialEq, Eq)]
struct Report {
    cases: u64,
    findings: u64,
    details: Vec<String>,
}

pub fn run(mut args: Args) -> Result<()> {
    let seed: Option<u64> = args.value("--seed")?;
    let minutes: Option<u64> = args.value("--minutes")?;
    let cases: Option<u64> = args.value("--cases")?;
    let name = args.position().context("which run? --help lists them")?;
    args.finish()?;
    let usual = RUNS.iter().find(|(n, _)| *n == name).map(|(_, limit)| *limit);
    let usual = usual.with_context(|| format!("no long run is called `{name}`; --help lists them"))?;
    let limit = match (minutes, cases) {
        (Some(_), Some(_)) => bail!("either --minutes or --cases"),
        (Some(n), None) => Limit::Minutes(n),
        (None, Some(n)) => Limit::Cases(n),
        (None, None) => usual,
    };
    let seed = match seed {
        Some(seed) => seed,
        None => shell::date("%s%N")?.parse()?,
    };
    let (date, commit) = (shell::date("%F %H:%M")?, shell::commit()?);
    let Ran { said, status, duration } = match (name.as_str(), limit) {
        (SCHEMATHESIS, Limit::Minutes(minutes)) => schemathesis(seed, minutes)?,
        (SCHEMATHESIS, Limit::Cases(_)) => bail!("{SCHEMATHESIS} is limited by --minutes"),
        _ => of_bench(&name, seed, limit)?,
    };
    print!("{said}");

    let report = report(&said).filter(|_| status.success());
    let (cases, findings) = match &report {
        Some(report) => (report.cases.to_string(), report.findings.to_string()),
        None => ("?".to_owned(), format!("ended with {status}")),
    };
    let command = format!("`cargo xtask long {name} --seed {seed} {}`", limit.arguments().join(" "));
    let cells =
        [date, commit, command, seed.to_string(), shell::cores().to_string(), length(duration), cases, findings];
    let path = shell::root().join(FILE);
    let text = std::fs::read_to_string(&path).context(FILE)?;
    std::fs::write(&path, with_row(&text, &cells)).context(FILE)?;
    match report {
        Some(Report { findings: 0, .. }) => Ok(()),
        Some(report) => {
            report.details.iter().for_each(|detail| println!("- {detail}"));
            bail!("{} findings", report.findings)
        }
        None => bail!("the run did not come to its end: {status}"),
    }
}

/// Built first, so that the time is that of the run.
fn of_bench(name: &str, seed: u64, limit: Limit) -> Result<Ran> {
    shell::build_release(None)?;
    let servers = if matches!(name, "pairs" | "pairs-others" | "bare") { of_others()? } else { Vec::new() };
    let is_given = shell::given(POSTGRES_VARIABLE).is_some();
    let postgres = (name == "simulate" && !is_given).then(|| Postgres::start(Durability::Off)).transpose()?;
    let began = Instant::now();
    let mut command = shell::released("long");
    command.envs(postgres.iter().map(|server| (POSTGRES_VARIABLE, server.url())));
    command.envs(servers.iter().map(|(variable, server)| (variable, &server.base)));
    command.args([name, "--seed", &seed.to_string()]).args(limit.arguments());
    let out = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start the long run")?;
    let duration = began.elapsed().as_secs();
    Ok(Ran { said: String::from_utf8_lossy(&out.stdout).into_owned(), status: out.status, duration })
}

fn schemathesis(seed: u64, minutes: u64) -> Result<Ran> {
    let packages = pip::packages(&shell::root().join(SCHEMATHESIS_PACKAGES))?;
    // With the features of the whole workspace, as the tests were built.
    let test = ["test", "--quiet", "--workspace", "--test", "it"];
    shell::run(shell::cargo().args(test).arg("--no-run"))?;
    let file = std::env::temp_dir().join(format!("scruple-xtask-schemathesis-{}", std::process::id()));
    let began = Instant::now();
    let status = shell::cargo()
        .args(test)
        .args(["--", "--nocapture", "--exact", "schemathesis::schemathesis_finds_nothing_wrong_with_the_api"])
        .env(SCHEMATHESIS_VARIABLE, packages)
        .env("SCRUPLE_TEST_SCHEMATHESIS_SECONDS", (minutes * 60).to_string())
        .env("SCRUPLE_TEST_SCHEMATHESIS_SEED", seed.to_string())
        .env("SCRUPLE_TEST_SCHEMATHESIS_REPORT", &file)
        .stdin(Stdio::null())
        .status()
        .context("cannot start `cargo`")?;
    let duration = began.elapsed().as_secs();
    let said = std::fs::read_to_string(&file).unwrap_or_default();
    // What is left of it is the system's to clean.
    let _ = std::fs::remove_file(&file);
    Ok(Ran { said, status, duration })
}

/// Pairs are asked before servers that others wrote, too: those that are not named already.
fn of_others() -> Result<Vec<(&'static str, Upstream)>> {
    let mut servers = Vec::new();
    if shell::given(MEDPLUM_VARIABLE).is_none() {
        servers.push((MEDPLUM_VARIABLE, Upstream::medplum()?));
    }
    if shell::given(HELIOS_VARIABLE).is_none() {
        servers.extend(upstream::helios()?.map(|helios| (HELIOS_VARIABLE, helios)));
    }
    Ok(servers)
}

fn report(said: &str) -> Option<Report> {
    serde_json::from_str(said.lines().rfind(|line| !line.trim().is_empty())?).ok()
}

fn with_row(text: &str, cells: &[String]) -> String {
    format!("{}\n| {} |\n", text.trim_end(), cells.join(" | "))
}

fn length(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::{HELP, RUNS, Report, length, report, with_row};

    #[test]
    fn the_report_is_the_last_line() {
        let said = "warming up\n{\"cases\":1,\"findings\":9,\"details\":[]}\n{\"cases\":7,\"findings\":1,\"details\":[\"a\"]}\n\n";
        assert_eq!(report(said), Some(Report { cases: 7, findings: 1, details: vec!["a".to_owned()] }));
        assert_eq!(report("{\"cases\":7}"), None);
        assert_eq!(report("{\"cases\":7,\"findings\":0,\"details\":[]}\nthread panicked"), None);
        assert_eq!(report(""), None);
    }

    #[test]
    fn a_row_is_added_at_the_end() {
        let cells = ["2026-01-02".to_owned(), "abc".to_owned()];
        assert_eq!(
            with_row("# Runs\n\n| a | b |\n|---|---|\n", &cells),
            "# Runs\n\n| a | b |\n|---|---|\n| 2026-01-02 | abc |\n"
        );
        assert_eq!(length(3_723), "1:02:03");
    }

    #[test]
    fn the_help_lists_every_run() {
        for (name, _) in RUNS {
            assert!(HELP.contains(&format!("  {name} ")), "{name}");
        }
    }
}
