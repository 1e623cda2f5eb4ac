//! Versions of the policy: two people, one active, nothing skipped, and which one decided when.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, PackHash, Phi, Timestamp};
use scruple_flow::{PackApproval, PackCase, PackOrigin, PackReviewer, PackState, PackVersion};
use scruple_store::{
    NewPackVersion, Person, StoreError, Subject, active_pack_as_of, active_pack_hash, find_pack, find_pack_content,
    has_pack_content, insert_pack, keep_pack_content, list_packs, update_pack,
};
use std::collections::BTreeSet;

const WORDS: &str = "The coder has not opened notes in 90 days";

async fn keep(db: &TestDb, hash: u8) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    keep_pack_content(&mut tx, db.id(), PackHash([hash; 32]), &[hash; 100], at(0)).await?;
    db.commit(tx, Subject::Everyone).await.map(|_| ())
}

async fn insert(db: &TestDb, hash: u8, origin: PackOrigin, now: Timestamp) -> Result<Id<PackVersion>, StoreError> {
    keep(db, hash).await?;
    let new = NewPackVersion {
        id: db.id(),
        hash: PackHash([hash; 32]),
        engine: "0.1.0",
        origin,
        criteria: "a role is a job with tasks",
        rationale: Phi::new("a first sketch".to_owned()),
        at: now,
    };
    let mut tx = db.begin().await;
    insert_pack(&mut tx, &new).await?;
    db.commit(tx, Subject::Everyone).await?;
    Ok(new.id)
}

async fn find(db: &TestDb, id: Id<PackVersion>) -> PackVersion {
    find_pack(&mut db.read().await, id).await.unwrap().unwrap()
}

/// Stores what a transition has made of it.
async fn put(db: &TestDb, pack: PackVersion) -> Result<PackVersion, StoreError> {
    let (id, version) = (pack.id, pack.version);
    let mut tx = db.begin().await;
    update_pack(&mut tx, &pack, version).await?;
    db.commit(tx, Subject::Everyone).await?;
    let stored = find(db, id).await;
    assert_eq!(stored, PackVersion { version: version + 1, ..pack });
    Ok(stored)
}

fn case(base: Option<u8>) -> PackCase {
    let changed = BTreeSet::from(["coder", "nurse"].map(str::to_owned));
    PackCase { base: base.map(|hash| PackHash([hash; 32])), changed, replay: "{\"refused\":0}".to_owned(), at: at(2) }
}

fn reviewer(person: Id<Person>) -> PackReviewer {
    PackReviewer { person, is_vouched_for_by_drafter: false, stepped_up: true }
}

