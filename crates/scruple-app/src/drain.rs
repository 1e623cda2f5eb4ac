//! [`Drainer`]: takes the events of one shard from the database to the ledger, each exactly once.
//!
//! The position stands in the ledger entry itself and becomes durable with it, so that the database is never told what
//! is done: after a crash the ledger says where to go on. Who waits for an event to be recorded asks a [`DrainHandle`].
//!
//! It deliberately takes over no shard of a node that died, and mends nothing: a database that is damaged or older than
//! the ledger stops it.

use crate::limits::{DRAIN_POLL, DRAIN_READ_TIMEOUT};
use crate::ports::EventLog;
use crate::stop::stopped;
use scruple_core::{Entry, EntryBody, EntryError};
use scruple_ledger::{AppendError, Origin};
use scruple_store::limits::EVENTS_READ_MAX;
use scruple_store::{Event, Position, ShardId, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Why events do not reach the ledger.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The ledger has seen events that the database does not have.
    #[error("database is older than the ledger: shard {shard} stands at {seq}, the ledger at {last_origin}")]
    OlderThanLedger {
        /// The shard.
        shard: ShardId,
        /// Where the database stands.
        seq: i64,
        /// Where the ledger stands.
        last_origin: u64,
    },
    /// An event is missing.
    #[error("database damaged: event {expected} of shard {shard} is missing")]
    Damaged {
        /// The shard.
        shard: ShardId,
        /// The position that is missing.
        expected: i64,
    },
    /// An event is there and cannot be read.
    #[error("database damaged: an event of shard {shard} cannot be read")]
    Unreadable {
        /// The shard.
        shard: ShardId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// An event makes no entry.
    #[error("event {seq} of shard {shard} makes no entry")]
    NoEntry {
        /// The shard.
        shard: ShardId,
        /// Its position.
        seq: i64,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// The ledger numbers its shards with 32 bits.
    #[error("shard {shard} has no number in the ledger")]
    NoShard {
        /// The shard.
        shard: ShardId,
    },
    /// The database failed; it is tried again.
    #[error("events cannot be read")]
    Store(#[source] StoreError),
    /// The database did not answer; it is tried again.
    #[error("events were not read within {} ms", DRAIN_READ_TIMEOUT.as_millis())]
    Timeout,
    /// The ledger took no entry; it is tried again.
    #[error("ledger took no event")]
    Log(#[source] AppendError),
}

impl DrainError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OlderThanLedger { .. } => "database_older_than_ledger",
            Self::Damaged { .. } | Self::Unreadable { .. } => "database_damaged",
            Self::NoEntry { .. } => "event_not_recordable",
            Self::NoShard { .. } => "shard_not_in_ledger",
            Self::Store(_) | Self::Timeout => "database_unavailable",
            Self::Log(_) => "ledger_unavailable",
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Timeout | Self::Log(_))
    }

    fn from_store(shard: ShardId, error: StoreError) -> Self {
        match error {
            StoreError::OlderThanLedger { shard, seq, last_origin } => {
                Self::OlderThanLedger { shard, seq, last_origin: last_origin.unsigned_abs() }
            }
            StoreError::Damaged { shard, expected } => Self::Damaged { shard, expected },
            source @ (StoreError::Inconsistent { .. } | StoreError::Seal { .. }) => Self::Unreadable { shard, source },
            other => Self::Store(other),
        }
    }
}

/// How the drainer fares, for `/readyz`. The codes are those of [`DrainError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrainState {
    /// It has not looked yet.
    Starting,
    /// What was committed at its last look is in the ledger.
    Running,
    /// Something fails that may pass.
    Waiting(&'static str),
    /// It has stopped and will not go on by itself.
    Failed(&'static str),
    /// It was told to stop, and has.
    Stopped,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The last position that is durable in the ledger.
    seq: u64,
    state: DrainState,
}

/// Why a position is not known to be in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WaitError {
    /// It is in the database, and not in the ledger yet.
    #[error("recorded in the database, not yet in the ledger")]
    NotYet,
    /// It is in the database, and the drainer has stopped.
    #[error("recorded in the database; the drainer has stopped")]
    Stopped,
    /// It is of a shard that another node drains.
    #[error("position is of another shard")]
    OtherShard,
}

/// Asks a drainer how far it is, and wakes it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DrainHandle {
    shard: ShardId,
    progress: watch::Receiver<Progress>,
    wake: Arc<Notify>,
}

