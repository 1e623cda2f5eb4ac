//! The conformance suite: the same cases mounted twice, once per engine, and what compares the two.

#![expect(clippy::duplicate_mod, reason = "the cases are mounted once per engine")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic"
)]

mod on_postgres;
mod on_sqlite;
mod postgres;
mod schema;
mod support;
mod unknown;
mod waiting;
