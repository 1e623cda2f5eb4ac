//! The listener: accepts, serves, and stops without breaking what is in flight.

use crate::answers::{Answers, ProblemAnswers};
use crate::guard::handle;
use crate::id::RequestIds;
use crate::limits::{HYPER_BUFFER_BYTES_MIN, Limits};
use crate::meter::{Meter, Metered, Verdict};
use crate::tls::Tls;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

/// Milliseconds without accepting after the machine refused a socket (no descriptors left).
const ACCEPT_PAUSE_MS: u64 = 50;
/// Milliseconds that an idle connection has to end as its protocol says.
const GOODBYE_MS: u64 = 1_000;

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What a listener counts while it runs. No labels, no data.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Connections taken.
    pub connections: u64,
    /// Connections closed at once, because there were `connections_max`.
    pub refused: u64,
    /// Connections closed because the client was slow with a head or with reading.
    pub slow: u64,
    /// Requests whose head was read.
    pub requests: u64,
    /// Requests that took longer than `request_ms`.
    pub timeouts: u64,
    /// Requests whose handler panicked.
    pub panics: u64,
    /// Requests whose service returned an error.
    pub failures: u64,
}

impl Counters {
    /// The counts now.
    #[must_use]
    pub fn now(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(&self.connections),
            refused: read(&self.refused),
            slow: read(&self.slow),
            requests: read(&self.requests),
            timeouts: read(&self.timeouts),
            panics: read(&self.panics),
            failures: read(&self.failures),
        }
    }
}

/// What a listener did, once it has stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServeReport {
    /// The counts at the end.
    pub counts: Counts,
    /// Connections that ended by themselves within `drain_ms` after the stop.
    pub drained: usize,
    /// Connections cut at its end, with what was in flight on them.
    pub cut: usize,
}

/// A bound listener. Plain TCP speaks HTTP/1.1, TLS what ALPN settles.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    h2c: bool,
    date: bool,
    answers: Arc<dyn Answers>,
    ids: Option<Arc<RequestIds>>,
    counters: Arc<Counters>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// The address at the other end of a request's connection, in the extensions of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub SocketAddr);

/// What all connections of a listener share.
pub struct Shared<S> {
    pub service: S,
    pub limits: Limits,
    pub answers: Arc<dyn Answers>,
    pub ids: Option<Arc<RequestIds>>,
    pub counters: Arc<Counters>,
    tls: Option<TlsAcceptor>,
    plain: auto::Builder<TokioExecutor>,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
}

