//! A ledger on a simulated disk.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::{FixedClock, Timestamp};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{Ledger, OpenOptions, Report, SEGMENT_BYTES_MIN, VerifyOptions, verify};
use std::path::Path;
use std::sync::Arc;

pub const DIR: &str = "/ledger";

pub fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::parse("2026-03-01T08:30:00Z").unwrap()))
}

pub fn options_at(storage: &SimStorage, clock: Arc<FixedClock>) -> OpenOptions {
    OpenOptions {
        storage: Arc::new(storage.clone()),
        rng: Box::new(ChaCha20Rng::seed_from_u64(u64::from(storage.operations() as u32))),
        segment_bytes: SEGMENT_BYTES_MIN,
        ..OpenOptions::new("log.example/test", clock)
    }
}

pub fn options(storage: &SimStorage) -> OpenOptions {
    options_at(storage, clock())
}

pub fn open(storage: &SimStorage) -> Ledger {
    Ledger::create_or_open(Path::new(DIR), options(storage)).unwrap()
}

pub fn check(storage: &SimStorage, outside: Option<&[u8]>) -> Report {
    let options = VerifyOptions {
        storage: Arc::new(storage.clone()),
        outside_checkpoint: outside.map(<[u8]>::to_vec),
        ..VerifyOptions::default()
    };
    verify(Path::new(DIR), options).unwrap()
}

/// An error and its sources in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

pub fn payload(number: u64) -> Vec<u8> {
    format!("canary Moana Kealoha {number}").into_bytes()
}
