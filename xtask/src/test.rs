//! `cargo xtask test`: everything that can fail, in one command.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::needs::{self, Need};
use crate::postgres::{Durability, Postgres};
use crate::upstream::{self, HELIOS_VARIABLE, MEDPLUM_VARIABLE, Upstream};
use crate::{npm, pip, shell, tidy, trace};

pub const HELP: &str = "
usage: cargo xtask test [--upstream medplum|helios] [-- ARGS]

Installs what the tests need where that can be done without a question (else says what to install), starts PostgreSQL
and Medplum once, holds Medplum against upstreams/README.md, runs every test of the workspace, then `tidy` and `trace`.
What was started is stopped at the end, however that comes.

  --upstream NAME   the gateway's tests run in front of this server too: `medplum` always does, `helios` if its program
                    was built beforehand (cargo xtask helios); what is said of its search is then held against it
  -- ARGS           go to `cargo nextest run` or `cargo test` in place of --workspace, such as `-- -p scruple-store`

environment:
  SCRUPLE_TEST_POSTGRES   address of a server to use; none is started then
  SCRUPLE_TEST_MEDPLUM    base of a Medplum server to use; none is started then
  SCRUPLE_TEST_HELIOS     base of a Helios server to use; none is started then
  SCRUPLE_TEST_CHROMIUM   path of the browser to use
  CARGO_TARGET_DIR        artefacts; default: target/, as for cargo itself

The tests find these variables set, and beside them SCRUPLE_TEST_BROWSER, the folder whose node_modules hold the packages
of the browser's tests, and SCRUPLE_TEST_SCIM2 and SCRUPLE_TEST_SCHEMATHESIS, the folders of Python's packages for the tests
of SCIM and of the API. Without them they say that they are skipped.";

/// How tests are told where PostgreSQL is.
pub const POSTGRES_VARIABLE: &str = "SCRUPLE_TEST_POSTGRES";
const CHROMIUM_VARIABLE: &str = "SCRUPLE_TEST_CHROMIUM";
const BROWSER_VARIABLE: &str = "SCRUPLE_TEST_BROWSER";

const SCIM_VARIABLE: &str = "SCRUPLE_TEST_SCIM2";
pub const SCHEMATHESIS_VARIABLE: &str = "SCRUPLE_TEST_SCHEMATHESIS";

/// The folder that asks for the packages of the tests of SCIM.
const SCIM_PACKAGES: &str = "crates/scruple-api/tests/scim2";

/// The folder that asks for the packages of the tests of the API.
pub const SCHEMATHESIS_PACKAGES: &str = "crates/scruple-api/tests/schemathesis";

/// The folder that asks for the packages of the browser's tests.
const BROWSER_PACKAGES: &str = "crates/scruple-console/tests/browser";

#[derive(Default, Debug, PartialEq, Eq, Clone, Copy)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Upstreams that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Medplum,
    Helios,
}

impl FromStr for Asked {
    type Err = std::io::Error;

    fn from_str(text: &str) -> std::io::Result<Self> {
        match text {
            "medplum" => Ok(Self::Medplum),
            "helios" => Ok(Self::Helios),
            _ => Err(std::io::Error::other("medplum or helios")),
        }
    }
}

