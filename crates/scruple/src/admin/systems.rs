//! `scruple admin systems`: connected systems by the API of a running node, with a person's own token.

use super::remote::{ApiArgs, IdArgs, SeenArgs, call, decide, id, list, number, show, text};
use anyhow::Result;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Connected systems.
#[derive(Subcommand)]
pub enum SystemsCommand {
    /// Lists the connected systems, with when each was last read
    #[command(after_help = "Examples:
  scruple admin systems list --token-file token
  SCRUPLE_API=https://scruple.example scruple admin systems list --token-file token --json")]
    List {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Connects a system that the configuration has a way to
    #[command(after_help = "Examples:
  scruple admin systems connect warehouse --kind scim --owner 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --token-file token
  scruple admin systems connect pacs --kind file --owner 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --token-file token

The way to it stands in the file of `systems.file` (docs/systems.md).")]
    Connect {
        /// Its code, as the file of `systems.file` names it
        code: String,
        /// How it is reached: scim or file
        #[arg(long, value_parser = ["scim", "file"])]
        kind: String,
        /// Id of the person who answers for it
        #[arg(long, value_name = "ID")]
        owner: String,
        /// Remove rights that nobody holds here without asking anybody
        #[arg(long)]
        removes_drift: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Has a system read now
    #[command(after_help = "Examples:
  scruple admin systems read 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --token-file token")]
    Read(IdArgs),
    /// Lists the rights that a system knows, and what each stands for
    Rights(IdArgs),
    /// Says what a right of a system stands for
    #[command(after_help = "Examples:
  scruple admin systems decide 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 1 --role coder --token-file token
  scruple admin systems decide 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 1 --token-file token

Without a role it opens nothing that the policy is about.")]
    Decide {
        #[command(flatten)]
        seen: SeenArgs,
        /// The role of which holders may have it
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
    },
    /// Lists where systems and what is held here differ
    #[command(after_help = "Examples:
  scruple admin systems findings --token-file token
  scruple admin systems findings --all --token-file token --json")]
    Findings {
        /// What is over too
        #[arg(long)]
        all: bool,
        /// Of the system with this id alone
        #[arg(long, value_name = "ID")]
        system: Option<String>,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Asks for what a system should not grant to be removed there, as it was at a version
    Remove(SeenArgs),
    /// Lets a finding be for a time, as it was at a version
    #[command(after_help = "Examples:
  scruple admin systems except 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 1 --until 2026-06-01T00:00:00Z \\
    --reason 'The vendor migrates until the end of May' --token-file token")]
    Except {
        #[command(flatten)]
        seen: SeenArgs,
        /// Until when (RFC 3339), at most 180 days ahead
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Why, in a sentence
        #[arg(long, value_name = "WORDS")]
        reason: String,
    },
}

fn system_line(one: &Value) -> String {
    let read = match (text(one, "read_at"), text(one, "failure")) {
        ("", "") => "not read yet".to_owned(),
        ("", failure) => format!("never read ({failure})"),
        (read, "") => format!("read {read}"),
        (read, failure) => format!("read {read}, then not any more ({failure})"),
    };
    format!("{}  {:<16} {:<4} version {}  {read}", text(one, "id"), text(one, "code"), text(one, "kind"), number(one))
}

fn right_line(one: &Value) -> String {
    let stands = match text(one, "meaning") {
        "role" => format!("role {}", text(one, "role")),
        other => other.to_owned(),
    };
    format!("{}  version {}  {stands:<20} {}", text(one, "id"), number(one), text(one, "name"))
}

fn drift_line(one: &Value) -> String {
    let failure = match text(one, "failure") {
        "" => String::new(),
        failure => format!(" ({failure})"),
    };
    format!(
        "{}  {:<9} {:<9} version {}{failure}  {}  {}",
        text(one, "id"),
        text(one, "kind"),
        text(one, "state"),
        number(one),
        text(one, "account"),
        text(one, "right_name")
    )
}

/// Runs `admin systems`.
pub fn systems(command: &SystemsCommand) -> Result<ExitCode> {
    match command {
        SystemsCommand::List { api } => list(api, "systems", &[], system_line),
        SystemsCommand::Connect { code, kind, owner, removes_drift, api } => {
            let body = json!({ "code": code, "kind": kind, "owner": owner, "removes_drift": removes_drift });
            show(api, &call(api, Method::POST, "systems", (None, Some(body)))?, system_line)
        }
        SystemsCommand::Read(which) => {
            let path = format!("systems/{}/read", id(which.id())?);
            show(which.api(), &call(which.api(), Method::POST, &path, (None, None))?, system_line)
        }
        SystemsCommand::Rights(which) => {
            list(which.api(), &format!("systems/{}/rights", id(which.id())?), &[], right_line)
        }
        SystemsCommand::Decide { seen, role } => {
            let path = format!("system-rights/{}/decide", id(seen.id())?);
            decide(seen, &path, Some(json!({ "role": role })), right_line)
        }
        SystemsCommand::Findings { all, system, api } => {
            let (all, system) = (if *all { "true" } else { "" }, system.as_deref().unwrap_or_default());
            list(api, "drift", &[("all", all), ("system", system)], drift_line)
        }
        SystemsCommand::Remove(seen) => decide(seen, &format!("drift/{}/remove", id(seen.id())?), None, drift_line),
        SystemsCommand::Except { seen, until, reason } => {
            let path = format!("drift/{}/except", id(seen.id())?);
            decide(seen, &path, Some(json!({ "why": reason, "until": until })), drift_line)
        }
    }
}
