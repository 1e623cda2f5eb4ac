//! Connected systems: what was read of each, what of it nobody holds here, and drift, which SQL lets go one way alone.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::connected::{
    ConnectedSystem, ConnectorKind, Drift, DriftCause, DriftKind, DriftState, ReadFailure, RemovalFailure,
    RightMeaning, SystemRight, There,
};
use scruple_store::{
    DriftFilter, Person, StoreError, Subject, Subjects, SystemHolding, delete_holding, due_removals,
    find_connected_system, find_drift, find_holding, find_open_drift, find_system_right, insert_connected_system,
    insert_drift, insert_holding, insert_system_right, list_connected_systems, list_drift, list_holdings,
    list_holdings_of, list_system_rights, mark_person_left, missing_holdings, note_reading, unbacked_holdings,
    undecided_rights, update_connected_system, update_drift, update_system_right,
};
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

fn there(reference: &str, name: &str) -> Phi<There> {
    Phi::new(There { reference: reference.to_owned(), name: name.to_owned() })
}

async fn system(db: &TestDb, owner: Id<Person>) -> ConnectedSystem {
    let system = ConnectedSystem {
        id: db.id(),
        code: "warehouse".parse().unwrap(),
        kind: ConnectorKind::Scim,
        owner,
        removes_drift: false,
        set_by: owner,
        set_at: at(0),
        wanted_at: None,
        looked_at: None,
        read_at: None,
        failure: None,
        version: 1,
    };
    let mut tx = db.begin().await;
    insert_connected_system(&mut tx, &system).await.unwrap();
    db.commit(tx, Subjects::none()).await.unwrap();
    system
}

async fn right(db: &TestDb, system: &ConnectedSystem, reference: &str) -> SystemRight {
    let there = there(reference, &format!("canary-right {reference}"));
    let right = SystemRight { id: db.id(), system: system.id, there, meaning: RightMeaning::Undecided, version: 1 };
    let mut tx = db.begin().await;
    insert_system_right(&mut tx, &right).await.unwrap();
    db.commit(tx, Subjects::none()).await.unwrap();
    right
}

async fn decided(db: &TestDb, right: SystemRight, role: &str, by: Id<Person>) -> SystemRight {
    let meaning = RightMeaning::Role { role: role.parse().unwrap(), by, at: at(1) };
    let right = SystemRight { meaning, ..right };
    let mut tx = db.begin().await;
    update_system_right(&mut tx, &right).await.unwrap();
    db.commit(tx, Subjects::none()).await.unwrap();
    SystemRight { version: right.version + 1, ..right }
}

async fn holds(
    db: &TestDb,
    system: &ConnectedSystem,
    (reference, person): (&str, Option<Id<Person>>),
    right: Option<&SystemRight>,
) -> SystemHolding {
    let account = there(reference, &format!("canary-account {reference}"));
    let right = right.map(|right| right.id);
    let holding = SystemHolding { id: db.id(), system: system.id, account, person, right, read_at: at(2) };
    let mut tx = db.begin().await;
    insert_holding(&mut tx, &holding).await.unwrap();
    db.commit(tx, Subjects::none()).await.unwrap();
    holding
}

