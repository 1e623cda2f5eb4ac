//! Accounts: when they were used, idle ones that end by the clock, systems that need somebody who answers for them.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::directory::{Attributes, Employment};
use scruple_flow::{Account, AccountKind, Dormancy, DormancyState, IdleRule};
use scruple_store::{
    NewDirectoryRecord, Person, StoreError, Subject, account_suspensions, begin_use, close_dormancy, find_account,
    find_dormancy, find_system, grants_as_of, holders, insert_account, insert_directory, insert_dormancy, last_used,
    list_accounts_owned, list_dormancies, list_systems, load_access, mark_person_left, pass_reports_on, suspensions,
    unused_since, update_account, used_dormancies,
};

const DAY: i64 = 86_400;

async fn notice(db: &TestDb, person: Id<Person>, (idle_days, notice_days): (u16, u16), second: i64) -> Dormancy {
    let rule = IdleRule { idle_days, notice_days };
    let one = Dormancy::noticed(db.id(), person, at(0), rule, at(second)).unwrap();
    let mut tx = db.begin().await;
    insert_dormancy(&mut tx, &one).await.unwrap();
    db.commit(tx, Subject::Person(person)).await.unwrap();
    one
}

async fn close(db: &TestDb, one: &Dormancy) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    close_dormancy(&mut tx, one).await?;
    db.commit(tx, Subject::Person(one.person)).await.map(|_| ())
}

/// Whether the person holds his one grant, to the cache, to who asks for holders, and to who asks as of then.
async fn held(db: &TestDb, person: Id<Person>, second: i64) -> [bool; 3] {
    let mut tx = db.read().await;
    let access = load_access(&mut tx, person, at(second)).await.unwrap().unwrap();
    let suspended = access.suspended.iter().any(|one| one.contains(at(second)));
    let holders = holders(&mut tx, &["nurse".parse().unwrap()], at(second), None).await.unwrap();
    let then = grants_as_of(&mut tx, at(second), None, 10).await.unwrap();
    [!suspended && access.grants.len() == 1, holders.len() == 1, then.len() == 1]
}

#[tokio::test]
async fn use_goes_forward_and_who_never_used_his_account_is_idle_since_it_came_to_be() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 100 * DAY)).await;
        let ana = people[0];
        assert_eq!(last_used(&mut db.read().await, ana).await.unwrap(), Some(at(0)));
        db.store.note_use(&[(ana, at(50)), (ana, at(20))]).await.unwrap();
        assert_eq!(last_used(&mut db.read().await, ana).await.unwrap(), Some(at(50)), "never back");
        let mut tx = db.begin().await;
        begin_use(&mut tx, ana, at(30)).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert!(db.raw("UPDATE account_use SET used_at = 1").await.is_err());
        assert!(db.raw("DELETE FROM account_use").await.is_err());
        let unused = async |second: i64| {
            let found = unused_since(&mut db.read().await, (at(second), at(60)), None).await.unwrap();
            found.into_iter().map(|one| one.person).collect::<Vec<_>>()
        };
        assert_eq!(unused(49).await, []);
        // Of the others nothing could be ended: they hold no role, no credential, and HR does not tell of them.
        assert_eq!(unused(50).await, [ana]);
        notice(db, ana, (1, 1), DAY + 60).await;
        assert_eq!(unused(50).await, [], "it is noticed already");
    })
    .await;
}

