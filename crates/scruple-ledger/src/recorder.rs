//! [`Recorder`]: a ledger that care can rely on. It holds the main ledger, opens it anew after a fault, and meanwhile
//! records entries of care in the emergency reserve.
//!
//! While the main ledger writes, every entry goes there and nowhere else, at the price of [`Ledger::submit`]. When it
//! stops (a full disk, any error of the disk), entries of [`Urgency::Care`] go to the reserves, one after the other, each
//! durable before its receipt; all others are refused at once. [`Recorder::recover`] brings the main ledger back and the
//! reserve's entries into it.
//!
//! An entry that was on its way when the main ledger failed may stand in both: it was refused there, yet the bytes may
//! have reached the disk. Twice the same record is the fault that may happen; a release without one is not.
//!
//! It deliberately knows no purposes and no entry bodies: the caller says what is care, and [`Notices`] builds the entries
//! that tell of an outage. It has one thread, which writes to the reserves; nothing here waits for a time to pass.

use crate::core::lock;
use crate::error::{AppendError, LedgerError, Stop};
use crate::folder::{Folder, RESERVE};
use crate::frame::Origin;
use crate::keys::{log_id, read_kek, read_vkey};
use crate::ledger::{Ledger, Pending, QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX, Queued};
use crate::open::OpenOptions;
use crate::reserve::{
    Env, Main, MergedReserve, Notices, RESERVE_BYTES, RESERVE_SHARDS, RecoverError, Reserves, Room,
};
use crate::wal::{BATCH_BYTES_MAX, PAYLOAD_BYTES_MAX, Receipt, frame_bytes, segment_room};
use scruple_core::limits::LEDGER_BATCH_MAX;
use scruple_core::{Clock, Timestamp};
use scruple_seal::KeyProvider;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

/// Codes that are counted apart; what comes beyond is counted as `other`.
pub const REFUSED_CODES_MAX: usize = 64;
/// Bytes of a code; a longer one is counted as `other`.
pub const REFUSED_CODE_BYTES_MAX: usize = 64;

/// Whether an entry must be recorded though the main ledger does not write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// It is of care: the purposes TREAT, ETREAT, BTG.
    Care,
    /// It is not: it is refused while the main ledger does not write.
    Other,
}

/// A reserve: its folder, and its bytes if it is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReserveOptions {
    /// Its folder; the parent must exist.
    pub dir: PathBuf,
    /// Bytes that it is made with. One that is there keeps its size.
    pub bytes: u64,
}

/// How a recorder is opened.
pub struct RecorderOptions {
    /// The options of the main ledger, each time that it is opened. The reserves have its disk, clock and key-encryption
    /// key, and a generator of it.
    pub ledger: Box<dyn Fn() -> OpenOptions + Send + Sync>,
    /// The reserves in the order of their use. Empty: there is none.
    pub reserves: Vec<ReserveOptions>,
    /// Builds the entries that tell of an outage.
    pub notices: Box<dyn Notices>,
}

impl RecorderOptions {
    /// One reserve of [`RESERVE_BYTES`] in the ledger's own folder and, if a path is given, a second of that size there.
    /// The second protects only on another disk.
    #[must_use]
    pub fn new(
        dir: &Path,
        second: Option<&Path>,
        ledger: impl Fn() -> OpenOptions + Send + Sync + 'static,
        notices: impl Notices + 'static,
    ) -> Self {
        let dirs = [Some(dir.join(RESERVE)), second.map(Path::to_owned)];
        let reserves = dirs.into_iter().flatten().map(|dir| ReserveOptions { dir, bytes: RESERVE_BYTES }).collect();
        Self { ledger: Box::new(ledger), reserves, notices: Box::new(notices) }
    }
}

