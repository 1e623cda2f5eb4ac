//! The ledger from outside: use, crashes, tampering, faults, known answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod faults;
mod support;
mod tamper;
mod threads;
mod vectors;
