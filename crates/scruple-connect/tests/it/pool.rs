//! Connections: used again, gone behind our back, too many calls at a time.

use crate::support::{options, query, server, until, upstream, within};
use scruple_connect::{CallKind, HttpUpstream, Options};
use scruple_release::{Upstream, UpstreamError};
use scruple_testkit::upstream_faults::Fault;
use std::sync::Arc;

#[tokio::test]
async fn a_connection_that_the_server_closed_is_no_failure() {
    let server = server();
    let upstream = upstream(&server);
    server.close_silently(true);
    for _ in 0..50 {
        assert!(within(upstream.read("Patient", "p1")).await.unwrap().is_some());
    }
    assert_eq!(upstream.counts().of(CallKind::Read, "ok"), 50);
}

#[tokio::test]
async fn a_call_lost_on_a_used_connection_is_sent_once_more_and_not_twice() {
    let server = server();
    let upstream = upstream(&server);
    server.next(Fault::CloseBeforeAnswer);
    assert_eq!(within(upstream.read("Patient", "p1")).await, Err(UpstreamError::Unreachable));
    assert_eq!(server.seen().len(), 1, "a new connection is no reason to try again");

    assert!(within(upstream.read("Patient", "p1")).await.unwrap().is_some());
    server.next(Fault::CloseBeforeAnswer);
    assert!(within(upstream.search(&query(&[]))).await.is_ok());
    assert_eq!((server.seen().len(), upstream.counts().retried()), (4, 1));

    server.next(Fault::CloseBeforeAnswer);
    server.next(Fault::CloseBeforeAnswer);
    assert_eq!(within(upstream.read("Patient", "p1")).await, Err(UpstreamError::Unreachable));
    assert_eq!((server.seen().len(), upstream.counts().retried()), (6, 2));
}

#[tokio::test]
async fn what_was_answered_or_was_late_is_not_sent_again() {
    let server = server();
    let upstream = upstream(&server);
    for fault in [Fault::SlowFirstByte, Fault::Status(500), Fault::HalfCloseInBody, Fault::NoHttp] {
        within(upstream.read("Patient", "p1")).await.unwrap();
        let before = server.seen().len();
        server.next(fault);
        within(upstream.read("Patient", "p1")).await.unwrap_err();
        assert_eq!(server.seen().len(), before + 1, "{fault:?}");
    }
    assert_eq!(upstream.counts().retried(), 0);
}

#[tokio::test]
async fn bytes_behind_an_answer_are_nobodys_answer() {
    let server = server();
    let upstream = upstream(&server);
    for _ in 0..20 {
        server.next(Fault::LengthTooShort);
        within(upstream.read("Patient", "p1")).await.unwrap_err();
        let read = within(upstream.read("Patient", "p1")).await.unwrap().unwrap();
        assert_eq!(read[..], *crate::support::PATIENT.as_bytes());
    }
}

#[tokio::test]
async fn calls_wait_for_their_turn_and_not_for_ever() {
    let server = server();
    let upstream = Arc::new(HttpUpstream::new(&Options { calls_max: 2, call_ms: 5_000, ..options(&server) }).unwrap());
    server.next(Fault::SlowFirstByte);
    server.next(Fault::SlowFirstByte);
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { upstream.read("Patient", "p1").await })
        })
        .collect();
    until(|| server.seen().len() == 2).await;
    assert_eq!(upstream.counts().under_way(), 2);
    let late = within(upstream.read("Patient", "p1")).await;
    assert_eq!(late, Err(UpstreamError::Timeout { limit_ms: 100 }));
    assert_eq!(server.seen().len(), 2, "it was not sent");
    // A caller that leaves ends its call, its connection and its turn.
    for call in slow {
        call.abort();
    }
    until(|| server.open() == 0 && upstream.counts().under_way() == 0).await;
    assert!(within(upstream.read("Patient", "p1")).await.unwrap().is_some());
}

#[tokio::test]
async fn idle_connections_are_bounded_in_number_and_time() {
    let server = server();
    let options = Options { pool_idle_max: 2, pool_idle_ms: 100, call_ms: 5_000, ..options(&server) };
    let upstream = Arc::new(HttpUpstream::new(&options).unwrap());
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { upstream.read("Patient", "p1").await })
        })
        .collect();
    for call in calls {
        assert!(within(call).await.unwrap().unwrap().is_some());
    }
    until(|| server.open() <= 2).await;
    let before = upstream.counts().opened();
    let mut look = tokio::time::interval(std::time::Duration::from_millis(150));
    look.tick().await;
    look.tick().await;
    within(upstream.read("Patient", "p1")).await.unwrap();
    assert_eq!(upstream.counts().opened(), before + 1, "the idle ones were too old");
}