/// What was refused while the main ledger did not write, by code. It is kept in memory: a crash forgets it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RefusedCounts {
    counts: BTreeMap<String, u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl RefusedCounts {
    fn count(&mut self, code: &str, now: Timestamp) {
        let known = self.counts.contains_key(code);
        let fits = code.len() <= REFUSED_CODE_BYTES_MAX && self.counts.len() < REFUSED_CODES_MAX;
        let code = if known || fits { code } else { "other" };
        *self.counts.entry(code.to_owned()).or_default() += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Takes away what was recorded.
    fn subtract(&mut self, recorded: &Self) {
        for (code, count) in &recorded.counts {
            if let Some(left) = self.counts.get_mut(code) {
                *left = left.saturating_sub(*count);
            }
        }
        self.counts.retain(|_, count| *count > 0);
        self.first = if self.counts.is_empty() { None } else { recorded.last };
        self.last = self.last.filter(|_| !self.counts.is_empty());
    }

    /// Code and number, by code.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(code, count)| (code.as_str(), *count))
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// When the first and the last were refused.
    #[must_use]
    pub fn between(&self) -> Option<(Timestamp, Timestamp)> {
        self.first.zip(self.last)
    }
}

/// What a recorder is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecorderState {
    /// The main ledger writes, and no reserve holds anything.
    Normal,
    /// The main ledger writes, and entries of a reserve are yet to be merged.
    Merging {
        /// Bytes that the reserves have used.
        used_bytes: u64,
        /// Entries that they hold.
        entries: u64,
    },
    /// The main ledger does not write; entries of care go to the reserve.
    Reserve {
        /// Since when, as far as it was noticed.
        since: Timestamp,
        /// Bytes that the reserves have used.
        used_bytes: u64,
        /// Entries that they hold.
        entries: u64,
        /// What was refused.
        refused: u64,
    },
    /// Nothing can write: everything is refused.
    Down {
        /// Since when the main ledger does not write, as far as it was noticed.
        since: Timestamp,
        /// What was refused.
        refused: u64,
    },
}

/// What a recovery did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// The main ledger was opened anew.
    pub reopened: bool,
    /// Reserves whose merge was recorded.
    pub merged: Vec<MergedReserve>,
    /// Refusals that were recorded.
    pub refused: u64,
}

/// A ledger that care can rely on. Share it by reference or `Arc`.
pub struct Recorder {
    dir: PathBuf,
    options: Box<dyn Fn() -> OpenOptions + Send + Sync>,
    notices: Box<dyn Notices>,
    clock: Arc<dyn Clock>,
    payload_bytes_max: usize,
    /// `None`: it could not be opened.
    main: RwLock<Option<Arc<Ledger>>>,
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
    refused: Mutex<RefusedCounts>,
    since: Mutex<Option<Timestamp>>,
    /// Why the last recovery did not come to its end.
    problem: Mutex<Option<String>>,
    recovering: Mutex<()>,
}

impl Recorder {
    /// Opens the main ledger in `dir`, or makes one, and the reserves. If the disk does not let the main ledger be opened,
    /// the recorder begins on a reserve that is there. What a reserve holds from before is merged.
    ///
    /// # Errors
    /// The main ledger is in use, damaged, or cannot be opened and no reserve can; a reserve is in use or cannot be made.
    pub fn open(dir: &Path, options: RecorderOptions) -> Result<Self, LedgerError> {
        let RecorderOptions { ledger: make, reserves, notices } = options;
        let (main, failed) = match Ledger::create_or_open(dir, make()) {
            Ok(ledger) => (Some(Arc::new(ledger)), None),
            Err(error @ LedgerError::Storage(_)) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let options = make();
        let clock = Arc::clone(&options.clock);
        let room = segment_room(options.segment_bytes).min(BATCH_BYTES_MAX);
        let payload_bytes_max = PAYLOAD_BYTES_MAX.min(room.saturating_sub(frame_bytes(0)));
        let dirs: Vec<_> = reserves.into_iter().map(|reserve| (reserve.dir, reserve.bytes)).collect();
        let opened = env(dir, options)
            .and_then(|env| Reserves::open(env, &dirs, main.as_deref().map(|ledger| ledger as &dyn Main)));
        let opened = match (opened, failed) {
            (Ok(opened), None) => opened,
            (Ok(opened), Some(_)) if opened.room().takes => opened,
            // Neither: what the main ledger says comes first.
            (_, Some(failed)) => return Err(failed),
            (Err(error), None) => return Err(error),
        };
        let line = Arc::new(Line {
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Mutex::new(opened.room()),
            reserves: Mutex::new(opened),
        });
        let thread = {
            let line = Arc::clone(&line);
            std::thread::Builder::new().name("ledger-reserve".to_owned()).spawn(move || record_in_reserve(&line))
        };
        let thread = Some(thread.map_err(|error| LedgerError::Thread(Arc::new(error)))?);
        let recorder = Self {
            dir: dir.to_owned(),
            options: make,
            notices,
            clock,
            payload_bytes_max,
            main: RwLock::new(main),
            line,
            thread,
            refused: Mutex::default(),
            since: Mutex::default(),
            problem: Mutex::default(),
            recovering: Mutex::default(),
        };
        if recorder.main().is_some() {
            // What stands against it is told by `problems`, and tried again by the caller's next recovery.
            let _ = recorder.recover();
        } else {
            recorder.went_down();
        }
        Ok(recorder)
    }

    /// The main ledger, if it is open. It may have stopped. Do not keep it: after a fault another one takes its place.
    #[must_use]
    pub fn main(&self) -> Option<Arc<Ledger>> {
        self.main.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records an entry. The future resolves when it is durable, in the main ledger or, if it is of care and the main
    /// ledger fails before or meanwhile, in the reserve. A future that is dropped records nothing more.
    #[must_use = "an entry is recorded only when its receipt has come"]
    pub fn record(&self, payload: Vec<u8>, urgency: Urgency) -> Recording<'_> {
        let submitted = match self.main.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(main) => main.try_submit(payload, None),
            None => Err((AppendError::Down, payload)),
        };
        let step = match submitted {
            Ok(pending) => Step::Main(pending, urgency),
            Err((error, payload)) => self.instead(error, payload, urgency),
        };
        Recording { recorder: self, step }
    }

