//! An upstream that costs next to nothing: hyper, one thread, the same JSON to every request. It shows what a proxy in front of it can do.

use super::processes::{Served, on_core};
use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write as _;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

/// The first argument of the program that is this server.
pub const ROLE: &str = "http-fixed";

/// Bytes of its body.
pub const BODY_BYTES: usize = 4096;

/// Starts it in a process of its own, on this core if one is given.
///
/// # Errors
/// It does not start.
pub fn start(core: Option<usize>) -> Result<Served> {
    Served::start(on_core(core, std::env::current_exe()?).arg(ROLE))
}

/// The role of the process: prints its address, serves until standard input closes.
///
/// # Errors
/// It cannot listen.
pub fn role() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut ending = Served::ending();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        let body = Bytes::from(body());
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted?.0,
                _ = &mut ending => return Ok(()),
            };
            stream.set_nodelay(true)?;
            let body = body.clone();
            let service = service_fn(move |_| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
                std::future::ready(Ok::<_, Infallible>(response))
            });
            tokio::task::spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

/// An Observation of so many bytes.
fn body() -> String {
    let (before, after) = (r#"{"resourceType":"Observation","id":"fixed","note":[{"text":""#, r#""}]}"#);
    format!("{before}{}{after}", "x".repeat(BODY_BYTES.saturating_sub(before.len() + after.len())))
}

#[cfg(test)]
mod tests {
    use super::{BODY_BYTES, body};

    #[test]
    fn the_body_is_json_of_its_size() {
        assert_eq!(body().len(), BODY_BYTES);
        assert!(serde_json::from_str::<serde_json::Value>(&body()).is_ok());
    }
}
