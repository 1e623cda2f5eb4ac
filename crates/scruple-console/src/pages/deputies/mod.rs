//! Who stands in for whom.

pub(crate) mod mine;
