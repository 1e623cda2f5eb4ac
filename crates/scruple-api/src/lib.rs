//! The API for machines.
//!
//! * [`api_router`]: decisions for other systems (AuthZEN Authorization API 1.0, `/access/v1`), and requests, elevations,
//!   reviews, people and roles (`/api/v1`, OpenAPI at `/api/openapi.json`). Bearer tokens alone, never a cookie.
//! * [`scim_router`]: by which HR and the identity provider tell who is here (RFC 7643, RFC 7644). It gives nobody access: it
//!   can only take.
//!
//! What is deliberately not here: what a change means (scruple-flow), what is decided (scruple-policy, scruple-release), use
//! cases (scruple-app), how it is stored (scruple-store), listeners (scruple-http).

mod authzen;
mod body;
mod caller;
mod cursor;
mod fail;
pub mod limits;
mod replay;
mod routes;
mod scim;
mod service;
mod v1;

pub use routes::{Asks, ROUTES, Route};
pub use scim::{Caller, Parts, TokenVerifier, Verifying, limits as scim_limits, scim_router};
pub use service::{ApiParts, SignalKeys, Tokens, api_router};
pub use v1::openapi;
