//! Benchmarks beside what a user would pick instead, and the runs that are too long for every change.
//!
//! `bench NAME` and `long NAME` are started by `cargo xtask bench` and `cargo xtask long`, which keep what they print in
//! `docs/benchmarks.md` and `docs/long-runs.md`. The rivals live here and nowhere else. All data is generated or public
//! synthetic data; nothing of a real patient comes near this crate, and findings name places, not content.

/// As in the program that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod bench;
mod json;
pub mod long;
pub mod node;
mod shipped;
pub mod workspace;
