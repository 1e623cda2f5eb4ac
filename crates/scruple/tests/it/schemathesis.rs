//! The API and the decisions of a real node before schemathesis, which knows OpenAPI and not us. `cargo xtask test` installs it.

use crate::rest::{Api, EVERY_SCOPE};
use crate::support::{World, entries_of};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// The folder of the packages, for `PYTHONPATH`.
const VARIABLE: &str = "SCRUPLE_TEST_SCHEMATHESIS";
/// Of a long run (`cargo xtask long schemathesis`): its seconds, its seed, and the file for what it found.
const SECONDS: &str = "SCRUPLE_TEST_SCHEMATHESIS_SECONDS";
const SEED: &str = "SCRUPLE_TEST_SCHEMATHESIS_SEED";
const REPORT: &str = "SCRUPLE_TEST_SCHEMATHESIS_REPORT";
/// Acts that end the caller's own access: they come last.
const ENDS: [&str; 2] = ["end_grant", "end_person"];

struct Run<'a> {
    packages: &'a std::ffi::OsStr,
    base: &'a str,
    token: &'a str,
    seconds: u64,
    seed: u64,
}

/// What a run came to.
struct Found {
    cases: u64,
    /// The kinds of failures.
    failures: Vec<String>,
    out: String,
}

impl Run<'_> {
    /// What it finds in the operations that are left, or in these alone.
    fn finds(&self, selection: &[String]) -> Found {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scruple-api/tests/schemathesis/schemathesis.toml");
        let ran = Command::new("python3")
            .args(["-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file"])
            .arg(config)
            .args(["run", &format!("{}/api/openapi.json", self.base), "--url", self.base])
            .args(["--header", &format!("Authorization: Bearer {}", self.token)])
            .args(["--max-time", &self.seconds.to_string(), "--max-examples", "100000", "--workers", "2"])
            .args([
                "--phases",
                "coverage,fuzzing",
                "--seed",
                &self.seed.to_string(),
                "--no-color",
                "--continue-on-failure",
            ])
            .args(selection)
            .env("PYTHONPATH", self.packages)
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap_or_else(|error| panic!("python3 cannot be started (apt-get install python3): {error}"));
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        let out = format!("{out}\n{err}");
        let (_, cases) = out.split_once("Test cases:").unwrap_or_else(|| panic!("{out}"));
        let cases = cases.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap();
        let (_, summary) = out.rsplit_once("= SUMMARY =").unwrap();
        let failures: Vec<String> = summary
            .lines()
            .filter(|line| line.contains('❌') && line.contains(": "))
            .map(|line| line.trim().to_owned())
            .collect();
        assert_eq!(ran.status.success(), failures.is_empty(), "{out}");
        Found { cases, failures, out }
    }
}

#[test]
fn schemathesis_finds_nothing_wrong_with_the_api() {
    let Some(packages) = std::env::var_os(VARIABLE) else {
        println!(
            "skipped: {VARIABLE} is not set; `cargo xtask test` installs what tests/schemathesis/requirements.txt of \
             scruple-api names (`python3 -m pip install --no-deps --target DIR -r requirements.txt`, then {VARIABLE}=DIR)"
        );
        return;
    };
    let told = |variable| std::env::var(variable).ok().and_then(|text| text.parse().ok());
    let (seconds, seed) = (told(SECONDS).unwrap_or(60), told(SEED).unwrap_or(1));
    let world = World::new();
    // One who may do everything that the API offers: what is refused for the policy's sake is the other tests'.
    let roles = ["privacy_officer", "administrator", "manager", "service_account", "auditor", "nurse"];
    let people: Vec<(&str, &str)> = roles
        .iter()
        .map(|role| ("every.role", *role))
        .chain([("nia.nurse", "nurse"), ("ben.biller", "biller")])
        .collect();
    let mut api = Api::serve(&world, &people, true);
    let token = api.token_for("every.role", EVERY_SCOPE, 3 * 3_600, true);
    let base = format!("http://{}", api.node.console);
    let run = |seconds| Run { packages: &packages, base: &base, token: &token, seconds, seed };
    let most = run(seconds).finds(&ENDS.map(|name| format!("--exclude-operation-id={name}")));
    let last = run(10).finds(&ENDS.map(|name| format!("--include-operation-id={name}")));
    if let Some(file) = std::env::var_os(REPORT) {
        println!("{}\n{}", most.out, last.out);
        let details: Vec<&String> = most.failures.iter().chain(&last.failures).collect();
        let report = json!({"cases": most.cases + last.cases, "findings": details.len(), "details": details});
        std::fs::write(file, report.to_string()).unwrap();
    } else {
        assert!(most.failures.is_empty() && last.failures.is_empty(), "{}\n{}", most.out, last.out);
    }
    assert!(most.cases > 500, "a tester that asks for nothing is no pass: {}", most.out);
    let faults = api.node.err.text();
    assert!(!faults.contains("ERROR") && !faults.contains("panicked"), "{faults}");
    api.node.stops();
    assert!(entries_of(&world.run(["ledger", "show", "--json"]).ends(0)).len() > 500);
    world.run(["ledger", "verify"]).ends(0);
}
