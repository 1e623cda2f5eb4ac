//! The HTTP upstream against a real server that answers, lies, stalls and breaks off.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod calls;
mod check;
mod faults;
mod messages;
mod pool;
mod probe;
mod support;
mod systems;
mod tls;
mod web;
