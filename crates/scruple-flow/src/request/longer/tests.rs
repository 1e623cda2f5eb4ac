//! Silence and extensions, each at its instant.

use super::super::tests::{WORDS, approver, at, person, request, role};
use super::*;
use crate::request::{Approval, RequestError};
use scruple_core::Phi;
use uuid::Uuid;

/// Handed in at hour 0, to be decided by hour 4; the backup of both is the administrator, from hour 2 on.
fn escalating() -> AccessRequest {
    let mut draft = request(RequestState::Draft);
    draft.rule.backup = Some(Backup { kind: role("administrator"), after_hours: 2 });
    draft.submit(None, at(0)).unwrap()
}

#[test]
fn who_does_not_answer_is_joined_by_a_backup_and_silence_ends_as_a_no_each_at_its_instant() {
    let administrator = approver(7, &[role("administrator")]);
    let just = |hours: i64, micros: i64| at(hours).plus_micros(micros);
    let said = |when: Timestamp| {
        let asked = escalating();
        let yes = asked.clone().approve(&administrator, None, when).map(|request| request.open_needs().len());
        let no = asked.clone().deny(&administrator, Phi::new(WORDS.to_owned()), when);
        (asked.state_at(when).code(), yes.map_err(RequestError::code), no.map(drop).map_err(RequestError::code))
    };
    let not_yet = Err("approver_not_eligible");
    let over = Err("invalid_task_state");
    assert_eq!(said(at(0)), ("pending", not_yet, Err("approver_not_eligible")));
    assert_eq!(said(just(2, -1)), ("pending", not_yet, Err("approver_not_eligible")));
    // He answers for one of the two, and the other is still needed.
    assert_eq!(said(at(2)), ("pending", Ok(1), Ok(())));
    assert_eq!(said(just(4, -1)), ("pending", Ok(1), Ok(())));
    assert_eq!(said(at(4)), ("expired", over, Err("invalid_task_state")));
}

#[test]
fn a_backup_is_a_second_person_too_and_answers_once() {
    let both = [role("administrator"), ApproverKind::LineManager];
    let once = escalating().approve(&approver(7, &both), None, at(2)).unwrap();
    // In his own capacity first: the privacy office is what is left.
    assert_eq!(once.open_needs(), [&role("privacy_officer")]);
    assert_eq!(once.clone().approve(&approver(7, &both), None, at(3)).unwrap_err(), RequestError::Twice);
    let own = approver(1, &both);
    assert_eq!(once.clone().approve(&own, None, at(3)).unwrap_err(), RequestError::OwnRequest);
    let other = once.approve(&approver(8, &[role("administrator")]), None, at(3)).unwrap();
    assert_eq!(other.state.code(), "approved");
}

#[test]
fn where_the_time_is_over_before_it_escalates_nobody_joins() {
    let mut draft = request(RequestState::Draft);
    draft.rule.backup = Some(Backup { kind: role("administrator"), after_hours: 4 });
    let asked = draft.submit(None, at(0)).unwrap();
    assert_eq!((asked.escalates_at(), asked.backup_at(at(9))), (None, None));
}

/// Approved for the hours 0 to 8, or prolonged so often since hour -8 or so.
fn standing(extends: Option<Extended>) -> AccessRequest {
    let one = Approval { by: person(2), acting_for: None, kind: ApproverKind::LineManager, at: at(0) };
    AccessRequest { extends, ..request(RequestState::Approved { approvals: vec![one], at: at(0) }) }
}

#[test]
fn access_is_prolonged_in_its_last_part_twice_and_within_its_cap() {
    let rule = ExtensionRule { count_max: 2, last_part: 4, times: 2 };
    let first = standing(None);
    let prolonged = |request: &AccessRequest, until: i64, hour: i64| request.extended(at(until), (rule, 8), at(hour));
    assert_eq!(first.extended_from(rule), at(6));
    assert_eq!(prolonged(&first, 12, 5), Err(RequestError::TooEarly { from: at(6) }));
    let one = Extended { request: first.id, number: 1, since: at(0) };
    assert_eq!(prolonged(&first, 12, 6), Ok(one));
    // Twice eight hours in all, since the first of them began.
    let cap = RequestError::Cap { count_max: 2, hours_max: 16 };
    assert_eq!(prolonged(&first, 16, 7), Ok(one));
    assert_eq!(prolonged(&first, 17, 7), Err(cap));
    // Not once it is over, and not to what is less.
    assert_eq!(prolonged(&first, 12, 8), Err(RequestError::NotStanding));
    assert_eq!(prolonged(&first, 8, 7), Err(RequestError::NotStanding));
    let second = standing(Some(one));
    assert_eq!(prolonged(&second, 12, 7), Ok(Extended { request: second.id, number: 2, since: at(0) }));
    let third = standing(Some(Extended { request: Id::from_uuid(Uuid::from_u128(1)), number: 2, since: at(0) }));
    assert_eq!(prolonged(&third, 9, 7), Err(cap), "the third");
    for state in [
        RequestState::Pending { approvals: Vec::new() },
        RequestState::Expired { at: at(4) },
        RequestState::Denied { by: person(2), at: at(1), comment: Phi::new(WORDS.to_owned()) },
        RequestState::Failed { at: at(1) },
    ] {
        assert_eq!(prolonged(&request(state), 12, 7), Err(RequestError::NotStanding));
    }
}
