//! `scruple serve`: the gateway before a FHIR server, with console, health and metrics.

use crate::config::{Config, reference};
use crate::node::{self, Plan};
use crate::terminal::{say, tell};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Serves FHIR R4, each caller the minimum necessary, and records it.
///
/// Reload policy and token keys with SIGHUP; stop with SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  scruple serve --config scruple.toml\n  scruple config reference\n  SCRUPLE__UPSTREAM__URL=http://127.0.0.1:8080/fhir scruple serve --config scruple.toml"
)]
pub struct ServeArgs {
    /// Configuration (docs/configuration.md lists the keys)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Checks the configuration and the policy, and ends
    #[arg(long)]
    check: bool,
}

/// Reads and explains the configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Prints every key with its default and meaning, as Markdown
    Reference,
}

/// Runs the command.
pub fn run(args: &ServeArgs) -> Result<ExitCode> {
    let config = Config::load(args.config.as_deref())?;
    if config.tokens.issuer.is_none() {
        bail!(
            "`tokens.issuer` is missing: the issuer of access tokens. Tokens come from your identity provider; `scruple demo` shows how one looks"
        );
    }
    if args.check {
        runtime()?.block_on(async { node::check(&config) })?;
        say("configuration and policy are good")?;
        return Ok(ExitCode::SUCCESS);
    }
    node::start_log(config.log);
    let plan = Plan { config, jwks: None, people: Vec::new(), invited: Vec::new(), scim_token: None };
    runtime()?.block_on(node::run(plan, |at| {
        tell(&format!("gateway {}\nconsole {}\nhealth  {}", at.gateway, at.console, at.health));
        if let Some(scim) = &at.scim {
            tell(&format!("scim    {scim}"));
        }
        Ok(())
    }))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `scruple config`.
pub fn run_config(command: &ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Reference => say(reference().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The runtime of a node.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}
