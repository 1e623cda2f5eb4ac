//! Benchmarks, each beside what a user would pick instead, in one run, as ratios.
//!
//! Each prints one section of Markdown; `cargo xtask bench` puts it in its place. What cannot be run on a machine is
//! named with its reason, not left out.

mod alternately;
mod cedar;
mod cerbos;
mod decision;
mod disk;
mod gateway;
mod generator;
mod histogram;
mod http_fixed;
mod http_load;
mod inputs;
mod ledger;
mod measure;
mod nginx;
pub(crate) mod processes;
mod projection;
mod scale;
mod sql;
mod timing;

use crate::node;
use std::io::Write as _;

pub use decision::decision;
pub use gateway::gateway;
pub use generator::generator;
pub use ledger::ledger;
pub use projection::{pinned, projection};
pub use scale::scale;
pub use timing::timing;

/// Whether this process was started by another of this program to be one of its parts, and was that to its end.
///
/// # Errors
/// The part fails.
pub fn part(name: &str) -> anyhow::Result<bool> {
    match name {
        alternately::ROLE => writeln!(std::io::stdout(), "{}", alternately::role()?)?,
        http_fixed::ROLE => http_fixed::role()?,
        http_load::ROLE => writeln!(std::io::stdout(), "{}", http_load::role()?)?,
        node::FHIR_ROLE => node::fhir_role()?,
        node::NODE_ROLE => node::node_role()?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Times that each thing is measured.
    pub runs: usize,
    /// Megabytes of input for the projection, at most.
    pub megabytes: usize,
    /// Seconds for each number of writers.
    pub seconds: u64,
}

impl Effort {
    /// What the document holds.
    pub const FULL: Self = Self { runs: 7, megabytes: 64, seconds: 5 };
    /// Whether it works at all.
    pub const QUICK: Self = Self { runs: 2, megabytes: 3, seconds: 1 };
}

/// A line of progress for the terminal.
#[expect(clippy::print_stderr, reason = "progress of a tool for a terminal")]
fn progress(line: &str) {
    eprintln!("{line}");
}
