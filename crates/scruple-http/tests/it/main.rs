//! The listener over real sockets: clients that are slow, large, many, gone, encrypted; handlers that hang and panic.

mod bodies;
mod connections;
mod panics;
mod slow;
mod stop;
mod support;
mod tls;
