//! The HTTP upstream against a real server that answers, lies, stalls and breaks off.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod calls;
mod faults;
// A log is kept in one way.
#[path = "../../../scruple-http/tests/it/log.rs"]
mod log;
mod pool;
mod probe;
mod support;
mod tls;
