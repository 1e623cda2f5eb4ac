//! Non-interference over the gateway, at length: pairs of stores that a caller cannot tell apart, the same requests of both,
//! answers compared with each other and with a reference server that holds the caller's view alone.
//!
//! The comparison is the test kit's, the upstreams and the rules are those of the gateway's tests; here is the order in
//! which callers and upstreams come. Nothing here looks at a body.

use super::run::{Counter, Limit, Report, Settings, keep, progress};
use super::standing::OverStore;
use crate::node::{BASE, NOON, Person, root};
use crate::shipped;
use anyhow::{Result, anyhow, ensure};
use scruple_pairs::{Behind, Caller};
use scruple_policy::Active;
use scruple_testkit::interfere::{self, Pairs, Plan, Systems};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;

/// A caller: role, purpose, and who he is in the record system. Who is somebody there has his relationships looked up; all
/// others are related to every patient.
pub(super) type Who = (&'static str, &'static str, &'static [&'static str]);

/// Callers, tried before every upstream.
pub(super) const CALLERS: [Who; 13] = [
    ("biller", "HPAYMT", &[]),
    ("nurse", "TREAT", &["Practitioner/prac-nurse-6", "Practitioner/prac-nurse-10", "Practitioner/prac-nurse-1"]),
    ("front_desk", "PATADMIN", &[]),
    (
        "physician",
        "TREAT",
        &["Practitioner/prac-physician-1", "Practitioner/prac-physician-11", "PractitionerRole/role-physician-2"],
    ),
    ("nurse", "TREAT", &[]),
    ("sud_clinician", "TREAT", &["Practitioner/prac-sud-clinician-2"]),
    ("physician", "TREAT", &[]),
    ("care_manager", "COC", &["Practitioner/prac-care-manager-1"]),
    ("quality_analyst", "HQUALIMP", &[]),
    ("coder", "HPAYMT", &[]),
    ("scheduler", "PATADMIN", &[]),
    ("researcher", "HRESCH", &[]),
    ("privacy_officer", "HCOMPL", &[]),
];
/// Requests of one caller before one upstream, until the next have their turn.
const SLICE: u64 = 1_000;
/// Of the searches of US Core that policy permits so many of a hundred must be answered.
const US_CORE_PERCENT: usize = 95;

/// What all slices share.
pub(super) struct Shared {
    runtime: Arc<Runtime>,
    assumed: Arc<Active>,
    resolved: Arc<Active>,
}

impl Shared {
    pub fn new() -> Result<Self> {
        Ok(Self {
            runtime: Arc::new(tokio::runtime::Builder::new_multi_thread().enable_all().build()?),
            assumed: shipped::active()?,
            resolved: shipped::resolved()?,
        })
    }

    /// Whose view is compared.
    pub fn caller(&self, (role, purpose, practitioners): Who) -> Result<Caller> {
        let key = root().token()?;
        let caller = if practitioners.is_empty() {
            Caller::new(&self.assumed, role, purpose, NOON, key)
        } else {
            Caller::resolved(&self.resolved, role, purpose, NOON, key, practitioners)
        };
        caller.map_err(|why| anyhow!(why))
    }

    /// One caller before one upstream, for so many requests.
    fn slice(&self, who: Who, behind: &Behind, cases: usize, seed: u64) -> Result<interfere::Report> {
        let (role, purpose, practitioners) = who;
        let active = if practitioners.is_empty() { &self.assumed } else { &self.resolved };
        let caller = self.caller(who)?;
        let person = Person {
            login: format!("pairs.{role}"),
            role: role.to_owned(),
            purpose: purpose.to_owned(),
            practitioners: practitioners.iter().map(|one| (*one).to_owned()).collect(),
        };
        let mut a = OverStore::new(&self.runtime, active, &person, behind)?;
        let mut b = OverStore::new(&self.runtime, active, &person, behind)?;
        let mut empty = OverStore::new(&self.runtime, active, &person, behind)?;
        let mut systems = Systems { a: &mut a, b: &mut b, empty: &mut empty };
        let pairs = Pairs::new(seed, NOON).map_err(|error| anyhow!("the pairs cannot be made: {error}"))?;
        let plan = Plan { cases, ..Plan::default() };
        Ok(caller.judge(&mut systems, &behind.takes(pairs), BASE, &plan, seed))
    }
}

