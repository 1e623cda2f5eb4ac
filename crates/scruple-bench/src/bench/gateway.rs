//! The gateway beside nginx before the same FHIR server: reads of about 4 KB, searches of 50, and everything of one patient,
//! by number of connections.
//!
//! nginx passes bytes on. The gateway verifies a token, decides, fetches, projects, records durably and only then answers;
//! it runs as `scruple serve` does, in a process of its own. Both are measured on one core, one after the other, while the
//! FHIR server and the client share another. What is asked is chosen by asking a gateway in this process, whose calls to
//! the FHIR server are counted. No FHIR server hands out everything of a patient in one go as fast as it can send, so that
//! this one has the Bundle ready for nginx, while the gateway puts its own together of searches.

use super::disk::fdatasync;
use super::http_load::{Outcome, Plan, get, run_on};
use super::measure::{Times, ratio, short, table};
use super::nginx::Nginx;
use super::processes::{Cores, Memory, cpu_seconds};
use super::{Effort, progress};
use crate::node::content::{Content, PREPARED, long_patient, prepared};
use crate::node::{
    self, Command, Fhir, NOON, Node, Order, Person, Setting, Words, Workforce, issuer, people, token, workforce,
};
use crate::shipped;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use scruple_connect::{EMBEDDED_BASE, EmbeddedUpstream};
use scruple_core::{Clock, FixedClock};
use scruple_gateway::{AnswerTiming, Gateway};
use scruple_hospital::Hospital;
use scruple_hospital::upstream::Server;
use scruple_ledger::{OpenOptions, Recorder, RecorderOptions, VerifyOptions, verify};
use scruple_release::{Fetched, Upstream, UpstreamFuture, UpstreamQuery};
use scruple_seal::SystemRng;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Connections.
const CONNECTIONS: [usize; 3] = [1, 16, 128];
/// Connections that ask for two megabytes.
const LONG_CONNECTIONS: [usize; 2] = [1, 16];
/// Who asks for them.
const LONG_ROLE: &str = "physician";
/// Patients of the hospital.
const PATIENTS: usize = 120;
/// Bytes of a read's answer from the FHIR server.
const READ_BYTES: RangeInclusive<usize> = 4_000..=4_500;
/// Different requests of a row, at most; fewer than so many show one record more than a kind of them.
const REQUESTS_MAX: usize = 48;
const REQUESTS_MIN: usize = 8;
/// Resources on a page of the search.
const PAGE: usize = 50;
/// Callers in each role: the gateway serves one caller only so many requests at a time.
const CALLERS: usize = 8;
/// Milliseconds of a call to the FHIR server.
const CALL_MS: u64 = 30_000;
/// Milliseconds before a measurement.
const WARM_UP_MS: u64 = 500;

/// What is asked in a row of the table.
struct Asked {
    title: String,
    role: String,
    targets: Vec<String>,
    /// Bytes of an answer, on average: the FHIR server's and the gateway's.
    upstream_bytes: usize,
    bytes: usize,
    /// Calls to the FHIR server for one answer, at most.
    calls: u64,
}

