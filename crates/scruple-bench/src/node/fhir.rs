//! A FHIR server over HTTP in a process of its own: the embedded server over a synthetic hospital, on our listener.

use super::NOON;
use crate::bench::processes::{Served, on_core};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use scruple_hospital::upstream::{self, Server};
use scruple_hospital::{Hospital, Options};
use scruple_http::{Limits, read_body};
use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The first argument of the program that is this server; the second is the number of patients.
pub const ROLE: &str = "fhir-upstream";

/// Bytes of a search's form.
const FORM_BYTES_MAX: usize = 1 << 20;
/// Milliseconds for it to come.
const FORM_MS: u64 = 10_000;

/// The hospital that is served.
#[must_use]
pub fn hospital(patients: usize) -> Hospital {
    Hospital::generate(&Options { patients, seed: 5, as_of: NOON, canary: false })
}

/// Bytes that a Patient or an Encounter has at least: its narrative makes up for what is missing.
const NARRATIVE_UP_TO: usize = 4_096;

/// What is served: type, id and JSON of everything in a hospital.
pub fn resources(hospital: &Hospital) -> impl Iterator<Item = (String, String, Vec<u8>)> + '_ {
    let all = hospital.directory().into_iter().chain(hospital.records().flat_map(|record| record.resources));
    all.map(|resource| {
        let json = resource.to_json();
        let narrated = matches!(resource.kind(), "Patient" | "Encounter");
        let json = if narrated { with_narrative(json) } else { json };
        (resource.kind().to_owned(), resource.id().to_owned(), json)
    })
}

/// The resource with a narrative that fills it up.
fn with_narrative(json: Vec<u8>) -> Vec<u8> {
    let begin = br#""text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">"#;
    let end = br#"</div>"},"#;
    let words = |missing| "seen in the hospital ".bytes().cycle().take(missing).collect::<Vec<u8>>();
    if let Some(at) = memchr::memmem::find(&json, begin) {
        let (before, after) = json.split_at(at + begin.len());
        return [before, &words(NARRATIVE_UP_TO.saturating_sub(json.len())), after].concat();
    }
    let Some(at) = memchr::memchr(b',', &json) else { return json };
    let (before, after) = json.split_at(at + 1);
    let missing = NARRATIVE_UP_TO.saturating_sub(json.len() + begin.len() + end.len());
    [before, begin, &words(missing), end, after].concat()
}

/// The server as a process.
pub struct Fhir(Served);

impl Fhir {
    /// Starts it, on this core if one is given. `program` is one of this crate's.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, core: Option<usize>, patients: usize) -> Result<Self> {
        Ok(Self(Served::start(on_core(core, program).arg(ROLE).arg(patients.to_string()))?))
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = Served::ending();
    runtime.block_on(async {
        let listener = scruple_http::Server::bind(([127, 0, 0, 1], 0).into()).await?;
        let base = format!("http://{}/fhir", listener.local_addr());
        let server = Arc::new(Server::from_resources(resources(&hospital(patients)), &base));
        writeln!(std::io::stdout(), "{}", listener.local_addr())?;
        let service = service_fn(move |request| answer(Arc::clone(&server), request));
        let limits = Limits { drain_ms: 100, ..Limits::default() };
        let stop = async move {
            let _ = ending.await;
        };
        listener.serve(service, limits, stop).await;
        Ok(())
    })
}

async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
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

#[cfg(test)]
mod tests {
    use super::{NARRATIVE_UP_TO, hospital, resources};

    #[test]
    fn a_narrative_fills_up_a_patient_and_it_stays_json() {
        let mut count = 0;
        for (kind, id, json) in resources(&hospital(5)) {
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(
                (value["resourceType"].as_str(), value["id"].as_str()),
                (Some(kind.as_str()), Some(id.as_str()))
            );
            count += usize::from(value["text"]["status"] == "generated" && json.len() >= NARRATIVE_UP_TO);
        }
        assert!(count > 3, "{count} narratives");
    }
}
