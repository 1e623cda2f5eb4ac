//! One's own access.

pub(crate) mod mine;
