//! A gateway under load for a long time, while everything around it goes wrong in turn: the FHIR server in each way that
//! the test kit knows, the disk of the ledger, the policy's files; and people leave. At the end its memory is what it was
//! near the beginning, every answer is the reference server's or a refusal that is listed, no release is without its record,
//! and who has left got nothing.
//!
//! Clients keep a pace of their own, so that a long run fits on a disk; how fast a gateway can be is the bench's matter.

use super::expected::{Expected, Judged, expected};
use super::{Client, PATIENTS, request, targets};
use crate::bench::processes::Memory;
use crate::long::crash::sha256;
use crate::long::run::{Limit, Report, Settings, progress};
use crate::node::{Command, Content, Fhir, NOON, Node, Order, Person, hospital, people};
use anyhow::{Context as _, Result, anyhow, bail};
use scruple_core::{Entry, EntryBody};
use scruple_hospital::upstream::{Request, Server};
use scruple_ledger::{FileSystem, Payload, VerifyOptions, entries, verify};
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer, Seen};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections in all.
const CLIENTS: usize = 128;
/// People who leave in the course of the run, each with one of them.
const LEAVERS: usize = 8;
/// Between an answer and the next request of a client.
const PACE: Duration = Duration::from_millis(50);
/// The same for those who will leave.
const LEAVERS_PACE: Duration = Duration::from_millis(80);
/// How long a fault lasts, and how often one begins.
const FAULT_TIME: Duration = Duration::from_secs(3);
const FAULT_EVERY: Duration = Duration::from_secs(8);
/// Milliseconds of a call to the FHIR server: a slow one must not take the whole window.
const CALL_MS: u64 = 800;
/// A run that is as long as this is measured from minute 5 on, a shorter one from a tenth of it; one that is shorter than
/// five minutes tells nothing of memory.
const WHOLE_RUN: Duration = Duration::from_secs(30 * 60);
const FIRST_MARK: Duration = Duration::from_secs(5 * 60);
/// Of a hundred bytes at the mark so many may be there at the end.
const MEMORY_PERCENT: u64 = 110;
/// Who has left gets nothing after this time.
const LEFT_WITHIN: Duration = Duration::from_secs(1);

/// Something that can be waited for.
#[derive(Default)]
struct Stop(Mutex<bool>, Condvar);

impl Stop {
    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.1.notify_all();
    }

    /// Waits; whether it is over.
    fn wait(&self, time: Duration) -> bool {
        let over = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = self.1.wait_timeout_while(over, time, |over| !*over).unwrap_or_else(PoisonError::into_inner);
        *over.0
    }
}

/// What one client saw.
#[derive(Default)]
struct Seenby {
    /// Of the answers with status 200 the request's id and the beginning of the body's hash.
    released: Vec<(u128, u64)>,
    /// Answers by status and code.
    answers: BTreeMap<(u16, String), u64>,
    /// Requests without a whole answer.
    broken: u64,
    /// Answers with status 200 to somebody who had left.
    after_leaving: u64,
    /// Answers that are neither the reference server's nor a refusal: outside of the time in which the FHIR server fails.
    different: u64,
    /// The same in that time, as absent: what it keeps from us, or gives so that it cannot be read, is as if there were none.
    absent: u64,
    /// The same, with less than the reference server's: what rests on it.
    narrower: u64,
    /// Refusals that are in no list.
    unlisted: u64,
    /// What was asked, of the first of these that is a finding.
    example: Option<String>,
}

/// How often a fault of the FHIR server began or ended: odd while there is one.
type Turns = Arc<AtomicU64>;

/// Runs it.
///
/// # Errors
/// The machine does not let it be tried, or the gateway ends by itself.
pub fn load(program: &Path, settings: &Settings) -> Result<Report> {
    match settings.limit {
        Limit::Minutes(minutes) => load_for(program, settings, Duration::from_secs(60 * minutes.max(1))),
        Limit::Cases(_) => bail!("load is limited by --minutes"),
    }
}

