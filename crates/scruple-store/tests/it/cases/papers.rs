use super::ENGINE;
use super::charts::opened;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::{CasePaper, ChartCase, NewPaper, PaperAct, PaperHand, PaperState, Person, Wall};
use scruple_store::{StoreError, Subject, find_paper, insert_paper, list_papers, update_paper};

const WORDS: &str = "Counsel thinks that the CanaryPaper access was a breach";

fn counsel(person: Id<Person>) -> PaperHand<'static> {
    PaperHand { person, is_reader: false, is_office: true, walls: Wall::ALL, stepped_up: true }
}

fn paper(db: &TestDb, case: &ChartCase, by: Id<Person>, wall: Option<Wall>) -> CasePaper {
    let new = NewPaper { id: db.id(), case: case.id, text: Phi::new(WORDS.to_owned()), wall };
    CasePaper::write(new, counsel(by), at(7)).unwrap()
}

async fn written(db: &TestDb, paper: &CasePaper) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_paper(&mut tx, paper).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

async fn put(db: &TestDb, paper: &CasePaper, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_paper(&mut tx, paper, version).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

async fn found(db: &TestDb, id: Id<CasePaper>) -> CasePaper {
    find_paper(&mut db.read().await, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_paper_goes_behind_its_wall_out_and_back_and_is_sealed() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let case = opened(db, people).await;
        let by = counsel(people[2]);
        let first = paper(db, &case, people[1], None);
        written(db, &first).await.unwrap();
        assert_eq!(found(db, first.id).await, first);
        put(db, &first.clone().wall(by, Wall::Counsel).unwrap(), 1).await.unwrap();
        let walled = found(db, first.id).await;
        assert_eq!((&walled.state, walled.version), (&PaperState::Walled(Wall::Counsel), 2));
        assert!(matches!(put(db, &walled, 1).await, Err(StoreError::RowsAffected { .. })));
        let released = walled.release(by, Phi::new("The regulator has asked for it".to_owned()), at(9)).unwrap();
        put(db, &released, 2).await.unwrap();
        assert_eq!(found(db, first.id).await, CasePaper { version: 3, ..released.clone() });
        put(db, &released.wall(by, Wall::Counsel).unwrap(), 3).await.unwrap();
        let second = paper(db, &case, people[2], Some(Wall::Staff));
        written(db, &second).await.unwrap();
        let listed = list_papers(&mut db.read().await, case.id, None).await.unwrap();
        let last = listed.last().map(|paper| paper.id);
        assert_eq!(list_papers(&mut db.read().await, case.id, last).await.unwrap(), []);
        let mut expected = [first.id, second.id];
        expected.sort_unstable();
        assert_eq!(listed.iter().map(|paper| paper.id).collect::<Vec<_>>(), expected);
        assert_eq!(find_paper(&mut db.read().await, db.id()).await.unwrap(), None);
        assert!(!db.holds(b"CanaryPaper").await);
    })
    .await;
}

#[tokio::test]
async fn the_table_refuses_a_paper_that_goes_another_way_or_comes_from_whom_the_case_is_about() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let case = opened(db, people).await;
        let act = |by| PaperAct { by, at: at(9), reason: Phi::new(WORDS.to_owned()) };
        let of_reader = CasePaper { written_by: people[0], ..paper(db, &case, people[1], None) };
        assert!(matches!(written(db, &of_reader).await, Err(StoreError::Refused(_))));
        let released = PaperState::Released(Wall::Counsel, act(people[1]));
        let begins = CasePaper { state: released.clone(), ..paper(db, &case, people[1], None) };
        assert!(matches!(written(db, &begins).await, Err(StoreError::Refused(_))));
        let first = paper(db, &case, people[1], None);
        written(db, &first).await.unwrap();
        let to = |state: PaperState| CasePaper { state, ..first.clone() };
        assert!(matches!(put(db, &to(released.clone()), 1).await, Err(StoreError::Refused(_))));
        put(db, &to(PaperState::Walled(Wall::Counsel)), 1).await.unwrap();
        for wrong in [
            PaperState::InFile,
            PaperState::Walled(Wall::Staff),
            PaperState::Released(Wall::Staff, act(people[1])),
            PaperState::Released(Wall::Counsel, act(people[0])),
        ] {
            assert!(matches!(put(db, &to(wrong.clone()), 2).await, Err(StoreError::Refused(_))), "{wrong:?}");
        }
        put(db, &to(released), 2).await.unwrap();
        assert!(db.raw("UPDATE case_paper SET written_at = 1").await.is_err());
        assert!(db.raw("DELETE FROM case_paper").await.is_err());
    })
    .await;
}
