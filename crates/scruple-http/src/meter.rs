//! What one connection is doing, so that a slow client is found: no head, no next request, no reading of the answer.
//!
//! The stream, the requests and the task of a connection share one [`Meter`]. It is looked at now and then instead of
//! setting a timer for each request: the hot path stores a few numbers.

use crate::limits::Limits;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// No time: times are milliseconds since the connection began, and one.
const NEVER: u64 = 0;

/// What a connection's task does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Look again in so many milliseconds.
    Wait(u64),
    /// Nobody uses it: end it as the protocol says.
    Idle,
    /// The head of a request does not come to its end.
    HeadTooSlow,
    /// The client does not take the answer.
    Stalled,
}

#[derive(Debug)]
pub struct Meter {
    began: Instant,
    /// When the first byte of a head came, while no request is in flight.
    head: AtomicU64,
    /// When the last request ended.
    idle: AtomicU64,
    /// Since when the client takes no byte.
    stalled: AtomicU64,
    in_flight: AtomicU32,
    /// A request was seen.
    used: AtomicBool,
    http2: AtomicBool,
}

impl Meter {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            head: AtomicU64::new(NEVER),
            idle: AtomicU64::new(NEVER),
            stalled: AtomicU64::new(NEVER),
            in_flight: AtomicU32::new(0),
            used: AtomicBool::new(false),
            http2: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1).saturating_add(1)
    }

    pub fn verdict(&self, limits: &Limits) -> Verdict {
        self.verdict_at(limits, self.now())
    }

    fn verdict_at(&self, limits: &Limits, now: u64) -> Verdict {
        let tick = limits.tick_ms();
        let stalled = self.stalled.load(Ordering::Relaxed);
        if stalled != NEVER && now >= stalled.saturating_add(limits.write_stall_ms) {
            return Verdict::Stalled;
        }
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return Verdict::Wait(tick);
        }
        let used = self.used.load(Ordering::Relaxed);
        // On HTTP/2 bytes may be anything (PING, WINDOW_UPDATE): only requests count.
        let head = if self.http2.load(Ordering::Relaxed) { NEVER } else { self.head.load(Ordering::Relaxed) };
        let (due, late) = match (head, used) {
            (NEVER, true) => (self.idle.load(Ordering::Relaxed).saturating_add(limits.idle_ms), Verdict::Idle),
            (NEVER, false) => (limits.header_read_ms.saturating_add(1), Verdict::Idle),
            // The first head counts from the connection's first moment, else one byte would double the time.
            (_, false) => (limits.header_read_ms.saturating_add(1), Verdict::HeadTooSlow),
            (head, true) => (head.saturating_add(limits.header_read_ms), Verdict::HeadTooSlow),
        };
        if now >= due { late } else { Verdict::Wait(tick.min(due - now)) }
    }

    fn read(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 && self.head.load(Ordering::Relaxed) == NEVER {
            self.head.store(self.now(), Ordering::Relaxed);
        }
    }

    fn wrote<T>(&self, outcome: &Poll<T>) {
        let stalled = self.stalled.load(Ordering::Relaxed);
        match outcome {
            Poll::Pending if stalled == NEVER => self.stalled.store(self.now(), Ordering::Relaxed),
            Poll::Ready(_) if stalled != NEVER => self.stalled.store(NEVER, Ordering::Relaxed),
            Poll::Pending | Poll::Ready(_) => {}
        }
    }
}

/// A request from its head to the end of its answer's body.
#[derive(Debug)]
pub struct InFlight(Arc<Meter>);

impl InFlight {
    pub fn begin(meter: Arc<Meter>, version: http::Version) -> Self {
        meter.in_flight.fetch_add(1, Ordering::Relaxed);
        meter.head.store(NEVER, Ordering::Relaxed);
        if !meter.used.load(Ordering::Relaxed) {
            meter.used.store(true, Ordering::Relaxed);
            meter.http2.store(version == http::Version::HTTP_2, Ordering::Relaxed);
        }
        Self(meter)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.idle.store(self.0.now(), Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that tells the meter of bytes.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub const fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.meter.read();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.meter.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.meter.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        if outcome.is_pending() {
            this.meter.wrote(&outcome);
        }
        outcome
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.meter.wrote(&outcome);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Version;

    // Far apart, so that the milliseconds that a test itself takes do not matter.
    const LIMITS: Limits = Limits {
        connections_max: 1,
        header_read_ms: 100_000,
        request_ms: 1_000,
        idle_ms: 500_000,
        write_stall_ms: 300_000,
        header_bytes_max: 8_192,
        uri_bytes_max: 1_024,
        h2_streams_max: 1,
        drain_ms: 1,
    };
    const TICK: Verdict = Verdict::Wait(5_000);

    #[test]
    fn each_kind_of_slowness_is_found_at_its_limit_and_not_before() {
        let meter = Meter::new();
        let at = |ms: u64| meter.verdict_at(&LIMITS, ms);
        assert_eq!(at(100_000), Verdict::Wait(1), "nothing yet");
        assert_eq!(at(100_001), Verdict::Idle, "nothing at all");
        meter.read();
        assert_eq!(at(100_001), Verdict::HeadTooSlow, "a first byte does not buy more time");

        let request = InFlight::begin(meter.clone(), Version::HTTP_11);
        assert_eq!(at(900_000), TICK, "a request in flight has its own limit");
        meter.wrote(&Poll::<()>::Pending);
        assert_eq!(at(290_000), TICK);
        assert_eq!(at(310_000), Verdict::Stalled);
        meter.wrote(&Poll::Ready(()));
        assert_eq!(at(310_000), TICK, "a byte went");

        drop(request);
        assert_eq!(at(490_000), TICK);
        assert_eq!(at(510_000), Verdict::Idle);
        meter.read();
        assert_eq!(at(90_000), TICK);
        assert_eq!(at(110_000), Verdict::HeadTooSlow);
    }

    #[test]
    fn bytes_on_http2_are_no_head() {
        let meter = Meter::new();
        drop(InFlight::begin(meter.clone(), Version::HTTP_2));
        meter.read();
        assert_eq!(meter.verdict_at(&LIMITS, 400_000), TICK);
        assert_eq!(meter.verdict_at(&LIMITS, 510_000), Verdict::Idle);
    }
}