#[tokio::test]
async fn an_idle_account_ends_by_the_clock_alone_and_a_second_person_brings_it_back() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [ana, manager, _] = people;
        db.grant(people, "nurse", (0, 100 * DAY)).await;
        let one = notice(db, ana, (45, 14), 45 * DAY).await;
        assert_eq!(find_dormancy(&mut db.read().await, ana).await.unwrap(), Some(one.clone()));
        assert_eq!(list_dormancies(&mut db.read().await, None).await.unwrap(), std::slice::from_ref(&one));
        let twice = insert_dormancy(&mut db.begin().await, &Dormancy { id: db.id(), ..one.clone() }).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
        for (second, expected) in [(45 * DAY, true), (59 * DAY - 1, true), (59 * DAY, false), (99 * DAY, false)] {
            assert_eq!(held(db, ana, second).await, [expected; 3], "{second}");
        }
        // Another connection, as after a restart, sees it alike.
        let other = db.second_store().await;
        let found = suspensions(&mut other.begin_read().await.unwrap(), ana, at(60 * DAY)).await.unwrap();
        assert!(found.iter().any(|one| one.contains(at(60 * DAY))));
        let own = Dormancy { state: DormancyState::Restored { at: at(60 * DAY), by: ana }, ..one.clone() };
        assert!(matches!(close(db, &own).await, Err(StoreError::Refused(_))), "nobody brings himself back");
        let used = Dormancy { state: DormancyState::Used { at: at(60 * DAY) }, ..one.clone() };
        assert!(matches!(close(db, &used).await, Err(StoreError::Refused(_))), "use does not bring it back");
        let early = Dormancy { state: DormancyState::Restored { at: at(50 * DAY), by: manager }, ..one.clone() };
        assert!(matches!(close(db, &early).await, Err(StoreError::Refused(_))));
        let restored = one.clone().restored(manager, true, at(61 * DAY)).unwrap();
        close(db, &restored).await.unwrap();
        assert!(matches!(close(db, &restored).await, Err(StoreError::RowsAffected { .. })), "once");
        // The past stays as it was.
        for (second, expected) in [(58 * DAY, true), (60 * DAY, false), (61 * DAY, true)] {
            let [cached, holders, then] = held(db, ana, second).await;
            assert_eq!([holders, then], [expected; 2], "{second}");
            assert!(cached == expected || second < 61 * DAY);
        }
        assert!(db.raw("UPDATE dormancy SET closed_at = NULL, outcome = NULL, closed_by = NULL").await.is_err());
        assert!(db.raw("DELETE FROM dormancy").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_idle_account_that_is_used_in_its_notice_is_found_and_stays() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let ana = people[0];
        db.grant(people, "nurse", (0, 100 * DAY)).await;
        let one = notice(db, ana, (45, 14), 45 * DAY).await;
        assert_eq!(used_dormancies(&mut db.read().await).await.unwrap(), []);
        db.store.note_use(&[(ana, at(59 * DAY))]).await.unwrap();
        assert_eq!(used_dormancies(&mut db.read().await).await.unwrap(), [], "too late: it was disabled");
        let eve = people[1];
        let other = notice(db, eve, (45, 14), 45 * DAY).await;
        db.store.note_use(&[(eve, at(58 * DAY))]).await.unwrap();
        let found = used_dormancies(&mut db.read().await).await.unwrap();
        assert_eq!(found, [(other.clone(), at(58 * DAY))]);
        close(db, &other.used(at(58 * DAY)).unwrap()).await.unwrap();
        assert!(suspensions(&mut db.read().await, eve, at(70 * DAY)).await.unwrap().is_empty());
        close(db, &one.closed_by_leaving(eve, at(60 * DAY))).await.unwrap();
    })
    .await;
}

pub fn account(person: Id<Person>, owner: Option<Id<Person>>) -> Account {
    Account {
        person,
        kind: AccountKind::Service,
        owner,
        purpose: Phi::new("canary-purpose-11aa".to_owned()),
        scopes: vec!["scruple.evaluate".to_owned(), "fhir".to_owned()],
        rotate_by: at(90 * DAY),
        review_days: 30,
        reviewed_at: at(0),
        ends_at: at(50 * DAY),
        version: 1,
    }
}

#[tokio::test]
async fn what_is_registered_of_a_system_reads_back_sealed_and_goes_on_version_by_version() {
    with_db(ENGINE, async |db| {
        let [system, owner, other] = db.three().await;
        let one = account(system, Some(owner));
        let mut tx = db.begin().await;
        insert_account(&mut tx, &one).await.unwrap();
        db.commit(tx, Subject::Person(system)).await.unwrap();
        assert_eq!(find_account(&mut db.read().await, system).await.unwrap(), Some(one.clone()));
        assert!(!db.holds(b"canary-purpose-11aa").await);
        let twice = insert_account(&mut db.begin().await, &one).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
        let own = update_account(&mut db.begin().await, &Account { owner: Some(system), ..one.clone() }).await;
        assert!(matches!(own, Err(StoreError::Refused(_))), "{own:?}");
        let mut tx = db.begin().await;
        update_account(&mut tx, &Account { owner: Some(other), ..one.clone() }).await.unwrap();
        db.commit(tx, Subject::Person(system)).await.unwrap();
        let late = update_account(&mut db.begin().await, &one).await;
        assert!(matches!(late, Err(StoreError::RowsAffected { .. })), "{late:?}");
        assert_eq!(list_accounts_owned(&mut db.read().await, owner).await.unwrap(), []);
        assert_eq!(list_accounts_owned(&mut db.read().await, other).await.unwrap()[0].version, 2);
        assert!(db.raw("UPDATE account SET reviewed_at = reviewed_at - 1, version = version + 1").await.is_err());
        assert!(db.raw("DELETE FROM account").await.is_err());
    })
    .await;
}

