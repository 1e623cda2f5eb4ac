//! A node: ledger with reserve, database, policy, upstream, and the listeners before them, wired and kept going until a
//! signal. `serve` runs one by its configuration, `demo` one over the synthetic hospital.

mod accounts;
mod credential;
mod keys;
mod log;
mod messages;
mod oidc;
mod people;
mod policy;
mod ready;
mod signals;
mod systems;
mod tasks;

pub use keys::{issuer, private_file};
pub use log::start as start_log;

use crate::config::{Config, SearchMethod, SearchValues, Timing, origin};
use crate::state::{self, SystemClock};
use anyhow::{Context as _, Result, bail};
use credential::CredentialFile;
use policy::PolicyFiles;
use scruple_api::{ApiParts, Tokens};
use scruple_app::charts::{Indexer, SampleRates};
use scruple_app::message::Messenger;
use scruple_app::{
    AccessCache, DoorKeys, Drainer, FeedFollower, SeedError, SeedPerson, StoreKeys, ports, seed_workforce,
};
use scruple_connect::{Base, EMBEDDED_BASE, EmbeddedUpstream, HttpUpstream, Roots, SearchBy};
use scruple_core::{Clock, Timestamp};
use scruple_fhir::search::Dialect;
use scruple_gateway::{AnswerTiming, Gateway, GatewayService};
use scruple_hospital::{Hospital, Options as HospitalOptions};
use scruple_http::{Limits, Server, Tls, health::Health};
use scruple_identity::passkey::{Passkeys, Site};
use scruple_identity::recovery::RecoveryKey;
use scruple_identity::{LEEWAY_SECONDS, Parties, Verifier};
use scruple_ledger::{OpenOptions, Recorder, RecorderOptions, ReserveOptions};
use scruple_policy::Relationships;
use scruple_release::{Parts, Pipeline, Policy, Upstream};
use scruple_seal::{RootKey, Secret, SystemRng};
use scruple_store::{Durability, Options as StoreOptions, ShardId, ShardLease, Store};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The shard of a node that stands alone, and of the first of several.
const FIRST_SHARD: ShardId = ShardId(1);
/// The shard of `scruple admin`, which works beside the nodes; the first of them takes its events to its ledger.
pub const ADMIN_SHARD: ShardId = ShardId(1_000);
/// How long the lease of the shard is taken for, in microseconds.
const LEASE_MICROS: i64 = 60_000_000;
/// How often it is extended.
const LEASE_EVERY: Duration = Duration::from_secs(15);
/// How long the first look at the database and the feed may take.
const START_WAIT: Duration = Duration::from_secs(10);

/// What a node is made of.
pub struct Plan {
    pub config: Config,
    /// The keys that tokens are verified with, where they do not come from the file of the configuration.
    pub jwks: Option<String>,
    /// Persons to be seeded.
    pub people: Vec<Someone>,
    /// Logins of those who get a link to set up sign-in, unless they have done so.
    pub invited: Vec<String>,
    /// The bearer token of SCIM, where it does not come from the file of the configuration.
    pub scim_token: Option<String>,
}

/// A person to be seeded.
pub struct Someone {
    pub login: String,
    pub name: String,
    pub role: String,
    /// Who he is in the record system, such as `Practitioner/abc`.
    pub practitioners: Vec<String>,
}

/// Where a node can be reached.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The base of the gateway, as callers know it.
    pub gateway: String,
    /// The console.
    pub console: String,
    /// Health and metrics.
    pub health: String,
    /// The folder of the ledger, absolute.
    pub ledger: PathBuf,
    /// The base of SCIM, if it is served.
    pub scim: Option<String>,
    /// The address below which API and decisions are.
    pub api: String,
    /// Logins with their one-time links.
    pub links: Vec<(String, String)>,
}

/// Folders of a node.
struct Folders {
    state: PathBuf,
    ledger: PathBuf,
    reserves: Vec<ReserveOptions>,
    database: String,
}

