//! [`Ledger`]: the queue, the recorder thread and the integrator thread.

use crate::core::{Core, lock};
use crate::error::{AppendError, LedgerError, Stop};
use crate::frame::Origin;
use crate::keys::erase_data_key;
use crate::open::{Intent, OpenOptions, Recovery, start};
use crate::origins::Origins;
use crate::wal::{Item, PAYLOAD_BYTES_MAX, Receipt, frame_bytes};
use scruple_core::limits::LEDGER_BATCH_MAX;
use scruple_seal::KeyId;
use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Entries that wait to be written; one more is refused.
pub const QUEUE_ENTRIES_MAX: usize = 16_384;
/// Bytes of entries that wait to be written; one more entry is refused.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How often the tree is brought up to date, in milliseconds: twice within the second that is promised.
pub const INTEGRATE_EVERY_MS: u64 = 400;
/// Bytes of entries that wake the integrator before its time.
const INTEGRATE_BYTES: usize = 16 << 20;

/// Where the outcome of one entry arrives.
#[derive(Default)]
struct Slot(Mutex<SlotState>);

#[derive(Default)]
struct SlotState {
    outcome: Option<Result<Receipt, AppendError>>,
    /// The payload of an entry that was not recorded, for whoever records it elsewhere.
    returned: Option<Vec<u8>>,
    waiter: Option<Waiter>,
}

enum Waiter {
    Thread(Thread),
    Task(Waker),
}

/// An entry that waits to be written: whatever happens to it, the waiter hears of it.
pub(crate) struct Queued {
    pub payload: Vec<u8>,
    pub origin: Option<Origin>,
    slot: Arc<Slot>,
}

impl Queued {
    pub(crate) fn new(payload: Vec<u8>, origin: Option<Origin>) -> (Self, Pending) {
        let slot = Arc::new(Slot::default());
        (Self { payload, origin, slot: Arc::clone(&slot) }, Pending(slot))
    }

    /// Tells the outcome; an entry that failed goes back with it.
    pub(crate) fn complete(&mut self, outcome: Result<Receipt, AppendError>) {
        let waiter = {
            let mut state = lock(&self.slot.0);
            if state.outcome.is_some() {
                return;
            }
            if outcome.is_err() {
                state.returned = Some(std::mem::take(&mut self.payload));
            }
            state.outcome = Some(outcome);
            state.waiter.take()
        };
        match waiter {
            Some(Waiter::Thread(thread)) => thread.unpark(),
            Some(Waiter::Task(waker)) => waker.wake(),
            None => {}
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.complete(Err(AppendError::Stopped(Arc::new(Stop::Thread))));
    }
}

/// An entry on its way to the disk. Wait for it with [`Pending::wait`] or, in async code, `.await` it.
#[must_use = "an entry is recorded only when its receipt has come"]
pub struct Pending(Arc<Slot>);

impl Pending {
    /// Blocks until the entry is durable.
    ///
    /// # Errors
    /// The disk failed; the entry counts as not recorded.
    pub fn wait(self) -> Result<Receipt, AppendError> {
        self.wait_here()
    }

    /// The payload of an entry that failed, once.
    pub(crate) fn take_back(&self) -> Option<Vec<u8>> {
        lock(&self.0.0).returned.take()
    }

