//! Steps that people take: each stays, the last one counts, and the table knows who may tell of which.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_flow::step::{StepDone, StepKind};
use scruple_store::{StoreError, Subject, insert_step, load_access, steps_of};

async fn store(db: &TestDb, done: &StepDone) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_step(&mut tx, done).await?;
    db.commit(tx, Subject::Person(done.person)).await.map(|_| ())
}

#[tokio::test]
async fn the_last_of_each_step_counts_and_none_is_changed() {
    with_db(ENGINE, async |db| {
        let [person, by, _] = db.three().await;
        let done = |second: i64| StepDone {
            id: db.id(),
            person,
            step: "basics".to_owned(),
            kind: StepKind::Training,
            done_at: at(second),
            by,
            noted_at: at(100),
        };
        for second in [10, 30, 20] {
            store(db, &done(second)).await.unwrap();
        }
        assert!(matches!(store(db, &done(20)).await, Err(StoreError::Conflict(_))), "it is known");
        let read = StepDone { step: "rules".to_owned(), kind: StepKind::Acknowledgement, by: person, ..done(40) };
        store(db, &read).await.unwrap();
        let found = steps_of(&mut db.read().await, person).await.unwrap();
        assert_eq!(found, [("basics".to_owned(), at(30)), ("rules".to_owned(), at(40))].into());
        assert_eq!(load_access(&mut db.read().await, person, at(50)).await.unwrap().unwrap().steps, found);
        for wrong in [
            StepDone { by: person, ..done(50) },
            StepDone { by, ..read.clone() },
            StepDone { noted_at: at(1), ..done(60) },
            StepDone { step: String::new(), ..done(70) },
        ] {
            let wrong = StepDone { id: db.id(), done_at: wrong.done_at.plus_micros(1), ..wrong };
            assert!(matches!(store(db, &wrong).await, Err(StoreError::Refused(_))), "{wrong:?}");
        }
        assert!(db.raw("UPDATE step_done SET done_at = 1").await.is_err());
        assert!(db.raw("DELETE FROM step_done").await.is_err());
    })
    .await;
}
