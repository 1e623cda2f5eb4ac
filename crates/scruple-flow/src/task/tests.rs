//! Every state of a task with every event, and who may make them.

use super::*;
use uuid::Uuid;

const WORDS: &str = "Complaint 2026-118 about waiting in triage";

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T08:00:00Z").unwrap().plus_micros(minutes * MINUTE_MICROS)
}

fn rule() -> TaskRule {
    TaskRule {
        approvers: ["privacy_officer".parse().unwrap()].into(),
        minutes_max: 60,
        idle_minutes: 10,
        decide_hours: 2,
        step_up: false,
    }
}

/// Person 1 asks.
fn order(kind: TaskKind) -> TaskOrder {
    let ticket = Ticket { system: "ehr".to_owned(), number: Phi::new("INC-4711".to_owned()) };
    TaskOrder {
        id: Id::from_uuid(Uuid::from_u128(100)),
        person: person(1),
        role: "manager".parse().unwrap(),
        kind,
        ticket: kind.is_support().then_some(ticket),
        patients: ["a".parse().unwrap(), "b".parse().unwrap()].into(),
        minutes: 60,
        justification: Phi::new(WORDS.to_owned()),
    }
}

fn task(kind: TaskKind, state: TaskState) -> AccessTask {
    AccessTask { state, ..AccessTask::submit(order(kind), rule(), None, at(0)).unwrap() }
}

fn recording() -> Recording {
    Recording::new("vault://sessions/4711", &"ab".repeat(32)).unwrap()
}

fn officer(number: u128) -> TaskApprover {
    let roles = ["privacy_officer".parse().unwrap()].into();
    TaskApprover { person: person(number), roles, is_vouched_for: false, stepped_up: false }
}

fn active(kind: TaskKind) -> AccessTask {
    task(kind, TaskState::Pending).approve(&officer(2), at(1)).unwrap().begin(person(1), at(2)).unwrap()
}

fn states() -> Vec<TaskState> {
    let approval = TaskApproval { by: person(2), at: at(1) };
    let ended = TaskEnded { at: at(3), cause: TaskEnd::Killed, by: Some(person(2)) };
    let over = |recording: Option<Recording>| TaskState::Ended { approval, began_at: at(2), ended, recording };
    vec![
        TaskState::Pending,
        TaskState::Approved(approval),
        TaskState::Active { approval, began_at: at(2), seen_at: at(2) },
        over(None),
        over(Some(recording())),
        TaskState::Denied { by: person(2), at: at(1), comment: Phi::new(WORDS.to_owned()) },
        TaskState::Expired { at: at(120) },
        TaskState::Cancelled { by: person(1), at: at(1) },
    ]
}

#[test]
fn every_state_with_every_event_in_time_and_after_it() {
    let ends = |found: Result<AccessTask, TaskError>| match found {
        Ok(task) => task.state.code(),
        Err(error) => error.code(),
    };
    let mut table = String::new();
    for minute in [5, 12, 200] {
        for (number, state) in states().into_iter().enumerate() {
            let of = |kind| task(kind, state.clone());
            let remote = TaskKind::RemoteSupport;
            let now = at(minute);
            let row = [
                ends(of(remote).approve(&officer(2), now)),
                ends(of(remote).deny(&officer(2), Phi::new(WORDS.to_owned()), now)),
                ends(of(remote).cancel(person(1), now)),
                ends(of(remote).begin(person(1), now)),
                ends(of(remote).see(now)),
                ends(of(remote).close(person(1), Some(recording()), now)),
                ends(of(remote).end(person(2), TaskEnd::Killed, now)),
                ends(of(remote).settle(now)),
                ends(of(remote).record(person(1), recording(), now)),
            ];
            let row = row.map(|cell| if cell == "invalid_task_state" { "-" } else { cell }).join(" ");
            table.push_str(&format!("{minute} {}{number}: {row}\n", state.code()));
        }
    }
    // approve, deny, cancel, begin, see, close, end, settle, record
    let expected = "\
5 pending0: approved denied cancelled - - - - - -
5 approved1: - - cancelled active - - - - -
5 active2: - - - - active ended ended - -
5 ended3: - - - - - - - - ended
5 ended4: - - - - - - - - -
5 denied5: - - - - - - - - -
5 expired6: - - - - - - - - -
5 cancelled7: - - - - - - - - -
12 pending0: approved denied cancelled - - - - - -
12 approved1: - - cancelled active - - - - -
12 active2: - - - - - - - ended ended
12 ended3: - - - - - - - - ended
12 ended4: - - - - - - - - -
12 denied5: - - - - - - - - -
12 expired6: - - - - - - - - -
12 cancelled7: - - - - - - - - -
200 pending0: - - - - - - - expired -
200 approved1: - - - - - - - expired -
200 active2: - - - - - - - ended ended
200 ended3: - - - - - - - - ended
200 ended4: - - - - - - - - -
200 denied5: - - - - - - - - -
200 expired6: - - - - - - - - -
200 cancelled7: - - - - - - - - -
";
    assert_eq!(table, expected);
}

