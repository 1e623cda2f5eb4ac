//! The ending of a write transaction: positions, fencing, and a commit that was answered by an error.

use super::ENGINE;
use crate::support::{SHARD, at, with_db};
use scruple_store::limits::EVENTS_PER_COMMIT_MAX;
use scruple_store::{Position, ShardId, StoreError, Subjects, find_person, history, insert_person};

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_gap_free_and_in_commit_order_under_concurrency() {
    with_db(ENGINE, async |db| {
        const WRITERS: usize = 4;
        const WRITES: usize = 10;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            // Half of the writers are in another process.
            let store = if writer % 2 == 0 { db.store.clone() } else { db.second_store().await };
            let lease = db.lease.clone();
            let events: Vec<_> = (0..WRITES).map(|_| db.event(1, &db.aggregate(), Subjects::none())).collect();
            tasks.spawn(async move {
                let mut positions = Vec::new();
                for (round, event) in events.into_iter().enumerate() {
                    if round % 3 == 2 {
                        // A position that is given out and rolled back leaves no gap.
                        let twice = [event.clone(), event.clone()];
                        let refused = store.begin().await.unwrap().commit(&lease, &twice).await;
                        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
                    }
                    positions.extend(store.begin().await.unwrap().commit(&lease, &[event]).await.unwrap());
                }
                assert!(positions.is_sorted());
                positions
            });
        }
        let mut positions = tasks.join_all().await.concat();
        positions.sort();
        let expected: Vec<_> = (1..=40).map(|seq| Position { shard: SHARD, seq }).collect();
        assert_eq!(positions, expected);
        let events = db.store.events_after(SHARD, 0, 500).await.unwrap();
        assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), expected);
    })
    .await;
}

