//! `scruple admin tasks`: access tasks by the API of a running node, with a person's own token.

use super::remote::{ApiArgs, IdArgs, SeenArgs, call, decide, id, list, number, show, text};
use anyhow::Result;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Access tasks: oversight and support.
#[derive(Subcommand)]
pub enum TasksCommand {
    /// Lists tasks: one's own, those to decide, or all that one may see
    #[command(after_help = "Examples:
  scruple admin tasks list --whose decide --token-file token
  SCRUPLE_API=https://scruple.example scruple admin tasks list --whose all --token-file token --json")]
    List {
        /// Which: mine, decide or all
        #[arg(long, default_value = "mine")]
        whose: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Shows a task
    Show(IdArgs),
    /// Approves a task, as it was at a version
    #[command(after_help = "Examples:
  scruple admin tasks approve 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 1 --token-file token")]
    Approve(SeenArgs),
    /// Refuses a task, as it was at a version
    Refuse {
        #[command(flatten)]
        seen: SeenArgs,
        /// Why, in a sentence
        #[arg(long, value_name = "WORDS")]
        comment: String,
    },
    /// Begins one's own task: its records are open from now on
    Begin(SeenArgs),
    /// Closes one's own task, a remote session with its recording
    #[command(after_help = "Examples:
  scruple admin tasks close 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 3 --token-file token \\
    --recording vault://sessions/4711 --sha256 \"$(sha256sum < session.cast | cut -d' ' -f1)\"")]
    Close {
        #[command(flatten)]
        seen: SeenArgs,
        /// Where the recording is kept
        #[arg(long, value_name = "PLACE", requires = "sha256")]
        recording: Option<String>,
        /// The SHA-256 of the recording
        #[arg(long, value_name = "HEX", requires = "recording")]
        sha256: Option<String>,
    },
    /// Ends somebody else's task at once
    End(IdArgs),
    /// A ticket was closed: ends what is open under its number
    TicketClosed {
        /// The number of the ticket
        ticket: String,
        #[command(flatten)]
        api: ApiArgs,
    },
}

fn line(one: &Value) -> String {
    let patients = one.get("patients").and_then(Value::as_array).map_or(0, Vec::len);
    let who = one.get("person").map(|person| text(person, "login")).unwrap_or_default();
    let owed = if one.get("recording_owed") == Some(&Value::Bool(true)) { ", its recording is owed" } else { "" };
    format!(
        "{}  {:<9} version {}  {who} as {}: {}, {patients} patients{owed}",
        text(one, "id"),
        text(one, "state"),
        number(one),
        text(one, "role"),
        text(one, "kind")
    )
}

/// Runs `admin tasks`.
pub fn tasks(command: &TasksCommand) -> Result<ExitCode> {
    let step = |seen: &SeenArgs, name: &str, body: Value| {
        decide(seen, &format!("access-tasks/{}/{name}", id(seen.id())?), Some(body), line)
    };
    match command {
        TasksCommand::List { whose, api } => list(api, "access-tasks", &[("whose", whose)], line),
        TasksCommand::Show(args) => {
            let path = format!("access-tasks/{}", id(args.id())?);
            show(args.api(), &call(args.api(), Method::GET, &path, (None, None))?, line)
        }
        TasksCommand::Approve(seen) => step(seen, "approve", json!({})),
        TasksCommand::Refuse { seen, comment } => step(seen, "refuse", json!({ "comment": comment })),
        TasksCommand::Begin(seen) => step(seen, "begin", json!({})),
        TasksCommand::Close { seen, recording, sha256 } => {
            step(seen, "close", json!({ "recording": recording, "recording_sha256": sha256 }))
        }
        TasksCommand::End(args) => {
            let path = format!("access-tasks/{}/end", id(args.id())?);
            show(args.api(), &call(args.api(), Method::POST, &path, (None, None))?, line)
        }
        TasksCommand::TicketClosed { ticket, api } => {
            let answer = call(api, Method::POST, "tickets/close", (None, Some(json!({ "ticket": ticket }))))?;
            show(api, &answer, |one| format!("{} ended", one.get("ended").and_then(Value::as_u64).unwrap_or_default()))
        }
    }
}
