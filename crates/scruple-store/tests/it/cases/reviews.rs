use super::ENGINE;
use super::elevations::opening;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::{EmergencyReason, EmergencyReview, Finding, NewElevation, ReviewState, Reviewer, Verdict};
use scruple_store::{
    NewReview, Person, StoreError, Subject, find_review, insert_elevation, insert_review, list_open_reviews,
    list_open_reviews_after, update_review,
};

const WORDS: &str = "Resuscitation in room four, allergies were needed";

async fn opened(db: &TestDb, reader: Id<Person>, due: i64) -> EmergencyReview {
    let review = NewReview { id: db.id(), reader, opened_at: at(0), due_at: at(due) };
    let mut tx = db.begin().await;
    insert_review(&mut tx, &review).await.unwrap();
    let opening = opening(db, reader, "a", (0, 100));
    let new = NewElevation::emergency(opening, EmergencyReason::LifeThreat, review.id, at(0)).unwrap();
    insert_elevation(&mut tx, &new).await.unwrap();
    db.commit(tx, Subject::Person(reader)).await.unwrap();
    found(db, review.id).await
}

async fn found(db: &TestDb, id: Id<EmergencyReview>) -> EmergencyReview {
    find_review(&mut db.read().await, id).await.unwrap().unwrap()
}

async fn changed(db: &TestDb, review: &EmergencyReview, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_review(&mut tx, review, version).await?;
    db.commit(tx, Subject::Person(review.reader)).await.map(drop)
}

#[tokio::test]
async fn a_review_goes_its_way_and_no_other() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let reviewer = Reviewer { person: people[2], is_of_the_same_line: false };
        let open = opened(db, people[0], 50).await;
        assert_eq!((open.state.code(), open.version, open.account.is_none()), ("open", 1, true));
        assert_eq!(find_review(&mut db.read().await, db.id()).await.unwrap(), None);
        let asked = open.ask(reviewer, at(5)).unwrap();
        changed(db, &asked, 1).await.unwrap();
        let told = found(db, asked.id).await.tell(people[0], Phi::new(WORDS.to_owned()), None).unwrap();
        changed(db, &told, 2).await.unwrap();
        let told = found(db, told.id).await;
        assert_eq!(told.account.as_ref().map(|text| text.expose().as_str()), Some(WORDS));
        let late = changed(db, &told, 1).await;
        assert!(matches!(late, Err(StoreError::RowsAffected { .. })), "{late:?}");
        // By the reader himself.
        let own =
            Verdict { finding: Finding::Justified, by: people[0], at: at(9), rationale: Phi::new(WORDS.to_owned()) };
        let refused = changed(db, &EmergencyReview { state: ReviewState::Closed(own), ..told.clone() }, 3).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let closed = told.close(reviewer, Finding::Unjustified, Phi::new(WORDS.to_owned()), at(9)).unwrap();
        changed(db, &closed, 3).await.unwrap();
        let last = found(db, closed.id).await;
        assert_eq!(last, EmergencyReview { version: 4, ..closed });
        for state in [ReviewState::Open, ReviewState::Asked { by: people[2], at: at(10) }] {
            let refused = changed(db, &EmergencyReview { state, ..last.clone() }, 4).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        for needle in ["Resuscitation in room", "allergies were needed"] {
            assert!(!db.holds(needle.as_bytes()).await, "{needle}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_due_first_stands_first_until_it_is_closed() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let later = opened(db, people[0], 200).await;
        let sooner = opened(db, people[1], 100).await;
        let open = async || -> Vec<Id<EmergencyReview>> {
            list_open_reviews(&mut db.read().await).await.unwrap().iter().map(|review| review.id).collect()
        };
        assert_eq!(open().await, [sooner.id, later.id]);
        let after = async |spot| -> Vec<Id<EmergencyReview>> {
            list_open_reviews_after(&mut db.read().await, spot).await.unwrap().iter().map(|review| review.id).collect()
        };
        assert_eq!(after(None).await, [sooner.id, later.id]);
        assert_eq!(after(Some((at(100), sooner.id))).await, [later.id]);
        assert_eq!(after(Some((at(200), later.id))).await, []);
        let reviewer = Reviewer { person: people[2], is_of_the_same_line: false };
        let closed = sooner.close(reviewer, Finding::Justified, Phi::new(WORDS.to_owned()), at(9)).unwrap();
        changed(db, &closed, 1).await.unwrap();
        assert_eq!(open().await, [later.id]);
    })
    .await;
}