impl DrainHandle {
    /// How the drainer fares. A task that was aborted or has panicked counts as stopped.
    #[must_use]
    pub fn state(&self) -> DrainState {
        let state = self.progress.borrow().state;
        let over = matches!(state, DrainState::Failed(_));
        if !over && self.progress.has_changed().is_err() { DrainState::Stopped } else { state }
    }

    /// The last position of the shard that is durable in the ledger.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.progress.borrow().seq
    }

    /// Has the drainer look at once: something was committed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Wakes the drainer and waits until the position is durable in the ledger, at most for `bound`
    /// ([`RECORDED_WAIT_MAX`](crate::limits::RECORDED_WAIT_MAX) for a use case).
    ///
    /// # Errors
    /// It is not, or not yet; the event is committed all the same.
    pub async fn wait_for(&self, position: Position, bound: Duration) -> Result<(), WaitError> {
        if position.shard != self.shard {
            return Err(WaitError::OtherShard);
        }
        let seq = position.seq.unsigned_abs();
        self.wake();
        let mut progress = self.progress.clone();
        let over = |at: &Progress| at.seq >= seq || matches!(at.state, DrainState::Failed(_) | DrainState::Stopped);
        match tokio::time::timeout(bound, progress.wait_for(over)).await {
            Ok(Ok(at)) if at.seq >= seq => Ok(()),
            Ok(_) => Err(WaitError::Stopped),
            Err(_) => Err(WaitError::NotYet),
        }
    }
}

/// Drains one shard. One of it runs for each shard that this process holds.
pub struct Drainer {
    store: Store,
    log: Arc<dyn EventLog>,
    shard: ShardId,
    number: u32,
    progress: watch::Sender<Progress>,
    wake: Arc<Notify>,
    feed: Arc<Notify>,
}

/// The entry that an event makes.
pub(crate) fn entry_of(event: &Event) -> Entry {
    let body = EntryBody::Event {
        event: event.kind.clone(),
        aggregate: event.aggregate.to_string(),
        version: event.version,
        subjects: event.subjects.iter().map(ToString::to_string).collect(),
    };
    Entry::new(event.at, body)
}

impl Drainer {
    /// A drainer of `shard` that notifies `feed` whenever events have reached the ledger.
    ///
    /// # Errors
    /// [`DrainError::NoShard`].
    pub fn new(
        store: Store,
        log: Arc<dyn EventLog>,
        shard: ShardId,
        feed: Arc<Notify>,
    ) -> Result<(Self, DrainHandle), DrainError> {
        let number = u32::try_from(shard.0).map_err(|_| DrainError::NoShard { shard })?;
        let (sender, progress) = watch::channel(Progress { seq: 0, state: DrainState::Starting });
        let wake = Arc::new(Notify::new());
        let handle = DrainHandle { shard, progress, wake: Arc::clone(&wake) };
        Ok((Self { store, log, shard, number, progress: sender, wake, feed }, handle))
    }

    /// Takes to the ledger what is committed now; returns how many events that were.
    ///
    /// # Errors
    /// See [`DrainError`]. What had been taken before stays taken.
    pub async fn drain(&self) -> Result<u64, DrainError> {
        let mut drained = 0_u64;
        loop {
            // Asked anew for each page: the ledger alone knows what is durable.
            let last = self.log.last_origin(self.number).unwrap_or(0);
            let events = self.events_after(last).await?;
            // Not before: of a database that is older than the ledger, the positions are other events.
            self.reached(last);
            let count = events.len();
            self.append(&events).await?;
            drained = drained.saturating_add(count as u64);
            if i64::try_from(count) != Ok(EVENTS_READ_MAX) {
                return Ok(drained);
            }
        }
    }

