//! Power cuts on a disk that forgets any subset of its unsynced sectors.
//!
//! Two kinds of cases: the ledger alone, cut after every operation of a scripted run (`scruple_ledger::simulate`); and a
//! whole release over it, cut once: every byte that left has its record.

use super::Draw;
use super::run::{Fuzz, case_rng};
use crate::shipped;
use anyhow::Result;
use aws_lc_rs::digest;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::Rng as _;
use scruple_core::{Entry, EntryBody, FixedClock, Relationship, Timestamp};
use scruple_ledger::simulate::{Findings, Keep, SimStorage, power_cuts};
use scruple_ledger::{Ledger, OpenOptions, Payload, SEGMENT_BYTES_MIN, VerifyOptions, entries, verify};
use scruple_policy::Decider;
use scruple_release::{Asked, FilterOptions, Input, Output, Progress, Released, filter};
use scruple_seal::{Secret, TokenKey};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DIR: &str = "/ledger";
/// Operations within which the power is cut while a release runs.
const OPERATIONS_MAX: usize = 160;

/// The runner. A case is a line: `cuts SEED`, or `release SEED`.
pub struct LedgerCrash {
    decider: Decider,
    asked: Asked,
    input: Arc<Vec<u8>>,
}

impl LedgerCrash {
    /// With the shipped pack and a synthetic hospital.
    ///
    /// # Errors
    /// The pack does not read.
    pub fn new() -> Result<Self> {
        let decider = shipped::decider()?;
        let asked = Asked {
            subject: "operator:crash".to_owned(),
            question: shipped::question(decider.pack(), "biller", "HPAYMT")?,
            relationship: Relationship::Asserted,
            grant: None,
            practitioners: Vec::new(),
            opened: std::collections::BTreeMap::new(),
            limited: std::collections::BTreeMap::new(),
        };
        let lines: Vec<Vec<u8>> = super::projector::hospital(12);
        Ok(Self { decider, asked, input: Arc::new(lines.join(&b'\n')) })
    }

    /// One release into memory, cut somewhere; then everything that left must have its record.
    fn release(&self, seed: u64) -> Result<(), String> {
        let mut rng = case_rng(seed, 0);
        let storage = SimStorage::new();
        let clock = Arc::new(FixedClock::new(Timestamp::from_micros(1_772_352_000_000_000)));
        let open = |storage: &SimStorage, rng: &mut ChaCha20Rng| {
            let options = OpenOptions {
                storage: Arc::new(storage.clone()),
                rng: Box::new(ChaCha20Rng::seed_from_u64(rng.next_u64())),
                segment_bytes: SEGMENT_BYTES_MIN,
                ..OpenOptions::new("crash.example/ledger", Arc::<FixedClock>::clone(&clock))
            };
            Ledger::create_or_open(Path::new(DIR), options)
        };
        let operations = 1 + Draw(&mut rng).below(OPERATIONS_MAX);
        storage.cut_after(operations as u64);
        let mut left = Left::default();
        if let Ok(ledger) = open(&storage, &mut rng) {
            let token = TokenKey::new(&Secret::new([3; 32]));
            let options = FilterOptions {
                decider: &self.decider,
                ledger: &ledger,
                clock: clock.as_ref(),
                token: &token,
                workers: NonZeroUsize::MIN,
                progress: &Silent,
            };
            let bytes = Arc::clone(&self.input);
            let open = move || Ok(Box::new(Shared { bytes: Arc::clone(&bytes), at: 0 }) as Box<dyn io::Read>);
            let inputs = [Input { lines: true, open: Box::new(open) }];
            let result = filter(&options, &mut rng, &self.asked, &inputs, &mut left);
            if result.is_err() && !storage.is_off() {
                return Err("a release fails while the power is on".to_owned());
            }
        }
        let keep = *Draw(&mut rng).pick(&[Keep::None, Keep::All, Keep::Some, Keep::Some]);
        let storage = storage.after_power_cut(keep, &mut rng);
        let ledger = open(&storage, &mut rng).map_err(|_| "does not start after the cut".to_owned())?;
        ledger.close().map_err(|_| "does not close after the cut".to_owned())?;
        let report =
            verify(Path::new(DIR), VerifyOptions { storage: Arc::new(storage.clone()), ..VerifyOptions::default() });
        if !report.is_ok_and(|report| report.is_good()) {
            return Err("does not verify after the cut".to_owned());
        }
        let read = entries(Path::new(DIR), Arc::new(storage), None, 0).map_err(|_| "cannot be read".to_owned())?;
        let mut records = Vec::new();
        for entry in read {
            let Ok(Payload::Open(bytes)) = entry.map(|entry| entry.payload) else {
                return Err("an entry does not open".to_owned());
            };
            let entry = Entry::from_bytes(&bytes).map_err(|_| "an entry cannot be read".to_owned())?;
            records.extend(released(&entry.body).map(|(hash, bytes)| (hash.to_owned(), bytes)));
        }
        if left.0.len() > records.len() {
            return Err("a chunk left without a record".to_owned());
        }
        for (chunk, (hash, bytes)) in left.0.iter().zip(&records) {
            if chunk.len() as u64 != *bytes || sha256(chunk) != *hash {
                return Err("the record of a chunk that left is of other bytes".to_owned());
            }
        }
        Ok(())
    }
}

/// Hash and length of what an entry says was released.
pub(super) fn released(body: &EntryBody) -> Option<(&str, u64)> {
    match body {
        EntryBody::Release { sha256, bytes, .. } | EntryBody::ReleaseChunk { sha256, bytes, .. } => {
            Some((sha256, *bytes))
        }
        _ => None,
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first failure of a simulation. The seed at its beginning would make each finding another one.
pub(super) fn first_failure(findings: &Findings) -> Result<(), String> {
    match findings.failures.first() {
        Some(failure) => Err(failure.split_once(": ").map_or(failure.as_str(), |(_, what)| what).to_owned()),
        None => Ok(()),
    }
}

/// What left.
#[derive(Default)]
struct Left(Vec<Vec<u8>>);

impl Output for Left {
    fn write(&mut self, _: u64, released: &Released) -> io::Result<()> {
        self.0.push(released.bytes().to_vec());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Silent;

impl Progress for Silent {
    fn read(&self, _: u64) {}
}

struct Shared {
    bytes: Arc<Vec<u8>>,
    at: usize,
}

impl io::Read for Shared {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.read(into)?;
        self.at += count;
        Ok(count)
    }
}

impl Fuzz for LedgerCrash {
    fn name(&self) -> &'static str {
        "ledger-crash"
    }

    /// Hundreds of cuts with a restart and a verification each.
    fn case_time_max(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let kind = if Draw(rng).once_in(4) { "release" } else { "cuts" };
        format!("{kind} {}\n", rng.next_u64()).into_bytes()
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        let line = String::from_utf8_lossy(case);
        match line.trim().split_once(' ').map(|(kind, seed)| (kind, seed.parse::<u64>())) {
            Some(("release", Ok(seed))) => self.release(seed),
            Some(("cuts", Ok(seed))) => first_failure(&power_cuts(seed, 1)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_is_not_cut_leaves_in_several_chunks_with_their_records() {
        // Otherwise the cases would show little.
        let crash = LedgerCrash::new().unwrap();
        assert!(crash.input.len() > 100_000);
        for seed in 0..4 {
            assert_eq!(crash.check(format!("release {seed}").as_bytes()), Ok(()));
        }
    }
}
