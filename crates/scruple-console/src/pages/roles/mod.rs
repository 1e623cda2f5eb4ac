//! Roles: who needs what for which task, the versions of the policy that says so, and whether it fits.

pub(crate) mod fit;
pub(crate) mod list;
pub(crate) mod mapping;
pub(crate) mod role;
pub(crate) mod version;
pub(crate) mod versions;
