//! Emergency access, looked at afterwards.

pub(crate) mod list;
pub(crate) mod one;
pub(crate) mod tell;
