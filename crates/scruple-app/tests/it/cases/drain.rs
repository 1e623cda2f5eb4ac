//! The drainer: each event once and in order, whatever fails between, and what stops it for good.

use super::ENGINE;
use crate::logs::Logs;
use crate::support::{PATIENCE, SHARD, TestLog, World, at, keys, until, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::ports::{Appending, EventLog};
use scruple_app::{DrainError, DrainState, Drainer, WaitError};
use scruple_core::EntryBody;
use scruple_ledger::simulate::{Keep, SimStorage};
use scruple_ledger::{AppendError, Ledger, Origin};
use scruple_store::limits::CONNECTIONS_MAX;
use scruple_store::{Position, ShardId, Subject, Subjects};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Commits so many events and returns the last position.
async fn commit_many(world: &World, events: usize) -> Position {
    let mut last = None;
    for chunk in 0..events.div_ceil(60) {
        let count = (events - chunk * 60).min(60);
        let new: Vec<_> = (0..count).map(|_| world.event(Subjects::none())).collect();
        last = world.store.begin().await.unwrap().commit(&world.lease, &new).await.unwrap().last().copied();
    }
    last.unwrap()
}

fn up_to(position: Position) -> Vec<u64> {
    (1..=position.seq.unsigned_abs()).collect()
}

#[tokio::test]
async fn an_event_becomes_an_entry_with_its_position() {
    with_world(ENGINE, async |world| {
        let (ana, grant) = world.nurse("ana").await;
        let last = world.revoke(ana, grant).await;
        let log = TestLog::new();
        let (drainer, handle) = world.drainer(&log);
        assert_eq!((handle.state(), handle.position()), (DrainState::Starting, 0));
        assert_eq!(drainer.drain().await.unwrap(), last.seq.unsigned_abs());
        assert_eq!(handle.position(), last.seq.unsigned_abs());
        let (origin, entry) = log.entries().pop().unwrap();
        assert_eq!((origin, entry.at), (Origin::new(1, last.seq.unsigned_abs()), at(0)));
        let EntryBody::Event { event, aggregate, version, subjects } = entry.body else { panic!("{entry:?}") };
        assert_eq!((event.as_str(), version, subjects), ("test", 1, vec![format!("person:{ana}")]));
        assert!(aggregate.starts_with("test:"));
        assert_eq!(log.seqs(), up_to(last));
        assert_eq!(drainer.drain().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn more_than_a_page_is_drained_once_and_over_restarts_nothing_twice() {
    with_world(ENGINE, async |world| {
        let mut log = TestLog::new();
        let mut before = 0;
        for events in [1_100, 1, 500, 0, 499] {
            let last = if events > 0 { commit_many(world, events).await.seq.unsigned_abs() } else { before };
            let (drainer, _) = world.drainer(&log);
            assert_eq!(drainer.drain().await.unwrap(), last - before);
            assert_eq!(log.seqs(), (1..=last).collect::<Vec<_>>());
            before = last;
            drop(drainer);
            let disk = log.disk.clone();
            drop(log);
            log = TestLog::open(disk);
        }
    })
    .await;
}

#[tokio::test]
async fn a_ledger_that_fails_or_loses_its_power_anywhere_has_each_event_once_after_the_restart() {
    with_world(ENGINE, async |world| {
        let last = commit_many(world, 40).await;
        let mut failed = 0;
        for operation in 0..12 {
            for power in [false, true] {
                let log = TestLog::open(SimStorage::new());
                let from = log.disk.operations() + operation;
                if power {
                    log.disk.cut_after(from)
                } else {
                    log.disk.fail_from(from, ErrorKind::StorageFull)
                }
                let (drainer, handle) = world.drainer(&log);
                let outcome = drainer.drain().await;
                let told = handle.position();
                if let Err(error) = &outcome {
                    assert_eq!((error.code(), error.is_passing()), ("ledger_unavailable", true));
                    assert!(drainer.drain().await.is_err(), "the ledger takes nothing until it is opened anew");
                    failed += 1;
                }
                drop(drainer);
                let disk = log.disk.clone();
                drop(log);
                let again = TestLog::open(disk.after_power_cut(Keep::None, &mut ChaCha20Rng::seed_from_u64(operation)));
                assert!(again.ledger.last_origin(1).unwrap_or(0) >= told, "what was told is durable");
                let (drainer, handle) = world.drainer(&again);
                drainer.drain().await.unwrap();
                assert_eq!((again.seqs(), handle.position()), (up_to(last), last.seq.unsigned_abs()));
            }
        }
        assert!(failed > 0, "no fault was met");
    })
    .await;
}

/// A ledger behind something that refuses some positions once, and all while it is shut.
struct Refusing {
    ledger: Arc<Ledger>,
    once: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
    shut: AtomicBool,
    refusals: AtomicUsize,
}

impl Refusing {
    fn new(log: &TestLog, once: &[u64], shut: bool) -> Arc<Self> {
        let (ledger, once) = (Arc::clone(&log.ledger), Mutex::new(once.iter().copied().collect()));
        let next = AtomicU64::new(1);
        Arc::new(Self { ledger, once, next, shut: AtomicBool::new(shut), refusals: AtomicUsize::new(0) })
    }
}

impl EventLog for Refusing {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        self.ledger.last_origin(shard)
    }

    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending {
        // What comes behind a refused one goes on to the ledger, which refuses it for its origin.
        let follows = self.next.load(Ordering::SeqCst) == origin.seq;
        if follows && self.once.lock().unwrap().remove(&origin.seq) || self.shut.load(Ordering::SeqCst) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return Box::pin(std::future::ready(Err(AppendError::QueueFull)));
        }
        if follows {
            self.next.fetch_add(1, Ordering::SeqCst);
        }
        EventLog::append(&*self.ledger, payload, origin)
    }
}

#[tokio::test]
async fn a_log_that_refuses_in_the_middle_is_offered_the_rest_again() {
    let logs = Logs::default();
    let _guard = tracing::subscriber::set_default(logs.clone());
    with_world(ENGINE, async |world| {
        let last = commit_many(world, 30).await;
        let log = TestLog::new();
        let refusing = Refusing::new(&log, &[1, 7, 8, 30], false);
        let (drainer, handle) = Drainer::new(world.store.clone(), refusing, SHARD, Arc::default()).unwrap();
        for durable in [0, 6, 7, 29] {
            let error = drainer.drain().await.unwrap_err();
            assert!(matches!(error, DrainError::Log(AppendError::QueueFull)), "{error:?}");
            assert_eq!(handle.position(), durable);
        }
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(drainer.run(stopping));
        handle.wait_for(last, PATIENCE).await.unwrap();
        stop.send(true).unwrap();
        running.await.unwrap().unwrap();
        assert_eq!((log.seqs(), handle.state()), (up_to(last), DrainState::Stopped));
    })
    .await;
    assert_eq!(logs.lines(), [""; 0]);
}

#[tokio::test]
async fn a_ledger_that_stopped_is_told_once_and_so_is_its_return() {
    let logs = Logs::default();
    let _guard = tracing::subscriber::set_default(logs.clone());
    with_world(ENGINE, async |world| {
        let last = commit_many(world, 3).await;
        let log = TestLog::new();
        let refusing = Refusing::new(&log, &[], true);
        let (drainer, handle) = Drainer::new(world.store.clone(), refusing.clone(), SHARD, Arc::default()).unwrap();
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(drainer.run(stopping));
        until("it is refused again and again", || {
            handle.wake();
            refusing.refusals.load(Ordering::SeqCst) > 30
        })
        .await;
        assert_eq!(handle.state(), DrainState::Waiting("ledger_unavailable"));
        assert_eq!(handle.wait_for(last, Duration::ZERO).await, Err(WaitError::NotYet));
        refusing.shut.store(false, Ordering::SeqCst);
        handle.wait_for(last, PATIENCE).await.unwrap();
        until("it runs", || handle.state() == DrainState::Running).await;
        drop(stop);
        running.await.unwrap().unwrap();
        assert_eq!(log.seqs(), up_to(last));
    })
    .await;
    let lines = logs.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("WARN message=events of shard 1 wait for the ledger: ledger took no event"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("INFO message=events of shard 1 reach the ledger again"), "{lines:?}");
}

#[tokio::test]
async fn who_waits_is_woken_when_the_position_is_durable_and_so_is_the_feed() {
    with_world(ENGINE, async |world| {
        let log = TestLog::new();
        let feed = Arc::new(Notify::new());
        let (drainer, handle) =
            Drainer::new(world.store.clone(), log.ledger.clone(), SHARD, Arc::clone(&feed)).unwrap();
        let first = world.touch(Subject::Everyone).await;
        assert_eq!(handle.wait_for(first, Duration::ZERO).await, Err(WaitError::NotYet));
        let foreign = Position { shard: ShardId(2), seq: 1 };
        assert_eq!(handle.wait_for(foreign, PATIENCE).await, Err(WaitError::OtherShard));
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(drainer.run(stopping));
        for _ in 0..20 {
            let position = world.touch(Subject::Everyone).await;
            handle.wait_for(position, PATIENCE).await.unwrap();
            assert_eq!(log.ledger.last_origin(1), Some(position.seq.unsigned_abs()));
            tokio::time::timeout(PATIENCE, feed.notified()).await.unwrap();
        }
        assert_eq!(handle.state(), DrainState::Running);
        let late = world.touch(Subject::Everyone).await;
        stop.send(true).unwrap();
        running.await.unwrap().unwrap();
        assert_eq!(log.seqs(), up_to(late), "an orderly end leaves nothing behind");
        let after = world.touch(Subject::Everyone).await;
        assert_eq!(handle.wait_for(after, PATIENCE).await, Err(WaitError::Stopped));
        handle.wait_for(late, Duration::ZERO).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_drainer_whose_task_was_aborted_counts_as_stopped() {
    with_world(ENGINE, async |world| {
        let log = TestLog::new();
        let (drainer, handle) = world.drainer(&log);
        let (_stop, stopping) = watch::channel(false);
        let running = tokio::spawn(drainer.run(stopping));
        until("it runs", || handle.state() == DrainState::Running).await;
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert_eq!(handle.state(), DrainState::Stopped);
        let position = world.touch(Subject::Everyone).await;
        assert_eq!(handle.wait_for(position, PATIENCE).await, Err(WaitError::Stopped));
        let (again, _) = world.drainer(&log);
        again.drain().await.unwrap();
        assert_eq!(log.seqs(), up_to(position));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_asked_again() {
    with_world(ENGINE, async |world| {
        let last = world.touch(Subject::Everyone).await;
        let log = TestLog::new();
        let (drainer, _) = world.drainer(&log);
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            taken.push(world.store.begin_read().await.unwrap());
        }
        let error = drainer.drain().await.unwrap_err();
        assert!(matches!(error, DrainError::Timeout), "{error:?}");
        assert_eq!((error.code(), error.is_passing()), ("database_unavailable", true));
        drop(taken);
        drainer.drain().await.unwrap();
        assert_eq!(log.seqs(), up_to(last));
    })
    .await;
}

/// What stops the drainer stops it for good, is told once, and nobody waits for it.
async fn stops(world: &World, drainer: Drainer, handle: scruple_app::DrainHandle, code: &'static str) -> DrainError {
    let logs = Logs::default();
    let _guard = tracing::subscriber::set_default(logs.clone());
    let (_stop, stopping) = watch::channel(false);
    let error = tokio::time::timeout(PATIENCE, drainer.run(stopping)).await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.is_passing()), (code, false));
    assert_eq!(handle.state(), DrainState::Failed(code));
    let position = world.touch(Subject::Everyone).await;
    assert_eq!(handle.wait_for(position, PATIENCE).await, Err(WaitError::Stopped));
    let lines = logs.lines();
    assert!(lines.len() == 1 && lines[0].starts_with("ERROR message=drainer of shard 1 has stopped"), "{lines:?}");
    assert!(!lines[0].contains("canary"), "{lines:?}");
    error
}

#[tokio::test]
async fn a_database_that_is_older_than_the_ledger_stops_it() {
    with_world(ENGINE, async |world| {
        let log = TestLog::new();
        for seq in 1..=50 {
            log.ledger.append(b"of a database that is no more", Some(Origin::new(1, seq))).unwrap();
        }
        let last = world.touch(Subject::Everyone).await;
        let (drainer, handle) = world.drainer(&log);
        let error = stops(world, drainer, handle.clone(), "database_older_than_ledger").await;
        let expected = format!("database is older than the ledger: shard 1 stands at {}, the ledger at 50", last.seq);
        assert_eq!(error.to_string(), expected);
        // The positions of the ledger are those of other events.
        assert_eq!((handle.position(), handle.wait_for(last, PATIENCE).await), (0, Err(WaitError::Stopped)));
    })
    .await;
}

#[tokio::test]
async fn a_missing_event_stops_it() {
    with_world(ENGINE, async |world| {
        let last = world.touch(Subject::Everyone).await.seq;
        // What a restore leaves: positions that were given out and are not there.
        let raised = world.store.reconcile_shard(&world.lease, last + 3).await.unwrap();
        let event = world.event(Subjects::none());
        world.store.begin().await.unwrap().commit(&raised, &[event]).await.unwrap();
        let log = TestLog::new();
        let (drainer, handle) = world.drainer(&log);
        let error = drainer.drain().await.unwrap_err();
        assert_eq!((error.code(), error.is_passing()), ("database_damaged", false));
        let missing = format!("database damaged: event {} of shard 1 is missing", last + 1);
        assert_eq!(error.to_string(), missing);
        assert_eq!((log.seqs(), handle.position()), (vec![], 0));
    })
    .await;
}

#[tokio::test]
async fn an_event_that_does_not_open_stops_it() {
    with_world(ENGINE, async |world| {
        let stranger = world.second_store(Box::new(keys(8))).await;
        let log = TestLog::new();
        let (drainer, handle) = Drainer::new(stranger, log.ledger.clone(), SHARD, Arc::default()).unwrap();
        let error = stops(world, drainer, handle, "database_damaged").await;
        assert_eq!(error.to_string(), "database damaged: an event of shard 1 cannot be read");
        assert_eq!(log.seqs(), [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_shard_without_a_number_in_the_ledger_has_no_drainer() {
    with_world(ENGINE, async |world| {
        let log = TestLog::new();
        for shard in [-1, i64::from(u32::MAX) + 1] {
            let refused = Drainer::new(world.store.clone(), log.ledger.clone(), ShardId(shard), Arc::default());
            assert!(matches!(refused, Err(DrainError::NoShard { .. })), "{shard}");
        }
    })
    .await;
}
