//! Grants: a window, a second person, a revocation that counts at once, and who held what when.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi, Timestamp};
use scruple_store::limits::{OPEN_GRANTS_MAX, PAGE_ROWS_MAX};
use scruple_store::{
    Grant, GrantError, GrantRequest, HeldGrant, NewGrant, Person, Revocation, RoleCode, StoreError, Subject, Subjects,
    Window, find_grant, grants_as_of, holders, insert_grant, mark_person_left, open_grants, revoke_grant,
};

async fn open(db: &TestDb, person: Id<Person>, second: i64) -> Vec<HeldGrant> {
    let mut grants = open_grants(&mut db.read().await, person, at(second)).await.unwrap();
    grants.retain(|grant| grant.window.contains(at(second)));
    grants
}

async fn revoke(db: &TestDb, id: Id<Grant>, version: i64, revocation: Revocation) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    revoke_grant(&mut tx, id, version, revocation).await?;
    db.commit(tx, Subjects::none()).await.map(|_| ())
}

async fn held_at(db: &TestDb, second: i64) -> Vec<Id<Grant>> {
    let held = grants_as_of(&mut db.read().await, at(second), None, PAGE_ROWS_MAX).await.unwrap();
    held.iter().map(|grant| grant.id).collect()
}

#[tokio::test]
async fn a_grant_is_held_within_its_window_and_ends_by_itself() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let id = db.grant(people, "biller", (10, 20)).await;
        for (second, held) in [(9, 0), (10, 1), (19, 1), (20, 0), (21, 0)] {
            assert_eq!(open(db, people[0], second).await.len(), held, "second {second}");
        }
        let coming = open_grants(&mut db.read().await, people[0], at(0)).await.unwrap();
        assert_eq!(coming.len(), 1, "one that has not begun is loaded too");
        assert_eq!(open(db, people[1], 15).await, []);
        let grant = find_grant(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!(grant.held, coming[0]);
        assert_eq!((grant.requested_by, grant.approved_by, grant.granted_at), (people[1], people[2], at(0)));
        assert_eq!((grant.justification.expose().as_str(), grant.revoked, grant.version), ("builds claims", None, 1));
        assert_eq!(find_grant(&mut db.read().await, db.id()).await.unwrap(), None);
    })
    .await;
}

#[test]
fn nobody_approves_for_himself_and_no_window_is_empty() {
    let [holder, asker, approver] = [1, 2, 3].map(|number| Id::from_uuid(uuid::Uuid::from_u128(number)));
    let request = |justification: &str| GrantRequest {
        id: Id::from_uuid(uuid::Uuid::from_u128(9)),
        person: holder,
        role: "biller".parse().unwrap(),
        window: Window::new(at(0), at(1)).unwrap(),
        requested_by: asker,
        justification: Phi::new(justification.to_owned()),
    };
    assert!(NewGrant::approved(request("claims"), approver, at(0)).is_ok());
    assert_eq!(NewGrant::approved(request("claims"), holder, at(0)).unwrap_err(), GrantError::TwoPeople);
    assert_eq!(NewGrant::approved(request("claims"), asker, at(0)).unwrap_err(), GrantError::TwoPeople);
    assert_eq!(NewGrant::approved(request(" "), approver, at(0)).unwrap_err(), GrantError::NoJustification);
    assert!(matches!(Window::new(at(1), at(1)), Err(GrantError::Window { .. })));
    assert!(matches!(Window::new(at(2), at(1)), Err(GrantError::Window { .. })));
}

