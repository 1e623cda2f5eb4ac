//! A tiny service for those who run the process: `/healthz`, `/readyz`, `/metrics`. It stands on a listener of its own.

use crate::security_headers;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::Service;
use serde::Serialize;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

/// One thing that must be well for the process to take requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// The stable code of its state. Nothing of data.
    pub code: &'static str,
}

/// Whether the process can take requests.
pub trait Readiness: Send + Sync {
    /// All checks, in the order in which they are shown. It is called for each request and must not wait.
    fn checks(&self) -> Vec<Check>;
}

/// The text of `/metrics` (Prometheus text format).
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The service.
#[derive(Clone)]
pub struct Health {
    readiness: Arc<dyn Readiness>,
    metrics: Metrics,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Health")
    }
}

#[derive(Serialize)]
struct ReadyBody<'a> {
    ready: bool,
    checks: &'a [Check],
}

impl Health {
    /// From the checks and the metrics' text.
    #[must_use]
    pub fn new(readiness: Arc<dyn Readiness>, metrics: Metrics) -> Self {
        Self { readiness, metrics }
    }

    /// The answer to one request. 404 comes before 405: a path that is none has no methods.
    #[must_use]
    pub fn answer(&self, method: &Method, path: &str) -> Response<Bytes> {
        let known = matches!(path, "/healthz" | "/readyz" | "/metrics");
        let reads = method == Method::GET || method == Method::HEAD;
        let (status, content_type, body) = match path {
            _ if !known => (StatusCode::NOT_FOUND, TEXT, Bytes::from_static(b"not found\n")),
            _ if !reads => (StatusCode::METHOD_NOT_ALLOWED, TEXT, Bytes::from_static(b"method not allowed\n")),
            "/readyz" => self.ready(),
            "/metrics" => (StatusCode::OK, METRICS, Bytes::from((self.metrics)())),
            _ => (StatusCode::OK, TEXT, Bytes::from_static(b"ok\n")),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        security_headers(response.headers_mut());
        response
    }

    fn ready(&self) -> (StatusCode, &'static str, Bytes) {
        let checks = self.readiness.checks();
        let ready = checks.iter().all(|check| check.ok);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::to_vec(&ReadyBody { ready, checks: &checks }).unwrap_or_default();
        (status, "application/json", Bytes::from(body))
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl<B> Service<Request<B>> for Health {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path()).map(Full::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Ledger(AtomicBool);
    impl Readiness for Ledger {
        fn checks(&self) -> Vec<Check> {
            let ok = self.0.load(Ordering::SeqCst);
            let code = if ok { "ok" } else { "ledger_full" };
            vec![Check { name: "policy", ok: true, code: "ok" }, Check { name: "ledger", ok, code }]
        }
    }

    #[test]
    fn each_path_answers_and_nothing_else_does() {
        let ledger = Arc::new(Ledger(AtomicBool::new(true)));
        let health = Health::new(ledger.clone(), Arc::new(|| "scruple_up 1\n".to_owned()));
        let check = |method: Method, path: &str| {
            let response = health.answer(&method, path);
            let body = String::from_utf8(response.body().to_vec()).unwrap();
            format!("{} {}", response.status().as_u16(), body.trim_end())
        };
        assert_eq!(check(Method::GET, "/healthz"), "200 ok");
        assert_eq!(check(Method::GET, "/metrics"), "200 scruple_up 1");
        assert!(check(Method::GET, "/readyz").starts_with("200 {\"ready\":true,"));
        ledger.0.store(false, Ordering::SeqCst);
        assert_eq!(
            check(Method::GET, "/readyz"),
            "503 {\"ready\":false,\"checks\":[{\"name\":\"policy\",\"ok\":true,\"code\":\"ok\"},\
             {\"name\":\"ledger\",\"ok\":false,\"code\":\"ledger_full\"}]}"
        );
        assert_eq!(check(Method::GET, "/healthz"), "200 ok", "alive, though not ready");
        assert_eq!(check(Method::POST, "/readyz"), "405 method not allowed");
        assert_eq!(check(Method::GET, "/"), "404 not found");
        assert_eq!(check(Method::GET, "/healthz/"), "404 not found");
        assert_eq!(check(Method::POST, "/fhir/Patient"), "404 not found");
    }
}
