//! Who holds what now: loaded on demand, kept while the feed is fresh, and the one role that a request acts in.
//!
//! Nothing here grants: what is held comes from the store, and what a token says selects among it.

mod acting;
mod cache;
mod circumstances;
mod held;
mod role;
mod uses;

pub use acting::acting;
pub use cache::{AccessCache, AccessError};
pub use circumstances::{Circumstances, SignIn, SignInRefused, device_id};
pub use held::{ActiveRole, Held};
pub use role::{RoleError, Selected, select_role};