    pub(crate) fn wait_here(&self) -> Result<Receipt, AppendError> {
        loop {
            {
                let mut state = lock(&self.0.0);
                if let Some(outcome) = state.outcome.take() {
                    return outcome;
                }
                state.waiter = Some(Waiter::Thread(std::thread::current()));
            }
            std::thread::park();
        }
    }
}

impl Future for Pending {
    type Output = Result<Receipt, AppendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.0.0);
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waiter = Some(Waiter::Task(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

struct Queue {
    items: VecDeque<Queued>,
    bytes: usize,
    /// The last origins of all that was taken, durable or not.
    origins: Origins,
    closed: bool,
    /// The recorder waits for work.
    idle: bool,
}

#[derive(Default)]
struct Wake {
    now: bool,
    closed: bool,
}

struct Shared {
    core: Core,
    queue: Mutex<Queue>,
    work: Condvar,
    wake: Mutex<Wake>,
    tick: Condvar,
}

/// An open ledger. Share it by reference or `Arc`.
pub struct Ledger {
    shared: Arc<Shared>,
    recovery: Recovery,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    recorder: Option<JoinHandle<()>>,
    integrator: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Opens the ledger in `dir`.
    ///
    /// # Errors
    /// There is none, it is in use, damaged, or the disk fails.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, LedgerError> {
        Self::run(start(dir, options, Intent::Open)?)
    }

    /// Makes a new ledger in `dir`, which is made if need be; its parent must exist.
    ///
    /// # Errors
    /// There is one, or the disk fails.
    pub fn create(dir: &Path, options: OpenOptions) -> Result<Self, LedgerError> {
        Self::run(start(dir, options, Intent::Create)?)
    }

    /// Opens the ledger in `dir`, or makes one there. A creation that was interrupted is finished.
    ///
    /// # Errors
    /// It is in use, damaged, or the disk fails.
    pub fn create_or_open(dir: &Path, options: OpenOptions) -> Result<Self, LedgerError> {
        Self::run(start(dir, options, Intent::CreateOrOpen)?)
    }

    fn run((core, recovery): (Core, Recovery)) -> Result<Self, LedgerError> {
        let queue = Queue { items: VecDeque::new(), bytes: 0, origins: core.origins(), closed: false, idle: false };
        let shared = Arc::new(Shared {
            core,
            queue: Mutex::new(queue),
            work: Condvar::new(),
            wake: Mutex::default(),
            tick: Condvar::new(),
        });
        let spawn = |name: &str, run: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    // However the thread ends, whoever waits hears of it.
                    let guard = StopOnDrop(&shared);
                    run(&shared);
                    std::mem::forget(guard);
                })
                .map_err(|error| LedgerError::Thread(Arc::new(error)))
        };
        let ledger = Self { shared: Arc::clone(&shared), recovery, threads: Mutex::default() };
        lock(&ledger.threads).recorder = Some(spawn("ledger-recorder", record_batches)?);
        lock(&ledger.threads).integrator = Some(spawn("ledger-integrator", integrate_often)?);
        Ok(ledger)
    }

    /// What the start found.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Records an entry and returns when it is durable.
    ///
    /// # Errors
    /// It was not recorded: see [`AppendError`].
    pub fn append(&self, payload: &[u8], origin: Option<Origin>) -> Result<Receipt, AppendError> {
        self.submit(payload.to_vec(), origin)?.wait()
    }

    /// Hands an entry over and returns at once; the receipt comes by the [`Pending`]. Entries of one caller are recorded
    /// in the order of their calls.
    ///
    /// # Errors
    /// It was refused: see [`AppendError`].
    pub fn submit(&self, payload: Vec<u8>, origin: Option<Origin>) -> Result<Pending, AppendError> {
        self.try_submit(payload, origin).map_err(|(error, _)| error)
    }

    /// The same; an entry that is refused comes back.
    pub(crate) fn try_submit(
        &self,
        payload: Vec<u8>,
        origin: Option<Origin>,
    ) -> Result<Pending, (AppendError, Vec<u8>)> {
        let core = &self.shared.core;
        let bytes = payload.len();
        let limit = self.payload_bytes_max();
        if bytes > limit {
            return Err((AppendError::TooLong { bytes, limit }, payload));
        }
        let mut queue = lock(&self.shared.queue);
        if let Some(stop) = core.stopped() {
            return Err((stop.into(), payload));
        }
        if queue.closed {
            return Err((AppendError::Closed, payload));
        }
        if queue.items.len() >= QUEUE_ENTRIES_MAX || queue.bytes + bytes > QUEUE_BYTES_MAX {
            return Err((AppendError::QueueFull, payload));
        }
        if let Some(origin) = origin
            && let Err(expected) = queue.origins.take(origin)
        {
            return Err((AppendError::Origin { shard: origin.shard, expected, found: origin.seq }, payload));
        }
        let (queued, pending) = Queued::new(payload, origin);
        queue.bytes += bytes;
        queue.items.push_back(queued);
        let idle = queue.idle;
        drop(queue);
        if idle {
            self.shared.work.notify_one();
        }
        Ok(pending)
    }

    /// Bytes of the longest payload.
    #[must_use]
    pub fn payload_bytes_max(&self) -> usize {
        PAYLOAD_BYTES_MAX.min(self.shared.core.batch_room() - frame_bytes(0))
    }

    /// The last durable position of a shard; the drainer goes on behind it.
    #[must_use]
    pub fn last_origin(&self, shard: u32) -> Option<u64> {
        self.shared.core.last_origin(shard)
    }

    /// The number of durable entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.core.size()
    }

    /// The number of entries under the last signed checkpoint.
    #[must_use]
    pub fn checkpoint_size(&self) -> u64 {
        self.shared.core.checkpoint_size()
    }

    /// The last signed checkpoint, to be kept outside the folder.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        self.shared.core.checkpoint().0
    }

    /// The public key that verifies the checkpoints, as text.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.shared.core.checkpoint().1
    }

    /// Why nothing is taken any more, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<Arc<Stop>> {
        self.shared.core.stopped()
    }

    /// Brings all durable entries into the tree and under a signed checkpoint now; returns its size.
    ///
    /// # Errors
    /// The disk failed, now or before.
    pub fn integrate_now(&self) -> Result<u64, AppendError> {
        Ok(self.shared.core.integrate()?)
    }

    /// Destroys a data key: its entries can never be opened again, their hashes stay valid. The key that seals now must
    /// not be named. The caller records the act as an entry.
    ///
    /// # Errors
    /// There is no such key, or the disk fails.
    pub fn erase_key(&self, id: KeyId) -> Result<(), LedgerError> {
        erase_data_key(self.shared.core.folder(), id, self.shared.core.now())
    }

    /// Takes no more entries, records those that wait, and brings all into the tree.
    ///
    /// # Errors
    /// The disk failed, now or before.
    pub fn close(self) -> Result<(), AppendError> {
        self.join();
        Ok(self.shared.core.integrate().map(drop)?)
    }

    /// Ends a ledger that has stopped and lets go of its folder, so that it can be opened anew though somebody still
    /// holds this one. Both threads have ended by then: nothing of it writes any more.
    pub(crate) fn release(&self) {
        if self.stopped().is_some() {
            self.join();
            self.shared.core.release_lock();
        }
    }

    fn join(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.work.notify_all();
        let mut threads = lock(&self.threads);
        if let Some(thread) = threads.recorder.take() {
            let _ = thread.join();
        }
        lock(&self.shared.wake).closed = true;
        self.shared.tick.notify_all();
        if let Some(thread) = threads.integrator.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.join();
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("dir", &self.shared.core.folder().root()).finish_non_exhaustive()
    }
}

