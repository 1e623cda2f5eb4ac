//! Access, feed, drainer and seed on real databases: the same cases mounted twice, once per engine.

#![expect(clippy::duplicate_mod, reason = "the cases are mounted once per engine")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic"
)]

mod logs;
mod on_postgres;
mod on_sqlite;
// The server of a test run is found and shared in one way.
#[path = "../../../scruple-store/tests/it/postgres.rs"]
mod postgres;
mod replays;
mod support;