impl Folders {
    fn of(config: &Config) -> Result<Self> {
        let state = match &config.state {
            Some(state) => state.clone(),
            None => state::folder()?,
        };
        state::make_private(&state)?;
        let state = std::path::absolute(&state)?;
        let ledger = config.ledger.dir.clone().unwrap_or_else(|| state.join("ledger"));
        let ledger = std::path::absolute(&ledger)?;
        let reserve = config.ledger.reserve.clone().unwrap_or_else(|| state.join("ledger-reserve"));
        let dirs = std::iter::once(reserve).chain(config.ledger.second.clone());
        let reserves = dirs.map(|dir| ReserveOptions { dir, bytes: scruple_ledger::RESERVE_BYTES }).collect();
        let database = config.store.address.clone();
        let database = database.unwrap_or_else(|| format!("sqlite:{}", state.join("scruple.db").display()));
        Ok(Self { state, ledger, reserves, database })
    }
}

/// Runs a node until a signal stops it. `ready` hears where it can be reached, once it can.
pub async fn run(plan: Plan, ready: impl FnOnce(&Addresses) -> Result<()>) -> Result<()> {
    let config = &plan.config;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // From here on a signal waits until it can be followed in order.
    let signals = tasks::Signals::new()?;
    tracing::info!("starting");
    let folders = Folders::of(config)?;
    let mut policy = PolicyFiles::of(config);
    let active = policy.activate()?;
    check_relationships(config, active.pack.relationships)?;

    // Listeners first: where an address is taken, nothing else has been touched.
    let gateway_listener = bind(config.listen.gateway).await?;
    let console_listener = bind(config.listen.console).await?;
    let health_listener = bind(config.listen.health).await?;
    let gateway_listener = match tls(config)? {
        Some(tls) => gateway_listener.with_tls(tls),
        None => gateway_listener,
    };
    let scheme = if config.listen.tls_key.is_some() { "https" } else { "http" };
    if scheme == "http" && !gateway_listener.local_addr().ip().is_loopback() {
        tracing::warn!(
            "the gateway listens beyond this machine without TLS: records and tokens cross the network in clear (`listen.tls_certificate`)"
        );
    }
    let base = config.gateway.public_url.clone();
    let base = base.unwrap_or_else(|| format!("{scheme}://{}/fhir", gateway_listener.local_addr()));
    let parties = parties(config, &base);
    let api_parties = api_parties(config, &parties);
    let api_tokens = Arc::new(Tokens::new(verifier(config, plan.jwks.as_deref(), &api_parties)?));
    let verifier = verifier(config, plan.jwks.as_deref(), &parties)?.with_device_claim(&config.tokens.device_claim);

    let recorder = Arc::new(open_recorder(&folders)?);
    let root = keys::root(&folders.state)?;
    let (store, lease) = open_store(&folders, config, &root, clock.as_ref()).await?;
    let shard = lease.shard();
    for shard in [shard, ADMIN_SHARD] {
        if let Some(last) = recorder.main().and_then(|ledger| ledger.last_origin(number_of(shard))) {
            store.check_origin(shard, i64::try_from(last).unwrap_or(i64::MAX)).await.context("the database")?;
        }
    }
    let active = policy.settle((&store, &lease), clock.as_ref(), active).await.context("the policy")?;
    check_relationships(config, active.pack.relationships)?;
    seed(&store, &lease, clock.as_ref(), &plan.people).await.context("the people of the demo")?;

    let channels = messages::channels(&config.messages)?;
    let hospital = hospital(config, clock.now());
    let (stop, stopping) = watch::channel(false);
    let upstream = upstream(config, &hospital, &clock, stopping.clone())?;
    let pipeline = Arc::new(Pipeline::new(Parts {
        policy: Policy::new(Arc::clone(&active)),
        upstream,
        recorder: Arc::clone(&recorder),
        token: root.token()?,
        page: root.column("gateway.page")?,
        base: base.clone(),
    }));

    let cache = Arc::new(AccessCache::new(store.clone()));
    let wake = Arc::new(Notify::new());
    let follower = FeedFollower::new(store.clone(), Arc::clone(&cache), Arc::clone(&clock), Arc::clone(&wake));
    let follower = follower.noting(node(config));
    tokio::time::timeout(START_WAIT, follower.poll()).await.context("the database does not answer")??;
    let log: Arc<dyn ports::EventLog> = Arc::clone(&recorder) as _;
    let (drainer, drain) = Drainer::new(store.clone(), Arc::clone(&log), shard, Arc::clone(&wake))?;
    let console_url = config.console.public_url.clone();
    let console_url =
        console_url.unwrap_or_else(|| format!("http://localhost:{}", console_listener.local_addr().port()));
    let transmitter = signals::Transmitter::of(&config.signals, &console_url)?;
    let door = door_keys(&console_url, &root)?;
    let links = people::invite(&store, &lease, &clock, &door, &plan.invited, &console_url).await?;
    let scim = people::scim(people::Scim {
        config: &config.scim,
        token: plan.scim_token.as_deref(),
        store: &store,
        lease: &lease,
        clock: &clock,
        drain: &drain,
        base: &console_url,
    })
    .await?;
    let (indexer, index) =
        Indexer::new(store.clone(), (folders.ledger.clone(), shard.0), Arc::clone(&clock), Box::new(SystemRng));
    let api = scruple_api::api_router(ApiParts {
        store: store.clone(),
        lease: lease.clone(),
        clock: Arc::clone(&clock),
        rng: || Box::new(SystemRng),
        pipeline: Arc::clone(&pipeline),
        access: Arc::clone(&cache),
        tokens: Arc::clone(&api_tokens),
        drain: drain.clone(),
        index: index.clone(),
        seal: root.column("api.seal")?,
        base: console_url.clone(),
        networks: config.networks()?,
        signals: transmitter.keys(),
    });
    let (mut drainers, mut drains) = (vec![drainer], vec![drain.clone()]);
    if shard == FIRST_SHARD {
        let (drainer, drain) = Drainer::new(store.clone(), log, ADMIN_SHARD, wake)?;
        drainers.push(drainer);
        drains.push(drain);
    }
    let gateway = Arc::new(Gateway::new(scruple_gateway::Parts {
        pipeline: Arc::clone(&pipeline),
        access: Arc::clone(&cache),
        verifier,
        path: "/fhir".to_owned(),
        timing: match config.gateway.timing {
            Timing::Plain => AnswerTiming::Plain,
            Timing::Bucket => AnswerTiming::Bucket,
            Timing::ByRole => AnswerTiming::ByRole,
        },
        networks: config.networks()?,
        now: clock.now(),
    }));
    let site = scruple_console::SiteParts {
        store: store.clone(),
        lease: lease.clone(),
        clock: Arc::clone(&clock),
        rng: || Box::new(SystemRng),
        pipeline: Arc::clone(&pipeline),
        drain,
        index,
        keys: door,
        provider: oidc::Organisation::of(&config.oidc, &config.tokens, &console_url, &clock)?
            .map(|provider| Arc::new(provider) as _),
        host: origin(&console_url)?.to_owned(),
        help: config.console.help.clone(),
        sample: SampleRates {
            leaders_percent: config.console.sample_managers_percent,
            others_percent: config.console.sample_others_percent,
        },
        ledger: folders.ledger.clone(),
        policy_folder: config.policy.dir.is_some(),
    };
    let state = Arc::new(ready::State::new(Arc::clone(&recorder), Arc::clone(&cache), drains, Arc::clone(&clock)));
    let mut running = tokio::task::JoinSet::new();
    running.spawn(follower.run(stopping.clone()));
    for drainer in drainers {
        let stopping = stopping.clone();
        running.spawn(async move {
            if let Err(error) = drainer.run(stopping).await {
                tracing::error!(error = %error, "events no longer reach the ledger");
            }
        });
    }
    let messenger = Messenger {
        store: store.clone(),
        lease: lease.clone(),
        clock: Arc::clone(&clock),
        rng: Box::new(SystemRng),
        channels,
        console: console_url.clone(),
    };
    let known = (Arc::clone(&pipeline), Arc::clone(&cache));
    running.spawn(messages::work(messenger, known, stop.subscribe()));
    let size = Arc::clone(&pipeline);
    running.spawn(indexer.run(move || size.recorded(), stop.subscribe()));
    running.spawn(tasks::hold_lease(store.clone(), lease.clone(), Arc::clone(&clock), stop.subscribe()));
    running.spawn(tasks::recover(Arc::clone(&recorder), stop.subscribe()));
    running.spawn(ready::keep_up(stop.subscribe()));
    running.spawn(policy::follow(policy::Following {
        files: policy,
        watch_ms: config.policy.watch_ms,
        jwks: config.tokens.jwks_file.clone().filter(|_| plan.jwks.is_none()),
        parties,
        device_claim: config.tokens.device_claim.clone(),
        transmitter,
        api: (Arc::clone(&api_tokens), api_parties),
        gateway: Arc::clone(&gateway),
        state: Arc::clone(&state),
        clock: Arc::clone(&clock),
        allowed: relationships_allowed(config),
        stop: stop.subscribe(),
        hangup: signals.hangup,
        store: store.clone(),
        lease: lease.clone(),
        refused: None,
    }));
    let accounts = accounts::Accounts {
        store: store.clone(),
        lease: lease.clone(),
        clock: Arc::clone(&clock),
        access: Arc::clone(&cache),
        gateway: Arc::clone(&gateway),
        rules: config.accounts.rules(),
    };
    running.spawn(accounts.keep(stop.subscribe()));
    let systems = systems::Systems {
        store: store.clone(),
        lease: lease.clone(),
        clock: Arc::clone(&clock),
        connectors: systems::connectors(&config.systems)?,
        times: systems::times(&config.systems),
    };
    running.spawn(systems.keep(stop.subscribe()));
    let (own, looked) = (store.clone(), stop.subscribe());
    running.spawn(policy::keep_mappings(own, lease, Arc::clone(&clock), Arc::clone(&gateway), looked));

    let addresses = Addresses {
        gateway: base,
        console: if config.console.public_url.is_some() {
            format!("{console_url}/")
        } else {
            format!("http://{}/", console_listener.local_addr())
        },
        health: format!("http://{}/", health_listener.local_addr()),
        ledger: folders.ledger.clone(),
        scim: scim.as_ref().map(|_| format!("{console_url}/scim/v2")),
        api: console_url.clone(),
        links,
    };
    let limits = Limits::default();
    let stopped = |mut stop: watch::Receiver<bool>| async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let service = GatewayService { gateway, clock: Arc::clone(&clock), rng: || Box::new(SystemRng) };
    running.spawn(discard(gateway_listener.with_answers(Arc::new(ready::FhirAnswers)).serve(
        service,
        limits,
        stopped(stop.subscribe()),
    )));
    let lens = lens(&pipeline, &recorder, &hospital, &clock, &root)?;
    let beside = scim.map_or_else(|| api.clone(), |scim| api.clone().merge(scim));
    let console = scruple_console::console(site, lens, Some(beside));
    let console = hyper_util::service::TowerToHyperService::new(console);
    running.spawn(discard(console_listener.serve(console, limits, stopped(stop.subscribe()))));
    let health = Health::new(Arc::clone(&state) as Arc<dyn scruple_http::health::Readiness>, ready::metrics());
    running.spawn(discard(health_listener.serve(health, limits, stopped(stop.subscribe()))));
    let policy_hash = active.pack.hash.to_string();
    pipeline.note(clock.now(), "node_started", &[("policy", policy_hash), ("node", node(config).to_owned())]).await?;
    ready(&addresses)?;
    tracing::info!("serving");

    signals.stop.await;
    tracing::info!("stopping");
    let _ = stop.send(true);
    while running.join_next().await.is_some() {}
    store.close().await;
    drop(pipeline);
    close(recorder)
}

