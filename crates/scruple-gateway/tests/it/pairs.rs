//! Non-interference, first form: pairs of stores that a caller cannot tell apart, the same requests of both, answers
//! compared byte by byte with each other and with a reference server that holds the caller's view alone.

use crate::support::{BASE, EMBEDDED_BASE, Embedded, Raw, World, active, login, noon, token_key};
use scruple_core::{ConditionMask, View};
use scruple_fhir::dictionary;
use scruple_hospital::upstream::Server;
use scruple_policy::{ElementRow, Pack, Question, TypeExplanation, explain_type};
use scruple_release::Upstream;
use scruple_testkit::interfere::leaks::{Leak, Leaky};
use scruple_testkit::interfere::{
    Harness, Misbehaviour, Pairs, Plan, RawServer, Report, Request, Response, Rules, Sight, Store, System, Systems,
    WorkTrace,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A gateway over a store, for one caller.
pub struct OverStore {
    world: World,
    token: String,
    upstream: fn(&Store) -> Arc<dyn Upstream>,
}

impl OverStore {
    pub fn new(role: &str, purpose: &str, upstream: fn(&Store) -> Arc<dyn Upstream>) -> Self {
        let world = World::new(upstream(&Store::new()));
        let token = world.token(role, purpose);
        Self { world, token, upstream }
    }
}

impl System for OverStore {
    fn load(&mut self, store: &Store) {
        self.world.upstream.put((self.upstream)(store));
    }

    fn ask(&mut self, request: &Request, seed: u64) -> Response {
        self.world.ask(request, Some(&self.token), seed)
    }

    fn work(&self) -> WorkTrace {
        WorkTrace::default()
    }
}

/// What the policy lets a caller do, told by the explanations that people read, and not by the gateway's own judgement.
struct Explained {
    pack: Arc<Pack>,
    question: Question,
    known: Mutex<HashMap<String, Arc<Vec<TypeExplanation>>>>,
}

impl Explained {
    fn of(&self, resource_type: &str) -> Arc<Vec<TypeExplanation>> {
        let mut known = self.known.lock().unwrap();
        let explained = known
            .entry(resource_type.to_owned())
            .or_insert_with(|| Arc::new(explain_type(&self.pack, &self.question, resource_type).unwrap_or_default()));
        Arc::clone(explained)
    }
}

impl Rules for Explained {
    fn permits(&self, resource_type: &str, parameter: Option<&str>) -> Option<bool> {
        let explained = self.of(resource_type);
        let shown: Vec<&TypeExplanation> = explained.iter().filter(|class| class.shows).collect();
        if shown.is_empty() {
            return Some(false);
        }
        let Some(code) = parameter else { return Some(true) };
        if code == "_id" {
            return Some(true);
        }
        let read = dictionary().search.iter().find(|known| known.base == resource_type && known.code == code)?;
        // A type that a mask of codes can narrow is left to the gateway: what is full here is not full under its labels.
        let full = |row: &&ElementRow, path: &str| row.view == "full" && row.path == path;
        let has = |class: &TypeExplanation, path: &str| class.rows.iter().any(|row| full(&row, path));
        let narrower = |class: &TypeExplanation, path: &str| {
            let below = [format!("{path}."), format!("{path}(")];
            class.rows.iter().any(|row| below.iter().any(|below| row.path.starts_with(below)))
        };
        let clean = shown.iter().all(|class| read.reads.iter().all(|path| has(class, path) && !narrower(class, path)));
        if clean && shown.iter().all(|class| class.rows.iter().all(|row| !row.view.starts_with("masked"))) {
            return Some(true);
        }
        None
    }
}

/// Runs pairs for a caller.
pub fn run(role: &str, purpose: &str, upstream: fn(&Store) -> Arc<dyn Upstream>, plan: &Plan, seed: u64) -> Report {
    let mut systems = [(); 3].map(|()| OverStore::new(role, purpose, upstream));
    let [a, b, empty] = &mut systems;
    judge(role, purpose, &mut Systems { a, b, empty }, plan, (seed, pairs(seed)))
}

/// The same before a server that mends what it is given: over well-formed resources.
pub fn run_well_formed(
    role: &str,
    purpose: &str,
    upstream: fn(&Store) -> Arc<dyn Upstream>,
    plan: &Plan,
    seed: u64,
) -> Report {
    let mut systems = [(); 3].map(|()| OverStore::new(role, purpose, upstream));
    let [a, b, empty] = &mut systems;
    judge(role, purpose, &mut Systems { a, b, empty }, plan, (seed, pairs(seed).well_formed()))
}

fn pairs(seed: u64) -> Pairs {
    Pairs::new(seed, noon()).unwrap()
}

fn judge(role: &str, purpose: &str, systems: &mut Systems<'_>, plan: &Plan, (seed, pairs): (u64, Pairs)) -> Report {
    let pack = Arc::clone(&active().pack);
    let relationship = ConditionMask::NONE.with(pack.condition("relationship").unwrap());
    let question = Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions: relationship };
    let table = active().decider.decide(&question).unwrap();
    let key = token_key();
    let sight = Sight::new(
        Arc::clone(&pack.annotation),
        table.as_ref().clone(),
        noon().civil_date(),
        Arc::new(move |kind, value| key.token(kind, value)),
    );
    let rules = Explained { pack, question, known: Mutex::default() };
    Harness { pairs: &pairs, sight: &sight, base: BASE, rules: &rules }.run(systems, plan, seed)
}

