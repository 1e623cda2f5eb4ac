//! Access tasks: oversight and support, asked for, decided, running, over.

pub(crate) mod ask;
pub(crate) mod list;
pub(crate) mod one;
pub(crate) mod reads;
