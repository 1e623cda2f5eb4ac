//! A handler that panics or fails: 500 with constant words, one line in the log without the message, and on it goes.

use crate::support::{CANARY, get, limits, start, until_text};
use scruple_http::install_panic_hook;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_ends_its_request_and_nothing_else() {
    install_panic_hook();
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _capture = tracing::subscriber::set_default(subscriber.finish());
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
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains(CANARY), "the panic's message is in the log");
    assert_eq!(log.matches("a handler panicked").count(), 2, "{log}");
    assert_eq!(log.matches("support.rs").count(), 2, "the place is there, once for each: {log}");
    assert_eq!(log.matches("a handler failed").count(), 1);
}