/// What runs while the tests do, and the variables that tell of it.
#[derive(Default)]
struct Surroundings {
    variables: Vec<(&'static str, OsString)>,
    postgres: Option<Postgres>,
    upstreams: Vec<Upstream>,
}

impl Surroundings {
    fn start(asked: Option<Asked>) -> Result<Self> {
        let needed = |need: &Need| match need {
            Need::Postgres => shell::given(POSTGRES_VARIABLE).is_none(),
            Need::Chromium => shell::given(CHROMIUM_VARIABLE).is_none(),
            _ => true,
        };
        needs::ensure(&needs::OF_TESTS.iter().copied().filter(needed).collect::<Vec<_>>())?;
        let mut this = Self::default();
        let url = match shell::given(POSTGRES_VARIABLE) {
            Some(url) => url,
            None => this.postgres.insert(Postgres::start(Durability::Off)?).url().into(),
        };
        let medplum = match shell::given(MEDPLUM_VARIABLE) {
            Some(base) => base,
            None => this.upstream(Upstream::medplum()?),
        };
        let chromium = shell::given(CHROMIUM_VARIABLE).map_or_else(|| needs::chromium().map(Into::into), Ok)?;
        this.variables = vec![(POSTGRES_VARIABLE, url), (MEDPLUM_VARIABLE, medplum), (CHROMIUM_VARIABLE, chromium)];
        let packages = shell::root().join(BROWSER_PACKAGES);
        if npm::asks(&packages) {
            this.variables.push((BROWSER_VARIABLE, npm::packages(&packages)?.into()));
        }
        for (variable, packages) in [(SCIM_VARIABLE, SCIM_PACKAGES), (SCHEMATHESIS_VARIABLE, SCHEMATHESIS_PACKAGES)] {
            let packages = shell::root().join(packages);
            if pip::asks(&packages) {
                this.variables.push((variable, pip::packages(&packages)?.into()));
            }
        }
        if asked == Some(Asked::Helios) {
            let helios = match shell::given(HELIOS_VARIABLE) {
                Some(base) => Some(base),
                None => upstream::helios()?.map(|helios| this.upstream(helios)),
            };
            this.variables.extend(helios.map(|base| (HELIOS_VARIABLE, base)));
        }
        for (name, value) in &this.variables {
            println!("{name}={}", value.to_string_lossy());
        }
        Ok(this)
    }

    /// What the tests find in a variable.
    fn of(&self, variable: &str) -> Option<&OsStr> {
        self.variables.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.as_os_str())
    }

    fn upstream(&mut self, upstream: Upstream) -> OsString {
        let base = OsString::from(&upstream.base);
        self.upstreams.push(upstream);
        base
    }
}

pub fn run(mut args: Args) -> Result<()> {
    let asked = args.value("--upstream")?;
    let rest = args.finish()?;
    let surroundings = Surroundings::start(asked)?;
    let medplum = upstream::check_medplum();
    let helios = surroundings.of(HELIOS_VARIABLE).map(upstream::check_helios);
    let tests = tests(&surroundings.variables, rest);
    drop(surroundings);
    let tidy = tidy::run(Args::new(std::iter::empty()));
    let trace = trace::run(Args::new(std::iter::empty()));

    let mut results =
        vec![("tidy", tidy.map(|()| String::new())), ("trace", trace.map(|()| String::new())), ("medplum", medplum)];
    results.extend(helios.map(|helios| ("helios", helios)));
    results.push(("tests", tests));
    println!("\ncargo xtask test");
    for (name, result) in &results {
        match result {
            Ok(text) => println!("  {name:<8} ok      {text}"),
            Err(error) => println!("  {name:<8} FAILED  {error:#}"),
        }
    }
    match results.iter().filter(|(_, result)| result.is_err()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} failed", results.len()),
    }
}

/// Runs the tests; says how many there were.
fn tests(variables: &[(&str, OsString)], rest: Vec<String>) -> Result<String> {
    let mut command = shell::cargo();
    if shell::is_there("cargo-nextest", "--version") {
        command.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        command.args(["test", "--no-fail-fast"]);
    }
    if rest.is_empty() {
        command.arg("--workspace");
    }
    command.args(rest).envs(variables.iter().map(|(name, value)| (name, value))).env("INSTA_UPDATE", "no");
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let (counts, succeeded) = watch(&mut command, &mut std::io::stdout(), &mut std::io::stderr())?;
    let text = format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    if !succeeded || counts.failed > 0 {
        bail!("{text}");
    }
    if counts.passed == 0 {
        bail!("no test was run");
    }
    Ok(text)
}

