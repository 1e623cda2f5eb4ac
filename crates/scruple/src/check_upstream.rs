//! `scruple check-upstream`: whether a FHIR server can stand behind the gateway.

use crate::config::Config;
use crate::node::upstream_options;
use crate::serve::runtime;
use crate::terminal::say;
use anyhow::{Context as _, Result};
use clap::Args;
use scruple_connect::{Check, Credential, HttpUpstream, Options, Verdict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Asks a FHIR server what it does, and says what to set on it and on the gateway.
///
/// It reads some patients with the gateway's credential and prints nothing of them. Ends with 1 if anything would make
/// records missing or leave them unprotected.
#[derive(Args)]
#[command(after_help = "Examples:
  scruple check-upstream http://127.0.0.1:8080/fhir
  scruple check-upstream --config scruple.toml --json")]
pub struct CheckUpstreamArgs {
    /// Base of the server, as `upstream.url` [default: that of the configuration]
    #[arg(value_name = "URL", required_unless_present = "config")]
    url: Option<String>,
    /// Configuration with the server's credential and certificates, under `[upstream]`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &CheckUpstreamArgs) -> Result<ExitCode> {
    let mut config = Config::load(args.config.as_deref())?;
    if args.url.is_some() {
        config.upstream.url.clone_from(&args.url);
    }
    let options = upstream_options(&config)?.context("`upstream.url` is missing: give the server's base")?;
    let stranger = Options { credential: Credential::None, ..options.clone() };
    let (server, stranger) = (HttpUpstream::new(&options)?, HttpUpstream::new(&stranger)?);
    let checks = runtime()?.block_on(server.check(&stranger));
    let is_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    say(&if args.json { json(&checks)? } else { words(&checks) })?;
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn json(checks: &[Check]) -> Result<String> {
    let one =
        |check: &Check| serde_json::json!({"check": check.name, "verdict": check.verdict.name(), "words": check.words});
    Ok(serde_json::to_string_pretty(&checks.iter().map(one).collect::<Vec<_>>())?)
}

fn words(checks: &[Check]) -> String {
    let line = |check: &Check| format!("{:<8} {:<10} {}", check.verdict.name(), check.name, check.words);
    checks.iter().map(line).collect::<Vec<_>>().join("\n")
}