    /// Drains until `stop` turns true, and then once more, so that an orderly end leaves nothing behind.
    ///
    /// # Errors
    /// The one that stopped it for good; what may pass is tried again.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), DrainError> {
        let mut last_round = false;
        loop {
            let outcome = self.drain().await;
            self.tell(&outcome);
            match outcome {
                Err(error) if !error.is_passing() => return Err(error),
                _ if last_round => {
                    self.enter(DrainState::Stopped);
                    return Ok(());
                }
                _ => {}
            }
            last_round = tokio::select! {
                biased;
                () = stopped(&mut stop) => true,
                _ = tokio::time::timeout(DRAIN_POLL, self.wake.notified()) => false,
            };
        }
    }

    async fn events_after(&self, last: u64) -> Result<Vec<Event>, DrainError> {
        // A position that the database cannot count to is one that it does not have.
        let after = i64::try_from(last).unwrap_or(i64::MAX);
        let read = self.store.events_after(self.shard, after, EVENTS_READ_MAX);
        let events = tokio::time::timeout(DRAIN_READ_TIMEOUT, read).await.map_err(|_| DrainError::Timeout)?;
        events.map_err(|error| DrainError::from_store(self.shard, error))
    }

    /// Hands all over and waits for each, so that the ledger makes them durable together and nothing is under way when
    /// this answers: the next look at the last position is then the truth.
    async fn append(&self, events: &[Event]) -> Result<(), DrainError> {
        let entries = events.iter().map(|event| self.entry(event)).collect::<Result<Vec<_>, _>>()?;
        let appending: Vec<_> =
            entries.into_iter().map(|(origin, bytes)| (origin.seq, self.log.append(bytes, origin))).collect();
        let mut refused = None;
        for (seq, recorded) in appending {
            match recorded.await {
                Ok(_) if refused.is_none() => self.reached(seq),
                Ok(_) => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map_or(Ok(()), |error| Err(DrainError::Log(error)))
    }

    fn entry(&self, event: &Event) -> Result<(Origin, Vec<u8>), DrainError> {
        let Position { shard, seq } = event.position;
        let bytes = entry_of(event).to_bytes();
        let bytes = bytes.map_err(|source| DrainError::NoEntry { shard, seq, source })?;
        Ok((Origin::new(self.number, seq.unsigned_abs()), bytes))
    }

    /// Tells those who wait, and the feed, that the ledger has all up to `seq`.
    fn reached(&self, seq: u64) {
        let moved = self.progress.send_if_modified(|progress| {
            let moved = seq > progress.seq;
            progress.seq = progress.seq.max(seq);
            moved
        });
        if moved {
            self.feed.notify_one();
        }
    }

    /// Whether the state is another one than before.
    fn enter(&self, state: DrainState) -> bool {
        self.progress.send_if_modified(|progress| std::mem::replace(&mut progress.state, state) != state)
    }

    /// One line for each change of state, not for each round.
    fn tell(&self, outcome: &Result<u64, DrainError>) {
        let shard = self.shard;
        match outcome {
            Ok(_) => {
                let before = self.progress.borrow().state;
                if self.enter(DrainState::Running) && matches!(before, DrainState::Waiting(_)) {
                    tracing::info!(shard = shard.0, "events of shard {shard} reach the ledger again");
                }
            }
            Err(error) if error.is_passing() => {
                if self.enter(DrainState::Waiting(error.code())) {
                    let code = error.code();
                    tracing::warn!(shard = shard.0, code, "events of shard {shard} wait for the ledger: {error}");
                }
            }
            Err(error) => {
                self.enter(DrainState::Failed(error.code()));
                let code = error.code();
                tracing::error!(shard = shard.0, code, "drainer of shard {shard} has stopped: {error}");
            }
        }
    }
}

impl std::fmt::Debug for Drainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drainer").field("shard", &self.shard).finish_non_exhaustive()
    }
}
