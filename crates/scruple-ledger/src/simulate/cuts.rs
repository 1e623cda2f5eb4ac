//! Runs that end in a power cut.

use super::SimStorage;
use super::script::{DIR, Findings, HOUR_MICROS, STEPS, Script, cut_everywhere, open, verified};
use crate::core::Core;
use crate::entries::{Payload, entries};
use crate::frame::{FRAME_HEADER_BYTES, Origin};
use crate::report::chain;
use crate::wal::Item;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use scruple_core::FixedClock;
use std::path::Path;
use std::sync::Arc;

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
    cut_everywhere::<Promised>(seed, cases)
}

impl Script for Promised {
    const CUT_AGAIN_WITHIN: u32 = 40;

    fn new(heavy: bool) -> Self {
        Self { heavy, ..Self::default() }
    }

    fn run(&mut self, storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut ChaCha20Rng) -> Result<(), String> {
        let (mut core, _) = open(storage, clock, rng)?;
        for _ in 0..STEPS {
            match rng.next_u32() % 10 {
                0..=5 => record(&core, rng, self)?,
                6 | 7 => {
                    core.upkeep().and_then(|()| core.integrate()).map_err(|stop| chain(stop.as_ref()))?;
                    self.checkpoint = core.checkpoint().0;
                }
                8 => clock.advance_micros(HOUR_MICROS),
                _ => {
                    drop(core);
                    (core, _) = open(storage, clock, rng)?;
                }
            }
        }
        Ok(())
    }

    fn go_on(&mut self, storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut ChaCha20Rng) -> Result<bool, String> {
        let (core, recovery) = open(storage, clock, rng)?;
        let size = core.size();
        let acknowledged = self.payloads.len() as u64;
        if size < acknowledged {
            return Err(format!("{acknowledged} entries were acknowledged, {size} are there"));
        }
        found(storage, self)?;
        if let Some(last) = core.last_origin(7)
            && last < self.origin
        {
            return Err(format!("origin {} was acknowledged, {last} is there", self.origin));
        }
        self.origin = core.last_origin(7).unwrap_or(0);
        // From here on the entries that were found count as told: the drainer would go on behind them.
        record(&core, rng, self)?;
        core.integrate().map_err(|stop| chain(stop.as_ref()))?;
        let newest = core.checkpoint().0;
        let outside = std::mem::replace(&mut self.checkpoint, newest);
        drop(core);
        found(storage, self)?;
        verified(storage, outside)?;
        Ok(recovery.cut.is_some())
    }

    fn acknowledged(&self) -> usize {
        self.payloads.len()
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
