//! Organisations drawn by a seed: people with their roles and managers, who ask for all or for some kinds of information, approve, refuse,
//! prolong, stand in for one another, declare, break the glass, review, move, go on leave, leave and come back, while the clock jumps, things happen at one time, and processes are killed.
//!
//! The real desk, directory, store, ledger, drainer and cache do all of it, on either engine. A plain model that shares no code with
//! them says of each deed whether it may be done, which entries it leaves, and who holds what afterwards; after each step they are
//! compared: **default-deny**, **expiry-at-decision** (no job runs by itself), **two-people**, **no-silence-is-yes**,
//! **never-wider**, **append-only**, **as-of**, one entry for each transition, and no canary in clear anywhere.
//!
//! Deliberately not here: the gateway and what is released (scruple-testkit, the long runs `load` and `pairs`), the policy pack, pages.
#![expect(clippy::indexing_slicing, reason = "places are numbers of the model's own lists; a simulation may stop")]

mod act;
mod databases;
mod deed;
mod draw;
mod error;
mod found;
mod look;
mod model;
mod node;
mod perform;
mod replay;
mod rules;
mod run;
mod shrink;
mod states;
mod verify;

pub use databases::Databases;
pub use error::SimulateError;
pub use run::Counts;
pub use shrink::{Finding, organisation};
