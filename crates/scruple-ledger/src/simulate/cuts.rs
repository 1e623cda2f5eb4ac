//! Runs that end in a power cut.

use super::{Keep, SimStorage};
use crate::core::Core;
use crate::entries::{Payload, entries};
use crate::frame::{FRAME_HEADER_BYTES, Origin};
use crate::open::{Intent, OpenOptions, SEGMENT_BYTES_MIN, start};
use crate::report::chain;
use crate::verify::{VerifyOptions, verify};
use crate::wal::Item;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::{CryptoRng, Rng};
use scruple_core::{FixedClock, Timestamp};
use std::path::Path;
use std::sync::Arc;

pub(super) const DIR: &str = "/ledger";
pub(super) const HOUR_MICROS: i64 = 3_600_000_000;
/// Power cuts, one after the other, that a run survives at most.
pub(super) const CUTS_PER_RUN: usize = 3;
/// Failures that are kept.
pub(super) const FAILURES_MAX: usize = 20;

/// What [`power_cuts`] or [`super::reserve_power_cuts`] found.
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

/// What a run has been promised so far.
#[derive(Default)]
struct Promised {
    /// Payloads that were acknowledged, by index.
    payloads: Vec<Vec<u8>>,
    /// Payloads of the batch that was being written: each may be found or not, from the first on.
    uncertain: Vec<Vec<u8>>,
    /// The last acknowledged origin.
    origin: u64,
    /// The last checkpoint that somebody may have kept.
    checkpoint: Vec<u8>,
    /// Batches are large, so that many segments are filled between two checkpoints.
    heavy: bool,
}

/// Makes `cases` seeded runs, and for each of them cuts the power after every operation, keeping a random subset of what
/// was not synced. After each cut: the ledger starts, every acknowledged entry is there, nothing is there that was not
/// written, the ledger goes on, and its verification is good against the last checkpoint that anybody saw. A part of the
/// starts is cut again.
#[must_use]
pub fn power_cuts(seed: u64, cases: u64) -> Findings {
    let mut findings = Findings::default();
    for case in 0..cases {
        let seed = seed.wrapping_add(case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut operation = 1;
        loop {
            let outcome = one_cut(seed, operation, &mut findings);
            match outcome {
                Ok(true) => operation += 1,
                Ok(false) => break,
                Err(what) => {
                    if findings.failures.len() < FAILURES_MAX {
                        findings.failures.push(format!("seed {seed}, cut after operation {operation}: {what}"));
                    }
                    operation += 1;
                }
            }
        }
    }
    findings
}

/// One run with a cut after one operation. `Ok(false)`: the run ended before it.
fn one_cut(seed: u64, operation: u64, findings: &mut Findings) -> Result<bool, String> {
    let mut storage = SimStorage::new();
    // The script is the same for every operation of a seed; what survives the cut is not.
    let mut script = ChaCha20Rng::seed_from_u64(seed);
    let mut chance = ChaCha20Rng::seed_from_u64(seed ^ operation.rotate_left(32));
    let mut promised = Promised { heavy: seed.is_multiple_of(3), ..Promised::default() };
    storage.cut_after(operation);
    run(&storage, &mut script, &mut promised);
    if !storage.is_off() {
        return Ok(false);
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
            storage.cut_after(1 + u64::from(chance.next_u32() % 40));
        }
        match go_on(&storage, &mut chance, &mut promised) {
            Ok(torn) => findings.torn += u64::from(torn),
            Err(_) if storage.is_off() => continue,
            Err(what) => return Err(what),
        }
        break;
    }
    findings.acknowledged += promised.payloads.len() as u64;
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

/// The script of a run: it ends when its steps are done or the power is cut.
fn run(storage: &SimStorage, rng: &mut ChaCha20Rng, promised: &mut Promised) {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(500_000 * HOUR_MICROS)));
    let open = |rng: &mut ChaCha20Rng| start(Path::new(DIR), options(storage, &clock, rng), Intent::CreateOrOpen).ok();
    let Some((mut core, _)) = open(rng) else { return };
    for _ in 0..14 {
        match rng.next_u32() % 10 {
            0..=5 => {
                if record(&core, rng, promised).is_err() {
                    return;
                }
            }
            6 | 7 => {
                if core.upkeep().and_then(|()| core.integrate()).is_err() {
                    return;
                }
                promised.checkpoint = core.checkpoint().0;
            }
            8 => clock.advance_micros(HOUR_MICROS),
            _ => {
                drop(core);
                let Some((opened, _)) = open(rng) else { return };
                core = opened;
            }
        }
    }
}

