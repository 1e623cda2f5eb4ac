//! The harness over the toy system: nothing without a leak, and each leak found.

use super::*;
use crate::interfere::{Harness, Pairs, Plan, Report, Rules, Sight, Systems, Toy};
use scruple_core::{ConditionMask, Timestamp};
use scruple_policy::{Pack, PackFiles, Question, read, table};
use std::sync::{Arc, LazyLock};

const BASE: &str = "https://gateway.example/fhir";

static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());
static PAIRS: LazyLock<Pairs> =
    LazyLock::new(|| Pairs::new(7, Timestamp::parse("2026-03-01T15:00:00Z").unwrap()).unwrap());

pub fn sight(role: &str, purpose: &str) -> Sight {
    let relationship = PACK.condition("relationship").unwrap();
    let conditions = ConditionMask::NONE.with(relationship);
    let question = Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions };
    let table = table(&PACK, &question).unwrap();
    let pseudonyms = |kind: &str, value: &str| format!("{:032x}", kind.len() * 31 + value.len());
    Sight::new(Arc::clone(&PACK.annotation), table, (2026, 3, 1), Arc::new(pseudonyms))
}

/// The toy answers everything.
struct All;

impl Rules for All {
    fn permits(&self, _: &str, _: Option<&str>) -> Option<bool> {
        Some(true)
    }
}

fn run(role: (&str, &str), leak: Option<Leak>, plan: &Plan, seed: u64) -> Report {
    let sight = sight(role.0, role.1);
    let harness = Harness { pairs: &PAIRS, sight: &sight, base: BASE, rules: &All };
    let toy = || Toy::new(&sight, BASE);
    match leak {
        Some(leak) => {
            let leaky = || Leaky::new(leak, toy(), BASE);
            let (mut a, mut b, mut empty) = (leaky(), leaky(), leaky());
            harness.run(&mut Systems { a: &mut a, b: &mut b, empty: &mut empty }, plan, seed)
        }
        None => {
            let (mut a, mut b, mut empty) = (toy(), toy(), toy());
            harness.run(&mut Systems { a: &mut a, b: &mut b, empty: &mut empty }, plan, seed)
        }
    }
}

const ROLES: [(&str, &str); 5] = [
    ("biller", "HPAYMT"),
    ("front_desk", "PATADMIN"),
    ("nurse", "TREAT"),
    ("quality_analyst", "HQUALIMP"),
    ("researcher", "HRESCH"),
];

#[test]
fn a_system_that_is_right_shows_no_difference() {
    for (number, role) in ROLES.into_iter().enumerate() {
        let plan = Plan { cases: 1_200, ..Plan::default() };
        let report = run(role, None, &plan, number as u64);
        let told: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{role:?}\n{}", told.join("\n\n"));
        assert!(report.cases >= 1_200);
        let (tried, kept) = report.mutations;
        assert!(kept * 3 > tried, "{role:?}: {kept} of {tried} mutations kept");
        assert!(report.answered * 3 > report.cases, "{role:?}: {report:?}");
        assert!(report.told * 6 > report.cases, "{role:?}: {} of {} answers hold something", report.told, report.cases);
        assert!(report.absent * 50 > report.cases && report.refused * 10 > report.cases, "{role:?}: {report:?}");
        assert!(report.pages > 20, "{role:?}: {} pages", report.pages);
        assert!(report.us_core.0 > 50 && report.us_core.0 == report.us_core.1, "{role:?}: {:?}", report.us_core);
    }
}

#[test]
fn each_leak_is_found_and_made_small() {
    for leak in Leak::ALL {
        let plan = Plan { cases: 3_000, differences_max: 1, us_core_every: 0, ..Plan::default() };
        let report = run(("biller", "HPAYMT"), Some(leak), &plan, 42);
        let found = report.differences.first().unwrap_or_else(|| panic!("{leak:?} not found in {} cases", report.cases));
        assert!(found.case.steps.len() <= 2, "{leak:?}: {found}");
        assert!(found.case.a.len() <= 6, "{leak:?}: {} resources\n{found}", found.case.a.len());
        assert!(found.case.mutations.len() <= 2, "{leak:?}: {found}");
    }
}
