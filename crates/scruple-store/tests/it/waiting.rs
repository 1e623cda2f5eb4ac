//! Two transactions on one row, or one practitioner: PostgreSQL only, where the second one waits for the first and then looks again. SQLite has
//! one writer.

use crate::support::{TestDb, at, with_db};
use scruple_store::{
    Engine, LinkEnd, LinkRequest, NewJob, NewLink, Subject, Subjects, confirm_link, end_link, enqueue, find_open_link,
};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_practitioner_s_links_waits_for_the_one_before_and_names_whom_it_linked() {
    with_db(Engine::Postgres, async |db| {
        let [ana, bob, eve] = db.three().await;
        let practitioner = || "Practitioner/a".parse().unwrap();
        let link = |person| {
            let request = LinkRequest { id: db.id(), person, practitioner: practitioner() };
            NewLink::confirmed(request, eve, at(0)).unwrap()
        };
        let named = |persons: &[_]| Subjects::new(persons.iter().copied().map(Subject::Person)).unwrap();

        let mut first = db.begin().await;
        assert_eq!(confirm_link(&mut first, &link(ana)).await.unwrap(), named(&[ana]));
        let (store, of_bob) = (db.second_store().await, link(bob));
        let second = tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let subjects = confirm_link(&mut tx, &of_bob).await.unwrap();
            (tx, subjects)
        });
        until_one_waits(db).await;
        db.commit(first, Subject::Person(ana)).await.unwrap();
        let (second, subjects) = second.await.unwrap();
        assert_eq!(subjects, named(&[ana, bob]));

        // The end of the first link meets a second one that is not committed yet.
        let of_ana = find_open_link(&mut db.read().await, ana, &practitioner()).await.unwrap().unwrap();
        let store = db.second_store().await;
        let ending = tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            end_link(&mut tx, of_ana.id, 1, LinkEnd { by: eve, at: at(1) }).await.unwrap()
        });
        until_one_waits(db).await;
        db.commit(second, subjects).await.unwrap();
        assert_eq!(ending.await.unwrap(), named(&[ana, bob]));
    })
    .await;
}
