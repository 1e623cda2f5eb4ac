//! Runs with an emergency reserve that end in a power cut.

use super::SimStorage;
use super::script::{DIR, Findings, HOUR_MICROS, STEPS, Script, cut_everywhere, open, options, verified};
use crate::core::Core;
use crate::entries::{Payload, entries};
use crate::frame::FRAME_HEADER_BYTES;
use crate::open::OpenOptions;
use crate::recorder::{RefusedCounts, env};
use crate::report::chain;
use crate::reserve::{MergedReserve, Notices, RESERVE_BYTES_MIN, RESERVE_SHARDS, Reserves};
use crate::wal::Item;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use scruple_core::FixedClock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The second reserve lies beside the ledger, the first in it.
const SECOND_DIR: &str = "/second";

/// What a run has been promised so far.
#[derive(Default)]
struct Promised {
    /// Payloads that were acknowledged, by the main ledger or by a reserve.
    told: Vec<Vec<u8>>,
    /// Payloads that were being written: each may be found or not.
    uncertain: Vec<Vec<u8>>,
    /// The last checkpoint that somebody may have kept.
    checkpoint: Vec<u8>,
    /// Entries are large, so that a reserve is used up.
    heavy: bool,
}

struct Told;

impl Notices for Told {
    fn refused(&self, _: &RefusedCounts) -> Vec<u8> {
        b"refused".to_vec()
    }

    fn merged(&self, merged: &MergedReserve) -> Vec<u8> {
        format!("merged {} entries of {:x}", merged.entries, merged.shard).into_bytes()
    }
}

/// Makes `cases` seeded runs of a ledger with two reserves, and for each of them cuts the power after every operation:
/// while a reserve is made, written, merged and emptied. After each cut all is merged, and every acknowledged entry must
/// stand in the main ledger once, nothing twice and nothing that was not written, each emptied reserve must have its one
/// notice, and the verification must be good. A part of the starts is cut again, and a part of them begins without the
/// main ledger.
#[must_use]
pub fn reserve_power_cuts(seed: u64, cases: u64) -> Findings {
    cut_everywhere::<Promised>(seed, cases)
}

impl Script for Promised {
    const CUT_AGAIN_WITHIN: u32 = 60;

    fn new(heavy: bool) -> Self {
        Self { heavy, ..Self::default() }
    }

    fn run(&mut self, storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut ChaCha20Rng) -> Result<(), String> {
        let (mut core, mut reserves, _) = open_both(storage, clock, rng)?;
        for _ in 0..STEPS {
            match rng.next_u32() % 12 {
                0 | 1 => record(&core, rng, self)?,
                2..=6 => record_in_reserve(&mut reserves, rng, self)?,
                7 | 8 => drop(reserves.merge(&core, &Told).map_err(|error| chain(&error))?),
                9 => {
                    core.upkeep().and_then(|()| core.integrate()).map_err(|stop| chain(stop.as_ref()))?;
                    self.checkpoint = core.checkpoint().0;
                }
                10 => clock.advance_micros(HOUR_MICROS),
                _ => {
                    drop((core, reserves));
                    (core, reserves, _) = open_both(storage, clock, rng)?;
                }
            }
        }
        Ok(())
    }

    fn go_on(&mut self, storage: &SimStorage, clock: &Arc<FixedClock>, rng: &mut ChaCha20Rng) -> Result<bool, String> {
        if rng.next_u32().is_multiple_of(3)
            && let Ok(mut reserves) = open_reserves(options(storage, clock, rng), None)
        {
            // The main ledger does not open: care goes on from where the reserve is.
            record_in_reserve(&mut reserves, rng, self)?;
        }
        let (core, mut reserves, torn) = open_both(storage, clock, rng)?;
        record_in_reserve(&mut reserves, rng, self)?;
        record(&core, rng, self)?;
        reserves.merge(&core, &Told).map_err(|error| chain(&error))?;
        if reserves.room().entries > 0 {
            return Err("a reserve was merged and is not empty".to_owned());
        }
        record_in_reserve(&mut reserves, rng, self)?;
        drop((core, reserves));
        // Once more, as the next start would.
        let (core, mut reserves, _) = open_both(storage, clock, rng)?;
        reserves.merge(&core, &Told).map_err(|error| chain(&error))?;
        core.integrate().map_err(|stop| chain(stop.as_ref()))?;
        let newest = core.checkpoint().0;
        let outside = std::mem::replace(&mut self.checkpoint, newest);
        drop((core, reserves));
        found(storage, self)?;
        match verified(storage, outside)?.in_reserve {
            0 => Ok(torn),
            left => Err(format!("{left} entries are left in the reserve")),
        }
    }

    fn acknowledged(&self) -> usize {
        self.told.len()
    }
}

