//! Deputies: named, accepted, ended, and in force between.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_flow::{Deputy, DeputyAs, DeputyState, Window};
use scruple_store::{
    StoreError, Subject, deputies_in_force, end_deputies_of, find_deputy, insert_deputy, list_deputies_of,
    update_deputy,
};

fn named(
    db: &TestDb,
    principal: scruple_core::Id<scruple_store::Person>,
    deputy: scruple_core::Id<scruple_store::Person>,
) -> Deputy {
    Deputy {
        id: db.id(),
        principal,
        deputy,
        capacity: DeputyAs::Approver,
        window: Window::new(at(10), at(100)).unwrap(),
        named_at: at(0),
        state: DeputyState::Named,
        version: 1,
    }
}

async fn stored(db: &TestDb, deputy: &Deputy) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_deputy(&mut tx, deputy).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

async fn changed(db: &TestDb, deputy: &Deputy, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_deputy(&mut tx, deputy, version).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

#[tokio::test]
async fn a_deputy_is_found_as_he_is_and_in_force_from_the_yes_within_his_time_until_the_end() {
    with_db(ENGINE, async |db| {
        let [ana, ben, _] = db.three().await;
        let deputy = named(db, ana, ben);
        stored(db, &deputy).await.unwrap();
        assert!(matches!(stored(db, &deputy).await, Err(StoreError::Conflict(_))));
        assert_eq!(find_deputy(&mut db.read().await, deputy.id).await.unwrap(), Some(deputy.clone()));
        assert_eq!(find_deputy(&mut db.read().await, db.id()).await.unwrap(), None);
        let in_force = async |person, capacity, seconds| {
            deputies_in_force(&mut db.read().await, (person, capacity), at(seconds)).await.unwrap().len()
        };
        assert_eq!(in_force(ben, DeputyAs::Approver, 50).await, 0, "named is not accepted");
        let accepted = deputy.accept(ben, at(5)).unwrap();
        changed(db, &accepted, 1).await.unwrap();
        assert!(matches!(changed(db, &accepted, 1).await, Err(StoreError::RowsAffected { .. })));
        for (seconds, expected) in [(9, 0), (10, 1), (99, 1), (100, 0)] {
            assert_eq!(in_force(ben, DeputyAs::Approver, seconds).await, expected, "{seconds}");
        }
        assert_eq!(in_force(ben, DeputyAs::Reviewer, 50).await, 0);
        assert_eq!(in_force(ana, DeputyAs::Approver, 50).await, 0);
        let ended = accepted.end(ana, at(20)).unwrap();
        changed(db, &ended, 2).await.unwrap();
        assert_eq!(
            in_force(ben, DeputyAs::Approver, 15).await,
            0,
            "an end counts at once, whatever instant is asked for"
        );
        let last = Deputy { version: 3, ..ended };
        for person in [ana, ben] {
            assert_eq!(
                list_deputies_of(&mut db.read().await, person, None).await.unwrap(),
                std::slice::from_ref(&last)
            );
            assert!(list_deputies_of(&mut db.read().await, person, Some(last.id)).await.unwrap().is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn what_somebody_was_named_for_and_had_named_ends_when_he_goes() {
    with_db(ENGINE, async |db| {
        let [ana, ben, eve] = db.three().await;
        let (own, his, others) = (named(db, ana, ben), named(db, eve, ana), named(db, eve, ben));
        for deputy in [&own, &his, &others] {
            stored(db, deputy).await.unwrap();
        }
        let accepted = his.accept(ana, at(5)).unwrap();
        changed(db, &accepted, 1).await.unwrap();
        let mut tx = db.begin().await;
        let ended = end_deputies_of(&mut tx, ana, at(20)).await.unwrap();
        assert_eq!(end_deputies_of(&mut tx, ana, at(20)).await.unwrap(), []);
        db.commit(tx, Subject::Everyone).await.unwrap();
        let gone = |accepted| DeputyState::Ended { by: ana, at: at(20), accepted };
        assert_eq!(
            ended,
            [
                Deputy { state: gone(None), version: 2, ..own },
                Deputy { state: gone(Some(at(5))), version: 3, ..accepted }
            ]
        );
        assert_eq!(find_deputy(&mut db.read().await, others.id).await.unwrap(), Some(others));
        // What is over by the clock is left as it is.
        let late = named(db, ana, ben);
        stored(db, &late).await.unwrap();
        assert_eq!(end_deputies_of(&mut db.begin().await, ana, at(100)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_table_lets_no_deputy_go_another_way() {
    with_db(ENGINE, async |db| {
        let [ana, ben, eve] = db.three().await;
        let refused =
            |found: Result<(), StoreError>| assert!(matches!(found, Err(StoreError::Refused(_))), "{found:?}");
        refused(stored(db, &named(db, ana, ana)).await);
        refused(stored(db, &Deputy { state: DeputyState::Accepted { at: at(1) }, ..named(db, ana, ben) }).await);
        let deputy = named(db, ana, ben);
        stored(db, &deputy).await.unwrap();
        let by_another = DeputyState::Ended { by: eve, at: at(1), accepted: None };
        refused(changed(db, &Deputy { state: by_another, ..deputy.clone() }, 1).await);
        let late_yes = DeputyState::Ended { by: ana, at: at(1), accepted: Some(at(1)) };
        refused(changed(db, &Deputy { state: late_yes, ..deputy.clone() }, 1).await);
        let accepted = deputy.accept(ben, at(5)).unwrap();
        changed(db, &accepted, 1).await.unwrap();
        refused(changed(db, &Deputy { state: DeputyState::Named, ..accepted.clone() }, 2).await);
        refused(changed(db, &Deputy { state: DeputyState::Accepted { at: at(6) }, ..accepted }, 2).await);
        for attempt in [
            "UPDATE deputy SET ends_at = ends_at + 1, version = version + 1",
            "UPDATE deputy SET deputy = principal",
            "UPDATE deputy SET capacity = 'reviewer'",
            "DELETE FROM deputy",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
    })
    .await;
}
