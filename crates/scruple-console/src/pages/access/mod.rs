//! One's own access.

pub(crate) mod mine;
pub(crate) mod unused;
