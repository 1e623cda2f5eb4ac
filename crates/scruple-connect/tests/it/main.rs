//! The HTTP upstream against a real server that answers, lies, stalls and breaks off.

mod calls;
mod faults;
mod pool;
mod probe;
mod support;
mod tls;
