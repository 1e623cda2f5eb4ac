//! The directory: told once of each person, found by number and id, sealed, changed at the version that was read.

use super::ENGINE;
use crate::support::{TestDb, at, chain, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::directory::{Attributes, Employment};
use scruple_store::{
    DirectoryRecord, LinkEnd, LinkRequest, NewDirectoryRecord, NewGrant, NewLink, Person, Revocation, StoreError,
    Subject, Subjects, confirm_link, count_directory, directory_place, end_links, find_directory,
    find_directory_by_employee_number, find_directory_by_external_id, find_person, find_person_by_login,
    insert_directory, insert_grant, list_directory, list_reports, load_access, lock_person, mark_directory_deleted,
    mark_person_left, persons_without_role, revive_person, revoke_grants, unmanaged_persons, update_directory,
    update_person,
};

fn text(value: &str) -> Option<Phi<String>> {
    Some(Phi::new(value.to_owned()))
}

fn told(person: Id<Person>, number: &str, manager: Option<Id<Person>>) -> NewDirectoryRecord {
    let attributes = Attributes {
        employee_number: text(number),
        external_id: text("canary-external-93d0"),
        title: text("canary-title-93d0"),
        department: text("canary-unit-93d0"),
        organisation: text("canary-org-93d0"),
        manager,
        employment: Some(Employment::MedicalStaff),
    };
    NewDirectoryRecord { person, attributes, document: Phi::new(b"canary-document-93d0".to_vec()), at: at(1) }
}

async fn insert(db: &TestDb, new: &NewDirectoryRecord) {
    let mut tx = db.begin().await;
    insert_directory(&mut tx, new).await.unwrap();
    db.commit(tx, Subject::Person(new.person)).await.unwrap();
}

async fn update(db: &TestDb, version: i64, new: &NewDirectoryRecord) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_directory(&mut tx, version, new).await?;
    db.commit(tx, Subjects::none()).await.map(|_| ())
}

