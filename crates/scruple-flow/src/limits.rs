//! Limits with names and units. Each has a test that exceeds it.

/// Bytes of a login.
pub const LOGIN_BYTES_MAX: usize = 320;
/// Bytes of a role's code.
pub const ROLE_BYTES_MAX: usize = 64;
