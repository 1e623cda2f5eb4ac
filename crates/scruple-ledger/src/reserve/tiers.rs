//! Several reserves, one after the other, and how their entries go into the main ledger.
//!
//! A merge of one reserve: all entries are read back from its disk and opened; those that the main ledger does not have
//! by their origins are appended in their order; what was appended is read back from the main ledger's disk and compared;
//! only then is the reserve emptied, and one notice of it recorded. A crash at any point leaves a state from which the
//! same steps end the same way: the origins tell what is there, the header of the reserve tells that it was emptied, and
//! the notice carries the position behind the last entry as its own origin.

use super::format::Generation;
use super::{RESERVE_BYTES_MAX, RESERVE_BYTES_MIN, RESERVE_SHARDS, Reserve};
use crate::core::Core;
use crate::entries::{Payload, entries};
use crate::error::{AppendError, Damage, LedgerError};
use crate::folder::{Folder, RESERVE_LOG, RESERVE_NEW};
use crate::frame::Origin;
use crate::ledger::Ledger;
use crate::recorder::RefusedCounts;
use crate::storage::{Lock, Storage};
use crate::tree::{Hash, leaf_hash};
use crate::wal::{Item, Receipt, frame_bytes};
use rand_core::CryptoRng;
use scruple_core::Clock;
use scruple_core::limits::LEDGER_BATCH_MAX;
use scruple_seal::KeyProvider;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The bit of a generation that tells the first reserve from the others.
const SECOND: u32 = 1 << 30;
/// Bytes of payloads that a merge hands over at a time.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Reads of a ledger that is in use may meet a file that gives way to another at that moment.
const READS_MAX: u32 = 3;

/// What the reserves share with the main ledger.
pub(crate) struct Env {
    pub storage: Arc<dyn Storage>,
    pub clock: Arc<dyn Clock>,
    pub rng: Box<dyn CryptoRng + Send>,
    pub provider: Arc<dyn KeyProvider>,
    pub log: [u8; 16],
    pub main_dir: PathBuf,
}

/// A reserve that was merged: all its entries stand in the main ledger, read back and compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MergedReserve {
    /// The shard of the origins that its entries have in the main ledger.
    pub shard: u32,
    /// Its entries.
    pub entries: u64,
}

/// Builds the entries that tell of an outage: this crate knows no entry bodies.
pub trait Notices: Send + Sync {
    /// The entry that tells what was refused while the ledger did not write.
    fn refused(&self, refused: &RefusedCounts) -> Vec<u8>;
    /// The entry that tells that a reserve was merged. It is recorded once for each.
    fn merged(&self, merged: &MergedReserve) -> Vec<u8>;
}

