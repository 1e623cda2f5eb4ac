//! Organisations on both engines.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by a panic")]

mod organisations;
// The server of a test run is found and shared in one way.
#[path = "../../../scruple-store/tests/it/postgres.rs"]
mod postgres;
