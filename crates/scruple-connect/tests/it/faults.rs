//! Everything that can be wrong with an answer, for each kind of call: the right error, bounded in time and bytes, and not
//! a word of it in errors and logs.

use crate::support::{BUNDLE, CANARY, answer, options, query, server, within};
use scruple_connect::{CallKind, HttpUpstream, Options};
use scruple_release::{Fetched, Upstream, UpstreamError};
use scruple_testkit::log::Log;
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer};

const LIMIT: usize = 1 << 20;

/// The code that a fault comes to. One that is not listed here fails the test.
fn expected(fault: Fault) -> &'static str {
    match fault {
        Fault::SlowFirstByte | Fault::SlowTrickle | Fault::LengthTooLong => "upstream_timeout",
        Fault::CloseBeforeAnswer | Fault::HalfCloseInHead | Fault::HalfCloseInBody | Fault::ChunkedCutOff => {
            "upstream_unreachable"
        }
        Fault::LengthTooShort
        | Fault::LengthTwice
        | Fault::ChunkedGarbage
        | Fault::HugeHead
        | Fault::NoHttp
        | Fault::HalfJson => "upstream_malformed",
        Fault::Gzip | Fault::Xml | Fault::Html200 | Fault::WrongType | Fault::NoType | Fault::Charset => {
            "upstream_not_json"
        }
        Fault::Huge(_) | Fault::HugeChunked(_) => "upstream_too_large",
        Fault::Redirect | Fault::Status(500) => "upstream_status",
        Fault::Status(401) => "upstream_credential",
        _ => "a fault without an expectation",
    }
}

#[tokio::test]
async fn each_fault_is_its_error_and_the_next_call_is_well() {
    let log = Log::capture();
    let server = server();
    let options = Options { answer_bytes_max: LIMIT, read_bytes_max: LIMIT, ..options(&server) };
    let upstream = HttpUpstream::new(&options).unwrap();
    for fault in Fault::ALL {
        // On a connection that is new, and on one that has answered before.
        for warm in [false, true] {
            let upstream = if warm { &upstream } else { &HttpUpstream::new(&options).unwrap() };
            if warm {
                within(upstream.read("Patient", "p1")).await.unwrap();
            }
            // Twice: what was lost on a used connection is asked for again.
            server.always(Some(*fault));
            let link = server.url("/fhir?page=2");
            let search = query(&[("name", CANARY)]);
            let errors = [
                within(upstream.read("Patient", "p1")).await.map(|_| ()).unwrap_err(),
                within(upstream.search(&search)).await.map(|_| ()).unwrap_err(),
                within(upstream.page(&link)).await.map(|_| ()).unwrap_err(),
                within(upstream.version("Patient", "p1", "2")).await.map(|_| ()).unwrap_err(),
                within(upstream.history("Patient", "p1")).await.map(|_| ()).unwrap_err(),
            ];
            server.always(None);
            for error in errors {
                assert_eq!(error.code(), expected(*fault), "{fault:?}");
                assert!(!format!("{error} {error:?}").contains(CANARY));
            }
            assert!(within(upstream.read("Patient", "p1")).await.unwrap().is_some(), "after {fault:?}");
        }
    }
    let log = log.text();
    assert!(!log.contains(CANARY) && !log.contains("name=") && !log.contains("/fhir") && !log.contains("p1"), "{log}");
    let failures = log.matches("failed: upstream_").count();
    assert_eq!(failures, Fault::ALL.len() * 2 * 5, "one line for each failure");
}

#[tokio::test]
async fn limits_and_statuses_are_told() {
    let server = server();
    let options = Options { answer_bytes_max: LIMIT, read_bytes_max: 100, ..options(&server) };
    let upstream = HttpUpstream::new(&options).unwrap();
    let check = async |fault: Fault| {
        server.next(fault);
        within(upstream.read("Patient", "p1")).await.unwrap_err()
    };
    assert_eq!(check(Fault::SlowFirstByte).await, UpstreamError::Timeout { limit_ms: 400 });
    assert_eq!(check(Fault::Huge(1)).await, UpstreamError::TooLarge { limit: 100 });
    // A version has the limit of a read, a history that of a page.
    server.next(Fault::Huge(1));
    let version = within(upstream.version("Patient", "p1", "2")).await;
    assert_eq!(version.unwrap_err(), UpstreamError::TooLarge { limit: 100 });
    server.next(Fault::Huge(2));
    let history = within(upstream.history("Patient", "p1")).await;
    assert_eq!(history.unwrap_err(), UpstreamError::TooLarge { limit: LIMIT });
    assert_eq!(check(Fault::Status(502)).await, UpstreamError::Status(502));
    assert_eq!(check(Fault::Redirect).await, UpstreamError::Status(302));
    assert_eq!(check(Fault::Status(403)).await, UpstreamError::Credential(403));
    for status in [201, 202, 204, 206] {
        assert_eq!(check(Fault::Status(status)).await, UpstreamError::Status(status));
    }
}

/// The most memory that this process has had, in KiB.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test]
async fn a_huge_answer_takes_no_more_memory_than_its_limit() {
    let server = server();
    let options = Options { answer_bytes_max: 8 * LIMIT, call_ms: 10_000, ..options(&server) };
    let upstream = HttpUpstream::new(&options).unwrap();
    let before = peak_kib();
    for fault in [Fault::Huge(2_048), Fault::HugeChunked(2_048)] {
        for _ in 0..5 {
            server.next(fault);
            let error = within(upstream.search(&query(&[]))).await.unwrap_err();
            assert_eq!(error, UpstreamError::TooLarge { limit: 8 * LIMIT });
        }
    }
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < 100 * 1024, "{before} KiB, then {after} KiB");
    }
}

#[tokio::test]
async fn large_answers_held_at_one_time_have_a_bound_and_small_ones_always_come() {
    let large = BUNDLE.replace(CANARY, &"x".repeat(4 * LIMIT));
    let server = FaultServer::start(move |seen| match seen.method.as_str() {
        "POST" => Answer::json(large.as_bytes()),
        _ => answer(seen),
    });
    let server = server.unwrap();
    let options = Options { held_bytes_max: 10 * LIMIT, call_ms: 10_000, ..options(&server) };
    let upstream = HttpUpstream::new(&options).unwrap();
    let large = async || within(upstream.search(&query(&[]))).await;
    let (first, second) = (large().await.unwrap(), large().await.unwrap());
    assert_eq!(large().await.unwrap_err(), UpstreamError::NoRoom);
    assert!(within(upstream.read("Patient", "p1")).await.unwrap().is_some());
    // What was made of it keeps its share.
    let Fetched { bytes, share } = first;
    drop(bytes);
    assert_eq!(large().await.unwrap_err(), UpstreamError::NoRoom);
    drop(share);
    drop((large().await.unwrap(), second));
    assert_eq!(upstream.counts().of(CallKind::Search, "overloaded"), 2);
}

#[tokio::test]
async fn nobody_listens() {
    let server = server();
    let upstream = HttpUpstream::new(&options(&server)).unwrap();
    drop(server);
    assert_eq!(within(upstream.read("Patient", "p1")).await, Err(UpstreamError::Unreachable));
}