/// Runs it for so long.
///
/// # Errors
/// As [`load`].
pub fn load_for(program: &Path, settings: &Settings, time: Duration) -> Result<Report> {
    let dir = tempfile::tempdir()?;
    let fhir = Fhir::start(program, None, PATIENTS)?;
    let mut people = people();
    let stayers = people.len();
    people.extend((0..LEAVERS).map(|number| Person {
        login: format!("leaver.{number}"),
        role: "nurse".to_owned(),
        purpose: "TREAT".to_owned(),
        practitioners: Vec::new(),
    }));
    let order = Order {
        dir: dir.path().to_owned(),
        upstream: fhir.url(),
        people: people.clone(),
        call_ms: CALL_MS,
        resolved: false,
        bucket: false,
    };
    let asked: Vec<(&Person, Vec<String>)> = people.iter().map(|person| (person, targets(person))).collect();
    let expected = expected(&asked, PATIENTS)?;
    let mut node = Node::start(program, None, &order)?;
    let (stop, turns) = (Arc::new(Stop::default()), Turns::default());
    let left: Vec<Arc<OnceLock<Instant>>> = people.iter().map(|_| Arc::default()).collect();
    let mut clients = Vec::new();
    for (number, (((_, targets), expected), (token, left))) in
        asked.iter().zip(expected).zip(node.tokens.iter().zip(&left)).enumerate()
    {
        let asks: Vec<Ask> =
            targets.iter().zip(expected).map(|(target, expected)| Ask::new(target, token, expected)).collect();
        let asks = Arc::new(asks);
        let (count, pace) = if number < stayers { ((CLIENTS - LEAVERS) / stayers, PACE) } else { (1, LEAVERS_PACE) };
        for client in 0..count {
            let first = client * asks.len() / count.max(1);
            let around = Around { left: Arc::clone(left), stop: Arc::clone(&stop), turns: Arc::clone(&turns) };
            clients.push(ask(node.address, Arc::clone(&asks), first, pace, around));
        }
    }
    let leavers = people.iter().zip(&left).skip(stayers).map(|(person, left)| (person.login.clone(), Arc::clone(left)));
    let script = Script { fhir: &fhir, leavers: leavers.collect(), server: served(), turns, quiet: settings.progress };
    let watched = script.run(&mut node, time, settings.seed);
    stop.set();
    let mut seen = Vec::new();
    for client in clients {
        seen.push(client.join().map_err(|_| anyhow!("a client fails"))?);
    }
    let watched = watched?;
    node.stop()?;
    judge(&order, seen, &watched)
}

/// One request, and what must be got to it.
struct Ask {
    target: String,
    request: Vec<u8>,
    expected: Expected,
}

impl Ask {
    fn new(target: &str, token: &str, expected: Expected) -> Self {
        Self { target: target.to_owned(), request: request(target, token), expected }
    }
}

/// What a client knows of what goes on.
struct Around {
    left: Arc<OnceLock<Instant>>,
    stop: Arc<Stop>,
    turns: Turns,
}

/// A client, that begins with this request.
fn ask(server: SocketAddr, asks: Arc<Vec<Ask>>, first: usize, pace: Duration, around: Around) -> JoinHandle<Seenby> {
    std::thread::spawn(move || {
        let Around { left, stop, turns } = around;
        let mut client = Client::new(server);
        let mut seen = Seenby::default();
        for ask in asks.iter().cycle().skip(first) {
            let (begun, turn) = (Instant::now(), turns.load(Ordering::SeqCst));
            match client.ask(&ask.request) {
                Ok(got) => {
                    let code = if got.status == 200 { String::new() } else { code(&got.body) };
                    let is_quiet = turn.is_multiple_of(2) && turn == turns.load(Ordering::SeqCst);
                    let counted = match ask.expected.judge(got.status, &code, &got.body) {
                        Judged::Equal | Judged::Refused => None,
                        Judged::Different if !is_quiet => {
                            *(if got.status == 404 { &mut seen.absent } else { &mut seen.narrower }) += 1;
                            None
                        }
                        Judged::Different => Some(&mut seen.different),
                        Judged::Unlisted => Some(&mut seen.unlisted),
                    };
                    if let Some(counted) = counted {
                        *counted += 1;
                        let said = || format!("{}: {} {code}, {} expected", ask.target, got.status, ask.expected);
                        seen.example.get_or_insert_with(said);
                    }
                    *seen.answers.entry((got.status, code)).or_default() += 1;
                    if got.status == 200 {
                        seen.after_leaving += u64::from(left.get().is_some_and(|at| begun > *at + LEFT_WITHIN));
                        seen.released.push((id(&got.request_id), beginning(&sha256(&got.body))));
                    }
                }
                Err(_) => seen.broken += 1,
            }
            if stop.wait(pace) {
                break;
            }
        }
        seen
    })
}

