//! Projects, with what is minimum necessary in each.

pub(crate) mod ask;
pub(crate) mod list;
pub(crate) mod one;
