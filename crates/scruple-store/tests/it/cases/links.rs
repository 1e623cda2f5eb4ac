//! Links to practitioners: confirmed by a second person, told to whom they touch, ambiguous for nobody, ended once.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::Id;
use scruple_store::limits::{OPEN_LINKS_MAX, PAGE_ROWS_MAX, SUBJECTS_PER_EVENT_MAX};
use scruple_store::{
    LinkEnd, LinkError, LinkRequest, LinkState, NewLink, Person, PractitionerLink, StoreError, Subject, Subjects,
    confirm_link, end_link, find_link, find_open_link, list_links, load_access, mark_person_left,
};

fn link(db: &TestDb, person: Id<Person>, practitioner: &str, by: Id<Person>) -> NewLink {
    let request = LinkRequest { id: db.id(), person, practitioner: practitioner.parse().unwrap() };
    NewLink::confirmed(request, by, at(0)).unwrap()
}

/// Confirms a link; answers with its id and whom its event named.
async fn confirm(
    db: &TestDb,
    person: Id<Person>,
    practitioner: &str,
    by: Id<Person>,
) -> (Id<PractitionerLink>, Subjects) {
    let new = link(db, person, practitioner, by);
    let mut tx = db.begin().await;
    let subjects = confirm_link(&mut tx, &new).await.unwrap();
    db.commit(tx, subjects.clone()).await.unwrap();
    let link = find_open_link(&mut db.read().await, person, &practitioner.parse().unwrap()).await.unwrap().unwrap();
    (link.id, subjects)
}

async fn end(db: &TestDb, id: Id<PractitionerLink>, version: i64, end: LinkEnd) -> Result<Subjects, StoreError> {
    let mut tx = db.begin().await;
    let subjects = end_link(&mut tx, id, version, end).await?;
    db.commit(tx, subjects.clone()).await?;
    Ok(subjects)
}

async fn usable(db: &TestDb, person: Id<Person>) -> Vec<String> {
    let access = load_access(&mut db.read().await, person, at(1)).await.unwrap().unwrap();
    access.practitioners.iter().map(ToString::to_string).collect()
}

fn persons<const N: usize>(persons: [Id<Person>; N]) -> Subjects {
    Subjects::new(persons.map(Subject::Person)).unwrap()
}

#[tokio::test]
async fn a_person_is_every_practitioner_whom_a_second_person_confirmed() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        assert_eq!(usable(db, ana).await, [""; 0]);
        let (id, subjects) = confirm(db, ana, "PractitionerRole/role-1", eve).await;
        assert_eq!(subjects, persons([ana]));
        confirm(db, ana, "Practitioner/Prac.1", eve).await;
        confirm(db, bob, "Practitioner/prac.1", ana).await;
        assert_eq!(usable(db, ana).await, ["Practitioner/Prac.1", "PractitionerRole/role-1"]);
        assert_eq!(usable(db, bob).await, ["Practitioner/prac.1"], "ids differ by their letters' case");
        let found = find_link(&mut db.read().await, id).await.unwrap().unwrap();
        let expected = PractitionerLink {
            id,
            person: ana,
            practitioner: "PractitionerRole/role-1".parse().unwrap(),
            confirmed_by: eve,
            confirmed_at: at(0),
            state: LinkState::Open,
            version: 1,
        };
        assert_eq!(found, expected);
        assert_eq!(find_link(&mut db.read().await, db.id()).await.unwrap(), None);
        let other = "Practitioner/role-1".parse().unwrap();
        assert_eq!(find_open_link(&mut db.read().await, ana, &other).await.unwrap(), None);
    })
    .await;
}

#[test]
fn nobody_confirms_who_he_is_himself() {
    let [ana, eve] = [1, 2].map(|number| Id::from_uuid(uuid::Uuid::from_u128(number)));
    let request = || LinkRequest {
        id: Id::from_uuid(uuid::Uuid::from_u128(9)),
        person: ana,
        practitioner: "Practitioner/a".parse().unwrap(),
    };
    assert!(NewLink::confirmed(request(), eve, at(0)).is_ok());
    assert_eq!(NewLink::confirmed(request(), ana, at(0)).unwrap_err(), LinkError::TwoPeople);
}