/// The code in an OperationOutcome.
fn code(body: &[u8]) -> String {
    let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let code = value.as_ref().and_then(|value| value.pointer("/issue/0/details/coding/0/code")?.as_str());
    code.unwrap_or("none").to_owned()
}

/// An id as a number; 0 if it is none.
fn id(text: &str) -> u128 {
    u128::from_str_radix(&text.replace('-', ""), 16).unwrap_or(0)
}

/// The first 64 bits of a hash in hexadecimal.
pub(super) fn beginning(hash: &str) -> u64 {
    hash.get(..16).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
}

/// The FHIR server that faults happen to, in this process.
fn served() -> Arc<Mutex<Server>> {
    let hospital = hospital(PATIENTS);
    let held = Content::Hospital.resources(&hospital);
    Arc::new(Mutex::new(Server::from_resources(held, "http://faulty.invalid/fhir")))
}

fn answer(server: &Mutex<Server>, seen: &Seen) -> Answer {
    let (path, query) = match seen.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (seen.target.as_str(), None),
    };
    let response = server.lock().unwrap_or_else(PoisonError::into_inner).respond(&Request {
        method: &seen.method,
        path: path.strip_prefix("/fhir").unwrap_or("/"),
        query,
        content_type: seen.header("content-type"),
        accept: seen.header("accept"),
        body: &seen.body,
        now: NOON,
    });
    Answer::json(response.body).with_status(response.status)
}

/// What goes wrong, in turn.
struct Script<'a> {
    fhir: &'a Fhir,
    leavers: Vec<(String, Arc<OnceLock<Instant>>)>,
    server: Arc<Mutex<Server>>,
    turns: Turns,
    quiet: bool,
}

/// What was watched from outside.
struct Watched {
    /// Resident bytes, each second.
    memory: Vec<u64>,
    /// The second from which on it must not grow, and how many seconds are taken around it and at the end.
    mark: usize,
    window: usize,
    faults: usize,
    leavers: usize,
    full_disks: u64,
}

/// What is under way.
enum Fire {
    Nothing,
    Upstream(FaultServer),
    /// The faulty server is gone, and nobody is there.
    Nobody,
    Disk,
}

