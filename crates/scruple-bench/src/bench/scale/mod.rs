//! A large organisation: 50,000 people in 400 roles, 5,000,000 accesses in the index of charts, two nodes over one
//! PostgreSQL. How long the console's pages take, the replay of a draft over a month of accesses, and how soon somebody who
//! leaves is refused at the node that did not hear of it; also where that node can no longer read the database.
//!
//! The nodes are the program itself, started as `serve` starts; people are signed in by a row of a session. What the replay
//! is held against is bare Cedar, deciding the same accesses one by one.

mod client;
mod fill;
mod leaver;
mod nodes;
mod pages;
mod relay;
mod replayed;

use super::measure::table;
use super::{Effort, progress};
use anyhow::{Context as _, Result, ensure};
use nodes::Nodes;

/// How large the organisation is.
#[derive(Clone, Copy)]
pub struct Size {
    people: usize,
    roles: usize,
    accesses: usize,
    /// Of these, in the ledger of the month that is replayed.
    replayed: usize,
    /// Requests for each page.
    looks: usize,
    leavers: usize,
}

impl Size {
    const FULL: Self =
        Self { people: 50_000, roles: 400, accesses: 5_000_000, replayed: 420_000, looks: 400, leavers: 50 };
    const QUICK: Self = Self { people: 300, roles: 40, accesses: 3_000, replayed: 3_000, looks: 10, leavers: 3 };
}

/// The section.
///
/// # Errors
/// PostgreSQL or the program is not there, or something answers wrongly.
pub fn scale(effort: Effort) -> Result<String> {
    let size = if effort.runs <= Effort::QUICK.runs { Size::QUICK } else { Size::FULL };
    let server = std::env::var("SCRUPLE_BENCH_POSTGRES").context("SCRUPLE_BENCH_POSTGRES names no server")?;
    let program = std::env::var_os("SCRUPLE_BENCH_PROGRAM").context("SCRUPLE_BENCH_PROGRAM names no program")?;
    let dir = tempfile::Builder::new().prefix("scruple-bench-scale-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;

    let replayed = replayed::measure(&dir.path().join("replayed"), size)?;
    let filled = runtime.block_on(fill::fill(dir.path(), &server, size))?;
    progress("two nodes");
    let relay = runtime.block_on(relay::Relay::start(&filled.database))?;
    let nodes = Nodes::start(program.as_ref(), dir.path(), &filled, relay.database())?;
    let pages = pages::measure(&nodes, &filled, size)?;
    let left = leaver::measure(&nodes, &filled, &relay, size)?;
    drop(nodes);
    ensure!(!pages.is_empty(), "no page was measured");
    Ok(format!(
        "{} people in {} roles, {} accesses in the index of charts; PostgreSQL and two nodes on this machine, beside the client.\n\n\
         {}\n\n\
         {}\n\n\
         {}\n",
        size.people,
        size.roles,
        size.accesses,
        table(&["page", "p50", "p99", "largest"], &pages),
        replayed,
        left
    ))
}
