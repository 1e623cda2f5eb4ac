//! The API for machines.
//!
//! What is here now: [`scim_router`], by which HR and the identity provider tell who is here (RFC 7643, RFC 7644). What is
//! deliberately not here: what a change means (scruple-flow), how it is stored (scruple-store), listeners (scruple-http).
//! It gives nobody access: it can only take.

mod scim;

pub use scim::{Caller, Parts, TokenVerifier, Verifying, limits, scim_router};