impl Script<'_> {
    fn run(&self, node: &mut Node, time: Duration, seed: u64) -> Result<Watched> {
        let seconds = usize::try_from(time.as_secs())?;
        let mark = if time >= WHOLE_RUN { usize::try_from(FIRST_MARK.as_secs())? } else { (seconds / 10).max(2) };
        // Long enough for what comes and goes: an allocator gives back when it likes.
        let window = (seconds / 30).clamp(1, 60);
        let mut watched = Watched { memory: Vec::new(), mark, window, faults: 0, leavers: 0, full_disks: 0 };
        let (begun, tick) = (Instant::now(), Stop::default());
        let (mut fire, mut until, mut next, mut turn) = (Fire::Nothing, begun, begun + FAULT_TIME, 0_usize);
        let first = usize::try_from(seed % 1_000)?;
        while watched.memory.len() < seconds {
            let due = begun + Duration::from_secs(watched.memory.len() as u64 + 1);
            tick.wait(due.saturating_duration_since(Instant::now()));
            watched.memory.push(Memory::of(node.id()).context("the gateway is gone")?.resident);
            if Instant::now() >= until {
                fire = self.put_out(fire, node)?;
                until = Instant::now() + Duration::from_secs(1);
            }
            let at = watched.memory.len();
            let is_quiet = at.abs_diff(mark) <= window + 3 || at + 2 * window + 8 >= seconds;
            if matches!(fire, Fire::Nothing) && !is_quiet && Instant::now() >= next {
                fire = self.light(turn, first, node, &mut watched)?;
                (until, turn) = (Instant::now() + FAULT_TIME, turn + 1);
                next = Instant::now() + FAULT_EVERY.min(time / 20).max(FAULT_TIME);
            }
            if self.quiet && at.is_multiple_of(30) {
                let now = watched.memory.last().copied().unwrap_or(0) as f64 / 1e6;
                progress(&format!("load: {at} of {seconds} s, {now:.1} MB resident, {} faults", watched.faults));
            }
        }
        Ok(watched)
    }

    /// Lets something happen.
    fn light(&self, turn: usize, first: usize, node: &mut Node, watched: &mut Watched) -> Result<Fire> {
        watched.faults += 1;
        match turn % 6 {
            0 | 3 => {
                // 5 and the number of faults have nothing in common, so that each has its turn.
                let fault = Fault::ALL.get((first + turn / 3 * 5) % Fault::ALL.len()).copied();
                let server = Arc::clone(&self.server);
                let faulty = FaultServer::start(move |seen| answer(&server, seen))?;
                self.server.lock().unwrap_or_else(PoisonError::into_inner).set_base(&faulty.url("/fhir"));
                faulty.always(fault);
                self.turns.fetch_add(1, Ordering::SeqCst);
                node.tell(&Command::Upstream { url: faulty.url("/fhir") })?;
                return Ok(Fire::Upstream(faulty));
            }
            1 => {
                node.tell(&Command::Disk { full: true })?;
                watched.full_disks += 1;
                return Ok(Fire::Disk);
            }
            2 => node.tell(&Command::Policy { good: true })?,
            4 => node.tell(&Command::Policy { good: false })?,
            _ => {
                if let Some((login, left)) = self.leavers.get(watched.leavers) {
                    node.tell(&Command::Revoke { login: login.clone() })?;
                    let _ = left.set(Instant::now());
                    watched.leavers += 1;
                }
            }
        }
        Ok(Fire::Nothing)
    }

    fn put_out(&self, fire: Fire, node: &mut Node) -> Result<Fire> {
        match fire {
            Fire::Nothing => {}
            Fire::Upstream(faulty) => {
                drop(faulty);
                return Ok(Fire::Nobody);
            }
            Fire::Nobody => {
                node.tell(&Command::Upstream { url: self.fhir.url() })?;
                self.turns.fetch_add(1, Ordering::SeqCst);
            }
            Fire::Disk => node.tell(&Command::Disk { full: false })?,
        }
        Ok(Fire::Nothing)
    }
}

impl Watched {
    fn median(&self, from: usize, to: usize) -> u64 {
        let mut some = self.memory.get(from..to.min(self.memory.len())).unwrap_or_default().to_vec();
        some.sort_unstable();
        some.get(some.len() / 2).copied().unwrap_or(0)
    }

    fn at_the_mark(&self) -> u64 {
        self.median(self.mark.saturating_sub(self.window), self.mark + self.window)
    }

    fn at_the_end(&self) -> u64 {
        self.median(self.memory.len().saturating_sub(2 * self.window), self.memory.len())
    }
}

