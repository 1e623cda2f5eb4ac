//! Stopping: what is in flight ends, idle connections close, nobody new comes in, and the limit holds.

use crate::support::{get, last_get, limits, start, to_end, until_text, within};
use scruple_http::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_request_in_flight_ends_and_idle_connections_close() {
    let server = start(limits()).await;
    let (address, handlers) = (server.address, server.handlers.clone());
    let mut idle = server.connect().await;
    idle.write_all(get("/").as_bytes()).await.unwrap();
    until_text(&mut idle, "hello", 1).await;
    let mut fresh = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(get("/wait").as_bytes()).await.unwrap();
    within(handlers.begun.notified()).await;

    let task = server.begin_stop();
    assert_eq!(to_end(&mut idle).await, "");
    assert_eq!(to_end(&mut fresh).await, "");
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    assert!(!task.is_finished(), "the request is in flight");
    handlers.go.notify_one();
    let answer = to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("waited"), "{answer}");
    let report = within(task).await.unwrap();
    assert_eq!((report.drained, report.cut), (3, 0));
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_and_counted() {
    let server = start(Limits { drain_ms: 100, ..limits() }).await;
    let mut hanging = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(last_get("/wait").as_bytes()).await.unwrap();
        within(server.handlers.begun.notified()).await;
        hanging.push(stream);
    }
    let report = server.stop().await;
    assert_eq!((report.drained, report.cut), (0, 2));
    for mut stream in hanging {
        assert_eq!(to_end(&mut stream).await, "");
    }
}
