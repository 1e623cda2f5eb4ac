use super::ENGINE;
use super::requests::{approver, changed, pending, privacy, stored};
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::{
    DeclaredReason, Elevation, ElevationKind, EmergencyReason, Kinds, NewElevation, Opening, PatientRef, Revocation,
    Window,
};
use scruple_store::{
    NewReview, Person, StoreError, Subject, confirm_protected, end_elevation, end_elevations_of, find_elevation,
    insert_elevation, insert_review, list_elevations, list_elevations_of_patient, list_elevations_of_request,
    load_access, open_elevations,
};

const WORDS: &str = "Covering bed twelve for Maria tonight";

pub fn opening(db: &TestDb, person: Id<Person>, patient: &str, window: (i64, i64)) -> Opening {
    Opening {
        id: db.id(),
        person,
        role: "nurse".parse().unwrap(),
        purpose: None,
        patient: patient.parse().unwrap(),
        kinds: Kinds::Whole,
        window: Window::new(at(window.0), at(window.1)).unwrap(),
        justification: Phi::new(WORDS.to_owned()),
    }
}

async fn declared(db: &TestDb, person: Id<Person>, patient: &str, window: (i64, i64)) -> Id<Elevation> {
    let opening = opening(db, person, patient, window);
    let id = opening.id;
    let mut tx = db.begin().await;
    let new = NewElevation::declared(opening, DeclaredReason::Covering, at(0)).unwrap();
    insert_elevation(&mut tx, &new).await.unwrap();
    db.commit(tx, Subject::Person(person)).await.unwrap();
    id
}

fn patient(id: &str) -> PatientRef {
    id.parse().unwrap()
}

#[tokio::test]
async fn what_is_open_is_held_until_its_end_or_until_somebody_ends_it() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let first = declared(db, people[0], "a", (0, 100)).await;
        let second = declared(db, people[0], "b", (50, 200)).await;
        declared(db, people[1], "a", (0, 100)).await;
        let open = async |second: i64| -> Vec<Id<Elevation>> {
            let held = open_elevations(&mut db.read().await, people[0], at(second)).await.unwrap();
            held.iter().map(|held| held.id).collect()
        };
        assert_eq!(open(0).await, [first, second]);
        assert_eq!(open(100).await, [second]);
        assert_eq!(open(200).await, []);
        let mut tx = db.read().await;
        let access = load_access(&mut tx, people[0], at(0)).await.unwrap().unwrap();
        assert_eq!(access.elevations.len(), 2);
        assert_eq!(access.elevations[0].patient, patient("a"));
        assert_eq!(access.elevations[0].kind, ElevationKind::Declared(DeclaredReason::Covering));
        drop(tx);

        let end = async |version: i64, second: i64| {
            let mut tx = db.begin().await;
            end_elevation(&mut tx, first, version, Revocation { by: people[2], at: at(second) }).await?;
            db.commit(tx, Subject::Person(people[0])).await.map(drop)
        };
        assert!(matches!(end(2, 10).await, Err(StoreError::RowsAffected { .. })));
        end(1, -10).await.unwrap();
        assert!(matches!(end(2, 10).await, Err(StoreError::RowsAffected { .. })));
        assert_eq!(open(0).await, [second]);
        let found = find_elevation(&mut db.read().await, first).await.unwrap().unwrap();
        assert_eq!(found.ended, Some(Revocation { by: people[2], at: at(0) }));
        assert_eq!(found.justification.expose(), WORDS);
        assert_eq!(find_elevation(&mut db.read().await, db.id()).await.unwrap(), None);

        let mut tx = db.read().await;
        assert_eq!(list_elevations(&mut tx, people[0], None).await.unwrap().len(), 2);
        assert_eq!(list_elevations(&mut tx, people[0], Some(first)).await.unwrap(), []);
        let of_a = list_elevations_of_patient(&mut tx, &patient("a"), None).await.unwrap();
        assert_eq!(of_a.iter().map(|one| one.held.person).collect::<Vec<_>>(), [people[1], people[0]]);
        assert_eq!(list_elevations_of_patient(&mut tx, &patient("c"), None).await.unwrap(), []);
        drop(tx);
        let mut tx = db.begin().await;
        let all = Revocation { by: people[2], at: at(60) };
        assert_eq!(end_elevations_of(&mut tx, people[0], all).await.unwrap(), 1);
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        assert_eq!(open(0).await, []);
    })
    .await;
}

