use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{
    AccessTask, Recording, TaskApprover, TaskEnd, TaskEnded, TaskKind, TaskOrder, TaskRule, TaskState, Ticket, Window,
};
use scruple_store::{
    Person, StoreError, Subject, Unmask, find_task, insert_task, insert_unmask, list_open_tasks, list_tasks,
    list_tasks_of, list_tasks_of_patient, list_tasks_of_ticket, list_unmasks, load_access, open_tasks, open_tasks_of,
    update_task,
};

const WORDS: &str = "Complaint 2026-118 about waiting in triage";
const TICKET: &str = "INC-4711-zebra";

fn task(db: &TestDb, person: Id<Person>, kind: TaskKind, patients: &[&str]) -> AccessTask {
    let ticket = Ticket { system: "ehr".to_owned(), number: Phi::new(TICKET.to_owned()) };
    let order = TaskOrder {
        id: db.id(),
        person,
        role: "manager".parse().unwrap(),
        kind,
        ticket: kind.is_support().then_some(ticket),
        patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
        minutes: 60,
        justification: Phi::new(WORDS.to_owned()),
    };
    let approvers = ["privacy_officer".parse().unwrap(), "auditor".parse().unwrap()].into();
    let rule = TaskRule { approvers, minutes_max: 60, idle_minutes: 10, decide_hours: 2, step_up: true };
    AccessTask::submit(order, rule, None, at(0)).unwrap()
}

fn officer(person: Id<Person>) -> TaskApprover {
    let roles = ["privacy_officer".parse().unwrap()].into();
    TaskApprover { person, roles, is_vouched_for: false, stepped_up: true }
}

async fn stored(db: &TestDb, task: &AccessTask) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_task(&mut tx, task).await?;
    db.commit(tx, Subject::Person(task.order.person)).await.map(drop)
}

async fn changed(db: &TestDb, task: &AccessTask, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_task(&mut tx, task, version).await?;
    db.commit(tx, Subject::Person(task.order.person)).await.map(drop)
}

async fn found(db: &TestDb, id: Id<AccessTask>) -> AccessTask {
    find_task(&mut db.read().await, id).await.unwrap().unwrap()
}

/// Approved and begun at second 60.
async fn active(db: &TestDb, people: [Id<Person>; 3], kind: TaskKind) -> AccessTask {
    let task = task(db, people[0], kind, &["a-canary", "b"]);
    stored(db, &task).await.unwrap();
    let task = task.approve(&officer(people[2]), at(30)).unwrap();
    changed(db, &task, 1).await.unwrap();
    let task = task.begin(people[0], at(60)).unwrap();
    changed(db, &task, 2).await.unwrap();
    found(db, task.order.id).await
}

async fn open(db: &TestDb, person: Id<Person>, now: Timestamp) -> Vec<Id<AccessTask>> {
    open_tasks(&mut db.read().await, person, now).await.unwrap().iter().map(|held| held.id).collect()
}

