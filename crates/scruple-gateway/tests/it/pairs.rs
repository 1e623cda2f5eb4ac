//! Non-interference, first form: pairs of stores that a caller cannot tell apart, the same requests of both, answers
//! compared byte by byte with each other and with a reference server that holds the caller's view alone.

use crate::support::{BASE, World, active, login, noon, token_key};
use scruple_core::{ConditionMask, View};
use scruple_pairs::{Behind, Caller};
use scruple_policy::Question;
use scruple_testkit::interfere::leaks::{Leak, Leaky};
use scruple_testkit::interfere::{Pairs, Plan, Report, Request, Response, Rules, Store, System, Systems, WorkTrace};

/// A gateway over a store, for one caller.
struct OverStore {
    world: World,
    token: String,
    behind: Behind,
}

impl OverStore {
    fn new(role: &str, purpose: &str, behind: &Behind) -> Self {
        let world = World::new(behind.upstream(&Store::new(), noon()).unwrap());
        let token = world.token(role, purpose);
        Self { world, token, behind: behind.clone() }
    }
}

impl System for OverStore {
    fn load(&mut self, store: &Store) {
        self.world.upstream.put(self.behind.upstream(store, noon()).unwrap());
    }

    fn ask(&mut self, request: &Request, seed: u64) -> Response {
        self.world.ask(request, Some(&self.token), seed)
    }

    fn work(&self) -> WorkTrace {
        WorkTrace::default()
    }
}

fn caller(role: &str, purpose: &str) -> Caller {
    Caller::new(&active(), role, purpose, noon(), token_key()).unwrap()
}

/// Runs pairs for a caller.
pub fn run(role: &str, purpose: &str, behind: &Behind, plan: &Plan, seed: u64) -> Report {
    let mut systems = [(); 3].map(|()| OverStore::new(role, purpose, behind));
    let [a, b, empty] = &mut systems;
    let pairs = behind.takes(Pairs::new(seed, noon()).unwrap());
    caller(role, purpose).judge(&mut Systems { a, b, empty }, &pairs, BASE, plan, seed)
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
    assert_held(&run("biller", "HPAYMT", &Behind::Raw, &plan(2_000), seed()), "biller");
}

#[test]
fn a_front_desk_cannot_tell_stores_apart() {
    assert_held(&run("front_desk", "PATADMIN", &Behind::Raw, &plan(2_000), seed() + 1), "front_desk");
}

#[test]
fn a_nurse_cannot_tell_stores_apart() {
    assert_held(&run("nurse", "TREAT", &Behind::Embedded, &plan(2_000), seed() + 2), "nurse");
}

#[test]
fn an_analyst_cannot_tell_stores_apart() {
    assert_held(&run("quality_analyst", "HQUALIMP", &Behind::Embedded, &plan(2_000), seed() + 3), "quality_analyst");
}

#[test]
fn a_coder_cannot_tell_stores_apart_before_an_unruly_server() {
    assert_held(&run("coder", "HPAYMT", &Behind::Unruly, &plan(1_500), seed() + 4), "coder");
}

/// Leaks put in on purpose, each found.
#[test]
fn five_leaks_put_in_on_purpose_are_found() {
    for leak in [Leak::Total, Leak::Order, Leak::Existence, Leak::Header, Leak::HiddenCriterion] {
        let mut systems = [(); 3].map(|()| Leaky::new(leak, OverStore::new("biller", "HPAYMT", &Behind::Raw), BASE));
        let [a, b, empty] = &mut systems;
        let pairs = Pairs::new(seed() + 5, noon()).unwrap();
        let plan = Plan { cases: 6_000, differences_max: 1, shrink_plays_max: 0, ..Plan::default() };
        let report = caller("biller", "HPAYMT").judge(&mut Systems { a, b, empty }, &pairs, BASE, &plan, seed() + 5);
        assert!(!report.differences.is_empty(), "{leak:?} was not found in {} cases", report.cases);
    }
}

/// The rules above know what they speak of.
#[test]
fn the_rules_of_the_harness_follow_the_policy() {
    let biller = caller("biller", "HPAYMT");
    let biller = biller.rules();
    assert_eq!(biller.permits("DocumentReference", None), Some(false));
    assert_eq!(biller.permits("Coverage", None), Some(true));
    assert_eq!(caller("physician", "TREAT").rules().permits("Condition", Some("code")), Some(true));
    let pack = &active().pack;
    let conditions = ConditionMask::NONE.with(pack.condition("relationship").unwrap());
    let question = Question { role: "biller".to_owned(), purpose: "HPAYMT".to_owned(), conditions };
    let table = active().decider.decide(&question).unwrap();
    assert_eq!(table.view(pack.category("documents").unwrap()), View::None);
    assert_eq!(login("biller"), "ben.bill");
}