/// The section.
///
/// # Errors
/// nginx is not there, or something fails: a request that is not answered with 200 too.
pub fn gateway(effort: Effort) -> Result<String> {
    let cores = Cores::here();
    let own = std::env::current_exe()?;
    progress("choosing what is asked");
    let asked = Chooser::new(PATIENTS, Content::Hospital)?.choose()?;
    let long = Chooser::new(PATIENTS, Content::LongRecord)?.everything()?;
    let dir = tempfile::Builder::new().prefix("scruple-bench-gateway-").tempdir()?;
    let syncs = fdatasync(dir.path())?;
    let fhir = Fhir::start(&own, cores.upstream, PATIENTS)?;
    let nginx = Nginx::start(fhir.address(), "/fhir/metadata", cores.measured)?;
    let order = Order {
        dir: dir.path().to_owned(),
        upstream: fhir.url(),
        people: callers(),
        call_ms: CALL_MS,
        resolved: false,
        bucket: false,
    };
    let mut node = Node::start(&own, cores.measured, &order)?;
    let before = Memory::of(node.id())?;
    let mut rows = Vec::new();
    for row in &asked {
        let as_callers = as_callers(&node, &order.people, row)?;
        let plain: Vec<String> = row.targets.iter().map(|target| get(nginx.address, target, &[])).collect();
        for connections in CONNECTIONS {
            progress(&format!("{}, {connections} connections", row.title));
            let theirs = measure(row, (nginx.address, nginx.worker()?), &plain, connections, effort, cores)?;
            let ours = measure(row, (node.address, node.id()), &as_callers, connections, effort, cores)?;
            rows.push(line(row, connections, &ours, &theirs, &syncs));
        }
    }
    let memory = Memory::of(node.id())?;
    let of_nginx = Memory::of(nginx.worker()?)?;
    let fhir = Fhir::with(&own, cores.upstream, PATIENTS, Content::LongRecord)?;
    let nginx = Nginx::start(fhir.address(), "/fhir/metadata", cores.measured)?;
    node.tell(&Command::Upstream { url: fhir.url() })?;
    let (as_callers, plain) = (as_callers(&node, &order.people, &long)?, [get(nginx.address, PREPARED, &[])]);
    for connections in LONG_CONNECTIONS {
        progress(&format!("{}, {connections} connections", long.title));
        let theirs = measure(&long, (nginx.address, nginx.worker()?), &plain, connections, effort, cores)?;
        let ours = measure(&long, (node.address, node.id()), &as_callers, connections, effort, cores)?;
        rows.push(line(&long, connections, &ours, &theirs, &syncs));
    }
    let memory_long = [Memory::of(node.id())?, Memory::of(nginx.worker()?)?].map(|memory| memory.peak);
    node.stop()?;
    let report = verify(&order.ledger(), VerifyOptions::default())?;
    ensure!(report.is_good(), "what was recorded does not verify: {report}");
    let memory = Held { before, after: memory, of_nginx, long: memory_long };
    Ok(section((&asked, &long), &rows, &syncs, &memory, report.entries, effort, cores))
}

/// Each target of a row, as each of those in its role.
fn as_callers(node: &Node, people: &[Person], row: &Asked) -> Result<Vec<String>> {
    let of_role = people.iter().zip(&node.tokens).filter(|(person, _)| person.role == row.role);
    let bearers: Vec<String> = of_role.map(|(_, token)| format!("Bearer {token}")).collect();
    ensure!(!bearers.is_empty(), "nobody is in the role {}", row.role);
    let each = row.targets.iter().flat_map(|target| bearers.iter().map(move |bearer| (target, bearer)));
    Ok(each.map(|(target, bearer)| get(node.address, target, &[("authorization", bearer)])).collect())
}

/// Memory of the gateway after its start and before the long record, that of nginx, and the most of both with that record.
struct Held {
    before: Memory,
    after: Memory,
    of_nginx: Memory,
    long: [u64; 2],
}

/// What one measurement gave, and the processor time of the proxy for each answer.
struct Reached {
    outcome: Outcome,
    cpu: Duration,
}

/// Some people in each role.
fn callers() -> Vec<Person> {
    let named = |number| {
        let name = move |person: Person| Person { login: format!("{}.{number}", person.login), ..person };
        people().into_iter().map(name)
    };
    (0..CALLERS).flat_map(named).collect()
}

fn measure(
    row: &Asked,
    (server, process): (SocketAddr, u32),
    requests: &[String],
    connections: usize,
    effort: Effort,
    cores: Cores,
) -> Result<Reached> {
    let requests = requests.to_vec();
    let mut plan = Plan { server, requests, connections, millis: WARM_UP_MS, warm_up_millis: 0 };
    run_on(cores.client, &plan)?;
    plan.millis = effort.seconds * 1000;
    let before = cpu_seconds(process)?;
    let outcome = run_on(cores.client, &plan)?;
    let spent = cpu_seconds(process)? - before;
    ensure!(outcome.errors() == 0, "{}: {} requests failed", row.title, outcome.errors());
    ensure!(outcome.answers > 0, "{}: no answer", row.title);
    Ok(Reached { cpu: Duration::try_from_secs_f64(spent / outcome.answers as f64)?, outcome })
}

