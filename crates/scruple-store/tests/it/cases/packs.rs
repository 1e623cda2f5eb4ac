//! Packs: two people, one active, and which one decided when.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, PackHash, Timestamp};
use scruple_store::{
    NewPack, Pack, PackState, Person, StoreError, Subject, activate_pack, active_pack_as_of, approve_pack, find_pack,
    list_packs, mark_pack_checked, propose_pack,
};

async fn proposed(db: &TestDb, by: Id<Person>) -> Id<Pack> {
    let id = db.id();
    let pack = NewPack {
        id,
        hash: PackHash([9; 32]),
        engine: "0.1.0",
        criteria: "164.514(d)(2)",
        rationale: "first",
        proposed_by: by,
        at: at(0),
    };
    let mut tx = db.begin().await;
    propose_pack(&mut tx, &pack).await.unwrap();
    db.commit(tx, Subject::Everyone).await.unwrap();
    id
}

async fn approve(db: &TestDb, id: Id<Pack>, version: i64, by: Id<Person>) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    approve_pack(&mut tx, id, version, by, at(2)).await?;
    db.commit(tx, Subject::Everyone).await.map(|_| ())
}

async fn check(db: &TestDb, id: Id<Pack>, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    mark_pack_checked(&mut tx, id, version, at(1)).await?;
    db.commit(tx, Subject::Everyone).await.map(|_| ())
}

async fn activate(db: &TestDb, id: Id<Pack>, replaces: Option<Id<Pack>>, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    activate_pack(&mut tx, id, 3, replaces, now).await?;
    db.commit(tx, Subject::Everyone).await.map(|_| ())
}

async fn approved(db: &TestDb, [proposer, approver]: [Id<Person>; 2]) -> Id<Pack> {
    let id = proposed(db, proposer).await;
    check(db, id, 1).await.unwrap();
    approve(db, id, 2, approver).await.unwrap();
    id
}

async fn find(db: &TestDb, id: Id<Pack>) -> Pack {
    find_pack(&mut db.read().await, id).await.unwrap().unwrap()
}

fn refused(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::RowsAffected { table: "pack_version", .. }))
}

