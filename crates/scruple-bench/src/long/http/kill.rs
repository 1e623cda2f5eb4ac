//! SIGKILL of a gateway under load: every answer that a client got whole has its record.
//!
//! One folder takes all the runs. After each kill the ledger is read as it lies there, before the next start repairs what a
//! write that was cut short left behind; in the end everything must verify.

use super::{Client, Got, PATIENTS, Records, request, targets};
use crate::long::Draw;
use crate::long::run::{Counter, Report, Settings, case_rng, keep, progress};
use crate::node::{Fhir, Node, Order, Person, people};
use anyhow::{Context as _, Result, anyhow, ensure};
use scruple_ledger::{FileSystem, FindingKind, VerifyOptions, verify};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Clients of each person.
const CLIENTS_EACH: usize = 2;
/// The longest time from the first answer to the kill.
const UNTIL_KILL_MICROS: usize = 1_200_000;
/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(60);
/// Milliseconds of a call to the FHIR server.
const CALL_MS: u64 = 10_000;

/// Kills the gateway of `program` under load, so many times.
///
/// # Errors
/// The machine does not let it be tried: no program, no disk, no port.
pub fn http_kill(program: &Path, settings: &Settings) -> Result<Report> {
    let dir = tempfile::tempdir()?;
    let fhir = Fhir::start(program, None, PATIENTS)?;
    let order = Order {
        dir: dir.path().to_owned(),
        upstream: fhir.url(),
        people: people(),
        call_ms: CALL_MS,
        resolved: false,
        bucket: false,
    };
    let counter = Counter::new(settings.limit);
    let mut report = Report::default();
    let mut next = 0;
    let mut answers: Vec<String> = Vec::new();
    let mut in_flight = 0;
    while let Some(number) = counter.take() {
        let mut rng = case_rng(settings.seed, number);
        let after = Duration::from_micros(Draw(&mut rng).below(UNTIL_KILL_MICROS) as u64);
        let mut node = Node::start(program, None, &order).with_context(|| format!("the start of case {number}"))?;
        let run = run(&mut node, &order.people, after)?;
        in_flight += run.broken;
        match judge(&order, &run.got, next) {
            Ok(records) => next = records.next(),
            Err(error) => {
                report.findings += 1;
                let case = format!("seed {}, case {number}\n", settings.seed);
                let kept = keep(settings.regressions.as_deref(), "http-kill", case.as_bytes())?;
                report.details.push(format!("{error:#}; {kept}"));
                // A broken ledger tells nothing more.
                break;
            }
        }
        if settings.progress {
            let count = run.got.len();
            progress(&format!("http-kill: case {number}, {count} answers, {} requests in the middle", run.broken));
        }
        answers.extend(run.got.into_iter().filter(|got| !super::is_unrecorded(got)).map(|got| got.request_id));
    }
    report.cases = counter.taken();
    if report.findings == 0
        && let Err(error) = at_the_end(program, &order, &answers)
    {
        report.findings += 1;
        report.details.push(format!("{error:#}"));
    }
    if report.findings == 0 && (in_flight < report.cases || (answers.len() as u64) < report.cases) {
        report.findings += 1;
        let count = answers.len();
        report.details.push(format!("{in_flight} requests were cut and {count} answers came: the kills show little"));
    }
    Ok(report)
}

/// What the clients saw.
struct Run {
    got: Vec<Got>,
    /// Requests that were sent and not answered in full.
    broken: u64,
}

/// Asks from all sides until the gateway is killed, so long after the first answer.
fn run(node: &mut Node, people: &[Person], after: Duration) -> Result<Run> {
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, answers) = channel();
    let mut clients = Vec::new();
    for (person, token) in people.iter().zip(&node.tokens) {
        let requests: Vec<Vec<u8>> = targets(person).iter().map(|target| request(target, token)).collect();
        for client in 0..CLIENTS_EACH {
            let mut requests = requests.clone();
            let first = client * requests.len() / CLIENTS_EACH;
            requests.rotate_left(first);
            clients.push(ask(node.address, requests, sender.clone(), Arc::clone(&stop)));
        }
    }
    drop(sender);
    let first = answers.recv_timeout(FIRST_ANSWER).context("no answer comes")?;
    let mut got = vec![first];
    let at = Instant::now() + after;
    loop {
        match answers.recv_timeout(at.saturating_duration_since(Instant::now())) {
            Ok(one) => got.push(one),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the gateway ends by itself")),
        }
    }
    node.kill()?;
    stop.store(true, Ordering::SeqCst);
    got.extend(answers);
    let mut broken = 0;
    for client in clients {
        broken += client.join().map_err(|_| anyhow!("a client fails"))?;
    }
    Ok(Run { got, broken })
}

/// A client: its answers go to the sender; in the end whether its last request was left without an answer.
fn ask(server: SocketAddr, requests: Vec<Vec<u8>>, sender: Sender<Got>, stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut client = Client::new(server);
        for request in requests.iter().cycle() {
            match client.ask(request) {
                Ok(got) => drop(sender.send(got)),
                Err(_) => return 1,
            }
            if stop.load(Ordering::SeqCst) {
                break;
            }
        }
        0
    })
}

/// Everything that must hold after a kill.
fn judge(order: &Order, got: &[Got], from: u64) -> Result<Records> {
    let ledger = order.ledger();
    let report = verify(&ledger, VerifyOptions::default())?;
    let other = report.findings.iter().find(|finding| finding.kind != FindingKind::Torn);
    ensure!(other.is_none(), "after the kill: {}", other.map(ToString::to_string).unwrap_or_default());
    let records = Records::read(&ledger, Arc::new(FileSystem), from).map_err(|what| anyhow!(what))?;
    for one in got {
        records.cover(one).map_err(|what| anyhow!(what))?;
    }
    Ok(records)
}

/// A last start and an orderly end: it verifies, and nothing that was there is gone.
fn at_the_end(program: &Path, order: &Order, answers: &[String]) -> Result<()> {
    Node::start(program, None, order)?.stop()?;
    let report = verify(&order.ledger(), VerifyOptions::default())?;
    ensure!(report.is_good(), "in the end: {report}");
    let records = Records::read(&order.ledger(), Arc::new(FileSystem), 0).map_err(|what| anyhow!(what))?;
    let lost = answers.iter().filter(|id| !records.has(id)).count();
    ensure!(lost == 0, "{lost} records are gone in the end");
    Ok(())
}
