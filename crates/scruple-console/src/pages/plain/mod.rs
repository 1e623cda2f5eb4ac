//! Pages of one sentence.

pub(crate) mod confirm;
pub(crate) mod message;
