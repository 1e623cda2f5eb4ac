//! Extra access: asked for, decided, and what became of it.

pub(crate) mod ask;
pub(crate) mod list;
pub(crate) mod one;
