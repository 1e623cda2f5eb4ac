//! What people decide about access: every workflow as a state machine, one module per domain.
//!
//! What is here: states with their data, the transitions between them, and who may make them. All of it is pure: the time and
//! the facts are arguments. What is deliberately not here: tables (scruple-store), use cases (scruple-app), pages.

pub mod directory;
mod grant;
pub mod limits;
mod person;
mod role;

pub use grant::{Grant, GrantError, GrantRequest, HeldGrant, NewGrant, Revocation, Window};
pub use person::{InvalidLogin, Login, NewPerson, Person};
pub use role::{InvalidRole, RoleCode};