fn dirs() -> [(PathBuf, u64); 2] {
    let dir = Path::new(DIR).join(crate::folder::RESERVE);
    [(dir, RESERVE_BYTES_MIN), (PathBuf::from(SECOND_DIR), RESERVE_BYTES_MIN)]
}

fn open_reserves(options: OpenOptions, main: Option<&Core>) -> Result<Reserves, String> {
    let env = env(Path::new(DIR), options).map_err(|error| chain(&error))?;
    let opened = Reserves::open(env, &dirs(), main.map(|core| core as &dyn crate::reserve::Main));
    let opened = opened.map_err(|error| chain(&error))?;
    let problems = opened.problems();
    if problems.is_empty() { Ok(opened) } else { Err(problems.join("; ")) }
}

fn open_both(
    storage: &SimStorage,
    clock: &Arc<FixedClock>,
    rng: &mut ChaCha20Rng,
) -> Result<(Core, Reserves, bool), String> {
    let (core, recovery) = open(storage, clock, rng)?;
    let reserves = open_reserves(options(storage, clock, rng), Some(&core))?;
    Ok((core, reserves, recovery.cut.is_some()))
}

fn payloads(rng: &mut ChaCha20Rng, heavy: bool) -> Vec<Vec<u8>> {
    let count = 1 + rng.next_u32() % 5;
    let most = if heavy { 12_000 } else { 1_500 };
    let one = |_| {
        let mut payload = vec![0; usize::try_from(24 + rng.next_u32() % most).unwrap_or(24)];
        rng.fill_bytes(&mut payload);
        payload
    };
    (0..count).map(one).collect()
}

fn record(core: &Core, rng: &mut ChaCha20Rng, promised: &mut Promised) -> Result<(), String> {
    let mut room = core.batch_room();
    let payloads: Vec<_> = payloads(rng, promised.heavy)
        .into_iter()
        .take_while(|payload| {
            let left = room.checked_sub(FRAME_HEADER_BYTES + payload.len() + 100);
            room = left.unwrap_or(0);
            left.is_some()
        })
        .collect();
    let items: Vec<_> = payloads.iter().map(|payload| Item { payload, origin: None }).collect();
    let recorded = core.record(&items);
    drop(items);
    match recorded {
        Ok(_) => promised.told.extend(payloads),
        Err(stop) => {
            promised.uncertain.extend(payloads);
            return Err(chain(stop.as_ref()));
        }
    }
    Ok(())
}

fn record_in_reserve(reserves: &mut Reserves, rng: &mut ChaCha20Rng, promised: &mut Promised) -> Result<(), String> {
    let payloads = payloads(rng, promised.heavy);
    let given: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
    let outcomes = reserves.record(&given);
    for (payload, outcome) in payloads.into_iter().zip(outcomes) {
        match outcome {
            Ok(receipt) if receipt.in_reserve => promised.told.push(payload),
            Ok(_) => return Err("a receipt of the reserve says that it is not one".to_owned()),
            // Refused, or the power went: then it may be found.
            Err(_) => promised.uncertain.push(payload),
        }
    }
    Ok(())
}

/// Compares the entries of the main ledger with those that were promised; what was uncertain and is there counts from now
/// on.
fn found(storage: &SimStorage, promised: &mut Promised) -> Result<(), String> {
    let read = entries(Path::new(DIR), Arc::new(storage.clone()), None, 0).map_err(|error| chain(&error))?;
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut generations: BTreeMap<u32, (u64, Vec<u8>)> = BTreeMap::new();
    for entry in read {
        let entry = entry.map_err(|error| chain(&error))?;
        let Payload::Open(payload) = entry.payload else { return Err(format!("entry {} does not open", entry.index)) };
        if let Some(origin) = entry.origin.filter(|origin| origin.shard >= RESERVE_SHARDS) {
            generations.insert(origin.shard, (origin.seq, payload.clone()));
        }
        *counts.entry(payload).or_default() += 1;
    }
    // The last entry of each generation is its notice, and tells how many came before it.
    for (shard, (seq, payload)) in generations {
        if payload != Told.merged(&MergedReserve { shard, entries: seq - 1 }) {
            return Err(format!("generation {shard:x} does not end with its notice"));
        }
        counts.remove(&payload);
    }
    for payload in &promised.told {
        match counts.remove(payload) {
            Some(1) => {}
            Some(count) => return Err(format!("an acknowledged entry stands {count} times")),
            None => return Err("an acknowledged entry is lost".to_owned()),
        }
    }
    for payload in std::mem::take(&mut promised.uncertain) {
        match counts.remove(&payload) {
            Some(1) => promised.told.push(payload),
            Some(count) => return Err(format!("an entry stands {count} times")),
            None => {}
        }
    }
    match counts.len() {
        0 => Ok(()),
        count => Err(format!("{count} entries were never written, or are a second notice")),
    }
}
