//! What a listener takes, with names and units.

use std::time::Duration;

/// Bytes that hyper needs for its buffer: a smaller [`Limits::header_bytes_max`] is checked after the head was read.
pub(crate) const HYPER_BUFFER_BYTES_MIN: usize = 8_192;

/// Limits of one listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections at a time. One more is closed at once, without an answer, and counted: a client that finds the door
    /// shut goes to another node, one that waits in a queue does not.
    pub connections_max: usize,
    /// Milliseconds for the TLS handshake, and again from the first byte of a request's head to its last. A connection
    /// whose first request is not there by then is closed.
    pub header_read_ms: u64,
    /// Milliseconds from a request's head to the head of its answer. After it the service's future is dropped, and
    /// [`Answers`](crate::Answers) says what the client gets.
    pub request_ms: u64,
    /// Milliseconds that a connection may stay open between requests.
    pub idle_ms: u64,
    /// Milliseconds that a client may take no byte of an answer.
    pub write_stall_ms: u64,
    /// Bytes of a request's head: request line and header lines.
    pub header_bytes_max: usize,
    /// Bytes of a request's target.
    pub uri_bytes_max: usize,
    /// Streams at a time on one HTTP/2 connection.
    pub h2_streams_max: u32,
    /// Milliseconds that requests in flight have to end once the listener stops.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            header_read_ms: 10_000,
            request_ms: 60_000,
            idle_ms: 75_000,
            write_stall_ms: 30_000,
            header_bytes_max: 64 * 1024,
            uri_bytes_max: 16 * 1024,
            h2_streams_max: 128,
            drain_ms: 20_000,
        }
    }
}

impl Limits {
    pub(crate) const fn header_read(&self) -> Duration {
        Duration::from_millis(self.header_read_ms)
    }

    pub(crate) const fn request(&self) -> Duration {
        Duration::from_millis(self.request_ms)
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    /// How often a connection is looked at. A limit of time is kept to within so much.
    pub(crate) fn tick_ms(&self) -> u64 {
        (self.header_read_ms.min(self.idle_ms).min(self.write_stall_ms) / 2).clamp(10, 5_000)
    }
}
