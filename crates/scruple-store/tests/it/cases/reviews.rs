use super::ENGINE;
use super::elevations::opening;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::measure::EmergencyFact;
use scruple_flow::{
    DeclaredReason, Elevation, EmergencyReason, EmergencyReview, Finding, NewElevation, ReaderAsked, ReviewState,
    Reviewer, Revocation, Verdict,
};
use scruple_store::{
    ElevationFilter, NewReview, Person, StoreError, Subject, count_elevations, emergencies_between, end_elevation,
    find_review, insert_elevation, insert_review, list_closed_reviews, list_elevations_by_end,
    list_elevations_by_start, list_open_reviews, list_open_reviews_after, list_open_reviews_of, update_review,
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
        let asked = open.ask(reviewer, Phi::new("Why was room-nine asked about?".to_owned()), at(5)).unwrap();
        changed(db, &asked, 1).await.unwrap();
        assert_eq!(found(db, asked.id).await, EmergencyReview { version: 2, ..asked.clone() });
        // The reader is not asked by himself, and is not answered before he was asked.
        let question = asked.asked.clone().unwrap();
        for wrong in [
            ReaderAsked { by: people[0], ..question.clone() },
            ReaderAsked { answered_at: Some(at(4)), ..question.clone() },
        ] {
            let refused = changed(db, &EmergencyReview { asked: Some(wrong), ..asked.clone() }, 2).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        let told = found(db, asked.id).await.tell(people[0], Phi::new(WORDS.to_owned()), None, at(6)).unwrap();
        changed(db, &told, 2).await.unwrap();
        let told = found(db, told.id).await;
        assert_eq!(told.asked, Some(ReaderAsked { answered_at: Some(at(6)), ..question }));
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
        for needle in ["Resuscitation in room", "allergies were needed", "room-nine"] {
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
        for (reader, own) in [(people[0], vec![later.clone()]), (people[1], vec![sooner.clone()]), (people[2], vec![])]
        {
            assert_eq!(list_open_reviews_of(&mut db.read().await, reader).await.unwrap(), own);
        }
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

#[tokio::test]
async fn what_is_closed_and_what_is_counted_are_the_rows_of_the_period() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let first = opened(db, people[0], 50).await;
        let second = opened(db, people[1], 60).await;
        let reviewer = Reviewer { person: people[2], is_of_the_same_line: false };
        let closed = first.close(reviewer, Finding::Unjustified, Phi::new(WORDS.to_owned()), at(9)).unwrap();
        changed(db, &closed, 1).await.unwrap();
        let mut tx = db.read().await;
        let listed = list_closed_reviews(&mut tx, at(10)).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [closed.id]);
        assert_eq!(list_closed_reviews(&mut tx, at(9)).await.unwrap(), []);
        let facts = emergencies_between(&mut tx, at(0), at(1)).await.unwrap();
        let told: Vec<_> = facts.iter().map(|row| (row.reader, row.fact)).collect();
        let unjustified = EmergencyFact { opened_at: at(0), closed: Some((at(9), Finding::Unjustified)) };
        let open = EmergencyFact { opened_at: at(0), closed: None };
        assert!(told.contains(&(people[0], unjustified)) && told.contains(&(people[1], open)), "{told:?}");
        assert_eq!(facts[0].patient, facts[1].patient, "the same patient");
        assert_eq!(emergencies_between(&mut tx, at(1), at(99)).await.unwrap(), []);
        drop(tx);
        changed(db, &second.ask(reviewer, Phi::new(String::new()), at(10)).unwrap(), 1).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_register_shows_what_is_open_by_its_end_and_never_what_is_over() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let mut ids = Vec::new();
        for (ends, patient) in [(300, "a"), (100, "b"), (200, "c")] {
            let opening = opening(db, people[0], patient, (0, ends));
            ids.push(opening.id);
            let mut tx = db.begin().await;
            let new = NewElevation::declared(opening, DeclaredReason::Covering, at(0)).unwrap();
            insert_elevation(&mut tx, &new).await.unwrap();
            db.commit(tx, Subject::Person(people[0])).await.unwrap();
        }
        opened(db, people[1], 50).await;
        let mut tx = db.begin().await;
        end_elevation(&mut tx, ids[0], 1, Revocation { by: people[2], at: at(40) }).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let shown = async |second: i64, is_open: bool, kind: Option<&'static str>| -> Vec<i64> {
            let filter = ElevationFilter { at: at(second), is_open, kind };
            let found = list_elevations_by_end(&mut db.read().await, filter, None).await.unwrap();
            let count = count_elevations(&mut db.read().await, filter).await.unwrap();
            assert_eq!(count, i64::try_from(found.len()).unwrap(), "its total is that of its rows");
            found
                .iter()
                .map(|one| one.held.window.ends_at().micros() / 1_000_000 - at(0).micros() / 1_000_000)
                .collect()
        };
        assert_eq!(shown(30, true, None).await, [100, 100, 200, 300]);
        assert_eq!(shown(40, true, Some("declared")).await, [100, 200]);
        assert_eq!(shown(40, false, None).await, [300]);
        assert_eq!(shown(100, true, None).await, [200]);
        assert_eq!(shown(100, true, Some("emergency")).await, Vec::<i64>::new());
        assert_eq!(shown(100, false, Some("emergency")).await, [100]);
        assert_eq!(shown(200, true, None).await, Vec::<i64>::new());
        assert_eq!(shown(200, false, None).await.len(), 4);
        assert_eq!(shown(-1, true, None).await, Vec::<i64>::new(), "what was not granted then");
        let filter = ElevationFilter { at: at(30), is_open: true, kind: Some("declared") };
        let after = Some((at(100), ids[1]));
        let rest = list_elevations_by_end(&mut db.read().await, filter, after).await.unwrap();
        assert_eq!(rest.iter().map(|one| one.held.id).collect::<Vec<_>>(), [ids[2], ids[0]]);
        // By when they were opened, the last one first: here at one instant, so that the id decides.
        let by_start = async |filter, after| -> Vec<Id<Elevation>> {
            let found = list_elevations_by_start(&mut db.read().await, filter, after).await.unwrap();
            found.iter().map(|one| one.held.id).collect()
        };
        let mut newest = ids.clone();
        newest.sort();
        newest.reverse();
        assert_eq!(by_start(filter, None).await, newest);
        assert_eq!(by_start(filter, Some((at(0), newest[0]))).await, newest[1..]);
        assert_eq!(by_start(ElevationFilter { is_open: false, ..filter }, None).await, []);
        assert_eq!(by_start(ElevationFilter { at: at(40), is_open: false, ..filter }, None).await, [ids[0]]);
    })
    .await;
}
