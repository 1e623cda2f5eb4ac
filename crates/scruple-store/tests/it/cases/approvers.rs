//! How people decide, and what is held that nobody has agreed to for too long.

use super::ENGINE;
use super::requests::{approver, changed, pending, privacy, stored};
use crate::support::{at, with_db};
use scruple_core::Phi;
use scruple_flow::approver::{Opened, approvers};
use scruple_store::{
    NewGrant, NewMove, Revocation, Subject, decisions_between, insert_grant, insert_move, left_over_grants,
    lock_person, revoke_grant, unreviewed_grants,
};
use std::collections::BTreeSet;

#[tokio::test]
async fn an_approver_of_everything_in_less_than_three_seconds_each_is_found_as_a_rubber_stamp() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [_, _, hasty] = people;
        let careful = db.person("careful").await;
        let before = pending(db, people, &[], &[privacy()]);
        stored(db, &before).await;
        changed(db, &before.approve(&approver(hasty, &[privacy()]), None, at(1)).unwrap(), 1).await.unwrap();
        for number in 0..12 {
            let request = pending(db, people, &[], &[privacy()]);
            stored(db, &request).await;
            let second = 100 + number * 10;
            let (who, look) = if number < 6 { (hasty, 2) } else { (careful, 9) };
            // The first opening counts.
            db.store.note_opening(request.id, who, at(second - look)).await.unwrap();
            db.store.note_opening(request.id, who, at(second - 1)).await.unwrap();
            let decider = approver(who, &[privacy()]);
            let decided = if number == 11 {
                request.deny(&decider, Phi::new("the shift is covered by others".to_owned()), at(second))
            } else {
                request.approve(&decider, None, at(second))
            };
            changed(db, &decided.unwrap(), 1).await.unwrap();
        }
        let facts = decisions_between(&mut db.read().await, at(0), at(1_000)).await.unwrap();
        assert_eq!(facts.len(), 13);
        assert_eq!(facts[0].1.opened, Opened::Unknown, "from before openings were written down");
        let facts = decisions_between(&mut db.read().await, at(50), at(1_000)).await.unwrap();
        let figures = approvers(facts);
        assert!(figures[&hasty].is_rubber_stamp());
        assert_eq!((figures[&hasty].decided, figures[&hasty].batch_max), (6, 6));
        let other = figures[&careful];
        assert!(!other.is_rubber_stamp());
        assert_eq!((other.approved, other.decided, other.look.median_micros), (5, 6, 9_000_000));
        assert!(db.raw("UPDATE request_opening SET opened_at = 0").await.is_err());
        assert!(db.raw("DELETE FROM request_opening").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn twelve_roles_that_nobody_agreed_to_in_the_period_and_three_movers_are_listed_exactly() {
    with_db(ENGINE, async |db| {
        let [holder, asker, agrees] = db.three().await;
        let (mut old, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..20 {
            let person = db.person(&format!("person-{number}")).await;
            let request = db.request([person, asker, agrees], "nurse", (0, 10_000));
            let id = request.id;
            // Twelve were agreed to before the period, eight in it.
            let agreed_at = at(if number < 12 { number } else { 2_000 + number });
            let mut tx = db.begin().await;
            insert_grant(&mut tx, &NewGrant::approved(request, agrees, agreed_at).unwrap()).await.unwrap();
            db.commit(tx, Subject::Person(person)).await.unwrap();
            if number < 12 {
                old.insert(id);
            }
            if (15..18).contains(&number) {
                let mut tx = db.begin().await;
                lock_person(&mut tx, person).await.unwrap();
                let (noted_at, effective_at) = (at(2_500), at(9_000));
                let new = NewMove { id: db.id(), person, role: None, noted_by: asker, noted_at, effective_at };
                insert_move(&mut tx, &new).await.unwrap();
                db.commit(tx, Subject::Person(person)).await.unwrap();
                kept.insert(id);
            }
        }
        // What is over, was ended, or is of who has nothing any more is nobody's to review.
        db.grant([holder, asker, agrees], "coder", (0, 100)).await;
        let ended = db.grant([holder, asker, agrees], "nurse", (0, 10_000)).await;
        let mut tx = db.begin().await;
        revoke_grant(&mut tx, ended, 1, Revocation { by: asker, at: at(50) }).await.unwrap();
        db.commit(tx, Subject::Person(holder)).await.unwrap();
        let found = unreviewed_grants(&mut db.read().await, (at(1_000), at(3_000)), None).await.unwrap();
        assert_eq!(found.iter().map(|one| one.grant).collect::<BTreeSet<_>>(), old);
        assert!(found.iter().all(|one| one.agreed_at < at(12) && one.ends_at == at(10_000)));
        let page = unreviewed_grants(&mut db.read().await, (at(1_000), at(3_000)), Some(found[9].grant)).await.unwrap();
        assert_eq!(page, found[10..]);
        let movers = left_over_grants(&mut db.read().await, at(3_000), None).await.unwrap();
        assert_eq!(movers.iter().map(|one| one.grant).collect::<BTreeSet<_>>(), kept);
    })
    .await;
}
