//! What goes to the server, and what comes back when all is well.

use crate::support::{BUNDLE, HISTORY, PATIENT, options, query, server, upstream};
use scruple_connect::{CallKind, Credential, HttpUpstream, Options, SearchBy};
use scruple_fhir::bundle::{Version, plain};
use scruple_release::{Upstream, UpstreamError, history_page};
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn reads_searches_and_pages_carry_what_they_should() {
    let server = server();
    let credential = Credential::Bearer("own-token".to_owned().into());
    let upstream = HttpUpstream::new(&Options { credential, ..options(&server) }).unwrap();
    assert_eq!(upstream.read("Patient", "p1").await.unwrap().as_deref(), Some(PATIENT.as_bytes()));
    assert_eq!(upstream.search(&query(&[("name", "a b"), ("_id", "x|y")])).await.unwrap()[..], *BUNDLE.as_bytes());
    assert_eq!(upstream.page(&server.url("/fhir?_page=2")).await.unwrap()[..], *BUNDLE.as_bytes());
    assert_eq!(upstream.version("Patient", "p1", "2").await.unwrap().as_deref(), Some(PATIENT.as_bytes()));
    assert_eq!(upstream.history("Patient", "p1").await.unwrap().as_deref(), Some(HISTORY.as_bytes()));
    let seen = server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("GET", "/fhir/Patient/p1"));
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("POST", "/fhir/Patient/_search"));
    assert_eq!(seen[1].body, b"name=a%20b&_id=x%7Cy");
    assert_eq!(seen[1].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen[1].header("prefer"), Some("handling=strict"));
    assert_eq!((seen[2].method.as_str(), seen[2].target.as_str()), ("GET", "/fhir?_page=2"));
    assert_eq!((seen[3].method.as_str(), seen[3].target.as_str()), ("GET", "/fhir/Patient/p1/_history/2"));
    assert_eq!((seen[4].method.as_str(), seen[4].target.as_str()), ("GET", "/fhir/Patient/p1/_history?_count=200"));
    for request in &seen {
        assert_eq!(request.header("authorization"), Some("Bearer own-token"));
        assert_eq!(request.header("accept"), Some("application/fhir+json"));
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        assert_eq!(request.header("cache-control"), Some("no-cache"));
        assert_eq!(request.header("host"), Some(server.address().to_string().as_str()));
        assert_eq!(request.connection, 0, "one connection serves all");
    }
    for kind in [CallKind::Read, CallKind::Search, CallKind::Page, CallKind::Version, CallKind::History] {
        assert_eq!(upstream.counts().of(kind, "ok"), 1);
    }
    assert_eq!((upstream.counts().opened(), upstream.counts().under_way()), (1, 0));
}

