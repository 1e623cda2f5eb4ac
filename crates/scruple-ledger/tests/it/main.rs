//! The ledger from outside: use, crashes, tampering, faults, known answers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that finds something else fails loudly"
)]

mod faults;
mod reserve;
mod reserve_faults;
mod support;
mod tamper;
mod threads;
mod vectors;