fn raw(store: &Store) -> Arc<dyn Upstream> {
    Arc::new(Raw(RawServer::new(store.clone())))
}

/// A server that does what it can to give too much.
fn unruly(store: &Store) -> Arc<dyn Upstream> {
    let wrong = Misbehaviour { ignores_criteria: true, adds_entries: true, oldest_first: true, short_pages: true };
    Arc::new(Raw(RawServer::new(store.clone()).misbehaving(wrong)))
}

pub fn embedded(store: &Store) -> Arc<dyn Upstream> {
    let resources = store.iter().map(|stored| (stored.resource_type.clone(), stored.id.clone(), stored.bytes.clone()));
    Arc::new(Embedded(Server::from_resources(resources, EMBEDDED_BASE)))
}

pub fn plan(cases: usize) -> Plan {
    let given = std::env::var("SCRUPLE_CASES").ok().and_then(|cases| cases.parse().ok());
    Plan { cases: given.unwrap_or(cases), ..Plan::default() }
}

pub fn seed() -> u64 {
    std::env::var("SCRUPLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_128)
}

/// Nothing is told apart, a good share is answered with something, and what US Core asks is answered.
pub fn assert_held(report: &Report, role: &str) {
    let differences: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{role}: {}", differences.join("\n\n"));
    let (permitted, answered) = report.us_core;
    println!(
        "{role}: {} cases, {} pairs, mutations {:?}, refused {}, absent {}, answered {}, told {}, pages {}, US Core {answered} of {permitted}",
        report.cases,
        report.pairs,
        report.mutations,
        report.refused,
        report.absent,
        report.answered,
        report.told,
        report.pages
    );
    assert!(report.mutations.1 > 0 && report.told > 0, "{role}: nothing was tried");
    assert!(answered * 100 >= permitted * 95, "{role}: US Core, {answered} of {permitted}");
}

#[test]
fn a_biller_cannot_tell_stores_apart() {
    assert_held(&run("biller", "HPAYMT", raw, &plan(2_000), seed()), "biller");
}

#[test]
fn a_front_desk_cannot_tell_stores_apart() {
    assert_held(&run("front_desk", "PATADMIN", raw, &plan(2_000), seed() + 1), "front_desk");
}

#[test]
fn a_nurse_cannot_tell_stores_apart() {
    assert_held(&run("nurse", "TREAT", embedded, &plan(2_000), seed() + 2), "nurse");
}

#[test]
fn an_analyst_cannot_tell_stores_apart() {
    assert_held(&run("quality_analyst", "HQUALIMP", embedded, &plan(2_000), seed() + 3), "quality_analyst");
}

#[test]
fn a_coder_cannot_tell_stores_apart_before_an_unruly_server() {
    assert_held(&run("coder", "HPAYMT", unruly, &plan(1_500), seed() + 4), "coder");
}

/// Leaks put in on purpose, each found.
#[test]
fn five_leaks_put_in_on_purpose_are_found() {
    for leak in [Leak::Total, Leak::Order, Leak::Existence, Leak::Header, Leak::HiddenCriterion] {
        let mut systems = [(); 3].map(|()| Leaky::new(leak, OverStore::new("biller", "HPAYMT", raw), BASE));
        let [a, b, empty] = &mut systems;
        let plan = Plan { cases: 6_000, differences_max: 1, shrink_plays_max: 0, ..Plan::default() };
        let report = judge("biller", "HPAYMT", &mut Systems { a, b, empty }, &plan, (seed() + 5, pairs(seed() + 5)));
        assert!(!report.differences.is_empty(), "{leak:?} was not found in {} cases", report.cases);
    }
}

/// The rules above know what they speak of.
#[test]
fn the_rules_of_the_harness_follow_the_policy() {
    let pack = Arc::clone(&active().pack);
    let relationship = ConditionMask::NONE.with(pack.condition("relationship").unwrap());
    let rules = |role: &str, purpose: &str| Explained {
        pack: Arc::clone(&pack),
        question: Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions: relationship },
        known: Mutex::default(),
    };
    let biller = rules("biller", "HPAYMT");
    assert_eq!(biller.permits("DocumentReference", None), Some(false));
    assert_eq!(biller.permits("Coverage", None), Some(true));
    assert_eq!(rules("physician", "TREAT").permits("Condition", Some("code")), Some(true));
    let documents = pack.category("documents").unwrap();
    let table = active().decider.decide(&biller.question).unwrap();
    assert_eq!(table.view(documents), View::None);
    assert_eq!(login("biller"), "ben.bill");
}
