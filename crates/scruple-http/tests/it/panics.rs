//! A handler that panics or fails: 500 with constant words, one line in the log without the message, and on it goes.

use crate::support::{CANARY, get, limits, start, until_text};
use scruple_http::install_panic_hook;
use scruple_testkit::log::Log;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_panic_ends_its_request_and_nothing_else() {
    install_panic_hook();
    let log = Log::capture();
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    for path in ["/panic", "/fail", "/panic"] {
        stream.write_all(get(path).as_bytes()).await.unwrap();
        let answer = until_text(&mut stream, "\"internal\"}", 1).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(!answer.contains(CANARY), "{answer}");
    }
    stream.write_all(get("/").as_bytes()).await.unwrap();
    until_text(&mut stream, "hello", 1).await;
    let counts = server.counters.now();
    assert_eq!((counts.panics, counts.failures, counts.requests), (2, 1, 4));
    let log = log.text();
    assert!(!log.contains(CANARY), "the panic's message is in the log");
    assert_eq!(log.matches("a handler panicked").count(), 2, "{log}");
    assert_eq!(log.matches("support.rs").count(), 2, "the place is there, once for each: {log}");
    assert_eq!(log.matches("a handler failed").count(), 1);
}
