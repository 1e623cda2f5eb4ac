//! In front of Medplum's router: a FHIR server that others wrote. `cargo xtask test` starts one.

use crate::pairs::{assert_held, plan, run_well_formed, seed};
use scruple_connect::{Base, HttpUpstream, Options};
use scruple_fhir::search::Dialect;
use scruple_release::Upstream;
use scruple_testkit::interfere::Store;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `http://127.0.0.1:PORT`, if there is one.
fn server() -> Option<String> {
    let base = std::env::var("SCRUPLE_TEST_MEDPLUM").ok().filter(|base| !base.is_empty())?;
    Some(base.trim_end_matches("/fhir/R4").to_owned())
}

/// A store of its own on the server, holding this and nothing else.
fn loaded(store: &Store) -> Arc<dyn Upstream> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let server = server().unwrap();
    let name = format!("gateway-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst) % 8);
    let mut lines = Vec::new();
    for stored in store.iter() {
        lines.extend_from_slice(&stored.bytes);
        lines.push(b'\n');
    }
    put(&server, &name, &lines);
    let mut options = Options::new(Base::parse(&format!("{server}/{name}/fhir/R4")).unwrap());
    options.dialect = Dialect::Plain;
    Arc::new(HttpUpstream::new(&options).unwrap())
}

fn put(server: &str, name: &str, body: &[u8]) {
    let host = server.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "PUT /{name} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/fhir+ndjson\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

#[test]
fn callers_cannot_tell_stores_apart_before_medplum() {
    if server().is_none() {
        println!("skipped: SCRUPLE_TEST_MEDPLUM is not set; `cargo xtask test` starts a server");
        return;
    }
    assert_held(&run_well_formed("biller", "HPAYMT", loaded, &plan(600), seed() + 6), "biller before Medplum");
    assert_held(&run_well_formed("nurse", "TREAT", loaded, &plan(600), seed() + 7), "nurse before Medplum");
}
