//! Non-interference, tested: two stores that a caller cannot tell apart must answer alike, byte by byte.
//!
//! * [`oracle`]: what matches a search, written from `docs/search.md` alone.
//! * [`ReferenceServer`]: a FHIR server that holds a view and nothing else.
//! * [`Sight`]: the view of a caller over a [`Store`].
//! * [`Pairs`]: pairs of stores with equal views.
//! * [`requests`], [`us_core`]: what an outsider asks of them.
//! * [`Harness`]: asks a [`System`] over both stores, compares, and makes a difference small.
//! * [`bare`]: what servers tell whose answers are filtered alone.
//! * [`leaks`]: leaks put in on purpose, which the harness must find; [`Toy`], the system that they are put into.
//! * [`RawServer`]: an upstream that holds a raw store, and misbehaves if told to.
//!
//! It knows no gateway: that is a [`System`], wrapped by the gateway's own tests. It judges no timing; the work that a
//! request causes is counted and told apart from what an answer says.

pub mod bare;
mod harness;
pub mod leaks;
pub mod oracle;
mod pairs;
mod raw;
mod reference;
pub mod requests;
mod shared;
mod shrink;
mod store;
pub mod text;
mod toy;
pub mod us_core;
mod view;
mod wire;
#[cfg(test)]
mod world;

pub use harness::{Difference, Harness, Plan, Report, Rules, System, Systems, WorkTrace};
pub use pairs::{Pair, Pairs};
pub use raw::{Misbehaviour, RawServer};
pub use reference::{Answer, Entry, Place, ReferenceServer, Verdict, comparable, compare, render, render_history};
pub use shared::shared_types;
pub use shrink::Case;
pub use store::{Edit, Mutation, Store, Stored, Version};
pub use toy::Toy;
pub use view::{
    EVERY_LABEL, Inherits, Past, Pseudonyms, Related, RelatedBy, Resolved, Seen, ShownVersion, Sight, View, Window,
    history, patients,
};
pub use wire::{Request, Response};
