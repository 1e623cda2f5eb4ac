//! SIGKILL of `scruple filter` under load: every byte that came out has its record.
//!
//! One ledger takes all the runs, each killed at a random time or after a random number of bytes. A run that is left in
//! peace tells what the whole output is, so that a chunk of which only a part came out can be judged by its hash too.

use super::Draw;
use super::crash::{released, sha256};
use super::run::{Counter, Report, Settings, case_rng, keep, progress};
use anyhow::{Context as _, Result, bail, ensure};
use scruple_core::{Entry, Timestamp};
use scruple_hospital::{Hospital, Options};
use scruple_ledger::{FileSystem, FindingKind, Payload, VerifyOptions, entries, verify};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Patients of the input: enough for a hundred chunks.
const PATIENTS: usize = 400;
/// How long one run may take.
const RUN_TIME_MAX: Duration = Duration::from_secs(300);
/// Bytes of the output that are read at once.
const READ_BYTES: usize = 16 << 10;

/// One child and what it is fed with.
struct Bench<'p> {
    program: &'p Path,
    dir: PathBuf,
    input: PathBuf,
    ledger: PathBuf,
}

/// When a child is killed.
#[derive(Clone, Copy)]
enum Kill {
    Never,
    After(Duration),
    AtBytes(usize),
}

impl Bench<'_> {
    fn scruple(&self, name: &str) -> Command {
        let mut command = Command::new(self.program);
        command.env("SCRUPLE_STATE", self.dir.join("state")).arg(name);
        command
    }

    /// Filters into a pipe until killed; what came out, and whether it ended by itself.
    fn filter(&self, ledger: &Path, kill: Kill) -> Result<(Vec<u8>, bool)> {
        let mut child = self
            .scruple("filter")
            .args(["--role", "biller", "--purpose", "HPAYMT", "--out", "-", "--in"])
            .arg(&self.input)
            .arg("--ledger")
            .arg(ledger)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.program.display()))?;
        let mut pipe = child.stdout.take().context("no pipe")?;
        let (sender, receiver) = channel();
        let reader = std::thread::spawn(move || {
            let mut block = vec![0; READ_BYTES];
            while let Ok(count @ 1..) = pipe.read(&mut block) {
                let _ = sender.send(block.get(..count).unwrap_or_default().to_vec());
            }
        });
        let began = Instant::now();
        let deadline = began + if let Kill::After(time) = kill { time } else { RUN_TIME_MAX };
        let enough = if let Kill::AtBytes(bytes) = kill { bytes } else { usize::MAX };
        let mut out = Vec::new();
        loop {
            match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(block) => out.extend(block),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if out.len() >= enough || Instant::now() >= deadline {
                child.kill()?;
                // What stands in the pipe came out before.
                out.extend(receiver.iter().flatten());
                break;
            }
        }
        let status = child.wait()?;
        let _ = reader.join();
        Ok((out, status.success()))
    }

    /// `scruple ledger verify` with the key and, if there is one, the checkpoint that were kept outside.
    fn verify(&self, outside: Option<&Path>) -> Result<bool> {
        let mut command = self.scruple("ledger");
        command.arg("verify").arg(&self.ledger).arg("--key").arg(self.dir.join("vkey"));
        if let Some(checkpoint) = outside {
            command.arg("--checkpoint").arg(checkpoint);
        }
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }

    /// The next start, which repairs what a write that was cut short left behind.
    fn restart(&self) -> Result<()> {
        let nothing = self.dir.join("nothing.ndjson");
        std::fs::write(&nothing, b"")?;
        let status = self
            .scruple("filter")
            .args(["--role", "biller", "--purpose", "HPAYMT", "--out", "-", "--in"])
            .arg(&nothing)
            .arg("--ledger")
            .arg(&self.ledger)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "the next start ends with {status}");
        Ok(())
    }

    /// What the records from an index on say was released: hash and length of each chunk; and the number of entries.
    fn records(&self, from: u64) -> Result<(Vec<(String, u64)>, u64)> {
        let mut records = Vec::new();
        let mut next = from;
        for entry in entries(&self.ledger, Arc::new(FileSystem), None, from)? {
            let entry = entry?;
            next = entry.index + 1;
            let Payload::Open(bytes) = entry.payload else { bail!("entry {} does not open", entry.index) };
            let entry = Entry::from_bytes(&bytes)?;
            records.extend(released(&entry.body).map(|(hash, bytes)| (hash.to_owned(), bytes)));
        }
        Ok((records, next))
    }
}

