//! Non-interference, first form: pairs of stores that a caller cannot tell apart, the same requests of both, answers
//! compared byte by byte with each other and with a reference server that holds the caller's view alone.

use crate::support::{BASE, World, active, login, noon, practitioners, resolved, token_key};
use scruple_core::{ConditionMask, View};
use scruple_pairs::{Behind, Caller};
use scruple_policy::{Active, Question};
use scruple_testkit::interfere::leaks::{Leak, Leaky};
use scruple_testkit::interfere::{Pairs, Plan, Report, Request, Response, Rules, Store, System, Systems, WorkTrace};
use std::sync::Arc;

/// A gateway over a store, for one caller.
struct OverStore {
    world: World,
    token: String,
    behind: Behind,
}

impl OverStore {
    fn new(policy: &Arc<Active>, role: &str, purpose: &str, behind: &Behind) -> Self {
        let world = World::under(Arc::clone(policy), behind.upstream(&Store::new(), noon()).unwrap());
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

/// Runs pairs for a caller who is related to every patient.
pub fn run(role: &str, purpose: &str, behind: &Behind, plan: &Plan, seed: u64) -> Report {
    run_under(&active(), &caller(role, purpose), (role, purpose), behind, plan, seed)
}

/// The same for one whose relationships are looked up.
pub fn run_related(role: &str, purpose: &str, behind: &Behind, plan: &Plan, seed: u64) -> Report {
    let caller = Caller::resolved(&resolved(), role, purpose, noon(), token_key(), practitioners(login(role))).unwrap();
    run_under(&resolved(), &caller, (role, purpose), behind, plan, seed)
}

fn run_under(
    policy: &Arc<Active>,
    caller: &Caller,
    (role, purpose): (&str, &str),
    behind: &Behind,
    plan: &Plan,
    seed: u64,
) -> Report {
    let mut systems = [(); 3].map(|()| OverStore::new(policy, role, purpose, behind));
    let [a, b, empty] = &mut systems;
    let pairs = behind.takes(Pairs::new(seed, noon()).unwrap());
    caller.judge(&mut Systems { a, b, empty }, &pairs, BASE, plan, seed)
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
        "{role}: {} cases, {} pairs, mutations {:?}, refused {}, absent {}, answered {}, told {}, pages {}, versions {}, US Core {answered} of {permitted}",
        report.cases,
        report.pairs,
        report.mutations,
        report.refused,
        report.absent,
        report.answered,
        report.told,
        report.pages,
        report.versions
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

#[test]
fn a_nurse_cannot_tell_patients_of_others_from_none() {
    assert_held(&run_related("nurse", "TREAT", &Behind::Embedded, &plan(2_000), seed() + 6), "nurse, related");
}

#[test]
fn a_physician_cannot_tell_patients_of_others_from_none() {
    assert_held(&run_related("physician", "TREAT", &Behind::Unruly, &plan(2_000), seed() + 7), "physician, related");
}

#[test]
fn a_biller_who_is_nobody_in_the_record_system_sees_nobodys_records() {
    assert_held(&run_related("biller", "HPAYMT", &Behind::Raw, &plan(1_000), seed() + 8), "biller, related to nobody");
}

/// Who reads histories sees no more of what came before than of what is.
#[test]
fn a_privacy_officer_cannot_tell_pasts_apart() {
    for (number, behind) in [Behind::Raw, Behind::Embedded, Behind::Unruly].into_iter().enumerate() {
        let report = run("privacy_officer", "HCOMPL", &behind, &plan(2_000), seed() + 9 + number as u64);
        assert_held(&report, &format!("privacy_officer before {behind}"));
        assert!(report.versions > 40, "{behind}: {} versions", report.versions);
    }
}

#[test]
fn a_privacy_officer_without_a_case_has_the_histories_of_nobody() {
    let report = run_related("privacy_officer", "HCOMPL", &Behind::Embedded, &plan(1_000), seed() + 12);
    assert_held(&report, "privacy_officer, related to nobody");
    assert!(report.versions > 0, "what is nobody's has a history");
}

fn assert_found(leaks: &[Leak], role: &str, purpose: &str) {
    for leak in leaks {
        let mut systems =
            [(); 3].map(|()| Leaky::new(*leak, OverStore::new(&active(), role, purpose, &Behind::Raw), BASE));
        let [a, b, empty] = &mut systems;
        let pairs = Pairs::new(seed() + 5, noon()).unwrap();
        let plan = Plan { cases: 6_000, differences_max: 1, shrink_plays_max: 0, ..Plan::default() };
        let report = caller(role, purpose).judge(&mut Systems { a, b, empty }, &pairs, BASE, &plan, seed() + 5);
        assert!(!report.differences.is_empty(), "{leak:?} was not found in {} cases", report.cases);
    }
}

/// Leaks put in on purpose, each found.
#[test]
fn ten_leaks_put_in_on_purpose_are_found() {
    assert_found(&Leak::ALL, "biller", "HPAYMT");
}

#[test]
fn leaks_of_versions_put_in_on_purpose_are_found() {
    assert_found(&Leak::OF_VERSIONS, "privacy_officer", "HCOMPL");
}

/// The rules above know what they speak of.
#[test]
fn the_rules_of_the_harness_follow_the_policy() {
    let biller = caller("biller", "HPAYMT");
    let biller = biller.rules();
    assert_eq!(biller.permits("DocumentReference", None), Some(false));
    assert_eq!(biller.permits("Coverage", None), Some(true));
    assert_eq!(biller.permits_versions(), Some(false));
    assert_eq!(caller("privacy_officer", "HCOMPL").rules().permits_versions(), Some(true));
    assert_eq!(caller("physician", "TREAT").rules().permits("Condition", Some("code")), Some(true));
    let pack = &active().pack;
    let conditions = ConditionMask::NONE.with(pack.condition("relationship").unwrap());
    let question = Question { role: "biller".to_owned(), purpose: "HPAYMT".to_owned(), conditions };
    let table = active().decider.decide(&question).unwrap();
    assert_eq!(table.view(pack.category("documents").unwrap()), View::None);
    assert_eq!(login("biller"), "ben.bill");
}