#[tokio::test]
async fn several_events_of_one_transaction_follow_each_other() {
    with_db(ENGINE, async |db| {
        let aggregate = db.aggregate();
        let events = [db.event(1, &aggregate, Subjects::none()), db.event(2, &aggregate, Subjects::none())];
        let positions = db.begin().await.commit(&db.lease, &events).await.unwrap();
        assert_eq!(positions.iter().map(|position| position.seq).collect::<Vec<_>>(), [1, 2]);
        let history = history(&mut db.read().await, &aggregate, 1).await.unwrap();
        assert_eq!(history.iter().map(|event| event.version).collect::<Vec<_>>(), [2]);
        assert_eq!(history[0].body.expose(), b"facts");
        let many: Vec<_> =
            (0..=EVENTS_PER_COMMIT_MAX).map(|_| db.event(1, &db.aggregate(), Subjects::none())).collect();
        let refused = db.begin().await.commit(&db.lease, &many).await;
        assert!(matches!(refused, Err(StoreError::Limit { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_change_without_an_event_is_not_committed() {
    with_db(ENGINE, async |db| {
        let person = db.new_person("ana");
        let mut tx = db.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        assert!(matches!(tx.commit(&db.lease, &[]).await, Err(StoreError::NoEvent)));
        let mut tx = db.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(find_person(&mut db.read().await, person.id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_fenced_node_writes_nothing() {
    with_db(ENGINE, async |db| {
        let other = db.second_store().await;
        assert_eq!(other.acquire_shard(SHARD, "node-b", at(30), at(90)).await.unwrap(), None, "the lease still runs");
        db.store.extend_shard(&db.lease, at(100)).await.unwrap();
        assert_eq!(other.acquire_shard(SHARD, "node-b", at(99), at(160)).await.unwrap(), None);
        let person = db.new_person("ana");
        let mut tx = db.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        // SQLite has one writer: there the other node comes before the first one begins.
        let (tx, taken) = match ENGINE {
            scruple_store::Engine::Sqlite => {
                tx.rollback().await.unwrap();
                let taken = other.acquire_shard(SHARD, "node-b", at(100), at(160)).await.unwrap().unwrap();
                let mut tx = db.begin().await;
                insert_person(&mut tx, &person).await.unwrap();
                (tx, taken)
            }
            scruple_store::Engine::Postgres => {
                (tx, other.acquire_shard(SHARD, "node-b", at(100), at(160)).await.unwrap().unwrap())
            }
        };
        assert_eq!((db.lease.epoch(), taken.epoch()), (1, 2));
        let fenced = db.commit(tx, Subjects::none()).await;
        assert!(matches!(fenced, Err(StoreError::Fenced { shard: SHARD })), "{fenced:?}");
        assert!(matches!(db.store.extend_shard(&db.lease, at(200)).await, Err(StoreError::Fenced { .. })));
        assert_eq!(find_person(&mut db.read().await, person.id).await.unwrap(), None);
        let event = db.event(1, &db.aggregate(), Subjects::none());
        assert_eq!(other.begin().await.unwrap().commit(&taken, &[event]).await.unwrap()[0].seq, 1);
    })
    .await;
}

#[tokio::test]
async fn the_same_node_takes_its_shard_over_at_once_and_one_of_two_nodes_gets_a_free_one() {
    with_db(ENGINE, async |db| {
        let again = db.store.acquire_shard(SHARD, "node-a", at(1), at(61)).await.unwrap().unwrap();
        assert_eq!(again.epoch(), 2);
        let (one, two) = (db.second_store().await, db.second_store().await);
        let shard = ShardId(2);
        let (one, two) = tokio::join!(
            one.acquire_shard(shard, "node-b", at(0), at(60)),
            two.acquire_shard(shard, "node-c", at(0), at(60)),
        );
        assert_eq!([one.unwrap().is_some(), two.unwrap().is_some()].iter().filter(|got| **got).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn two_events_of_one_aggregate_and_version_conflict() {
    with_db(ENGINE, async |db| {
        let aggregate = db.aggregate();
        let event = db.event(1, &aggregate, Subjects::none());
        db.begin().await.commit(&db.lease, &[event]).await.unwrap();
        let event = db.event(1, &aggregate, Subjects::none());
        let refused = db.begin().await.commit(&db.lease, &[event]).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    })
    .await;
}

/// A constraint that is checked at COMMIT, and violated by the event with kind `test`.
const DOOM_SQLITE: &str = "CREATE TABLE doom (id INTEGER REFERENCES shard (shard) DEFERRABLE INITIALLY DEFERRED);
                           CREATE TRIGGER doom AFTER INSERT ON event BEGIN INSERT INTO doom VALUES (99); END";
const DOOM_POSTGRES: &str = "CREATE TABLE doom (id BIGINT REFERENCES shard (shard) DEFERRABLE INITIALLY DEFERRED);
                             CREATE FUNCTION doom() RETURNS trigger LANGUAGE plpgsql AS
                             $$ BEGIN INSERT INTO doom VALUES (99); RETURN NEW; END $$;
                             CREATE TRIGGER doom AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION doom()";

#[tokio::test]
async fn a_commit_that_failed_is_read_again_and_found_missing() {
    with_db(ENGINE, async |db| {
        db.raw_either(DOOM_SQLITE, DOOM_POSTGRES).await.unwrap();
        let person = db.new_person("ana");
        let mut tx = db.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        let event = db.event(1, &db.aggregate(), Subjects::none());
        let id = event.id;
        let failed = tx.commit(&db.lease, &[event]).await;
        assert!(matches!(failed, Err(StoreError::NotCommitted(_))), "{failed:?}");
        assert_eq!(db.store.find_recorded(SHARD, id).await.unwrap(), None);
        assert_eq!(find_person(&mut db.read().await, person.id).await.unwrap(), None);
        db.raw_either("DROP TRIGGER doom", "DROP TRIGGER doom ON event").await.unwrap();
        // The position was not used up.
        assert_eq!(db.commit(db.begin().await, Subjects::none()).await.unwrap().seq, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_found_by_the_id_of_its_event() {
    with_db(ENGINE, async |db| {
        let event = db.event(1, &db.aggregate(), Subjects::none());
        let id = event.id;
        let position = db.begin().await.commit(&db.lease, &[event]).await.unwrap()[0];
        assert_eq!(db.store.find_recorded(SHARD, id).await.unwrap(), Some(position));
        assert_eq!(db.store.find_recorded(ShardId(9), id).await.unwrap(), None);
    })
    .await;
}
