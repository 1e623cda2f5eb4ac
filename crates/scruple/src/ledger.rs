//! `scruple ledger`: verify, show, tail, checkpoint.

use crate::state;
use crate::terminal::{count, say};
use anyhow::{Context as _, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use clap::{Args, Subcommand};
use scruple_core::{Entry, Id};
use scruple_ledger::{EntryRead, FileSystem, Payload, Report, VerifyOptions, entries, verify};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Reads and verifies the ledger.
#[derive(Subcommand)]
pub enum LedgerCommand {
    /// Verifies every byte: entries, tree, signed checkpoint, and that each permit is complete
    #[command(after_help = "Examples:
  scruple ledger verify
  scruple ledger verify /srv/scruple/ledger --key ledger.vkey --checkpoint last-week.checkpoint

Exit codes: 0 nothing is wrong; 1 something is wrong, and each finding is named; 2 it cannot be verified.

Keep the key and a checkpoint outside the folder: with the folder's own key alone, consistency is all that can be shown.")]
    Verify(VerifyArgs),
    /// Prints entries
    #[command(after_help = "Examples:
  scruple ledger show --from 100 --count 20
  scruple ledger show --about 01a224e5-d10b-732c-9d6d-b982d2ce61c6 --json

With --json each entry has its leaf hash, by which a checkpoint proves it.")]
    Show(ShowArgs),
    /// Prints the last entries
    Tail(TailArgs),
    /// Prints the last signed checkpoint, to be kept outside the folder
    Checkpoint(FolderArgs),
}

/// A ledger.
#[derive(Args)]
pub struct FolderArgs {
    /// Folder of the ledger [default: that of the state folder]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What to verify against.
#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// File that holds the public key, or the key itself
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// File that holds a checkpoint that was kept outside the folder
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// Which entries.
#[derive(Args)]
pub struct ShowArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// First entry
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Number of entries
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
    /// Only entries about a request, a grant or an elevation, by id: each step of it, each read under it; once for each
    #[arg(long, value_name = "ID")]
    about: Vec<Id<Entry>>,
}

/// How many.
#[derive(Args)]
pub struct TailArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Number of entries
    #[arg(short = 'n', long, default_value_t = 10)]
    count: u64,
}

