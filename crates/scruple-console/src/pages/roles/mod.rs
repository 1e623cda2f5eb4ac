//! Roles: who needs what for which task.

pub(crate) mod list;
pub(crate) mod role;