/// Everything that must hold in the end.
fn judge(order: &Order, seen: Vec<Seenby>, watched: &Watched) -> Result<Report> {
    let mut report = Report::default();
    let mut find = |what: String| {
        report.findings += 1;
        report.details.push(what);
    };
    let (mut answers, mut released) = (BTreeMap::<(u16, String), u64>::new(), Vec::new());
    let (mut broken, mut after_leaving, mut different, mut unlisted) = (0, 0, 0, 0);
    let (mut absent, mut narrower) = (0, 0);
    let mut example = None;
    for one in seen {
        one.answers.into_iter().for_each(|(which, count)| *answers.entry(which).or_default() += count);
        released.extend(one.released);
        broken += one.broken;
        after_leaving += one.after_leaving;
        different += one.different;
        absent += one.absent;
        narrower += one.narrower;
        unlisted += one.unlisted;
        example = example.or(one.example);
    }
    let total: u64 = answers.values().sum();
    let list: Vec<String> = answers.iter().map(|((status, code), count)| format!("{status} {code}: {count}")).collect();
    let (mark, end) = (watched.at_the_mark(), watched.at_the_end());
    progress(&format!(
        "load: {total} answers ({}), {broken} broken; while the FHIR server failed {absent} absent and {narrower} with less; {} faults; {:.1} MB resident at the mark, {:.1} MB at the end",
        list.join(", "),
        watched.faults,
        mark as f64 / 1e6,
        end as f64 / 1e6
    ));
    if watched.memory.len() as u64 >= FIRST_MARK.as_secs() && end * 100 > mark * MEMORY_PERCENT {
        find(format!("memory grew from {mark} to {end} bytes"));
    }
    if different + unlisted > 0 {
        let example = example.unwrap_or_default();
        find(format!(
            "{different} answers are not the reference server's, {unlisted} refusals are in no list; {example}"
        ));
    }
    if broken > 0 {
        find(format!("{broken} requests had no whole answer"));
    }
    if after_leaving > 0 {
        find(format!("{after_leaving} answers to people who had left"));
    }
    let counted = |status: u16, code: &str| answers.get(&(status, code.to_owned())).copied().unwrap_or(0);
    if watched.leavers > 0 && counted(403, "role_not_selected") == 0 {
        find("nobody who had left was refused".to_owned());
    }
    // Faults are answered quickly, so that they are many.
    if counted(200, "") * 4 < total {
        find("less than a quarter of the answers hold something: the load shows little".to_owned());
    }
    let (read, missing, other) = recorded(order, &mut released)?;
    if missing + other > 0 {
        find(format!("{missing} releases have no record, {other} one of other bytes"));
    }
    if watched.full_disks > 0 {
        let (unrecorded, merged) = (counted(503, "ledger_unavailable"), read.merged);
        if unrecorded == 0 || merged == 0 {
            find(format!("a full disk showed little: {unrecorded} refused, {merged} merges"));
        }
        if read.refused != unrecorded {
            find(format!("{unrecorded} were refused while the disk was full, {} are recorded", read.refused));
        }
    }
    let verified = verify(&order.ledger(), VerifyOptions::default())?;
    if !verified.is_good() {
        find(format!("does not verify: {verified}"));
    }
    report.cases = total;
    Ok(report)
}

/// What the ledger says beside the releases.
#[derive(Default)]
struct Told {
    merged: u64,
    refused: u64,
}

/// Looks for the record of each release; how many have none, and how many one of other bytes.
fn recorded(order: &Order, released: &mut [(u128, u64)]) -> Result<(Told, usize, usize)> {
    released.sort_unstable();
    let mut found = vec![false; released.len()];
    let (mut told, mut other) = (Told::default(), 0);
    for entry in entries(&order.ledger(), Arc::new(FileSystem), None, 0)? {
        let Payload::Open(bytes) = entry?.payload else { bail!("an entry does not open") };
        let (request, hash) = match Entry::from_bytes(&bytes)?.body {
            EntryBody::Release { request, sha256, .. } => (request, Some(beginning(&sha256))),
            EntryBody::ReleaseOpen { request, .. } => (request, None),
            EntryBody::Notice { code, facts } => {
                told.merged += u64::from(code == "merged");
                if code == "refused" {
                    told.refused += facts.values().filter_map(|count| count.parse::<u64>().ok()).sum::<u64>();
                }
                continue;
            }
            _ => continue,
        };
        let Some(id) = request.and_then(|request| request.request_id).map(|text| id(&text)) else { continue };
        let Ok(at) = released.binary_search_by_key(&id, |(id, _)| *id) else { continue };
        if let (Some(found), Some((_, expected))) = (found.get_mut(at), released.get(at)) {
            other += usize::from(!*found && hash.is_some_and(|hash| hash != *expected));
            *found = true;
        }
    }
    Ok((told, found.iter().filter(|found| !**found).count(), other))
}

#[cfg(test)]
mod tests {
    use super::{Watched, beginning, code, id};

    #[test]
    fn memory_is_taken_around_the_mark_and_at_the_end() {
        let memory = (0..100).map(|second| if second < 50 { 10 } else { 20 }).collect();
        let watched = Watched { memory, mark: 10, window: 3, faults: 0, leavers: 0, full_disks: 0 };
        assert_eq!((watched.at_the_mark(), watched.at_the_end()), (10, 20));
    }

    #[test]
    fn ids_hashes_and_codes_are_read() {
        assert_eq!(id("00000000-0000-0000-0000-0000000000ff"), 255);
        assert_eq!(id("none"), 0);
        assert_eq!(beginning(&format!("{}{}", "0".repeat(15), "a".repeat(49))), 10);
        assert_eq!(code(br#"{"issue":[{"details":{"coding":[{"code":"x"}]}}]}"#), "x");
        assert_eq!(code(b"<html>"), "none");
    }
}
