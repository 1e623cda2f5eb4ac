//! Durable sealed entries a second by number of writers, beside the disk's own fdatasync; and long runs of power cuts.
//!
//! ```text
//! cargo run --release -p scruple-ledger --example ledger_bench -- [throughput [SECONDS [DIR]]] | cuts SEED CASES
//! ```

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool for the developer")]

use scruple_core::{FixedClock, Timestamp};
use scruple_ledger::{
    AppendError, FileSystem, Ledger, Mode, OpenOptions, Storage as _, VerifyOptions, simulate, verify,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ENTRY_BYTES: usize = 512;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    if arguments.first().is_some_and(|word| word == "cuts") {
        let findings = simulate::power_cuts(number(1, 1), number(2, 100));
        println!("{findings:#?}");
        std::process::exit(i32::from(!findings.failures.is_empty()));
    }
    let parent = arguments.get(2).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("scruple-ledger-bench-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    disk(&dir);
    for writers in [1, 8, 64, 512] {
        throughput(&dir.join(format!("{writers}")), writers, Duration::from_secs(number(1, 5)));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// What the disk can do: fdatasync of 4 KiB in a file that is already written.
fn disk(dir: &Path) {
    let path = dir.join("disk");
    let mut file = FileSystem.create(&path, Mode::Common).unwrap();
    file.write_at(0, &vec![0; 8 << 20]).unwrap();
    file.sync().unwrap();
    let mut times: Vec<_> = (0..1000_u64)
        .map(|step| {
            let begin = Instant::now();
            file.write_at(step * 4096, &[1; 4096]).unwrap();
            file.sync().unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort();
    println!("fdatasync of 4 KiB, already written: p50 {:?}, p99 {:?}", times[500], times[990]);
    std::fs::remove_file(path).unwrap();
}

fn throughput(dir: &Path, writers: usize, time: Duration) {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(1_772_352_000_000_000)));
    let ledger = Ledger::create(dir, OpenOptions::new("bench.example/ledger", clock)).unwrap();
    let begin = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let payload = [writer as u8; ENTRY_BYTES];
                    let mut times = Vec::new();
                    while begin.elapsed() < time {
                        let start = Instant::now();
                        match ledger.append(&payload, None) {
                            Ok(_) => times.push(start.elapsed()),
                            Err(AppendError::QueueFull) => {}
                            Err(error) => {
                                println!("{error}: {:?}", std::error::Error::source(&error));
                                std::process::exit(1);
                            }
                        }
                    }
                    times
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let seconds = begin.elapsed().as_secs_f64();
    times.sort();
    let behind = ledger.size() - ledger.checkpoint_size();
    let end = Instant::now();
    let kept = ledger.checkpoint();
    ledger.close().unwrap();
    let closing = end.elapsed();
    let start = Instant::now();
    let options = VerifyOptions { outside_checkpoint: Some(kept), ..VerifyOptions::default() };
    let report = verify(dir, options).unwrap();
    println!(
        "{writers:4} writers: {:8.0} entries/s, p50 {:?}, p99 {:?}, worst {:?}; {behind} not yet in the tree, closed in \
         {closing:?}; verified {} in {:?}: {}",
        times.len() as f64 / seconds,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
        report.entries,
        start.elapsed(),
        if report.is_good() { "good" } else { "NOT GOOD" },
    );
}