#[tokio::test]
async fn a_system_reads_back_is_taken_by_one_worker_and_never_goes_back_behind_a_whole_reading() {
    with_db(ENGINE, async |db| {
        let owner = db.person("owner").await;
        let one = system(db, owner).await;
        let again =
            insert_connected_system(&mut db.begin().await, &ConnectedSystem { id: db.id(), ..one.clone() }).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        let read = async || find_connected_system(&mut db.read().await, one.id).await.unwrap().unwrap();
        assert_eq!(read().await, one);
        assert_eq!(list_connected_systems(&mut db.read().await, None).await.unwrap(), std::slice::from_ref(&one));
        assert_eq!(list_connected_systems(&mut db.read().await, Some(one.id)).await.unwrap(), []);
        let note = async |second: i64, failure: Option<ReadFailure>| {
            let mut tx = db.begin().await;
            let read = failure.map_or(Ok(at(second)), Err);
            note_reading(&mut tx, one.id, at(second.max(30)), read).await?;
            db.commit(tx, Subjects::none()).await
        };
        note(10, Some(ReadFailure::Busy)).await.unwrap();
        let failed = read().await;
        assert_eq!((failed.looked_at, failed.read_at, failed.failure), (Some(at(30)), None, Some(ReadFailure::Busy)));
        note(20, None).await.unwrap();
        note(30, Some(ReadFailure::Timeout)).await.unwrap();
        let whole = read().await;
        assert_eq!(
            (whole.looked_at, whole.read_at, whole.failure),
            (Some(at(30)), Some(at(20)), Some(ReadFailure::Timeout)),
            "a reading that failed changes nothing of the one before"
        );
        let late = note(15, None).await;
        assert!(matches!(late, Err(StoreError::RowsAffected { .. })), "{late:?}");
        db.store.note_look(one.id, at(35), at(20)).await.unwrap();
        let same = read().await;
        assert_eq!((same.looked_at, same.read_at, same.failure), (Some(at(35)), Some(at(20)), None));
        assert_eq!(read().await.version, 1, "readings are no decisions");

        let other = db.person("other").await;
        let changed = ConnectedSystem { owner: other, removes_drift: true, wanted_at: Some(at(40)), ..read().await };
        let put = async |system: &ConnectedSystem| {
            let mut tx = db.begin().await;
            update_connected_system(&mut tx, system).await?;
            db.commit(tx, Subjects::none()).await
        };
        put(&changed).await.unwrap();
        assert!(matches!(put(&changed).await, Err(StoreError::RowsAffected { .. })), "the version is another");
        assert_eq!(read().await, ConnectedSystem { version: 2, ..changed });

        assert!(db.store.claim_system(one.id, at(50), at(60)).await.unwrap());
        assert!(!db.store.claim_system(one.id, at(59), at(70)).await.unwrap(), "one worker at a time");
        db.store.release_system(one.id, at(61)).await.unwrap();
        assert!(
            !db.store.claim_system(one.id, at(59), at(70)).await.unwrap(),
            "somebody else's claim is not given back"
        );
        db.store.release_system(one.id, at(60)).await.unwrap();
        assert!(db.store.claim_system(one.id, at(59), at(70)).await.unwrap());
        assert!(
            db.store.claim_system(one.id, at(70), at(80)).await.unwrap(),
            "a worker that died holds nothing for ever"
        );
        for sql in [
            "DELETE FROM connected_system",
            "UPDATE connected_system SET read_at = NULL",
            "UPDATE connected_system SET read_at = read_at - 1",
            "UPDATE connected_system SET removes_drift = 0",
            "UPDATE connected_system SET code = 'x', version = version + 1",
        ] {
            assert!(db.raw(sql).await.is_err(), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_system_grants_and_nobody_holds_here_is_found_and_what_ended_here_is_told_apart() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [nurse, asker, approver] = people;
        let (left, never) = (db.person("left").await, db.person("never").await);
        db.grant(people, "nurse", (0, 10 * DAY)).await;
        db.grant([left, asker, approver], "nurse", (0, 400 * DAY)).await;
        let one = system(db, asker).await;
        let mut rights = [right(db, &one, "g1").await, right(db, &one, "g2").await];
        rights.sort_by_key(|right| right.id);
        let [mapped, second] = rights;
        let mapped = decided(db, mapped, "nurse", asker).await;
        let second = decided(db, second, "nurse", asker).await;
        let undecided = right(db, &one, "g3").await;
        assert_eq!(find_system_right(&mut db.read().await, mapped.id).await.unwrap().unwrap(), mapped);
        assert!(matches!(
            update_system_right(&mut db.begin().await, &SystemRight { version: 1, ..mapped.clone() }).await,
            Err(StoreError::RowsAffected { .. })
        ));
        let listed = list_system_rights(&mut db.read().await, one.id, None).await.unwrap();
        let mut expected = [mapped.clone(), second.clone(), undecided.clone()];
        expected.sort_by_key(|right| right.id);
        assert_eq!(listed, expected);
        let twice = insert_system_right(&mut db.begin().await, &SystemRight { id: db.id(), ..undecided.clone() }).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");

        assert_eq!(undecided_rights(&mut db.read().await, one.id, None).await.unwrap(), [], "nobody has it");

        let backed = [
            holds(db, &one, ("a1", Some(nurse)), None).await,
            holds(db, &one, ("a1", Some(nurse)), Some(&mapped)).await,
            holds(db, &one, ("a1", Some(nurse)), Some(&undecided)).await,
        ];
        let drifted = [
            holds(db, &one, ("a2", Some(never)), Some(&mapped)).await,
            holds(db, &one, ("a3", None), None).await,
            holds(db, &one, ("a3", None), Some(&mapped)).await,
        ];
        holds(db, &one, ("a3", None), Some(&undecided)).await;
        let leavers = [
            holds(db, &one, ("a4", Some(left)), None).await,
            holds(db, &one, ("a4", Some(left)), Some(&mapped)).await,
            holds(db, &one, ("a4", Some(left)), Some(&undecided)).await,
        ];
        assert_eq!(undecided_rights(&mut db.read().await, one.id, None).await.unwrap(), [undecided.id]);
        let found = async |second: i64| {
            let found = unbacked_holdings(&mut db.read().await, one.id, at(second), None).await.unwrap();
            found.into_iter().map(|one| (one.holding.id, one.has_ended)).collect::<BTreeSet<_>>()
        };
        let plain: Vec<_> = drifted.iter().map(|one| (one.id, false)).collect();
        assert_eq!(found(DAY).await, plain.iter().copied().collect());
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, left, 1, at(2 * DAY)).await.unwrap();
        db.commit(tx, Subject::Person(left)).await.unwrap();
        let gone: Vec<_> = leavers.iter().map(|one| (one.id, true)).collect();
        let all: BTreeSet<_> = plain.into_iter().chain(gone).collect();
        assert_eq!(found(3 * DAY).await, all, "a leaver has nothing, whatever it stands for");
        let all: BTreeSet<_> = all.into_iter().chain([(backed[1].id, true)]).collect();
        assert_eq!(found(10 * DAY).await, all, "and who had the role has it until its end");
        let last = all.iter().nth_back(1).unwrap().0;
        let after = unbacked_holdings(&mut db.read().await, one.id, at(10 * DAY), Some(last)).await.unwrap();
        assert_eq!(after.len(), 1);

        let missing = async |second: i64| missing_holdings(&mut db.read().await, one.id, at(second), None).await.unwrap();
        assert_eq!(missing(DAY).await, [], "one of the rights of the role is enough");
        let mut tx = db.begin().await;
        delete_holding(&mut tx, backed[1].id).await.unwrap();
        db.commit(tx, Subjects::none()).await.unwrap();
        let lacks = missing(DAY).await;
        assert_eq!(lacks, [SystemHolding { right: Some(mapped.id), ..backed[0].clone() }]);
        let next = missing_holdings(&mut db.read().await, one.id, at(DAY), Some((lacks[0].id, mapped.id))).await.unwrap();
        assert_eq!(next, []);
        assert_eq!(missing(10 * DAY).await, [], "he does not hold it any more");

        assert_eq!(list_holdings(&mut db.read().await, one.id, None).await.unwrap().len(), 9);
        let mut his = leavers.to_vec();
        his.sort_by_key(|one| one.id);
        assert_eq!(list_holdings_of(&mut db.read().await, left).await.unwrap(), his);
        let find = async |name: &str, right: Option<&SystemRight>| {
            let account = There { reference: name.to_owned(), name: String::new() };
            let right = right.map(|right| right.id);
            find_holding(&mut db.read().await, one.id, &account, right).await.unwrap().map(|one| one.id)
        };
        assert_eq!(find("a1", None).await, Some(backed[0].id));
        assert_eq!(find("a1", Some(&undecided)).await, Some(backed[2].id));
        assert_eq!(find("a1", Some(&second)).await, None);
        assert_eq!(find("a2", None).await, None, "an account that cannot be used has rights, and no row of its own");
        for again in [&backed[0], &leavers[2]] {
            let twice = insert_holding(&mut db.begin().await, &SystemHolding { id: db.id(), ..again.clone() }).await;
            assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
        }
        assert!(!db.holds(b"canary-account").await);
        assert!(!db.holds(b"canary-right").await);
        assert!(db.raw("DELETE FROM system_right").await.is_err());
        assert!(db.raw("UPDATE system_right SET meaning = 'undecided', role = NULL, decided_by = NULL, decided_at = NULL, version = version + 1 WHERE meaning = 'role'").await.is_err());
    })
    .await;
}

fn drift(db: &TestDb, system: &ConnectedSystem, right: &SystemRight, person: Id<Person>) -> Drift {
    Drift {
        id: db.id(),
        system: system.id,
        kind: DriftKind::Extra,
        cause: DriftCause::Drift,
        account: Some(there("a1", "canary-name")),
        person: Some(person),
        right: Some(right.id),
        opened_at: at(10),
        state: DriftState::Open,
        version: 1,
    }
}

async fn put(db: &TestDb, one: &Drift) -> Result<Drift, StoreError> {
    let mut tx = db.begin().await;
    update_drift(&mut tx, one).await?;
    db.commit(tx, Subjects::none()).await?;
    let found = find_drift(&mut db.read().await, one.id).await?.unwrap();
    assert_eq!(found, Drift { version: one.version + 1, ..one.clone() });
    Ok(found)
}

#[tokio::test]
async fn drift_reads_back_in_every_state_and_is_confirmed_by_a_later_reading_alone() {
    with_db(ENGINE, async |db| {
        let [person, other, third] = db.three().await;
        let one = system(db, other).await;
        let right = right(db, &one, "g1").await;
        let open = drift(db, &one, &right, person);
        let insert = async |drift: &Drift| {
            let mut tx = db.begin().await;
            insert_drift(&mut tx, drift).await?;
            db.commit(tx, Subjects::none()).await
        };
        insert(&open).await.unwrap();
        assert_eq!(find_drift(&mut db.read().await, open.id).await.unwrap().unwrap(), open);
        let account = open.account.as_ref().map(|there| there.expose());
        let about = (account, open.right);
        let same = find_open_drift(&mut db.read().await, open.system, open.kind, about).await.unwrap();
        assert_eq!(same.as_ref(), Some(&open));
        let twice = insert(&Drift { id: db.id(), ..open.clone() }).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "one of a kind at a time: {twice:?}");

        let why = "canary-reason: the vendor migrates until May";
        let own = DriftState::Excepted { by: person, at: at(20), reason: Phi::new(why.to_owned()), until: at(100) };
        let own = put(db, &Drift { state: own, ..open.clone() }).await;
        assert!(matches!(own, Err(StoreError::Refused(_))), "{own:?}");
        let excepted = put(db, &open.clone().excepted(other, why, at(100), at(20)).unwrap()).await.unwrap();
        let stale = update_drift(&mut db.begin().await, &open).await;
        assert!(matches!(stale, Err(StoreError::RowsAffected { .. })), "{stale:?}");
        let again = put(db, &excepted.reopened(at(100)).unwrap()).await.unwrap();
        let asked = put(db, &again.asked(Some(third), DriftCause::Ended, at(110)).unwrap()).await.unwrap();
        let back = Drift { cause: DriftCause::Drift, ..asked.clone() };
        assert!(matches!(put(db, &back).await, Err(StoreError::Refused(_))), "what has ended is no drift again");
        let due = async |second: i64| {
            let due = due_removals(&mut db.read().await, one.id, at(second)).await.unwrap();
            due.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(due(109).await, []);
        assert_eq!(due(110).await, [asked.id]);
        let tried = put(db, &asked.clone().tried(Some(RemovalFailure::Busy), None, at(120)).unwrap()).await.unwrap();
        assert_eq!((due(179).await, due(180).await), (vec![], vec![tried.id]));
        // Somebody who writes past the machine: what was read before it was tried confirms nothing.
        let removal = *tried.removal().unwrap();
        let early = DriftState::Confirmed { removal, read_at: at(119), at: at(130) };
        assert!(matches!(put(db, &Drift { state: early, ..tried.clone() }).await, Err(StoreError::Refused(_))));
        let unread = "UPDATE drift SET state = 'confirmed', closed_at = 9999999999999999, version = version + 1";
        assert!(db.raw(unread).await.is_err());
        let confirmed = put(db, &tried.gone(at(121), at(122)).unwrap()).await.unwrap();
        assert_eq!(due(1_000).await, []);
        let more = Drift { state: DriftState::Open, ..confirmed.clone() };
        assert!(matches!(put(db, &more).await, Err(StoreError::RowsAffected { .. })), "it is over");
        for sql in ["DELETE FROM drift", "UPDATE drift SET version = version + 1"] {
            assert!(db.raw(sql).await.is_err(), "{sql}");
        }

        // The same again is drift anew, and one that the rule asks for begins so.
        let anew = Drift { cause: DriftCause::Ended, ..drift(db, &one, &right, person) };
        let anew = anew.asked(None, DriftCause::Ended, at(200)).unwrap();
        insert(&anew).await.unwrap();
        let orphan = Drift {
            id: db.id(),
            kind: DriftKind::Orphan,
            right: None,
            person: None,
            ..drift(db, &one, &right, person)
        };
        insert(&orphan).await.unwrap();
        let closed = put(db, &orphan.right(at(210)).unwrap()).await.unwrap();
        let list = async |filter| {
            let found = list_drift(&mut db.read().await, filter, None).await.unwrap();
            found.into_iter().map(|one| one.id).collect::<BTreeSet<_>>()
        };
        assert_eq!(list(DriftFilter::open_in(one.id)).await, [anew.id].into());
        assert_eq!(list(DriftFilter::ever_of(person)).await, [confirmed.id, anew.id].into());
        let all = DriftFilter { with_over: true, ..DriftFilter::default() };
        let three: BTreeSet<_> = [confirmed.id, anew.id, closed.id].into();
        assert_eq!(list(all).await, three);
        let last = three.iter().nth_back(1).copied();
        assert_eq!(list_drift(&mut db.read().await, all, last).await.unwrap().len(), 1);
        for text in ["canary-name", "canary-reason"] {
            assert!(!db.holds(text.as_bytes()).await, "{text}");
        }
    })
    .await;
}