#[tokio::test]
async fn a_pack_goes_from_draft_to_active_and_skips_nothing() {
    with_db(ENGINE, async |db| {
        let people = [db.person("ana").await, db.person("ben").await];
        let id = proposed(db, people[0]).await;
        assert!(refused(&approve(db, id, 1, people[1]).await), "a draft is checked first");
        assert!(refused(&activate(db, id, None, at(3)).await));
        check(db, id, 1).await.unwrap();
        assert!(refused(&check(db, id, 2).await));
        assert_eq!(find(db, id).await.state, PackState::Checked { at: at(1) });
        assert!(refused(&approve(db, id, 1, people[1]).await), "another version");
        approve(db, id, 2, people[1]).await.unwrap();
        activate(db, id, None, at(3)).await.unwrap();
        let pack = find(db, id).await;
        let PackState::Active { approval, since } = pack.state else { panic!("{pack:?}") };
        assert_eq!((approval.by, approval.checked_at, approval.at, since), (people[1], at(1), at(2), at(3)));
        assert_eq!((pack.hash, pack.version, pack.rationale.as_str()), (PackHash([9; 32]), 4, "first"));
        assert_eq!(find_pack(&mut db.read().await, db.id()).await.unwrap(), None);
        for attempt in [
            "UPDATE pack_version SET rationale = 'another'",
            "UPDATE pack_version SET approved_by = (SELECT id FROM person WHERE id <> approved_by LIMIT 1)",
            "DELETE FROM pack_version",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_proposes_a_pack_does_not_approve_it() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let id = proposed(db, ana).await;
        check(db, id, 1).await.unwrap();
        assert!(refused(&approve(db, id, 2, ana).await));
        let past_the_store = "UPDATE pack_version SET state = 'approved', approved_at = 1, approved_by = proposed_by";
        assert!(db.raw(past_the_store).await.is_err());
        assert_eq!(find(db, id).await.state, PackState::Checked { at: at(1) });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_approvals_that_race_one_wins() {
    with_db(ENGINE, async |db| {
        let [ana, ben, eva] = [db.person("ana").await, db.person("ben").await, db.person("eva").await];
        for _ in 0..5 {
            let id = proposed(db, ana).await;
            check(db, id, 1).await.unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            for by in [ben, eva] {
                let (store, lease) = (db.second_store().await, db.lease.clone());
                let event = db.event(3, &scruple_store::Aggregate::new("pack_version", id), Subject::Everyone);
                tasks.spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    approve_pack(&mut tx, id, 2, by, at(2)).await.map_err(|error| (by, error))?;
                    tx.commit(&lease, &[event]).await.map(|_| by).map_err(|error| (by, error))
                });
            }
            let results = tasks.join_all().await;
            let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
            let losers: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
            assert_eq!(winners.len(), 1, "{results:?}");
            assert!(matches!(losers[0].1, StoreError::RowsAffected { .. }), "{losers:?}");
            let pack = find(db, id).await;
            assert!(matches!(pack.state, PackState::Approved(approval) if approval.by == *winners[0]), "{pack:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pack_is_active_even_if_two_activations_race() {
    with_db(ENGINE, async |db| {
        let people = [db.person("ana").await, db.person("ben").await];
        let first = approved(db, people).await;
        activate(db, first, None, at(3)).await.unwrap();
        let rivals = [approved(db, people).await, approved(db, people).await];
        let none = activate(db, rivals[0], None, at(4)).await;
        assert!(matches!(none, Err(StoreError::Conflict(_))), "{none:?}");
        let mut tasks = tokio::task::JoinSet::new();
        for id in rivals {
            let (store, lease) = (db.second_store().await, db.lease.clone());
            let event = db.event(1, &db.aggregate(), Subject::Everyone);
            tasks.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                activate_pack(&mut tx, id, 3, Some(first), at(5)).await?;
                tx.commit(&lease, &[event]).await.map(|_| id)
            });
        }
        let results = tasks.join_all().await;
        let winners: Vec<_> = results.iter().flatten().copied().collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        let states: Vec<_> = list_packs(&mut db.read().await, None, 10).await.unwrap();
        let active: Vec<_> = states.iter().filter(|pack| matches!(pack.state, PackState::Active { .. })).collect();
        assert_eq!(active.iter().map(|pack| pack.id).collect::<Vec<_>>(), winners);
        assert!(matches!(find(db, first).await.state, PackState::Retired { until, .. } if until == at(5)));
        assert!(
            db.raw("UPDATE pack_version SET state = 'active', retired_at = NULL WHERE state = 'retired'")
                .await
                .is_err()
        );
    })
    .await;
}

#[tokio::test]
async fn the_pack_of_a_past_instant_is_known() {
    with_db(ENGINE, async |db| {
        let people = [db.person("ana").await, db.person("ben").await];
        let [one, two] = [approved(db, people).await, approved(db, people).await];
        activate(db, one, None, at(10)).await.unwrap();
        activate(db, two, Some(one), at(20)).await.unwrap();
        for (second, expected) in [(9, None), (10, Some(one)), (19, Some(one)), (20, Some(two)), (99, Some(two))] {
            let pack = active_pack_as_of(&mut db.read().await, at(second)).await.unwrap();
            assert_eq!(pack.map(|pack| pack.id), expected, "second {second}");
        }
        let page = list_packs(&mut db.read().await, None, 1).await.unwrap();
        let next = list_packs(&mut db.read().await, Some(page[0].id), 5).await.unwrap();
        let mut ids = [page[0].id, next[0].id];
        ids.sort();
        let mut expected = [one, two];
        expected.sort();
        assert_eq!((page.len(), next.len(), ids), (1, 1, expected));
    })
    .await;
}

#[tokio::test]
async fn a_row_that_fits_no_state_is_named() {
    with_db(ENGINE, async |db| {
        let id = proposed(db, db.person("ana").await).await;
        db.raw_either(
            "PRAGMA ignore_check_constraints = ON; UPDATE pack_version SET state = 'active'",
            "ALTER TABLE pack_version DROP CONSTRAINT pack_version_check4;
             ALTER TABLE pack_version DROP CONSTRAINT pack_version_check3;
             ALTER TABLE pack_version DROP CONSTRAINT pack_version_check2;
             ALTER TABLE pack_version DROP CONSTRAINT pack_version_check1;
             ALTER TABLE pack_version DROP CONSTRAINT pack_version_check;
             UPDATE pack_version SET state = 'active'",
        )
        .await
        .unwrap();
        let found = find_pack(&mut db.read().await, id).await.unwrap_err();
        assert_eq!(found.to_string(), format!("pack_version {id} has an inconsistent state"));
    })
    .await;
}
