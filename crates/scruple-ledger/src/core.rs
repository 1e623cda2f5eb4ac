//! The ledger without threads: what records a batch, what integrates, and what makes segments and keys ahead.
//!
//! [`crate::Ledger`] drives it from two threads; the simulation of power cuts drives it from one, so that a seed gives
//! the same run each time.

use crate::error::{LedgerError, Stop, StorageError};
use crate::folder::{Folder, WAL, segment_name};
use crate::frame::SEGMENT_HEADER_BYTES;
use crate::integrate::Integrator;
use crate::keys::make_data_key;
use crate::open::OpenOptions;
use crate::origins::Origins;
use crate::scan::Tail;
use crate::storage::Lock;
use crate::wal::{BATCH_BYTES_MAX, Batch, Item, OpenSegment, Receipt, Writer, segment_room};
use rand_core::CryptoRng;
use scruple_core::{Clock, Timestamp};
use scruple_seal::{FreshKey, KeyProvider, Sealer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of durable entries that may wait for the tree; a batch waits while there are more.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// Locks, also after a panic of another holder: the stop flag decides whether to go on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes what a batch needs ahead of it: the next segment and the next hour's data key.
pub(crate) struct Keeper {
    folder: Arc<Folder>,
    provider: Arc<dyn KeyProvider>,
    clock: Arc<dyn Clock>,
    rng: Mutex<Box<dyn CryptoRng + Send>>,
    shard: u32,
    log: [u8; 16],
    segment_bytes: u64,
    segments: Mutex<Segments>,
    keys: Mutex<Vec<FreshKey>>,
}

struct Segments {
    /// Made and not used, in order.
    ready: VecDeque<OpenSegment>,
    next_ordinal: u64,
}

impl Keeper {
    pub(crate) fn new(
        folder: &Arc<Folder>,
        provider: Arc<dyn KeyProvider>,
        options: OpenOptions,
        log: [u8; 16],
        tail: &Tail,
    ) -> Result<Self, StorageError> {
        let used = tail.end.map(|(ordinal, _)| ordinal);
        let unused = tail.segments.iter().filter(|segment| used.is_none_or(|used| segment.ordinal > used));
        let ready = unused
            .map(|segment| {
                let file = folder.open(&segment_name(segment.ordinal))?;
                let offset = SEGMENT_HEADER_BYTES as u64;
                Ok(OpenSegment { ordinal: segment.ordinal, file, offset, capacity: segment.capacity })
            })
            .collect::<Result<_, StorageError>>()?;
        let next_ordinal = tail.segments.iter().map(|segment| segment.ordinal + 1).max().unwrap_or(1);
        Ok(Self {
            folder: Arc::clone(folder),
            provider,
            clock: options.clock,
            rng: Mutex::new(options.rng),
            shard: options.shard,
            log,
            segment_bytes: options.segment_bytes,
            segments: Mutex::new(Segments { ready, next_ordinal }),
            keys: Mutex::default(),
        })
    }

    fn make_key(&self, hour: i64) -> Result<FreshKey, LedgerError> {
        make_data_key(&self.folder, self.provider.as_ref(), self.shard, hour, lock(&self.rng).as_mut())
    }

    /// The key that a run begins with.
    pub(crate) fn first_key(&self) -> Result<Sealer, LedgerError> {
        let key = self.make_key(self.clock.now().hour())?;
        let path = self.folder.path(crate::folder::KEYS);
        key.into_sealer().map_err(|source| LedgerError::Key { path, source })
    }

    /// A key of this hour, if one was made ahead.
    fn take_key(&self, hour: i64) -> Option<FreshKey> {
        let mut keys = lock(&self.keys);
        let at = keys.iter().position(|key| key.scope().hour == hour)?;
        Some(keys.swap_remove(at))
    }

    /// Sees to it that there is a key of the next hour and, if the clock jumped, of this one.
    fn make_keys(&self, sealing_hour: i64) -> Result<(), LedgerError> {
        let hour = self.clock.now().hour();
        lock(&self.keys).retain(|key| (hour..=hour + 1).contains(&key.scope().hour));
        for wanted in [hour, hour + 1] {
            let there = wanted == sealing_hour || lock(&self.keys).iter().any(|key| key.scope().hour == wanted);
            if !there {
                let key = self.make_key(wanted)?;
                lock(&self.keys).push(key);
            }
        }
        Ok(())
    }

    /// Sees to it that a segment is ready.
    fn make_segment(&self) -> Result<(), StorageError> {
        let mut segments = lock(&self.segments);
        if segments.ready.is_empty() {
            let segment = self.create_segment(&mut segments)?;
            segments.ready.push_back(segment);
        }
        Ok(())
    }

    /// The next segment: the one that is ready, or else one made now.
    fn take_segment(&self) -> Result<OpenSegment, StorageError> {
        let mut segments = lock(&self.segments);
        match segments.ready.pop_front() {
            Some(segment) => Ok(segment),
            None => self.create_segment(&mut segments),
        }
    }

    fn create_segment(&self, segments: &mut Segments) -> Result<OpenSegment, StorageError> {
        let segment = OpenSegment::create(&self.folder, segments.next_ordinal, self.segment_bytes, self.log)?;
        segments.next_ordinal += 1;
        Ok(segment)
    }
}

/// What recovery hands over.
pub(crate) struct Parts {
    /// The last index in each segment that has frames.
    pub segments: BTreeMap<u64, u64>,
    pub origins: Origins,
    pub pending: Batch,
}

/// What is durable.
struct Durable {
    size: u64,
    origins: Origins,
    segments: BTreeMap<u64, u64>,
}

#[derive(Default)]
struct Pending {
    batches: Vec<Batch>,
    bytes: usize,
}

/// The ledger without threads.
pub(crate) struct Core {
    folder: Arc<Folder>,
    keeper: Keeper,
    writer: Mutex<Writer>,
    integrator: Mutex<Integrator>,
    durable: Mutex<Durable>,
    pending: Mutex<Pending>,
    drained: Condvar,
    checkpoint_size: AtomicU64,
    sealing_hour: AtomicI64,
    stop: OnceLock<Arc<Stop>>,
    room: usize,
    /// Of the folder.
    held: Mutex<Option<Box<dyn Lock>>>,
}

impl Core {
    pub(crate) fn new(
        held: Box<dyn Lock>,
        writer: Writer,
        integrator: Integrator,
        keeper: Keeper,
        parts: Parts,
    ) -> Self {
        let durable = Durable { size: writer.next, origins: parts.origins, segments: parts.segments };
        let bytes = parts.pending.entries.len();
        let batches = if bytes == 0 { Vec::new() } else { vec![parts.pending] };
        Self {
            folder: Arc::clone(&writer.folder),
            room: segment_room(keeper.segment_bytes),
            sealing_hour: AtomicI64::new(writer.sealer.scope().hour),
            checkpoint_size: AtomicU64::new(integrator.edge.size()),
            keeper,
            writer: Mutex::new(writer),
            integrator: Mutex::new(integrator),
            durable: Mutex::new(durable),
            pending: Mutex::new(Pending { batches, bytes }),
            drained: Condvar::new(),
            stop: OnceLock::new(),
            held: Mutex::new(Some(held)),
        }
    }

    /// Why the ledger stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<Arc<Stop>> {
        self.stop.get().cloned()
    }

    /// Stops the ledger for good; the first reason stands.
    pub(crate) fn stop(&self, stop: Stop) -> Arc<Stop> {
        let stop = Arc::clone(self.stop.get_or_init(|| Arc::new(stop)));
        // Under the lock: whoever saw no stop waits already, and hears of it.
        let _pending = lock(&self.pending);
        self.drained.notify_all();
        stop
    }

    fn going(&self) -> Result<(), Arc<Stop>> {
        self.stopped().map_or(Ok(()), Err)
    }

    /// Bytes of frames that a batch may have.
    pub(crate) fn batch_room(&self) -> usize {
        self.room.min(BATCH_BYTES_MAX)
    }

    /// Writes a batch and returns when it is durable. The batch fits into [`Core::batch_room`].
    // INVARIANT (acknowledged-is-durable): a receipt is made from the return of this function alone.
    pub(crate) fn record(&self, items: &[Item<'_>]) -> Result<Vec<Receipt>, Arc<Stop>> {
        self.going()?;
        let mut writer = lock(&self.writer);
        let hour = self.keeper.clock.now().hour();
        if writer.sealer.scope().hour != hour {
            // If none is ready, the old key seals on until one is: a key is never made here.
            if let Some(key) = self.keeper.take_key(hour) {
                writer.sealer = key.into_sealer().map_err(|error| self.stop(error.into()))?;
                self.sealing_hour.store(hour, Ordering::Relaxed);
            }
        }
        let written = writer.write_batch(items, &mut || self.keeper.take_segment());
        let (batch, receipts) = written.map_err(|stop| self.stop(stop))?;
        let ordinal = writer.segment_ordinal();
        let size = writer.next;
        let mut durable = lock(&self.durable);
        durable.size = size;
        for origin in &batch.origins {
            let _ = durable.origins.take(*origin);
        }
        if let (Some(ordinal), Some(last)) = (ordinal, size.checked_sub(1)) {
            durable.segments.insert(ordinal, last);
        }
        drop(durable);
        let mut pending = lock(&self.pending);
        pending.bytes += batch.entries.len();
        pending.batches.push(batch);
        Ok(receipts)
    }

    /// Bytes of entries that wait for the tree.
    pub(crate) fn pending_bytes(&self) -> usize {
        lock(&self.pending).bytes
    }

    /// Waits while too much waits for the tree.
    pub(crate) fn wait_for_integration(&self) {
        let mut pending = lock(&self.pending);
        while pending.bytes > PENDING_BYTES_MAX && self.stopped().is_none() {
            pending = self.drained.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a segment or a key is to be made.
    pub(crate) fn needs_upkeep(&self) -> bool {
        self.sealing_hour.load(Ordering::Relaxed) != self.keeper.clock.now().hour()
            || self.keeper.segments.try_lock().is_ok_and(|segments| segments.ready.is_empty())
    }

    /// Makes segments and keys ahead.
    pub(crate) fn upkeep(&self) -> Result<(), Arc<Stop>> {
        self.going()?;
        self.keeper.make_segment().map_err(|error| self.stop(error.into()))?;
        let made = self.keeper.make_keys(self.sealing_hour.load(Ordering::Relaxed));
        made.map_err(|error| match error {
            LedgerError::Storage(error) => self.stop(error.into()),
            LedgerError::Key { source, .. } => self.stop(source.into()),
            _ => self.stop(Stop::Thread),
        })
    }

    /// Brings all that is durable into the tree, signs a checkpoint, and drops segments below it.
    pub(crate) fn integrate(&self) -> Result<u64, Arc<Stop>> {
        self.going()?;
        let mut integrator = lock(&self.integrator);
        let batches = {
            let mut pending = lock(&self.pending);
            pending.bytes = 0;
            std::mem::take(&mut pending.batches)
        };
        self.drained.notify_all();
        if batches.is_empty() {
            return Ok(integrator.edge.size());
        }
        integrator.integrate(batches).map_err(|stop| self.stop(stop))?;
        let size = integrator.edge.size();
        self.checkpoint_size.store(size, Ordering::Release);
        self.drop_segments(size).map_err(|error| self.stop(error.into()))?;
        Ok(size)
    }

    /// Removes segments that are wholly below the checkpoint, the oldest first, each durably before the next, so that a
    /// power cut leaves no gap.
    // INVARIANT (last frame kept): the segment of the last frame stays, so that index and hash chain go on from it.
    fn drop_segments(&self, size: u64) -> Result<(), StorageError> {
        loop {
            let oldest = {
                let durable = lock(&self.durable);
                let last = durable.segments.last_key_value().map(|(ordinal, _)| *ordinal);
                durable
                    .segments
                    .first_key_value()
                    .map(|(ordinal, end)| (*ordinal, *end))
                    .filter(|(ordinal, end)| Some(*ordinal) != last && *end < size)
            };
            let Some((ordinal, _)) = oldest else { return Ok(()) };
            self.folder.remove(&segment_name(ordinal))?;
            self.folder.sync_dir(WAL)?;
            lock(&self.durable).segments.remove(&ordinal);
        }
    }

    /// Lets go of the folder. The ledger has stopped, and no thread of it runs any more.
    pub(crate) fn release_lock(&self) {
        drop(lock(&self.held).take());
    }

    /// The number of durable entries.
    pub(crate) fn size(&self) -> u64 {
        lock(&self.durable).size
    }

    /// The number of entries under the signed checkpoint.
    pub(crate) fn checkpoint_size(&self) -> u64 {
        self.checkpoint_size.load(Ordering::Acquire)
    }

    /// The last durable position of a shard.
    pub(crate) fn last_origin(&self, shard: u32) -> Option<u64> {
        lock(&self.durable).origins.last(shard)
    }

    pub(crate) fn origins(&self) -> Origins {
        lock(&self.durable).origins.clone()
    }

    /// The signed checkpoint and the key that verifies it.
    pub(crate) fn checkpoint(&self) -> (Vec<u8>, String) {
        let integrator = lock(&self.integrator);
        (integrator.checkpoint.clone(), integrator.signer.verifier().to_text())
    }

    pub(crate) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.keeper.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entries::entries;
    use crate::open::{Intent, SEGMENT_BYTES_MIN, start};
    use crate::simulate::SimStorage;
    use scruple_core::FixedClock;
    use scruple_seal::KeyId;
    use std::path::Path;

    const HOUR_MICROS: i64 = 3_600_000_000;

    fn open(storage: &SimStorage, clock: &Arc<FixedClock>) -> Core {
        let clock: Arc<FixedClock> = Arc::clone(clock);
        let options = OpenOptions {
            storage: Arc::new(storage.clone()),
            segment_bytes: SEGMENT_BYTES_MIN,
            ..OpenOptions::new("log.example/core", clock)
        };
        start(Path::new("/ledger"), options, Intent::CreateOrOpen).unwrap().0
    }

    fn key_of_next(core: &Core, storage: &SimStorage) -> KeyId {
        let index = core.record(&[Item { payload: b"x", origin: None }]).unwrap()[0].index;
        let mut read = entries(Path::new("/ledger"), Arc::new(storage.clone()), None, index).unwrap();
        read.next().unwrap().unwrap().key
    }

    #[test]
    fn a_data_key_serves_one_hour_and_one_run_and_is_never_made_on_the_hot_path() {
        let storage = SimStorage::new();
        let clock = Arc::new(FixedClock::new(Timestamp::from_micros(490_000 * HOUR_MICROS)));
        let core = open(&storage, &clock);
        core.upkeep().unwrap();
        let first = key_of_next(&core, &storage);
        assert_eq!(first, key_of_next(&core, &storage));
        clock.advance_micros(HOUR_MICROS);
        assert!(core.needs_upkeep());
        let files = storage.files().len();
        let second = key_of_next(&core, &storage);
        assert_ne!(first, second, "the next hour's key was made ahead");
        assert_eq!(storage.files().len(), files);
        // The clock jumps: until the upkeep has made a key, the old one seals on.
        clock.advance_micros(5 * HOUR_MICROS);
        assert_eq!(second, key_of_next(&core, &storage));
        core.upkeep().unwrap();
        let third = key_of_next(&core, &storage);
        assert_ne!(second, third);
        drop(core);
        let core = open(&storage, &clock);
        let fourth = key_of_next(&core, &storage);
        assert!(![first, second, third].contains(&fourth), "a new run seals with a key of its own");
    }

    #[test]
    fn segments_below_the_checkpoint_go_and_the_last_one_stays() {
        let storage = SimStorage::new();
        let clock = Arc::new(FixedClock::new(Timestamp::from_micros(490_000 * HOUR_MICROS)));
        let core = open(&storage, &clock);
        let segments = || storage.files().iter().filter(|path| path.starts_with("/ledger/wal")).count();
        for _ in 0..6 {
            core.record(&[Item { payload: &[1; 40_000], origin: None }]).unwrap();
        }
        assert_eq!(segments(), 6);
        assert_eq!(core.integrate().unwrap(), 6);
        assert_eq!(segments(), 1);
        drop(core);
        assert_eq!(open(&storage, &clock).size(), 6);
    }
}
