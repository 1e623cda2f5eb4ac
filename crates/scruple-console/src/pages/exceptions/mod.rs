//! Everything outside of a role.

pub(crate) mod list;
pub(crate) mod uses;
