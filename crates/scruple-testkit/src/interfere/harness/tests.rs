//! Systems that are wrong in ways that no leak of the raw store is: the harness says what is wrong.

use super::*;
use crate::interfere::Toy;
use crate::interfere::world::{BASE, PAIRS, ROLES, sight};

/// How a system is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrongly {
    /// It refuses every search.
    Refuses,
    /// It takes any page token for the first page.
    TakesAnyToken,
    /// It names the path in its 404, which is right, and whether it has any resource, which is not.
    Counts,
    /// Every hundredth answer is another.
    Forgets,
}

struct Odd<'a> {
    inner: Toy<'a>,
    how: Wrongly,
    resources: usize,
    asked: usize,
}

impl System for Odd<'_> {
    fn load(&mut self, store: &Store) {
        self.resources = store.len();
        self.inner.load(store);
    }

    fn ask(&mut self, request: &Request, seed: u64) -> Response {
        self.asked += 1;
        let mut response = self.inner.ask(request, seed);
        let is_page = request.query.as_deref().is_some_and(|query| query.starts_with("_page="));
        match self.how {
            Wrongly::Refuses if holds_entries(&response.body) => response.status = 403,
            Wrongly::TakesAnyToken if is_page && response.status == 400 => {
                return self.inner.ask(&Request { query: None, ..request.clone() }, seed);
            }
            Wrongly::Counts if response.status == 404 => {
                response.body = format!("{} of {}", request.path, self.resources.min(1)).into_bytes();
            }
            Wrongly::Forgets if self.asked.is_multiple_of(101) => response.body = b"{}".to_vec(),
            _ => {}
        }
        response
    }

    fn work(&self) -> WorkTrace {
        WorkTrace { upstream_calls: self.resources as u64, ..WorkTrace::default() }
    }
}

/// Permits everything but searches of one type by one parameter.
struct But(&'static str, &'static str);

impl Rules for But {
    fn permits(&self, resource_type: &str, parameter: Option<&str>) -> Option<bool> {
        Some(!(resource_type == self.0 && parameter == Some(self.1)))
    }
}

fn run(how: Wrongly, rules: &dyn Rules) -> Report {
    let sight = sight(ROLES[0]);
    let harness = Harness { pairs: &PAIRS, sight: &sight, base: BASE, rules };
    let odd = || Odd { inner: Toy::new(&sight, BASE), how, resources: 0, asked: 0 };
    let (mut a, mut b, mut empty) = (odd(), odd(), odd());
    let plan = Plan { cases: 6_000, differences_max: 1, us_core_every: 1, ..Plan::default() };
    harness.run(&mut Systems { a: &mut a, b: &mut b, empty: &mut empty }, &plan, 5)
}

#[test]
fn what_is_wrong_is_told() {
    for (how, what) in [
        (Wrongly::Refuses, "refused what policy allows"),
        (Wrongly::TakesAnyToken, "status 200 where the reference server has 400"),
        (Wrongly::Counts, "over an empty one it is another"),
        (Wrongly::Forgets, ""),
    ] {
        let report = run(how, &But("", ""));
        let found = report.differences.first().unwrap_or_else(|| panic!("not found: {what}"));
        assert!(found.what.contains(what), "{found}");
        assert!(found.to_string().contains("steps"));
    }
}

#[test]
fn what_policy_forbids_must_not_be_answered() {
    // Nothing is wrong with this system but that it knows no policy.
    let sight = sight(ROLES[0]);
    let harness = Harness { pairs: &PAIRS, sight: &sight, base: BASE, rules: &But("Patient", "birthdate") };
    let (mut a, mut b, mut empty) = (Toy::new(&sight, BASE), Toy::new(&sight, BASE), Toy::new(&sight, BASE));
    let plan = Plan { cases: 3_000, differences_max: 1, us_core_every: 1, ..Plan::default() };
    let report = harness.run(&mut Systems { a: &mut a, b: &mut b, empty: &mut empty }, &plan, 6);
    let found = report.differences.first().unwrap();
    assert_eq!(found.what, "answered what policy does not permit");
    assert_eq!(found.case.a.len(), 0, "{found}");
}

#[test]
fn other_work_is_counted_and_no_difference() {
    let sight = sight(ROLES[0]);
    let harness = Harness { pairs: &PAIRS, sight: &sight, base: BASE, rules: &But("", "") };
    let toy = || Odd { inner: Toy::new(&sight, BASE), how: Wrongly::TakesAnyToken, resources: 0, asked: 0 };
    let (mut a, mut b, mut empty) = (toy(), toy(), toy());
    let plan = Plan { cases: 200, us_core_every: 0, differences_max: 1, ..Plan::default() };
    let report = harness.run(&mut Systems { a: &mut a, b: &mut b, empty: &mut empty }, &plan, 9);
    assert!(report.other_work > 0);
}
