//! Filtering of files.

use super::*;
use scruple_core::{ConditionMask, FixedClock, Timestamp};
use scruple_ledger::OpenOptions;
use scruple_policy::{PackFiles, Question};
use scruple_seal::{RootKey, Secret, SystemRng};
use std::sync::mpsc::channel;
use std::time::Duration;

struct Quiet;

impl Progress for Quiet {
    fn read(&self, _: u64) {}
}

/// Runs with `work`, on lines without end of meaning; what comes of it.
fn run_with(work: impl Fn(u64) -> Done + Sync) -> Result<(), FilterError> {
    let dir = tempfile::tempdir().unwrap();
    let decider = scruple_policy::activate(&PackFiles::embedded(), Timestamp::from_micros(0)).unwrap().decider;
    let clock = Arc::new(FixedClock::new(Timestamp::parse("2026-03-01T08:00:00Z").unwrap()));
    let options = OpenOptions::new("test/ledger", Arc::clone(&clock) as Arc<dyn Clock>);
    let ledger = Ledger::create_or_open(&dir.path().join("ledger"), options).unwrap();
    let token = RootKey::new(Secret::generate(&mut SystemRng)).token().unwrap();
    let workers = NonZeroUsize::new(2).unwrap();
    let options = FilterOptions {
        decider: &decider,
        ledger: &ledger,
        clock: clock.as_ref(),
        token: &token,
        workers,
        progress: &Quiet,
    };
    let question =
        Question { role: "biller".to_owned(), purpose: "HPAYMT".to_owned(), conditions: ConditionMask::NONE };
    let table = decider.decide(&question).unwrap();
    let projection = Projection::new(Arc::clone(&decider.pack().annotation), table.as_ref().clone());
    let around = Around { targets: None, token: &token, today: (2026, 3, 1) };
    let open = || Ok(Box::new(io::Cursor::new(b"{}\n".repeat(40 * CHUNK_RESOURCES_MAX))) as Box<dyn Read>);
    let inputs = [Input { lines: true, open: Box::new(open) }];
    let calls = std::sync::atomic::AtomicU64::new(0);
    let work = |_: &mut Projector<'_>, _: u64, _: Job| work(calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    run(&options, &projection, &around, &inputs, work, |_| Ok(())).map(drop)
}

#[test]
fn a_worker_that_falls_stops_the_run_and_nobody_waits_forever() {
    for falls in [0, 3, 40] {
        let (tell, told) = channel();
        std::thread::spawn(move || {
            tell.send(run_with(move |call| if call >= falls { panic!("a worker falls") } else { Done::InputEnds }))
        });
        let result = told.recv_timeout(Duration::from_secs(60)).expect("the run ends");
        assert!(matches!(result, Err(FilterError::Worker)), "{result:?}");
    }
    assert!(run_with(|_| Done::InputEnds).is_ok());
}
