//! Damaged folders and hostile bytes into the ledger's readers.
//!
//! A case is either `bytes\n` and bytes for `scruple_ledger::fuzz_read`, or `folder\n` and changes of a small ledger, one
//! a line. Beside "never panics": a folder that verifies against the checkpoint kept outside still has every entry up to
//! it, unchanged.

use super::run::Fuzz;
use super::{Draw, mutate};
use anyhow::{Result, anyhow};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::{FixedClock, Timestamp};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{
    AppendError, Ledger, LedgerError, OpenOptions, Origin, Payload, SEGMENT_BYTES_MIN, Stop, Storage, VerifyOptions,
    entries, fuzz_read, verify,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "/ledger";
/// Entries under the checkpoint that is kept outside: more than a bundle holds.
const KEPT: u64 = 300;
/// Entries behind it.
const BEHIND: u64 = 5;
/// Bytes that one change adds at most.
const ADDED_BYTES_MAX: usize = 1 << 20;

/// A change of one file of the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    Flip { path: String, at: usize, mask: u8 },
    Cut { path: String, length: usize },
    Grow { path: String, bytes: usize },
    Remove { path: String },
    Copy { from: String, to: String },
    Splice { from: String, to: String, at: usize, length: usize },
    Put { path: String, bytes: Vec<u8> },
}

impl Change {
    fn print(&self) -> String {
        match self {
            Self::Flip { path, at, mask } => format!("flip {path} {at} {mask}"),
            Self::Cut { path, length } => format!("cut {path} {length}"),
            Self::Grow { path, bytes } => format!("grow {path} {bytes}"),
            Self::Remove { path } => format!("remove {path}"),
            Self::Copy { from, to } => format!("copy {from} {to}"),
            Self::Splice { from, to, at, length } => format!("splice {from} {to} {at} {length}"),
            Self::Put { path, bytes } => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("put {path} x{hex}")
            }
        }
    }

    /// A line that is no change is `None`: a case that was made smaller may have some.
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let path = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        Some(match words.as_slice() {
            ["flip", file, at, mask] => {
                Self::Flip { path: path(file)?, at: at.parse().ok()?, mask: mask.parse().ok()? }
            }
            ["cut", file, length] => Self::Cut { path: path(file)?, length: length.parse().ok()? },
            ["grow", file, bytes] => {
                Self::Grow { path: path(file)?, bytes: bytes.parse().ok().filter(|n| *n <= ADDED_BYTES_MAX)? }
            }
            ["remove", file] => Self::Remove { path: path(file)? },
            ["copy", from, to] => Self::Copy { from: path(from)?, to: path(to)? },
            ["splice", from, to, at, length] => {
                Self::Splice { from: path(from)?, to: path(to)?, at: at.parse().ok()?, length: length.parse().ok()? }
            }
            ["put", file, hex] => {
                let digits = hex.strip_prefix('x')?.as_bytes();
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
                Self::Put { path: path(file)?, bytes: digits.chunks(2).map(byte).collect::<Option<_>>()? }
            }
            _ => return None,
        })
    }

    fn apply(&self, storage: &SimStorage) {
        let dir = Path::new(DIR);
        let read = |name: &str| Storage::read(storage, &dir.join(name)).ok();
        let tamper = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            if read(name).is_some() {
                storage.tamper(&dir.join(name), change);
            }
        };
        match self {
            Self::Flip { path, at, mask } => tamper(path, &|bytes| {
                if let Some(byte) = bytes.get_mut(*at) {
                    *byte ^= mask;
                }
            }),
            Self::Cut { path, length } => tamper(path, &|bytes| bytes.truncate(*length)),
            Self::Grow { path, bytes: more } => tamper(path, &|bytes| bytes.resize(bytes.len() + more, 0)),
            Self::Remove { path } => {
                let _ = Storage::remove_file(storage, &dir.join(path));
            }
            Self::Copy { from, to } => {
                if let Some(bytes) = read(from) {
                    storage.put(&dir.join(to), &bytes);
                }
            }
            Self::Splice { from, to, at, length } => {
                let piece = read(from).unwrap_or_default();
                let piece = piece.get(*at..at.saturating_add(*length).min(piece.len())).unwrap_or_default().to_vec();
                tamper(to, &|bytes| {
                    let end = at.saturating_add(piece.len());
                    if let Some(place) = bytes.get_mut(*at..end) {
                        place.copy_from_slice(&piece);
                    }
                });
            }
            Self::Put { path, bytes } => storage.put(&dir.join(path), bytes),
        }
    }
}

