//! How well time tells what is hidden from what is not there (docs/limits.md).
//!
//! A caller asks alternately for the one and for the other, over one connection, and has both answers look the same. Then
//! the threshold is sought that tells their times apart best; how good it is, is judged on answers that it was not chosen by.
//! The gateway is a process before a FHIR server over HTTP, as in the bench of the gateway; nothing else asks meanwhile, so
//! that a caller far away, or in company, can tell less.

use super::alternately::{Plan, Timed, run_on};
use super::disk::fdatasync;
use super::http_load::get;
use super::measure::{Times, short, table};
use super::processes::Cores;
use super::{Effort, progress};
use crate::node::content::{Content, HIDDEN_CANDIDATES, TIMED, absent_id, hidden_id, searched_id, shown_id};
use crate::node::{Fhir, Node, Order, Person};
use anyhow::{Context as _, Result};
use scruple_gateway::BUCKETS_MS;
use std::time::Duration;

/// Patients of the hospital.
const PATIENTS: usize = 120;
/// Pairs of answers for each second of effort.
const ROUNDS_A_SECOND: u64 = 800;
/// The same where each answer waits.
const BUCKET_ROUNDS_A_SECOND: u64 = 300;
/// Pairs before, that are not timed.
const WARM_UP: usize = 100;
/// Milliseconds of a call to the FHIR server.
const CALL_MS: u64 = 30_000;
/// Who asks, in the record system.
const PRACTITIONER: &str = "Practitioner/prac-physician-1";

/// What is told apart in a row of the table.
struct Row {
    title: &'static str,
    /// Who asks: 0 is the nurse, 1 the physician.
    person: usize,
    /// Relationships are looked up.
    resolved: bool,
    /// Paths of what is hidden and of what is not there.
    pairs: Vec<[String; 2]>,
    status: u16,
}

/// The section.
///
/// # Errors
/// Something fails, or an answer tells without a clock.
pub fn timing(effort: Effort) -> Result<String> {
    let cores = Cores::here();
    let own = std::env::current_exe()?;
    let dir = tempfile::Builder::new().prefix("scruple-bench-timing-").tempdir()?;
    let syncs = fdatasync(dir.path())?;
    let fhir = Fhir::with(&own, cores.upstream, PATIENTS, Content::Hidden)?;
    let rounds = [ROUNDS_A_SECOND, BUCKET_ROUNDS_A_SECOND].map(|each| effort.seconds.saturating_mul(each));
    let rows = rows();
    let mut lines: Vec<Vec<String>> = rows.iter().map(|row| vec![row.title.to_owned()]).collect();
    for (bucket, resolved) in [(false, false), (false, true), (true, false), (true, true)] {
        let folder = dir.path().join(format!("bucket-{bucket}-resolved-{resolved}"));
        std::fs::create_dir(&folder)?;
        let order = Order { dir: folder, upstream: fhir.url(), people: people(), call_ms: CALL_MS, resolved, bucket };
        let node = Node::start(&own, cores.measured, &order)?;
        for (row, line) in rows.iter().zip(&mut lines).filter(|(row, _)| row.resolved == resolved) {
            progress(&format!("{}{}", row.title, if bucket { ", with bucket" } else { "" }));
            let asking = Asking { node: &node, row, cores };
            asking.shows_unlabelled()?;
            line.extend(cells(&asking.timed(if bucket { rounds[1] } else { rounds[0] })?));
        }
        node.stop()?;
    }
    Ok(section(&lines, rounds, &syncs, cores))
}

fn people() -> Vec<Person> {
    let person = |role: &str| Person {
        login: format!("bench.{role}"),
        role: role.to_owned(),
        purpose: "TREAT".to_owned(),
        practitioners: vec![PRACTITIONER.to_owned()],
    };
    vec![person("nurse"), person("physician")]
}

