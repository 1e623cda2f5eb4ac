//! What every kind of run that ends in a power cut has in common.

use super::{Keep, SimStorage};
use crate::core::Core;
use crate::open::{Intent, OpenOptions, Recovery, SEGMENT_BYTES_MIN, start};
use crate::report::{Report, chain};
use crate::verify::{VerifyOptions, verify};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::{CryptoRng, Rng};
use scruple_core::{FixedClock, Timestamp};
use std::path::Path;
use std::sync::Arc;

pub(super) const DIR: &str = "/ledger";
pub(super) const HOUR_MICROS: i64 = 3_600_000_000;
/// Steps of a run.
pub(super) const STEPS: usize = 14;
/// Power cuts, one after the other, that a run survives at most.
const CUTS_PER_RUN: usize = 3;
/// Failures that are kept.
const FAILURES_MAX: usize = 20;

/// What [`super::power_cuts`] or [`super::reserve_power_cuts`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// Power cuts that were made.
    pub cuts: u64,
    /// Entries that were acknowledged before a cut, over all runs.
    pub acknowledged: u64,
    /// Starts that cut a torn write off.
    pub torn: u64,
    /// What did not hold: the seed, the operation, and what.
    pub failures: Vec<String>,
}

/// A kind of run, with what it has been promised so far.
pub(super) trait Script {
    /// A start after a cut is cut again within so many operations.
    const CUT_AGAIN_WITHIN: u32;

    /// Before its first step. `heavy`: it writes much.
    fn new(heavy: bool) -> Self;

    /// The run: it ends when its steps are done or the power is cut.
    fn run(&mut self, storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut ChaCha20Rng) -> Result<(), String>;

    /// The start after a cut, and everything that must hold then; whether a torn write was cut off.
    fn go_on(&mut self, storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut ChaCha20Rng) -> Result<bool, String>;

    /// How many entries were acknowledged.
    fn acknowledged(&self) -> usize;
}

/// Makes `cases` seeded runs, and for each of them cuts the power after every operation, keeping a random subset of what
/// was not synced. A part of the starts is cut again.
pub(super) fn cut_everywhere<S: Script>(seed: u64, cases: u64) -> Findings {
    let mut findings = Findings::default();
    for case in 0..cases {
        let seed = seed.wrapping_add(case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for operation in 1.. {
            match one_cut::<S>(seed, operation, &mut findings) {
                Ok(true) => {}
                Ok(false) => break,
                Err(what) if findings.failures.len() < FAILURES_MAX => {
                    findings.failures.push(format!("seed {seed}, cut after operation {operation}: {what}"));
                }
                Err(_) => return findings,
            }
        }
    }
    findings
}

/// One run with a cut after one operation. `Ok(false)`: the run ended before it.
fn one_cut<S: Script>(seed: u64, operation: u64, findings: &mut Findings) -> Result<bool, String> {
    let clock = |hours: i64| Arc::new(FixedClock::new(Timestamp::from_micros(hours * HOUR_MICROS)));
    let mut storage = SimStorage::new();
    // The script is the same for every operation of a seed; what survives the cut is not.
    let mut steps = ChaCha20Rng::seed_from_u64(seed);
    let mut chance = ChaCha20Rng::seed_from_u64(seed ^ operation.rotate_left(32));
    let mut script = S::new(seed.is_multiple_of(3));
    storage.cut_after(operation);
    let run = script.run(&storage, &clock(500_000), &mut steps);
    if !storage.is_off() {
        return run.map(|()| false);
    }
    for again in 0..CUTS_PER_RUN {
        findings.cuts += 1;
        let keep = match chance.next_u32() % 8 {
            0 => Keep::None,
            1 => Keep::All,
            _ => Keep::Some,
        };
        storage = storage.after_power_cut(keep, &mut chance);
        if again + 1 < CUTS_PER_RUN && chance.next_u32().is_multiple_of(2) {
            storage.cut_after(1 + u64::from(chance.next_u32() % S::CUT_AGAIN_WITHIN));
        }
        match script.go_on(&storage, &clock(500_100), &mut chance) {
            Ok(torn) => findings.torn += u64::from(torn),
            Err(_) if storage.is_off() => continue,
            Err(what) => return Err(what),
        }
        break;
    }
    findings.acknowledged += script.acknowledged() as u64;
    Ok(true)
}

pub(super) fn options(storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut dyn Rng) -> OpenOptions {
    let own: Box<dyn CryptoRng + Send> = Box::new(ChaCha20Rng::seed_from_u64(rng.next_u64()));
    let clock: Arc<FixedClock> = Arc::clone(clock);
    OpenOptions {
        storage: Arc::new(storage.clone()),
        rng: own,
        segment_bytes: SEGMENT_BYTES_MIN,
        ..OpenOptions::new("simulated.example/ledger", clock)
    }
}

/// Opens the ledger, as every start does.
pub(super) fn open(
    storage: &SimStorage,
    clock: &Arc<FixedClock>,
    rng: &mut ChaCha20Rng,
) -> Result<(Core, Recovery), String> {
    let opened = start(Path::new(DIR), options(storage, clock, rng), Intent::CreateOrOpen);
    opened.map_err(|error| format!("does not start: {}", chain(&error)))
}

/// The verification, which must be good, against a checkpoint that somebody may have kept.
pub(super) fn verified(storage: &SimStorage, outside: Vec<u8>) -> Result<Report, String> {
    let outside_checkpoint = (!outside.is_empty()).then_some(outside);
    let options = VerifyOptions { storage: Arc::new(storage.clone()), outside_checkpoint, ..VerifyOptions::default() };
    let report = verify(Path::new(DIR), options).map_err(|error| chain(&error))?;
    if report.is_good() { Ok(report) } else { Err(format!("does not verify: {report}")) }
}
