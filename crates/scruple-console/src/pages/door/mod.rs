//! The three doors.

pub(crate) mod refused;
pub(crate) mod find;
