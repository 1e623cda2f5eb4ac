//! What is learnt of a server at start-up.

use crate::support::{options, within};
use scruple_connect::{Base, HttpUpstream, Options, PostSearch, ProbeError};
use scruple_release::UpstreamError;
use scruple_testkit::upstream_faults::{Answer, FaultServer};

async fn check(metadata: &'static str, search: Answer) -> (Result<scruple_connect::Probe, ProbeError>, FaultServer) {
    let server = FaultServer::start(move |seen| match seen.target.as_str() {
        "/fhir/metadata" => Answer::json(metadata),
        _ => search.clone(),
    })
    .unwrap();
    let upstream =
        HttpUpstream::new(&Options { base: Base::parse(&server.url("/fhir/")).unwrap(), ..options(&server) }).unwrap();
    (within(upstream.probe()).await, server)
}

const R4: &str = r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":{"name":"A Server","version":"1\u0000.2"},
    "rest":[{"resource":[{"type":"Account","interaction":[{"code":"read"}]},{"type":"Basic","interaction":[{"code":"search-type"}]}]}]}"#;

#[tokio::test]
async fn version_software_and_search_by_post() {
    let (probe, server) = check(R4, Answer::json(r#"{"resourceType":"Bundle","type":"searchset"}"#)).await;
    let probe = probe.unwrap();
    assert_eq!((probe.fhir_version.as_str(), probe.software.as_deref()), ("4.0.1", Some("A Server 1.2")));
    assert_eq!(probe.post_search, PostSearch::Supported);
    assert!(!probe.lists_vread && !probe.lists_history);
    let seen = server.seen();
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("POST", "/fhir/Basic/_search"));
    assert_eq!(seen[1].body, b"_id=scruple-probe");

    for refusal in [
        Answer::json("{}").with_status(405),
        Answer::json("{}").with_status(404),
        Answer::json(r#"{"resourceType":"Basic","id":"x"}"#),
        Answer::json("<html>").with_type(Some("text/html")),
    ] {
        assert_eq!(check(R4, refusal).await.0.unwrap().post_search, PostSearch::Refused);
    }
}

#[tokio::test]
async fn versions_are_those_of_patients() {
    let bundle = || Answer::json(r#"{"resourceType":"Bundle","type":"searchset"}"#);
    let probe = check(
        r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"resource":[{"type":"Basic","interaction":[{"code":"vread"}]},
            {"type":"Patient","interaction":[{"code":"read"},{"code":"history-instance"},{"code":"history-type"}]}]}]}"#,
        bundle(),
    );
    let probe = probe.await.0.unwrap();
    assert_eq!((probe.lists_vread, probe.lists_history), (false, true));
}

#[tokio::test]
async fn a_server_that_is_not_ours_is_named() {
    let bundle = || Answer::json(r#"{"resourceType":"Bundle","type":"searchset"}"#);
    let r5 = r#"{"resourceType":"CapabilityStatement","fhirVersion":"5.0.0"}"#;
    assert_eq!(check(r5, bundle()).await.0, Err(ProbeError::FhirVersion("5.0.0".to_owned())));
    let none = r#"{"resourceType":"CapabilityStatement"}"#;
    assert_eq!(check(none, bundle()).await.0, Err(ProbeError::FhirVersion(String::new())));
    assert_eq!(check(r#"{"resourceType":"Patient"}"#, bundle()).await.0, Err(ProbeError::NoCapabilityStatement));
    assert_eq!(check("{nonsense}", bundle()).await.0, Err(ProbeError::NoCapabilityStatement));
    let refused = check(R4, Answer::json("{}").with_status(401)).await.0;
    assert_eq!(refused, Err(ProbeError::Upstream(UpstreamError::Credential(401))));
}
