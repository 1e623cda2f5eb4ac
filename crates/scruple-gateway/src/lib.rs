//! The FHIR gateway (FHIR R4: reads, versions, searches, batches of these): who asks, what is asked, and the answer of the release pipeline.
//!
//! A thin edge: it decides nothing about data. A body that leaves is a [`scruple_release::Released`] or a constant; headers
//! of answers are those of an allow-list, and no header of a request but `Authorization`, `Accept`, `Content-Type`,
//! `Content-Length` and `If-None-Match` means anything.

mod answer;
mod batch;
mod capability;
mod gateway;
mod service;
mod timing;
mod turns;
mod who;

pub use answer::{Body, Response};
pub use gateway::{Gateway, Parts};
pub use scruple_http::Networks;
pub use service::GatewayService;
pub use timing::{AnswerTiming, BUCKETS_MS};

/// Bytes of the body of a `_search`.
pub const SEARCH_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a batch.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;
/// Requests in a batch.
pub const BATCH_REQUESTS_MAX: usize = 50;
/// Milliseconds that a body may take to come.
pub const SEARCH_BODY_MS: u64 = 10_000;
/// Bytes of a query in a URL.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Milliseconds from a request to its answer; then it is refused, before the listener would cut it off unrecorded.
pub const REQUEST_MS: u64 = 45_000;
