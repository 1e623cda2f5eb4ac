//! The feed: who is affected since a vector, and the race of a load with a revocation.

use super::ENGINE;
use crate::support::{SHARD, at, with_db};
use scruple_store::limits::{FEED_EVENTS_MAX, SHARDS_MAX};
use scruple_store::{
    NewEvent, Revocation, ShardId, ShardVector, StoreError, Subject, Subjects, list_shards, load_access,
    mark_person_left, revocations_between, revoke_grant, shard_vector,
};
use std::collections::BTreeSet;

#[tokio::test]
async fn the_feed_names_who_is_affected_since_a_vector_on_every_shard() {
    with_db(ENGINE, async |db| {
        let start = db.store.subjects_since(&ShardVector::default()).await.unwrap();
        assert_eq!(start.subjects, BTreeSet::new());
        let ana = db.person("ana").await;
        let role = Subject::Role("biller".parse().unwrap());
        db.commit(db.begin().await, role.clone()).await.unwrap();
        db.commit(db.begin().await, Subjects::none()).await.unwrap();
        let other = db.store.acquire_shard(ShardId(2), "node-b", at(0), at(60)).await.unwrap().unwrap();
        let event = db.event(1, &db.aggregate(), Subject::Everyone);
        db.begin().await.commit(&other, &[event]).await.unwrap();
        let feed = db.store.subjects_since(&start.vector).await.unwrap();
        assert_eq!(feed.subjects, BTreeSet::from([Subject::Everyone, role.clone(), Subject::Person(ana)]));
        assert_eq!((feed.vector.seq(SHARD), feed.vector.seq(ShardId(2))), (3, 1));
        assert!(feed.vector.covers(&start.vector) && !start.vector.covers(&feed.vector));
        let next = db.store.subjects_since(&feed.vector).await.unwrap();
        assert_eq!((next.subjects, &next.vector), (BTreeSet::new(), &feed.vector));
        assert_eq!(shard_vector(&mut db.read().await).await.unwrap(), next.vector);
    })
    .await;
}

