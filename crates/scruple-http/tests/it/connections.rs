//! Keep-alive, pipelining, half-closed clients, heads that are too large, too many connections, routers of axum.

use crate::support::{bind, get, last_get, limits, start, start_on, to_end, until, until_text, within};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::{FixedClock, Timestamp};
use scruple_http::{Limits, RequestIds};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn one_connection_serves_requests_one_after_the_other_and_in_a_row() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(get("/").as_bytes()).await.unwrap();
        assert!(until_text(&mut stream, "hello", 1).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    stream.write_all(get("/").repeat(50).as_bytes()).await.unwrap();
    assert_eq!(until_text(&mut stream, "hello", 50).await.matches("HTTP/1.1 200 OK").count(), 50);
    drop(stream);
    let report = server.stop().await;
    assert_eq!((report.counts.connections, report.counts.requests, report.cut), (1, 53, 0));
}

#[tokio::test]
async fn a_client_that_closes_its_half_gets_its_answer() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(get("/wait").as_bytes()).await.unwrap();
    within(server.handlers.begun.notified()).await;
    stream.shutdown().await.unwrap();
    server.handlers.go.notify_one();
    assert!(to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let server = start(Limits { connections_max: 1, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(get("/").as_bytes()).await.unwrap();
    until_text(&mut stream, "hello", 1).await;
    assert_eq!(server.exchange(last_get("/")).await, "", "there is no place");
    drop(stream);
    within(async { while server.exchange(last_get("/")).await.is_empty() {} }).await;
}

#[tokio::test]
async fn one_connection_more_than_are_taken_is_closed_without_an_answer() {
    let server = start(Limits { connections_max: 3, ..limits() }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(get("/").as_bytes()).await.unwrap();
        until_text(&mut stream, "hello", 1).await;
        held.push(stream);
    }
    for _ in 0..5 {
        assert_eq!(server.exchange(last_get("/")).await, "");
    }
    assert_eq!(server.counters.now().refused, 5);
    for stream in &mut held {
        stream.write_all(get("/").as_bytes()).await.unwrap();
        until_text(stream, "hello", 1).await;
    }
}

#[tokio::test]
async fn heads_over_the_limits_are_refused() {
    let limits = Limits { header_bytes_max: 10_000, uri_bytes_max: 100, ..limits() };
    let server = start(limits).await;
    let check = async |uri: usize, header: usize| {
        let (uri, header) = ("u".repeat(uri - 1), "h".repeat(header));
        let answer = server
            .exchange(format!("GET /{uri} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {header}\r\n\r\n"))
            .await;
        assert!(!answer.contains("uuu") && !answer.contains("hhh"), "an answer repeats the request");
        answer.get(9..12).unwrap_or_default().to_owned()
    };
    assert_eq!(check(100, 1).await, "200");
    assert_eq!(check(101, 1).await, "414");
    assert_eq!(check(1, 9_900).await, "200");
    // Over the limit and within hyper's buffer, beyond it, and far beyond it.
    assert_eq!(check(1, 9_990).await, "431");
    assert_eq!(check(1, 30_000).await, "431");
    assert_eq!(check(70_000, 1).await, "431");
    let many: String = (0..150).map(|line| format!("x{line}: y\r\n")).collect();
    let answer = server.exchange(format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_gets_no_more_than_a_status() {
    let server = start(limits()).await;
    for text in ["\0\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0\u{1}"]
    {
        let mut stream = server.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = to_end(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert!(server.exchange(last_get("/")).await.ends_with("hello"));
}

#[tokio::test]
async fn ids_are_ours_and_differ() {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(0)));
    let rng = ChaCha8Rng::seed_from_u64(1);
    let server = start_on(bind().await.with_ids(Arc::new(RequestIds::new(clock, Box::new(rng)))), limits());
    let ask = "GET /id HTTP/1.1\r\nhost: a\r\nx-request-id: mine\r\nconnection: close\r\n\r\n";
    let ids = [server.exchange(ask).await, server.exchange(ask).await];
    let [one, two] = ids.each_ref().map(|answer| answer.split("\r\n\r\n").nth(1).unwrap());
    assert_eq!((one.len(), two.len()), (36, 36));
    assert!(one != two && !one.contains("mine"));
}

#[tokio::test]
async fn a_router_of_axum_fits() {
    let server = bind().await;
    let address = server.local_addr();
    let router = axum::Router::new().route("/page", axum::routing::get(|| async { "a page" }));
    let service = hyper_util::service::TowerToHyperService::new(router);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(service, limits(), async {
        let _ = stopped.await;
    }));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(last_get("/page").as_bytes()).await.unwrap();
    assert!(to_end(&mut stream).await.ends_with("a page"));
    stop.send(()).unwrap();
    within(task).await.unwrap();
}

#[tokio::test]
async fn without_a_date_two_answers_are_the_same_bytes() {
    let server = start_on(bind().await.without_date(), limits());
    let answer = server.exchange(last_get("/")).await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
    until(|| server.counters.now().requests == 1).await;
}
