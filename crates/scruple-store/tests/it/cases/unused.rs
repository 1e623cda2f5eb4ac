//! Roles that are held and not used: found where others use the role, taken by the clock, one notice at a time.

use super::ENGINE;
use super::charts::opened_by_grant;
use crate::support::{TestDb, at, with_db};
use scruple_core::Id;
use scruple_flow::unused::{UnusedNotice, UnusedState};
use scruple_store::{
    Grant, Person, StoreError, Subject, find_unused, grants_as_of, holders, insert_unused, list_unused, load_access,
    unused_grants, update_unused,
};

const DAY: i64 = 86_400;

async fn notice(db: &TestDb, grant: Id<Grant>, person: Id<Person>, second: i64) -> UnusedNotice {
    let one = UnusedNotice::noticed(db.id(), (grant, person), at(0), at(second)).unwrap();
    let mut tx = db.begin().await;
    insert_unused(&mut tx, &one).await.unwrap();
    db.commit(tx, Subject::Person(person)).await.unwrap();
    one
}

async fn update(db: &TestDb, one: &UnusedNotice) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_unused(&mut tx, one).await?;
    db.commit(tx, Subject::Person(one.person)).await.map(|_| ())
}

/// Whether the person holds his one grant, to the cache, to who asks for holders, and to who asks as of then.
async fn held(db: &TestDb, person: Id<Person>, second: i64) -> [bool; 3] {
    let mut tx = db.read().await;
    let access = load_access(&mut tx, person, at(second)).await.unwrap().unwrap();
    let open = access.grants.iter().any(|grant| grant.window.contains(at(second)));
    let holders = holders(&mut tx, &["nurse".parse().unwrap()], at(second), None).await.unwrap();
    let then = grants_as_of(&mut tx, at(second), None, 10).await.unwrap();
    let his = |grants: &[scruple_store::HeldGrant]| grants.iter().any(|grant| grant.person == person);
    [open, his(&holders), his(&then)]
}

#[tokio::test]
async fn a_role_that_its_holder_does_not_use_and_others_do_is_found_and_taken_by_the_clock() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [idle, asker, agrees] = people;
        let busy = db.person("busy").await;
        let unused = db.grant(people, "nurse", (0, 400 * DAY)).await;
        let used = db.grant([busy, asker, agrees], "nurse", (0, 400 * DAY)).await;
        db.grant([busy, asker, agrees], "coder", (0, 400 * DAY)).await;
        let found = async |day: i64| {
            let (before, now) = (at((day - 90) * DAY), at(day * DAY));
            let found = unused_grants(&mut db.read().await, (before, now), None).await.unwrap();
            found.into_iter().map(|one| (one.grant, one.since)).collect::<Vec<_>>()
        };
        assert_eq!(found(100).await, [], "nobody's use is seen here");
        opened_by_grant(db, (busy, used), 50 * DAY).await;
        assert_eq!(found(89).await, []);
        assert_eq!(found(100).await, [(unused, at(0))], "and not the role that nobody uses");
        let one = notice(db, unused, idle, 100 * DAY).await;
        assert_eq!(found(100).await, [], "it is noticed already");
        let twice = insert_unused(&mut db.begin().await, &UnusedNotice { id: db.id(), ..one.clone() }).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
        for (second, expected) in [(114 * DAY - 1, true), (114 * DAY, false)] {
            assert_eq!(held(db, idle, second).await, [expected; 3], "{second}");
        }
        assert_eq!(list_unused(&mut db.read().await, Some(idle), None).await.unwrap(), std::slice::from_ref(&one));
        assert_eq!(list_unused(&mut db.read().await, Some(busy), None).await.unwrap(), []);
        let objected = one.objected(idle, "canary-objection: I am on call in May", at(110 * DAY)).unwrap();
        update(db, &objected).await.unwrap();
        assert!(!db.holds(b"canary-objection").await);
        assert!(matches!(update(db, &objected).await, Err(StoreError::RowsAffected { .. })), "the version is another");
        let now = find_unused(&mut db.read().await, objected.id).await.unwrap().unwrap();
        assert_eq!(now, UnusedNotice { version: 2, ..objected });
        assert_eq!(held(db, idle, 114 * DAY).await, [true; 3], "he has time until it is decided");
        assert_eq!(held(db, idle, 124 * DAY).await, [false; 3], "and silence takes it");
        let own = UnusedNotice { state: UnusedState::Kept { at: at(111 * DAY), by: idle }, ..now.clone() };
        assert!(matches!(update(db, &own).await, Err(StoreError::Refused(_))));
        let none = UnusedNotice { objection: None, ..now.clone().decided(asker, true, true, at(112 * DAY)).unwrap() };
        assert!(matches!(update(db, &none).await, Err(StoreError::Refused(_))));
        update(db, &now.clone().decided(asker, true, true, at(112 * DAY)).unwrap()).await.unwrap();
        assert_eq!(held(db, idle, 130 * DAY).await, [true; 3], "it is kept");
        opened_by_grant(db, (busy, used), 150 * DAY).await;
        assert_eq!(found(201).await, [], "for as long again");
        assert_eq!(found(203).await, [(unused, at(112 * DAY))]);
        assert!(db.raw("DELETE FROM unused_notice").await.is_err());
        assert!(
            db.raw("UPDATE unused_notice SET state = 'noticed', closed_at = NULL, closed_by = NULL").await.is_err()
        );
    })
    .await;
}