#[tokio::test]
async fn the_table_refuses_what_the_types_refuse() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "biller", (10, 20)).await;
        let copy = |change: &str, value: &str| {
            let columns = "id, person, role, starts_at, ends_at, requested_by, approved_by, granted_at, \
                           justification_sealed, version";
            // Another id: that of the person who asked.
            let values = columns.replacen("id,", "requested_by,", 1);
            assert!(values.contains(change), "{change}");
            format!("INSERT INTO role_grant ({columns}) SELECT {} FROM role_grant", values.replace(change, value))
        };
        for (change, value) in [
            ("ends_at", "starts_at"),
            ("ends_at", "starts_at - 1"),
            ("approved_by", "person"),
            ("approved_by", "requested_by"),
            ("approved_by", "NULL"),
            ("approved_by", "id"),
            ("justification_sealed", "NULL"),
        ] {
            assert!(db.raw(&copy(change, value)).await.is_err(), "{change} {value}");
        }
        for attempt in [
            "UPDATE role_grant SET ends_at = ends_at + 1",
            "UPDATE role_grant SET role = 'admin', revoked_at = granted_at, revoked_by = person",
            "DELETE FROM role_grant",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
        // The control: a copy that changes nothing but the id is taken.
        db.raw(&copy("role", "role")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_revocation_counts_at_once_and_once() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let id = db.grant(people, "biller", (0, 100)).await;
        let revocation = Revocation { by: people[1], at: at(50) };
        assert!(matches!(revoke(db, id, 2, revocation).await, Err(StoreError::RowsAffected { .. })));
        revoke(db, id, 1, revocation).await.unwrap();
        // The clock of another node may be behind: committed is revoked.
        assert_eq!(open(db, people[0], 49).await, []);
        assert_eq!(held_at(db, 49).await, [id], "it was held then");
        assert_eq!(held_at(db, 50).await, []);
        assert!(matches!(revoke(db, id, 2, revocation).await, Err(StoreError::RowsAffected { .. })), "once");
        let grant = find_grant(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!((grant.revoked, grant.version), (Some(revocation), 2));
        assert!(db.raw("UPDATE role_grant SET revoked_at = NULL, revoked_by = NULL").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_runs_behind_revokes_all_the_same() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let id = db.grant(people, "biller", (0, 100)).await;
        revoke(db, id, 1, Revocation { by: people[1], at: at(-5) }).await.unwrap();
        let grant = find_grant(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!(grant.revoked, Some(Revocation { by: people[1], at: at(0) }));
        assert_eq!(held_at(db, 0).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_approvals_of_one_request_that_race_one_wins() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let other = db.person("second-approver").await;
        let request = db.request(people, "biller", (0, 100));
        let mut tasks = tokio::task::JoinSet::new();
        for approver in [people[2], other] {
            let (store, lease) = (db.second_store().await, db.lease.clone());
            let grant = NewGrant::approved(request.clone(), approver, at(0)).unwrap();
            let event = db.event(1, &scruple_store::Aggregate::new("role_grant", request.id), Subject::Everyone);
            tasks.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                insert_grant(&mut tx, &grant).await?;
                tx.commit(&lease, &[event]).await.map(|_| approver)
            });
        }
        let results = tasks.join_all().await;
        let winners: Vec<_> = results.iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        assert!(results.iter().any(|result| matches!(result, Err(StoreError::Conflict(_)))), "{results:?}");
        let grant = find_grant(&mut db.read().await, request.id).await.unwrap().unwrap();
        assert_eq!(grant.approved_by, *winners[0]);
    })
    .await;
}

#[tokio::test]
async fn who_is_gone_or_unknown_gets_no_grant_and_holds_none() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let id = db.grant(people, "biller", (0, 100)).await;
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, people[0], 1, at(30)).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        assert_eq!(held_at(db, 29).await, [id]);
        assert_eq!(held_at(db, 30).await, []);
        let biller = ["biller".parse().unwrap()];
        assert_eq!(holders(&mut db.read().await, &biller, at(30), None).await.unwrap(), []);
        let unknown = [db.id(), people[1], people[2]];
        for people in [people, unknown] {
            let grant = NewGrant::approved(db.request(people, "biller", (0, 1)), people[2], at(0)).unwrap();
            let refused = insert_grant(&mut db.begin().await, &grant).await;
            assert!(matches!(refused, Err(StoreError::RowsAffected { table: "person", .. })), "{refused:?}");
        }
        let strangers = [people[1], db.id(), people[2]];
        let grant = NewGrant::approved(db.request(strangers, "biller", (0, 1)), people[2], at(0)).unwrap();
        let refused = insert_grant(&mut db.begin().await, &grant).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn times_compare_as_instants_whatever_the_offset_they_were_written_with() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        // As text the second would sort before the first.
        let starts = Timestamp::parse("2026-03-29T00:30:00+01:00").unwrap();
        let ends = Timestamp::parse("2026-03-28T23:45:00Z").unwrap();
        let window = Window::new(starts, ends).unwrap();
        let request = GrantRequest { window, ..db.request(people, "biller", (0, 1)) };
        let mut tx = db.begin().await;
        insert_grant(&mut tx, &NewGrant::approved(request, people[2], at(0)).unwrap()).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        for (instant, held) in [
            ("2026-03-28T23:29:59.999999Z", false),
            ("2026-03-29T01:30:00+02:00", true),
            ("2026-03-28T16:44:59.999999-07:00", true),
            ("2026-03-28T16:45:00-07:00", false),
        ] {
            let instant = Timestamp::parse(instant).unwrap();
            let found = grants_as_of(&mut db.read().await, instant, None, 10).await.unwrap();
            assert_eq!(found.len() == 1, held, "{instant}");
        }
        // Before the epoch and at the ends of the range integers still compare.
        let far = Timestamp::from_micros(i64::MIN);
        assert_eq!(grants_as_of(&mut db.read().await, far, None, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn holders_of_no_role_are_nobody() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "biller", (0, 100)).await;
        db.grant(people, "coder", (0, 100)).await;
        db.grant(people, "nurse", (0, 100)).await;
        let roles = |codes: &[&str]| codes.iter().map(|code| code.parse().unwrap()).collect::<Vec<RoleCode>>();
        for (codes, expected) in [
            (&[][..], 0),
            (&["clerk"], 0),
            (&["biller"], 1),
            (&["biller", "nurse", "clerk"], 2),
            (&["biller", "biller"], 1),
        ] {
            let found = holders(&mut db.read().await, &roles(codes), at(1), None).await.unwrap();
            assert_eq!(found.len(), expected, "{codes:?}");
        }
        let first = holders(&mut db.read().await, &roles(&["biller", "nurse"]), at(1), None).await.unwrap();
        let rest = holders(&mut db.read().await, &roles(&["biller", "nurse"]), at(1), Some(first[0].id)).await.unwrap();
        assert_eq!(rest, first[1..]);
    })
    .await;
}