async fn seed(store: &Store, lease: &ShardLease, clock: &dyn Clock, people: &[Someone]) -> Result<(), SeedError> {
    if people.is_empty() {
        return Ok(());
    }
    let practitioners: Vec<Vec<&str>> =
        people.iter().map(|one| one.practitioners.iter().map(String::as_str).collect()).collect();
    let people: Vec<SeedPerson<'_>> = people
        .iter()
        .zip(&practitioners)
        .map(|(one, practitioners)| SeedPerson { login: &one.login, name: &one.name, role: &one.role, practitioners })
        .collect();
    seed_workforce(store, lease, clock, &mut SystemRng, &people).await.map(drop)
}

/// The embedded hospital of a configuration.
pub fn hospital(config: &Config, as_of: Timestamp) -> Hospital {
    let embedded = &config.embedded;
    Hospital::generate(&HospitalOptions { patients: embedded.patients, seed: embedded.seed, as_of, canary: false })
}

/// Finds what would keep a node with this configuration from starting, as far as it can be told without touching a
/// folder of it, the database, the network.
pub fn check(config: &Config) -> Result<()> {
    let active = PolicyFiles::of(config).activate()?;
    check_relationships(config, active.pack.relationships)?;
    tls(config)?;
    verifier(config, None, &parties(config, "the address of the gateway"))?;
    http_upstream(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    oidc::Organisation::of(&config.oidc, &config.tokens, "https://scruple.example", &clock)?;
    signals::Transmitter::of(&config.signals, "https://scruple.example")?;
    messages::channels(&config.messages)?;
    systems::connectors(&config.systems)?;
    Ok(())
}

fn tls(config: &Config) -> Result<Option<Tls>> {
    let (Some(certificate), Some(key)) = (&config.listen.tls_certificate, &config.listen.tls_key) else {
        return Ok(None);
    };
    let tls =
        Tls::from_pem(&read(certificate)?, &read(key)?).context("`listen.tls_certificate` and `listen.tls_key`")?;
    Ok(Some(tls))
}

/// The names that tokens must carry, for a gateway with this base.
fn parties(config: &Config, base: &str) -> Parties {
    let or_base = |name: &Option<String>| name.clone().unwrap_or_else(|| base.to_owned());
    Parties { issuer: or_base(&config.tokens.issuer), audience: or_base(&config.tokens.audience) }
}

/// The names that tokens of the API must carry.
fn api_parties(config: &Config, gateway: &Parties) -> Parties {
    let audience = config.api.audience.clone().unwrap_or_else(|| gateway.audience.clone());
    Parties { issuer: gateway.issuer.clone(), audience }
}

/// What verifies tokens: with the keys that are given, else with those of the configuration's file.
fn verifier(config: &Config, jwks: Option<&str>, parties: &Parties) -> Result<Verifier> {
    let jwks = match (jwks, &config.tokens.jwks_file) {
        (Some(jwks), _) => jwks.to_owned(),
        (None, Some(path)) => text(path)?,
        (None, None) => {
            bail!("`tokens.jwks_file` is missing: a file with the keys of the issuer of access tokens (JWKS)")
        }
    };
    Verifier::new(&jwks, parties.clone(), LEEWAY_SECONDS).context("`tokens.jwks_file`")
}

async fn discard<T>(future: impl Future<Output = T>) {
    let _ = future.await;
}

/// Brings what is durable under a signed checkpoint, so that an orderly end leaves nothing behind it.
fn close(recorder: Arc<Recorder>) -> Result<()> {
    if let Some(ledger) = recorder.main() {
        ledger.integrate_now().context("the ledger did not close")?;
    }
    Ok(())
}

fn node(config: &Config) -> &str {
    config.node.as_deref().unwrap_or("scruple")
}

fn number_of(shard: ShardId) -> u32 {
    u32::try_from(shard.0).unwrap_or(u32::MAX)
}

async fn bind(address: SocketAddr) -> Result<Server> {
    Server::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; another port, or 0 for a free one?"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// A secret in a file of its own; `key` names the file.
fn secret(path: &Path, key: &str) -> Result<SecretString> {
    let text = text(path)?;
    let text = text.trim();
    if text.is_empty() {
        bail!("`{}` (`{key}`) is empty", path.display());
    }
    Ok(SecretString::from(text.to_owned()))
}

/// The authorities of a file, else the public ones.
fn roots(file: Option<&Path>) -> Result<Roots> {
    Ok(match file {
        Some(path) => Roots::Pem(read(path)?),
        None => Roots::Public,
    })
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Whether a pack that assumes relationships may be served here.
fn relationships_allowed(config: &Config) -> bool {
    config.upstream.url.is_none() || config.gateway.allow_assumed_relationships
}

fn check_relationships(config: &Config, relationships: Relationships) -> Result<()> {
    match relationships {
        Relationships::Resolved => Ok(()),
        Relationships::Assumed if relationships_allowed(config) => Ok(()),
        Relationships::Assumed => bail!(
            "the policy pack assumes that every caller has a relationship with every patient (`relationships = \"assumed\"` in \
             pack.toml), and the upstream is a real server: everyone would see everyone's records by role. Write \
             `relationships = \"resolved\"`, so that they are looked up, or set \
             `gateway.allow_assumed_relationships = true` if that is what you want, or leave `upstream.url` out to serve the \
             embedded hospital"
        ),
        Relationships::Asserted => bail!(
            "the policy pack says that `relationships` are asserted (pack.toml), and nobody asserts them at a gateway: write \
             `resolved`, so that they are looked up in the record system"
        ),
    }
}

fn open_recorder(folders: &Folders) -> Result<Recorder> {
    for dir in folders.reserves.iter().map(|reserve| &reserve.dir).chain([&folders.ledger]) {
        if let Some(parent) = dir.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make folder `{}`", parent.display()))?;
        }
    }
    let options = RecorderOptions {
        ledger: Box::new(|| OpenOptions::new("scruple/ledger", Arc::new(SystemClock))),
        reserves: folders.reserves.clone(),
        notices: Box::new(tasks::Words),
    };
    Recorder::open(&folders.ledger, options)
        .with_context(|| format!("nothing is released without the ledger in `{}`", folders.ledger.display()))
}

async fn connect(address: &str, root: &RootKey) -> Result<Store> {
    let keys = StoreKeys::new(root, Box::new(SystemRng))?;
    let options = StoreOptions::parse(address, Durability::Full).context("`store.address`")?;
    let store = Store::connect(options, Box::new(keys)).await.context("the database of `store.address`")?;
    store.migrate().await.context("the database of `store.address`")?;
    Ok(store)
}

/// The folder of the ledger of a configuration.
pub fn ledger_folder(config: &Config) -> Result<PathBuf> {
    Ok(Folders::of(config)?.ledger)
}

/// The database of a node that has run already; it may be running.
pub async fn existing_store(config: &Config) -> Result<Store> {
    let state = config.state.clone().map_or_else(state::folder, Ok)?;
    if !keys::is_there(&state) {
        bail!(
            "no node has run on the state folder `{}`: name yours with --config FILE or SCRUPLE_STATE, or start `scruple serve` once",
            state.display()
        );
    }
    let folders = Folders::of(config)?;
    connect(&folders.database, &keys::root(&folders.state)?).await
}

async fn open_store(
    folders: &Folders,
    config: &Config,
    root: &RootKey,
    clock: &dyn Clock,
) -> Result<(Store, ShardLease)> {
    let store = connect(&folders.database, root).await?;
    let (shard, now) = (config.shard.map_or(FIRST_SHARD, ShardId), clock.now());
    let lease = store.acquire_shard(shard, node(config), now, now.plus_micros(LEASE_MICROS)).await?;
    let lease = lease.context(
        "another node holds this shard of the database: give this one a number of its own (`shard`), or wait a minute",
    )?;
    Ok((store, lease))
}

/// The FHIR server behind the gateway.
fn upstream(
    config: &Config,
    hospital: &Hospital,
    clock: &Arc<dyn Clock>,
    stop: watch::Receiver<bool>,
) -> Result<Arc<dyn Upstream>> {
    Ok(match http_upstream(config)? {
        Some(upstream) => {
            let upstream = Arc::new(upstream);
            tokio::spawn(tasks::probe(Arc::clone(&upstream)));
            let file = CredentialFile::new(config)?;
            if let Some(mut file) = file {
                tokio::spawn(tasks::renew_credential(Arc::clone(&upstream), move || file.look(), stop));
            }
            upstream
        }
        None => {
            let server = scruple_hospital::upstream::Server::new(hospital, EMBEDDED_BASE);
            Arc::new(EmbeddedUpstream::new(server, Arc::clone(clock)))
        }
    })
}

/// The same for a command that asks once: nothing is watched, nothing is renewed.
pub fn quiet_upstream(config: &Config) -> Result<Arc<dyn Upstream>> {
    if let Some(upstream) = http_upstream(config)? {
        return Ok(Arc::new(upstream));
    }
    let server = scruple_hospital::upstream::Server::new(&hospital(config, now()), EMBEDDED_BASE);
    Ok(Arc::new(EmbeddedUpstream::new(server, Arc::new(SystemClock))))
}

/// The server that the configuration names, if it names one.
fn http_upstream(config: &Config) -> Result<Option<HttpUpstream>> {
    upstream_options(config)?.map(|options| HttpUpstream::new(&options).context("`upstream`")).transpose()
}

/// How it is reached.
pub fn upstream_options(config: &Config) -> Result<Option<scruple_connect::Options>> {
    let options = &config.upstream;
    let Some(url) = &options.url else { return Ok(None) };
    let base = Base::parse(url).context("`upstream.url`")?;
    let mut connect = scruple_connect::Options::new(base);
    connect.call_ms = options.timeout_ms;
    connect.search_by = match options.search_by {
        SearchMethod::Post => SearchBy::Post,
        SearchMethod::Get => SearchBy::Get,
    };
    connect.dialect = match options.search_values {
        SearchValues::Standard => Dialect::Standard,
        SearchValues::Plain => Dialect::Plain,
    };
    if let Some(file) = CredentialFile::new(config)? {
        connect.credential = file.credential()?;
    }
    if let Some(path) = &options.ca_file {
        connect.roots = Roots::Pem(read(path)?);
    }
    Ok(Some(connect))
}

/// What signing in to the console needs.
fn door_keys(console_url: &str, root: &RootKey) -> Result<DoorKeys> {
    let site = Site {
        domain: origin(console_url)?.to_owned(),
        origins: vec![console_url.to_owned()],
        name: "Scruple".to_owned(),
    };
    Ok(DoorKeys {
        passkeys: Passkeys::new(&site).context("`console.public_url`")?,
        recovery: RecoveryKey::new(&Secret::new(root.blind("recovery-codes")?.index(b"key"))),
        issuer: "Scruple".to_owned(),
    })
}

/// The Lens over the synthetic hospital, whatever the upstream is.
fn lens(
    pipeline: &Arc<Pipeline>,
    recorder: &Arc<Recorder>,
    hospital: &Hospital,
    clock: &Arc<dyn Clock>,
    root: &RootKey,
) -> Result<Arc<dyn scruple_console::Lens>> {
    let (policy, recorder) = (Arc::clone(pipeline), Arc::clone(recorder));
    let lens = scruple_console::HospitalLens::new(scruple_console::HospitalLensOptions {
        hospital: *hospital,
        active: Box::new(move || Arc::clone(policy.policy().active())),
        ledger: Box::new(move || recorder.main()),
        clock: Arc::clone(clock),
        token: root.token()?,
        rng: Box::new(SystemRng),
    });
    Ok(Arc::new(lens))
}

/// The present, for those who seed and issue before a node runs.
pub fn now() -> Timestamp {
    SystemClock.now()
}
