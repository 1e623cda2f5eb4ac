//! People of the workforce and what they may open.

pub(crate) mod findings;
pub(crate) mod list;
pub(crate) mod person;
