//! Two transactions on one row: PostgreSQL only, where the second one waits for the first and then looks again. SQLite has
//! one writer.

use crate::support::{TestDb, at, with_db};
use scruple_store::{Engine, NewJob, Subjects, enqueue};
use sqlx::{Connection, PgConnection};

/// Polls before a statement that should wait is given up.
const POLLS_MAX: u32 = 10_000;

/// Returns when a statement waits for a lock in this database.
async fn until_one_waits(db: &TestDb) {
    const SQL: &str = "SELECT COUNT(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut conn = PgConnection::connect(&db.address).await.unwrap();
    for _ in 0..POLLS_MAX {
        let (waiting,): (i64,) = sqlx::query_as(SQL).fetch_one(&mut conn).await.unwrap();
        if waiting > 0 {
            return;
        }
    }
    panic!("nobody waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waited_for_a_job_does_not_take_it_a_second_time() {
    with_db(Engine::Postgres, async |db| {
        let mut tx = db.begin().await;
        let job = NewJob {
            id: db.id(),
            name: "mail",
            dedup_key: None,
            payload: b"to",
            at: at(0),
            run_at: at(0),
            attempts_max: 9,
        };
        enqueue(&mut tx, &job).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let mut first = PgConnection::connect(&db.address).await.unwrap();
        let mut first = first.begin().await.unwrap();
        sqlx::query("UPDATE job SET state = 'leased', lease = id, lease_until = $1, attempts = attempts + 1")
            .bind(at(60).micros())
            .execute(&mut *first)
            .await
            .unwrap();
        let (store, lease) = (db.second_store().await, db.id());
        let second = tokio::spawn(async move { store.lease_jobs(lease, at(10), at(70), 5).await.unwrap() });
        until_one_waits(db).await;
        first.commit().await.unwrap();
        assert_eq!(second.await.unwrap(), []);
    })
    .await;
}
