//! The one way out for PHI: decide, project, record, and only then [`Released`].
//!
//! Callers give bytes and get [`Released`] bytes back; there is no other way to them. This crate knows policy, projection
//! and ledger; it knows no SQL, no HTTP and no command line.

mod chunk;
mod container;
mod decided;
mod files;
mod judge;
mod lens;
mod outcome;
mod page;
mod pipeline;
mod relation;
mod release;
mod spool;
mod summary;
mod targets;
mod upstream;

pub use chunk::{Chunk, Item, project};
pub use container::{ContainerError, Part, Splitter};
pub use decided::Policy;
pub use files::{FilterError, FilterOptions, Input, Output, Progress, filter};
pub use judge::{Judged, judge, withheld_because};
pub use lens::{LookOptions, Looked, look};
pub use outcome::No;
pub use pipeline::{
    Answer, Asking, ElementShown, Evaluation, Holding, Holds, Link, Parts, Pipeline, Request, RequestRng, Ruling,
    Scope, Shown, Thing, holding, patients_of, urgency_of,
};
pub use relation::relationship_searches;
pub use release::{Asked, Limited, Opened, ReleaseError, ReleaseStream, Released, sha256};
pub use spool::Spool;
pub use summary::{Fault, Summary};
pub use targets::Targets;
pub use upstream::{
    Fetched, HISTORY_PAGE_COUNT, Share, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery, history_page, page,
};
