//! The words of Scruple as types: time, ids, views, decision tables, ledger entries, limits.
//!
//! Everything here is a value. Nothing reads a clock, a file, a socket or a random source: those are arguments
//! ([`Clock`], `rand_core::Rng`). A change here rebuilds every crate, so that it stays small.

mod civil;
mod clock;
mod decision;
mod entry;
mod id;
pub mod limits;
mod phi;
mod span;
mod view;

pub use civil::{Placed, Zone, month_of};
pub use clock::{Clock, FixedClock, InvalidTimestamp, Timestamp};
pub use decision::{
    CATEGORIES_MAX, CONDITIONS_MAX, CategoryId, ConditionId, ConditionMask, DecisionTable, PackHash, SEGMENTS_MAX,
    SegmentId, SegmentLimit, SegmentSet,
};
pub use entry::{Actor, Counts, DecisionFacts, Entry, EntryBody, EntryError, Relationship, RequestFacts};
pub use id::{Id, new_id};
pub use phi::Phi;
pub use span::Span;
pub use view::{MaskId, View};

/// The version that is written into entries and decisions, so that an as-of replay knows which engine decided.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");