async fn proposed(db: &TestDb, hash: u8, by: Id<Person>, base: Option<u8>) -> PackVersion {
    let id = insert(db, hash, PackOrigin::Person(by), at(0)).await.unwrap();
    let checked = put(db, find(db, id).await.check(at(1)).unwrap()).await.unwrap();
    put(db, checked.propose(by, Phi::new(WORDS.to_owned()), case(base)).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_version_goes_from_draft_to_superseded_and_every_state_reads_back() {
    with_db(ENGINE, async |db| {
        let [ana, ben] = [db.person("ana").await, db.person("ben").await];
        let proposed_one = proposed(db, 9, ana, None).await;
        let approved = put(db, proposed_one.approve(&reviewer(ben), at(3)).unwrap()).await.unwrap();
        let active = put(db, approved.activate(ana, None, at(4)).unwrap()).await.unwrap();
        assert_eq!(active_pack_hash(&mut db.read().await).await.unwrap(), Some(PackHash([9; 32])));
        assert_eq!(active.rationale.expose(), WORDS);
        put(db, active.supersede(at(5)).unwrap()).await.unwrap();
        assert_eq!(active_pack_hash(&mut db.read().await).await.unwrap(), None);
        let second = proposed(db, 8, ana, None).await;
        let comment = Phi::new("Notes are read at the audit in June".to_owned());
        put(db, second.refuse(&reviewer(ben), comment, at(6)).unwrap()).await.unwrap();
        let third = proposed(db, 9, ana, None).await;
        put(db, third.withdraw(ana, at(7)).unwrap()).await.unwrap();
        assert_eq!(find_pack(&mut db.read().await, db.id()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_table_itself_refuses_what_the_program_would_not_do() {
    with_db(ENGINE, async |db| {
        let [ana, ben] = [db.person("ana").await, db.person("ben").await];
        let one = proposed(db, 9, ana, None).await;
        let past_the_store = [
            "UPDATE pack_version SET state = 'approved', decided_by = drafted_by, decided_at = 1",
            "UPDATE pack_version SET state = 'active', activated_at = 1, activated_by = drafted_by",
            "UPDATE pack_version SET state = 'draft', checked_at = NULL",
            "UPDATE pack_version SET replay = '{}' WHERE state = 'proposed'",
            "UPDATE pack_version SET changed = ''",
            "UPDATE pack_version SET criteria = 'another'",
            "UPDATE pack_version SET state = 'proposed'",
            "DELETE FROM pack_version",
            "DELETE FROM pack_content",
        ];
        for attempt in past_the_store {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
        assert!(
            db.raw_either(
                "UPDATE pack_content SET files_sealed = x'00'",
                "UPDATE pack_content SET files_sealed = '\\x00'"
            )
            .await
            .is_err()
        );
        // Nobody is skipped: what was drafted is no more than a draft, and the state that it leaves must be the one it has.
        let approved = one.clone().approve(&reviewer(ben), at(3)).unwrap();
        put(db, approved).await.unwrap();
        let mut tx = db.begin().await;
        let again = update_pack(&mut tx, &one.approve(&reviewer(ben), at(3)).unwrap(), 3).await;
        assert!(matches!(again, Err(StoreError::RowsAffected { table: "pack_version", .. })), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn who_drafted_it_does_not_decide_whatever_the_program_says() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let mut pack = proposed(db, 9, ana, None).await;
        pack.state = PackState::Approved(case(None), PackApproval { by: ana, at: at(3) });
        let mut tx = db.begin().await;
        let stored = update_pack(&mut tx, &pack, pack.version).await;
        assert!(stored.is_err(), "{stored:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_decisions_that_race_one_wins() {
    with_db(ENGINE, async |db| {
        let [ana, ben, eva] = [db.person("ana").await, db.person("ben").await, db.person("eva").await];
        for hash in 1..6 {
            let pack = proposed(db, hash, ana, None).await;
            let decide = async |by: Id<Person>| {
                let pack = find(db, pack.id).await;
                let version = pack.version;
                let approved = pack.approve(&reviewer(by), at(3)).map_err(|_| ())?;
                let mut tx = db.begin().await;
                update_pack(&mut tx, &approved, version).await.map_err(|_| ())?;
                db.commit(tx, Subject::Everyone).await.map_err(|_| ()).map(|_| ())
            };
            let won = <[_; 2]>::from(tokio::join!(decide(ben), decide(eva)));
            assert_eq!(won.iter().filter(|result| result.is_ok()).count(), 1, "{won:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_version_is_active_and_as_of_tells_which_one_was() {
    with_db(ENGINE, async |db| {
        let [ana, ben] = [db.person("ana").await, db.person("ben").await];
        let shipped = insert(db, 1, PackOrigin::Shipped, at(10)).await.unwrap();
        assert!(matches!(insert(db, 2, PackOrigin::Folder, at(11)).await, Err(StoreError::Conflict(_))));
        let next = proposed(db, 3, ana, Some(1)).await;
        let next = put(db, next.approve(&reviewer(ben), at(12)).unwrap()).await.unwrap();
        let active = next.clone().activate(ben, Some(PackHash([1; 32])), at(20)).unwrap();
        // Not beside the one that is active.
        let mut tx = db.begin().await;
        let beside = update_pack(&mut tx, &active, next.version).await;
        assert!(matches!(beside, Err(StoreError::Conflict(_))), "{beside:?}");
        drop(tx);
        let old = find(db, shipped).await;
        let mut tx = db.begin().await;
        update_pack(&mut tx, &old.clone().supersede(at(20)).unwrap(), old.version).await.unwrap();
        update_pack(&mut tx, &active, next.version).await.unwrap();
        db.commit(tx, Subject::Everyone).await.unwrap();
        let as_of = async |seconds| {
            let found = active_pack_as_of(&mut db.read().await, at(seconds)).await.unwrap();
            found.map(|pack| pack.hash.0[0])
        };
        let seen = [as_of(9).await, as_of(10).await, as_of(19).await, as_of(20).await, as_of(99).await];
        assert_eq!(seen, [None, Some(1), Some(1), Some(3), Some(3)]);
    })
    .await;
}

#[tokio::test]
async fn content_is_kept_once_sealed_and_found_by_its_hash() {
    with_db(ENGINE, async |db| {
        keep(db, 7).await.unwrap();
        keep(db, 7).await.unwrap();
        let found = find_pack_content(&mut db.read().await, PackHash([7; 32])).await.unwrap();
        assert_eq!(found, Some(vec![7; 100]));
        assert!(has_pack_content(&mut db.read().await, PackHash([7; 32])).await.unwrap());
        assert_eq!(find_pack_content(&mut db.read().await, PackHash([6; 32])).await.unwrap(), None);
        assert!(!db.holds(&[7; 100]).await);
        let nobody = PackOrigin::Person(db.id());
        assert!(matches!(insert(db, 7, nobody, at(0)).await, Err(StoreError::Refused(_))));
    })
    .await;
}

#[tokio::test]
async fn versions_are_listed_page_by_page_in_order() {
    with_db(ENGINE, async |db| {
        let ana = db.person("ana").await;
        let mut ids = Vec::new();
        for hash in 1..6 {
            ids.push(insert(db, hash, PackOrigin::Person(ana), at(0)).await.unwrap());
        }
        ids.sort();
        let mut seen = Vec::new();
        loop {
            let page = list_packs(&mut db.read().await, seen.last().copied(), 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|pack| pack.id));
        }
        assert_eq!(seen, ids);
    })
    .await;
}
