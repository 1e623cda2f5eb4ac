//! `scruple admin`: changes of a node's database, beside the node that runs on it. Each is an event, which the node takes to
//! the ledger: at once, or at its next start. Requests, access and people go by the API of a node that runs ([`remote`]): as somebody
//! who may, and never past the policy.

mod charts;
mod remote;
mod systems;
mod tasks;

use crate::config::Config;
use crate::node::{ADMIN_SHARD, existing_store};
use crate::serve::runtime;
use crate::state::SystemClock;
use crate::terminal::{say, tell};
use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand};
use scruple_app::{
    BootstrapError, LinkChanged, LinkOrder, LinkOrderError, Newcomer, bootstrap, link_practitioner, unlink_practitioner,
};
use scruple_core::{Clock as _, Id, Phi};
use scruple_seal::SystemRng;
use scruple_store::{
    LinkState, Login, Person, PractitionerLink, PractitionerRef, ShardLease, Store, find_person, find_person_by_login,
    limits::PAGE_ROWS_MAX, list_links,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// How long a change may take, in microseconds: so long another one waits for a command that was killed.
const LEASE_MICROS: i64 = 30_000_000;

/// Changes what a node's database says of people.
#[derive(Subcommand)]
pub enum AdminCommand {
    /// Adds the first two people: an administrator, and somebody of the privacy office
    #[command(after_help = "Examples:
  scruple admin bootstrap --administrator ola.lund --administrator-name 'Ola Lund' \\
    --privacy-officer ines.vogt --privacy-officer-name 'Ines Vogt' --config scruple.toml

Each gets a link that sets up sign-in once, within a day. Each role is agreed to by the other and ends after 90 days. The administrator
adds people and ends their access, and sees no record. It works while nobody is administrator.")]
    Bootstrap(BootstrapArgs),
    /// Tells who a person is in the record system
    #[command(subcommand)]
    Link(LinkCommand),
    /// Reads the access log of another system, so that histories of charts tell of it
    #[command(after_help = "Examples:
  scruple admin import-log access.csv --format csv --mapping epic.toml --config scruple.toml
  zcat audit.ndjson.gz | scruple admin import-log - --format fhir --mapping ehr.toml --json
  scruple admin import-log /var/log/atna.log --format atna --mapping pacs.toml --refused refused.log

The same log twice adds nothing. Lines that cannot be read are named by file, line and field, and kept apart. What a mapping says is
in docs/history.md.")]
    ImportLog(crate::import_log::ImportArgs),
    /// Takes the index of what the ledger tells of charts away, so that it is made again
    #[command(after_help = "Examples:
  scruple admin rebuild-history --config scruple.toml

What the logs of other systems told stays.")]
    RebuildHistory(WhereArgs),
    /// Reads and decides requests for access, as the person of a token
    #[command(subcommand)]
    Requests(remote::RequestsCommand),
    /// Names, accepts and ends deputies at the desk, as the person of a token
    #[command(subcommand)]
    Deputies(remote::DeputiesCommand),
    /// Reads and ends access, as the person of a token
    #[command(subcommand)]
    Access(remote::AccessCommand),
    /// Reads who is here, and ends their work here, as the person of a token
    #[command(subcommand)]
    People(remote::PeopleCommand),
    /// Reads what stood at an instant: policy, grants, exceptions, reviews, as an auditor's token lets it
    #[command(after_help = "Examples:
  scruple admin evidence --as-of 2026-09-30T00:00:00Z --out evidence.json --token-file token
  scruple admin evidence --token-file token

The same instant gives the same bytes, whenever it is asked for. It names people and things by ids, and holds nothing that somebody
wrote and no patient.")]
    Evidence(remote::EvidenceArgs),
    /// Reads, decides, begins and ends access tasks (oversight, support), as the person of a token
    #[command(subcommand)]
    Tasks(tasks::TasksCommand),
    /// Asks who opened a chart, and why, as the person of a token
    #[command(subcommand)]
    Charts(charts::ChartsCommand),
    /// Reads complaints about charts, and leads them to their letter, as the person of a token
    #[command(subcommand)]
    Cases(charts::CasesCommand),
    /// Connects other systems, reads them, and decides on what they grant that nobody holds here, as the person of a token
    #[command(subcommand)]
    Systems(systems::SystemsCommand),
}

/// Tells who a person is in the record system.
#[derive(Subcommand)]
pub enum LinkCommand {
    /// Links a person to a practitioner of the record system, as a second person confirms
    #[command(after_help = "Examples:
  scruple admin link add ana.ruiz Practitioner/abc --confirmed-by rosa.diaz --config scruple.toml
  scruple admin link add ana.ruiz PractitionerRole/abc-ward --confirmed-by rosa.diaz --json

A person can have several. A practitioner to whom two persons are linked is ambiguous, and gives a relationship to neither.")]
    Add(AddArgs),
    /// Ends a link; it stays in the history
    #[command(after_help = "Examples:
  scruple admin link end ana.ruiz Practitioner/abc --ended-by rosa.diaz --config scruple.toml")]
    End(EndArgs),
    /// Lists the links of a person, those that have ended included
    #[command(after_help = "Examples:
  scruple admin link list ana.ruiz --config scruple.toml
  SCRUPLE_STATE=/var/lib/scruple scruple admin link list ana.ruiz --json")]
    List(ListArgs),
}

/// The first two people.
#[derive(Args)]
pub struct BootstrapArgs {
    /// Login of the administrator
    #[arg(long, value_name = "LOGIN")]
    administrator: String,
    /// Name of the administrator
    #[arg(long, value_name = "NAME")]
    administrator_name: String,
    /// Login of the person of the privacy office
    #[arg(long, value_name = "LOGIN")]
    privacy_officer: String,
    /// Name of that person
    #[arg(long, value_name = "NAME")]
    privacy_officer_name: String,
    #[command(flatten)]
    place: WhereArgs,
}

/// Which database, and how to tell.
#[derive(Args)]
pub struct WhereArgs {
    /// Configuration of the node
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to confirm.
#[derive(Args)]
pub struct AddArgs {
    /// The person's login: `sub` of the tokens
    login: String,
    /// The practitioner as references name it: Practitioner/ID or PractitionerRole/ID
    practitioner: PractitionerRef,
    /// Login of the second person, who confirms it
    #[arg(long, value_name = "LOGIN")]
    confirmed_by: String,
    #[command(flatten)]
    place: WhereArgs,
}

/// What to end.
#[derive(Args)]
pub struct EndArgs {
    /// The person's login: `sub` of the tokens
    login: String,
    /// The practitioner as references name it: Practitioner/ID or PractitionerRole/ID
    practitioner: PractitionerRef,
    /// Login of the person who ends it
    #[arg(long, value_name = "LOGIN")]
    ended_by: String,
    #[command(flatten)]
    place: WhereArgs,
}

/// Whose links.
#[derive(Args)]
pub struct ListArgs {
    /// The person's login: `sub` of the tokens
    login: String,
    #[command(flatten)]
    place: WhereArgs,
}

/// Runs the command.
pub fn run(command: &AdminCommand) -> Result<ExitCode> {
    let command = match command {
        AdminCommand::Link(command) => command,
        AdminCommand::Requests(command) => return remote::requests(command),
        AdminCommand::Deputies(command) => return remote::deputies(command),
        AdminCommand::Access(command) => return remote::access(command),
        AdminCommand::People(command) => return remote::people(command),
        AdminCommand::Evidence(args) => return remote::evidence(args),
        AdminCommand::Tasks(command) => return tasks::tasks(command),
        AdminCommand::Charts(command) => return charts::charts(command),
        AdminCommand::Cases(command) => return charts::cases(command),
        AdminCommand::Systems(command) => return systems::systems(command),
        AdminCommand::Bootstrap(args) => {
            runtime()?.block_on(first_two(args))?;
            return Ok(ExitCode::SUCCESS);
        }
        AdminCommand::ImportLog(args) => {
            runtime()?.block_on(crate::import_log::run(args))?;
            return Ok(ExitCode::SUCCESS);
        }
        AdminCommand::RebuildHistory(place) => {
            runtime()?.block_on(crate::import_log::rebuild(place))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    runtime()?.block_on(async {
        match command {
            LinkCommand::Add(args) => {
                change(&args.place, false, [&args.login, &args.confirmed_by], &args.practitioner).await
            }
            LinkCommand::End(args) => {
                change(&args.place, true, [&args.login, &args.ended_by], &args.practitioner).await
            }
            LinkCommand::List(args) => list(args).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn login(text: &str) -> Result<Login> {
    text.parse().with_context(|| format!("`{text}`"))
}

async fn first_two(args: &BootstrapArgs) -> Result<()> {
    let newcomer = |text: &str, name: &str| {
        Ok::<_, anyhow::Error>(Newcomer { login: login(text)?, name: Phi::new(name.to_owned()) })
    };
    let administrator = newcomer(&args.administrator, &args.administrator_name)?;
    let privacy = newcomer(&args.privacy_officer, &args.privacy_officer_name)?;
    let config = Config::load(args.place.config.as_deref())?;
    let store = existing_store(&config).await?;
    let lease = take_shard(&store).await?;
    let done = bootstrap(&store, &lease, &SystemClock, &mut SystemRng, administrator, privacy).await;
    let _ = store.extend_shard(&lease, SystemClock.now()).await;
    store.close().await;
    let done = done.map_err(|error| match error {
        BootstrapError::AlreadyDone => anyhow!("{error}: sign in as that person, and add others in the console"),
        BootstrapError::Taken => anyhow!("{error}: choose logins that nobody here has"),
        error => error.into(),
    })?;
    let base =
        config.console.public_url.unwrap_or_else(|| format!("http://localhost:{}", config.listen.console.port()));
    let [first, second] = done.links.map(|(_, secret)| format!("{base}/enrol?link={}", secret.expose().as_str()));
    if args.place.json {
        let told = json!({
            "administrator": { "login": args.administrator, "link": first },
            "privacy_officer": { "login": args.privacy_officer, "link": second },
            "event": { "shard": done.position.shard.0, "seq": done.position.seq },
        });
        return say(&told.to_string());
    }
    say(&format!("{:<24} {first}", args.administrator))?;
    say(&format!("{:<24} {second}", args.privacy_officer))?;
    tell("note: each link works once, within a day; give each to its person and to nobody else");
    Ok(())
}

async fn change(
    place: &WhereArgs,
    is_end: bool,
    [person, by]: [&str; 2],
    practitioner: &PractitionerRef,
) -> Result<()> {
    let order = LinkOrder { person: login(person)?, practitioner: practitioner.clone(), by: login(by)? };
    let store = existing_store(&Config::load(place.config.as_deref())?).await?;
    let lease = take_shard(&store).await?;
    let (clock, rng) = (&SystemClock, &mut SystemRng);
    let changed = if is_end {
        unlink_practitioner(&store, &lease, clock, rng, &order).await
    } else {
        link_practitioner(&store, &lease, clock, rng, &order).await
    };
    // Given back, so that the next command need not wait until it is over.
    let _ = store.extend_shard(&lease, clock.now()).await;
    let LinkChanged { link, position } = changed.map_err(|error| advised(error, person, by))?;
    let mut told = link_json(&store, &link).await?;
    store.close().await;
    if let Value::Object(fields) = &mut told {
        fields.insert("person".to_owned(), json!(person));
        fields.insert("event".to_owned(), json!({ "shard": position.shard.0, "seq": position.seq }));
    }
    say(&if place.json {
        told.to_string()
    } else if is_end {
        format!("{person} is no longer {practitioner}, as {by} says")
    } else {
        format!("{person} is {practitioner}, as {by} confirms")
    })?;
    if link.state == LinkState::Ambiguous {
        tell(&format!(
            "note: another person is linked to {practitioner} too, so that it gives a relationship to neither; end the wrong link with `scruple admin link end`"
        ));
    }
    Ok(())
}

pub async fn take_shard(store: &Store) -> Result<ShardLease> {
    let now = SystemClock.now();
    let holder = format!("admin-{}", std::process::id());
    let lease = store.acquire_shard(ADMIN_SHARD, &holder, now, now.plus_micros(LEASE_MICROS)).await?;
    lease.context("another `scruple admin` works on this database, or was killed; try again in half a minute")
}

/// The error with what was typed, and what to do.
fn advised(error: LinkOrderError, person: &str, by: &str) -> anyhow::Error {
    match error {
        LinkOrderError::Person => anyhow!("`{person}`: {error}; a login is the `sub` of the tokens"),
        LinkOrderError::By => anyhow!("`{by}`: {error}"),
        LinkOrderError::TwoPeople(_) => anyhow!("{error}: `--confirmed-by` names somebody else than `{person}`"),
        other => other.into(),
    }
}

async fn list(args: &ListArgs) -> Result<()> {
    let login = login(&args.login)?;
    let store = existing_store(&Config::load(args.place.config.as_deref())?).await?;
    let mut tx = store.begin_read().await?;
    let Some(person) = find_person_by_login(&mut tx, &login).await? else {
        bail!("nobody here has the login `{}`; a login is the `sub` of the tokens", args.login);
    };
    let mut links: Vec<PractitionerLink> = Vec::new();
    loop {
        let page = list_links(&mut tx, person.id, links.last().map(|link| link.id), PAGE_ROWS_MAX).await?;
        if page.is_empty() {
            break;
        }
        links.extend(page);
    }
    tx.rollback().await?;
    let mut told = Vec::with_capacity(links.len());
    for link in &links {
        told.push(link_json(&store, link).await?);
    }
    store.close().await;
    if args.place.json {
        return say(&json!({ "person": args.login, "links": told }).to_string());
    }
    if told.is_empty() {
        return say(&format!("{} is linked to no practitioner", args.login));
    }
    for link in &told {
        say(&line(link))?;
    }
    Ok(())
}

/// A link with the logins of who confirmed and who ended it.
async fn link_json(store: &Store, link: &PractitionerLink) -> Result<Value> {
    let mut told = json!({
        "link": link.id.to_string(),
        "practitioner": link.practitioner.as_str(),
        "state": match link.state {
            LinkState::Open => "open",
            LinkState::Ambiguous => "ambiguous",
            LinkState::Ended(_) => "ended",
        },
        "confirmed_by": login_of(store, link.confirmed_by).await?,
        "confirmed_at": link.confirmed_at.to_string(),
    });
    if let (LinkState::Ended(end), Value::Object(fields)) = (link.state, &mut told) {
        fields.insert("ended_by".to_owned(), json!(login_of(store, end.by).await?));
        fields.insert("ended_at".to_owned(), json!(end.at.to_string()));
    }
    Ok(told)
}

async fn login_of(store: &Store, id: Id<Person>) -> Result<String> {
    let person = find_person(&mut store.begin_read().await?, id).await?;
    Ok(person.map_or_else(|| id.to_string(), |person| person.login.expose().clone()))
}

/// `Practitioner/abc  open  confirmed by rosa.diaz at 2026-03-01T08:00:00Z`.
fn line(link: &Value) -> String {
    let text = |name: &str| link.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!(
        "{:<40} {:<9} confirmed by {} at {}",
        text("practitioner"),
        text("state"),
        text("confirmed_by"),
        text("confirmed_at")
    );
    if !text("ended_by").is_empty() {
        line.push_str(&format!(", ended by {} at {}", text("ended_by"), text("ended_at")));
    }
    line
}
