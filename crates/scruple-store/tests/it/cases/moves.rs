//! Moves: what was held before is lost at the effective instant, with every job stopped; what is approved anew stays.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{DeclaredReason, Kinds, NewElevation, Opening};
use scruple_store::{
    Grant, Move, NewGrant, NewMove, Person, Revocation, StoreError, Subject, Window, due_moves, grants_as_of, holders,
    insert_elevation, insert_grant, insert_move, left_over_grants, load_access, lock_person, revoke_grants,
    settle_move,
};

/// Notes a move at second `noted` that takes effect at second `effective`.
async fn note(db: &TestDb, people: [Id<Person>; 3], role: Option<&str>, noted: i64, effective: i64) -> Move {
    let role = role.map(|role| role.parse().unwrap());
    let [person, noted_by, _] = people;
    let new = NewMove { id: db.id(), person, role, noted_by, noted_at: at(noted), effective_at: at(effective) };
    let mut tx = db.begin().await;
    lock_person(&mut tx, person).await.unwrap();
    let stored = insert_move(&mut tx, &new).await.unwrap();
    db.commit(tx, Subject::Person(person)).await.unwrap();
    stored
}

async fn approve(db: &TestDb, people: [Id<Person>; 3], role: &str, at: Timestamp) -> Id<Grant> {
    let request = db.request(people, role, (0, 1_000));
    let id = request.id;
    let mut tx = db.begin().await;
    insert_grant(&mut tx, &NewGrant::approved(request, people[2], at).unwrap()).await.unwrap();
    db.commit(tx, Subject::Person(people[0])).await.unwrap();
    id
}

/// The roles that are held, to the cache, to who asks for holders, and to who asks as of then: all the same.
async fn held(db: &TestDb, person: Id<Person>, second: i64) -> Vec<String> {
    let mut tx = db.read().await;
    let access = load_access(&mut tx, person, at(second)).await.unwrap().unwrap();
    let open = access.grants.iter().filter(|grant| grant.window.contains(at(second)));
    let mut cached: Vec<_> = open.map(|grant| grant.role.to_string()).collect();
    let roles = ["nurse", "charge", "coder"].map(|role| role.parse().unwrap());
    let holders = holders(&mut tx, &roles, at(second), None).await.unwrap();
    let then = grants_as_of(&mut tx, at(second), None, 100).await.unwrap();
    cached.sort_unstable();
    for list in [holders, then] {
        let mut names: Vec<_> = list.iter().map(|grant| grant.role.to_string()).collect();
        names.sort_unstable();
        assert_eq!(names, cached, "{second}");
    }
    cached
}

#[tokio::test]
async fn a_mover_loses_what_he_held_at_the_effective_instant_unless_it_is_approved_anew() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 1_000)).await;
        db.grant(people, "charge", (0, 1_000)).await;
        note(db, people, None, 5, 50).await;
        approve(db, people, "charge", at(20)).await;
        for (second, expected) in [
            (21, &["charge", "charge", "nurse"][..]),
            (49, &["charge", "charge", "nurse"]),
            (50, &["charge"]),
            (99, &["charge"]),
        ] {
            // Until then the old grant of the role is there too, beside the new one.
            assert_eq!(held(db, people[0], second).await, expected, "{second}");
        }
        let access = load_access(&mut db.read().await, people[0], at(21)).await.unwrap().unwrap();
        let ends: Vec<_> = access.grants.iter().map(|grant| grant.window.ends_at()).collect();
        assert_eq!(ends.iter().filter(|end| **end == at(50)).count(), 2, "whoever caches it knows when it ends");
    })
    .await;
}

/// The patients whose records are open to somebody.
async fn opened(db: &TestDb, person: Id<Person>, second: i64) -> Vec<String> {
    let access = load_access(&mut db.read().await, person, at(second)).await.unwrap().unwrap();
    let open = access.elevations.iter().filter(|one| one.window.contains(at(second)));
    let mut patients: Vec<_> = open.map(|one| one.patient.id().to_owned()).collect();
    patients.sort_unstable();
    patients
}

/// Opens a record to somebody at second `from`.
async fn declare(db: &TestDb, person: Id<Person>, role: &str, patient: &str, from: i64) {
    let opening = Opening {
        id: db.id(),
        person,
        role: role.parse().unwrap(),
        purpose: None,
        patient: patient.parse().unwrap(),
        kinds: Kinds::Whole,
        window: Window::new(at(from), at(1_000)).unwrap(),
        justification: Phi::new("covers the ward tonight".to_owned()),
    };
    let new = NewElevation::declared(opening, DeclaredReason::Covering, at(from)).unwrap();
    let mut tx = db.begin().await;
    insert_elevation(&mut tx, &new).await.unwrap();
    db.commit(tx, Subject::Person(person)).await.unwrap();
}

