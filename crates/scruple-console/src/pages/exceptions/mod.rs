//! Everything outside of a role.

pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod uses;
