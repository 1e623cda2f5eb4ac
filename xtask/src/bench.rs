//! `cargo xtask bench`: one benchmark beside its rivals, kept in `docs/benchmarks.md`.
//!
//! The benchmarks live in scruple-bench: `bench NAME [ARGS]` prints progress on its standard error and on its standard
//! output one section of Markdown without a heading. Here it gets its place, its date and its machine.

use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::needs::{self, Need};
use crate::postgres::{Durability, Postgres};
use crate::shell;

pub const HELP: &str = "
usage: cargo xtask bench NAME [--dry] [-- ARGS]

Runs one of these in release, and puts what it prints into docs/benchmarks.md:
  projection   beside sonic_rs, serde_json, jq and jaq; for generic x86-64 and for x86-64-v3
  decision     beside bare Cedar and the Cerbos server
  ledger       beside SQLite and PostgreSQL, durable; the server's address is in SCRUPLE_BENCH_POSTGRES
  gateway      beside nginx in front of the same upstream, each on a core of its own; needs nginx and wrk
  scale        50,000 people, 400 roles, 5,000,000 accesses, two nodes over PostgreSQL: pages, replay, leavers
  timing       how well time tells what is hidden from what is not there

  --dry        print only
  -- ARGS      go to the benchmark";

const FILE: &str = "docs/benchmarks.md";

struct Bench {
    name: &'static str,
    /// Compiled for each of these in turn; empty: as cargo does by itself.
    cpus: &'static [&'static str],
    postgres: bool,
    /// Starts the program itself, whose path is in `SCRUPLE_BENCH_PROGRAM`.
    program: bool,
    needs: &'static [Need],
}

const BENCHES: &[Bench] = &[
    Bench { name: "projection", cpus: &["x86-64", "x86-64-v3"], postgres: false, program: false, needs: &[] },
    Bench { name: "decision", cpus: &[], postgres: false, program: false, needs: &[] },
    Bench { name: "ledger", cpus: &[], postgres: true, program: false, needs: &[Need::Postgres] },
    Bench { name: "gateway", cpus: &[], postgres: false, program: false, needs: &[Need::Nginx, Need::Wrk] },
    Bench { name: "scale", cpus: &[], postgres: true, program: true, needs: &[Need::Postgres] },
    Bench { name: "timing", cpus: &[], postgres: false, program: false, needs: &[] },
];

pub fn run(mut args: Args) -> Result<()> {
    let dry = args.flag("--dry");
    let name = args.position().context("which benchmark? --help lists them")?;
    let rest = args.finish()?;
    let bench = BENCHES.iter().find(|b| b.name == name);
    let bench = bench.with_context(|| format!("no benchmark is called `{name}`; --help lists them"))?;
    needs::ensure(bench.needs)?;
    let server = if bench.postgres { Some(Postgres::start(Durability::On)?) } else { None };
    let mut section = format!(
        "{}, commit {}, {} cores, {}, `cargo xtask bench {name}`\n",
        shell::date("%F")?,
        shell::commit()?,
        shell::cores(),
        processor()
    );
    // An address of ours would be another machine's tomorrow: it is passed, never printed.
    let url = server.as_ref().map(Postgres::url);
    let cpus: &[&str] = if std::env::consts::ARCH == "x86_64" { bench.cpus } else { &[] };
    for cpu in cpus {
        section +=
            &format!("\n### Compiled for {cpu}\n\n{}\n", measure(bench, Some(cpu), url.as_deref(), &rest)?.trim());
    }
    if cpus.is_empty() {
        section += &format!("\n{}\n", measure(bench, None, url.as_deref(), &rest)?.trim());
    }
    println!("{section}");
    if !dry {
        let path = shell::root().join(FILE);
        let text = std::fs::read_to_string(&path).context(FILE)?;
        std::fs::write(&path, with_section(&text, &name, &section)?).context(FILE)?;
    }
    Ok(())
}

fn measure(bench: &Bench, cpu: Option<&str>, postgres: Option<&str>, rest: &[String]) -> Result<String> {
    let flags = cpu.map(|cpu| format!("-C target-cpu={cpu}"));
    shell::build_release(flags.clone())?;
    let mut command = shell::released("bench");
    command.arg(bench.name).args(rest);
    // A rival is built with the same.
    command.envs(cpu.map(|cpu| ("SCRUPLE_BENCH_CPU", cpu))).envs(flags.map(|flags| ("RUSTFLAGS", flags)));
    if let Some(url) = postgres {
        command.env("SCRUPLE_BENCH_POSTGRES", url);
    }
    if bench.program {
        command.env("SCRUPLE_BENCH_PROGRAM", shell::target().join("release/scruple"));
    }
    let out = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start the benchmark")?;
    if !out.status.success() {
        bail!("the benchmark ended with {}", out.status);
    }
    String::from_utf8(out.stdout).context("the benchmark printed something that is not text")
}

/// The processor's name, where the system tells it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    name.unwrap_or(std::env::consts::ARCH).trim().to_owned()
}

/// The document with the text between the marks of `name` replaced.
fn with_section(text: &str, name: &str, section: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let found = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = found else { bail!("{FILE} lacks the marks `{begin}` and `{end}`") };
    Ok(format!("{before}{begin}\n{}\n{end}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::{BENCHES, HELP, with_section};

    #[test]
    fn a_section_is_replaced_between_its_marks_and_nothing_else_is() {
        let text = "# B\n<!-- a: begin -->\nold\n<!-- a: end -->\nmid\n<!-- b: begin -->\n<!-- b: end -->\nend\n";
        let once = with_section(text, "a", "new\n").unwrap();
        assert_eq!(once, text.replace("old", "new"));
        assert_eq!(with_section(&once, "a", "new").unwrap(), once);
        assert!(with_section(&once, "b", "x").unwrap().contains("<!-- b: begin -->\nx\n<!-- b: end -->\nend\n"));
        assert!(with_section(text, "c", "x").is_err());
    }

    #[test]
    fn the_help_and_the_document_have_a_place_for_every_benchmark() {
        let document = include_str!("../../docs/benchmarks.md");
        for bench in BENCHES {
            assert!(HELP.contains(&format!("  {} ", bench.name)));
            assert!(with_section(document, bench.name, "x").is_ok(), "{}", bench.name);
        }
    }
}