fn line(row: &Asked, connections: usize, ours: &Reached, theirs: &Reached, syncs: &Times) -> Vec<String> {
    let added = |ours: Duration, theirs: Duration| match ours.checked_sub(theirs) {
        Some(added) => short(added),
        None => format!("-{}", short(theirs.saturating_sub(ours))),
    };
    let both = |one: &Reached| format!("{}; {}", short(one.outcome.p50()), short(one.outcome.p99()));
    let beyond = theirs.outcome.p50() + syncs.median();
    vec![
        format!("{}, {connections} connections", row.title),
        format!("{:.0}", ours.outcome.rate()),
        format!("{:.0}", theirs.outcome.rate()),
        ratio(ours.outcome.rate(), theirs.outcome.rate()),
        both(ours),
        both(theirs),
        added(ours.outcome.p50(), theirs.outcome.p50()),
        added(ours.outcome.p50(), beyond),
        added(ours.outcome.p99(), theirs.outcome.p99()),
        format!("{}; {}", short(ours.cpu), short(theirs.cpu)),
    ]
}

fn section(
    (asked, long): (&[Asked], &Asked),
    rows: &[Vec<String>],
    syncs: &Times,
    Held { before, after, of_nginx, long: with_long }: &Held,
    entries: u64,
    effort: Effort,
    cores: Cores,
) -> String {
    let mut text = format!(
        "{} s each after a warm-up; {cores}. The same FHIR server behind both, over HTTP: the embedded server of {PATIENTS} \
         synthetic patients, of which each Patient and Encounter is filled up to 4 KB by its narrative. nginx keeps its connections to it and passes bytes on. The gateway verifies the token (cached), \
         decides, fetches, projects and records each answer durably before it leaves; all {entries} entries were verified \
         afterwards. fdatasync of 4 KiB in a file that is already written, on this disk: p50 {}, p99 {}. Every answer had \
         status 200.\n\n",
        effort.seconds,
        short(syncs.median()),
        short(syncs.at(99)),
    );
    for row in asked {
        text += &format!(
            "* {}: {} different requests; the FHIR server answers {} bytes, the gateway {}; {} to the FHIR server for each.\n",
            row.title,
            row.targets.len(),
            row.upstream_bytes,
            row.bytes,
            if row.calls == 1 { "1 call".to_owned() } else { format!("up to {} calls", row.calls) }
        );
    }
    if !asked.iter().any(|row| row.title.starts_with("read") && row.calls == 1) {
        text += "* None of the roles that were tried reads a resource of that size without a further call to the FHIR server.\n";
    }
    text += &format!(
        "* {}: one patient, whose record was filled up with Observations. nginx: the FHIR server has all of the record ready as one \
         Bundle of {} bytes, and sends it; nginx passes it with its usual buffers. The gateway: {} calls to the FHIR server one after the other (the Patient, then each \
         type of the compartment by pages), every resource decided and projected, and a Bundle of {} bytes put together.\n",
        long.title, long.upstream_bytes, long.calls, long.bytes,
    );
    let header = [
        "",
        "requests/s",
        "nginx",
        "÷ nginx",
        "p50; p99",
        "nginx",
        "p50 added",
        "beyond one fdatasync",
        "p99 added",
        "processor time an answer; nginx",
    ];
    text += &format!("\n{}", table(&header, rows));
    let mb = |bytes: u64| bytes as f64 / 1e6;
    text += &format!(
        "\nMemory of the gateway: {:.1} MB resident after its start, {:.1} MB in the end, {:.1} MB at most; nginx's worker \
         {:.1} MB at most. With $everything behind that: {:.1} MB at most, nginx's worker {:.1} MB.\n",
        mb(before.resident),
        mb(after.resident),
        mb(after.peak),
        mb(of_nginx.peak),
        mb(with_long[0]),
        mb(with_long[1]),
    );
    text
}

/// Counts the calls to an upstream.
struct Counted {
    inner: EmbeddedUpstream,
    calls: AtomicU64,
}

impl Counted {
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
    }
}

impl Upstream for Counted {
    fn read<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.count();
        self.inner.read(resource_type, id)
    }

    fn version<'a>(
        &'a self,
        resource_type: &'a str,
        id: &'a str,
        version: &'a str,
    ) -> UpstreamFuture<'a, Option<Fetched>> {
        self.count();
        self.inner.version(resource_type, id, version)
    }

    fn history<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.count();
        self.inner.history(resource_type, id)
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        self.count();
        self.inner.search(query)
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        self.count();
        self.inner.page(link)
    }
}

