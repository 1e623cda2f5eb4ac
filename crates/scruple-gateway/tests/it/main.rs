//! The gateway with everything real behind it: policy, store, access cache, ledger on disk, tokens.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stop where something is wrong"
)]

mod attachments;
mod behind;
mod charts;
mod elevations;
mod faults;
mod helios;
mod leaks;
mod medplum;
mod pairs;
mod records;
mod requests;
mod sign_in;
mod support;
mod tasks;
mod timing;
mod training;
mod two;
mod view;
