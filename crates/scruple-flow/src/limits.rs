//! Limits with names and units. Each has a test that exceeds it.

/// Bytes of a login.
pub const LOGIN_BYTES_MAX: usize = 320;
/// Bytes of a role's code.
pub const ROLE_BYTES_MAX: usize = 64;
/// Bytes of one text that the directory tells of a person: a title, a department, a number.
pub const DIRECTORY_VALUE_BYTES_MAX: usize = 1_024;
/// How many managers are looked at upwards for one who is here.
pub const MANAGERS_UP_MAX: usize = 8;