/// A gateway in this process, to choose what is asked.
struct Chooser {
    runtime: Runtime,
    gateway: Gateway,
    upstream: Arc<Counted>,
    hospital: Hospital,
    people: Vec<Person>,
    tokens: Vec<String>,
    _dir: tempfile::TempDir,
}

/// What a target gave: bytes of the answer and calls to the FHIR server.
#[derive(Clone)]
struct Tried {
    target: String,
    upstream_bytes: usize,
    bytes: usize,
    calls: u64,
}

impl Chooser {
    fn new(patients: usize, content: Content) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(NOON));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let people = people();
        let database = format!("sqlite:{}", dir.path().join("scruple.db").display());
        let Workforce { cache, .. } = runtime.block_on(workforce(&database, &clock, &people))?;
        let of_ledger = Arc::clone(&clock);
        let options = RecorderOptions {
            ledger: Box::new(move || OpenOptions::new("bench/ledger", Arc::clone(&of_ledger))),
            reserves: Vec::new(),
            notices: Box::new(Words(Arc::clone(&clock))),
        };
        let hospital = node::hospital(patients);
        let server = Server::from_resources(content.resources(&hospital), EMBEDDED_BASE);
        let inner = EmbeddedUpstream::new(server, clock);
        let upstream = Arc::new(Counted { inner, calls: AtomicU64::new(0) });
        let issuer = issuer(&mut SystemRng)?;
        let setting = Setting {
            active: shipped::active()?,
            upstream: Arc::clone(&upstream) as Arc<dyn Upstream>,
            recorder: Arc::new(Recorder::open(&dir.path().join("ledger"), options)?),
            access: cache,
            jwks: issuer.jwks().to_owned(),
            timing: AnswerTiming::Plain,
            now: NOON,
        };
        let issue = |person| token(&issuer, person, NOON, &mut SystemRng);
        let tokens = people.iter().map(issue).collect::<Result<_>>()?;
        Ok(Self { runtime, gateway: setting.gateway()?, upstream, hospital, people, tokens, _dir: dir })
    }

    /// Asks; the body if it is an answer, and the calls that it took.
    fn ask(&self, person: usize, target: &str) -> Result<Option<(Vec<u8>, u64)>> {
        let token = self.tokens.get(person).context("a person without a token")?;
        let request = http::Request::get(target).header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::new(Bytes::new()))?;
        let before = self.upstream.calls.load(Ordering::SeqCst);
        let (response, _) =
            self.runtime.block_on(self.gateway.handle(request, None, &FixedClock::new(NOON), &mut SystemRng));
        let calls = self.upstream.calls.load(Ordering::SeqCst) - before;
        Ok((response.status == 200).then(|| (response.body.bytes().to_vec(), calls)))
    }

    /// A read without further calls, one with, and a search.
    fn choose(&self) -> Result<Vec<Asked>> {
        let reads = self.reads()?;
        let enough = |tried: &&(usize, String, Vec<Tried>)| tried.2.len() >= REQUESTS_MIN;
        let shown = |tried: &&(usize, String, Vec<Tried>)| average(&tried.2, |one| one.bytes);
        let plain =
            reads.iter().filter(enough).filter(|(_, _, all)| all.iter().all(|one| one.calls == 1)).max_by_key(shown);
        let looked =
            reads.iter().filter(enough).filter(|(_, _, all)| all.iter().all(|one| one.calls > 1)).max_by_key(shown);
        let mut asked = Vec::new();
        for (found, words) in [(plain, "no further call"), (looked, "references looked up")] {
            if let Some((person, kind, all)) = found {
                asked.push(self.asked(*person, &format!("read {kind}, {words}"), all.clone())?);
            }
        }
        asked.push(self.searches()?);
        Ok(asked)
    }

    /// By person and type what each read of a fitting size gives, where there is an answer.
    fn reads(&self) -> Result<Vec<(usize, String, Vec<Tried>)>> {
        let mut by_kind: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
        for (kind, id, json) in node::resources(&self.hospital) {
            let target = format!("/fhir/{kind}/{id}");
            let known = by_kind.entry(kind).or_default();
            if READ_BYTES.contains(&json.len()) && known.len() < REQUESTS_MAX {
                known.push((target, json.len()));
            }
        }
        let mut tried = Vec::new();
        for person in 0..self.people.len() {
            for (kind, targets) in &by_kind {
                let mut all = Vec::new();
                for (target, upstream_bytes) in targets {
                    let Some((body, calls)) = self.ask(person, target)? else { continue };
                    let upstream_bytes = *upstream_bytes;
                    all.push(Tried { target: target.clone(), upstream_bytes, bytes: body.len(), calls });
                }
                // Those of the same kind of way, the more frequent one.
                let (plain, looked): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.calls == 1);
                tried.push((person, kind.clone(), plain));
                tried.push((person, kind.clone(), looked));
            }
        }
        Ok(tried)
    }

    /// Observations of a patient, a full page of them, for the first who gets such pages.
    fn searches(&self) -> Result<Asked> {
        for person in 0..self.people.len() {
            let mut all = Vec::new();
            for index in 0..self.hospital.options().patients {
                let target = format!("/fhir/Observation?patient={}&_count={PAGE}", Hospital::patient_id(index));
                let Some((body, calls)) = self.ask(person, &target)? else { break };
                if entries(&body) == PAGE {
                    let link = target.replacen("/fhir", EMBEDDED_BASE, 1);
                    let upstream_bytes = self.runtime.block_on(self.upstream.inner.page(&link))?.len();
                    all.push(Tried { target, upstream_bytes, bytes: body.len(), calls });
                }
                if all.len() == REQUESTS_MAX {
                    break;
                }
            }
            if all.len() >= REQUESTS_MIN {
                return self.asked(person, &format!("search of {PAGE} Observations"), all);
            }
        }
        anyhow::bail!("nobody gets a page of {PAGE} Observations")
    }

    /// Everything of the patient with the long record.
    fn everything(&self) -> Result<Asked> {
        let person = self.people.iter().position(|person| person.role == LONG_ROLE).context("nobody in the role")?;
        let target = format!("/fhir/Patient/{}/$everything", long_patient());
        let (body, calls) = self.ask(person, &target)?.context("the long record does not show")?;
        let upstream_bytes = prepared(&self.hospital, EMBEDDED_BASE).len();
        self.asked(person, "$everything", vec![Tried { target, upstream_bytes, bytes: body.len(), calls }])
    }

    fn asked(&self, person: usize, title: &str, all: Vec<Tried>) -> Result<Asked> {
        let who = self.people.get(person).context("nobody")?;
        Ok(Asked {
            title: format!("{title}, {} {}", who.role, who.purpose),
            role: who.role.clone(),
            upstream_bytes: average(&all, |one| one.upstream_bytes),
            bytes: average(&all, |one| one.bytes),
            calls: all.iter().map(|one| one.calls).max().unwrap_or(0),
            targets: all.into_iter().map(|one| one.target).collect(),
        })
    }
}