#[tokio::test]
async fn a_practitioner_of_two_persons_is_nobodys_until_one_link_is_left_and_each_change_names_both() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        confirm(db, ana, "Practitioner/a", eve).await;
        confirm(db, ana, "Practitioner/b", eve).await;
        let (of_bob, subjects) = confirm(db, bob, "Practitioner/a", eve).await;
        assert_eq!(subjects, persons([ana, bob]));
        assert_eq!((usable(db, ana).await, usable(db, bob).await), (vec!["Practitioner/b".to_owned()], vec![]));
        for person in [ana, bob] {
            let shared = "Practitioner/a".parse().unwrap();
            let link = find_open_link(&mut db.read().await, person, &shared).await.unwrap().unwrap();
            assert_eq!(link.state, LinkState::Ambiguous);
            assert_eq!(find_link(&mut db.read().await, link.id).await.unwrap().unwrap(), link);
        }
        let (of_eve, subjects) = confirm(db, eve, "Practitioner/a", ana).await;
        assert_eq!(subjects, persons([ana, bob, eve]));
        let ending = LinkEnd { by: eve, at: at(5) };
        assert_eq!(end(db, of_bob, 1, ending).await.unwrap(), persons([ana, bob, eve]));
        assert_eq!(usable(db, ana).await, ["Practitioner/b"], "of three one is gone");
        assert_eq!(end(db, of_eve, 1, ending).await.unwrap(), persons([ana, eve]));
        assert_eq!(usable(db, ana).await, ["Practitioner/a", "Practitioner/b"]);
        assert_eq!((usable(db, bob).await, usable(db, eve).await), (vec![], vec![]));
        let states = list_links(&mut db.read().await, bob, None, 10).await.unwrap();
        assert_eq!(states.iter().map(|link| link.state).collect::<Vec<_>>(), [LinkState::Ended(ending)]);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_left_keeps_a_practitioner_ambiguous_until_his_link_is_ended() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        let (of_ana, _) = confirm(db, ana, "Practitioner/a", eve).await;
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, ana, 1, at(1)).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert_eq!(usable(db, ana).await, [""; 0]);
        confirm(db, bob, "Practitioner/a", eve).await;
        assert_eq!(usable(db, bob).await, [""; 0]);
        assert_eq!(end(db, of_ana, 1, LinkEnd { by: eve, at: at(5) }).await.unwrap(), persons([ana, bob]));
        assert_eq!(usable(db, bob).await, ["Practitioner/a"]);
        assert_eq!(usable(db, ana).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_once_and_can_be_confirmed_anew() {
    with_db(ENGINE, async |db| {
        let [ana, _, eve] = db.three().await;
        let (id, _) = confirm(db, ana, "Practitioner/a", eve).await;
        let again = confirm_link(&mut db.begin().await, &link(db, ana, "Practitioner/a", eve)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        let ending = LinkEnd { by: ana, at: at(5) };
        for (id, version) in [(id, 2), (db.id(), 1)] {
            let refused = end(db, id, version, ending).await;
            assert!(matches!(refused, Err(StoreError::RowsAffected { table: "practitioner_link", .. })), "{refused:?}");
        }
        let stranger = end(db, id, 1, LinkEnd { by: db.id(), at: at(5) }).await;
        assert!(matches!(stranger, Err(StoreError::Refused(_))), "{stranger:?}");
        end(db, id, 1, ending).await.unwrap();
        assert!(matches!(end(db, id, 2, ending).await, Err(StoreError::RowsAffected { .. })), "once");
        assert_eq!(usable(db, ana).await, [""; 0]);
        let (anew, _) = confirm(db, ana, "Practitioner/a", eve).await;
        assert_eq!(usable(db, ana).await, ["Practitioner/a"]);
        let links = list_links(&mut db.read().await, ana, None, 10).await.unwrap();
        let found: Vec<_> = links.iter().map(|link| (link.id, link.state, link.version)).collect();
        assert_eq!(found, [(id, LinkState::Ended(ending), 2), (anew, LinkState::Open, 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_runs_behind_ends_a_link_all_the_same() {
    with_db(ENGINE, async |db| {
        let [ana, _, eve] = db.three().await;
        let (id, _) = confirm(db, ana, "Practitioner/a", eve).await;
        end(db, id, 1, LinkEnd { by: eve, at: at(-5) }).await.unwrap();
        let found = find_link(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!(found.state, LinkState::Ended(LinkEnd { by: eve, at: at(0) }));
        assert_eq!(usable(db, ana).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn who_is_gone_or_unknown_is_linked_to_nobody_and_confirms_nobody() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, ana, 1, at(1)).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        for person in [ana, db.id()] {
            let refused = confirm_link(&mut db.begin().await, &link(db, person, "Practitioner/a", eve)).await;
            assert!(matches!(refused, Err(StoreError::RowsAffected { table: "person", .. })), "{refused:?}");
        }
        let refused = confirm_link(&mut db.begin().await, &link(db, bob, "Practitioner/a", db.id())).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn the_table_refuses_what_the_types_refuse_and_keeps_what_was_confirmed() {
    with_db(ENGINE, async |db| {
        let [ana, _, eve] = db.three().await;
        confirm(db, ana, "Practitioner/a", eve).await;
        let columns = "id, person, practitioner, confirmed_by, confirmed_at, version";
        // Another id: that of the person who confirmed.
        let copy = |insert: &str, practitioner: &str, confirmed_by: &str| {
            format!(
                "{insert} INTO practitioner_link ({columns})
                 SELECT confirmed_by, person, {practitioner}, {confirmed_by}, confirmed_at, version FROM practitioner_link"
            )
        };
        for (practitioner, confirmed_by) in [
            ("practitioner", "confirmed_by"),
            ("'Practitioner/b'", "person"),
            ("'Practitioner/b'", "NULL"),
            ("'Practitioner/b'", "id"),
            ("NULL", "confirmed_by"),
        ] {
            let attempt = copy("INSERT", practitioner, confirmed_by);
            assert!(db.raw(&attempt).await.is_err(), "{attempt}");
        }
        for attempt in [
            "UPDATE practitioner_link SET practitioner = 'Practitioner/b'",
            "UPDATE practitioner_link SET practitioner = 'Practitioner/b', ended_at = confirmed_at, ended_by = person",
            "UPDATE practitioner_link SET person = confirmed_by, confirmed_by = person",
            "UPDATE practitioner_link SET ended_at = confirmed_at",
            "UPDATE practitioner_link SET ended_at = confirmed_at - 1, ended_by = person",
            "UPDATE practitioner_link SET version = 2",
            "DELETE FROM practitioner_link",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
        let same = "practitioner";
        let sqlite = copy("INSERT OR REPLACE", same, "confirmed_by");
        assert!(db.raw_either(&sqlite, "TRUNCATE practitioner_link").await.is_err());
        // The controls: a copy with another practitioner is taken, an end is, and then nothing more.
        db.raw(&copy("INSERT", "'Practitioner/b'", "confirmed_by")).await.unwrap();
        db.raw("UPDATE practitioner_link SET ended_at = confirmed_at, ended_by = person").await.unwrap();
        assert!(db.raw("UPDATE practitioner_link SET ended_at = NULL, ended_by = NULL").await.is_err());
        assert!(db.raw("UPDATE practitioner_link SET ended_at = ended_at + 1").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_stored_practitioner_that_is_none_is_an_error_and_not_a_shorter_list() {
    with_db(ENGINE, async |db| {
        let [ana, _, eve] = db.three().await;
        confirm(db, ana, "Practitioner/a", eve).await;
        let insert = "INSERT INTO practitioner_link (id, person, practitioner, confirmed_by, confirmed_at, version)
                      SELECT confirmed_by, person, 'Patient/a', confirmed_by, confirmed_at, 1 FROM practitioner_link";
        db.raw(insert).await.unwrap();
        let failed = load_access(&mut db.read().await, ana, at(1)).await;
        assert!(matches!(failed, Err(StoreError::Inconsistent { column: "practitioner", .. })), "{failed:?}");
    })
    .await;
}

#[tokio::test]
async fn long_lists_come_in_pages_and_too_many_open_links_are_refused() {
    with_db(ENGINE, async |db| {
        let [ana, _, eve] = db.three().await;
        let mut tx = db.begin().await;
        for number in 0..OPEN_LINKS_MAX {
            confirm_link(&mut tx, &link(db, ana, &format!("Practitioner/p{number}"), eve)).await.unwrap();
        }
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert_eq!(usable(db, ana).await.len() as i64, OPEN_LINKS_MAX);
        let more = confirm_link(&mut db.begin().await, &link(db, ana, "Practitioner/more", eve)).await;
        assert!(matches!(more, Err(StoreError::Limit { max: 32, .. })), "{more:?}");
        let open = list_links(&mut db.read().await, ana, None, PAGE_ROWS_MAX).await.unwrap();
        let past_the_store = |id: &str| {
            format!(
                "INSERT INTO practitioner_link (id, person, practitioner, confirmed_by, confirmed_at, version)
                 SELECT {id}, person, 'Practitioner/more', confirmed_by, confirmed_at, 1 FROM practitioner_link LIMIT 1"
            )
        };
        let id = db.id::<PractitionerLink>().uuid();
        let (sqlite, postgres) = (format!("X'{}'", id.simple()), format!("'{id}'::uuid"));
        db.raw_either(&past_the_store(&sqlite), &past_the_store(&postgres)).await.unwrap();
        let failed = load_access(&mut db.read().await, ana, at(1)).await;
        assert!(matches!(failed, Err(StoreError::Limit { max: 32, .. })), "{failed:?}");
        let mut tx = db.begin().await;
        end_link(&mut tx, Id::from_uuid(id), 1, LinkEnd { by: eve, at: at(1) }).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        let mut tx = db.begin().await;
        end_link(&mut tx, open[0].id, 1, LinkEnd { by: eve, at: at(1) }).await.unwrap();
        for number in 0..PAGE_ROWS_MAX {
            let new = link(db, ana, &format!("Practitioner/q{number}"), eve);
            confirm_link(&mut tx, &new).await.unwrap();
            let practitioner = format!("Practitioner/q{number}").parse().unwrap();
            let link = find_open_link(&mut tx, ana, &practitioner).await.unwrap().unwrap();
            end_link(&mut tx, link.id, 1, LinkEnd { by: eve, at: at(1) }).await.unwrap();
        }
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        let mut seen: Vec<PractitionerLink> = Vec::new();
        loop {
            let after = seen.last().map(|link| link.id);
            let page = list_links(&mut db.read().await, ana, after, i64::MAX).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() as i64 <= PAGE_ROWS_MAX);
            seen.extend(page);
        }
        assert_eq!(seen.len() as i64, OPEN_LINKS_MAX + PAGE_ROWS_MAX + 1);
        assert!(seen.iter().map(|link| link.id).is_sorted());
    })
    .await;
}

#[tokio::test]
async fn a_practitioner_of_very_many_persons_names_everyone() {
    with_db(ENGINE, async |db| {
        let eve = db.person("eve").await;
        let mut subjects = Subjects::none();
        for number in 0..=SUBJECTS_PER_EVENT_MAX {
            assert_ne!(subjects, Subject::Everyone.into(), "{number}");
            let person = db.person(&format!("p{number}")).await;
            (_, subjects) = confirm(db, person, "Practitioner/a", eve).await;
        }
        assert_eq!(subjects, Subject::Everyone.into());
    })
    .await;
}

#[tokio::test]
async fn a_database_without_links_gets_them_and_keeps_its_people() {
    with_db(ENGINE, async |db| {
        let people @ [ana, _, eve] = db.three().await;
        let grant = db.grant(people, "nurse", (0, 100)).await;
        // As it was before.
        let before = "DROP TABLE practitioner_link; DELETE FROM _sqlx_migrations WHERE version = 2";
        let functions = "DROP FUNCTION practitioner_link_end_only; DROP FUNCTION practitioner_link_no_delete";
        db.raw_either(before, &format!("{before}; {functions}")).await.unwrap();
        let failed = load_access(&mut db.read().await, ana, at(1)).await;
        assert!(matches!(failed, Err(StoreError::Database(_))), "{failed:?}");
        db.store.migrate().await.unwrap();
        confirm(db, ana, "Practitioner/a", eve).await;
        let access = load_access(&mut db.read().await, ana, at(1)).await.unwrap().unwrap();
        assert_eq!(access.grants.iter().map(|held| held.id).collect::<Vec<_>>(), [grant]);
        assert_eq!(usable(db, ana).await, ["Practitioner/a"]);
    })
    .await;
}
