//! Every state of a request with every event, and who may make them.

use super::*;
use crate::{Kinds, RequestTask};
use uuid::Uuid;

pub(super) const WORDS: &str = "Peer review of the March falls, case 4711";

pub(super) fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

pub(super) fn at(hours: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T08:00:00Z").unwrap().plus_micros(hours * HOUR_MICROS)
}

pub(super) fn role(code: &str) -> ApproverKind {
    ApproverKind::Role(code.parse().unwrap())
}

pub(super) fn wanted(patients: &[&str], hours: (i64, i64)) -> Wanted {
    Wanted {
        role: "quality_analyst".parse().unwrap(),
        purpose: Some("PATSFTY".to_owned()),
        patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
        task: RequestTask::Quality,
        kinds: if patients.is_empty() { Kinds::Whole } else { "labs vitals".parse().unwrap() },
        window: Window::new(at(hours.0), at(hours.1)).unwrap(),
    }
}

/// Person 1 asks for himself; his manager (2) and the privacy office (3) must agree.
pub(super) fn request(state: RequestState) -> AccessRequest {
    AccessRequest {
        id: Id::from_uuid(Uuid::from_u128(100)),
        person: person(1),
        requested_by: person(1),
        wanted: wanted(&["a", "b"], (0, 8)),
        justification: Phi::new(WORDS.to_owned()),
        ticket: None,
        rule: ApprovalRule {
            needs: vec![ApproverKind::LineManager, role("privacy_officer")],
            hours_max: 8,
            decide_hours: 4,
            step_up: false,
            backup: None,
        },
        submitted_at: at(0),
        decide_by: at(4),
        extends: None,
        acknowledged: None,
        state,
        version: 1,
    }
}

pub(super) fn approver(number: u128, kinds: &[ApproverKind]) -> Approver {
    Approver { person: person(number), acting_for: None, kinds: kinds.iter().cloned().collect(), stepped_up: false }
}

fn pending() -> AccessRequest {
    request(RequestState::Draft).submit(None, at(0)).unwrap()
}

fn states() -> Vec<RequestState> {
    let one = Approval { by: person(2), acting_for: None, kind: ApproverKind::LineManager, at: at(1) };
    vec![
        RequestState::Draft,
        RequestState::Pending { approvals: Vec::new() },
        RequestState::Pending { approvals: vec![one.clone()] },
        RequestState::Approved { approvals: vec![one], at: at(1) },
        RequestState::Denied { by: person(2), at: at(1), comment: Phi::new(WORDS.to_owned()) },
        RequestState::Expired { at: at(4) },
        RequestState::Cancelled { by: person(1), at: at(1) },
        RequestState::Failed { at: at(1) },
    ]
}

#[test]
fn every_state_with_every_event_in_time_and_after_it() {
    let privacy = approver(3, &[role("privacy_officer")]);
    let ends = |found: Result<AccessRequest, RequestError>| match found {
        Ok(request) => request.state.code(),
        Err(error) => error.code(),
    };
    let mut table = String::new();
    for hour in [2, 4] {
        for state in states() {
            let count = if let RequestState::Pending { approvals } = &state { approvals.len() } else { 0 };
            let row = [
                ends(request(state.clone()).submit(None, at(hour))),
                ends(request(state.clone()).approve(&privacy, None, at(hour))),
                ends(request(state.clone()).deny(&privacy, Phi::new(WORDS.to_owned()), at(hour))),
                ends(request(state.clone()).cancel(person(1), at(hour))),
                ends(request(state.clone()).expire(at(hour))),
                ends(request(state.clone()).fail(at(hour))),
            ];
            let row = row.map(|cell| if cell == "invalid_task_state" { "-" } else { cell }).join(" ");
            table.push_str(&format!("{hour} {}{count}: {row}\n", state.code()));
        }
    }
    // submit, approve, deny, cancel, expire, fail
    let expected = "\
2 draft0: pending - - cancelled - -
2 pending0: - pending denied cancelled - -
2 pending1: - approved denied cancelled - -
2 approved0: - - - - - failed
2 denied0: - - - - - -
2 expired0: - - - - - -
2 cancelled0: - - - - - -
2 failed0: - - - - - -
4 draft0: pending - - cancelled - -
4 pending0: - - - - expired -
4 pending1: - - - - expired -
4 approved0: - - - - - failed
4 denied0: - - - - - -
4 expired0: - - - - - -
4 cancelled0: - - - - - -
4 failed0: - - - - - -
";
    assert_eq!(table, expected);
}

