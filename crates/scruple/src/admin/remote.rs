//! `scruple admin requests | access | people`: the API of a running node, called with a person's own token. Whoever has the machine
//! has no other right here than the person has.

use crate::serve::runtime;
use crate::terminal::say;
use anyhow::{Context as _, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use clap::{Args, Subcommand};
use http::Method;
use scruple_connect::{Roots, Web};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Where the API is, and as whom it is called.
#[derive(Args)]
pub struct ApiArgs {
    /// Address of the console and its API
    #[arg(long, value_name = "URL", env = "SCRUPLE_API", default_value = "http://localhost:8481")]
    api: String,
    /// File with an access token of the person who acts, with the scopes scruple.read and scruple.write
    #[arg(long, value_name = "FILE", env = "SCRUPLE_API_TOKEN_FILE")]
    token_file: PathBuf,
    /// PEM file with the authorities that the certificate of the API is checked against [default: the public ones]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which thing, at which version.
#[derive(Args)]
pub struct SeenArgs {
    /// Its id
    id: String,
    /// The version that was read, as `show` and `list` print it
    #[arg(long, value_name = "N")]
    version: i64,
    #[command(flatten)]
    api: ApiArgs,
}

/// Which thing.
#[derive(Args)]
pub struct IdArgs {
    /// Its id
    id: String,
    #[command(flatten)]
    api: ApiArgs,
}

impl ApiArgs {
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }
}

impl SeenArgs {
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl IdArgs {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn api(&self) -> &ApiArgs {
        &self.api
    }
}

/// Requests for access.
#[derive(Subcommand)]
pub enum RequestsCommand {
    /// Lists requests: one's own, those to decide, or all that wait
    #[command(after_help = "Examples:
  scruple admin requests list --whose decide --token-file token
  SCRUPLE_API=https://scruple.example scruple admin requests list --token-file token --json")]
    List {
        /// Which: mine, decide or all
        #[arg(long, default_value = "mine")]
        whose: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Shows a request
    Show(IdArgs),
    /// Approves a request, as it was at a version
    #[command(after_help = "Examples:
  scruple admin requests approve 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 1 --token-file token
  scruple admin requests approve 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --version 1 --kind labs --kind vitals --token-file token")]
    Approve {
        #[command(flatten)]
        seen: SeenArgs,
        /// Until when, if less than was asked for (RFC 3339)
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// A kind of information that stays, if fewer than were asked for; once for each
        #[arg(long = "kind", value_name = "CODE")]
        kinds: Vec<String>,
    },
    /// Shows what is read before access is asked for, with the id that a request names
    #[command(after_help = "Examples:
  scruple admin requests reminder --role coder --what patients --token-file token")]
    Reminder {
        /// The role that would be asked for
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// What of it: role or patients
        #[arg(long, default_value = "role", value_parser = ["role", "patients"])]
        what: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Asks for what a request opened, from its end on: a new request, decided anew
    #[command(after_help = "Examples:
  scruple admin requests extend 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --until 2026-03-05T09:00:00Z \\
    --reason 'The appeal was put off to Friday' --acknowledged role-3f9ac1d2e4b5a697 --token-file token

`requests reminder` shows what is read first, and its id.")]
    Extend {
        #[command(flatten)]
        which: IdArgs,
        /// Until when (RFC 3339)
        #[arg(long, value_name = "TIME")]
        until: String,
        /// What it is still needed for, in a sentence
        #[arg(long, value_name = "WORDS")]
        reason: String,
        /// The id of the text that was read
        #[arg(long, value_name = "ID")]
        acknowledged: Option<String>,
    },
    /// Refuses a request, as it was at a version
    Refuse {
        #[command(flatten)]
        seen: SeenArgs,
        /// Why, in a sentence
        #[arg(long, value_name = "WORDS")]
        comment: String,
    },
}

/// Deputies.
#[derive(Subcommand)]
pub enum DeputiesCommand {
    /// Lists those whom one has named and those for whom one stands in
    List {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Names somebody who stands in at the desk, once he has accepted
    #[command(after_help = "Examples:
  scruple admin deputies name rosa.diaz --as approver --until 2026-03-15T07:00:00Z --token-file token")]
    Name {
        /// The login of who would stand in
        login: String,
        /// As what: approver or reviewer
        #[arg(long = "as", value_name = "WHAT", value_parser = ["approver", "reviewer"])]
        capacity: String,
        /// From when (RFC 3339) [default: from now on]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when (RFC 3339), within 30 days
        #[arg(long, value_name = "TIME")]
        until: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Accepts to stand in for somebody, as it was at a version
    Accept(SeenArgs),
    /// Ends it or declines it, as it was at a version
    End(SeenArgs),
}

/// Access.
#[derive(Subcommand)]
pub enum AccessCommand {
    /// Lists what a person has: one's own, or that of somebody whom one may read of
    #[command(after_help = "Examples:
  scruple admin access list --token-file token
  scruple admin access list --person 01a224e5-cc96-729f-a1c5-48d0d193867f --token-file token --json")]
    List {
        /// Whose, by id
        #[arg(long, value_name = "ID")]
        person: Option<String>,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Ends a role or an opened record, as it was at a version
    End {
        /// What: grant or elevation
        #[arg(value_parser = ["grant", "elevation"])]
        kind: String,
        #[command(flatten)]
        seen: SeenArgs,
    },
}

/// What stood at an instant.
#[derive(Args)]
pub struct EvidenceArgs {
    /// When (RFC 3339), at least a minute ago [default: a minute ago]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Write it to this file, and print its SHA-256
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    api: ApiArgs,
}

/// People.
#[derive(Subcommand)]
pub enum PeopleCommand {
    /// Lists people
    #[command(after_help = "Examples:
  scruple admin people list --search doyle --token-file token")]
    List {
        /// A part of the name or login
        #[arg(long, value_name = "TEXT", default_value = "")]
        search: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Shows a person
    Show(IdArgs),
    /// Ends every role, opened record and session of a person at once
    End(IdArgs),
}

/// Runs `admin requests`.
pub fn requests(command: &RequestsCommand) -> Result<ExitCode> {
    let line = |one: &Value| {
        let patients = one.get("patients").and_then(Value::as_array).map_or(0, Vec::len);
        let kinds = one.get("kinds").and_then(Value::as_array);
        let kinds = kinds.map_or_else(|| "all that it has".to_owned(), |kinds| format!("{} kinds", kinds.len()));
        let of = if patients == 0 { String::new() } else { format!(", {kinds} of {patients} patients") };
        let who = one.get("person").map(|person| text(person, "login")).unwrap_or_default();
        format!(
            "{}  {:<9} version {}  {who} as {}{of} until {}",
            text(one, "id"),
            text(one, "state"),
            number(one),
            text(one, "role"),
            text(one, "ends_at")
        )
    };
    match command {
        RequestsCommand::List { whose, api } => list(api, "access-requests", &[("whose", whose)], line),
        RequestsCommand::Show(args) => show(
            &args.api,
            &call(&args.api, Method::GET, &format!("access-requests/{}", id(&args.id)?), (None, None))?,
            line,
        ),
        RequestsCommand::Approve { seen, until, kinds } => {
            let mut body = serde_json::Map::new();
            body.extend(until.as_ref().map(|until| ("ends_at".to_owned(), json!(until))));
            body.extend((!kinds.is_empty()).then(|| ("kinds".to_owned(), json!(kinds))));
            let body = Value::Object(body);
            decide(seen, &format!("access-requests/{}/approve", id(&seen.id)?), Some(body), line)
        }
        RequestsCommand::Reminder { role, what, api } => {
            let path = format!("reminders?role={}&what={what}", escaped(role));
            let text = |one: &Value| {
                let all = one.get("sentences").and_then(Value::as_array).into_iter().flatten();
                let all: Vec<&str> = all.filter_map(Value::as_str).collect();
                format!("{}\n{}", text(one, "id"), all.join("\n"))
            };
            show(api, &call(api, Method::GET, &path, (None, None))?, text)
        }
        RequestsCommand::Extend { which, until, reason, acknowledged } => {
            let body = json!({ "ends_at": until, "justification": reason, "acknowledged": acknowledged });
            let path = format!("access-requests/{}/extend", id(&which.id)?);
            show(&which.api, &call(&which.api, Method::POST, &path, (None, Some(body)))?, line)
        }
        RequestsCommand::Refuse { seen, comment } => decide(
            seen,
            &format!("access-requests/{}/refuse", id(&seen.id)?),
            Some(json!({ "comment": comment })),
            line,
        ),
    }
}

/// Runs `admin deputies`.
pub fn deputies(command: &DeputiesCommand) -> Result<ExitCode> {
    let line = |one: &Value| {
        let login = |name: &str| one.get(name).map(|person| text(person, "login")).unwrap_or_default();
        format!(
            "{}  {:<8} version {}  {} for {} as {} until {}",
            text(one, "id"),
            text(one, "state"),
            number(one),
            login("deputy"),
            login("principal"),
            text(one, "capacity"),
            text(one, "ends_at")
        )
    };
    match command {
        DeputiesCommand::List { api } => list(api, "deputies", &[], line),
        DeputiesCommand::Name { login, capacity, from, until, api } => {
            let body = json!({ "login": login, "capacity": capacity, "starts_at": from, "ends_at": until });
            show(api, &call(api, Method::POST, "deputies", (None, Some(body)))?, line)
        }
        DeputiesCommand::Accept(seen) => decide(seen, &format!("deputies/{}/accept", id(&seen.id)?), None, line),
        DeputiesCommand::End(seen) => decide(seen, &format!("deputies/{}/end", id(&seen.id)?), None, line),
    }
}

/// Runs `admin access`.
pub fn access(command: &AccessCommand) -> Result<ExitCode> {
    let line = |one: &Value| {
        let kind = if one.get("kind").is_some() { "elevation" } else { "grant" };
        format!(
            "{kind:<9} {}  version {}  {} until {}",
            text(one, "id"),
            number(one),
            text(one, "role"),
            text(one, "ends_at")
        )
    };
    match command {
        AccessCommand::List { person, api } => {
            let path = person.as_ref().map_or_else(
                || Ok("access".to_owned()),
                |one| Ok::<_, anyhow::Error>(format!("people/{}/grants", id(one)?)),
            )?;
            let answer = call(api, Method::GET, &path, (None, None))?;
            if api.json {
                return say(&answer.to_string()).map(|()| ExitCode::SUCCESS);
            }
            for name in ["grants", "elevations"] {
                for one in answer.get(name).and_then(Value::as_array).into_iter().flatten() {
                    say(&line(one))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        AccessCommand::End { kind, seen } => decide(seen, &format!("{kind}s/{}/end", id(&seen.id)?), None, line),
    }
}

/// Runs `admin people`.
pub fn people(command: &PeopleCommand) -> Result<ExitCode> {
    let line = |one: &Value| {
        let roles: Vec<&str> =
            one.get("roles").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let left =
            if text(one, "left_at").is_empty() { String::new() } else { format!("  left {}", text(one, "left_at")) };
        format!("{}  {:<24} {}{left}", text(one, "id"), text(one, "login"), roles.join(", "))
    };
    match command {
        PeopleCommand::List { search, api } => list(api, "people", &[("q", search)], line),
        PeopleCommand::Show(args) => {
            show(&args.api, &call(&args.api, Method::GET, &format!("people/{}", id(&args.id)?), (None, None))?, line)
        }
        PeopleCommand::End(args) => {
            let path = format!("people/{}/leave", id(&args.id)?);
            show(&args.api, &call(&args.api, Method::POST, &path, (None, None))?, line)
        }
    }
}

/// Runs `admin evidence`.
pub fn evidence(args: &EvidenceArgs) -> Result<ExitCode> {
    let query = args.as_of.as_ref().map(|at| format!("?as_of={}", escaped(at))).unwrap_or_default();
    let answer = fetch(&args.api, Method::GET, &format!("evidence{query}"), (None, None))?;
    let Some(out) = &args.out else { return say(&answer).map(|()| ExitCode::SUCCESS) };
    std::fs::write(out, &answer).with_context(|| format!("cannot write `{}`", out.display()))?;
    let sha256: String = digest(&SHA256, answer.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let told = if args.api.json {
        json!({ "file": out.display().to_string(), "sha256": sha256 }).to_string()
    } else {
        format!("{sha256}  {}", out.display())
    };
    say(&told).map(|()| ExitCode::SUCCESS)
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(value: &Value) -> i64 {
    value.get("version").and_then(Value::as_i64).unwrap_or_default()
}

/// An id, and nothing else that would change the path.
pub(super) fn id(text: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    if text.len() == 36 && text.bytes().all(plain) {
        Ok(text)
    } else {
        bail!("`{text}` is no id, as `list` prints them")
    }
}

pub(super) fn show(api: &ApiArgs, answer: &Value, line: impl Fn(&Value) -> String) -> Result<ExitCode> {
    say(&if api.json { answer.to_string() } else { line(answer) })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn decide(
    seen: &SeenArgs,
    path: &str,
    body: Option<Value>,
    line: impl Fn(&Value) -> String,
) -> Result<ExitCode> {
    let answer = call(&seen.api, Method::POST, path, (Some(seen.version), body))?;
    show(&seen.api, &answer, line)
}

/// Every page of a list, a line or a JSON line for each.
pub(super) fn list(
    api: &ApiArgs,
    path: &str,
    query: &[(&str, &str)],
    line: impl Fn(&Value) -> String,
) -> Result<ExitCode> {
    let mut cursor = String::new();
    loop {
        let mut pairs: Vec<String> = query
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        if !cursor.is_empty() {
            pairs.push(format!("cursor={cursor}"));
        }
        let page = call(api, Method::GET, &format!("{path}?{}", pairs.join("&")), (None, None))?;
        for one in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            say(&if api.json { one.to_string() } else { line(one) })?;
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => next.clone_into(&mut cursor),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Calls the API, and tells what it refuses in its own words.
pub(super) fn call(api: &ApiArgs, method: Method, path: &str, said: (Option<i64>, Option<Value>)) -> Result<Value> {
    serde_json::from_str(&fetch(api, method, path, said)?).with_context(|| format!("the API at `{}`", api.api))
}

/// The same, with the answer as it came.
fn fetch(api: &ApiArgs, method: Method, path: &str, (version, body): (Option<i64>, Option<Value>)) -> Result<String> {
    let token = std::fs::read_to_string(&api.token_file)
        .with_context(|| format!("cannot read `{}`", api.token_file.display()))?;
    let token = SecretString::from(token.trim().to_owned());
    let roots = match &api.ca_file {
        Some(path) => Roots::Pem(std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?),
        None => Roots::Public,
    };
    let base = api.api.trim_end_matches('/');
    let is_here = ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().any(|here| base.starts_with(here));
    if !base.starts_with("https://") && !is_here {
        bail!("`{base}` is neither https nor on this machine: the token would cross the network in clear");
    }
    let address = format!("{base}/api/v1/{path}");
    let called = async {
        Web::new(roots).call_api(method, &address, &token, (version, body.map(|body| body.to_string()))).await
    };
    let (status, answer) = runtime()?.block_on(called).with_context(|| format!("the API at `{base}`"))?;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let answer: Value =
        serde_json::from_str(&answer).with_context(|| format!("the API at `{base}` answers no JSON"))?;
    bail!("{} ({}, {status})", text(&answer, "title"), text(&answer, "code"))
}