    /// Records an entry, and blocks until it is durable.
    ///
    /// # Errors
    /// It was not recorded: see [`AppendError`].
    pub fn record_blocking(&self, payload: Vec<u8>, urgency: Urgency) -> Result<Receipt, AppendError> {
        self.record(payload, urgency).wait()
    }

    /// Hands an entry of an event table over to the main ledger, as [`Ledger::submit`] does. It never goes to a reserve:
    /// its event is kept in the table.
    ///
    /// # Errors
    /// It was refused: see [`AppendError`].
    pub fn submit(&self, payload: Vec<u8>, origin: Option<Origin>) -> Result<Pending, AppendError> {
        if let Some(origin) = origin.filter(|origin| origin.shard >= RESERVE_SHARDS) {
            return Err(AppendError::ReserveShard(origin.shard));
        }
        self.main().ok_or(AppendError::Down)?.submit(payload, origin)
    }

    /// Counts one thing that was refused because the main ledger does not write. The code is a purpose or the like, never
    /// a value of a request.
    pub fn refused(&self, code: &str) {
        lock(&self.refused).count(code, self.clock.now());
    }

    /// What it is at.
    #[must_use]
    pub fn state(&self) -> RecorderState {
        let room = *lock(&self.line.room);
        let (used_bytes, entries) = (room.used_bytes, room.entries);
        if self.writes() {
            return if entries == 0 { RecorderState::Normal } else { RecorderState::Merging { used_bytes, entries } };
        }
        let (since, refused) = (self.went_down(), lock(&self.refused).total());
        if room.takes {
            RecorderState::Reserve { since, used_bytes, entries, refused }
        } else {
            RecorderState::Down { since, refused }
        }
    }

    /// Whether [`Recorder::recover`] has anything to do. Cheap: ask it every few seconds.
    #[must_use]
    pub fn needs_recovery(&self) -> bool {
        let room = *lock(&self.line.room);
        !self.writes() || room.entries > 0 || room.needs_care || lock(&self.refused).total() > 0
    }