#[tokio::test]
async fn who_is_too_far_behind_or_sees_a_hole_evicts_everyone() {
    with_db(ENGINE, async |db| {
        let start = db.store.subjects_since(&ShardVector::default()).await.unwrap();
        for _ in 0..20 {
            let events: Vec<_> = (0..50).map(|_| db.event(1, &db.aggregate(), Subjects::none())).collect();
            db.begin().await.commit(&db.lease, &events).await.unwrap();
        }
        assert_eq!(FEED_EVENTS_MAX, 1_000);
        let feed = db.store.subjects_since(&start.vector).await.unwrap();
        assert_eq!((feed.subjects, feed.vector.seq(SHARD)), (BTreeSet::new(), 1_000));
        db.commit(db.begin().await, Subjects::none()).await.unwrap();
        let far = db.store.subjects_since(&start.vector).await.unwrap();
        assert_eq!((far.subjects, far.vector.seq(SHARD)), (BTreeSet::from([Subject::Everyone]), 1_001));
        db.without_event_triggers("DELETE FROM event WHERE seq = 1001").await;
        let hole = db.store.subjects_since(&feed.vector).await.unwrap();
        assert_eq!(hole.subjects, BTreeSet::from([Subject::Everyone]));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_went_back_evicts_everyone() {
    with_db(ENGINE, async |db| {
        db.commit(db.begin().await, Subjects::none()).await.unwrap();
        let seen = db.store.subjects_since(&ShardVector::default()).await.unwrap().vector;
        with_db(ENGINE, async |restored| {
            let feed = restored.store.subjects_since(&seen).await.unwrap();
            assert_eq!(feed.subjects, BTreeSet::from([Subject::Everyone]));
            assert_eq!(feed.vector.seq(SHARD), 0);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn there_are_a_bounded_number_of_shards() {
    with_db(ENGINE, async |db| {
        for shard in 1..=SHARDS_MAX {
            db.store.acquire_shard(ShardId(shard), "node-a", at(0), at(60)).await.unwrap().unwrap();
        }
        assert_eq!(shard_vector(&mut db.read().await).await.unwrap().iter().count() as i64, SHARDS_MAX);
        db.store.acquire_shard(ShardId(SHARDS_MAX + 1), "node-a", at(0), at(60)).await.unwrap().unwrap();
        let refused = shard_vector(&mut db.read().await).await;
        assert!(matches!(refused, Err(StoreError::Limit { what: "shards", .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn access_is_what_a_person_holds_with_the_vector_it_was_read_at() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let grant = db.grant(people, "biller", (0, 100)).await;
        let access = load_access(&mut db.read().await, people[0], at(1)).await.unwrap().unwrap();
        assert_eq!((access.person, access.left_at, access.vector.seq(SHARD)), (people[0], None, 4));
        assert_eq!(access.grants.iter().map(|held| held.id).collect::<Vec<_>>(), [grant]);
        assert_eq!(load_access(&mut db.read().await, db.id(), at(1)).await.unwrap(), None);
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, people[0], 1, at(30)).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let before = load_access(&mut db.read().await, people[0], at(29)).await.unwrap().unwrap();
        assert_eq!((before.left_at, before.grants.len()), (Some(at(30)), 1));
        let after = load_access(&mut db.read().await, people[0], at(30)).await.unwrap().unwrap();
        assert_eq!(after.grants, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_races_a_revocation_lacks_the_grant_or_is_told_by_the_feed() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        for _ in 0..10 {
            let id = db.grant(people, "biller", (0, 100)).await;
            let (store, lease) = (db.second_store().await, db.lease.clone());
            let event = db.event(1, &db.aggregate(), Subject::Person(people[0]));
            let revoking = tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                revoke_grant(&mut tx, id, 1, Revocation { by: people[1], at: at(5) }).await.unwrap();
                tx.commit(&lease, &[event]).await.unwrap()[0]
            });
            let mut loads = Vec::new();
            while !revoking.is_finished() || loads.is_empty() {
                loads.push(load_access(&mut db.read().await, people[0], at(5)).await.unwrap().unwrap());
            }
            let revoked = revoking.await.unwrap();
            loads.push(load_access(&mut db.read().await, people[0], at(5)).await.unwrap().unwrap());
            for load in loads {
                let holds = load.grants.iter().any(|grant| grant.id == id);
                let knows = load.vector.seq(SHARD) >= revoked.seq;
                assert!(!(holds && knows), "a load that stands above the revocation holds the grant");
                if holds {
                    let feed = db.store.subjects_since(&load.vector).await.unwrap();
                    assert!(feed.subjects.contains(&Subject::Person(people[0])));
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_reading_transaction_sees_one_state_throughout() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let id = db.grant(people, "biller", (0, 100)).await;
        let mut reading = db.read().await;
        let vector = shard_vector(&mut reading).await.unwrap();
        let mut tx = db.begin().await;
        revoke_grant(&mut tx, id, 1, Revocation { by: people[1], at: at(5) }).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let access = load_access(&mut reading, people[0], at(5)).await.unwrap().unwrap();
        assert_eq!((access.vector, access.grants.len()), (vector, 1));
        let fresh = load_access(&mut db.read().await, people[0], at(5)).await.unwrap().unwrap();
        assert_eq!(fresh.grants, []);
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_back_is_confirmed_when_the_last_node_that_decides_has_applied_it() {
    with_db(ENGINE, async |db| {
        let second = db.store.acquire_shard(ShardId(2), "node-b", at(0), at(60)).await.unwrap().unwrap();
        db.store.acquire_shard(ShardId(3), "node-gone", at(0), at(5)).await.unwrap().unwrap();
        let vector = async || shard_vector(&mut db.read().await).await.unwrap();
        assert_eq!(list_shards(&mut db.read().await).await.unwrap(), [SHARD, ShardId(2), ShardId(3)]);
        for node in ["node-a", "node-b", "node-gone"] {
            db.store.note_applied(node, &vector().await, at(0)).await.unwrap();
        }
        let mut decided = 0;
        for (lease, seconds) in [(&db.lease, 10), (&second, 20), (&db.lease, 30), (&db.lease, 40)] {
            let event =
                NewEvent { kind: "role_revoked", at: at(seconds), ..db.event(1, &db.aggregate(), Subject::Everyone) };
            db.begin().await.commit(lease, &[event]).await.unwrap();
            decided += 1;
            db.store.note_applied("node-a", &vector().await, at(seconds)).await.unwrap();
            // The other node is later, and stuck at the fourth.
            if decided < 4 {
                db.store.note_applied("node-b", &vector().await, at(seconds + decided)).await.unwrap();
                db.store.note_applied("node-b", &vector().await, at(seconds + 9)).await.unwrap();
            }
        }
        // A node that began to follow later has loaded everything anew.
        db.store.note_applied("node-c", &vector().await, at(50)).await.unwrap();
        db.store.acquire_shard(ShardId(4), "node-c", at(50), at(110)).await.unwrap().unwrap();
        let told = async |now: i64| {
            let mut tx = db.read().await;
            let facts = revocations_between(&mut tx, at(0), at(100), at(now)).await.unwrap();
            facts.iter().map(|fact| (fact.decided_at, fact.confirmed_at)).collect::<Vec<_>>()
        };
        let confirmed = [(at(10), Some(at(11))), (at(20), Some(at(22))), (at(30), Some(at(33)))];
        assert_eq!(told(55).await, [&confirmed[..], &[(at(40), None)]].concat());
        // A node that has lost its shard decides nothing, and is not waited for.
        assert_eq!(told(61).await, [&confirmed.map(|(at, _)| (at, Some(at)))[..], &[(at(40), Some(at(40)))]].concat());
    })
    .await;
}
