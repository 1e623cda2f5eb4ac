//! The three doors.

pub(crate) mod refused;