#[tokio::test]
async fn a_record_that_the_old_place_opened_does_not_come_back_with_the_role() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        for (role, patient) in [("nurse", "a"), ("coder", "b")] {
            declare(db, people[0], role, patient, 1).await;
        }
        // Out of a group that stood for one role; later, and elsewhere, everything; what is opened between them is lost then.
        note(db, people, Some("nurse"), 5, 5).await;
        assert_eq!(opened(db, people[0], 5).await, ["b"]);
        approve(db, people, "nurse", at(6)).await;
        declare(db, people[0], "nurse", "c", 7).await;
        let planned = note(db, people, None, 8, 50).await;
        declare(db, people[0], "nurse", "d", 9).await;
        for settled in [false, true] {
            for (second, expected) in [(10, &["b", "c", "d"][..]), (49, &["b", "c", "d"]), (50, &["d"]), (99, &["d"])] {
                assert_eq!(opened(db, people[0], second).await, expected, "{second}, settled: {settled}");
            }
            if !settled {
                let mut tx = db.begin().await;
                settle_move(&mut tx, planned.id, planned.version, at(60)).await.unwrap();
                db.commit(tx, Subject::Person(people[0])).await.unwrap();
            }
        }
        let access = load_access(&mut db.read().await, people[0], at(10)).await.unwrap().unwrap();
        let ends = access.elevations.iter().filter(|one| one.window.ends_at() == at(50)).count();
        assert_eq!(ends, 2, "whoever caches it knows when it ends");
    })
    .await;
}

#[tokio::test]
async fn a_past_instant_is_told_alike_before_and_after_a_move_is_settled() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 1_000)).await;
        let planned = note(db, people, None, 5, 50).await;
        // It gives nothing since second 50, and is revoked for another reason before the move is settled.
        let mut tx = db.begin().await;
        let revocation = Revocation { by: people[1], at: at(60) };
        assert_eq!(revoke_grants(&mut tx, people[0], None, at(1_000), revocation).await.unwrap().len(), 1);
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let then = async || {
            let mut held = Vec::new();
            for second in [49, 50, 55, 60] {
                held.push(grants_as_of(&mut db.read().await, at(second), None, 10).await.unwrap().len());
            }
            held
        };
        assert_eq!(then().await, [1, 0, 0, 0]);
        let mut tx = db.begin().await;
        settle_move(&mut tx, planned.id, planned.version, at(70)).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        assert_eq!(then().await, [1, 0, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_move_out_of_a_group_takes_its_role_alone() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 1_000)).await;
        db.grant(people, "charge", (60, 1_000)).await;
        note(db, people, Some("charge"), 5, 50).await;
        assert_eq!(held(db, people[0], 70).await, ["nurse"], "also what has not begun");
    })
    .await;
}

#[tokio::test]
async fn a_grant_of_a_node_whose_clock_is_ahead_is_covered() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        approve(db, people, "nurse", at(8)).await;
        let stored = note(db, people, None, 5, 5).await;
        assert_eq!(stored.covers_until, at(8));
        assert_eq!(held(db, people[0], 9).await, [""; 0]);
        approve(db, people, "coder", at(9)).await;
        assert_eq!(held(db, people[0], 9).await, ["coder"]);
    })
    .await;
}

#[tokio::test]
async fn five_movers_with_leftovers_are_five_findings_until_they_are_settled() {
    with_db(ENGINE, async |db| {
        let [_, asker, approver] = db.three().await;
        let mut expected = Vec::new();
        for number in 0..7 {
            let person = db.person(&format!("mover-{number}")).await;
            let people = [person, asker, approver];
            let grant = db.grant(people, "nurse", (0, 1_000)).await;
            // Two did not move; one of the five has a role that was approved anew.
            if number >= 2 {
                note(db, people, None, 5, 50).await;
                expected.push((person, grant));
            }
            if number == 3 {
                approve(db, people, "coder", at(6)).await;
            }
        }
        let found = async |second| -> Vec<_> {
            let found = left_over_grants(&mut db.read().await, at(second), None).await.unwrap();
            let mut found: Vec<_> = found.iter().map(|one| (one.person, one.grant)).collect();
            found.sort_unstable();
            found
        };
        expected.sort_unstable();
        assert_eq!(found(10).await, expected);
        assert_eq!(due_moves(&mut db.read().await, at(49)).await.unwrap(), []);
        let due = due_moves(&mut db.read().await, at(50)).await.unwrap();
        assert_eq!(due.len(), 5);
        for one in due {
            let mut tx = db.begin().await;
            let revocation = Revocation { by: one.noted_by, at: one.effective_at };
            let ended =
                revoke_grants(&mut tx, one.person, one.role.as_ref(), one.covers_until, revocation).await.unwrap();
            assert_eq!(ended.len(), 1);
            settle_move(&mut tx, one.id, one.version, at(51)).await.unwrap();
            db.commit(tx, Subject::Person(one.person)).await.unwrap();
            let twice = settle_move(&mut db.begin().await, one.id, 2, at(51)).await;
            assert!(matches!(twice, Err(StoreError::RowsAffected { .. })), "{twice:?}");
        }
        assert_eq!((found(51).await, due_moves(&mut db.read().await, at(99)).await.unwrap()), (vec![], vec![]));
        assert!(db.raw("UPDATE person_move SET effective_at = effective_at + 1").await.is_err());
        assert!(db.raw("DELETE FROM person_move").await.is_err());
    })
    .await;
}