/// Runs the command.
pub fn run(command: &LedgerCommand) -> Result<ExitCode> {
    match command {
        LedgerCommand::Verify(args) => run_verify(args),
        LedgerCommand::Show(args) => {
            let dir = state::ledger_folder(args.folder.dir.as_deref())?;
            print(&dir, (args.from, args.count), &args.about, args.folder.json)
        }
        LedgerCommand::Tail(args) => {
            let dir = state::ledger_folder(args.folder.dir.as_deref())?;
            let size = read(&dir, 0)?.count() as u64;
            print(&dir, (size.saturating_sub(args.count), args.count), &[], args.folder.json)
        }
        LedgerCommand::Checkpoint(args) => {
            let dir = state::ledger_folder(args.dir.as_deref())?;
            let path = dir.join("checkpoint");
            let text = match std::fs::read_to_string(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("no ledger in `{}`", dir.display()),
                text => text.with_context(|| format!("cannot read `{}`", path.display()))?,
            };
            if args.json {
                say(&serde_json::json!({ "checkpoint": text }).to_string())?
            } else {
                say(text.trim_end_matches('\n'))?
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn read(dir: &Path, from: u64) -> Result<impl Iterator<Item = Result<EntryRead, scruple_ledger::LedgerError>> + use<>> {
    entries(dir, Arc::new(FileSystem), None, from)
        .with_context(|| format!("cannot read the ledger in `{}`", dir.display()))
}

fn print(dir: &Path, (from, most): (u64, u64), about: &[Id<Entry>], json: bool) -> Result<ExitCode> {
    let about: Vec<String> = about.iter().map(ToString::to_string).collect();
    for entry in read(dir, from)?.take(usize::try_from(most).unwrap_or(usize::MAX)) {
        let entry = entry?;
        if !about.is_empty() && !is_about(&entry, &about) {
            continue;
        }
        say(&if json { as_json(&entry).to_string() } else { as_words(&entry) })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether an entry names one of these.
fn is_about(entry: &EntryRead, ids: &[String]) -> bool {
    let Payload::Open(bytes) = &entry.payload else { return false };
    let text = String::from_utf8_lossy(bytes);
    ids.iter().any(|id| text.contains(id.as_str()))
}

fn as_json(entry: &EntryRead) -> serde_json::Value {
    let payload = match &entry.payload {
        Payload::Open(bytes) => serde_json::from_slice(bytes).unwrap_or(serde_json::Value::Null),
        other => serde_json::json!({ "sealed": format!("{other:?}") }),
    };
    let mut shown = serde_json::json!({ "index": entry.index, "leaf": entry.leaf.to_string(), "entry": payload });
    if let serde_json::Value::Object(fields) = &mut shown {
        // What evidence of an event names: where it stands in its shard, and what it is there.
        if let Some(origin) = entry.origin {
            fields.insert("origin".to_owned(), serde_json::json!({ "shard": origin.shard, "position": origin.seq }));
        }
        if let Payload::Open(bytes) = &entry.payload {
            let hash = digest(&SHA256, bytes);
            let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            fields.insert("sha256".to_owned(), serde_json::Value::String(hash));
        }
    }
    shown
}

fn as_words(entry: &EntryRead) -> String {
    let text = match &entry.payload {
        Payload::Open(bytes) => match Entry::from_bytes(bytes) {
            Ok(entry) => sentence(&entry),
            Err(error) => format!("not readable: {error}"),
        },
        other => format!("sealed: {other:?}"),
    };
    format!("{:>6}  {text}", entry.index)
}

fn sentence(entry: &Entry) -> String {
    use scruple_core::EntryBody as Body;
    let at = entry.at;
    match &entry.body {
        Body::Release { actor, decision, references, bytes, .. } => format!(
            "{at}  {} as {} for {}: released {}, {bytes} bytes ({})",
            actor.subject,
            actor.role,
            decision.purpose,
            count(references.len() as u64, "resource"),
            decision.justification
        ),
        Body::ReleaseOpen { release, actor, decision, .. } => {
            format!(
                "{at}  {} as {} for {}: release {release} begins ({})",
                actor.subject, actor.role, decision.purpose, decision.justification
            )
        }
        Body::ReleaseChunk { release, chunk, references, bytes, .. } => {
            format!(
                "{at}  release {release}, chunk {chunk}: {}, {bytes} bytes",
                count(references.len() as u64, "resource")
            )
        }
        Body::ReleaseClose { release, chunks, counts, outcome } => {
            format!(
                "{at}  release {release} ends, {outcome}: {} of {} in {}",
                counts.released,
                count(counts.read, "resource"),
                count(*chunks, "chunk")
            )
        }
        Body::Refusal { actor, purpose, code, .. } => {
            let role = if actor.role.is_empty() { "an unknown role" } else { &actor.role };
            format!(
                "{at}  {} as {role} for {}: refused, {code}",
                actor.subject,
                purpose.as_deref().unwrap_or("an unknown purpose")
            )
        }
        Body::Notice { code, facts } => {
            let facts: Vec<String> = facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!("{at}  {code}: {}", facts.join(", "))
        }
        Body::Evaluation { caller, actor, action, resource, permitted, code, found, .. } => {
            let what = resource.as_ref().map(|resource| format!(" {resource}")).unwrap_or_default();
            let found = if found.is_empty() { String::new() } else { format!(", found {}", found.len()) };
            let answer = if *permitted { "permitted" } else { "denied" };
            format!(
                "{at}  {caller} asked whether {} as {} may {action}{what}: {answer} ({code}){found}",
                actor.subject, actor.role
            )
        }
        Body::Event { event, aggregate, version, .. } => format!("{at}  {event} on {aggregate}, version {version}"),
    }
}

fn run_verify(args: &VerifyArgs) -> Result<ExitCode> {
    let dir = state::ledger_folder(args.folder.dir.as_deref())?;
    let vkey = match &args.key {
        Some(key) if Path::new(key).is_file() => {
            Some(std::fs::read_to_string(key).with_context(|| format!("cannot read `{key}`"))?.trim().to_owned())
        }
        Some(key) => Some(key.clone()),
        None => None,
    };
    let outside_checkpoint = match &args.checkpoint {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?),
        None => None,
    };
    let validator = |_: u64, payload: &[u8]| Entry::from_bytes(payload).map(drop).map_err(|error| error.to_string());
    let options =
        VerifyOptions { vkey, outside_checkpoint, validator: Some(Box::new(validator)), ..VerifyOptions::default() };
    let report = verify(&dir, options).with_context(|| format!("cannot verify the ledger in `{}`", dir.display()))?;
    say(&if args.folder.json { report_json(&report).to_string() } else { report_words(&report) })?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn report_json(report: &Report) -> serde_json::Value {
    serde_json::json!({
        "good": report.is_good(),
        "origin": report.origin,
        "entries": report.entries,
        "checkpoint_size": report.checkpoint_size,
        "not_under_checkpoint": report.entries.saturating_sub(report.checkpoint_size),
        "root": report.root.to_string(),
        "opened": report.opened,
        "erased": report.erased,
        "trust": report.is_good().then(|| report.trust.to_string()),
        "findings": report.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn report_words(report: &Report) -> String {
    let mut lines = vec![format!(
        "{}: {}, {} under the signed checkpoint, {} not yet; {} opened, {} erased",
        report.origin,
        if report.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", report.entries) },
        report.checkpoint_size,
        report.entries.saturating_sub(report.checkpoint_size),
        report.opened,
        report.erased
    )];
    lines.push(format!("root {}", report.root));
    lines.extend(report.findings.iter().map(|finding| format!("FOUND {finding}")));
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    if report.is_good() {
        lines.push(report.trust.to_string());
        lines.push("verified: nothing is wrong".to_owned());
    } else {
        lines.push(format!("NOT verified: {}", count(report.findings.len() as u64, "finding")));
    }
    lines.join("\n")
}
