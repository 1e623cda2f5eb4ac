//! Serves the console over a synthetic hospital on a free port of 127.0.0.1, prints its address, and goes on until it is
//! killed: for people who look at pages, and for the browser tests.

#![expect(clippy::unwrap_used, reason = "a tool for developers stops where something is wrong")]

use scruple_console::{HospitalLens, HospitalLensOptions, router, sample_router};
use scruple_core::{Clock, Timestamp};
use scruple_hospital::{Hospital, Options, Persona};
use scruple_ledger::{Ledger, OpenOptions};
use scruple_policy::PackFiles;
use scruple_seal::{RootKey, Secret, SystemRng};
use std::io::Write as _;
use std::sync::Arc;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the machine's clock, as in the binary")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
    }
}

#[tokio::main]
async fn main() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = tempfile::tempdir().unwrap();
    let ledger =
        Ledger::create_or_open(&dir.path().join("ledger"), OpenOptions::new("example/ledger", Arc::clone(&clock)));
    let ledger = Arc::new(ledger.unwrap());
    let active = Arc::new(scruple_policy::activate(&PackFiles::embedded(), clock.now()).unwrap());
    let options = Options { patients: Persona::fixed().len(), seed: 1, as_of: clock.now(), canary: false };
    let lens = HospitalLens::new(HospitalLensOptions {
        hospital: Hospital::generate(&options),
        active: Box::new(move || Arc::clone(&active)),
        ledger: Box::new(move || Some(Arc::clone(&ledger))),
        token: RootKey::new(Secret::generate(&mut SystemRng)).token().unwrap(),
        clock,
        rng: Box::new(SystemRng),
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "http://{}", listener.local_addr().unwrap()).unwrap();
    out.flush().unwrap();
    axum::serve(listener, router(Arc::new(lens)).merge(sample_router())).await.unwrap();
}