#[test]
fn who_asks_or_gets_never_decides_in_his_own_name_or_in_another_s() {
    let on_behalf = AccessRequest { requested_by: person(9), ..pending() };
    let both = [ApproverKind::LineManager, role("privacy_officer")];
    let stands =
        |who: u128, for_whom: Option<u128>| Approver { acting_for: for_whom.map(person), ..approver(who, &both) };
    for (who, for_whom) in [(1, None), (9, None), (1, Some(2)), (9, Some(2)), (2, Some(1)), (2, Some(9))] {
        let by = stands(who, for_whom);
        assert_eq!(on_behalf.clone().approve(&by, None, at(1)).unwrap_err(), RequestError::OwnRequest);
        let denied = on_behalf.clone().deny(&by, Phi::new(WORDS.to_owned()), at(1));
        assert_eq!(denied.unwrap_err(), RequestError::OwnRequest);
    }
    assert!(on_behalf.approve(&stands(2, Some(5)), None, at(1)).is_ok());
}

#[test]
fn each_approval_is_another_person_s_in_a_capacity_that_is_still_needed() {
    let both = [ApproverKind::LineManager, role("privacy_officer")];
    let once = pending().approve(&approver(2, &both), None, at(1)).unwrap();
    assert_eq!(once.state.code(), "pending");
    assert_eq!(once.open_needs(), [&role("privacy_officer")]);
    let again = |by: Approver| once.clone().approve(&by, None, at(2)).map(|request| request.state.code());
    assert_eq!(again(approver(2, &both)), Err(RequestError::Twice));
    assert_eq!(again(Approver { acting_for: Some(person(2)), ..approver(5, &both) }), Err(RequestError::Twice));
    assert_eq!(again(approver(4, &[ApproverKind::LineManager])), Err(RequestError::NotEligible));
    assert_eq!(again(approver(4, &[role("nurse")])), Err(RequestError::NotEligible));
    assert_eq!(again(approver(4, &[])), Err(RequestError::NotEligible));
    assert_eq!(again(approver(3, &[role("privacy_officer")])), Ok("approved"));
}

#[test]
fn an_approval_narrows_and_never_widens() {
    let manager = approver(2, &[ApproverKind::LineManager]);
    let narrowed = |to: Wanted| pending().approve(&manager, Some(to), at(1)).map(|request| request.wanted);
    let fewer = wanted(&["a"], (0, 4));
    assert_eq!(narrowed(fewer.clone()), Ok(fewer));
    let other_role = Wanted { role: "physician".parse().unwrap(), ..wanted(&["a"], (0, 8)) };
    let any_purpose = Wanted { purpose: None, ..wanted(&["a"], (0, 8)) };
    let of = |kinds: &str| Wanted { kinds: kinds.parse().unwrap(), ..wanted(&["a"], (0, 8)) };
    let other_task = Wanted { task: RequestTask::Research, ..wanted(&["a"], (0, 8)) };
    assert_eq!(narrowed(of("labs")), Ok(of("labs")));
    for wider in [
        wanted(&["a", "c"], (0, 8)),
        wanted(&[], (0, 8)),
        wanted(&["a"], (0, 9)),
        wanted(&["a"], (-1, 8)),
        other_role,
        any_purpose,
        other_task,
        of("labs vitals segment:hiv"),
        of("documents"),
        of("*"),
    ] {
        assert_eq!(narrowed(wider), Err(RequestError::Wider));
    }
    assert_eq!(narrowed(wanted(&["a"], (0, 1))), Err(RequestError::Over));
    // A role is given whole, or not at all.
    let of_role = AccessRequest { wanted: wanted(&[], (0, 8)), ..pending() };
    let labs_alone = Wanted { kinds: "labs".parse().unwrap(), ..wanted(&[], (0, 8)) };
    assert_eq!(of_role.approve(&manager, Some(labs_alone), at(1)).unwrap_err(), RequestError::KindsOfNobody);
}

