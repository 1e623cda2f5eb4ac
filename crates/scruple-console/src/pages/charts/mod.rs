//! Charts: who opened one, and why; complaints about it.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod case;
pub(crate) mod history;
pub(crate) mod letter;
pub(crate) mod reads;
pub(crate) mod report;