/// Why a recovery did not come to its end. It can be tried again at any time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The main ledger cannot be opened.
    #[error("the ledger cannot be opened anew")]
    Main(#[source] LedgerError),
    /// The main ledger stopped, or refused an entry.
    #[error("the ledger does not take the entries of the reserve")]
    Append(#[from] AppendError),
    /// A reserve cannot be read or written, or is damaged. It is kept as it is.
    #[error("the reserve cannot be merged")]
    Reserve(#[from] LedgerError),
}

/// What the main ledger does for a merge.
pub(crate) trait Main {
    fn last_origin(&self, shard: u32) -> Option<u64>;
    /// Records all of them in order, and returns when they are durable.
    fn record_all(&self, items: Vec<(Vec<u8>, Origin)>) -> Result<Vec<Receipt>, AppendError>;
}

impl Main for Ledger {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        Self::last_origin(self, shard)
    }

    fn record_all(&self, items: Vec<(Vec<u8>, Origin)>) -> Result<Vec<Receipt>, AppendError> {
        let mut refused = None;
        let mut pending = Vec::with_capacity(items.len());
        for (payload, origin) in items {
            match self.submit(payload, Some(origin)) {
                Ok(one) => pending.push(one),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        // All that were handed over are waited for, so that the durable origins tell the next try where to go on.
        let outcomes: Vec<_> = pending.into_iter().map(crate::Pending::wait).collect();
        let receipts = outcomes.into_iter().collect::<Result<_, _>>()?;
        refused.map_or(Ok(receipts), Err)
    }
}

impl Main for Core {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        Self::last_origin(self, shard)
    }

    fn record_all(&self, items: Vec<(Vec<u8>, Origin)>) -> Result<Vec<Receipt>, AppendError> {
        let mut receipts = Vec::with_capacity(items.len());
        let mut rest = items.as_slice();
        while !rest.is_empty() {
            let mut room = self.batch_room();
            let fits = |(payload, _): &&(Vec<u8>, Origin)| {
                let left = room.checked_sub(frame_bytes(payload.len()));
                room = left.unwrap_or(room);
                left.is_some()
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let batch: Vec<_> = batch.iter().map(|(payload, origin)| Item { payload, origin: Some(*origin) }).collect();
            receipts.extend(self.record(&batch)?);
            rest = after;
        }
        Ok(receipts)
    }
}

/// One reserve in its folder, open or not.
struct Tier {
    folder: Arc<Folder>,
    lock: Option<Box<dyn Lock>>,
    reserve: Option<Reserve>,
    /// Why it is not open.
    problem: Option<String>,
    /// What was read back from the main ledger was not what had been appended: the reserve keeps its entries.
    held: Option<Damage>,
}

/// What the reserves have used, and whether one of them takes entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Room {
    pub used_bytes: u64,
    pub entries: u64,
    pub takes: bool,
    /// A reserve is closed, stopped, or not yet known to be merged.
    pub needs_care: bool,
}

/// The reserves in the order of their use.
pub(crate) struct Reserves {
    tiers: Vec<Tier>,
    env: Env,
}

impl Reserves {
    /// Opens the reserves, and makes those that are not there if the main ledger is open. One that cannot be opened for
    /// the disk's or its own sake is left closed: the others serve.
    ///
    /// # Errors
    /// One is in use by another process, cannot be made, or none can be opened and neither can the main ledger.
    pub(crate) fn open(env: Env, dirs: &[(PathBuf, u64)], main: Option<&dyn Main>) -> Result<Self, LedgerError> {
        let mut reserves = Self { tiers: Vec::new(), env };
        for (number, (dir, bytes)) in dirs.iter().enumerate() {
            if !(RESERVE_BYTES_MIN..=RESERVE_BYTES_MAX).contains(bytes) {
                return Err(LedgerError::Option("`reserve` is out of range"));
            }
            let folder = Arc::new(Folder::new(dir, Arc::clone(&reserves.env.storage)));
            let mut tier = Tier { folder, lock: None, reserve: None, problem: None, held: None };
            if let Some(main) = main {
                let bit = if number == 0 { 0 } else { SECOND };
                tier.make(*bytes, bit, &mut reserves.env, main)?;
            }
            reserves.tiers.push(tier);
        }
        match reserves.reopen() {
            Err(error @ LedgerError::Locked(_)) => Err(error),
            Err(error) if main.is_none() && !reserves.room().takes => Err(error),
            _ => Ok(reserves),
        }
    }

    /// Opens anew what is closed or has stopped.
    ///
    /// # Errors
    /// The first of them that cannot be opened.
    pub(crate) fn reopen(&mut self) -> Result<(), LedgerError> {
        let mut first = Ok(());
        for tier in &mut self.tiers {
            if tier.reserve.as_ref().is_some_and(|reserve| reserve.stopped().is_none()) {
                continue;
            }
            tier.reserve = None;
            match tier.open(&mut self.env) {
                Ok(reserve) => (tier.reserve, tier.problem) = (Some(reserve), None),
                Err(error) => {
                    tier.problem = Some(crate::report::chain(&error));
                    first = first.and(Err(error));
                }
            }
        }
        first
    }

    /// Records entries: each in the first reserve that takes it. The outcomes are in the order of the entries.
    pub(crate) fn record(&mut self, payloads: &[&[u8]]) -> Vec<Result<Receipt, AppendError>> {
        let mut outcomes = Vec::with_capacity(payloads.len());
        let mut rest = payloads;
        for reserve in self.tiers.iter_mut().filter_map(|tier| tier.reserve.as_mut()) {
            while !rest.is_empty() && reserve.takes() {
                // What stopped it is told by the state; the next one is tried.
                let Ok(receipts) = reserve.record(rest) else { break };
                rest = rest.get(receipts.len()..).unwrap_or_default();
                outcomes.extend(receipts.into_iter().map(Ok));
            }
        }
        outcomes.extend(rest.iter().map(|_| Err(AppendError::NoReserve)));
        outcomes
    }

    pub(crate) fn room(&self) -> Room {
        self.tiers.iter().fold(Room::default(), |mut room, tier| {
            room.needs_care |= tier.reserve.as_ref().is_none_or(|reserve| reserve.stopped().is_some());
            if let Some(reserve) = &tier.reserve {
                room.used_bytes += reserve.used();
                room.entries += reserve.entries();
                room.takes |= reserve.takes();
            }
            room
        })
    }

    /// Why reserves are closed, do not take entries or are not merged.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = self.tiers.iter().filter_map(|tier| {
            let stopped = tier.reserve.as_ref().and_then(|reserve| reserve.stopped());
            let held = tier.held.as_ref().map(ToString::to_string);
            tier.problem.clone().or_else(|| stopped.map(|stop| crate::report::chain(stop.as_ref()))).or(held)
        });
        problems.collect()
    }

    /// Merges all reserves, and returns the generations whose notice was recorded now.
    ///
    /// # Errors
    /// The first that cannot be merged; the others are.
    pub(crate) fn merge(
        &mut self,
        main: &dyn Main,
        notices: &dyn Notices,
    ) -> Result<Vec<MergedReserve>, RecoverError> {
        let mut merged = Vec::new();
        let mut first = Ok(());
        for tier in &mut self.tiers {
            let Some(reserve) = &mut tier.reserve else { continue };
            let outcome = match &tier.held {
                Some(damage) => Err(LedgerError::from(damage.clone()).into()),
                None => merge_one(reserve, main, &mut self.env, &mut tier.held),
            };
            match outcome.and_then(|()| notice(reserve, main, notices)) {
                Ok(generation) => merged.extend(generation),
                Err(error) => first = first.and(Err(error)),
            }
        }
        first.map(|()| merged)
    }
}

