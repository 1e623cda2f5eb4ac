use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_store::limits::CREDENTIALS_MAX;
use scruple_store::{
    Credential, CredentialKind, NewCredential, NewSession, Person, Session, StoreError, Subject,
    clear_sign_in_failures, close_enrolments, confirm_session, count_sign_in_failure, end_session, end_sessions_of,
    find_enrolment, find_session, insert_credential, insert_enrolment, insert_session, inviters, list_credentials,
    mark_person_left, open_sessions, persons_at_two_places, remove_credential, sign_in_failures, update_credential,
    use_enrolment,
};

async fn credential(
    db: &TestDb,
    person: Id<Person>,
    kind: CredentialKind,
    lookup: &[u8],
) -> Result<Id<Credential>, StoreError> {
    let id = db.id();
    let mut tx = db.begin().await;
    let new = NewCredential { id, person, kind, lookup, secret: b"canary secret of a credential", at: at(0) };
    insert_credential(&mut tx, &new).await?;
    db.commit(tx, Subject::Person(person)).await.map(|_| id)
}

async fn session(db: &TestDb, person: Id<Person>, number: u8) -> Result<Id<Session>, StoreError> {
    let id = db.id();
    let mut tx = db.begin().await;
    let (device, method) = ("shared", "passkey");
    let new = NewSession { id, person, token_hash: [number; 32], device, method, device_id: None, at: at(0) };
    insert_session(&mut tx, &new).await?;
    db.commit(tx, Subject::Person(person)).await.map(|_| id)
}

#[tokio::test]
async fn who_uses_two_shared_workstations_at_one_time_is_found_and_who_walks_from_one_to_the_other_is_not() {
    with_db(ENGINE, async |db| {
        let [twice, walks, alone] = db.three().await;
        let own = db.person("own").await;
        let open = async |person, device, number, second| {
            let id = db.id();
            let mut tx = db.begin().await;
            let token_hash = [number; 32];
            let new = NewSession { id, person, token_hash, device, method: "totp", device_id: None, at: at(second) };
            insert_session(&mut tx, &new).await.unwrap();
            db.commit(tx, Subject::Person(person)).await.unwrap();
            id
        };
        let used = async |id, second| db.store.touch_session(id, at(second)).await.unwrap();
        let (first, second) = (open(twice, "shared", 1, 0).await, open(twice, "shared", 2, 100).await);
        used(second, 150).await;
        let found = async |since| persons_at_two_places(&mut db.read().await, at(since), None).await.unwrap();
        assert_eq!(found(0).await, []);
        used(first, 161).await;
        assert_eq!(found(0).await, [twice]);
        assert_eq!(persons_at_two_places(&mut db.read().await, at(0), Some(twice)).await.unwrap(), []);
        assert_eq!(found(161).await, [], "that is too long ago");
        // Left behind within a minute; one place after the other; a telephone in the hand.
        let (left, next) = (open(walks, "shared", 3, 0).await, open(walks, "shared", 4, 100).await);
        used(left, 160).await;
        used(next, 900).await;
        used(open(alone, "shared", 5, 0).await, 900).await;
        let (desk, phone) = (open(own, "shared", 6, 0).await, open(own, "phone", 7, 10).await);
        used(desk, 900).await;
        used(phone, 900).await;
        assert_eq!(found(0).await, [twice]);
    })
    .await;
}

