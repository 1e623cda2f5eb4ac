//! The program as its users run it: every test starts the real binary with a state folder of its own and looks at exit
//! code, output, errors and files.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds something else fails loudly"
)]

mod admin;
mod api;
mod asking;
mod authzen;
mod bad_input;
mod canaries;
mod charts_api;
mod demo;
mod devices;
mod history;
mod inputs;
mod killed;
mod killed_emergency;
mod ledger;
mod ledger_down;
mod lines;
mod memory;
mod node;
mod office;
mod others;
mod overrides;
mod people;
mod places;
mod policy;
// PostgreSQL is found and started in one way.
#[path = "../../../scruple-store/tests/it/postgres.rs"]
#[expect(dead_code, reason = "a node takes no server that does not wait for the disk, as the shared one")]
mod postgres;
mod recorded;
mod rest;
mod reviews;
mod routes;
mod schemathesis;
mod search;
mod serve;
mod serve_canaries;
mod serve_faults;
mod support;
mod systems;
mod two_nodes;
mod versions;