#[tokio::test]
async fn a_task_goes_its_way_and_opens_while_it_is_active_alone() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let asked = task(db, people[0], TaskKind::RemoteSupport, &["a-canary", "b"]);
        let id = asked.order.id;
        assert_eq!(find_task(&mut db.read().await, id).await.unwrap(), None);
        stored(db, &asked).await.unwrap();
        assert_eq!(found(db, id).await, asked);
        let approved = asked.approve(&officer(people[2]), at(30)).unwrap();
        changed(db, &approved, 1).await.unwrap();
        assert_eq!(found(db, id).await, AccessTask { version: 2, ..approved.clone() });
        assert_eq!(open(db, people[0], at(40)).await, []);
        let late = changed(db, &approved, 1).await;
        assert!(matches!(late, Err(StoreError::RowsAffected { .. })), "{late:?}");
        let begun = approved.begin(people[0], at(60)).unwrap();
        changed(db, &begun, 2).await.unwrap();
        assert_eq!(open(db, people[0], at(60)).await, [id]);
        let access = load_access(&mut db.read().await, people[0], at(60)).await.unwrap().unwrap();
        assert_eq!(access.tasks[0].patients.len(), 2);
        assert_eq!((access.tasks[0].window.ends_at(), access.tasks[0].system.as_deref()), (at(660), Some("ehr")));
        // Its end by the clock holds without a job.
        assert_eq!(open(db, people[0], at(659)).await, [id]);
        assert_eq!(open(db, people[0], at(660)).await, []);
        let seen = begun.see(at(600)).unwrap();
        changed(db, &seen, 3).await.unwrap();
        assert_eq!(open(db, people[0], at(1_199)).await, [id]);
        let killed = seen.end(people[2], TaskEnd::Killed, at(700)).unwrap();
        changed(db, &killed, 4).await.unwrap();
        assert_eq!(open(db, people[0], at(701)).await, []);
        let recording = Recording::new("vault://canary-recording", &"ab".repeat(32)).unwrap();
        let recorded = killed.record(people[0], recording.clone(), at(800)).unwrap();
        changed(db, &recorded, 5).await.unwrap();
        assert_eq!(found(db, id).await, AccessTask { version: 6, ..recorded.clone() });
        // A recording that was handed in stays.
        let TaskState::Ended { approval, began_at, ended, .. } = recorded.state else { panic!("not ended") };
        for recording in [None, Some(Recording { sha256: [1; 32], ..recording })] {
            let state = TaskState::Ended { approval, began_at, ended, recording };
            let refused = changed(db, &AccessTask { state, ..recorded.clone() }, 6).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        for needle in ["Complaint 2026", TICKET, "a-canary", "canary-recording"] {
            assert!(!db.holds(needle.as_bytes()).await, "{needle}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_table_holds_no_illegal_task() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let asked = task(db, people[0], TaskKind::Complaint, &["a"]);
        let begun = asked.clone().approve(&officer(people[2]), at(1)).unwrap();
        let begun = begun.begin(people[0], at(2)).unwrap();
        assert!(matches!(stored(db, &begun).await, Err(StoreError::Refused(_))));
        stored(db, &asked).await.unwrap();
        assert!(matches!(stored(db, &asked).await, Err(StoreError::Conflict(_))));
        // Not begun before it is approved, and not approved by who asks.
        let refused = async |state: TaskState, of: &AccessTask, version| {
            let found = changed(db, &AccessTask { state, ..of.clone() }, version).await;
            assert!(matches!(found, Err(StoreError::Refused(_))), "{found:?}");
        };
        refused(begun.state.clone(), &asked, 1).await;
        let own = scruple_flow::TaskApproval { by: people[0], at: at(1) };
        refused(TaskState::Approved(own), &asked, 1).await;
        let comment = Phi::new(WORDS.to_owned());
        refused(TaskState::Denied { by: people[0], at: at(1), comment }, &asked, 1).await;
        // Never beyond its limit, and over once.
        let task = active(db, people, TaskKind::RemoteSupport).await;
        let TaskState::Active { approval, began_at, .. } = task.state.clone() else { panic!("not active") };
        let over = |seconds, cause, by| TaskState::Ended {
            approval,
            began_at,
            ended: TaskEnded { at: at(seconds), cause, by },
            recording: None,
        };
        refused(over(60 + 3_601, TaskEnd::Limit, None), &task, 3).await;
        refused(over(50, TaskEnd::Killed, Some(people[2])), &task, 3).await;
        refused(over(70, TaskEnd::Closed, Some(people[0])), &task, 3).await;
        refused(over(70, TaskEnd::Killed, None), &task, 3).await;
        refused(over(70, TaskEnd::Idle, Some(people[2])), &task, 3).await;
        refused(TaskState::Active { approval, began_at: at(61), seen_at: at(61) }, &task, 3).await;
        refused(TaskState::Active { approval, began_at, seen_at: at(59) }, &task, 3).await;
        changed(db, &AccessTask { state: over(660, TaskEnd::Idle, None), ..task.clone() }, 3).await.unwrap();
        refused(TaskState::Active { approval, began_at, seen_at: at(700) }, &task, 4).await;
        refused(over(700, TaskEnd::Killed, Some(people[2])), &task, 4).await;
        for sql in [
            "DELETE FROM access_task",
            "DELETE FROM task_patient",
            "UPDATE task_patient SET patient_blind = patient_sealed",
            "UPDATE access_task SET minutes_max = 600, minutes = 600",
            "UPDATE access_task SET role = 'physician'",
        ] {
            assert!(db.raw(sql).await.is_err(), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn tasks_are_found_by_person_ticket_and_patient() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let complaint = task(db, people[0], TaskKind::Complaint, &["a"]);
        let support = task(db, people[1], TaskKind::Support, &["a", "b"]);
        for task in [&complaint, &support] {
            stored(db, task).await.unwrap();
        }
        let [first, second] = [complaint.order.id, support.order.id];
        let ids = |tasks: Result<Vec<AccessTask>, StoreError>| -> Vec<Id<AccessTask>> {
            tasks.unwrap().iter().map(|task| task.order.id).collect()
        };
        assert_eq!(ids(list_tasks_of(&mut db.read().await, people[0], None).await), [first]);
        assert_eq!(ids(list_tasks_of(&mut db.read().await, people[0], Some(first)).await), []);
        assert_eq!(ids(list_tasks(&mut db.read().await, None).await), [second, first]);
        assert_eq!(ids(list_tasks(&mut db.read().await, Some(second)).await), [first]);
        assert_eq!(ids(list_open_tasks(&mut db.read().await, None).await), [first, second]);
        assert_eq!(ids(open_tasks_of(&mut db.read().await, people[0]).await), [first]);
        assert_eq!(ids(open_tasks_of(&mut db.read().await, people[1]).await), [second]);
        assert_eq!(ids(list_open_tasks(&mut db.read().await, Some(first)).await), [second]);
        let ticket = Phi::new(TICKET.to_owned());
        assert_eq!(ids(list_tasks_of_ticket(&mut db.read().await, &ticket).await), [second]);
        assert_eq!(ids(list_tasks_of_ticket(&mut db.read().await, &Phi::new("INC-1".to_owned())).await), []);
        let [a, b] = ["a", "b"].map(|id| id.parse().unwrap());
        assert_eq!(ids(list_tasks_of_patient(&mut db.read().await, &a, None).await), [second, first]);
        assert_eq!(ids(list_tasks_of_patient(&mut db.read().await, &b, Some(second)).await), []);
        let cancelled = support.cancel(people[1], at(5)).unwrap();
        changed(db, &cancelled, 1).await.unwrap();
        assert_eq!(found(db, second).await, AccessTask { version: 2, ..cancelled });
        assert_eq!(ids(list_tasks_of_ticket(&mut db.read().await, &ticket).await), []);
        assert_eq!(ids(list_open_tasks(&mut db.read().await, None).await), [first]);
        assert_eq!(ids(open_tasks_of(&mut db.read().await, people[1]).await), []);
    })
    .await;
}

#[tokio::test]
async fn a_field_is_unmasked_under_an_active_support_task_of_its_patient_for_minutes() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let support = active(db, people, TaskKind::Support).await;
        let unmask = |task: &AccessTask, patient: &str, seconds: i64| Unmask {
            id: db.id(),
            task: task.order.id,
            patient: patient.parse().unwrap(),
            category: "id_name".to_owned(),
            reason: Phi::new("The accent in the name breaks the interface".to_owned()),
            window: Window::new(at(100), at(100 + seconds)).unwrap(),
        };
        let put = async |unmask: &Unmask| {
            let mut tx = db.begin().await;
            insert_unmask(&mut tx, unmask).await?;
            db.commit(tx, Subject::Person(people[0])).await.map(drop)
        };
        let one = unmask(&support, "a-canary", 600);
        put(&one).await.unwrap();
        let shown = list_unmasks(&mut db.read().await, support.order.id, at(699)).await.unwrap();
        assert_eq!(shown, std::slice::from_ref(&one));
        assert_eq!(list_unmasks(&mut db.read().await, support.order.id, at(700)).await.unwrap(), []);
        let complaint = active(db, people, TaskKind::Complaint).await;
        let asked = task(db, people[0], TaskKind::Support, &["a-canary"]);
        stored(db, &asked).await.unwrap();
        for wrong in [
            unmask(&support, "a-canary", 601),
            unmask(&support, "c", 60),
            unmask(&complaint, "a-canary", 60),
            unmask(&asked, "a-canary", 60),
        ] {
            let refused = put(&wrong).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        for sql in ["DELETE FROM task_unmask", "UPDATE task_unmask SET ends_at = ends_at + 1"] {
            assert!(db.raw(sql).await.is_err(), "{sql}");
        }
        assert!(!db.holds(b"The accent in the name").await);
    })
    .await;
}
