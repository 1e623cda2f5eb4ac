//! Where entries are recorded, as a seam: the ledger itself, or the recorder that has a reserve beside it.

use scruple_ledger::{AppendError, Ledger, Receipt};
use std::pin::Pin;

/// How much an entry may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// Somebody is being treated (TREAT, ETREAT, BTG): it may use the reserve.
    Care,
    /// Anything else.
    Other,
}

impl Urgency {
    /// The urgency of a purpose.
    #[must_use]
    pub fn of(purpose: &str) -> Self {
        if matches!(purpose, "TREAT" | "ETREAT" | "BTG") { Self::Care } else { Self::Other }
    }
}

/// The outcome of recording.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<Receipt, AppendError>> + Send + 'a>>;

/// Records entries. A receipt, which only a ledger makes, says that one is durable.
pub trait Recorder: Send + Sync {
    /// Records an entry; entries whose futures were polled one after the other are recorded in that order.
    fn record<'a>(&'a self, payload: Vec<u8>, urgency: Urgency) -> Recording<'a>;
}

impl Recorder for Ledger {
    fn record<'a>(&'a self, payload: Vec<u8>, _: Urgency) -> Recording<'a> {
        Box::pin(async move { self.submit(payload, None)?.await })
    }
}
