//! Limits with names and units. Each has a test that exceeds it.

/// Bytes of a request's body.
pub const REQUEST_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Milliseconds that a body may take to arrive.
pub const REQUEST_BODY_TIMEOUT_MS: u64 = 10_000;
/// Bytes of a filter.
pub const FILTER_BYTES_MAX: usize = 4_096;
/// How deep a filter may be nested.
pub const FILTER_DEPTH_MAX: usize = 16;
/// Comparisons in one filter.
pub const FILTER_TERMS_MAX: usize = 64;
/// Operations in one PATCH.
pub const PATCH_OPERATIONS_MAX: usize = 1_000;
/// Values of one multi-valued attribute of a person.
pub const VALUES_MAX: usize = 32;
/// Bytes of one text.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Resources in one answer.
pub const RESULTS_MAX: usize = 200;
/// Resources in one answer that asks for no number.
pub const RESULTS_DEFAULT: usize = 100;
/// Resources that one filter without an index is held against.
pub const SCANNED_MAX: usize = 5_000;
/// Tries of a PATCH that names no version, where somebody else changes the same.
pub const PATCH_ATTEMPTS_MAX: u32 = 3;
