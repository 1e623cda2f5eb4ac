//! A gateway as a child process, from its own side: it is told what to do over its standard input, a line of JSON each.

use super::disk::Disk;
use super::parts::{Person, SHARD, Setting, SystemClock, Words, Workforce, http_upstream, issuer, token, workforce};
use anyhow::{Context as _, Result, ensure};
use metrics_exporter_prometheus::PrometheusBuilder;
use scruple_app::ports::EventLog;
use scruple_app::{DEMO_APPROVER, Drainer};
use scruple_core::{Clock, new_id};
use scruple_fhir::search::Dialect;
use scruple_gateway::{AnswerTiming, Gateway, GatewayService};
use scruple_http::{Limits, Server};
use scruple_ledger::{OpenOptions, Recorder, RecorderOptions, ReserveOptions};
use scruple_pairs::Exchange;
use scruple_policy::{PackFiles, activate};
use scruple_release::Policy;
use scruple_seal::SystemRng;
use scruple_store::{Aggregate, NewEvent, Revocation, Subject, find_person_by_login, open_grants, revoke_grant};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// The first argument of the program that is a gateway.
pub const ROLE: &str = "gateway-node";

/// Bytes of its reserve.
const RESERVE_BYTES: u64 = 16 << 20;
/// How often the ledger is looked after, and the metrics.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a gateway is to be. The first line that it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The folder of its ledger, reserve and database.
    pub dir: PathBuf,
    /// The base of the FHIR server behind it.
    pub upstream: String,
    /// Who is in its store.
    pub people: Vec<Person>,
    /// Milliseconds of a call to the FHIR server.
    pub call_ms: u64,
    /// Relationships are looked up, and not assumed as in the shipped pack.
    pub resolved: bool,
    /// Each answer waits for the next of a few times.
    pub bucket: bool,
}

impl Order {
    /// The folder of the ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.dir.join("ledger")
    }
}

/// The first line that it says.
#[derive(Serialize, Deserialize)]
pub struct Ready {
    pub address: SocketAddr,
    pub tokens: Vec<String>,
}

/// What it can be told. It says `ok`, or why not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Reads the policy again: a good one is taken, one with errors must not be.
    Policy {
        /// Whether it is good.
        good: bool,
    },
    /// Takes all grants from somebody.
    Revoke {
        /// Who.
        login: String,
    },
    /// Another FHIR server.
    Upstream {
        /// Its base.
        url: String,
    },
    /// The disk of the ledger is full, or no longer.
    Disk {
        /// Whether it is full.
        full: bool,
    },
}

/// The role of the process: says where it listens, serves and obeys until standard input closes.
///
/// # Errors
/// It cannot be put together, or does not close.
pub fn role() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line).context("no order")?;
    let (sender, commands) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(order, commands))
}

/// What commands act on.
struct Running {
    gateway: Arc<Gateway>,
    upstream: Arc<Exchange>,
    disk: Disk,
    held: Held,
    clock: Arc<dyn Clock>,
    call_ms: u64,
}

/// What is held of the workforce while its follower runs.
struct Held {
    store: scruple_store::Store,
    lease: scruple_store::ShardLease,
    wake: Arc<tokio::sync::Notify>,
}

