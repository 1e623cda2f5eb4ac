//! Reviews of mappings: one open for a role, closed once, and when each role was last looked at.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, PackHash, Phi};
use scruple_flow::{MappingCause, MappingDecision, MappingReview, MappingVerdict};
use scruple_store::{
    NewMappingReview, Person, StoreError, Subject, close_mapping_review, find_mapping_review, insert_mapping_review,
    keep_pack_content, last_mapping_reviews, list_open_mapping_reviews,
};
use std::collections::BTreeSet;

const WORDS: &str = "Looked at with the coding lead, tasks are as they were";

async fn open(db: &TestDb, role: &str, cause: MappingCause, due: i64) -> Result<Id<MappingReview>, StoreError> {
    let pack = PackHash([1; 32]);
    let new =
        NewMappingReview { id: db.id(), role: role.parse().unwrap(), pack, cause, opened_at: at(0), due_at: at(due) };
    let mut tx = db.begin().await;
    keep_pack_content(&mut tx, db.id(), pack, b"files", at(0)).await?;
    insert_mapping_review(&mut tx, &new).await?;
    db.commit(tx, Subject::Everyone).await?;
    Ok(new.id)
}

async fn close(db: &TestDb, review: MappingReview, by: Id<Person>, seconds: i64) -> Result<(), StoreError> {
    let kinds = BTreeSet::from(["claims", "labs"].map(str::to_owned));
    let decisions = [("claims".to_owned(), MappingDecision::Keep), ("labs".to_owned(), MappingDecision::Remove)].into();
    let verdict = MappingVerdict { by, at: at(seconds), decisions, comment: Phi::new(WORDS.to_owned()) };
    let version = review.version;
    let closed = review.close(&kinds, verdict).unwrap();
    let mut tx = db.begin().await;
    close_mapping_review(&mut tx, &closed, version).await?;
    db.commit(tx, Subject::Everyone).await?;
    let stored = find_mapping_review(&mut db.read().await, closed.id).await.unwrap().unwrap();
    assert_eq!(stored, MappingReview { version: version + 1, ..closed });
    Ok(())
}

#[tokio::test]
async fn a_review_is_open_once_for_a_role_and_closed_once() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let id = open(db, "coder", MappingCause::RoleChanged, 20).await.unwrap();
        assert!(matches!(open(db, "coder", MappingCause::Due, 10).await, Err(StoreError::Conflict(_))));
        open(db, "nurse", MappingCause::Due, 10).await.unwrap();
        let listed = list_open_mapping_reviews(&mut db.read().await).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.role.as_str()).collect::<Vec<_>>(), ["nurse", "coder"]);
        assert!(last_mapping_reviews(&mut db.read().await).await.unwrap().is_empty());
        let review = find_mapping_review(&mut db.read().await, id).await.unwrap().unwrap();
        assert_eq!((review.cause, review.verdict.is_none()), (MappingCause::RoleChanged, true));
        close(db, review.clone(), ana, 5).await.unwrap();
        assert!(matches!(close(db, review, ana, 6).await, Err(StoreError::RowsAffected { .. })));
        let last = last_mapping_reviews(&mut db.read().await).await.unwrap();
        assert_eq!(last.into_iter().collect::<Vec<_>>(), [("coder".to_owned(), at(5))]);
        for attempt in [
            "UPDATE mapping_review SET closed_at = NULL",
            "UPDATE mapping_review SET due_at = due_at + 1",
            "DELETE FROM mapping_review",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
        // The next year's.
        open(db, "coder", MappingCause::Due, 30).await.unwrap();
    })
    .await;
}
