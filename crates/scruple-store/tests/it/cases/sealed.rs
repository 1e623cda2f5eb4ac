//! No PHI aside: canary values are nowhere in the database, and in no error.

use super::ENGINE;
use crate::support::{AesSealer, at, chain, with_db};
use scruple_core::{Id, Phi};
use scruple_store::{
    GrantRequest, NewEvent, NewGrant, NewJob, NewPerson, Sealer, StoreError, Subjects, enqueue, find_person,
    insert_grant, insert_person,
};

const CANARIES: [&str; 6] = [
    "canary-login-7c1e@clinic.example",
    "Canary Name 7c1e",
    "canary-contact-7c1e",
    "canary-justification-7c1e",
    "canary-payload-7c1e",
    "canary-body-7c1e",
];

#[tokio::test]
async fn canaries_in_sealed_columns_are_nowhere_in_the_database() {
    with_db(ENGINE, async |db| {
        let [_, asker, approver] = db.three().await;
        let person = NewPerson {
            login: CANARIES[0].parse().unwrap(),
            name: Phi::new(CANARIES[1].to_owned()),
            contact: Some(Phi::new(CANARIES[2].to_owned())),
            ..db.new_person("x")
        };
        let people = [person.id, asker, approver];
        let justification = Phi::new(CANARIES[3].to_owned());
        let request = GrantRequest { justification, ..db.request(people, "visible_canary_role", (0, 100)) };
        let job = NewJob {
            id: db.id(),
            name: "mail",
            dedup_key: None,
            payload: CANARIES[4].as_bytes(),
            at: at(0),
            run_at: at(0),
            attempts_max: 1,
        };
        let aggregate = db.aggregate();
        let event = NewEvent { body: CANARIES[5].as_bytes(), ..db.event(1, &aggregate, Subjects::none()) };
        let mut tx = db.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        insert_grant(&mut tx, &NewGrant::approved(request, approver, at(0)).unwrap()).await.unwrap();
        enqueue(&mut tx, &job).await.unwrap();
        tx.commit(&db.lease, &[event]).await.unwrap();
        assert!(db.holds(b"visible_canary_role").await, "the search finds what stands there in clear");
        for canary in CANARIES {
            assert!(!db.holds(canary.as_bytes()).await, "{canary}");
        }
        // They are there all the same.
        let found = find_person(&mut db.read().await, person.id).await.unwrap().unwrap();
        assert_eq!([found.login.expose().as_str(), found.name.expose()], [CANARIES[0], CANARIES[1]]);
        assert_eq!(found.contact.unwrap().expose(), CANARIES[2]);
        // Nor are they in the errors of rows that the database refuses.
        let again = NewPerson { id: db.id::<scruple_store::Person>(), ..person.clone() };
        let conflict = insert_person(&mut db.begin().await, &again).await.unwrap_err();
        let stranger = GrantRequest {
            requested_by: Id::from_uuid(uuid::Uuid::from_u128(5)),
            justification: Phi::new(CANARIES[3].to_owned()),
            ..db.request(people, "biller", (0, 100))
        };
        let stranger = NewGrant::approved(stranger, approver, at(0)).unwrap();
        let refused = insert_grant(&mut db.begin().await, &stranger).await.unwrap_err();
        for error in [conflict, refused] {
            let text = chain(&error);
            assert!(CANARIES.iter().all(|canary| !text.contains(canary)), "{text}");
        }
        assert!(!format!("{person:?}").contains("7c1e"));
    })
    .await;
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_row_or_column_does_not_open() {
    with_db(ENGINE, async |db| {
        let [holder, asker, approver] = db.three().await;
        db.raw("UPDATE person SET contact_sealed = name_sealed").await.unwrap();
        for id in [holder, asker, approver] {
            let moved = find_person(&mut db.read().await, id).await;
            assert!(matches!(moved, Err(StoreError::Seal { column: "person.contact", .. })), "{moved:?}");
        }
        db.raw("UPDATE person SET contact_sealed = NULL").await.unwrap();
        let last = "(SELECT id FROM person ORDER BY id DESC LIMIT 1)";
        let first = "(SELECT name_sealed FROM person ORDER BY id LIMIT 1)";
        db.raw(&format!("UPDATE person SET name_sealed = {first} WHERE id = {last}")).await.unwrap();
        let last = [holder, asker, approver].into_iter().max().unwrap();
        for id in [holder, asker, approver] {
            let found = find_person(&mut db.read().await, id).await;
            let moved = matches!(found, Err(StoreError::Seal { column: "person.name", .. }));
            assert_eq!(moved, id == last, "{found:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn another_key_opens_nothing_and_finds_nobody() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let options = scruple_store::Options::parse(&db.address, scruple_store::Durability::Relaxed).unwrap();
        let stranger = scruple_store::Store::connect(options, Box::new(AesSealer::new([8; 32]))).await.unwrap();
        let mut tx = stranger.begin_read().await.unwrap();
        assert!(matches!(find_person(&mut tx, ana).await, Err(StoreError::Seal { .. })));
        let found = scruple_store::find_person_by_login(&mut tx, &"ana".parse().unwrap()).await.unwrap();
        assert_eq!(found, None);
    })
    .await;
}

#[test]
fn the_sealer_of_these_tests_is_a_real_one() {
    let sealer = AesSealer::new([7; 32]);
    let id = uuid::Uuid::from_u128(1);
    let sealed = sealer.seal("person.name", id, b"clear").unwrap();
    assert_ne!(sealed, sealer.seal("person.name", id, b"clear").unwrap());
    assert_eq!(sealer.open("person.name", id, &sealed).unwrap(), b"clear");
    assert!(sealer.open("person.contact", id, &sealed).is_err());
    assert_eq!(sealer.blind("a", b"b"), sealer.blind("a", b"b"));
    assert_ne!(sealer.blind("a", b"b"), sealer.blind("b", b"b"));
}