/// Whether a system may obtain something at an instant.
async fn obtains(db: &TestDb, system: Id<Person>, second: i64) -> bool {
    let found = suspensions(&mut db.read().await, system, at(second)).await.unwrap();
    !found.iter().any(|one| one.contains(at(second)))
}

async fn leaves(db: &TestDb, person: Id<Person>, when: Timestamp) {
    let mut tx = db.begin().await;
    mark_person_left(&mut tx, person, 1, when).await.unwrap();
    db.commit(tx, Subject::Person(person)).await.unwrap();
}

#[tokio::test]
async fn a_system_without_an_owner_who_is_here_obtains_nothing() {
    with_db(ENGINE, async |db| {
        let [told, owner, human] = db.three().await;
        let tell = async |person, manager, employment| {
            let attributes = Attributes { manager, employment: Some(employment), ..Attributes::default() };
            let new = NewDirectoryRecord { person, attributes, document: Phi::new(b"{}".to_vec()), at: at(0) };
            let mut tx = db.begin().await;
            insert_directory(&mut tx, &new).await.unwrap();
            db.commit(tx, Subject::Person(person)).await.unwrap();
        };
        tell(human, None, Employment::Employee).await;
        assert!(obtains(db, human, 10).await, "a human has no owner");
        let nobody_s = db.person("feed").await;
        tell(nobody_s, None, Employment::Service).await;
        assert!(!obtains(db, nobody_s, 10).await);
        tell(told, Some(owner), Employment::Service).await;
        assert!(obtains(db, told, 10).await, "the manager whom the directory names answers for it");
        let system = find_system(&mut db.read().await, told).await.unwrap().unwrap();
        assert_eq!((system.kind, system.is_registered, system.owner), (AccountKind::Service, false, Some(owner)));
        // What is registered says who answers for it, and until when it is needed.
        let mut tx = db.begin().await;
        insert_account(&mut tx, &account(told, Some(human))).await.unwrap();
        db.commit(tx, Subject::Person(told)).await.unwrap();
        leaves(db, owner, at(20)).await;
        assert!(obtains(db, told, 30).await);
        assert!(!obtains(db, told, 50 * DAY).await, "its end has come");
        leaves(db, human, at(40)).await;
        assert!(!obtains(db, told, 40).await);
        assert!(!account_suspensions(&mut db.read().await, told, at(40)).await.unwrap().is_empty());
        let mut tx = db.begin().await;
        assert_eq!(pass_reports_on(&mut tx, owner, nobody_s, at(45)).await.unwrap(), 1);
        db.commit(tx, Subject::Person(told)).await.unwrap();
        let listed = list_systems(&mut db.read().await, at(50), None).await.unwrap();
        let mut owned: Vec<_> = listed.iter().map(|one| (one.person, one.has_owner(at(50)))).collect();
        owned.sort();
        let mut expected = vec![(told, false), (nobody_s, false)];
        expected.sort();
        assert_eq!(owned, expected);
        let mut tx = db.begin().await;
        update_account(&mut tx, &Account { owner: None, ..account(told, None) }).await.unwrap();
        db.commit(tx, Subject::Person(told)).await.unwrap();
        assert!(!obtains(db, told, 30).await);
    })
    .await;
}

/// Who acts as a system, and is not registered as one, obtains nothing thirty days after he was given the role.
#[tokio::test]
async fn a_system_that_is_not_registered_obtains_nothing_after_its_grace() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [bare, human, owner] = people;
        db.grant(people, "service_account", (0, 400 * DAY)).await;
        db.grant([human, bare, owner], "nurse", (0, 400 * DAY)).await;
        let last = 30 * DAY - 1;
        assert!(obtains(db, bare, last).await);
        assert!(!obtains(db, bare, last + 1).await);
        assert!(obtains(db, human, last + 1).await, "who is no system is not asked");
        let mut tx = db.begin().await;
        insert_account(&mut tx, &account(bare, Some(owner))).await.unwrap();
        db.commit(tx, Subject::Person(bare)).await.unwrap();
        assert!(obtains(db, bare, last + 1).await, "until its registered end");
    })
    .await;
}