/// Kills `program filter` under load, so many times.
///
/// # Errors
/// The machine does not let it be tried: no program, no disk.
pub fn ledger_kill(program: &Path, settings: &Settings) -> Result<Report> {
    let dir = tempfile::tempdir()?;
    let bench = Bench {
        program,
        dir: dir.path().to_owned(),
        input: dir.path().join("input.ndjson"),
        ledger: dir.path().join("ledger"),
    };
    write_input(&bench.input, if cfg!(debug_assertions) { PATIENTS / 40 } else { PATIENTS })?;
    // In peace: once for the whole output, once to know how long it takes with a ledger that is there.
    let (whole, ended) = bench.filter(&bench.ledger, Kill::Never)?;
    ensure!(ended, "`filter` fails when it is left in peace");
    let began = Instant::now();
    let (again, ended) = bench.filter(&bench.ledger, Kill::Never)?;
    let usual = began.elapsed();
    ensure!(ended && again == whole, "`filter` gives another output the second time");
    std::fs::copy(bench.ledger.join("vkey"), bench.dir.join("vkey"))?;
    let (records, mut next) = bench.records(0)?;
    ensure!(records.len() > 2, "the input is too small: {} chunks", records.len());

    let counter = Counter::new(settings.limit);
    let mut report = Report::default();
    let (mut in_flight, mut outside) = (0, None);
    while let Some(number) = counter.take() {
        let mut rng = case_rng(settings.seed, number);
        let mut draw = Draw(&mut rng);
        let kill = if draw.once_in(2) {
            Kill::AtBytes(draw.below(whole.len()))
        } else {
            Kill::After(Duration::from_micros(draw.below(usize::try_from(usual.as_micros())?) as u64))
        };
        let (out, ended) = bench.filter(&bench.ledger, kill)?;
        in_flight += u64::from(!ended && !out.is_empty());
        let result = judge(&bench, &whole, &out, next, outside.as_deref());
        match result {
            Ok(size) => {
                next = size;
                let kept = bench.dir.join("checkpoint");
                std::fs::copy(bench.ledger.join("checkpoint"), &kept)?;
                outside = Some(kept);
            }
            Err(error) => {
                report.findings += 1;
                let case = format!("seed {}, case {number}\n", settings.seed);
                let kept = keep(settings.regressions.as_deref(), "ledger-kill", case.as_bytes())?;
                report.details.push(format!("{error:#}; {kept}"));
                // A broken ledger tells nothing more.
                break;
            }
        }
        if settings.progress {
            progress(&format!("ledger-kill: {} cases, {in_flight} of them in the middle of the output", number + 1));
        }
    }
    report.cases = counter.taken();
    if report.findings == 0 && report.cases >= 20 && in_flight < report.cases / 4 {
        report.findings += 1;
        report
            .details
            .push(format!("only {in_flight} of {} kills met the middle of the output: they show little", report.cases));
    }
    Ok(report)
}

/// Everything that must hold after a kill; the number of entries.
fn judge(bench: &Bench<'_>, whole: &[u8], out: &[u8], from: u64, outside: Option<&Path>) -> Result<u64> {
    // Before the next start: at most the last write is torn.
    let report = verify(&bench.ledger, VerifyOptions::default())?;
    let other = report.findings.iter().find(|finding| finding.kind != FindingKind::Torn);
    ensure!(other.is_none(), "after the kill: {}", other.map(ToString::to_string).unwrap_or_default());
    let (records, _) = bench.records(from)?;
    covered(whole, out, &records)?;
    bench.restart()?;
    ensure!(bench.verify(outside)?, "`scruple ledger verify` finds something");
    let (after, next) = bench.records(from)?;
    ensure!(after.starts_with(&records), "the next start changes records");
    Ok(next)
}

/// What came out is a beginning of the whole, and the records cover all of it.
fn covered(whole: &[u8], out: &[u8], records: &[(String, u64)]) -> Result<()> {
    ensure!(whole.starts_with(out), "what came out is not a beginning of the whole output");
    let mut at = 0;
    for (hash, bytes) in records {
        let end = at + usize::try_from(*bytes)?;
        // The end of the run may have been recorded with counts alone.
        let chunk = whole.get(at..end).context("a record is of more than the whole output")?;
        ensure!(sha256(chunk) == *hash, "the record of bytes {at}..{end} has the hash of others");
        at = end;
    }
    ensure!(at >= out.len(), "{} bytes came out, {at} are recorded", out.len());
    Ok(())
}

fn write_input(path: &Path, patients: usize) -> Result<()> {
    let as_of = Timestamp::from_micros(1_772_352_000_000_000);
    let hospital = Hospital::generate(&Options { patients, seed: 23, as_of, canary: false });
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for resource in hospital.directory().into_iter().chain(hospital.records().flat_map(|record| record.resources)) {
        let line = [resource.to_json(), b"\n".to_vec()].concat();
        std::io::Write::write_all(&mut file, &line)?;
    }
    Ok(std::io::Write::flush(&mut file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_a_record_and_records_of_other_bytes_are_found() {
        let record = |bytes: &[u8]| (sha256(bytes), bytes.len() as u64);
        let whole = b"one\ntwo\nthree\n";
        let records = [record(b"one\n"), record(b"two\n")];
        for out in [b"".as_slice(), b"on", b"one\n", b"one\ntw", b"one\ntwo\n"] {
            assert!(covered(whole, out, &records).is_ok(), "{out:?}");
        }
        for (out, records) in [
            (b"one\ntwo\nt".as_slice(), records.to_vec()),
            (b"one\nTWO\n", records.to_vec()),
            (b"one\n", vec![record(b"ONE\n")]),
            (b"o", vec![]),
            (b"", vec![record(b"one\ntwo\nthree\nfour\n")]),
        ] {
            assert!(covered(whole, out, &records).is_err(), "{out:?}");
        }
    }
}