#[tokio::test]
async fn a_link_to_enrol_is_used_once_and_in_time() {
    with_db(ENGINE, async |db| {
        let person = db.person("ana").await;
        let id = db.id();
        let mut tx = db.begin().await;
        insert_enrolment(&mut tx, id, (person, person), [7; 32], (at(0), at(100))).await.unwrap();
        db.commit(tx, Subject::Person(person)).await.unwrap();
        let found = async |hash, second| find_enrolment(&mut db.read().await, hash, at(second)).await.unwrap();
        assert_eq!(found([7; 32], 99).await, Some((id, person, at(100))));
        assert_eq!(found([7; 32], 100).await, None);
        assert_eq!(found([8; 32], 0).await, None);
        let used = async |second| {
            let mut tx = db.begin().await;
            use_enrolment(&mut tx, id, at(second)).await?;
            db.commit(tx, Subject::Person(person)).await.map(drop)
        };
        assert!(matches!(used(100).await, Err(StoreError::RowsAffected { .. })));
        used(50).await.unwrap();
        assert!(matches!(used(51).await, Err(StoreError::RowsAffected { .. })));
        assert_eq!(found([7; 32], 60).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_link_that_was_taken_back_is_over_and_who_made_the_used_one_is_known() {
    with_db(ENGINE, async |db| {
        let (person, ben, eva) = (db.person("ana").await, db.person("ben").await, db.person("eva").await);
        let mut tx = db.begin().await;
        let ids = [db.id(), db.id(), db.id()];
        for (id, by, hash) in [(ids[0], ben, [1; 32]), (ids[1], eva, [2; 32]), (ids[2], person, [3; 32])] {
            insert_enrolment(&mut tx, id, (person, by), hash, (at(0), at(100))).await.unwrap();
        }
        use_enrolment(&mut tx, ids[0], at(10)).await.unwrap();
        assert_eq!(close_enrolments(&mut tx, person, at(20)).await.unwrap(), 2);
        assert_eq!(close_enrolments(&mut tx, person, at(21)).await.unwrap(), 0);
        assert_eq!(find_enrolment(&mut tx, [2; 32], at(22)).await.unwrap(), None);
        assert!(matches!(use_enrolment(&mut tx, ids[1], at(22)).await, Err(StoreError::RowsAffected { .. })));
        // What was not used lets nobody in, so whoever made it vouched for nothing.
        assert_eq!(inviters(&mut tx, person).await.unwrap(), [ben]);
        db.commit(tx, Subject::Person(person)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_credential_is_one_person_s_and_a_step_is_not_used_again() {
    with_db(ENGINE, async |db| {
        let (ana, bob) = (db.person("ana").await, db.person("bob").await);
        let id = credential(db, ana, CredentialKind::Totp, b"one").await.unwrap();
        let taken = credential(db, bob, CredentialKind::Passkey, b"one").await;
        assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
        credential(db, ana, CredentialKind::Passkey, b"two").await.unwrap();
        let list = async |person| list_credentials(&mut db.read().await, person).await.unwrap();
        let mut found = list(ana).await;
        found.sort_by_key(|credential| credential.id != id);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].id, found[0].kind, found[0].last_step), (id, CredentialKind::Totp, None));
        assert_eq!(found[0].secret.expose(), b"canary secret of a credential");
        let update = async |credential: &Credential| {
            let mut tx = db.begin().await;
            update_credential(&mut tx, credential).await?;
            db.commit(tx, Subject::Person(ana)).await.map(drop)
        };
        let used = Credential { last_step: Some(9), secret: Phi::new(b"another".to_vec()), ..found[0].clone() };
        update(&used).await.unwrap();
        // Two who use it at one time: the second one's version is old.
        assert!(matches!(update(&used).await, Err(StoreError::RowsAffected { .. })));
        let back = Credential { last_step: Some(8), version: 2, ..used };
        assert!(matches!(update(&back).await, Err(StoreError::Refused(_))));
        let mut tx = db.begin().await;
        remove_credential(&mut tx, id, 2, at(9)).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert_eq!(list(ana).await.len(), 1);
        let mut tx = db.begin().await;
        assert!(matches!(remove_credential(&mut tx, id, 3, at(9)).await, Err(StoreError::RowsAffected { .. })));
        drop(tx);
        assert!(db.raw("DELETE FROM credential").await.is_err());
        assert!(!db.holds(b"canary secret").await);
        let stranger = credential(db, db.id(), CredentialKind::Totp, b"three").await;
        assert!(matches!(stranger, Err(StoreError::RowsAffected { table: "person", .. })));
        for number in 1..=CREDENTIALS_MAX {
            credential(db, ana, CredentialKind::Recovery, &number.to_be_bytes()).await.unwrap();
        }
        let many = list_credentials(&mut db.read().await, ana).await;
        assert!(matches!(many, Err(StoreError::Limit { .. })), "{many:?}");
    })
    .await;
}

#[tokio::test]
async fn a_session_goes_forward_and_ends_once() {
    with_db(ENGINE, async |db| {
        let (ana, bob) = (db.person("ana").await, db.person("bob").await);
        let first = session(db, ana, 1).await.unwrap();
        let second = session(db, ana, 2).await.unwrap();
        session(db, bob, 3).await.unwrap();
        let find = async |number| find_session(&mut db.read().await, [number; 32]).await.unwrap();
        assert_eq!(find(9).await, None);
        assert_eq!(find(1).await.map(|session| (session.id, session.person)), Some((first, ana)));
        db.store.touch_session(first, at(20)).await.unwrap();
        db.store.touch_session(first, at(10)).await.unwrap();
        assert_eq!(find(1).await.unwrap().seen_at, at(20));
        let mut tx = db.begin().await;
        confirm_session(&mut tx, first, at(30)).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        let found = find(1).await.unwrap();
        assert_eq!((found.authenticated_at, found.seen_at), (at(30), at(30)));
        let open = async || -> Vec<Id<Session>> {
            let open = open_sessions(&mut db.read().await, ana).await.unwrap();
            open.iter().map(|session| session.id).collect()
        };
        let both = open().await;
        assert!(both.len() == 2 && both.contains(&first) && both.contains(&second));
        let mut tx = db.begin().await;
        end_session(&mut tx, first, bob, "ended_by_other", at(40)).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert_eq!(find(1).await.unwrap().ended_at, Some(at(40)));
        db.store.touch_session(first, at(50)).await.unwrap();
        assert_eq!(find(1).await.unwrap().seen_at, at(30));
        let mut tx = db.begin().await;
        let again = end_session(&mut tx, first, ana, "signed_out", at(50)).await;
        assert!(matches!(again, Err(StoreError::RowsAffected { .. })));
        drop(tx);
        let third = session(db, ana, 4).await.unwrap();
        let mut tx = db.begin().await;
        assert_eq!(end_sessions_of(&mut tx, ana, Some(third), bob, ("revoked", at(60))).await.unwrap(), 1);
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert_eq!(open().await, [third]);
        assert_eq!(find(3).await.unwrap().ended_at, None);
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, bob, 1, at(60)).await.unwrap();
        db.commit(tx, Subject::Person(bob)).await.unwrap();
        let gone = session(db, bob, 5).await;
        assert!(matches!(gone, Err(StoreError::RowsAffected { table: "person", .. })));
        assert!(db.raw("DELETE FROM session").await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_remembers_is_taken_once() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let id = db.id();
        db.store.begin_ceremony(id, "sign_in", Some(ana), b"canary challenge", (at(0), at(300))).await.unwrap();
        assert!(!db.holds(b"canary challenge").await);
        assert_eq!(db.store.take_ceremony(id, "register", at(1)).await.unwrap(), None);
        assert_eq!(db.store.take_ceremony(id, "sign_in", at(300)).await.unwrap(), None);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let store = db.second_store().await;
            tasks.spawn(async move { store.take_ceremony(id, "sign_in", at(299)).await.unwrap() });
        }
        let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].person, taken[0].state.expose().as_slice()), (Some(ana), &b"canary challenge"[..]));
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_for_a_while_and_in_a_row() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let fail = async |since, second| {
            let mut tx = db.begin().await;
            count_sign_in_failure(&mut tx, ana, at(since), at(second)).await.unwrap();
            db.commit(tx, Subject::Person(ana)).await.unwrap();
        };
        let failures = async |since| {
            let failed = sign_in_failures(&mut db.read().await, ana, at(since)).await.unwrap();
            (failed.lately, failed.in_a_row)
        };
        assert_eq!(failures(-900).await, (0, 0));
        fail(-900, 0).await;
        fail(-800, 100).await;
        assert_eq!((failures(-800).await, failures(0).await), ((2, 2), (0, 2)));
        fail(100, 1_000).await;
        assert_eq!(failures(100).await, (1, 3));
        let mut tx = db.begin().await;
        clear_sign_in_failures(&mut tx, ana).await.unwrap();
        db.commit(tx, Subject::Person(ana)).await.unwrap();
        assert_eq!(failures(-900).await, (0, 0));
    })
    .await;
}