/// What was seen in all.
#[derive(Default)]
struct Sum {
    report: Report,
    us_core: (usize, usize),
    answered: usize,
    told: usize,
    refused: usize,
}

/// Tries the callers before these upstreams in turn.
///
/// # Errors
/// No upstream, a gateway cannot be put together, or a server that others wrote is named and not there.
pub fn pairs(upstreams: &[Behind], settings: &Settings) -> Result<Report> {
    ensure!(!upstreams.is_empty(), "no server is named");
    let shared = Shared::new()?;
    let mut turns = Vec::new();
    for behind in upstreams {
        turns.extend(CALLERS.iter().map(|who| (*who, behind)));
    }
    // Neighbours are of different upstreams, so that a short run has some of each.
    let count = upstreams.len();
    let each = turns.len() / count;
    let turns: Vec<_> = (0..turns.len()).filter_map(|at| turns.get(at % count * each + at / count)).copied().collect();
    // A short run has a slice for every turn all the same.
    let slice = match settings.limit {
        Limit::Cases(cases) => SLICE.min(cases.div_ceil(turns.len().max(1) as u64).max(1)),
        Limit::Minutes(_) => SLICE,
    };
    let counter = Counter::new(match settings.limit {
        Limit::Cases(cases) => Limit::Cases(cases.div_ceil(slice)),
        minutes @ Limit::Minutes(_) => minutes,
    });
    let sum = Mutex::new(Sum::default());
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..settings.threads.get() {
            scope.spawn(|| {
                while let Some(number) = counter.take() {
                    let at = usize::try_from(number).unwrap_or(0) % turns.len().max(1);
                    let Some((who, behind)) = turns.get(at).copied() else { return };
                    let seed = settings.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number);
                    let cases = usize::try_from(slice).unwrap_or(usize::MAX);
                    let held = shared.slice(who, behind, cases, seed).and_then(|report| {
                        let (role, _, practitioners) = who;
                        let how = if practitioners.is_empty() { "" } else { ", relationships looked up," };
                        add(&sum, &report, &format!("{role}{how} before {behind}, seed {seed}"), settings)
                    });
                    if let Err(error) = held {
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (permitted, answered) = sum.us_core;
    if answered * 100 < permitted * US_CORE_PERCENT || sum.told == 0 {
        sum.report.findings += 1;
        let told = sum.told;
        sum.report
            .details
            .push(format!("US Core: {answered} of {permitted} are answered; {told} answers held something"));
    }
    Ok(sum.report)
}

fn add(sum: &Mutex<Sum>, report: &interfere::Report, which: &str, settings: &Settings) -> Result<()> {
    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
    sum.report.cases += report.cases as u64;
    sum.us_core.0 += report.us_core.0;
    sum.us_core.1 += report.us_core.1;
    sum.answered += report.answered;
    sum.told += report.told;
    sum.refused += report.refused;
    for difference in &report.differences {
        sum.report.findings += 1;
        let text = format!("{which}\n{difference}\n");
        let kept = keep(settings.regressions.as_deref(), "pairs", text.as_bytes())?;
        sum.report.details.push(format!("{which}: {}; {kept}", difference.what));
    }
    if settings.progress {
        progress(&format!(
            "pairs: {} cases, {} findings; {} answered, {} with something in it, {} refused; US Core {} of {}; {which}",
            sum.report.cases, sum.report.findings, sum.answered, sum.told, sum.refused, sum.us_core.1, sum.us_core.0
        ));
    }
    Ok(())
}
