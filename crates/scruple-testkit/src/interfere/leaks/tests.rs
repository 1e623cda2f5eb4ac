//! The harness over the toy system: nothing without a leak, and each leak found.

use super::*;
use crate::interfere::world::{BASE, OFFICER, PAIRS, ROLES, sight};
use crate::interfere::{Harness, Plan, Report, Rules, Systems, Toy};

/// The toy answers everything.
struct All;

impl Rules for All {
    fn permits(&self, _: &str, _: Option<&str>) -> Option<bool> {
        Some(true)
    }
}

fn run(role: (&str, &str), leak: Option<Leak>, plan: &Plan, seed: u64) -> Report {
    let sight = sight(role);
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

#[test]
fn a_system_that_is_right_shows_no_difference() {
    for (number, role) in ROLES.into_iter().chain([OFFICER]).enumerate() {
        let started = std::time::Instant::now();
        let plan = Plan { cases: 1_200, ..Plan::default() };
        let report = run(role, None, &plan, number as u64);
        println!("{role:?} {:?} {:?}", started.elapsed(), Report { differences: Vec::new(), ..report.clone() });
        let told: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{role:?}\n{}", told.join("\n\n"));
        assert!(report.cases >= 1_200);
        let (tried, kept) = report.mutations;
        assert!(kept * 3 > tried, "{role:?}: {kept} of {tried} mutations kept");
        assert!(report.answered * 3 > report.cases, "{role:?}: {report:?}");
        assert!(report.told * 6 > report.cases, "{role:?}: {} of {} answers hold something", report.told, report.cases);
        assert!(report.absent * 50 > report.cases && report.refused * 10 > report.cases, "{role:?}: {report:?}");
        let versions = report.versions;
        assert!(if role == OFFICER { versions > 30 } else { versions == 0 }, "{role:?}: {versions} versions");
        assert!(report.pages > 20, "{role:?}: {} pages", report.pages);
        assert!(report.us_core.0 > 50 && report.us_core.0 == report.us_core.1, "{role:?}: {:?}", report.us_core);
    }
}

#[test]
fn each_leak_is_found_and_made_small() {
    let of_all = Leak::ALL.into_iter().flat_map(|leak| {
        [(ROLES[0], 42), (ROLES[1], 43), (ROLES[2], 44), (ROLES[4], 45)].map(|(role, seed)| (leak, role, seed))
    });
    let of_versions = Leak::OF_VERSIONS.into_iter().flat_map(|leak| [46, 47, 48].map(|seed| (leak, OFFICER, seed)));
    for (leak, role, seed) in of_all.chain(of_versions) {
        let plan = Plan { cases: 3_000, differences_max: 1, us_core_every: 0, ..Plan::default() };
        let report = run(role, Some(leak), &plan, seed);
        let found = report.differences.first();
        let found = found.unwrap_or_else(|| panic!("{leak:?} {role:?}: not found in {} cases", report.cases));
        println!("{leak:?} {role:?}: found after {} cases", report.cases);
        assert!(found.case.steps.len() <= 2, "{leak:?}: {found}");
        assert!(found.case.a.len() <= 6, "{leak:?}: {} resources\n{found}", found.case.a.len());
        assert!(found.case.mutations.len() <= 2, "{leak:?}: {found}");
    }
}