/// Lets a program talk, and reads the counts of tests out of what it says.
fn watch(command: &mut Command, out: &mut (impl Write + Send), err: &mut impl Write) -> Result<(Counts, bool)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start `cargo`")?;
    let (from_out, from_err) = (child.stdout.take(), child.stderr.take());
    let counts = std::thread::scope(|scope| {
        let out = scope.spawn(|| relay(from_out, out));
        let err = relay(from_err, err);
        let out = out.join().unwrap_or_default();
        Counts { passed: out.passed + err.passed, failed: out.failed + err.failed, skipped: out.skipped + err.skipped }
    });
    Ok((counts, child.wait()?.success()))
}

fn relay(from: Option<impl Read>, to: &mut impl Write) -> Counts {
    let mut counts = Counts::default();
    let Some(from) = from else { return counts };
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        // A closed terminal must not stop the tests half-way through.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        counts.add(&String::from_utf8_lossy(&line));
        line.clear();
    }
    counts
}

impl Counts {
    /// Adds what a closing line of nextest or of `cargo test` tells.
    fn add(&mut self, line: &str) {
        let line = without_colours(line);
        let nextest = line.trim_start().starts_with("Summary [");
        if !nextest && !line.starts_with("test result: ") {
            return;
        }
        let words: Vec<&str> = line.split([' ', ',', ';', '(', ')', ':']).filter(|w| !w.is_empty()).collect();
        for pair in words.windows(2) {
            let [number, word] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word.trim() {
                "passed" => self.passed += number,
                "failed" | "timed" => self.failed += number,
                "skipped" | "ignored" | "filtered" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// The line without the terminal's colour codes.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or("").to_owned();
    for part in parts {
        text += part.split_once('m').map_or("", |(_, rest)| rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Asked, Counts, watch};

    fn counts(lines: &[&str]) -> (u64, u64, u64) {
        let mut counts = Counts::default();
        lines.iter().for_each(|line| counts.add(line));
        (counts.passed, counts.failed, counts.skipped)
    }

    #[test]
    fn only_known_upstreams_can_be_asked_for() {
        let cases = [("medplum", Some(Asked::Medplum)), ("helios", Some(Asked::Helios)), ("hapi", None), ("", None)];
        for (text, asked) in cases {
            assert_eq!(text.parse().ok(), asked, "{text:?}");
        }
    }

    #[test]
    fn closing_lines_of_both_runners_are_read() {
        assert_eq!(counts(&["     Summary [   0.015s] 30 tests run: 30 passed, 2 skipped\n"]), (30, 0, 2));
        assert_eq!(
            counts(&[
                "\u{1b}[31;1m     Summary\u{1b}[0m [   3.1s] \u{1b}[1m9\u{1b}[0m tests run: \u{1b}[1m7\u{1b}[0m \
                      \u{1b}[32;1mpassed\u{1b}[0m (1 slow), 1 failed, 1 timed out, 0 skipped"
            ]),
            (7, 2, 0)
        );
        assert_eq!(
            counts(&[
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s",
                "running 3 tests",
                "my 8 passed",
            ]),
            (7, 3, 5)
        );
    }

    #[test]
    fn a_program_that_fails_is_seen_to_fail_and_its_counts_are_kept() {
        let said = "echo 'test result: ok. 1 passed; 0 failed' >&2; echo 'test result: FAILED. 0 passed; 2 failed'";
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut command = Command::new("sh");
        let (counts, succeeded) = watch(command.args(["-c", &format!("{said}; exit 3")]), &mut out, &mut err).unwrap();
        assert_eq!(out, b"test result: FAILED. 0 passed; 2 failed\n");
        assert_eq!(err, b"test result: ok. 1 passed; 0 failed\n");
        assert!(!succeeded);
        assert_eq!(counts, Counts { passed: 1, failed: 2, skipped: 0 });
    }
}