#[test]
fn a_request_asks_for_a_bounded_time_with_a_reason() {
    let draft = |wanted: Wanted, words: &str| AccessRequest {
        wanted,
        justification: Phi::new(words.to_owned()),
        ..request(RequestState::Draft)
    };
    let handed_in = |wanted, words| draft(wanted, words).submit(Some("The last reason that I gave"), at(0));
    assert_eq!(handed_in(wanted(&["a"], (0, 9)), WORDS).unwrap_err(), RequestError::TooLong { hours_max: 8 });
    assert_eq!(handed_in(wanted(&["a"], (-9, 0)), WORDS).unwrap_err(), RequestError::Over);
    // The time before now does not count against it.
    assert!(handed_in(wanted(&["a"], (-9, 8)), WORDS).is_ok());
    assert_eq!(handed_in(wanted(&["a"], (0, 8)), "test").unwrap_err(), RequestError::Reason(WeakReason::Short));
    let same = handed_in(wanted(&["a"], (0, 8)), "the last reason that I gave");
    assert_eq!(same.unwrap_err(), RequestError::Reason(WeakReason::SameAsLast));
    let many: Vec<String> = (0..=REQUEST_PATIENTS_MAX).map(|number| format!("p{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(handed_in(wanted(&many, (0, 8)), WORDS).unwrap_err(), RequestError::TooManyPatients);
    let kinds_alone = Wanted { kinds: "labs".parse().unwrap(), ..wanted(&[], (0, 8)) };
    assert_eq!(handed_in(kinds_alone, WORDS).unwrap_err(), RequestError::KindsOfNobody);
    let no_rule = |needs: Vec<ApproverKind>| {
        let draft = draft(wanted(&["a"], (0, 8)), WORDS);
        let rule = ApprovalRule { needs, ..draft.rule.clone() };
        AccessRequest { rule, ..draft }.submit(None, at(0)).map(drop)
    };
    assert_eq!(no_rule(Vec::new()), Err(RequestError::NoRule));
    assert_eq!(no_rule(vec![ApproverKind::LineManager; APPROVALS_MAX + 1]), Err(RequestError::NoRule));
    // It cannot be decided after what it asks for is over.
    assert_eq!(draft(wanted(&["a"], (0, 2)), WORDS).submit(None, at(0)).unwrap().decide_by, at(2));
}

#[test]
fn where_the_policy_asks_for_it_an_approver_confirms_first_that_it_is_he() {
    let mut asked = pending();
    asked.rule.step_up = true;
    let manager = approver(2, &[ApproverKind::LineManager]);
    assert_eq!(asked.clone().approve(&manager, None, at(1)).unwrap_err(), RequestError::StepUp);
    assert!(asked.approve(&Approver { stepped_up: true, ..manager }, None, at(1)).is_ok());
}

#[test]
fn a_request_is_taken_back_by_who_asked_or_would_get_it_alone() {
    let on_behalf = AccessRequest { requested_by: person(9), ..pending() };
    assert!(on_behalf.clone().cancel(person(9), at(1)).is_ok());
    assert!(on_behalf.clone().cancel(person(1), at(1)).is_ok());
    assert_eq!(on_behalf.cancel(person(2), at(1)).unwrap_err(), RequestError::NotYours);
}
