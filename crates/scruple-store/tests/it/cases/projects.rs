use super::ENGINE;
use super::requests::{pending, privacy, stored};
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::{Assessment, DataLevel, Person, Project, ProjectDecision, ProjectState};
use scruple_store::{
    StoreError, Subject, find_project, find_project_of_request, insert_project, insert_project_request,
    list_project_requests, list_projects, lock_project, update_project,
};

const WORDS: &str = "The CanaryProject needs codes and dates, and nothing else";

fn words() -> Phi<String> {
    Phi::new(WORDS.to_owned())
}

fn project(db: &TestDb, [owner, asker, _]: [Id<Person>; 3]) -> Project {
    let assessment = Assessment {
        title: Phi::new("CanaryProject".to_owned()),
        purpose: "HQUALIMP".to_owned(),
        roles: ["quality_analyst", "researcher"].into_iter().map(|code| code.parse().unwrap()).collect(),
        kinds: "diagnoses labs".parse().unwrap(),
        flows: words(),
        retention: words(),
        level: DataLevel::Limited,
        level_reason: words(),
        ends_at: at(86_400),
    };
    Project::propose(db.id(), owner, assessment, asker, at(1)).unwrap()
}

async fn proposed(db: &TestDb, project: &Project) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_project(&mut tx, project).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

async fn put(db: &TestDb, project: &Project, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_project(&mut tx, project, version).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

async fn asked(db: &TestDb, project: &Project, people: [Id<Person>; 3]) -> Result<(), StoreError> {
    let request = pending(db, people, &[], &[privacy()]);
    stored(db, &request).await;
    let mut tx = db.begin().await;
    lock_project(&mut tx, project.id).await?;
    insert_project_request(&mut tx, project.id, request.id).await?;
    db.commit(tx, Subject::Everyone).await?;
    let found = find_project_of_request(&mut db.read().await, request.id).await?;
    assert_eq!(found.map(|found| found.id), Some(project.id));
    assert_eq!(list_project_requests(&mut db.read().await, project.id, None).await?, [request.id]);
    assert_eq!(list_project_requests(&mut db.read().await, project.id, Some(request.id)).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_project_is_decided_used_and_ended_and_is_sealed() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let first = project(db, people);
        proposed(db, &first).await.unwrap();
        let found = async || find_project(&mut db.read().await, first.id).await.unwrap().unwrap();
        assert_eq!(found().await, first);
        assert!(matches!(asked(db, &first, people).await, Err(StoreError::Refused(_))));
        put(db, &first.clone().approve(people[2], words(), at(5)).unwrap(), 1).await.unwrap();
        let approved = found().await;
        assert_eq!((approved.state.code(), approved.version), ("approved", 2));
        assert!(matches!(put(db, &approved, 1).await, Err(StoreError::RowsAffected { .. })));
        asked(db, &first, people).await.unwrap();
        assert_eq!(found().await, approved);
        assert!(db.raw("DELETE FROM project_request").await.is_err());
        let ended = approved.end(people[1], false, at(9)).unwrap();
        put(db, &ended, 2).await.unwrap();
        assert_eq!(found().await, Project { version: 3, ..ended });
        let second = project(db, people);
        proposed(db, &second).await.unwrap();
        let withdrawn = second.clone().withdraw(people[1], at(6)).unwrap();
        put(db, &withdrawn, 1).await.unwrap();
        let listed = list_projects(&mut db.read().await, None, None).await.unwrap();
        let (newer, older) = (first.id.max(second.id), first.id.min(second.id));
        assert_eq!(listed.iter().map(|project| project.id).collect::<Vec<_>>(), [newer, older]);
        assert!(listed.contains(&Project { version: 2, ..withdrawn }));
        assert_eq!(list_projects(&mut db.read().await, None, Some(older)).await.unwrap(), []);
        for (person, count) in [(people[0], 2), (people[1], 2), (people[2], 0)] {
            assert_eq!(list_projects(&mut db.read().await, Some(person), None).await.unwrap().len(), count);
        }
        assert_eq!(find_project(&mut db.read().await, db.id()).await.unwrap(), None);
        assert_eq!(find_project_of_request(&mut db.read().await, db.id()).await.unwrap(), None);
        assert!(matches!(lock_project(&mut db.begin().await, db.id()).await, Err(StoreError::RowsAffected { .. })));
        assert!(!db.holds(b"CanaryProject").await);
    })
    .await;
}

#[tokio::test]
async fn the_table_refuses_a_project_that_goes_another_way_or_is_decided_by_its_own() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let first = project(db, people);
        let decision = |by| ProjectDecision { by, at: at(5), comment: words() };
        proposed(db, &first).await.unwrap();
        let to = |state: ProjectState| Project { state, ..first.clone() };
        for wrong in [
            ProjectState::Proposed,
            ProjectState::Approved(decision(people[0])),
            ProjectState::Refused(decision(people[1])),
            ProjectState::Ended(decision(people[2]), people[2], at(6)),
        ] {
            assert!(matches!(put(db, &to(wrong.clone()), 1).await, Err(StoreError::Refused(_))), "{wrong:?}");
        }
        put(db, &to(ProjectState::Refused(decision(people[2]))), 1).await.unwrap();
        for wrong in [ProjectState::Approved(decision(people[2])), ProjectState::Withdrawn(at(7))] {
            assert!(matches!(put(db, &to(wrong.clone()), 2).await, Err(StoreError::Refused(_))), "{wrong:?}");
        }
        for sql in [
            "UPDATE project SET kinds = 'notes'",
            "UPDATE project SET ends_at = ends_at + 1",
            "UPDATE project SET state = 'approved'",
            "DELETE FROM project",
        ] {
            assert!(db.raw(sql).await.is_err(), "{sql}");
        }
    })
    .await;
}