/// The fuzzer.
pub struct FuzzLedger {
    storage: SimStorage,
    /// Names below the folder, and the bytes of each.
    files: Vec<(String, Vec<u8>)>,
    checkpoint: Vec<u8>,
    vkey: String,
}

impl FuzzLedger {
    /// Makes the small ledger that is damaged.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> Result<Self> {
        let storage = SimStorage::new();
        let ledger = Ledger::create(Path::new(DIR), options(&storage))?;
        for number in 0..KEPT {
            // Sent together, so that few batches are made.
            let origin = (number % 2 == 0).then(|| Origin::new(1, number / 2 + 1));
            ledger.append(&payload(number), origin)?;
        }
        ledger.integrate_now()?;
        let (checkpoint, vkey) = (ledger.checkpoint(), ledger.vkey());
        for number in KEPT..KEPT + BEHIND {
            ledger.append(&payload(number), None)?;
        }
        ledger.close()?;
        let report = verify(Path::new(DIR), verify_options(&storage, &checkpoint, &vkey))?;
        if !report.is_good() {
            return Err(anyhow!("the base ledger does not verify: {report}"));
        }
        let name = |path: &PathBuf| path.strip_prefix(DIR).ok().map(|name| name.to_string_lossy().into_owned());
        let read = |path: PathBuf| Some((name(&path)?, Storage::read(&storage, &path).ok()?));
        let files = storage.files().into_iter().filter_map(read).collect();
        Ok(Self { storage, files, checkpoint, vkey })
    }

    fn change(&self, draw: &mut Draw<'_>) -> Change {
        let (path, bytes) = draw.pick(&self.files).clone();
        let (other, others) = draw.pick(&self.files).clone();
        // What was written lies at the beginning of a segment; the rest are zeros.
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 40).min(bytes.len());
        let at = draw.below(written.max(1));
        match draw.below(9) {
            0..=3 => Change::Flip { path, at, mask: 1 << draw.below(8) },
            4 => Change::Cut { path, length: at },
            5 => Change::Grow { path, bytes: draw.below(100) + 1 },
            6 => Change::Remove { path },
            7 => {
                let new = [
                    "wal/1",
                    "tile/0/001",
                    "tile/entries/001.p/7",
                    "keys/x",
                    "checkpoint",
                    "origins",
                    "tmp/a",
                    "a.txt",
                ];
                let to = if draw.once_in(2) { other } else { (*draw.pick(&new)).to_owned() };
                Change::Copy { from: path, to }
            }
            _ if draw.once_in(2) => Change::Splice { from: path, to: other, at, length: draw.below(200) },
            _ => {
                let mut new = bytes.get(..written.min(2_000)).unwrap_or_default().to_vec();
                mutate::bytes(draw, &mut new, &others);
                new.truncate(4_000);
                Change::Put { path, bytes: new }
            }
        }
    }

    fn check_folder(&self, lines: &str) -> Result<(), String> {
        let storage = self.storage.copy();
        lines.lines().filter_map(Change::parse).for_each(|change| change.apply(&storage));
        let dir = Path::new(DIR);
        let outside = verify(dir, verify_options(&storage, &self.checkpoint, &self.vkey));
        let alone = verify(dir, VerifyOptions { storage: Arc::new(storage.clone()), ..VerifyOptions::default() });
        if let (Ok(outside), Ok(alone)) = (&outside, &alone)
            && outside.is_good()
            && !alone.is_good()
        {
            return Err("good against what lies outside, and not good alone".to_owned());
        }
        if outside.is_ok_and(|report| report.is_good() && report.opened == report.entries) {
            self.check_entries(&storage)?;
        } else if let Ok(read) = entries(dir, Arc::new(storage.clone()), None, 0) {
            // Whatever is read of a damaged folder: it ends.
            if read.take(2 * usize::try_from(KEPT + BEHIND).unwrap_or(0) + 1_000).count() > 1_000 {
                return Err("more entries than were written".to_owned());
            }
        }
        Self::check_start(&storage)
    }

    /// Every entry up to the checkpoint is there and is what was written.
    fn check_entries(&self, storage: &SimStorage) -> Result<(), String> {
        let read = entries(Path::new(DIR), Arc::new(storage.clone()), None, 0);
        let mut read = read.map_err(|_| "verifies, and cannot be read".to_owned())?;
        for number in 0..KEPT {
            match read.next() {
                Some(Ok(entry)) if entry.index == number && entry.payload == Payload::Open(payload(number)) => {}
                _ => return Err("verifies, and an entry under the checkpoint is another one or missing".to_owned()),
            }
        }
        Ok(())
    }

    /// The start refuses or goes on; its threads do not end by themselves.
    fn check_start(storage: &SimStorage) -> Result<(), String> {
        let ledger = match Ledger::open(Path::new(DIR), options(storage)) {
            Ok(ledger) => ledger,
            Err(LedgerError::Thread(_)) => return Err("a thread cannot be started".to_owned()),
            Err(_) => return Ok(()),
        };
        match ledger.append(b"one more", None) {
            Err(AppendError::Stopped(stop)) if matches!(*stop, Stop::Thread) => {
                return Err("a thread of the ledger panics".to_owned());
            }
            _ => {}
        }
        let stopped = ledger.close();
        match stopped {
            Err(AppendError::Stopped(stop)) if matches!(*stop, Stop::Thread) => {
                Err("a thread of the ledger panics".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn payload(number: u64) -> Vec<u8> {
    format!("entry {number} of the ledger that is damaged").into_bytes()
}

fn options(storage: &SimStorage) -> OpenOptions {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(1_772_352_000_000_000)));
    OpenOptions {
        storage: Arc::new(storage.clone()),
        rng: Box::new(ChaCha20Rng::seed_from_u64(5)),
        segment_bytes: SEGMENT_BYTES_MIN,
        ..OpenOptions::new("fuzz.example/ledger", clock)
    }
}

fn verify_options(storage: &SimStorage, checkpoint: &[u8], vkey: &str) -> VerifyOptions<'static> {
    VerifyOptions {
        storage: Arc::new(storage.clone()),
        vkey: Some(vkey.to_owned()),
        outside_checkpoint: Some(checkpoint.to_vec()),
        ..VerifyOptions::default()
    }
}

impl Fuzz for FuzzLedger {
    fn name(&self) -> &'static str {
        "fuzz-ledger"
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let mut draw = Draw(rng);
        // A folder takes a thousand times as long as bytes.
        if draw.once_in(20) {
            let changes: Vec<String> = (0..=draw.below(3)).map(|_| self.change(&mut draw).print()).collect();
            return format!("folder\n{}\n", changes.join("\n")).into_bytes();
        }
        let reader = u8::try_from(draw.below(10)).unwrap_or(0);
        let (_, bytes) = draw.pick(&self.files);
        let (_, other) = draw.pick(&self.files);
        let mut bytes = bytes.get(..bytes.len().min(8 << 10)).unwrap_or_default().to_vec();
        if draw.once_in(4) {
            // Frames begin behind the header of their segment.
            bytes.drain(..bytes.len().min(44));
        }
        mutate::bytes(&mut draw, &mut bytes, other);
        [b"bytes\n".as_slice(), &[reader], &bytes].concat()
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        if let Some(bytes) = case.strip_prefix(b"bytes\n") {
            return if fuzz_read(bytes) == fuzz_read(bytes) {
                Ok(())
            } else {
                Err("another verdict the second time".to_owned())
            };
        }
        let Some(lines) = case.strip_prefix(b"folder\n") else { return Ok(()) };
        self.check_folder(&String::from_utf8_lossy(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::long::case_rng;

    #[test]
    fn changes_are_read_back_as_they_were_written() {
        let target = FuzzLedger::new().unwrap();
        let mut kinds = std::collections::BTreeSet::new();
        for number in 0..300 {
            let change = target.change(&mut Draw(&mut case_rng(1, number)));
            assert_eq!(Change::parse(&change.print()).as_ref(), Some(&change));
            kinds.insert(change.print().split(' ').next().unwrap().to_owned());
        }
        assert_eq!(kinds.len(), 7, "{kinds:?}");
    }

    #[test]
    fn a_flipped_byte_of_an_entry_does_not_verify() {
        let target = FuzzLedger::new().unwrap();
        let storage = target.storage.copy();
        Change::parse("flip tile/entries/000 700 1").unwrap().apply(&storage);
        let report = verify(Path::new(DIR), verify_options(&storage, &target.checkpoint, &target.vkey)).unwrap();
        assert!(!report.is_good());
        assert!(target.check_entries(&storage).is_err());
        assert_eq!(target.check_folder("flip tile/entries/000 700 1"), Ok(()), "found, so that nothing is wrong");
    }
}