fn rows() -> Vec<Row> {
    let each = |pair: &dyn Fn(usize) -> [String; 2]| (0..TIMED).map(pair).collect();
    let read = |id: String| format!("/fhir/Encounter/{id}");
    let search = |id: String| format!("/fhir/Observation?patient={id}");
    vec![
        Row {
            title: "read of an absent Encounter, of another absent one (nothing to tell)",
            person: 0,
            resolved: false,
            pairs: each(&|number| [absent_id(number), absent_id(number + TIMED)].map(read)),
            status: 404,
        },
        Row {
            title: "read of a hidden Encounter, of an absent one",
            person: 0,
            resolved: false,
            pairs: each(&|number| [hidden_id(number), absent_id(number)].map(read)),
            status: 404,
        },
        Row {
            title: "search with 50 hidden candidates, with none",
            person: 0,
            resolved: false,
            pairs: each(&|number| [true, false].map(|has| search(searched_id(number, has)))),
            status: 200,
        },
        Row {
            title: "read of another patient's Patient where relationships are looked up, of an absent one",
            person: 1,
            resolved: true,
            // Those of the bench are nobody's patients, and no index of the hospital is so high.
            pairs: each(&|number| {
                [searched_id(number, false), searched_id(number + TIMED, false)].map(|id| format!("/fhir/Patient/{id}"))
            }),
            status: 404,
        },
    ]
}

/// A row, and whom it is asked of.
struct Asking<'a> {
    node: &'a Node,
    row: &'a Row,
    cores: Cores,
}

impl Asking<'_> {
    fn request(&self, path: &str) -> Result<String> {
        let token = self.node.tokens.get(self.row.person).context("a person without a token")?;
        Ok(get(self.node.address, path, &[("authorization", &format!("Bearer {token}"))]))
    }

    fn plan(&self, pairs: Vec<[String; 2]>, status: u16) -> Plan {
        Plan { server: self.node.address, pairs, rounds: 1, warm_up: 0, status }
    }

    /// It is the label that hides: without it the caller sees the same Encounter, if he is related to whomever he asks for.
    fn shows_unlabelled(&self) -> Result<()> {
        if !self.row.resolved {
            let request = self.request(&format!("/fhir/Encounter/{}", shown_id(0)))?;
            run_on(self.cores.client, &self.plan(vec![[request.clone(), request]], 200)).context("nothing shows")?;
        }
        Ok(())
    }

    fn timed(&self, rounds: u64) -> Result<Timed> {
        let rounds = usize::try_from(rounds)?;
        let mut pairs = Vec::new();
        for [first, second] in &self.row.pairs {
            pairs.push([self.request(first)?, self.request(second)?]);
        }
        let plan = Plan { rounds, warm_up: WARM_UP.min(rounds), ..self.plan(pairs, self.row.status) };
        run_on(self.cores.client, &plan).with_context(|| self.row.title)
    }
}

/// The medians, and how well the best threshold tells.
fn cells(timed: &Timed) -> [String; 2] {
    let median = |nanos: &[u64]| short(Times::new(nanos.iter().copied().map(Duration::from_nanos).collect()).median());
    let told = told(timed).map_or_else(|| "-".to_owned(), |told| format!("{told:.2}"));
    [format!("{}; {}", median(&timed.first), median(&timed.second)), told]
}

fn section(lines: &[Vec<String>], [rounds, bucket_rounds]: [u64; 2], syncs: &Times, cores: Cores) -> String {
    let mut text = format!(
        "Each row: {rounds} times the one and the other, alternately, from one connection, with nobody else; {cores}. A gateway in a \
         process before the embedded FHIR server of {PATIENTS} synthetic patients over HTTP, as in the bench of the gateway; \
         the two answers have the same status and length, checked. With bucket (`gateway.timing = \"bucket\"`, {bucket_rounds} \
         times) each answer waits for the next of {} ms. fdatasync of 4 KiB in a file that is already written, on \
         this disk: p50 {}.\n\nAUC is that of the best threshold between the two times, chosen on one half of the rounds and \
         judged on the other: the mean of the shares of both that it puts on their side. 0.5: nothing is told, give or take \
         0.03 by chance; 1: each single answer tells. Who may ask often learns more than one answer tells, from any AUC above \
         0.5. A hidden Encounter has 4 KB and a label of 42 CFR Part 2; hidden candidates are {HIDDEN_CANDIDATES} Observations \
         of a patient, so labelled.\n",
        BUCKETS_MS.map(|ms| ms.to_string()).join(", "),
        short(syncs.median()),
    );
    text += &format!("\n{}", table(&["", "medians", "AUC", "medians, with bucket", "AUC, with bucket"], lines));
    text
}