/// Records one batch of a random shape.
fn record(core: &Core, rng: &mut ChaCha20Rng, promised: &mut Promised) -> Result<(), String> {
    let mut payloads = Vec::new();
    let mut room = core.batch_room();
    // Now and then a batch that fills most of a segment, and now and then more entries than a bundle holds.
    let shape = rng.next_u32() % if promised.heavy { 2 } else { 12 };
    let count = if shape == 0 { 300 } else { 1 + rng.next_u32() % 6 };
    for _ in 0..count {
        let length = match shape {
            0 => 8,
            1 => 9_000,
            _ => 1 + rng.next_u32() % 1_500,
        };
        let mut payload = vec![0; usize::try_from(length).unwrap_or(1)];
        rng.fill_bytes(&mut payload);
        let Some(left) = room.checked_sub(FRAME_HEADER_BYTES + payload.len() + 100) else { break };
        room = left;
        payloads.push(payload);
    }
    let with_origin = rng.next_u32().is_multiple_of(2);
    let items: Vec<_> = payloads
        .iter()
        .zip(promised.origin + 1..)
        .map(|(payload, seq)| Item { payload, origin: with_origin.then(|| Origin::new(7, seq)) })
        .collect();
    let receipts = core.record(&items);
    drop(items);
    match receipts {
        Ok(receipts) => {
            let first = promised.payloads.len() as u64;
            if receipts.iter().zip(first..).any(|(receipt, index)| receipt.index != index) {
                return Err("receipts are not in order".to_owned());
            }
            if with_origin {
                promised.origin += payloads.len() as u64;
            }
            promised.payloads.extend(payloads);
            Ok(())
        }
        Err(stop) => {
            promised.uncertain = payloads;
            Err(chain(stop.as_ref()))
        }
    }
}

/// The start after a cut, and everything that must hold then.
fn go_on(storage: &SimStorage, rng: &mut ChaCha20Rng, promised: &mut Promised) -> Result<bool, String> {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(500_100 * HOUR_MICROS)));
    let opened = start(Path::new(DIR), options(storage, &clock, rng), Intent::CreateOrOpen);
    let (core, recovery) = opened.map_err(|error| format!("does not start: {}", chain(&error)))?;
    let size = core.size();
    let acknowledged = promised.payloads.len() as u64;
    if size < acknowledged {
        return Err(format!("{acknowledged} entries were acknowledged, {size} are there"));
    }
    found(storage, promised)?;
    if let Some(last) = core.last_origin(7)
        && last < promised.origin
    {
        return Err(format!("origin {} was acknowledged, {last} is there", promised.origin));
    }
    promised.origin = core.last_origin(7).unwrap_or(0);
    // From here on the entries that were found count as told: the drainer would go on behind them.
    record(&core, rng, promised)?;
    core.integrate().map_err(|stop| chain(stop.as_ref()))?;
    let newest = core.checkpoint().0;
    let outside = std::mem::replace(&mut promised.checkpoint, newest);
    drop(core);
    found(storage, promised)?;
    let outside_checkpoint = (!outside.is_empty()).then_some(outside);
    let options = VerifyOptions { storage: Arc::new(storage.clone()), outside_checkpoint, ..VerifyOptions::default() };
    let report = verify(Path::new(DIR), options).map_err(|error| chain(&error))?;
    if report.is_good() { Ok(recovery.cut.is_some()) } else { Err(format!("does not verify: {report}")) }
}

/// Compares the entries that are there with those that were promised; what was uncertain and is there counts from now on.
fn found(storage: &SimStorage, promised: &mut Promised) -> Result<(), String> {
    let read = entries(Path::new(DIR), Arc::new(storage.clone()), None, 0).map_err(|error| chain(&error))?;
    let mut uncertain = std::mem::take(&mut promised.uncertain).into_iter();
    let mut count = 0_u64;
    for entry in read {
        let entry = entry.map_err(|error| chain(&error))?;
        let position = usize::try_from(entry.index).unwrap_or(usize::MAX);
        let expected = match promised.payloads.get(position) {
            Some(payload) => payload.clone(),
            None => uncertain.next().ok_or_else(|| format!("entry {} was never written", entry.index))?,
        };
        if entry.payload != Payload::Open(expected.clone()) {
            return Err(format!("entry {} is another one: {:?}", entry.index, entry.payload));
        }
        if position >= promised.payloads.len() {
            promised.payloads.push(expected);
        }
        count += 1;
    }
    let expected = promised.payloads.len() as u64;
    if count == expected { Ok(()) } else { Err(format!("{count} entries are read, {expected} are there")) }
}
