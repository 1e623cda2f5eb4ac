//! Connections to one server: opened within a limit of time, kept while idle, used again.
//!
//! HTTP/1.1 with one request at a time on each. It is our own and not hyper-util's client, because a request may be sent
//! again only if it went out on a connection that had been used before, which that client does not tell.

use crate::counts::UpstreamCounts;
use crate::options::{ANSWER_HEAD_BYTES_MAX, InvalidOptions, Options, Roots};
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use scruple_release::UpstreamError;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// A connection that can take a request.
pub struct Lease {
    pub sender: SendRequest<Full<Bytes>>,
    /// It has answered before: the server may have closed it meanwhile.
    pub reused: bool,
}

struct Idle {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

pub struct Pool {
    connector: HttpsConnector<HttpConnector>,
    target: Uri,
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
    idle_ms: u64,
    connect_ms: u64,
    counts: Arc<UpstreamCounts>,
}

impl Pool {
    pub fn new(options: &Options, counts: Arc<UpstreamCounts>) -> Result<Self, InvalidOptions> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_millis(options.connect_ms)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&options.roots)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self {
            connector,
            target: Uri::try_from(options.base.origin()).map_err(|_| InvalidOptions::Tls)?,
            idle: Mutex::default(),
            idle_max: options.pool_idle_max,
            idle_ms: options.pool_idle_ms,
            connect_ms: options.connect_ms,
            counts,
        })
    }

    /// An idle connection, the last used first, else a new one.
    pub async fn lease(&self) -> Result<Lease, UpstreamError> {
        while let Some(mut idle) = self.pop() {
            let fresh = idle.since.elapsed() < Duration::from_millis(self.idle_ms);
            // Not ready: the server closed it, or sent more than its answer.
            if fresh && idle.sender.ready().await.is_ok() {
                return Ok(Lease { sender: idle.sender, reused: true });
            }
        }
        self.open().await
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// A new connection.
    pub async fn open(&self) -> Result<Lease, UpstreamError> {
        let limit_ms = self.connect_ms;
        timeout(Duration::from_millis(limit_ms), self.connect())
            .await
            .unwrap_or(Err(UpstreamError::Timeout { limit_ms }))
    }

    async fn connect(&self) -> Result<Lease, UpstreamError> {
        let mut connector = self.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|_| UpstreamError::Unreachable)?;
        let stream = connector.call(self.target.clone()).await.map_err(|error| self.refused(&*error))?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(ANSWER_HEAD_BYTES_MAX)
            .max_header_size(ANSWER_HEAD_BYTES_MAX)
            .handshake(stream)
            .await
            .map_err(|_| UpstreamError::Unreachable)?;
        // It ends with its sender; what it has to say, the request's future says.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        self.counts.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Lease { sender, reused: false })
    }

    fn refused(&self, error: &(dyn Error + 'static)) -> UpstreamError {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
                return UpstreamError::Timeout { limit_ms: self.connect_ms };
            }
            cause = error.source();
        }
        UpstreamError::Unreachable
    }

    /// Takes a connection back whose answer was read to its end.
    pub fn give_back(&self, sender: SendRequest<Full<Bytes>>) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= self.idle_max {
            return;
        }
        idle.push(Idle { sender, since: Instant::now() });
        // The oldest stand in front: those that are too old are closed here, as nobody else looks at them.
        let old = |idle: &Idle| idle.since.elapsed() >= Duration::from_millis(self.idle_ms);
        if idle.first().is_some_and(old) {
            idle.retain(|idle| !old(idle));
        }
    }
}

fn tls(roots: &Roots) -> Result<ClientConfig, InvalidOptions> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| InvalidOptions::Tls)?;
    Ok(match roots {
        Roots::Public => builder.with_webpki_roots().with_no_client_auth(),
        Roots::Pem(pem) => {
            let mut store = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| InvalidOptions::Roots)?;
                store.add(certificate).map_err(|_| InvalidOptions::Roots)?;
            }
            if store.is_empty() {
                return Err(InvalidOptions::Roots);
            }
            builder.with_root_certificates(store).with_no_client_auth()
        }
    })
}
