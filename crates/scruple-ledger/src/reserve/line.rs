//! The way to the reserves: a queue, and a thread that writes what waits in it, many entries with one fdatasync.

use super::{Reserves, Room};
use crate::core::lock;
use crate::error::{AppendError, Stop};
use crate::ledger::{Pending, QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX, Queued};
use scruple_core::limits::LEDGER_BATCH_MAX;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The way to the reserves.
pub(crate) struct Line {
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
pub(crate) struct Held<'l> {
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
    pub(crate) fn new(reserves: Reserves) -> Self {
        let room = Mutex::new(reserves.room());
        Self { queue: Mutex::default(), work: Condvar::new(), reserves: Mutex::new(reserves), room }
    }

    /// The reserves; it waits while they are written or merged.
    pub(crate) fn reserves(&self) -> Held<'_> {
        Held { line: self, reserves: lock(&self.reserves) }
    }

    /// What the reserves are at. It never waits for the disk.
    pub(crate) fn room(&self) -> Room {
        *lock(&self.room)
    }

    /// Why reserves are closed or not merged; nothing while they are written or merged.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.reserves.try_lock().map_or_else(|_| Vec::new(), |reserves| reserves.problems())
    }

    /// Takes no more entries; those that wait are recorded.
    pub(crate) fn close(&self) {
        lock(&self.queue).closed = true;
        self.work.notify_all();
    }

    /// Hands an entry over, to be recorded in a reserve.
    pub(crate) fn submit(&self, payload: Vec<u8>) -> Result<Pending, AppendError> {
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

/// The thread: takes what waits and makes it durable in a reserve.
pub(crate) fn record_in_reserve(line: &Line) {
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
