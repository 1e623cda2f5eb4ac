//! Bodies of requests: too large, too slow, broken off.

use crate::support::{limits, start, until_text};
use tokio::io::AsyncWriteExt;

fn post(head: &str, body: &str) -> String {
    format!("POST /body HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{head}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_body_is_taken_up_to_its_limit() {
    let server = start(limits()).await;
    let check = async |head: &str, body: &str| {
        let answer = server.exchange(post(head, body)).await;
        format!("{} {}", &answer[9..12], answer.split("\r\n\r\n").last().unwrap_or_default())
    };
    assert_eq!(check("content-length: 0", "").await, "200 0 bytes");
    assert_eq!(check("content-length: 1000", &"x".repeat(1_000)).await, "200 1000 bytes");
    assert_eq!(check("content-length: 1001", &"x".repeat(1_001)).await, "400 body_too_large");
    let chunk = |bytes: usize| format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes));
    let chunked = "transfer-encoding: chunked";
    assert_eq!(check(chunked, &format!("{}{}0\r\n\r\n", chunk(500), chunk(500))).await, "200 1000 bytes");
    assert_eq!(check(chunked, &format!("{}{}0\r\n\r\n", chunk(500), chunk(501))).await, "400 body_too_large");
    assert_eq!(check(chunked, "zz\r\n").await, "400 body_broken");
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_the_client_sends() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(post("content-length: 99999999\r\nexpect: 100-continue", "").as_bytes()).await.unwrap();
    let answer = until_text(&mut stream, "body_too_large", 1).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_off_is_told_apart() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(post("content-length: 1000", "x").as_bytes()).await.unwrap();
    until_text(&mut stream, "body_timeout", 1).await;
    let mut stream = server.connect().await;
    stream.write_all(post("content-length: 1000", "x").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    until_text(&mut stream, "body_broken", 1).await;
}