#[test]
fn who_asks_never_decides_and_somebody_whom_he_vouched_for_neither() {
    let pending = || task(TaskKind::Complaint, TaskState::Pending);
    let no = |by: &TaskApprover| pending().approve(by, at(1)).unwrap_err();
    assert_eq!(no(&officer(1)), TaskError::OwnTask);
    assert_eq!(no(&TaskApprover { is_vouched_for: true, ..officer(2) }), TaskError::OwnTask);
    assert_eq!(no(&TaskApprover { roles: ["manager".parse().unwrap()].into(), ..officer(2) }), TaskError::NotEligible);
    assert_eq!(no(&TaskApprover { roles: BTreeSet::new(), ..officer(2) }), TaskError::NotEligible);
    let denied = pending().deny(&officer(1), Phi::new(WORDS.to_owned()), at(1));
    assert_eq!(denied.unwrap_err(), TaskError::OwnTask);
    let mut careful = pending();
    careful.rule.step_up = true;
    assert_eq!(careful.clone().approve(&officer(2), at(1)).unwrap_err(), TaskError::StepUp);
    assert!(careful.approve(&TaskApprover { stepped_up: true, ..officer(2) }, at(1)).is_ok());
    // Nobody else begins it, closes it or hands in its recording.
    let approved = pending().approve(&officer(2), at(1)).unwrap();
    assert_eq!(approved.begin(person(2), at(2)).unwrap_err(), TaskError::NotYours);
    let remote = || active(TaskKind::RemoteSupport);
    assert_eq!(remote().close(person(2), Some(recording()), at(3)).unwrap_err(), TaskError::NotYours);
    let ended = remote().end(person(2), TaskEnd::Killed, at(3)).unwrap();
    assert_eq!(ended.record(person(2), recording(), at(4)).unwrap_err(), TaskError::NotYours);
}

#[test]
fn reading_puts_the_idle_end_off_and_never_the_limit() {
    let mut task = active(TaskKind::Support);
    assert_eq!(task.runs_out(), Some((at(12), TaskEnd::Idle)));
    assert!(!task.is_to_be_seen(at(3)) && task.is_to_be_seen(at(4)));
    for minute in (4..62).step_by(8) {
        task = task.see(at(minute)).unwrap();
    }
    assert_eq!(task.runs_out(), Some((at(62), TaskEnd::Limit)));
    // A clock that runs behind does not shorten it.
    assert_eq!(task.clone().see(at(5)).unwrap(), task);
    assert_eq!(task.window().unwrap().ends_at(), at(62));
    assert_eq!(task.clone().see(at(62)).unwrap_err().code(), "invalid_task_state");
    assert_eq!(task.state_at(at(62)).code(), "ended");
    assert_eq!(HeldTask::of(&task).unwrap().window.ends_at(), at(62));
    assert_eq!(HeldTask::of(&task.close(person(1), None, at(61)).unwrap()), None);
}

