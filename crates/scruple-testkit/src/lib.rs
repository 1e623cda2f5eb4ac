//! Tools for tests and long runs: no crate that ships depends on it but as a dev-dependency.
//!
//! * [`slow`]: the second projector, on a tree, written from `docs/projection.md` alone. The projector of `scruple-fhir`
//!   is held against it byte by byte.
//! * [`valid`]: whether an output is valid FHIR R4 (`docs/validity.md`).
//! * [`tree`]: made resources, seeded and shrinkable.
//! * [`crafted`]: resources written by hand, each for one rule.
//! * [`upstream_faults`]: an HTTP server that misbehaves on demand.
//! * [`log`]: what a test has logged.
//! * [`interfere`]: pairs of stores that a caller cannot tell apart, requests, and the comparison of what is answered.
//!
//! It shares the dictionary with `scruple-fhir` and no other code with it; only the views of [`interfere`] are made by its
//! projector, which [`slow`] is held against.

pub mod crafted;
pub mod interfere;
pub mod log;
pub mod slow;
pub mod tree;
pub mod upstream_faults;
pub mod valid;
