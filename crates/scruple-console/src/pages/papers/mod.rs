//! Papers in the files of complaints.

pub(crate) mod list;
pub(crate) mod one;
