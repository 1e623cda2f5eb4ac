//! Jobs: enqueued with their cause, leased by one worker, run again after a loss, given up after a bound.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::Id;
use scruple_store::limits::{JOB_ATTEMPTS_MAX, JOBS_LEASED_MAX};
use scruple_store::{
    Job, JobCounts, JobFailure, LeasedJob, NewJob, Outcome, StoreError, Subjects, enqueue, find_person_by_login,
    finish_job, insert_person,
};

fn job(db: &TestDb) -> NewJob<'static> {
    NewJob { id: db.id(), name: "mail", dedup_key: None, payload: b"to", at: at(0), run_at: at(10), attempts_max: 2 }
}

async fn enqueued(db: &TestDb, job: NewJob<'static>) -> Id<Job> {
    let mut tx = db.begin().await;
    assert!(enqueue(&mut tx, &job).await.unwrap());
    db.commit(tx, Subjects::none()).await.unwrap();
    job.id
}

async fn lease(db: &TestDb, now: i64) -> Vec<LeasedJob> {
    db.store.lease_jobs(db.id(), at(now), at(now + 60), 10).await.unwrap()
}

const FAILURE: JobFailure = JobFailure { code: "smtp_refused", at: at_const(20), retry_at: at_const(30) };

const fn at_const(seconds: i64) -> scruple_core::Timestamp {
    // 2026-03-01T08:00:00Z
    scruple_core::Timestamp::from_micros((1_772_352_000 + seconds) * 1_000_000)
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_cause_was_committed() {
    with_db(ENGINE, async |db| {
        let mut tx = db.begin().await;
        enqueue(&mut tx, &job(db)).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(lease(db, 10).await, []);
        let id = enqueued(db, job(db)).await;
        assert_eq!(lease(db, 9).await, [], "it is not due");
        let leased = lease(db, 10).await;
        assert_eq!((leased.len(), leased[0].id, leased[0].name.as_str(), leased[0].attempt), (1, id, "mail", 1));
        assert_eq!(leased[0].payload.expose(), b"to");
        assert_eq!(lease(db, 11).await, [], "somebody has it");
    })
    .await;
}

#[tokio::test]
async fn a_second_job_with_the_same_key_is_not_enqueued() {
    with_db(ENGINE, async |db| {
        let keyed = |id| NewJob { id, dedup_key: Some("mail:7"), ..job(db) };
        enqueued(db, keyed(db.id())).await;
        let mut tx = db.begin().await;
        assert!(!enqueue(&mut tx, &keyed(db.id())).await.unwrap());
        assert!(enqueue(&mut tx, &job(db)).await.unwrap(), "jobs without a key do not meet");
        assert!(enqueue(&mut tx, &job(db)).await.unwrap());
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(db.store.count_jobs().await.unwrap(), JobCounts { open: 3, failed: 0 });
        let attempts = NewJob { attempts_max: JOB_ATTEMPTS_MAX + 1, ..job(db) };
        assert!(matches!(enqueue(&mut db.begin().await, &attempts).await, Err(StoreError::Limit { .. })));
        let attempts = NewJob { attempts_max: 0, ..job(db) };
        assert!(matches!(enqueue(&mut db.begin().await, &attempts).await, Err(StoreError::Limit { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_never_lease_the_same_job() {
    with_db(ENGINE, async |db| {
        for _ in 0..12 {
            enqueued(db, job(db)).await;
        }
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let store = db.second_store().await;
            let leases: Vec<_> = (0..12).map(|_| db.id()).collect();
            tasks.spawn(async move {
                let mut mine = Vec::new();
                for lease in leases {
                    mine.extend(store.lease_jobs(lease, at(10), at(70), 3).await.unwrap());
                }
                mine.iter().map(|job| job.id).collect::<Vec<_>>()
            });
        }
        let mut all = tasks.join_all().await.concat();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!((count, all.len()), (12, 12));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_runs_twice_changes_the_store_once() {
    with_db(ENGINE, async |db| {
        enqueued(db, job(db)).await;
        let first = lease(db, 10).await.remove(0);
        // The first worker is slow; its lease is over and a second one has the job.
        let second = lease(db, 71).await.remove(0);
        assert_eq!((first.id, first.attempt, second.attempt), (second.id, 1, 2));
        for (run, done) in [(&first, false), (&second, true), (&second, false)] {
            let mut tx = db.begin().await;
            if done {
                insert_person(&mut tx, &db.new_person("made-by-job")).await.unwrap();
            }
            match finish_job(&mut tx, run, at(80)).await {
                Ok(()) => assert!(db.commit(tx, Subjects::none()).await.is_ok() && done),
                Err(refused) => assert!(matches!(refused, StoreError::RowsAffected { table: "job", .. }) && !done),
            }
        }
        let made = find_person_by_login(&mut db.read().await, &"made-by-job".parse().unwrap()).await.unwrap();
        assert!(made.is_some());
        assert_eq!(db.store.count_jobs().await.unwrap(), JobCounts::default());
        assert!(matches!(db.store.fail_job(&second, FAILURE).await, Err(StoreError::RowsAffected { .. })));
        assert!(matches!(db.store.close_job(&second, at(90)).await, Err(StoreError::RowsAffected { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_failed_attempt_is_retried_and_the_last_one_gives_up() {
    with_db(ENGINE, async |db| {
        enqueued(db, job(db)).await;
        let first = lease(db, 10).await.remove(0);
        assert_eq!(db.store.fail_job(&first, FAILURE).await.unwrap(), Outcome::Retried);
        assert_eq!(lease(db, 29).await, [], "not before the time of the retry");
        let second = lease(db, 30).await.remove(0);
        assert_eq!(db.store.fail_job(&second, FAILURE).await.unwrap(), Outcome::Failed);
        assert_eq!(lease(db, 1_000).await, []);
        assert_eq!(db.store.count_jobs().await.unwrap(), JobCounts { open: 0, failed: 1 });
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_worker_is_lost_in_the_last_attempt_is_given_up() {
    with_db(ENGINE, async |db| {
        enqueued(db, job(db)).await;
        assert_eq!(lease(db, 10).await.len(), 1);
        assert_eq!(lease(db, 70).await.len(), 1);
        assert_eq!(lease(db, 129).await.len(), 0, "the lease still runs");
        assert_eq!(db.store.count_jobs().await.unwrap(), JobCounts { open: 1, failed: 0 });
        assert_eq!(lease(db, 130).await.len(), 0);
        assert_eq!(db.store.count_jobs().await.unwrap(), JobCounts { open: 0, failed: 1 });
    })
    .await;
}

#[tokio::test]
async fn a_worker_takes_a_bounded_number_in_order_and_done_jobs_are_purged() {
    with_db(ENGINE, async |db| {
        let mut tx = db.begin().await;
        for _ in 0..=JOBS_LEASED_MAX {
            enqueue(&mut tx, &job(db)).await.unwrap();
        }
        let late = NewJob { run_at: at(5), ..job(db) };
        enqueue(&mut tx, &late).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let first = db.store.lease_jobs(db.id(), at(10), at(70), 1).await.unwrap();
        assert_eq!(first[0].id, late.id, "what is due longest comes first");
        let many = db.store.lease_jobs(db.id(), at(10), at(70), i64::MAX).await.unwrap();
        assert_eq!(many.len() as i64, JOBS_LEASED_MAX);
        for job in &many {
            db.store.close_job(job, at(20)).await.unwrap();
        }
        assert_eq!(db.store.purge_jobs(at(20), 100).await.unwrap(), 0);
        assert_eq!(db.store.purge_jobs(at(21), 30).await.unwrap(), 30);
        assert_eq!(db.store.purge_jobs(at(21), 30).await.unwrap(), 2);
        assert_eq!(db.store.count_jobs().await.unwrap(), JobCounts { open: 2, failed: 0 });
    })
    .await;
}
