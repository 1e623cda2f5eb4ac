//! Clients that take their time, and handlers that do.

use crate::support::{BIG_BYTES, get, last_get, limits, start, to_end, until, until_text, within};
use scruple_http::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let server = start(Limits { header_read_ms: 200, ..limits() }).await;
    let mut stream = server.connect().await;
    let mut sent = 0;
    within(async {
        loop {
            // A byte now and then: the time of the whole head counts, not that of the last byte.
            let byte = get("/").into_bytes()[sent % 10];
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            sent += 1;
            let answer = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut [0; 64])).await;
            if matches!(answer, Ok(Ok(0) | Err(_))) {
                break;
            }
        }
    })
    .await;
    assert!(sent < 100, "{sent} bytes were taken");
    until(|| server.counters.now().slow == 1).await;
    assert!(server.exchange(last_get("/")).await.ends_with("hello"));
}

#[tokio::test]
async fn a_second_head_that_trickles_is_cut_off_too() {
    let server = start(Limits { header_read_ms: 100, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(get("/").as_bytes()).await.unwrap();
    until_text(&mut stream, "hello", 1).await;
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(to_end(&mut stream).await, "");
    until(|| server.counters.now().slow == 1).await;
}

#[tokio::test]
async fn connections_that_nobody_uses_are_closed() {
    let server = start(Limits { header_read_ms: 150, idle_ms: 150, ..limits() }).await;
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(get("/").as_bytes()).await.unwrap();
    assert!(to_end(&mut idle).await.ends_with("hello"));
    assert_eq!(to_end(&mut silent).await, "");
    assert_eq!(server.counters.now().slow, 0, "idle is not slow");
}

#[tokio::test]
async fn a_request_in_flight_is_not_idle() {
    let server = start(Limits { header_read_ms: 50, idle_ms: 50, write_stall_ms: 50, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(last_get("/wait").as_bytes()).await.unwrap();
    within(server.handlers.begun.notified()).await;
    // Another connection comes and goes meanwhile: time passes.
    assert_eq!(to_end(&mut server.connect().await).await, "");
    server.handlers.go.notify_one();
    assert!(to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = start(Limits { write_stall_ms: 200, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(last_get("/big").as_bytes()).await.unwrap();
    until(|| server.counters.now().slow == 1).await;
    let mut taken = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = within(stream.read(&mut buffer)).await {
        taken += read;
    }
    assert!(taken < BIG_BYTES, "the whole answer came");
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_everything() {
    let server = start(Limits { write_stall_ms: 2_000, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(last_get("/big").as_bytes()).await.unwrap();
    let mut taken = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = within(stream.read(&mut buffer)).await {
        taken += read;
    }
    assert!(taken > BIG_BYTES);
    assert_eq!(server.counters.now().slow, 0);
}

#[tokio::test]
async fn a_handler_that_hangs_is_ended_and_the_owner_answers() {
    let server = start(Limits { request_ms: 100, ..limits() }).await;
    let answer = server.exchange(last_get("/hang")).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("\"code\":\"request_timeout\""), "{answer}");
    assert_eq!(server.counters.now().timeouts, 1);
}
