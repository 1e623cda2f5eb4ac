use super::ENGINE;
use super::requests::{approver, changed, pending, privacy, stored};
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::{Elevation, NewElevation, UseFinding, UseReview, UseState, Used};
use scruple_store::{
    Person, StoreError, Subject, close_use_review, find_elevation, find_use_review, find_use_review_of,
    insert_elevation, insert_use_review, list_open_use_reviews, list_uncompared,
};

const WORDS: &str = "The ward had asked her about the note as well";

/// Access of the first of three people to two kinds of information of a patient, until second 3,600.
async fn opened(db: &TestDb, people: [Id<Person>; 3], kinds: &str) -> Id<Elevation> {
    let mut request = pending(db, people, &["a"], &[privacy()]);
    request.wanted.kinds = kinds.parse().unwrap();
    stored(db, &request).await;
    let approved = request.approve(&approver(people[2], &[privacy()]), None, at(9)).unwrap();
    changed(db, &approved, 1).await.unwrap();
    let new = NewElevation::asked(&approved, db.id(), &"a".parse().unwrap()).unwrap();
    let mut tx = db.begin().await;
    insert_elevation(&mut tx, &new).await.unwrap();
    db.commit(tx, Subject::Person(people[0])).await.unwrap();
    new.opening().id
}

async fn compared(db: &TestDb, elevation: Id<Elevation>, under: u64, second: i64) -> UseReview {
    let elevation = find_elevation(&mut db.read().await, elevation).await.unwrap().unwrap();
    let used = Used { under, ..Used::default() };
    UseReview::compare(db.id(), &elevation, &used, at(second)).unwrap()
}

async fn inserted(db: &TestDb, review: &UseReview) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_use_review(&mut tx, review).await?;
    db.commit(tx, Subject::Person(review.reader)).await.map(drop)
}

#[tokio::test]
async fn access_that_is_over_is_compared_once_and_a_difference_is_closed_once() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let (one, whole) = (opened(db, people, "labs vitals").await, opened(db, people, "*").await);
        let used = opened(db, people, "labs").await;
        let uncompared = async |second: i64| list_uncompared(&mut db.read().await, at(second)).await.unwrap();
        assert_eq!(uncompared(3_599).await, []);
        assert_eq!(uncompared(3_600).await, [one, used], "what is of all kinds is not compared: {whole}");
        let open = compared(db, one, 0, 3_600).await;
        inserted(db, &open).await.unwrap();
        assert!(matches!(inserted(db, &open).await, Err(StoreError::Conflict(_))));
        let again = UseReview { id: db.id(), ..open.clone() };
        assert!(matches!(inserted(db, &again).await, Err(StoreError::Conflict(_))));
        let matched = compared(db, used, 1, 3_600).await;
        inserted(db, &matched).await.unwrap();
        assert_eq!(uncompared(3_600).await, []);
        let found = find_use_review(&mut db.read().await, open.id).await.unwrap();
        assert_eq!(found, Some(open.clone()));
        assert_eq!(find_use_review_of(&mut db.read().await, used).await.unwrap(), Some(matched.clone()));
        let listed = list_open_use_reviews(&mut db.read().await, None).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&open));
        assert_eq!(list_open_use_reviews(&mut db.read().await, Some(open.id)).await.unwrap(), []);

        let closed = open.close(people[1], UseFinding::NotExplained, Phi::new(WORDS.to_owned()), at(3_700)).unwrap();
        let close = async |review: &UseReview, version: i64| {
            let mut tx = db.begin().await;
            close_use_review(&mut tx, review, version).await?;
            db.commit(tx, Subject::Person(review.reader)).await.map(drop)
        };
        assert!(matches!(close(&closed, 2).await, Err(StoreError::RowsAffected { .. })));
        assert!(matches!(close(&matched, 1).await, Err(StoreError::RowsAffected { .. })));
        let own = UseState::Closed {
            finding: UseFinding::Explained,
            by: people[0],
            at: at(3_700),
            comment: Phi::new(WORDS.to_owned()),
        };
        let own = close(&UseReview { state: own, ..closed.clone() }, 1).await;
        assert!(matches!(own, Err(StoreError::Refused(_))), "{own:?}");
        close(&closed, 1).await.unwrap();
        assert!(matches!(close(&closed, 1).await, Err(StoreError::RowsAffected { .. })));
        let found = find_use_review(&mut db.read().await, closed.id).await.unwrap().unwrap();
        assert_eq!(found, UseReview { version: 2, ..closed });
        assert!(!db.holds(WORDS.as_bytes()).await);
        for change in
            ["DELETE FROM use_review", "UPDATE use_review SET beside = 'labs'", "UPDATE use_review SET state = 'open'"]
        {
            assert!(db.raw(change).await.is_err(), "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_over_or_another_s_is_not_compared() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let elevation = opened(db, people, "labs").await;
        let review = compared(db, elevation, 0, 3_600).await;
        let early = UseReview { compared_at: at(3_599), ..review.clone() };
        let other = UseReview { reader: people[1], ..review.clone() };
        let matched = UseReview { state: UseState::Matched, ..review.clone() };
        for wrong in [early, other, matched] {
            let refused = inserted(db, &wrong).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        inserted(db, &review).await.unwrap();
    })
    .await;
}
