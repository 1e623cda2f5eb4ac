//! `scruple admin charts | cases`: who opened a chart, and complaints, by the API of a running node, with a person's own token. What
//! names a patient is read from a file or standard input, so that it stands in no list of commands.

use super::remote::{ApiArgs, IdArgs, SeenArgs, call, decide, id, list, number, show, text};
use crate::terminal::say;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Bytes of what is read from a file or standard input.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// Openings of a page: as many as the API gives, for each page is judged anew.
const PAGE_ROWS: usize = 100;

/// Who opened a chart, and why.
#[derive(Subcommand)]
pub enum ChartsCommand {
    /// Lists the questions that were asked about charts
    List {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Asks who opened a chart: the number is read from standard input, and that it is asked is recorded
    #[command(after_help = "Examples:
  scruple admin charts ask --cause complaint --token-file token < number
  scruple admin charts ask --cause routine --month 2026-03 --patient-file number --token-file token --json

Without a time it is about the last 30 days.")]
    Ask {
        /// File with the record number, or the patient's id in the record system; `-`: standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        patient_file: PathBuf,
        /// Why it is asked
        #[arg(long, value_name = "CAUSE", value_parser = ["complaint", "patient", "routine", "incident", "other"])]
        cause: String,
        /// A month, as 2026-03
        #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "until"])]
        month: Option<String>,
        /// From when on (RFC 3339)
        #[arg(long, value_name = "TIME", requires = "until")]
        from: Option<String>,
        /// Until when (RFC 3339)
        #[arg(long, value_name = "TIME", requires = "from")]
        until: Option<String>,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Shows who opened the chart of a question, each opening with why
    #[command(after_help = "Examples:
  scruple admin charts show 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --token-file token

With --json each page of the history is a line.")]
    Show(IdArgs),
}

/// Complaints about a chart.
#[derive(Subcommand)]
pub enum CasesCommand {
    /// Lists complaints, the newest first
    List {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Shows a complaint
    Show(IdArgs),
    /// Opens a complaint about somebody of a history
    #[command(after_help = "Examples:
  scruple admin cases open 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --reader 01a224e5-cc96-729f-a1c5-48d0d193867f \\
    --complaint-file complaint.txt --token-file token")]
    Open {
        #[command(flatten)]
        which: IdArgs,
        /// Whose access it is about, by id
        #[arg(long, value_name = "ID")]
        reader: String,
        /// File with what is complained of; `-`: standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        complaint_file: PathBuf,
    },
    /// Asks the reader, as the complaint was at a version
    Ask(SeenArgs),
    /// Decides a complaint, as it was at a version
    #[command(after_help = "Examples:
  scruple admin cases decide 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 3 --finding permitted \\
    --rationale-file rationale.txt --token-file token")]
    Decide {
        #[command(flatten)]
        seen: SeenArgs,
        /// What was found
        #[arg(long, value_name = "FINDING", value_parser = ["permitted", "not_permitted"])]
        finding: String,
        /// File with why; `-`: standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        rationale_file: PathBuf,
    },
    /// Lists what the privacy office asks you about your own work
    Asked {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Answers what the privacy office asks you about your own work, as it was at a version
    #[command(after_help = "Examples:
  scruple admin cases answer 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 2 --answer-file answer.txt --token-file token")]
    Answer {
        #[command(flatten)]
        seen: SeenArgs,
        /// File with the answer; `-`: standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        answer_file: PathBuf,
    },
    /// Makes the letter that ends a complaint, as it was at a version
    #[command(after_help = "Examples:
  scruple admin cases letter 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 4 --letter-file letter.txt --token-file token")]
    Letter {
        #[command(flatten)]
        seen: SeenArgs,
        /// File with its words; `-`: standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        letter_file: PathBuf,
    },
}

/// What a file says, or standard input.
fn words(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(TEXT_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(TEXT_BYTES_MAX).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.trim().to_owned())
}

fn login<'a>(one: &'a Value, name: &str) -> &'a str {
    one.get(name).map(|person| text(person, "login")).unwrap_or_default()
}

fn question_line(one: &Value) -> String {
    format!(
        "{}  ..{}  {} to {}  {}  asked by {}",
        text(one, "id"),
        text(one, "last_four"),
        text(one, "from"),
        text(one, "until"),
        text(one, "cause"),
        login(one, "asked_by")
    )
}

fn opening_line(one: &Value) -> String {
    let person = login(one, "person");
    let who = if person.is_empty() { text(one, "actor") } else { person };
    format!(
        "{}  {:<24} {:<7} {:<11} {}  {}",
        text(one, "at"),
        who,
        text(one, "outcome"),
        text(one, "standing"),
        text(one, "source"),
        text(one, "explanation")
    )
}

fn case_line(one: &Value) -> String {
    format!(
        "{}  {:<13} version {}  about {}, {} to {}",
        text(one, "id"),
        text(one, "state"),
        number(one),
        login(one, "reader"),
        text(one, "first_at"),
        text(one, "last_at")
    )
}

fn asked_line(one: &Value) -> String {
    let is_answered = one.get("is_answered") == Some(&Value::Bool(true));
    format!(
        "{}  {:<8} version {}  your work from {} to {}",
        text(one, "id"),
        if is_answered { "answered" } else { "waits" },
        number(one),
        text(one, "first_day"),
        text(one, "last_day")
    )
}

/// The history behind its openings: how many, and what nobody saw.
fn summary(page: &Value) -> Vec<String> {
    let count = |name: &str| page.get(name).and_then(Value::as_u64).unwrap_or_default();
    let is = |name: &str| page.get(name) == Some(&Value::Bool(true));
    let mut lines = vec![format!(
        "{} people, {} accesses: {} enforced, {} watched; nothing explains what {} people did",
        count("people"),
        count("accesses"),
        count("enforced"),
        count("watched"),
        count("unexplained")
    )];
    let unseen = page.get("unseen").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    lines.extend(unseen.map(|words| format!("not seen: {words}")));
    if is("is_cut") {
        lines.push("there are more: ask for a shorter time".to_owned());
    }
    if is("is_behind") {
        lines.push("the latest entries of the ledger are not in it yet".to_owned());
    }
    lines
}

/// Every page of a history: its openings a line each, then what it comes to; as JSON a line for each page.
fn history(args: &IdArgs) -> Result<ExitCode> {
    let (api, path) = (args.api(), format!("charts/{}", id(args.id())?));
    let mut target = format!("{path}?limit={PAGE_ROWS}");
    loop {
        let page = call(api, Method::GET, &target, (None, None))?;
        if api.is_json() {
            say(&page.to_string())?;
        } else {
            for one in page.get("items").and_then(Value::as_array).into_iter().flatten() {
                say(&opening_line(one))?;
            }
        }
        if let Some(next) = page.get("next").and_then(Value::as_str) {
            target = format!("{path}?limit={PAGE_ROWS}&cursor={next}");
            continue;
        }
        if !api.is_json() {
            summary(&page).iter().try_for_each(|line| say(line))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
}

/// Runs `admin charts`.
pub fn charts(command: &ChartsCommand) -> Result<ExitCode> {
    match command {
        ChartsCommand::List { api } => list(api, "charts", &[], question_line),
        ChartsCommand::Ask { patient_file, cause, month, from, until, api } => {
            let mut body = Map::new();
            body.insert("patient".to_owned(), json!(words(patient_file)?));
            body.insert("cause".to_owned(), json!(cause));
            for (name, value) in [("month", month), ("from", from), ("until", until)] {
                body.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
            }
            show(api, &call(api, Method::POST, "charts", (None, Some(Value::Object(body))))?, question_line)
        }
        ChartsCommand::Show(args) => history(args),
    }
}

/// Runs `admin cases`.
pub fn cases(command: &CasesCommand) -> Result<ExitCode> {
    let step = |seen: &SeenArgs, name: &str, body: Option<Value>| {
        decide(seen, &format!("cases/{}/{name}", id(seen.id())?), body, case_line)
    };
    match command {
        CasesCommand::List { api } => list(api, "cases", &[], case_line),
        CasesCommand::Show(args) => {
            let path = format!("cases/{}", id(args.id())?);
            show(args.api(), &call(args.api(), Method::GET, &path, (None, None))?, case_line)
        }
        CasesCommand::Open { which, reader, complaint_file } => {
            let path = format!("charts/{}/cases", id(which.id())?);
            let body = json!({ "reader": id(reader)?, "complaint": words(complaint_file)? });
            show(which.api(), &call(which.api(), Method::POST, &path, (None, Some(body)))?, case_line)
        }
        CasesCommand::Ask(seen) => step(seen, "ask", None),
        CasesCommand::Decide { seen, finding, rationale_file } => {
            step(seen, "decide", Some(json!({ "finding": finding, "rationale": words(rationale_file)? })))
        }
        CasesCommand::Asked { api } => list(api, "access/questions", &[], asked_line),
        CasesCommand::Answer { seen, answer_file } => {
            let body = json!({ "text": words(answer_file)? });
            decide(seen, &format!("cases/{}/answer", id(seen.id())?), Some(body), asked_line)
        }
        CasesCommand::Letter { seen, letter_file } => {
            step(seen, "letter", Some(json!({ "text": words(letter_file)? })))
        }
    }
}
