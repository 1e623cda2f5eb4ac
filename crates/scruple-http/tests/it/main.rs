//! The listener over real sockets: clients that are slow, large, many, gone, encrypted; handlers that hang and panic.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod bodies;
mod connections;
mod panics;
mod slow;
mod stop;
mod support;
mod tls;