#[test]
fn a_task_opens_nothing_before_it_is_approved_and_begun() {
    let pending = task(TaskKind::Audit, TaskState::Pending);
    assert_eq!((pending.window(), HeldTask::of(&pending)), (None, None));
    let approved = pending.clone().approve(&officer(2), at(1)).unwrap();
    assert_eq!((approved.window(), HeldTask::of(&approved)), (None, None));
    assert_eq!(pending.begin(person(1), at(1)).unwrap_err().code(), "invalid_task_state");
    let held = HeldTask::of(&approved.begin(person(1), at(2)).unwrap()).unwrap();
    assert_eq!((held.window.starts_at(), held.patients.len()), (at(2), 2));
}

#[test]
fn a_remote_session_owes_its_recording_and_no_other_task_has_one() {
    let remote = || active(TaskKind::RemoteSupport);
    assert_eq!(remote().close(person(1), None, at(3)).unwrap_err(), TaskError::Recording);
    let local = active(TaskKind::Support).close(person(1), Some(recording()), at(3));
    assert_eq!(local.unwrap_err(), TaskError::Recording);
    let killed = remote().end(person(2), TaskEnd::Killed, at(3)).unwrap();
    assert!(killed.owes_recording(at(3)));
    assert!(!killed.record(person(1), recording(), at(4)).unwrap().owes_recording(at(4)));
    // Also where the clock has ended it and nobody wrote that down.
    assert!(!remote().owes_recording(at(11)) && remote().owes_recording(at(12)));
    let local = active(TaskKind::Support).end(person(2), TaskEnd::Killed, at(3)).unwrap();
    assert_eq!(local.record(person(1), recording(), at(4)).unwrap_err(), TaskError::Recording);
    let long = "x".repeat(RECORDING_BYTES_MAX + 1);
    for (place, digits) in [("", "ab"), ("x", "ab"), ("", &*"ab".repeat(32)), (&*long, &*"ab".repeat(32))] {
        assert_eq!(Recording::new(place, digits).unwrap_err(), TaskError::Recording);
    }
    assert_eq!(Recording::new("x", &"zz".repeat(32)).unwrap_err(), TaskError::Recording);
    assert_eq!(Recording::new("x", &"0A".repeat(32)).unwrap().digits(), "0a".repeat(32));
}

#[test]
fn support_is_bound_to_a_ticket_and_a_task_asks_for_a_bounded_time_with_a_reason() {
    let ask =
        |order: TaskOrder| AccessTask::submit(order, rule(), Some("The last reason that I gave"), at(0)).map(drop);
    let support = || order(TaskKind::Support);
    assert_eq!(ask(support()), Ok(()));
    assert_eq!(ask(TaskOrder { ticket: None, ..support() }), Err(TaskError::NoTicket));
    let long = "9".repeat(TICKET_BYTES_MAX + 1);
    for (system, number) in [("", "INC-1"), ("ehr", "  "), ("ehr", &long)] {
        let ticket = Ticket { system: system.to_owned(), number: Phi::new(number.to_owned()) };
        assert_eq!(ask(TaskOrder { ticket: Some(ticket), ..support() }), Err(TaskError::NoTicket));
    }
    let with_ticket = TaskOrder { ticket: support().ticket, ..order(TaskKind::Audit) };
    assert_eq!(ask(with_ticket), Err(TaskError::NoTicket));
    for minutes in [0, -1, 61] {
        assert_eq!(ask(TaskOrder { minutes, ..support() }), Err(TaskError::TooLong { minutes_max: 60 }));
    }
    assert_eq!(ask(TaskOrder { patients: BTreeSet::new(), ..support() }), Err(TaskError::Patients));
    let many = (0..=REQUEST_PATIENTS_MAX).map(|number| format!("p{number}").parse().unwrap()).collect();
    assert_eq!(ask(TaskOrder { patients: many, ..support() }), Err(TaskError::Patients));
    for (words, weak) in [("test", WeakReason::Short), ("the last reason that I gave", WeakReason::SameAsLast)] {
        let order = TaskOrder { justification: Phi::new(words.to_owned()), ..support() };
        assert_eq!(ask(order), Err(TaskError::Reason(weak)));
    }
    let nobody = TaskRule { approvers: BTreeSet::new(), ..rule() };
    assert_eq!(AccessTask::submit(support(), nobody, None, at(0)).unwrap_err(), TaskError::NoRule);
}