async fn serve(order: Order, mut commands: mpsc::Receiver<String>) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let shipped = PackFiles::embedded();
    let files = if order.resolved { shipped } else { shipped.assuming_relationships() };
    let active = Arc::new(activate(&files, clock.now())?);
    let disk = Disk::new(order.dir.join("reserve"));
    let recorder = Arc::new(recorder(&order, &disk)?);
    let database = format!("sqlite:{}", order.dir.join("scruple.db").display());
    let Workforce { store, lease, cache, follower, wake } = workforce(&database, &clock, &order.people).await?;
    let log: Arc<dyn EventLog> = Arc::clone(&recorder) as _;
    let (drainer, _drain) = Drainer::new(store.clone(), log, SHARD, Arc::clone(&wake))?;
    let upstream = Arc::new(Exchange::new(http_upstream(&order.upstream, order.call_ms, Dialect::Standard)?));
    let issuer = issuer(&mut SystemRng)?;
    let gateway = Arc::new(
        Setting {
            active,
            upstream: Arc::clone(&upstream) as _,
            recorder: Arc::clone(&recorder),
            access: cache,
            jwks: issuer.jwks().to_owned(),
            timing: if order.bucket { AnswerTiming::Bucket } else { AnswerTiming::Plain },
            now: clock.now(),
        }
        .gateway()?,
    );
    let issue = |person| token(&issuer, person, clock.now(), &mut SystemRng);
    let tokens = order.people.iter().map(issue).collect::<Result<_>>()?;

    let (stop, stopping) = watch::channel(false);
    let listener = Server::bind(([127, 0, 0, 1], 0).into()).await?;
    let ready = Ready { address: listener.local_addr(), tokens };
    let mut running = tokio::task::JoinSet::new();
    running.spawn(follower.run(stopping.clone()));
    let drains = stopping.clone();
    running.spawn(async move { drop(drainer.run(drains).await) });
    running.spawn(look_after(Arc::clone(&recorder), metrics, stopping.clone()));
    let service =
        GatewayService { gateway: Arc::clone(&gateway), clock: Arc::clone(&clock), rng: || Box::new(SystemRng) };
    let mut stopped = stopping.clone();
    let stopped = async move { drop(stopped.wait_for(|stop| *stop).await) };
    running.spawn(async move {
        listener.serve(service, Limits::default(), stopped).await;
    });
    say(&serde_json::to_string(&ready)?)?;

    let held = Held { store, lease, wake };
    let node = Running { gateway, upstream, disk, held, clock, call_ms: order.call_ms };
    while let Some(line) = commands.recv().await {
        match node.obey(serde_json::from_str(&line)?).await {
            Ok(()) => say("ok")?,
            Err(error) => say(&format!("{error:#}"))?,
        }
    }
    let _ = stop.send(true);
    while running.join_next().await.is_some() {}
    let main = recorder.main().context("the ledger is not open at the end")?;
    main.integrate_now()?;
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn recorder(order: &Order, disk: &Disk) -> Result<Recorder> {
    let disk = disk.clone();
    let options = RecorderOptions {
        ledger: Box::new(move || OpenOptions {
            storage: Arc::new(disk.clone()),
            ..OpenOptions::new("bench/ledger", Arc::new(SystemClock))
        }),
        reserves: vec![ReserveOptions { dir: order.dir.join("reserve"), bytes: RESERVE_BYTES }],
        notices: Box::new(Words(Arc::new(SystemClock))),
    };
    Ok(Recorder::open(&order.ledger(), options)?)
}

/// Brings the ledger back after a fault, and keeps the metrics small.
async fn look_after(
    recorder: Arc<Recorder>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    mut stop: watch::Receiver<bool>,
) {
    while tokio::time::timeout(LOOK_EVERY, stop.wait_for(|stop| *stop)).await.is_err() {
        metrics.run_upkeep();
        if recorder.needs_recovery() {
            let task = Arc::clone(&recorder);
            // Why it fails is told by what is refused meanwhile; it is tried again.
            let _ = tokio::task::spawn_blocking(move || task.recover().is_ok()).await;
        }
    }
}

impl Running {
    async fn obey(&self, command: Command) -> Result<()> {
        match command {
            Command::Policy { good } => self.policy(good).await,
            Command::Revoke { login } => self.revoke(&login).await,
            Command::Upstream { url } => {
                self.upstream.put(http_upstream(&url, self.call_ms, Dialect::Standard)?);
                Ok(())
            }
            Command::Disk { full } => {
                self.disk.set_full(full);
                Ok(())
            }
        }
    }

    async fn policy(&self, good: bool) -> Result<()> {
        let now = self.clock.now();
        let mut files = PackFiles::embedded().assuming_relationships();
        if !good {
            files.0.insert("pack.toml".to_owned(), "format = ".to_owned());
        }
        let active = tokio::task::spawn_blocking(move || activate(&files, now)).await?;
        ensure!(active.is_ok() == good, "a policy is judged wrongly");
        if let Ok(active) = active {
            self.gateway.set_policy(Policy::new(Arc::new(active)), now);
        }
        Ok(())
    }

    async fn revoke(&self, login: &str) -> Result<()> {
        let Held { store, lease, wake } = &self.held;
        let now = self.clock.now();
        let mut tx = store.begin().await?;
        let person = find_person_by_login(&mut tx, &login.parse()?).await?.context("there is no such person")?;
        let approver = find_person_by_login(&mut tx, &DEMO_APPROVER.parse()?).await?.context("nobody may revoke")?;
        let mut events = Vec::new();
        for grant in open_grants(&mut tx, person.id, now).await? {
            revoke_grant(&mut tx, grant.id, 1, Revocation { by: approver.id, at: now }).await?;
            events.push(NewEvent {
                id: new_id(now, &mut SystemRng),
                aggregate: Aggregate::new("grant", grant.id),
                version: 2,
                at: now,
                kind: "role_revoked",
                subjects: Subject::Person(person.id).into(),
                body: b"{}",
            });
        }
        ensure!(!events.is_empty(), "there is nothing to revoke");
        tx.commit(lease, &events).await?;
        wake.notify_waiters();
        Ok(())
    }
}