async fn found(db: &TestDb, person: Id<Person>) -> DirectoryRecord {
    find_directory(&mut db.read().await, person).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_person_is_told_of_once_and_found_by_number_and_id() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        let new = told(ana, "canary-number-93d0", Some(eve));
        insert(db, &new).await;
        let record = found(db, ana).await;
        assert_eq!((&record.attributes, &record.document, record.version), (&new.attributes, &new.document, 1));
        assert_eq!((record.person.id, record.created_at, record.deleted_at), (ana, at(1), None));
        assert_eq!(record.person, find_person(&mut db.read().await, ana).await.unwrap().unwrap());
        let mut tx = db.read().await;
        let number = Phi::new("canary-number-93d0".to_owned());
        assert_eq!(find_directory_by_employee_number(&mut tx, &number).await.unwrap(), Some(record.clone()));
        let upper = Phi::new("CANARY-NUMBER-93D0".to_owned());
        assert_eq!(find_directory_by_employee_number(&mut tx, &upper).await.unwrap(), None, "numbers are exact");
        let external = Phi::new("canary-external-93d0".to_owned());
        assert_eq!(find_directory_by_external_id(&mut tx, &external).await.unwrap(), [record]);
        assert_eq!(find_directory(&mut tx, bob).await.unwrap(), None);
        assert_eq!(list_reports(&mut tx, eve, None).await.unwrap(), [ana]);
        drop(tx);
        let again = insert_directory(&mut db.begin().await, &told(ana, "other", None)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        let taken = insert_directory(&mut db.begin().await, &told(bob, "canary-number-93d0", None)).await.unwrap_err();
        assert!(matches!(taken, StoreError::Conflict(_)), "{taken:?}");
        let own = insert_directory(&mut db.begin().await, &told(bob, "other", Some(bob))).await.unwrap_err();
        assert!(matches!(own, StoreError::Refused(_)), "{own:?}");
        for error in [taken, own] {
            assert!(!chain(&error).contains("93d0"), "{error:?}");
        }
        for canary in ["number", "external", "title", "unit", "org", "document"] {
            assert!(!db.holds(format!("canary-{canary}-93d0").as_bytes()).await, "{canary}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_told_changes_at_the_version_that_was_read_and_a_deletion_frees_the_number() {
    with_db(ENGINE, async |db| {
        let [ana, bob, _] = db.three().await;
        insert(db, &told(ana, "1", None)).await;
        let changed = NewDirectoryRecord { attributes: Attributes::default(), ..told(ana, "1", None) };
        assert!(matches!(update(db, 2, &changed).await, Err(StoreError::RowsAffected { .. })));
        update(db, 1, &changed).await.unwrap();
        assert_eq!((found(db, ana).await.attributes, found(db, ana).await.version), (Attributes::default(), 2));
        update(db, 2, &told(ana, "1", Some(bob))).await.unwrap();
        insert(db, &told(bob, "2", None)).await;
        assert_eq!(count_directory(&mut db.read().await).await.unwrap(), 2);
        let ids = async |after| -> Vec<_> {
            let page = list_directory(&mut db.read().await, after, 1).await.unwrap();
            page.iter().map(|record| record.person.id).collect()
        };
        let (first, second) = (ana.min(bob), ana.max(bob));
        assert_eq!(
            (ids(None).await, ids(Some(first)).await, ids(Some(second)).await),
            (vec![first], vec![second], vec![])
        );
        let place = async |place| directory_place(&mut db.read().await, place).await.unwrap();
        assert_eq!((place(0).await, place(1).await, place(2).await), (Some(first), Some(second), None));
        let mut tx = db.begin().await;
        mark_directory_deleted(&mut tx, ana, 3, at(9)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let twice = mark_directory_deleted(&mut db.begin().await, ana, 4, at(9)).await;
        assert!(matches!(twice, Err(StoreError::RowsAffected { .. })), "{twice:?}");
        assert_eq!(found(db, ana).await.deleted_at, Some(at(9)));
        assert_eq!(count_directory(&mut db.read().await).await.unwrap(), 1);
        assert_eq!(list_reports(&mut db.read().await, bob, None).await.unwrap(), []);
        assert_eq!(
            find_directory_by_employee_number(&mut db.read().await, &Phi::new("1".to_owned())).await.unwrap(),
            None
        );
        update(db, 1, &told(bob, "1", None)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_login_changes_and_meets_no_other() {
    with_db(ENGINE, async |db| {
        let [ana, _, _] = db.three().await;
        let name = Phi::new("canary-name-93d0".to_owned());
        let change = async |version, login: &str| {
            let mut tx = db.begin().await;
            update_person(&mut tx, ana, version, &login.parse().unwrap(), &name, None).await?;
            db.commit(tx, Subject::Person(ana)).await.map(|_| ())
        };
        assert!(matches!(change(2, "ana.b").await, Err(StoreError::RowsAffected { .. })));
        assert!(matches!(change(1, "ASKER").await, Err(StoreError::Conflict(_))));
        change(1, "ANA.B").await.unwrap();
        let found = find_person_by_login(&mut db.read().await, &"ana.b".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((found.id, found.name, found.version), (ana, name.clone(), 2));
        assert_eq!(find_person_by_login(&mut db.read().await, &"holder".parse().unwrap()).await.unwrap(), None);
        let unknown = lock_person(&mut db.begin().await, db.id()).await;
        assert!(matches!(unknown, Err(StoreError::RowsAffected { .. })), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn a_leaver_is_out_with_the_commit_and_comes_back_with_nothing() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [ana, asker, approver] = people;
        let now = db.grant(people, "nurse", (0, 100)).await;
        let coming = db.grant(people, "biller", (50, 100)).await;
        let request = LinkRequest { id: db.id(), person: ana, practitioner: "Practitioner/a".parse().unwrap() };
        let link = request.id;
        let mut tx = db.begin().await;
        let subjects = confirm_link(&mut tx, &NewLink::confirmed(request, approver, at(0)).unwrap()).await.unwrap();
        db.commit(tx, subjects).await.unwrap();

        let mut tx = db.begin().await;
        let end = LinkEnd { by: asker, at: at(10) };
        assert_eq!(end_links(&mut tx, ana, end).await.unwrap(), (vec![link], Subject::Person(ana).into()));
        mark_person_left(&mut tx, ana, 1, at(10)).await.unwrap();
        let revoked = revoke_grants(&mut tx, ana, None, at(1_000), Revocation { by: asker, at: at(10) }).await.unwrap();
        assert_eq!(revoked.iter().map(|grant| grant.id).collect::<Vec<_>>(), [now.min(coming), now.max(coming)]);
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        // A node whose clock is behind sees the same: the revocation counts from its commit.
        let access = load_access(&mut db.read().await, ana, at(5)).await.unwrap().unwrap();
        assert_eq!((access.grants.len(), access.practitioners.len()), (0, 0));
        let new = NewGrant::approved(db.request(people, "nurse", (0, 100)), approver, at(11)).unwrap();
        let refused = insert_grant(&mut db.begin().await, &new).await;
        assert!(matches!(refused, Err(StoreError::RowsAffected { table: "person", .. })), "{refused:?}");

        let mut tx = db.begin().await;
        revive_person(&mut tx, ana, 2).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        let access = load_access(&mut db.read().await, ana, at(60)).await.unwrap().unwrap();
        assert_eq!((access.left_at, access.grants.len(), access.practitioners.len()), (None, 0, 0));
        let mut tx = db.read().await;
        for (second, held) in [(9, 1), (10, 0), (55, 0)] {
            let found = scruple_store::grants_as_of(&mut tx, at(second), None, 10).await.unwrap();
            assert_eq!(found.len(), held, "{second}");
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_comes_back_while_an_old_grant_would_come_with_him() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 100)).await;
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, people[0], 1, at(50)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let mut tx = db.begin().await;
        // It is noted that he left earlier than was said; not later.
        assert!(mark_person_left(&mut db.read().await, people[0], 2, at(60)).await.is_err());
        mark_person_left(&mut tx, people[0], 2, at(10)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let with = revive_person(&mut db.begin().await, people[0], 3).await;
        assert!(matches!(with, Err(StoreError::RowsAffected { .. })), "{with:?}");
        let mut tx = db.begin().await;
        let ended = revoke_grants(&mut tx, people[0], None, at(99), Revocation { by: people[1], at: at(10) }).await;
        assert_eq!(ended.unwrap().len(), 1);
        revive_person(&mut tx, people[0], 3).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert!(matches!(
            revive_person(&mut db.begin().await, people[0], 4).await,
            Err(StoreError::RowsAffected { .. })
        ));
    })
    .await;
}

#[tokio::test]
async fn who_has_no_manager_who_is_here_is_found() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        insert(db, &told(ana, "1", Some(bob))).await;
        insert(db, &told(bob, "2", Some(eve))).await;
        let service = Attributes { employment: Some(Employment::Service), ..Attributes::default() };
        let system = db.person("system").await;
        insert(db, &NewDirectoryRecord { attributes: service, ..told(system, "3", None) }).await;
        let found = async |second| -> Vec<_> {
            let found = unmanaged_persons(&mut db.read().await, at(second), None).await.unwrap();
            found.iter().map(|one| (one.person, one.employment)).collect()
        };
        let owner = (system, Some(Employment::Service));
        assert_eq!(found(5).await, [owner]);
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, eve, 1, at(10)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(found(9).await, [owner]);
        let mut both = vec![owner, (bob, Some(Employment::MedicalStaff))];
        both.sort_unstable_by_key(|one| one.0);
        assert_eq!(found(10).await, both);
    })
    .await;
}

#[tokio::test]
async fn who_is_here_and_holds_no_role_is_found() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [ana, bob, eve] = people;
        for (person, number) in [(ana, "1"), (bob, "2"), (eve, "3")] {
            insert(db, &told(person, number, None)).await;
        }
        let service = Attributes { employment: Some(Employment::Service), ..Attributes::default() };
        let system = db.person("system").await;
        insert(db, &NewDirectoryRecord { attributes: service, ..told(system, "4", None) }).await;
        // Whom the directory does not tell of is a program.
        db.person("program").await;
        db.grant(people, "nurse", (10, 20)).await;
        let found = async |second| {
            let mut found = persons_without_role(&mut db.read().await, at(second), None).await.unwrap();
            found.sort();
            found
        };
        let sorted = |mut all: Vec<Id<Person>>| {
            all.sort();
            all
        };
        assert_eq!(found(9).await, sorted(vec![ana, bob, eve]), "hers has not begun");
        assert_eq!(found(10).await, sorted(vec![bob, eve]));
        assert_eq!(found(20).await, sorted(vec![ana, bob, eve]), "hers is over");
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, eve, 1, at(12)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(found(12).await, [bob]);
        let after = persons_without_role(&mut db.read().await, at(12), Some(bob)).await.unwrap();
        assert_eq!(after, []);
    })
    .await;
}