#[tokio::test]
async fn long_lists_come_in_pages_and_too_many_grants_are_an_error() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let mut tx = db.begin().await;
        for number in 0..OPEN_GRANTS_MAX {
            let request = db.request(people, &format!("role-{number}"), (0, 100));
            insert_grant(&mut tx, &NewGrant::approved(request, people[2], at(0)).unwrap()).await.unwrap();
        }
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        assert_eq!(open(db, people[0], 1).await.len() as i64, OPEN_GRANTS_MAX);
        let mut seen = Vec::new();
        loop {
            let after = seen.last().map(|grant: &HeldGrant| grant.id);
            let page = grants_as_of(&mut db.read().await, at(1), after, PAGE_ROWS_MAX).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() as i64 <= PAGE_ROWS_MAX);
            seen.extend(page);
        }
        let mut ids: Vec<_> = seen.iter().map(|grant| grant.id).collect();
        ids.dedup();
        assert_eq!(ids.len() as i64, OPEN_GRANTS_MAX);
        assert!(ids.is_sorted());
        db.grant(people, "one-more", (0, 100)).await;
        let refused = open_grants(&mut db.read().await, people[0], at(1)).await;
        assert!(matches!(refused, Err(StoreError::Limit { max: 256, .. })), "{refused:?}");
        assert_eq!(open_grants(&mut db.read().await, people[0], at(100)).await.unwrap(), [], "ended ones do not count");
    })
    .await;
}