fn average(all: &[Tried], of: impl Fn(&Tried) -> usize) -> usize {
    all.iter().map(of).sum::<usize>() / all.len().max(1)
}

/// Entries of a Bundle.
fn entries(body: &[u8]) -> usize {
    let bundle: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    bundle.as_ref().and_then(|bundle| bundle.get("entry")?.as_array()).map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::{Chooser, Content};

    #[test]
    fn what_is_asked_is_of_the_size_that_the_table_says() {
        let asked = Chooser::new(super::PATIENTS, Content::Hospital).unwrap().choose().unwrap();
        let calls: Vec<bool> = asked.iter().map(|row| row.calls > 1).collect();
        assert!(calls.contains(&true) && asked.len() >= 2, "{calls:?}");
        for row in &asked {
            println!("{}: {} of {} bytes, {} calls", row.title, row.bytes, row.upstream_bytes, row.calls);
            assert!(row.title.starts_with("search") || super::READ_BYTES.contains(&row.upstream_bytes));
            assert!(row.bytes > 200 && row.targets.len() >= super::REQUESTS_MIN);
        }
    }
    #[test]
    fn everything_is_about_two_megabytes() {
        let long = Chooser::new(3, Content::LongRecord).unwrap().everything().unwrap();
        println!("{}: {} of {} bytes, {} calls", long.title, long.bytes, long.upstream_bytes, long.calls);
        let megabytes = 1_800_000..=2_600_000;
        assert!(megabytes.contains(&long.bytes) && megabytes.contains(&long.upstream_bytes));
        assert!(long.calls > 10);
    }
}
