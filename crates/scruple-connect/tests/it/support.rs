//! A server with a small store, and options with short limits.

use scruple_connect::{Base, HttpUpstream, Options};
use scruple_release::UpstreamQuery;
use scruple_testkit::upstream_faults::{Answer, FaultServer, Seen};
use std::time::Duration;

/// A value that no log and no error may hold.
pub const CANARY: &str = "Zq7CANARY";
pub const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1","name":[{"family":"Zq7CANARY"}]}"#;
pub const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"p1","name":[{"family":"Zq7CANARY"}]}}]}"#;

pub const HISTORY: &str = r#"{"resourceType":"Bundle","type":"history","entry":[{"request":{"method":"DELETE","url":"Patient/p1"}},{"resource":{"resourceType":"Patient","id":"p1","name":[{"family":"Zq7CANARY"}]},"request":{"method":"PUT","url":"Patient/p1"}}]}"#;

pub fn answer(seen: &Seen) -> Answer {
    match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", "/fhir/Patient/p1") => Answer::json(PATIENT),
        ("GET", "/fhir/Patient/p1/_history/2") => Answer::json(PATIENT),
        ("GET", "/fhir/Patient/p1/_history?_count=200") => Answer::json(HISTORY),
        ("GET", "/fhir/Patient/gone" | "/fhir/Patient/p1/_history/3" | "/fhir/Patient/gone/_history?_count=200") => {
            Answer::json(PATIENT).with_status(410)
        }
        ("POST", "/fhir/Patient/_search") => Answer::json(BUNDLE),
        ("GET", target) if target.starts_with("/fhir?") || target.starts_with("/fhir/Patient?") => Answer::json(BUNDLE),
        _ => Answer::json(r#"{"resourceType":"OperationOutcome","text":"Zq7CANARY"}"#).with_status(404),
    }
}

pub fn server() -> FaultServer {
    FaultServer::start(answer).unwrap()
}

pub fn options(server: &FaultServer) -> Options {
    Options { call_ms: 400, wait_ms: 100, ..Options::new(Base::parse(&server.url("/fhir")).unwrap()) }
}

pub fn upstream(server: &FaultServer) -> HttpUpstream {
    HttpUpstream::new(&options(server)).unwrap()
}

pub fn query(parameters: &[(&str, &str)]) -> UpstreamQuery {
    UpstreamQuery {
        resource_type: "Patient".to_owned(),
        parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

/// A bound for what must happen.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

/// Waits until a condition holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    within(async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while !holds() {
            look.tick().await;
        }
    })
    .await;
}
