//! Groups: found whatever the case, mapped by a person, a finding while they stand for no role.

use super::ENGINE;
use crate::support::{TestDb, at, chain, with_db};
use scruple_core::{Id, Phi};
use scruple_store::limits::GROUPS_PER_PERSON_MAX;
use scruple_store::{
    Group, GroupMapping, StoreError, Subjects, add_member, count_groups, find_group, find_groups_by_display,
    find_groups_by_external_id, group_place, groups_of, insert_group, list_groups, list_members, map_group,
    mark_group_deleted, remove_member, unmapped_groups, update_group,
};

fn phi(text: &str) -> Phi<String> {
    Phi::new(text.to_owned())
}

async fn group(db: &TestDb, display: &str) -> Id<Group> {
    let id = db.id();
    let mut tx = db.begin().await;
    insert_group(&mut tx, id, &phi(display), Some(&phi("canary-external-5e2b")), at(1)).await.unwrap();
    db.commit(tx, Subjects::none()).await.unwrap();
    id
}

#[tokio::test]
async fn a_group_is_found_whatever_the_case_and_changed_at_its_version() {
    with_db(ENGINE, async |db| {
        let id = group(db, "canary-ÉQUIPE-5e2b").await;
        let other = group(db, "Other").await;
        let mut tx = db.read().await;
        let found = find_group(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((found.display.expose().as_str(), found.version), ("canary-ÉQUIPE-5e2b", 1));
        assert_eq!(find_groups_by_display(&mut tx, &phi("CANARY-équipe-5E2B")).await.unwrap(), [found]);
        assert_eq!(find_groups_by_external_id(&mut tx, &phi("canary-external-5e2b")).await.unwrap().len(), 2);
        assert_eq!(list_groups(&mut tx, Some(id.min(other)), 5).await.unwrap()[0].id, id.max(other));
        assert_eq!(count_groups(&mut tx).await.unwrap(), 2);
        assert_eq!(group_place(&mut tx, 1).await.unwrap(), Some(id.max(other)));
        assert_eq!(group_place(&mut tx, 2).await.unwrap(), None);
        drop(tx);
        let mut tx = db.begin().await;
        update_group(&mut tx, (id, 1), &phi("Nurses"), None, at(2)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let stale = update_group(&mut db.begin().await, (id, 1), &phi("canary-5e2b"), None, at(2)).await.unwrap_err();
        assert!(matches!(stale, StoreError::RowsAffected { .. }) && !chain(&stale).contains("5e2b"), "{stale:?}");
        let changed = find_group(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!(
            (changed.display, changed.external_id, changed.changed_at, changed.version),
            (phi("Nurses"), None, at(2), 2)
        );
        let mut tx = db.begin().await;
        mark_group_deleted(&mut tx, id, 2, at(3)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(find_group(&mut db.read().await, id).await.unwrap(), None);
        assert_eq!(find_groups_by_display(&mut db.read().await, &phi("nurses")).await.unwrap(), []);
        for canary in ["canary-ÉQUIPE-5e2b", "canary-external-5e2b"] {
            assert!(!db.holds(canary.as_bytes()).await, "{canary}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_group_that_stands_for_no_role_is_a_finding_while_it_has_members() {
    with_db(ENGINE, async |db| {
        let [ana, bob, eve] = db.three().await;
        let id = group(db, "Nurses").await;
        let findings = async || unmapped_groups(&mut db.read().await, None).await.unwrap();
        assert_eq!(findings().await, []);
        let mut tx = db.begin().await;
        assert!(add_member(&mut tx, id, ana, at(1)).await.unwrap());
        assert!(!add_member(&mut tx, id, ana, at(1)).await.unwrap(), "once");
        assert!(add_member(&mut tx, id, bob, at(1)).await.unwrap());
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(findings().await, [id]);
        assert_eq!(list_members(&mut db.read().await, id, None).await.unwrap(), [ana.min(bob), ana.max(bob)]);
        let mut tx = db.begin().await;
        map_group(&mut tx, (id, 1), Some(&"nurse".parse().unwrap()), eve, at(2)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!(findings().await, []);
        let mapping = find_group(&mut db.read().await, id).await.unwrap().unwrap().mapping;
        assert_eq!(mapping, Some(GroupMapping { role: "nurse".parse().unwrap(), by: eve, at: at(2) }));
        let of = groups_of(&mut db.read().await, ana).await.unwrap();
        assert_eq!((of[0].id, of[0].role.as_ref().unwrap().as_str(), of.len()), (id, "nurse", 1));
        let mut tx = db.begin().await;
        assert!(remove_member(&mut tx, id, ana).await.unwrap());
        assert!(!remove_member(&mut tx, id, ana).await.unwrap());
        map_group(&mut tx, (id, 2), None, eve, at(3)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!((findings().await, groups_of(&mut db.read().await, ana).await.unwrap()), (vec![id], vec![]));
        let stranger = add_member(&mut db.begin().await, id, db.id(), at(4)).await;
        // SQLite tells at the commit at the latest, PostgreSQL at once.
        assert!(stranger.is_err() || ENGINE == scruple_store::Engine::Sqlite, "{stranger:?}");
        let mut tx = db.begin().await;
        mark_group_deleted(&mut tx, id, 3, at(5)).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        assert_eq!((findings().await, list_members(&mut db.read().await, id, None).await.unwrap()), (vec![], vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_person_is_in_a_bounded_number_of_groups() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let mut tx = db.begin().await;
        for number in 0..=GROUPS_PER_PERSON_MAX {
            let id = db.id();
            insert_group(&mut tx, id, &phi("g"), None, at(1)).await.unwrap();
            let added = add_member(&mut tx, id, ana, at(1)).await;
            assert_eq!(added.is_ok(), number < GROUPS_PER_PERSON_MAX, "{number} {added:?}");
        }
    })
    .await;
}
