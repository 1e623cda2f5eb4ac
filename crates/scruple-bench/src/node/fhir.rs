//! A FHIR server over HTTP in a process of its own: the embedded server over a synthetic hospital, on our listener.

use super::NOON;
use super::content::{Content, PREPARED, hospital, prepared};
use crate::bench::processes::{Served, on_core};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use scruple_hospital::upstream::{self, Server};
use scruple_http::{Limits, read_body};
use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The first argument of the program that is this server; the second is the number of patients, the third what it holds.
pub const ROLE: &str = "fhir-upstream";

/// Bytes of a search's form.
const FORM_BYTES_MAX: usize = 1 << 20;
/// Milliseconds for it to come.
const FORM_MS: u64 = 10_000;

/// The server as a process.
pub struct Fhir(Served);

impl Fhir {
    /// Starts it, on this core if one is given. `program` is one of this crate's.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, core: Option<usize>, patients: usize) -> Result<Self> {
        Self::with(program, core, patients, Content::Hospital)
    }

    /// The same with more in it.
    ///
    /// # Errors
    /// It does not start.
    pub fn with(program: &Path, core: Option<usize>, patients: usize, content: Content) -> Result<Self> {
        let mut command = on_core(core, program);
        Ok(Self(Served::start(command.arg(ROLE).arg(patients.to_string()).arg(content.word()))?))
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its base.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/fhir", self.address())
    }
}

/// The role of the process: prints its address, serves until standard input closes.
///
/// # Errors
/// It cannot listen.
pub fn role() -> Result<()> {
    let patients = std::env::args().nth(2).context("how many patients?")?.parse()?;
    let content = std::env::args().nth(3).and_then(|word| Content::of(&word)).context("what does it hold?")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = Served::ending();
    runtime.block_on(async {
        let listener = scruple_http::Server::bind(([127, 0, 0, 1], 0).into()).await?;
        let base = format!("http://{}/fhir", listener.local_addr());
        let hospital = hospital(patients);
        let bundle = (content == Content::LongRecord).then(|| Bytes::from(prepared(&hospital, &base)));
        let server = Arc::new(Server::from_resources(content.resources(&hospital), &base));
        writeln!(std::io::stdout(), "{}", listener.local_addr())?;
        let service = service_fn(move |request| answer(Arc::clone(&server), bundle.clone(), request));
        let limits = Limits { drain_ms: 100, ..Limits::default() };
        let stop = async move {
            let _ = ending.await;
        };
        listener.serve(service, limits, stop).await;
        Ok(())
    })
}

async fn answer(
    server: Arc<Server>,
    prepared: Option<Bytes>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if let Some(bundle) = prepared.filter(|_| head.uri.path() == PREPARED) {
        let mut response = Response::new(Full::new(bundle));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
        return Ok(response);
    }
    let Ok(body) = read_body(body, FORM_BYTES_MAX, FORM_MS).await else {
        let mut response = Response::new(Full::default());
        *response.status_mut() = hyper::StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let answer = server.respond(&upstream::Request {
        method: head.method.as_str(),
        path: head.uri.path().strip_prefix("/fhir").unwrap_or("/"),
        query: head.uri.query(),
        content_type: header(CONTENT_TYPE),
        accept: header(ACCEPT),
        body: &body,
        now: NOON,
    });
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}
