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
