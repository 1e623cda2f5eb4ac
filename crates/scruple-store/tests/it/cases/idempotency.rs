//! Keys under which requests are done once: one winner, one answer, another request refused, and nothing kept for ever.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_store::{Claimed, NewClaim, Person};

const HOUR: i64 = 3_600;

fn claim(db: &TestDb, person: Id<Person>, (key, request): (u8, u8), second: i64) -> NewClaim {
    NewClaim {
        id: db.id(),
        person,
        key_hash: [key; 32],
        request_hash: [request; 32],
        at: at(second),
        ends_at: at(second + 24 * HOUR),
        stale_before: at(second - 120),
    }
}

#[tokio::test]
async fn a_key_is_done_once_and_answered_alike_until_its_day_is_over() {
    with_db(ENGINE, async |db| {
        let (ana, ben) = (db.person("ana").await, db.person("ben").await);
        let first = claim(db, ana, (1, 1), 0);
        assert_eq!(db.store.claim_key(&first).await.unwrap(), Claimed::Won { id: first.id, again: false });
        assert_eq!(db.store.claim_key(&claim(db, ana, (1, 1), 1)).await.unwrap(), Claimed::Busy);
        assert_eq!(db.store.claim_key(&claim(db, ana, (1, 2), 1)).await.unwrap(), Claimed::Other);
        // Another person's key of the same name is another key.
        assert!(matches!(db.store.claim_key(&claim(db, ben, (1, 2), 1)).await.unwrap(), Claimed::Won { .. }));
        let answer = Phi::new(b"CANARY-answer".to_vec());
        db.store.keep_answer(first.id, &answer).await.unwrap();
        for second in [2, 24 * HOUR - 1] {
            assert_eq!(
                db.store.claim_key(&claim(db, ana, (1, 1), second)).await.unwrap(),
                Claimed::Done(answer.clone())
            );
        }
        assert!(!db.holds(b"CANARY-answer").await, "what was answered is sealed");
        let later = claim(db, ana, (1, 2), 24 * HOUR);
        assert_eq!(db.store.claim_key(&later).await.unwrap(), Claimed::Won { id: later.id, again: false });
    })
    .await;
}

#[tokio::test]
async fn of_twins_that_race_for_a_key_one_wins() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let other = db.second_store().await;
        for key in 0..20 {
            let (one, two) = (claim(db, ana, (key, 1), 0), claim(db, ana, (key, 1), 0));
            let (one, two) = tokio::join!(db.store.claim_key(&one), other.claim_key(&two));
            let won = [one.unwrap(), two.unwrap()].iter().filter(|one| matches!(one, Claimed::Won { .. })).count();
            assert_eq!(won, 1, "{key}");
        }
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_claim_of_one_who_was_killed_is_taken_over_and_one_that_was_given_back_is_free() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let first = claim(db, ana, (1, 1), 0);
        db.store.claim_key(&first).await.unwrap();
        assert_eq!(db.store.claim_key(&claim(db, ana, (1, 1), 119)).await.unwrap(), Claimed::Busy);
        let taken = db.store.claim_key(&claim(db, ana, (1, 1), 121)).await.unwrap();
        assert_eq!(taken, Claimed::Won { id: first.id, again: true });
        assert_eq!(db.store.claim_key(&claim(db, ana, (1, 1), 122)).await.unwrap(), Claimed::Busy);
        db.store.release_key(first.id).await.unwrap();
        let anew = claim(db, ana, (1, 2), 123);
        assert_eq!(db.store.claim_key(&anew).await.unwrap(), Claimed::Won { id: anew.id, again: false });
        // What was done is not given back.
        db.store.keep_answer(anew.id, &Phi::new(b"done".to_vec())).await.unwrap();
        db.store.release_key(anew.id).await.unwrap();
        assert!(matches!(db.store.claim_key(&claim(db, ana, (1, 2), 124)).await.unwrap(), Claimed::Done(_)));
    })
    .await;
}
