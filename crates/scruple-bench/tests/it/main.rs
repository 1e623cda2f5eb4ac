//! The long runs with a few cases each, and every file of their corpora and regressions.

#![expect(clippy::unwrap_used, reason = "a test that finds something else fails loudly")]

use scruple_bench::long::crash::LedgerCrash;
use scruple_bench::long::grammar::FuzzGrammar;
use scruple_bench::long::http::crash::HttpCrash;
use scruple_bench::long::http::kill::http_kill;
use scruple_bench::long::http::load::load_for;
use scruple_bench::long::kill::ledger_kill;
use scruple_bench::long::ledger::FuzzLedger;
use scruple_bench::long::pack::FuzzPack;
use scruple_bench::long::page::FuzzPage;
use scruple_bench::long::pairs::pairs;
use scruple_bench::long::projector::FuzzProjector;
use scruple_bench::long::simulate::Simulate;
use scruple_bench::long::{Fuzz, Limit, Report, Settings, fuzz, replay};
use scruple_bench::workspace;
use scruple_pairs::Behind;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

fn settings(cases: u64) -> Settings {
    let threads = NonZeroUsize::new(2).unwrap();
    Settings { seed: 1, limit: Limit::Cases(cases), threads, regressions: None, progress: false }
}

fn nothing_is_found(report: &Report, cases: u64) {
    assert_eq!((report.cases, report.findings), (cases, 0), "{:#?}", report.details);
}

fn run(target: &dyn Fuzz, cases: u64) {
    nothing_is_found(&fuzz(target, &settings(cases)).unwrap(), cases);
}

fn replays(target: &dyn Fuzz, at_least: usize) {
    let (count, failures) = replay(target, &workspace::fuzz_folder()).unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(count >= at_least, "{count} files");
}

#[test]
fn the_projector_withstands_hostile_bytes() {
    let target = FuzzProjector::new(&workspace::fuzz_folder()).unwrap();
    replays(&target, 20);
    run(&target, 30);
}

#[test]
fn the_pack_reader_withstands_hostile_files() {
    let target = FuzzPack::new().unwrap();
    replays(&target, 3);
    run(&target, 20);
}

#[test]
fn the_grammar_withstands_hostile_requests() {
    let target = FuzzGrammar::new();
    replays(&target, 1);
    run(&target, 3_000);
}

#[test]
fn no_page_token_but_a_callers_own_opens_anything() {
    let target = FuzzPage::new().unwrap();
    replays(&target, 1);
    run(&target, 300);
}

#[test]
fn the_ledger_readers_withstand_damaged_folders_and_hostile_bytes() {
    let target = FuzzLedger::new().unwrap();
    replays(&target, 5);
    run(&target, 300);
}

#[test]
fn what_is_acknowledged_or_released_survives_power_cuts() {
    let target = LedgerCrash::new().unwrap();
    replays(&target, 2);
    run(&target, 2);
}

#[test]
fn what_came_out_of_a_killed_filter_is_recorded() {
    let report = ledger_kill(&workspace::scruple().unwrap(), &settings(3)).unwrap();
    nothing_is_found(&report, 3);
}

#[test]
fn what_a_killed_gateway_answered_is_recorded() {
    let report = http_kill(Path::new(env!("CARGO_BIN_EXE_long")), &settings(3)).unwrap();
    nothing_is_found(&report, 3);
}

/// Too short for its memory to tell anything; a debug build needs the time until a fault of each kind was there.
#[test]
fn under_load_with_faults_every_answer_is_the_reference_servers_or_a_listed_refusal() {
    let time = Duration::from_secs(24);
    let report = load_for(Path::new(env!("CARGO_BIN_EXE_long")), &settings(1), time).unwrap();
    assert_eq!(report.findings, 0, "{:#?}", report.details);
    assert!(report.cases > 500, "{} answers", report.cases);
}

#[test]
fn what_a_gateway_answered_survives_power_cuts() {
    run(&HttpCrash::new().unwrap(), 6);
}

#[test]
fn organisations_keep_every_invariant_at_length() {
    let target = Simulate::new().unwrap();
    replays(&target, 0);
    run(&target, 6);
}

#[test]
fn callers_cannot_tell_stores_apart_at_length() {
    let report = pairs(&Behind::all(), &settings(4)).unwrap();
    assert_eq!(report.findings, 0, "{:#?}", report.details);
    assert!(report.cases >= 4, "{} cases", report.cases);
}
