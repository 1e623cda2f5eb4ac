//! `scruple policy replay`, `unused` and `sprawl`: a draft over recorded accesses, what nobody uses, and whether the roles can
//! still be looked through.

use super::live::{Live, NodeArgs, last_days, of_folder};
use crate::serve::runtime;
use crate::state::SystemClock;
use crate::terminal::{say, tell};
use anyhow::{Context as _, Result};
use clap::Args;
use scruple_app::policy::{KnownPacks, ProvedPack, Replay, Replayer, Unused, Used, mapping_states, read_accesses};
use scruple_core::{Clock as _, Timestamp};
use scruple_policy::{Held, Sprawl, sprawl, trim};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// What to replay.
#[derive(Args)]
pub struct ReplayArgs {
    /// Folder of the draft
    dir: PathBuf,
    /// Days back from now
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    days: u32,
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Replays a draft.
pub fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    let draft = of_folder(&args.dir)?;
    let period = last_days(args.days);
    let replay = runtime()?.block_on(async {
        let live = Live::open(&args.node).await?;
        let known = live.known(period.0).await?;
        live.store.close().await;
        over(&live.ledger, draft, known, period)
    })?;
    say(&if args.json { serde_json::to_string_pretty(&replay)? } else { replay.text() })?;
    Ok(ExitCode::SUCCESS)
}

/// Replays a draft over a ledger.
pub fn over(
    ledger: &Path,
    draft: Arc<ProvedPack>,
    known: KnownPacks,
    period: (Timestamp, Timestamp),
) -> Result<Replay> {
    let mut replayer = Replayer::new(draft, known, period);
    let read = read_accesses(ledger, period, &mut |access| replayer.take(access));
    let unread = read.with_context(|| format!("the ledger in `{}`", ledger.display()))?;
    Ok(replayer.finish(unread))
}

/// Which period.
#[derive(Args)]
pub struct UnusedArgs {
    /// Days back from now
    #[arg(long, default_value_t = 90, value_name = "DAYS")]
    days: u32,
    /// Write a draft of the policy without what nobody used into this new folder
    #[arg(long, value_name = "DIR")]
    draft: Option<PathBuf>,
    /// By person too
    #[arg(long)]
    people: bool,
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Tells what is granted and was not used.
pub fn unused(args: &UnusedArgs) -> Result<ExitCode> {
    let period = last_days(args.days);
    let (pack, unused) = runtime()?.block_on(async {
        let live = Live::open(&args.node).await?;
        let (pack, known) = (live.active_pack().await?, live.known(period.0).await?);
        let held = live.held(SystemClock.now()).await?;
        live.store.close().await;
        let mut used = Used::new(known);
        read_accesses(&live.ledger, period, &mut |access| used.take(access))
            .with_context(|| format!("the ledger in `{}`", live.ledger.display()))?;
        let unused = used.finish(&pack.active.pack, &held, period);
        Ok::<_, anyhow::Error>((pack, unused))
    })?;
    say(&if args.json { serde_json::to_string_pretty(&unused)? } else { words(&unused, args.people) })?;
    if let Some(dir) = &args.draft {
        let draft = trim(&pack.files, &pack.active.pack, &unused.proposal());
        super::write_files(dir, &draft.files)?;
        for (role, why) in &draft.left {
            tell(&format!("note: {role} stays as it is: {why}"));
        }
        tell(&format!(
            "a draft is in {0}: look at it with `scruple policy diff active {0}` and `scruple policy replay {0} --days {1}`",
            dir.display(),
            args.days
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn words(unused: &Unused, with_people: bool) -> String {
    let mut out = format!("Granted and not used from {} to {}\n", unused.from, unused.until);
    for role in &unused.roles {
        let (unused, granted) = (role.unused.len(), role.granted);
        let _ = match role.accesses {
            0 => writeln!(out, "\n{}: no access in the period; it has {granted} kinds of information", role.role),
            accesses => {
                writeln!(out, "\n{}: {unused} of {granted} kinds of information in {accesses} accesses", role.role)
            }
        };
        for kind in role.unused.iter().filter(|_| role.accesses > 0) {
            let _ = writeln!(out, "  {:<24} last used: never  {}", kind.category, kind.label);
        }
    }
    if with_people {
        out.push_str("\nby person\n");
        for one in &unused.people {
            let _ = writeln!(
                out,
                "  {} as {}: {} of {} kinds not used in {} accesses",
                one.subject,
                one.role,
                one.unused.len(),
                one.granted,
                one.accesses
            );
        }
    }
    out
}

/// Which node.
#[derive(Args)]
pub struct SprawlArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Tells whether the roles can still be looked through.
pub fn look_through(args: &SprawlArgs) -> Result<ExitCode> {
    let found = runtime()?.block_on(async {
        let live = Live::open(&args.node).await?;
        let (pack, now) = (live.active_pack().await?, SystemClock.now());
        let states = mapping_states(&live.store, &pack.active.pack, now).await?;
        let touched = states.into_iter().filter_map(|(role, state)| Some((role, state.touched_at?))).collect();
        let held = Held { people: live.held(now).await?, touched };
        live.store.close().await;
        Ok::<_, anyhow::Error>(sprawl(&pack.active.pack, &held, now))
    })?;
    say(&if args.json { serde_json::to_string_pretty(&found)? } else { sprawl_words(&found) })?;
    Ok(ExitCode::from(u8::from(found.is_finding)))
}

fn sprawl_words(found: &Sprawl) -> String {
    let mut out = format!("{} roles, {} people who hold one", found.roles, found.people);
    if let Some(number) = found.roles_per_hundred {
        let _ = write!(out, ", {number} roles for each hundred people");
    }
    let _ = writeln!(out, "; the most that one person holds: {}", found.roles_of_one_person_max);
    for one in &found.overlaps {
        let [a, b] = &one.roles;
        let alike = if one.same { "decide alike".to_owned() } else { format!("overlap by {} %", one.percent) };
        let _ = writeln!(out, "{a} and {b} {alike}");
    }
    for one in &found.merges {
        let less = if one.same { "nobody sees less either" } else { "some see less" };
        let _ = writeln!(
            out,
            "{} could give way to {}: nobody sees more, {less}; {} people",
            one.from, one.into, one.people
        );
    }
    for (names, words) in [
        (&found.single_member, "held by one person"),
        (&found.nobody, "held by nobody"),
        (&found.untouched, "neither changed nor reviewed for a year"),
    ] {
        if !names.is_empty() {
            let _ = writeln!(out, "{words}: {}", names.join(", "));
        }
    }
    out.push_str(if found.is_finding { "This is a finding: merge or retire roles.\n" } else { "No finding.\n" });
    out
}
