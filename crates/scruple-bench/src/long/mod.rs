//! Long runs: seeded, bounded by time or by cases, on all cores; the tests run each with a few cases.
//!
//! A case is a function of (seed, number), so that a run is repeated by its seed. What a fuzzer finds is made smaller and
//! kept under `fuzz/regressions/<name>/`, named by its hash; a test replays those files and the corpus.

pub mod bare;
pub mod crash;
mod draw;
pub mod grammar;
pub mod http;
pub mod kill;
pub mod ledger;
mod mutate;
pub mod pack;
pub mod page;
pub mod pairs;
pub mod projector;
pub mod reserve;
mod run;
pub mod simulate;
mod standing;
mod tree;

pub use draw::Draw;
pub use run::{Fuzz, Limit, Report, Settings, case_rng, check_guarded, fuzz, replay};
