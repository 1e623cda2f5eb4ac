//! TLS with HTTP/2 and HTTP/1.1, clients that speak something else, and HTTP/2 without TLS.

use crate::support::{Running, bind, last_get, limits, start, start_on, to_end, until, within};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use scruple_http::{Limits, Tls};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

struct Keys {
    tls: Tls,
    roots: RootCertStore,
}

fn keys() -> Keys {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls::from_pem(own.cert.pem().as_bytes(), own.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    Keys { tls, roots }
}

async fn connect(
    server: &Running,
    roots: &RootCertStore,
    alpn: &[&str],
) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, server.connect().await)).await
}

type Http2 = http2::SendRequest<Empty<Bytes>>;

async fn speak_http2(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Http2, hyper::Error> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(sender: &mut Http2, path: &str) -> Result<Response<Incoming>, hyper::Error> {
    let uri = format!("https://localhost{path}");
    within(sender.send_request(Request::builder().uri(uri).body(Empty::new()).unwrap())).await
}

#[tokio::test]
async fn http2_and_http1_are_settled_by_alpn() {
    let keys = keys();
    let server = start_on(bind().await.with_tls(keys.tls), limits());
    let stream = connect(&server, &keys.roots, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut sender = speak_http2(stream).await.unwrap();
    for _ in 0..3 {
        let response = ask(&mut sender, "/").await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
    for alpn in [&["http/1.1"][..], &[]] {
        let mut stream = connect(&server, &keys.roots, alpn).await.unwrap();
        stream.write_all(last_get("/").as_bytes()).await.unwrap();
        assert!(to_end(&mut stream).await.ends_with("hello"));
    }
    let report = server.stop().await;
    assert_eq!((report.counts.requests, report.cut), (5, 0), "the idle HTTP/2 connection was told to go");
}

#[tokio::test]
async fn http2_has_the_same_limits() {
    let keys = keys();
    let limits = Limits { uri_bytes_max: 100, header_bytes_max: 8_192, h2_streams_max: 2, idle_ms: 300, ..limits() };
    let server = start_on(bind().await.with_tls(keys.tls), limits);
    let mut sender = speak_http2(connect(&server, &keys.roots, &["h2"]).await.unwrap()).await.unwrap();
    assert_eq!(ask(&mut sender, "/").await.unwrap().status(), 200);
    assert_eq!(ask(&mut sender, &format!("/{}", "u".repeat(100))).await.unwrap().status(), 414);
    assert_eq!(ask(&mut sender, "/panic").await.unwrap().status(), 500);
    let large = Request::builder().uri("https://localhost/").header("x", "h".repeat(9_000)).body(Empty::new()).unwrap();
    let answer = within(sender.send_request(large)).await;
    assert!(answer.map_or(true, |response| response.status() == 431));

    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut sender = sender.clone();
        calls.spawn(async move { ask(&mut sender, "/busy").await.map(|response| response.status().as_u16()) });
    }
    while let Some(status) = within(calls.join_next()).await {
        assert_eq!(status.unwrap().unwrap(), 200);
    }
    let peak = server.handlers.peak.load(Ordering::SeqCst);
    assert!((1..=2).contains(&peak), "{peak} streams at a time");
    until(|| sender.is_closed()).await;
}

#[tokio::test]
async fn a_request_in_flight_on_http2_ends_before_the_stop() {
    let keys = keys();
    let server = start_on(bind().await.with_tls(keys.tls), limits());
    let mut sender = speak_http2(connect(&server, &keys.roots, &["h2"]).await.unwrap()).await.unwrap();
    let handlers = server.handlers.clone();
    let call = tokio::spawn(async move { ask(&mut sender, "/wait").await });
    within(handlers.begun.notified()).await;
    let task = server.begin_stop();
    handlers.go.notify_one();
    let response = within(call).await.unwrap().unwrap();
    assert_eq!(within(response.into_body().collect()).await.unwrap().to_bytes(), "waited");
    assert_eq!(within(task).await.unwrap().cut, 0);
}

#[tokio::test]
async fn clients_that_do_not_fit_get_no_answer_and_harm_nobody() {
    let keys = keys();
    let server = start_on(bind().await.with_tls(keys.tls), Limits { header_read_ms: 200, ..limits() });
    assert!(!server.exchange(last_get("/")).await.contains("HTTP"), "plain text to TLS");
    assert_eq!(to_end(&mut server.connect().await).await, "", "no handshake at all");
    until(|| server.counters.now().slow == 1).await;
    assert!(connect(&server, &RootCertStore::empty(), &["h2"]).await.is_err(), "a client that does not trust us");
    assert!(connect(&server, &keys.roots, &["spdy/3"]).await.is_err(), "no protocol in common");
    let mut stream = connect(&server, &keys.roots, &[]).await.unwrap();
    stream.write_all(last_get("/").as_bytes()).await.unwrap();
    assert!(to_end(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn http2_without_tls_is_taken_only_where_it_is_asked_for() {
    let refused = start(limits()).await;
    let attempt = async |server: &Running| {
        let mut sender = speak_http2(server.connect().await).await?;
        ask(&mut sender, "/").await.map(|response| response.version())
    };
    assert!(attempt(&refused).await.is_err());
    assert!(refused.exchange(last_get("/")).await.ends_with("hello"));
    assert_eq!(refused.counters.now().requests, 1);

    let taken = start_on(bind().await.with_h2c(), limits());
    assert_eq!(attempt(&taken).await.unwrap(), Version::HTTP_2);
    assert!(taken.exchange(last_get("/")).await.ends_with("hello"));
    assert_eq!(to_end(&mut half_preface(&taken).await).await, "", "half a preface is a slow head");
}

async fn half_preface(server: &Running) -> tokio::net::TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(b"PRI * HT").await.unwrap();
    stream.shutdown().await.unwrap();
    stream
}