    /// What stands against a recovery: the last error of one, and reserves that are closed. Names of files, no values.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let reserves = match self.line.reserves.try_lock() {
            Ok(reserves) => reserves.problems(),
            Err(_) => Vec::new(),
        };
        lock(&self.problem).iter().cloned().chain(reserves).collect()
    }

    /// Brings the main ledger back: opens it anew from what the disk has, merges the reserves, and records what was
    /// refused. New entries go to the main ledger as soon as it is open. Nothing is lost if it fails at any point; call it
    /// again. It blocks, for a second or so after a long outage: call it from a thread that may wait.
    ///
    /// # Errors
    /// The main ledger cannot be opened or stopped again, or a reserve cannot be merged.
    pub fn recover(&self) -> Result<Recovered, RecoverError> {
        let _one_at_a_time = lock(&self.recovering);
        let outcome = self.recover_once();
        *lock(&self.problem) = outcome.as_ref().err().map(|error| crate::report::chain(error));
        outcome
    }

    fn recover_once(&self) -> Result<Recovered, RecoverError> {
        // First of all, that care goes on: a reserve that had stopped may be sound again.
        let reserves = self.line.reserves().reopen();
        let mut recovered = Recovered { reopened: self.reopen_main().map_err(RecoverError::Main)?, ..Recovered::default() };
        let Some(main) = self.main() else { return Ok(recovered) };
        let merged = self.line.reserves().merge(main.as_ref(), self.notices.as_ref());
        let refused = lock(&self.refused).clone();
        if refused.total() > 0 {
            main.append(&self.notices.refused(&refused), None)?;
            lock(&self.refused).subtract(&refused);
            recovered.refused = refused.total();
        }
        if self.writes() {
            *lock(&self.since) = None;
        }
        recovered.merged = merged?;
        reserves?;
        Ok(recovered)
    }

    /// Opens the main ledger anew if it does not write. The old one ends first: an fsync is never tried again on it.
    fn reopen_main(&self) -> Result<bool, LedgerError> {
        if self.writes() {
            return Ok(false);
        }
        self.went_down();
        let old = self.main.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(old) = old {
            old.release();
        }
        let ledger = Ledger::open(&self.dir, (self.options)())?;
        *self.main.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ledger));
        Ok(true)
    }

    /// Whether the main ledger is open and has not stopped.
    fn writes(&self) -> bool {
        self.main.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|main| main.stopped().is_none())
    }

    /// Notes that the main ledger does not write; since when.
    fn went_down(&self) -> Timestamp {
        *lock(&self.since).get_or_insert_with(|| self.clock.now())
    }

    /// What becomes of an entry that the main ledger did not record.
    fn instead(&self, error: AppendError, payload: Vec<u8>, urgency: Urgency) -> Step {
        if !matches!(error, AppendError::Stopped(_) | AppendError::Down) {
            return Step::Over(Some(error));
        }
        self.went_down();
        let (bytes, limit) = (payload.len(), self.payload_bytes_max);
        match urgency {
            Urgency::Other => Step::Over(Some(error)),
            Urgency::Care if bytes > limit => Step::Over(Some(AppendError::TooLong { bytes, limit })),
            Urgency::Care => self.line.submit(payload).map_or_else(|error| Step::Over(Some(error)), Step::Reserve),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        lock(&self.line.queue).closed = true;
        self.line.work.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("dir", &self.dir).field("state", &self.state()).finish_non_exhaustive()
    }
}

/// What the reserves need of the main ledger's folder and options.
pub(crate) fn env(dir: &Path, options: OpenOptions) -> Result<Env, LedgerError> {
    let folder = Folder::new(dir, Arc::clone(&options.storage));
    let missing = || LedgerError::Missing(dir.to_owned());
    let provider = match options.provider {
        Some(provider) => provider,
        None => Arc::new(read_kek(&folder)?.ok_or_else(missing)?) as Arc<dyn KeyProvider>,
    };
    let log = log_id(&read_vkey(&folder)?.ok_or_else(missing)?);
    let (storage, clock, rng) = (options.storage, options.clock, options.rng);
    Ok(Env { storage, clock, rng, provider, log, main_dir: dir.to_owned() })
}

/// An entry on its way: `.await` it, or [`Recording::wait`].
#[must_use = "an entry is recorded only when its receipt has come"]
pub struct Recording<'r> {
    recorder: &'r Recorder,
    step: Step,
}

enum Step {
    Main(Pending, Urgency),
    Reserve(Pending),
    /// Refused; `None` when that was told.
    Over(Option<AppendError>),
}

