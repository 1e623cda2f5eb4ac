//! The policy as a product with versions: which one is active and was, who proposed and approved it, what it would have done,
//! what of it nobody has used, and which mapping of a role is to be looked at.
//!
//! What is deliberately not here: what a pack says (scruple-policy) and the serving of it (the node); a version is active for
//! a node once the node has proved it itself.

mod accesses;
mod content;
mod install;
mod mappings;
mod measures;
mod replay;
mod used;
mod versions;

pub use accesses::{Recorded, Recordings, RecordingsError, first_at_or_after, read_accesses};
pub use content::{ContentError, KnownPacks, ProvedPack, pack_bytes, pack_files, stored_pack};
pub use install::{Found, InstallError, install_pack};
pub use mappings::{MAPPING_DAYS, MappingState, OrganisationChange, mapping_states, overdue_roles};
pub use measures::{Alignment, Check, PersonRoles, SelfCheck, alignment, all_grants, role_holdings};
pub use replay::{Example, REPLAY_EXAMPLES_MAX, Replay, ReplayNumbers, Replayer, RoleReplay};
pub use scruple_policy::Outcome;
pub use used::{Granted, PersonUnused, RoleUnused, Unused, Used};
pub use versions::{PolicyCase, made_case};
