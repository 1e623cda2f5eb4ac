//! Limits with names and units. Each has a test that exceeds it.

/// Bytes of one resource, as JSON. A larger one is refused by position.
pub const RESOURCE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Levels of objects and arrays in one resource.
pub const JSON_DEPTH_MAX: usize = 64;
/// Bytes of one ledger entry (C2SP tlog-tiles: a big-endian uint16 length).
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Resources in one released chunk.
pub const CHUNK_RESOURCES_MAX: usize = 256;
/// Bytes in one released chunk.
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// Entries that one fdatasync makes durable.
pub const LEDGER_BATCH_MAX: usize = 512;
/// Times a resource is projected again because its labels or contained resources asked for another table.
pub const PROJECTION_PASSES_MAX: usize = 8;
/// Bytes of objects that may be looked at for each byte of a resource, those of inner objects again for each outer one.
/// A plain resource takes its depth, so at most [`JSON_DEPTH_MAX`]; resources in resources can take far more.
pub const WORK_PER_BYTE_MAX: usize = 160;
/// And so many more for every resource.
pub const WORK_BYTES_FREE: usize = 1 << 20;
/// Bytes of one value of a search parameter, decoded.
pub const SEARCH_VALUE_BYTES_MAX: usize = 512;
/// Parameters of one search.
pub const SEARCH_PARAMETERS_MAX: usize = 64;
/// Alternatives of one search parameter.
pub const SEARCH_ALTERNATIVES_MAX: usize = 100;
/// Resources on a page of a search where `_count` says nothing.
pub const SEARCH_COUNT_DEFAULT: usize = 50;
/// Resources on a page of a search.
pub const SEARCH_COUNT_MAX: usize = 200;
/// Alternatives of all parameters of one search.
pub const SEARCH_ALTERNATIVES_IN_ALL_MAX: usize = 500;
/// Links of the chains and `_has` of one parameter.
pub const SEARCH_LINKS_MAX: usize = 3;
/// `_include` and `_revinclude` of one search.
pub const SEARCH_INCLUDES_MAX: usize = 10;
/// Parameters of one order.
pub const SEARCH_ORDERS_MAX: usize = 3;
/// Resources that may come beside the matches of a page.
pub const SEARCH_INCLUDED_MAX: usize = 1_000;
/// Resources that one chain, or one `_has`, may go through.
pub const SEARCH_LINKED_MAX: usize = 1_000;
/// Resources of one `$everything`.
pub const EVERYTHING_MAX: usize = 5_000;
/// Candidates that one search may meet upstream.
pub const SEARCH_CANDIDATES_MAX: usize = 10_000;
/// Bytes of candidates that one search may meet upstream.
pub const SEARCH_CANDIDATE_BYTES_MAX: usize = 64 << 20;