impl Server {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            tls: None,
            h2c: false,
            date: true,
            answers: Arc::new(ProblemAnswers),
            ids: None,
            counters: Arc::default(),
        })
    }

    /// With TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Takes HTTP/2 without TLS from clients that begin with it (prior knowledge). Refused otherwise.
    #[must_use]
    pub const fn with_h2c(mut self) -> Self {
        self.h2c = true;
        self
    }

    /// Adds no `Date`: for answers that are compared byte by byte.
    #[must_use]
    pub const fn without_date(mut self) -> Self {
        self.date = false;
        self
    }

    /// Words refusals in the owner's format; [`ProblemAnswers`] otherwise.
    #[must_use]
    pub fn with_answers(mut self, answers: Arc<dyn Answers>) -> Self {
        self.answers = answers;
        self
    }

    /// Puts a [`RequestId`](crate::RequestId) into the extensions of each request.
    #[must_use]
    pub fn with_ids(mut self, ids: Arc<RequestIds>) -> Self {
        self.ids = Some(ids);
        self
    }

    /// The address, with the port that was taken.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What is counted, for metrics.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Serves until `shutdown`, then stops accepting, lets what is in flight end within `drain_ms`, and cuts the rest.
    /// A client that closes its half after the request still gets its answer.
    pub async fn serve<S, B>(self, service: S, limits: Limits, shutdown: impl Future<Output = ()>) -> ServeReport
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Send,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let builder = builder(&limits, self.date);
        let (http1, http2) = (builder.clone().http1_only(), builder.clone().http2_only());
        let shared = Arc::new(Shared {
            service,
            limits,
            answers: self.answers,
            ids: self.ids,
            counters: self.counters,
            tls: self.tls.map(|tls| TlsAcceptor::from(tls.0)),
            plain: if self.h2c { builder } else { http1.clone() },
            http1,
            http2,
        });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        let mut failing = false;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => note(ended),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if tasks.len() >= limits.connections_max => {
                        // The first of a run is logged; the rest are counted.
                        if shared.counters.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                            tracing::warn!(connections = limits.connections_max, "as many connections as are taken: more are closed");
                        }
                        drop(stream);
                    }
                    Ok((stream, _)) => {
                        failing = false;
                        shared.counters.connections.fetch_add(1, Ordering::Relaxed);
                        tasks.spawn(connection(stream, shared.clone(), stopped.clone()));
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut failing, true) {
                            tracing::error!(error.kind = ?error.kind(), "connections cannot be accepted");
                        }
                        tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                    }
                },
            }
        }
        drop(self.listener);
        // No receiver: no connection.
        let _ = stop.send(true);
        let open = tasks.len();
        let deadline = Instant::now() + limits.drain();
        while let Ok(Some(ended)) = timeout_at(deadline, tasks.join_next()).await {
            note(ended);
        }
        let cut = tasks.len();
        tasks.shutdown().await;
        ServeReport { counts: shared.counters.now(), drained: open - cut, cut }
    }
}

/// A connection's task that ended: a panic outside a handler (in the body of an answer) ends its connection alone.
fn note(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection panicked");
    }
}

/// Until the listener stops, or is gone.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn builder(limits: &Limits, date: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The meter keeps this limit without a timer for each request.
        .header_read_timeout(None)
        .half_close(true)
        .auto_date_header(date)
        .max_buf_size(limits.header_bytes_max.max(HYPER_BUFFER_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(date)
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX));
    builder
}

async fn connection<S, B>(stream: TcpStream, shared: Arc<Shared<S>>, mut stopped: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let peer = stream.peer_addr().ok().map(Peer);
    // Without it small answers wait for acknowledgements; if it fails they are late and right.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &shared.tls else {
        return drive(stream, &shared.plain, &shared, stopped, peer).await;
    };
    let handshake = tokio::select! {
        handshake = timeout(shared.limits.header_read(), tls.accept(stream)) => handshake,
        () = stop(&mut stopped) => return,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
            drive(stream, if http2 { &shared.http2 } else { &shared.http1 }, &shared, stopped, peer).await;
        }
        Ok(Err(error)) => tracing::debug!(error.kind = ?error.kind(), "a TLS handshake failed"),
        Err(_) => {
            shared.counters.slow.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn drive<I, S, B>(
    stream: I,
    builder: &auto::Builder<TokioExecutor>,
    shared: &Arc<Shared<S>>,
    mut stopped: watch::Receiver<bool>,
    peer: Option<Peer>,
) where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let meter = Meter::new();
    let io = TokioIo::new(Metered::new(stream, meter.clone()));
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        handle(shared.clone(), meter.clone(), request)
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut look = pin!(tokio::time::sleep(Duration::from_millis(shared.limits.tick_ms())));
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            // What ends a connection is the client's, or is counted where it happens.
            _ = connection.as_mut() => return,
            () = look.as_mut() => match meter.verdict(&shared.limits) {
                Verdict::Wait(ms) => look.as_mut().reset(Instant::now() + Duration::from_millis(ms)),
                Verdict::Idle => {
                    if !ending {
                        connection.as_mut().graceful_shutdown();
                    }
                    let _ = timeout(Duration::from_millis(GOODBYE_MS), connection).await;
                    return;
                }
                Verdict::HeadTooSlow | Verdict::Stalled => {
                    shared.counters.slow.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            },
            () = stop(&mut stopped), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
