//! The three doors.

pub(crate) mod find;
pub(crate) mod refused;
