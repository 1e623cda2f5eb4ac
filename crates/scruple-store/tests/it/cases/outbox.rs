//! The event table as the drainer reads it: append-only, without gaps, never older than the ledger.

use super::ENGINE;
use crate::support::{SHARD, at, with_db};
use scruple_store::limits::EVENTS_READ_MAX;
use scruple_store::{ShardId, StoreError, Subject, Subjects};

#[tokio::test]
async fn the_drainer_reads_page_by_page_from_the_position_of_the_ledger() {
    with_db(ENGINE, async |db| {
        for _ in 0..8 {
            let events: Vec<_> = (0..63).map(|_| db.event(1, &db.aggregate(), Subject::Everyone)).collect();
            db.begin().await.commit(&db.lease, &events).await.unwrap();
        }
        let mut seen = Vec::new();
        loop {
            let page = db.store.events_after(SHARD, seen.last().copied().unwrap_or(0), 200).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|event| event.position.seq));
        }
        assert_eq!(seen, (1..=504).collect::<Vec<_>>());
        let page = db.store.events_after(SHARD, 0, i64::MAX).await.unwrap();
        assert_eq!(page.len(), EVENTS_READ_MAX as usize);
        assert_eq!(page[0].subjects, Subject::Everyone.into());
        assert_eq!(
            (page[0].at, page[0].kind.as_str(), page[0].body.expose().as_slice()),
            (at(0), "test", &b"facts"[..])
        );
        assert_eq!(db.store.events_after(SHARD, 0, 0).await.unwrap().len(), 1, "a limit is at least 1");
        assert_eq!(db.store.events_after(ShardId(7), 0, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_event_table_refuses_to_be_changed() {
    with_db(ENGINE, async |db| {
        db.commit(db.begin().await, Subjects::none()).await.unwrap();
        db.commit(db.begin().await, Subjects::none()).await.unwrap();
        let before = db.store.events_after(SHARD, 0, 10).await.unwrap();
        let copy = "SELECT shard, seq, id, aggregate, version, at, kind, 'x', body_sealed FROM event WHERE seq = 1";
        let mut attempts = vec![
            "UPDATE event SET at = 0".to_owned(),
            "UPDATE event SET body_sealed = body_sealed WHERE seq = 1".to_owned(),
            "DELETE FROM event".to_owned(),
            "DELETE FROM event WHERE seq = 2".to_owned(),
            format!("INSERT INTO event {copy}"),
            // Ahead of the shard, and behind it.
            "INSERT INTO event SELECT shard, 9, id, aggregate, 9, at, kind, '', body_sealed FROM event WHERE seq = 1".to_owned(),
            "UPDATE shard SET seq = seq - 1".to_owned(),
            "UPDATE shard SET epoch = 0".to_owned(),
            "DELETE FROM shard".to_owned(),
        ];
        match ENGINE {
            scruple_store::Engine::Sqlite => {
                attempts.push(format!("REPLACE INTO event {copy}"));
                attempts.push("REPLACE INTO event SELECT shard, 2, id, aggregate, version, at, kind, '', body_sealed FROM event WHERE seq = 1".to_owned());
            }
            scruple_store::Engine::Postgres => {
                attempts.push("TRUNCATE event".to_owned());
                attempts.push("TRUNCATE shard CASCADE".to_owned());
                attempts.push(format!("INSERT INTO event {copy} ON CONFLICT (shard, seq) DO UPDATE SET at = 0"));
            }
        }
        for attempt in attempts {
            assert!(db.raw(&attempt).await.is_err(), "{attempt}");
        }
        assert_eq!(db.store.events_after(SHARD, 0, 10).await.unwrap(), before);
    })
    .await;
}

async fn damage(sql: &'static str, after: i64, expected: i64) {
    with_db(ENGINE, async |db| {
        for _ in 0..4 {
            db.commit(db.begin().await, Subjects::none()).await.unwrap();
        }
        db.without_event_triggers(sql).await;
        let damaged = db.store.events_after(SHARD, after, 10).await.unwrap_err();
        assert_eq!(damaged.to_string(), format!("database damaged: event {expected} of shard 1 is missing"));
    })
    .await;
}

#[tokio::test]
async fn a_missing_event_in_the_middle_stops_the_drainer() {
    damage("DELETE FROM event WHERE seq = 3", 1, 3).await;
}

#[tokio::test]
async fn a_missing_first_event_stops_the_drainer() {
    damage("DELETE FROM event WHERE seq = 2", 1, 2).await;
}

#[tokio::test]
async fn a_missing_last_event_stops_the_drainer() {
    damage("DELETE FROM event WHERE seq = 4", 1, 4).await;
}

#[tokio::test]
async fn an_emptied_table_stops_the_drainer() {
    damage("DELETE FROM event", 0, 1).await;
}

#[tokio::test]
async fn a_moved_event_does_not_open() {
    with_db(ENGINE, async |db| {
        let events = [1, 2].map(|version| db.event(version, &db.aggregate(), Subjects::none()));
        db.begin().await.commit(&db.lease, &events).await.unwrap();
        db.without_event_triggers(
            "UPDATE event SET body_sealed = (SELECT body_sealed FROM event WHERE seq = 2) WHERE seq = 1",
        )
        .await;
        let refused = db.store.events_after(SHARD, 0, 10).await;
        assert!(matches!(refused, Err(StoreError::Seal { column: "event.body", .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_database_older_than_the_ledger_is_refused_until_it_is_reconciled() {
    with_db(ENGINE, async |db| {
        db.commit(db.begin().await, Subjects::none()).await.unwrap();
        db.store.check_origin(SHARD, 1).await.unwrap();
        let older = db.store.check_origin(SHARD, 5).await;
        assert!(matches!(older, Err(StoreError::OlderThanLedger { seq: 1, last_origin: 5, .. })), "{older:?}");
        let older = db.store.events_after(SHARD, 5, 10).await;
        assert!(matches!(older, Err(StoreError::OlderThanLedger { .. })), "{older:?}");
        let raised = db.store.reconcile_shard(&db.lease, 5).await.unwrap();
        assert_eq!(raised.epoch(), 2);
        let fenced = db.commit(db.begin().await, Subjects::none()).await;
        assert!(matches!(fenced, Err(StoreError::Fenced { .. })), "{fenced:?}");
        let event = db.event(1, &db.aggregate(), Subjects::none());
        assert_eq!(db.begin().await.commit(&raised, &[event]).await.unwrap()[0].seq, 6);
        assert_eq!(db.store.events_after(SHARD, 5, 10).await.unwrap().len(), 1);
        let hole = db.store.events_after(SHARD, 1, 10).await;
        assert!(matches!(hole, Err(StoreError::Damaged { expected: 2, .. })), "{hole:?}");
        let needless = db.store.reconcile_shard(&raised, 5).await;
        assert!(matches!(needless, Err(StoreError::RowsAffected { table: "shard", .. })), "{needless:?}");
        assert!(matches!(db.store.reconcile_shard(&db.lease, 9).await, Err(StoreError::Fenced { .. })));
    })
    .await;
}