#[tokio::test]
async fn an_elevation_stands_on_an_approved_request_for_that_patient() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let request = pending(db, people, &["a"], &[privacy()]);
        stored(db, &request).await;
        let approved = request.clone().approve(&approver(people[2], &[privacy()]), None, at(9)).unwrap();
        let new = NewElevation::asked(&approved, db.id(), &patient("a")).unwrap();
        let insert = async |new: &NewElevation| {
            let mut tx = db.begin().await;
            insert_elevation(&mut tx, new).await?;
            db.commit(tx, Subject::Person(people[0])).await.map(drop)
        };
        // Not approved in the table.
        let refused = insert(&new).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        changed(db, &approved, 1).await.unwrap();
        insert(&new).await.unwrap();
        let of_it = list_elevations_of_request(&mut db.read().await, request.id).await.unwrap();
        assert_eq!(of_it.iter().map(|one| one.held.id).collect::<Vec<_>>(), [new.opening().id]);
        assert!(list_elevations_of_request(&mut db.read().await, db.id()).await.unwrap().is_empty());
        let held = open_elevations(&mut db.read().await, people[0], at(9)).await.unwrap();
        assert_eq!(
            (held[0].kind, held[0].purpose.as_deref()),
            (ElevationKind::Asked { request: request.id }, Some("TREAT"))
        );
        assert_eq!(held[0].kinds.to_string(), "labs vitals");
        let of_request = list_elevations_of_request(&mut db.read().await, request.id).await.unwrap();
        assert_eq!(of_request.iter().map(|one| one.held.clone()).collect::<Vec<_>>(), held);
        assert!(list_elevations_of_request(&mut db.read().await, db.id()).await.unwrap().is_empty());
        // For another patient, another person, longer, for other kinds of information or for all of them.
        for kinds in ["labs", "labs segment:hiv vitals", "*"] {
            let mut other = approved.clone();
            other.wanted.kinds = kinds.parse().unwrap();
            let refused = insert(&NewElevation::asked(&other, db.id(), &patient("a")).unwrap()).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{kinds}: {refused:?}");
        }
        let mut other = approved.clone();
        other.wanted.patients.insert(patient("b"));
        let refused = insert(&NewElevation::asked(&other, db.id(), &patient("b")).unwrap()).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let mut other = approved.clone();
        other.person = people[1];
        let refused = insert(&NewElevation::asked(&other, db.id(), &patient("a")).unwrap()).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let mut other = approved.clone();
        other.wanted.window = Window::new(at(0), at(7_200)).unwrap();
        let refused = insert(&NewElevation::asked(&other, db.id(), &patient("a")).unwrap()).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn an_emergency_is_not_there_without_its_review() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let review = NewReview { id: db.id(), reader: people[0], opened_at: at(0), due_at: at(100) };
        let new = |person, review| {
            let opening = opening(db, person, "a", (0, 100));
            NewElevation::emergency(opening, EmergencyReason::LifeThreat, review, at(0)).unwrap()
        };
        let refused = insert_elevation(&mut db.begin().await, &new(people[0], review.id)).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let mut tx = db.begin().await;
        insert_review(&mut tx, &review).await.unwrap();
        let refused = insert_elevation(&mut tx, &new(people[1], review.id)).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        drop(tx);
        let mut tx = db.begin().await;
        insert_review(&mut tx, &review).await.unwrap();
        insert_elevation(&mut tx, &new(people[0], review.id)).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let again = insert_elevation(&mut db.begin().await, &new(people[0], review.id)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        for table in ["elevation", "emergency_review"] {
            assert!(db.raw(&format!("DELETE FROM {table}")).await.is_err(), "{table}");
        }
        for change in ["ends_at = ends_at + 1", "kinds = 'labs'"] {
            assert!(db.raw(&format!("UPDATE elevation SET {change}")).await.is_err(), "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_specially_protected_is_confirmed_once_in_an_emergency_alone() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let review = NewReview { id: db.id(), reader: people[0], opened_at: at(0), due_at: at(100) };
        let opening = opening(db, people[0], "a", (0, 100));
        let id = opening.id;
        let new = NewElevation::emergency(opening, EmergencyReason::LifeThreat, review.id, at(0)).unwrap();
        let mut tx = db.begin().await;
        insert_review(&mut tx, &review).await.unwrap();
        insert_elevation(&mut tx, &new).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let held =
            async || open_elevations(&mut db.read().await, people[0], at(50)).await.unwrap().remove(0).protected_at;
        assert_eq!(held().await, None);
        let confirm = async |id, version, seconds| {
            let mut tx = db.begin().await;
            confirm_protected(&mut tx, id, version, at(seconds)).await?;
            db.commit(tx, Subject::Person(people[0])).await
        };
        assert!(matches!(confirm(id, 2, 5).await, Err(StoreError::RowsAffected { .. })), "another version");
        // After its end: the table refuses it.
        assert!(matches!(confirm(id, 1, 100).await, Err(StoreError::Refused(_))));
        confirm(id, 1, 5).await.unwrap();
        assert_eq!(held().await, Some(at(5)));
        assert!(matches!(confirm(id, 2, 6).await, Err(StoreError::RowsAffected { .. })), "twice");
        let found = find_elevation(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!((found.held.protected_at, found.version), (Some(at(5)), 2));
        for change in ["protected_at = NULL", "protected_at = protected_at + 1", "ends_at = ends_at + 1"] {
            assert!(db.raw(&format!("UPDATE elevation SET {change}")).await.is_err(), "{change}");
        }
        let mut tx = db.begin().await;
        end_elevation(&mut tx, id, 2, Revocation { by: people[0], at: at(9) }).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        // No other way to a record has it.
        let other = declared(db, people[1], "b", (0, 100)).await;
        assert!(matches!(confirm(other, 1, 5).await, Err(StoreError::Refused(_))));
    })
    .await;
}

#[tokio::test]
async fn no_patient_and_no_word_stands_in_clear() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        declared(db, people[0], "canary-patient-94", (0, 100)).await;
        for needle in ["canary-patient-94", "Covering bed twelve"] {
            assert!(!db.holds(needle.as_bytes()).await, "{needle}");
        }
    })
    .await;
}
