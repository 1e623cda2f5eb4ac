//! `scruple policy table` and `scruple policy diff`.

use super::live::{Live, NodeArgs, proved};
use super::width;
use crate::pack;
use crate::serve::runtime;
use crate::state::SystemClock;
use crate::terminal::say;
use anyhow::Result;
use clap::{Args, ValueEnum};
use scruple_app::policy::{ProvedPack, mapping_states};
use scruple_core::Clock as _;
use scruple_policy::{Determination, PackFiles, Standing, compare};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// How it is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for the terminal
    Text,
    /// Markdown
    Markdown,
    /// A page of HTML that stands alone and prints
    Html,
    /// JSON
    Json,
}

/// Which role.
#[derive(Args)]
pub struct TableArgs {
    /// The role
    role: String,
    /// Folder of a policy pack [default: the shipped one]
    #[arg(long, value_name = "DIR", conflicts_with = "active")]
    policy: Option<PathBuf>,
    /// The active version of a node, with how many hold the role and when its review is due
    #[arg(long)]
    active: bool,
    #[command(flatten)]
    node: NodeArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

/// Prints the table of a role.
pub fn table(args: &TableArgs) -> Result<ExitCode> {
    let (pack, standing) = if args.active || args.node.config.is_some() {
        runtime()?.block_on(of_node(args))?
    } else {
        (Arc::new(proved(pack::files(args.policy.as_deref())?)?), Standing::default())
    };
    let table = Determination::of(&pack.active.pack, &args.role, &standing)?;
    say(&match args.format {
        _ if args.json => serde_json::to_string_pretty(&table)?,
        Format::Json => serde_json::to_string_pretty(&table)?,
        Format::Markdown => table.markdown(),
        Format::Html => table.html(),
        Format::Text => table.text(width()),
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn of_node(args: &TableArgs) -> Result<(Arc<ProvedPack>, Standing)> {
    let live = Live::open(&args.node).await?;
    let (pack, now) = (live.active_pack().await?, SystemClock.now());
    let members = live.held(now).await?.values().filter(|roles| roles.contains(&args.role)).count();
    let states = mapping_states(&live.store, &pack.active.pack, now).await?;
    let state = states.get(&args.role);
    let review_due = state.and_then(|state| state.due_at.map(|due| (due, state.is_late)));
    let review_due = review_due.map(|(due, late)| {
        let day = due.to_string().chars().take(10).collect::<String>();
        if late { format!("{day}: late") } else { day }
    });
    live.store.close().await;
    Ok((pack, Standing { members: Some(members), review_due }))
}

/// Which packs.
#[derive(Args)]
pub struct DiffArgs {
    /// The one before: a folder, `shipped`, `active`, or the beginning of the hash of a version
    before: String,
    /// The one after
    after: String,
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the difference of two packs.
pub fn diff(args: &DiffArgs) -> Result<ExitCode> {
    let before = named(&args.before, &args.node)?;
    let after = named(&args.after, &args.node)?;
    let difference = compare(before.side(), after.side());
    say(&if args.json { serde_json::to_string_pretty(&difference)? } else { difference.text() })?;
    Ok(ExitCode::from(u8::from(!difference.changes.is_empty())))
}

/// A pack as it is named on the command line.
fn named(name: &str, node: &NodeArgs) -> Result<Arc<ProvedPack>> {
    let is_hash = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(match name {
        "shipped" => Arc::new(proved(PackFiles::embedded())?),
        "active" => runtime()?.block_on(async { Live::open(node).await?.active_pack().await })?,
        hash if is_hash && !Path::new(hash).exists() => runtime()?.block_on(async {
            let live = Live::open(node).await?;
            let versions = live.versions().await?;
            let found = versions.iter().find(|version| version.hash.to_string().starts_with(hash));
            let found = found.ok_or_else(|| anyhow::anyhow!("no version here has a hash that begins with `{hash}`"))?;
            live.pack(found.hash).await
        })?,
        dir => Arc::new(proved(pack::files(Some(Path::new(dir)))?)?),
    })
}
