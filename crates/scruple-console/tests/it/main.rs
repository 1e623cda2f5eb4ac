//! The console over HTTP, as a browser without JavaScript sees it: the real policy, a synthetic hospital, a real ledger.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds something else fails loudly"
)]

mod browser;
mod contrast;
mod lens;
mod pages;
mod support;