#[tokio::test]
async fn a_server_without_post_is_searched_by_get() {
    let server = server();
    let upstream = HttpUpstream::new(&Options { search_by: SearchBy::Get, ..options(&server) }).unwrap();
    assert!(upstream.search(&query(&[("name", "a&b")])).await.is_ok());
    assert_eq!(server.seen()[0].target, "/fhir/Patient?name=a%26b");
    assert_eq!(server.seen()[0].header("prefer"), Some("handling=strict"));
    // Longer than a target may be: no panic, and nothing is sent.
    assert!(upstream.search(&query(&[("name", &"x".repeat(100_000))])).await.is_err());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn absent_and_deleted_are_none_and_keep_their_connection() {
    let server = server();
    let upstream = upstream(&server);
    for id in ["nobody", "gone", "nobody"] {
        assert_eq!(upstream.read("Patient", id).await, Ok(None));
        // The connection comes back once the answer's body is read.
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.counts().of(CallKind::Read, "none"), 3);
    assert!(server.connections() <= 3);
    for id in [".", "..", "a/b", "a?b", "p1#x", ""] {
        assert_eq!(upstream.read("Patient", id).await, Ok(None), "{id}");
    }
    assert_eq!(upstream.read("../Patient", "p1").await, Ok(None));
    assert_eq!(server.seen().len(), 3, "ids that are none are not asked for");
}

#[tokio::test]
async fn versions_that_are_absent_or_deleted_are_none() {
    let server = server();
    let upstream = upstream(&server);
    for (id, version) in [("p1", "1"), ("p1", "3"), ("nobody", "1")] {
        assert_eq!(upstream.version("Patient", id, version).await, Ok(None), "{id} {version}");
    }
    for id in ["gone", "nobody"] {
        assert_eq!(upstream.history("Patient", id).await, Ok(None), "{id}");
    }
    assert_eq!(upstream.counts().of(CallKind::Version, "none"), 3);
    assert_eq!(upstream.counts().of(CallKind::History, "none"), 2);
    let asked = server.seen().len();
    for wrong in [".", "..", "a/b", "a?b", "2#x", "2/../../q", ""] {
        assert_eq!(upstream.version("Patient", "p1", wrong).await, Ok(None), "{wrong}");
        assert_eq!(upstream.version("Patient", wrong, "2").await, Ok(None), "{wrong}");
        assert_eq!(upstream.history("Patient", wrong).await, Ok(None), "{wrong}");
    }
    assert_eq!(upstream.version("../Patient", "p1", "2").await, Ok(None));
    assert_eq!(upstream.history("Patient/p1", "p1").await, Ok(None));
    assert_eq!(server.seen().len(), asked, "names that are none are not asked for");
}

#[tokio::test]
async fn a_server_without_versions_says_so_by_its_status() {
    let server = server();
    let upstream = upstream(&server);
    for status in [400, 405, 501] {
        server.next(Fault::Status(status));
        assert_eq!(upstream.version("Patient", "p1", "2").await, Err(UpstreamError::Status(status)));
        server.next(Fault::Status(status));
        assert_eq!(upstream.history("Patient", "p1").await, Err(UpstreamError::Status(status)));
    }
}

#[tokio::test]
async fn a_history_is_taken_apart_and_its_links_are_held_to_the_base() {
    let next = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&next);
    let server = FaultServer::start(move |seen| match seen.target.as_str() {
        "/fhir/Patient/p1/_history?_count=200" => {
            let link = format!(r#"{{"link":[{{"relation":"next","url":"{}"}}],"#, told.lock().unwrap());
            Answer::json(HISTORY.replacen('{', &link, 1))
        }
        "/fhir/Patient/p1/_history?page=2" => Answer::json(r#"{"resourceType":"Bundle","type":"history"}"#),
        // No history at all.
        _ => Answer::json(BUNDLE),
    })
    .unwrap();
    let upstream = upstream(&server);
    let link_of = async |url: String| {
        *next.lock().unwrap() = url;
        let first = upstream.history("Patient", "p1").await.unwrap().unwrap();
        let plain = plain(&first);
        let page = history_page(&plain).unwrap();
        assert_eq!(page.versions, [Version::Deleted, Version::Resource(PATIENT.as_bytes())]);
        page.next.unwrap().into_owned()
    };
    let own = link_of(server.url("/fhir/Patient/p1/_history?page=2")).await;
    let second = upstream.page(&own).await.unwrap();
    assert!(history_page(&second).is_ok_and(|page| page.versions.is_empty() && page.next.is_none()));
    for foreign in ["http://127.0.0.1:1/fhir/Patient/p1/_history?page=2", "/admin", "//other/fhir", "../x"] {
        let asked = server.seen().len();
        let link = link_of(foreign.to_owned()).await;
        assert_eq!(upstream.page(&link).await, Err(UpstreamError::ForeignLink), "{foreign}");
        assert_eq!(server.seen().len(), asked + 1, "{foreign} is not followed");
    }
    let search = upstream.history("Patient", "p2").await.unwrap().unwrap();
    assert_eq!(history_page(&search).unwrap_err(), UpstreamError::Malformed("no page of a history"));
}

#[tokio::test]
async fn absence_is_of_reads_alone() {
    let server = server();
    let upstream = upstream(&server);
    server.next(Fault::Status(404));
    assert_eq!(upstream.search(&query(&[])).await, Err(UpstreamError::Status(404)));
    server.next(Fault::Status(410));
    assert_eq!(upstream.page("?x=1").await, Err(UpstreamError::Status(410)));
}

#[tokio::test]
async fn a_foreign_link_is_not_followed() {
    let (server, other) = (server(), server());
    let upstream = upstream(&server);
    for link in [other.url("/fhir?x=1"), server.url("/admin"), server.url("/fhir/../admin"), "//other/fhir".to_owned()]
    {
        assert_eq!(upstream.page(&link).await, Err(UpstreamError::ForeignLink));
    }
    assert!(server.seen().is_empty() && other.seen().is_empty());
    assert_eq!(upstream.counts().of(CallKind::Page, "upstream_foreign_link"), 4);
}

#[tokio::test]
async fn another_credential_is_sent_from_then_on_and_one_that_cannot_be_sent_is_not_taken() {
    let server = server();
    let credential = |token: &str| Credential::Bearer(token.to_owned().into());
    let upstream = HttpUpstream::new(&Options { credential: credential("first"), ..options(&server) }).unwrap();
    upstream.read("Patient", "p1").await.unwrap();
    upstream.set_credential(&credential("second")).unwrap();
    upstream.read("Patient", "p1").await.unwrap();
    assert!(upstream.set_credential(&credential("")).is_err());
    assert!(upstream.set_credential(&credential("a\nb")).is_err());
    upstream.read("Patient", "p1").await.unwrap();
    upstream.set_credential(&Credential::None).unwrap();
    upstream.read("Patient", "p1").await.unwrap();
    let sent: Vec<Option<String>> =
        server.seen().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(sent, [bearer("first"), bearer("second"), bearer("second"), None]);
    assert!(server.seen().iter().all(|request| request.connection == 0), "the connection stays");
}
