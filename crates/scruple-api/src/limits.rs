//! Limits with names and units. Each has a test that exceeds it.

/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Milliseconds that a body may take to come.
pub const BODY_MS: u64 = 10_000;
/// Evaluations of one request.
pub const EVALUATIONS_MAX: usize = 100;
/// Characters of a type, an id or a name of an evaluation, as its schema counts them.
pub const NAME_CHARS_MAX: usize = 256;
/// Labels of one resource.
pub const SEGMENTS_MAX: usize = 64;
/// Entities on a page of a search that asks for no number.
pub const RESULTS_DEFAULT: usize = 50;
/// Entities on a page of a search, and rows of a list.
pub const RESULTS_MAX: usize = 100;
/// People who are looked at for one page of a search.
pub const SUBJECTS_SCANNED_MAX: usize = 500;
/// Bytes of `X-Request-ID` that are sent back.
pub const REQUEST_ID_BYTES_MAX: usize = 200;
/// Bytes of `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Hours that an answer is kept for its key.
pub const IDEMPOTENCY_HOURS: i64 = 24;
/// Minutes in which a denial can be asked about.
pub const DENIAL_MINUTES: i64 = 15;