/// A threshold between the times of the first and of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Threshold {
    /// Nanoseconds; what took longer is on the other side.
    at: u64,
    /// The first are those that took longer.
    first_is_longer: bool,
}

/// The share that the best threshold of one half of the rounds tells right in the other half.
fn told(timed: &Timed) -> Option<f64> {
    // Neither half has one order of asking alone.
    let half = |nanos: &[u64], wanted: usize| -> Vec<u64> {
        let chosen = nanos.iter().enumerate().filter(|(round, _)| (round / 2) % 2 == wanted);
        chosen.map(|(_, nanos)| *nanos).collect()
    };
    let threshold = best_threshold(&half(&timed.first, 0), &half(&timed.second, 0))?;
    threshold.judged(&half(&timed.first, 1), &half(&timed.second, 1))
}

impl Threshold {
    fn judged(self, first: &[u64], second: &[u64]) -> Option<f64> {
        if first.is_empty() || second.is_empty() {
            return None;
        }
        let longer = |nanos: &[u64]| nanos.iter().filter(|one| **one > self.at).count() as f64 / nanos.len() as f64;
        let apart = longer(first) - longer(second);
        let right = if self.first_is_longer { apart } else { -apart };
        Some(0.5 + right / 2.0)
    }
}

/// The threshold at which the two distributions are furthest apart.
fn best_threshold(first: &[u64], second: &[u64]) -> Option<Threshold> {
    let mut all: Vec<(u64, bool)> = first.iter().map(|nanos| (*nanos, true)).collect();
    all.extend(second.iter().map(|nanos| (*nanos, false)));
    all.sort_unstable();
    let (of_first, of_second) = (1.0 / first.len() as f64, 1.0 / second.len() as f64);
    let (mut apart, mut best) = (0.0, None);
    let mut largest = 0.0;
    for (place, (at, is_first)) in all.iter().enumerate() {
        apart += if *is_first { of_first } else { -of_second };
        let is_last_of_its_time = all.get(place + 1).is_none_or(|(next, _)| next != at);
        if is_last_of_its_time && (best.is_none() || f64::abs(apart) > largest) {
            largest = f64::abs(apart);
            best = Some(Threshold { at: *at, first_is_longer: apart < 0.0 });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{Threshold, Timed, best_threshold, rows, told};

    #[test]
    fn the_best_threshold_is_where_the_two_are_furthest_apart() {
        let check = |first: &[u64], second: &[u64], at, first_is_longer, right: f64| {
            let threshold = best_threshold(first, second).unwrap();
            assert_eq!(threshold, Threshold { at, first_is_longer });
            assert!((threshold.judged(first, second).unwrap() - right).abs() < 1e-9, "{first:?} {second:?}");
        };
        check(&[7, 8, 9], &[1, 2, 3], 3, true, 1.0);
        check(&[1, 2, 3], &[7, 8, 9], 3, false, 1.0);
        check(&[1, 2, 2, 8], &[2, 7, 7, 9], 2, false, 0.75);
        // Alike: whatever is chosen tells nothing.
        check(&[5, 5], &[5, 5], 5, false, 0.5);
        assert_eq!(best_threshold(&[], &[]), None);
    }

    #[test]
    fn what_was_chosen_by_chance_is_judged_on_other_rounds() {
        // Rounds of the first half are told apart by 4, those of the second half the other way about.
        let timed = Timed { first: vec![9, 9, 1, 1], second: vec![1, 1, 9, 9] };
        assert_eq!(told(&timed), Some(0.0));
        assert_eq!(told(&Timed { first: vec![9; 4], second: vec![1; 4] }), Some(1.0));
        assert_eq!(told(&Timed::default()), None);
    }

    #[test]
    fn the_two_of_a_pair_are_asked_in_as_many_bytes() {
        for row in rows() {
            assert!(row.pairs.iter().all(|[first, second]| first.len() == second.len()), "{}", row.title);
        }
    }
}
