//! Leaves: one open at a time, suspended from the first moment until closed, compared when access is decided.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::Id;
use scruple_flow::directory::{Leave, LeaveState, Manager};
use scruple_store::{
    Person, StoreError, Subject, find_open_leave, grants_as_of, holders, insert_leave, load_access, update_leave,
};

fn leave(db: &TestDb, [person, by, _]: [Id<Person>; 3], second: i64) -> Leave {
    Leave { id: db.id(), person, starts_at: at(second), noted_by: by, state: LeaveState::Open, version: 1 }
}

async fn insert(db: &TestDb, leave: &Leave, noted: i64) {
    let mut tx = db.begin().await;
    insert_leave(&mut tx, leave, at(noted)).await.unwrap();
    db.commit(tx, Subject::Person(leave.person)).await.unwrap();
}

async fn update(db: &TestDb, leave: &Leave) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_leave(&mut tx, leave).await?;
    db.commit(tx, Subject::Person(leave.person)).await.map(|_| ())
}

/// Whether the person holds his one grant, to the cache, to who asks for holders, and to who asks as of then.
async fn held(db: &TestDb, person: Id<Person>, second: i64) -> [bool; 3] {
    let mut tx = db.read().await;
    let access = load_access(&mut tx, person, at(second)).await.unwrap().unwrap();
    let suspended = access.suspended.iter().any(|one| one.contains(at(second)));
    let holders = holders(&mut tx, &["nurse".parse().unwrap()], at(second), None).await.unwrap();
    let then = grants_as_of(&mut tx, at(second), None, 10).await.unwrap();
    [!suspended && access.grants.len() == 1, holders.len() == 1, then.len() == 1]
}

#[tokio::test]
async fn a_leave_suspends_from_its_first_moment_until_it_is_closed() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 1_000)).await;
        let planned = leave(db, people, 10);
        insert(db, &planned, 0).await;
        let second = insert_leave(&mut db.begin().await, &leave(db, people, 20), at(0)).await;
        assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
        for (second, expected) in [(9, true), (10, false), (500, false)] {
            assert_eq!(held(db, people[0], second).await, [expected; 3], "{second}");
        }
        let open = find_open_leave(&mut db.read().await, people[0]).await.unwrap().unwrap();
        assert_eq!(open, planned);
        // That it is said to be over restores nothing.
        let returning = open.clone().ends(at(20)).unwrap();
        update(db, &returning).await.unwrap();
        assert!(matches!(update(db, &returning).await, Err(StoreError::RowsAffected { .. })), "the version is another");
        assert_eq!(held(db, people[0], 30).await, [false; 3]);
        let returning = find_open_leave(&mut db.read().await, people[0]).await.unwrap().unwrap();
        assert_eq!((returning.state, returning.version), (LeaveState::Returning { ended_at: at(20) }, 2));
        let line = [Manager { person: people[2], is_here: true }];
        let closed = returning.clone().confirmed(people[2], &line, at(40)).unwrap();
        update(db, &closed).await.unwrap();
        assert_eq!(find_open_leave(&mut db.read().await, people[0]).await.unwrap(), None);
        for (second, expected) in [(9, true), (10, false), (39, false), (40, true), (999, true), (1_000, false)] {
            let [cached, holders, then] = held(db, people[0], second).await;
            assert_eq!([holders, then], [expected; 2], "{second}");
            // What the cache loads looks forward: a leave that is closed is gone from there.
            assert!(cached || second >= 1_000 || (10..40).contains(&second), "{second}");
        }
        insert(db, &leave(db, people, 60), 50).await;
        assert_eq!(held(db, people[0], 60).await, [false; 3], "another one later");
    })
    .await;
}

#[tokio::test]
async fn a_leave_that_begins_as_it_is_noted_counts_from_its_commit() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 1_000)).await;
        insert(db, &leave(db, people, 10), 10).await;
        // The clock of this node is behind.
        assert!(!held(db, people[0], 8).await[0]);
    })
    .await;
}

#[tokio::test]
async fn the_database_lets_nobody_close_his_own_leave_nor_open_a_closed_one() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let open = leave(db, people, 10);
        insert(db, &open, 10).await;
        let own = Leave { state: LeaveState::Closed { at: at(20), by: people[0] }, ..open.clone() };
        assert!(matches!(update(db, &own).await, Err(StoreError::Refused(_))));
        assert!(db.raw("DELETE FROM person_leave").await.is_err());
        assert!(db.raw("UPDATE person_leave SET starts_at = starts_at + 1").await.is_err());
        update(db, &open.closed_by_leaving(people[1], at(20))).await.unwrap();
        assert!(db.raw("UPDATE person_leave SET closed_at = NULL, closed_by = NULL").await.is_err());
        assert!(db.raw("UPDATE person_leave SET closed_at = 1").await.is_err());
    })
    .await;
}
