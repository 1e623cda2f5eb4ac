//! Today.

pub(crate) mod home;
