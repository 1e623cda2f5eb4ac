//! `scruple policy propose`, `versions`, `as-of` and `expected`. Approval and activation are in the console alone, where a second
//! person confirms that it is he: who runs this command could say to be anybody.

use super::live::{Live, NodeArgs, last_days, of_folder};
use super::replay::over;
use super::width;
use crate::admin::take_shard;
use crate::serve::runtime;
use crate::state::SystemClock;
use crate::terminal::{say, tell};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Args;
use scruple_app::policy::{PolicyCase, made_case};
use scruple_app::{Desk, DeskError, Who};
use scruple_core::{Clock as _, Phi, Timestamp};
use scruple_flow::{PackOrigin, PackState, PackVersion};
use scruple_policy::{Determination, Standing};
use scruple_seal::SystemRng;
use scruple_store::{active_pack_as_of, find_person_by_login};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// What to propose.
#[derive(Args)]
pub struct ProposeArgs {
    /// Folder of the draft
    dir: PathBuf,
    /// Login of the person who proposes it
    #[arg(long, value_name = "LOGIN")]
    by: String,
    /// Why it is to replace the active one
    #[arg(long, value_name = "TEXT")]
    because: String,
    /// Days of recorded accesses that it is replayed over
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    days: u32,
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Drafts, checks, replays and proposes a pack.
pub fn propose(args: &ProposeArgs) -> Result<ExitCode> {
    // Before anything is drafted: a proposal that does not say why would leave its draft behind.
    scruple_flow::reason(&args.because, None).context("`--because`")?;
    let draft = of_folder(&args.dir)?;
    let login = args.by.parse().with_context(|| format!("`{}`", args.by))?;
    let period = last_days(args.days);
    let (version, case) = runtime()?.block_on(async {
        let live = Live::open(&args.node).await?;
        if let Some(folder) = &live.folder {
            bail!(
                "this node decides by the folder `{}` of its configuration (`policy.dir`): change the policy there, or take the key out",
                folder.display()
            );
        }
        let found = find_person_by_login(&mut live.store.begin_read().await?, &login).await?;
        let person = found.with_context(|| format!("nobody here has the login `{}`", args.by))?;
        let active = live.active_pack().await?;
        ensure!(active.hash() != draft.hash(), "this is the active version already: nothing would change");
        let replay = over(&live.ledger, Arc::clone(&draft), live.known(period.0).await?, period)?;
        let case = made_case(&active, &draft, replay);
        let lease = take_shard(&live.store).await?;
        let who = Who { person: person.id, stepped_up: false };
        let rng = &mut SystemRng;
        let rules = active.active.pack.as_ref();
        let mut desk = Desk { store: &live.store, lease: &lease, clock: &SystemClock, rng, rules };
        let because = Phi::new(args.because.clone());
        let proposed = async {
            let draft = desk.draft_policy(who, &draft, because.clone()).await?.now;
            desk.propose_policy(who, (draft.id, draft.version), because, &case).await
        };
        let proposed = proposed.await;
        // Given back, so that the next command need not wait until it is over.
        let _ = live.store.extend_shard(&lease, SystemClock.now()).await;
        live.store.close().await;
        let version = proposed.map_err(|error| advised(error, &args.by))?.now;
        Ok::<_, anyhow::Error>((version, case))
    })?;
    say(&if args.json { proposed_json(&version, &case)?.to_string() } else { proposed_words(&version, &case) })?;
    if !args.json {
        tell("note: it decides nothing yet; a second person approves it in the console, under Roles, Versions");
    }
    Ok(ExitCode::SUCCESS)
}

fn advised(error: DeskError, by: &str) -> anyhow::Error {
    match error {
        DeskError::Forbidden => anyhow!("`{by}` may not propose a policy: console.csv of the active one says who may"),
        error => error.into(),
    }
}

fn proposed_json(version: &PackVersion, case: &PolicyCase) -> Result<Value> {
    Ok(json!({
        "version": version.id.to_string(),
        "hash": version.hash.to_string(),
        "state": version.state.code(),
        "difference": case.comparison,
        "replay": case.replay,
    }))
}

fn proposed_words(version: &PackVersion, case: &PolicyCase) -> String {
    format!("{}\n{}\nproposed as version {}", case.comparison.text(), case.replay.text(), version.id)
}

/// Which node.
#[derive(Args)]
pub struct VersionsArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the versions of a node.
pub fn versions(args: &VersionsArgs) -> Result<ExitCode> {
    runtime()?.block_on(async {
        let live = Live::open(&args.node).await?;
        let mut told = Vec::new();
        for version in live.versions().await? {
            told.push(version_json(&live, &version).await?);
        }
        live.store.close().await;
        if args.json {
            return say(&json!({ "versions": told }).to_string());
        }
        for version in &told {
            let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or("-");
            let hash = text("hash").chars().take(12).collect::<String>();
            say(&format!(
                "{:<11} {hash}  {:<8} drafted {} by {}, decided by {}, active {} to {}",
                text("state"),
                text("origin"),
                text("drafted_at"),
                text("drafted_by"),
                text("decided_by"),
                text("active_from"),
                text("active_until")
            ))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn version_json(live: &Live, version: &PackVersion) -> Result<Value> {
    let drafted_by = match version.origin {
        PackOrigin::Person(by) => Some(live.login(by).await?),
        PackOrigin::Shipped | PackOrigin::Folder => None,
    };
    let (decided, term, until) = match &version.state {
        PackState::Approved(_, by) | PackState::Refused { by, .. } => (Some(*by), None, None),
        PackState::Active(term) => (term.decided.as_ref().map(|(_, by)| *by), Some(term.since), None),
        PackState::Superseded { term, until } => {
            (term.decided.as_ref().map(|(_, by)| *by), Some(term.since), Some(*until))
        }
        _ => (None, None, None),
    };
    let decided_by = match decided {
        Some(by) => Some(live.login(by.by).await?),
        None => None,
    };
    Ok(json!({
        "version": version.id.to_string(),
        "hash": version.hash.to_string(),
        "state": version.state.code(),
        "origin": version.origin.code(),
        "engine": version.engine,
        "rationale": version.rationale.expose(),
        "drafted_at": version.drafted_at.to_string(),
        "drafted_by": drafted_by,
        "decided_by": decided_by,
        "decided_at": decided.map(|by| by.at.to_string()),
        "active_from": term.map(|at| at.to_string()),
        "active_until": until.map(|at| at.to_string()),
    }))
}

/// When, and who.
#[derive(Args)]
pub struct AsOfArgs {
    /// The instant, as 2026-03-01T08:00:00Z
    at: String,
    /// What this person could see then
    #[arg(long, value_name = "LOGIN")]
    person: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Tells which version was active at an instant, and what a person could see under it.
pub fn as_of(args: &AsOfArgs) -> Result<ExitCode> {
    let at =
        Timestamp::parse(&args.at).map_err(|_| anyhow!("`{}`: write an instant as 2026-03-01T08:00:00Z", args.at))?;
    let (version, tables) = runtime()?.block_on(async {
        let live = Live::open(&args.node).await?;
        let found = active_pack_as_of(&mut live.store.begin_read().await?, at).await?;
        let Some(version) = found else { bail!("no version of the policy was active here at {at}") };
        let mut tables = Vec::new();
        if let Some(login) = &args.person {
            let known = login.parse().with_context(|| format!("`{login}`"))?;
            let mut tx = live.store.begin_read().await?;
            let person = find_person_by_login(&mut tx, &known).await?;
            let person = person.with_context(|| format!("nobody here has the login `{login}`"))?;
            drop(tx);
            let grants = live.grants(at).await?.into_iter().filter(|grant| grant.person == person.id);
            let roles: BTreeSet<String> = grants.map(|grant| grant.role.to_string()).collect();
            let pack = live.pack(version.hash).await?;
            for role in roles {
                // The administrator's is no role of the pack: it sees nothing.
                if let Ok(table) = Determination::of(&pack.active.pack, &role, &Standing::default()) {
                    tables.push(table);
                }
            }
        }
        let told = version_json(&live, &version).await?;
        live.store.close().await;
        Ok((told, tables))
    })?;
    if args.json {
        say(&json!({ "at": at.to_string(), "version": version, "roles": tables }).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or("nobody");
    say(&format!(
        "At {at} policy {} was active, since {}; drafted by {}, decided by {}",
        text("hash"),
        text("active_from"),
        text("drafted_by"),
        text("decided_by")
    ))?;
    for table in &tables {
        say(&format!("\n{}", table.text(width())))?;
    }
    if args.person.is_some() && tables.is_empty() {
        say("The person held no role that shows anything.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How to tell.
#[derive(Args)]
pub struct ExpectedArgs {
    /// A list that was written before, or read from another system in the same columns: print how it differs
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

const HEADER: &str = "subject,role,category,view,conditions,source";

/// Prints who is to see what by the active policy and the grants in force, a line for each; or the difference to such a list.
pub fn expected(args: &ExpectedArgs) -> Result<ExitCode> {
    let lines = runtime()?.block_on(expected_lines(&args.node))?;
    let Some(file) = &args.against else {
        say(&std::iter::once(HEADER.to_owned()).chain(lines).collect::<Vec<_>>().join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let actual: BTreeSet<String> =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty() && *line != HEADER).map(str::to_owned).collect();
    for line in actual.difference(&lines) {
        say(&format!("+ {line}"))?;
    }
    for line in lines.difference(&actual) {
        say(&format!("- {line}"))?;
    }
    Ok(ExitCode::from(u8::from(actual != lines)))
}

async fn expected_lines(node: &NodeArgs) -> Result<BTreeSet<String>> {
    let live = Live::open(node).await?;
    let (pack, now) = (live.active_pack().await?, SystemClock.now());
    let pack = &pack.active.pack;
    let mut lines = BTreeSet::new();
    let people = live.people(now).await?;
    for grant in live.grants(now).await? {
        let (Some(subject), Some(role)) = (people.get(&grant.person), pack.roles.get(grant.role.as_str())) else {
            continue;
        };
        for permit in &role.permits {
            let conditions = pack.condition_names(permit.when).join(" ");
            for category in &permit.categories {
                let (category, view) = (pack.category_name(*category), pack.view_name(permit.view));
                lines.insert(format!("{subject},{},{category},{view},{conditions},grant {}", role.name, grant.id));
            }
        }
    }
    live.store.close().await;
    Ok(lines)
}
