//! What is outside, as traits: use cases name these, and the binary decides what stands behind them.

use scruple_ledger::{AppendError, Ledger, Origin, Pending, Receipt, Recorder};
use std::pin::Pin;

/// An entry on its way to the disk; it is recorded when this answers with a receipt.
pub type Appending = Pin<Box<dyn Future<Output = Result<Receipt, AppendError>> + Send>>;

/// The log that events drain into: a ledger, or what stands before one.
pub trait EventLog: Send + Sync {
    /// The last durable position of a shard. What is on its way to the disk does not count.
    fn last_origin(&self, shard: u32) -> Option<u64>;

    /// Hands an entry over at once, in the order of the calls, not when the answer is first polled. The log takes no
    /// origin but the one that follows, so that an entry that is offered twice stands there once.
    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending;
}

impl EventLog for Ledger {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        Self::last_origin(self, shard)
    }

    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending {
        appending(self.submit(payload, Some(origin)))
    }
}

impl EventLog for Recorder {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        self.main().and_then(|ledger| ledger.last_origin(shard))
    }

    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending {
        appending(self.submit(payload, Some(origin)))
    }
}

/// What was handed over, or why it was not taken.
fn appending(submitted: Result<Pending, AppendError>) -> Appending {
    match submitted {
        Ok(pending) => Box::pin(pending),
        Err(refused) => Box::pin(std::future::ready(Err(refused))),
    }
}