impl Tier {
    /// Makes the reserve if it is not there.
    fn make(&mut self, bytes: u64, bit: u32, env: &mut Env, main: &dyn Main) -> Result<(), LedgerError> {
        // A folder that does not read is left closed: it may hold entries.
        let Ok(items) = self.folder.list("") else { return Ok(()) };
        let is_there = |name: &str| items.iter().any(|item| item.name == name);
        if is_there(RESERVE_LOG) {
            if is_there(RESERVE_NEW) {
                self.lock = Some(self.folder.lock()?);
                self.folder.remove(RESERVE_NEW)?;
            }
            return Ok(());
        }
        self.folder.create_own_dir()?;
        self.lock = Some(self.folder.lock()?);
        Ok(Reserve::create(&self.folder, bytes, draw(bit, env.rng.as_mut(), main), env.log)?)
    }

    fn open(&mut self, env: &mut Env) -> Result<Reserve, LedgerError> {
        if self.lock.is_none() {
            self.lock = Some(self.folder.lock()?);
        }
        Reserve::open(&self.folder, env)
    }
}

/// A generation that the main ledger does not know.
fn draw(bit: u32, rng: &mut dyn CryptoRng, main: &dyn Main) -> u32 {
    loop {
        let shard = RESERVE_SHARDS | bit | (rng.next_u32() & (SECOND - 1));
        if main.last_origin(shard).is_none() {
            return shard;
        }
    }
}

/// What was appended: by index in the main ledger, the origin and a hash of the payload.
type Appended = BTreeMap<u64, (Origin, Hash)>;

