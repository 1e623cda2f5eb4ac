//! What other systems really grant.

pub(crate) mod list;