impl Recording<'_> {
    /// Blocks until the entry is durable.
    ///
    /// # Errors
    /// It was not recorded: see [`AppendError`].
    pub fn wait(mut self) -> Result<Receipt, AppendError> {
        loop {
            let outcome = match &mut self.step {
                Step::Main(pending, _) | Step::Reserve(pending) => pending.wait_here(),
                Step::Over(error) => Err(error.take().unwrap_or(AppendError::Closed)),
            };
            if let Some(outcome) = self.next(outcome) {
                return outcome;
            }
        }
    }

    /// After the outcome of one step: the last word, or `None` if the reserve is asked now.
    fn next(&mut self, outcome: Result<Receipt, AppendError>) -> Option<Result<Receipt, AppendError>> {
        let Step::Main(pending, urgency) = &self.step else { return Some(outcome) };
        let error = match outcome {
            Ok(receipt) => return Some(Ok(receipt)),
            Err(error) => error,
        };
        match pending.take_back() {
            Some(payload) => {
                self.step = self.recorder.instead(error, payload, *urgency);
                None
            }
            None => Some(Err(error)),
        }
    }
}

impl Future for Recording<'_> {
    type Output = Result<Receipt, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let outcome = match &mut self.step {
                Step::Main(pending, _) | Step::Reserve(pending) => match Pin::new(pending).poll(context) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => return Poll::Pending,
                },
                Step::Over(error) => Err(error.take().unwrap_or(AppendError::Closed)),
            };
            if let Some(outcome) = self.next(outcome) {
                return Poll::Ready(outcome);
            }
        }
    }
}

/// The way to the reserves.
struct Line {
    queue: Mutex<Waiting>,
    work: Condvar,
    reserves: Mutex<Reserves>,
    /// What the reserves were at when they were last let go of.
    room: Mutex<Room>,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Queued>,
    bytes: usize,
    closed: bool,
}

/// The reserves, held; when they are let go of, the state is told.
struct Held<'l> {
    line: &'l Line,
    reserves: MutexGuard<'l, Reserves>,
}

impl std::ops::Deref for Held<'_> {
    type Target = Reserves;

    fn deref(&self) -> &Reserves {
        &self.reserves
    }
}

impl std::ops::DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Reserves {
        &mut self.reserves
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *lock(&self.line.room) = self.reserves.room();
    }
}

impl Line {
    fn reserves(&self) -> Held<'_> {
        Held { line: self, reserves: lock(&self.reserves) }
    }

    fn submit(&self, payload: Vec<u8>) -> Result<Pending, AppendError> {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return Err(AppendError::Closed);
        }
        if queue.items.len() >= QUEUE_ENTRIES_MAX || queue.bytes + payload.len() > QUEUE_BYTES_MAX {
            return Err(AppendError::QueueFull);
        }
        queue.bytes += payload.len();
        let (queued, pending) = Queued::new(payload, None);
        queue.items.push_back(queued);
        drop(queue);
        self.work.notify_one();
        Ok(pending)
    }

    /// Waits for entries and takes them; none when the recorder is closed and nothing is left.
    fn take(&self) -> Vec<Queued> {
        let mut queue = lock(&self.queue);
        while queue.items.is_empty() && !queue.closed {
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let count = queue.items.len().min(LEDGER_BATCH_MAX);
        let taken: Vec<_> = queue.items.drain(..count).collect();
        queue.bytes -= taken.iter().map(|queued| queued.payload.len()).sum::<usize>();
        taken
    }
}

/// Closes the line if its thread ends by a panic: whoever waits hears of it, and nobody waits any more.
struct CloseOnDrop<'l>(&'l Line);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        let items = {
            let mut queue = lock(&self.0.queue);
            queue.closed = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.items)
        };
        let stop = Arc::new(Stop::Thread);
        items.into_iter().for_each(|mut queued| queued.complete(Err(AppendError::Stopped(Arc::clone(&stop)))));
    }
}

fn record_in_reserve(line: &Line) {
    let _close = CloseOnDrop(line);
    loop {
        let mut taken = line.take();
        if taken.is_empty() {
            return;
        }
        let payloads: Vec<_> = taken.iter().map(|queued| queued.payload.as_slice()).collect();
        let outcomes = line.reserves().record(&payloads);
        taken.iter_mut().zip(outcomes).for_each(|(queued, outcome)| queued.complete(outcome));
    }
}