/// Stops the ledger if a thread of it ends by a panic.
struct StopOnDrop<'a>(&'a Shared);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        let stop = self.0.core.stop(Stop::Thread);
        fail_all(self.0, &stop);
    }
}

fn fail_all(shared: &Shared, stop: &Arc<Stop>) {
    let items = {
        let mut queue = lock(&shared.queue);
        queue.bytes = 0;
        std::mem::take(&mut queue.items)
    };
    items.into_iter().for_each(|mut item| item.complete(Err(AppendError::Stopped(Arc::clone(stop)))));
}

/// The recorder: takes what waits, up to a batch, and makes it durable.
fn record_batches(shared: &Shared) {
    let mut batch = Vec::with_capacity(LEDGER_BATCH_MAX);
    while take_batch(shared, &mut batch) {
        let items: Vec<_> =
            batch.iter().map(|queued| Item { payload: &queued.payload, origin: queued.origin }).collect();
        match shared.core.record(&items) {
            Ok(receipts) => {
                for (mut queued, receipt) in batch.drain(..).zip(receipts) {
                    queued.complete(Ok(receipt));
                }
            }
            Err(stop) => {
                batch.drain(..).for_each(|mut queued| queued.complete(Err(Arc::clone(&stop).into())));
                fail_all(shared, &stop);
            }
        }
        if shared.core.needs_upkeep() || shared.core.pending_bytes() > INTEGRATE_BYTES {
            lock(&shared.wake).now = true;
            shared.tick.notify_one();
            shared.core.wait_for_integration();
        }
    }
}

/// Waits for work and takes it; false when the ledger is closed and nothing is left.
fn take_batch(shared: &Shared, batch: &mut Vec<Queued>) -> bool {
    let mut queue = lock(&shared.queue);
    while queue.items.is_empty() {
        if queue.closed {
            return false;
        }
        queue.idle = true;
        queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.idle = false;
    }
    // Where all cores are busy, others have entries nearly ready: they go with this sync instead of the next.
    drop(queue);
    std::thread::yield_now();
    queue = lock(&shared.queue);
    let mut room = shared.core.batch_room();
    while batch.len() < LEDGER_BATCH_MAX {
        let Some(next) = queue.items.front().map(|item| frame_bytes(item.payload.len())) else { break };
        let Some(left) = room.checked_sub(next) else { break };
        room = left;
        let Some(item) = queue.items.pop_front() else { break };
        queue.bytes -= item.payload.len();
        batch.push(item);
    }
    true
}

/// The integrator: tree, checkpoint, and what is made ahead.
fn integrate_often(shared: &Shared) {
    loop {
        let upkeep = shared.core.upkeep().and_then(|()| shared.core.integrate());
        if let Err(stop) = upkeep {
            fail_all(shared, &stop);
            return;
        }
        let mut wake = lock(&shared.wake);
        if !wake.now && !wake.closed {
            let every = Duration::from_millis(INTEGRATE_EVERY_MS);
            let waited = shared.tick.wait_timeout(wake, every);
            wake = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        wake.now = false;
        if wake.closed {
            return;
        }
    }
}
