//! Persons: found whatever the case, stored once, gone when they leave.

use super::ENGINE;
use crate::support::{at, with_db};
use scruple_core::Phi;
use scruple_store::list_persons;
use scruple_store::{
    NewPerson, StoreError, Subjects, find_person, find_person_by_login, insert_person, mark_person_left,
    person_versions, persons_mark,
};

#[tokio::test]
async fn a_person_is_found_whatever_the_case_and_stored_once() {
    with_db(ENGINE, async |db| {
        let contact = Some(Phi::new("ana@clinic.example".to_owned()));
        let person = NewPerson { contact, ..db.new_person("Ana.SØRENSEN@Clinic.Example") };
        let mut tx = db.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        for login in ["ana.sørensen@clinic.example", "ANA.SØRENSEN@CLINIC.EXAMPLE ", "Ana.Sørensen@clinic.example"] {
            let found = find_person_by_login(&mut db.read().await, &login.parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(found.id, person.id);
            assert_eq!(found.login.expose(), "ana.sørensen@clinic.example");
            assert_eq!(found.name, person.name);
            assert_eq!(found.contact, person.contact);
            let again = insert_person(&mut db.begin().await, &db.new_person(login)).await;
            assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        }
        let other = "ana.sorensen@clinic.example".parse().unwrap();
        assert_eq!(find_person_by_login(&mut db.read().await, &other).await.unwrap(), None);
        assert_eq!(find_person(&mut db.read().await, db.id()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_person_leaves_once_and_at_the_version_that_was_read() {
    with_db(ENGINE, async |db| {
        let id = db.person("ana").await;
        for (version, expected) in [(2, false), (1, true), (1, false), (2, false)] {
            let mut tx = db.begin().await;
            let left = mark_person_left(&mut tx, id, version, at(5)).await;
            assert_eq!(left.is_ok(), expected, "{left:?}");
            if expected {
                db.commit(tx, Subjects::none()).await.unwrap();
            }
        }
        let person = find_person(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!((person.left_at, person.version), (Some(at(5)), 2));
    })
    .await;
}

#[tokio::test]
async fn a_reading_transaction_cannot_write() {
    with_db(ENGINE, async |db| {
        let mut tx = db.read().await;
        assert!(insert_person(&mut tx, &db.new_person("ana")).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn all_persons_are_listed_page_by_page() {
    with_db(ENGINE, async |db| {
        let mut ids = [db.person("ana").await, db.person("bob").await, db.person("cy").await];
        ids.sort();
        let list = async |after| -> Vec<_> {
            let people = list_persons(&mut db.read().await, after).await.unwrap();
            people.into_iter().map(|person| person.id).collect()
        };
        assert_eq!(list(None).await, ids);
        assert_eq!(list(Some(ids[0])).await, ids[1..]);
        assert_eq!(list(Some(ids[2])).await, []);
    })
    .await;
}

#[tokio::test]
async fn who_came_or_changed_moves_the_mark_of_all_persons() {
    with_db(ENGINE, async |db| {
        assert_eq!(persons_mark(&mut db.read().await).await.unwrap(), (0, 0));
        let ana = db.person("ana").await;
        let bea = db.person("bea").await;
        assert_eq!(persons_mark(&mut db.read().await).await.unwrap(), (2, 2));
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, ana, 1, at(5)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(persons_mark(&mut db.read().await).await.unwrap(), (2, 3));
        let mut expected = [(ana, 2), (bea, 1)];
        expected.sort_unstable();
        assert_eq!(person_versions(&mut db.read().await).await.unwrap(), expected);
    })
    .await;
}