fn merge_one(
    reserve: &mut Reserve,
    main: &dyn Main,
    env: &mut Env,
    held: &mut Option<Damage>,
) -> Result<(), RecoverError> {
    if let Some(stop) = reserve.stopped() {
        return Err(AppendError::Stopped(Arc::clone(stop)).into());
    }
    if reserve.entries() == 0 {
        return Ok(());
    }
    // Every entry is opened before the first is appended.
    reserve.read(env.provider.as_ref(), &mut |_, _| Ok(()))?;
    let last = main.last_origin(reserve.shard()).unwrap_or(0);
    let mut appended = Appended::new();
    let mut chunk = Chunk::default();
    reserve.read(env.provider.as_ref(), &mut |origin, payload| {
        if origin.seq > last {
            chunk.bytes += payload.len();
            chunk.items.push((payload, origin));
        }
        if chunk.items.len() >= LEDGER_BATCH_MAX || chunk.bytes >= CHUNK_BYTES_MAX {
            std::mem::take(&mut chunk).append(main, &mut appended)?;
        }
        Ok(())
    })?;
    chunk.append(main, &mut appended)?;
    if let Err(error) = read_back(env, &appended) {
        if let LedgerError::Damaged(damage) = &error {
            *held = Some(damage.clone());
        }
        return Err(error.into());
    }
    // relies on (acknowledged-is-durable): all entries have receipts of the main ledger by now.
    let next = draw(reserve.shard() & SECOND, env.rng.as_mut(), main);
    reserve.empty(next, env).map_err(|stop| AppendError::Stopped(stop).into())
}

#[derive(Default)]
struct Chunk {
    items: Vec<(Vec<u8>, Origin)>,
    bytes: usize,
}

impl Chunk {
    fn append(self, main: &dyn Main, appended: &mut Appended) -> Result<(), AppendError> {
        let told: Vec<_> = self.items.iter().map(|(payload, origin)| (*origin, leaf_hash(payload))).collect();
        let receipts = main.record_all(self.items)?;
        appended.extend(receipts.iter().map(|receipt| receipt.index).zip(told));
        Ok(())
    }
}

/// Reads what was appended back from the main ledger's disk and compares it.
fn read_back(env: &Env, appended: &Appended) -> Result<(), LedgerError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match compare(env, appended) {
            Err(_) if tries < READS_MAX => {}
            result => return result,
        }
    }
}

fn compare(env: &Env, appended: &Appended) -> Result<(), LedgerError> {
    let (Some((first, _)), Some((last, _))) = (appended.first_key_value(), appended.last_key_value()) else {
        return Ok(());
    };
    let provider = Some(Arc::clone(&env.provider));
    let mut left = appended.len();
    for entry in entries(&env.main_dir, Arc::clone(&env.storage), provider, *first)? {
        let entry = entry?;
        if let Some((origin, hash)) = appended.get(&entry.index) {
            let same = matches!(&entry.payload, Payload::Open(bytes) if leaf_hash(bytes) == *hash);
            if !same || entry.origin != Some(*origin) {
                let what = "entry is not the one that was merged from the reserve";
                return Err(Damage::new(&env.main_dir, what).entry(entry.index).into());
            }
            left -= 1;
        }
        if entry.index == *last {
            break;
        }
    }
    if left == 0 {
        return Ok(());
    }
    let what = format!("{left} entries that were merged from the reserve are not there");
    Err(Damage::new(&env.main_dir, what).entry(*last).into())
}

/// Records the notice of the generation that was merged last, unless the main ledger has it.
fn notice(
    reserve: &Reserve,
    main: &dyn Main,
    notices: &dyn Notices,
) -> Result<Option<MergedReserve>, RecoverError> {
    let Some(Generation { shard, entries }) = reserve.before() else { return Ok(None) };
    // Another position: the notice is there, or the main ledger was restored from before the merge.
    if main.last_origin(shard) != Some(entries) {
        return Ok(None);
    }
    let merged = MergedReserve { shard, entries };
    main.record_all(vec![(notices.merged(&merged), Origin::new(shard, entries + 1))])?;
    Ok(Some(merged))
}
