//! Every state of a version with every event, and who may make them.

use super::*;
use uuid::Uuid;

const WORDS: &str = "The coder has not opened notes in 90 days";

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T08:00:00Z").unwrap().plus_micros(seconds * 1_000_000)
}

fn words() -> Phi<String> {
    Phi::new(WORDS.to_owned())
}

fn case() -> PackCase {
    let base = Some(PackHash([1; 32]));
    PackCase { base, changed: BTreeSet::from(["coder".to_owned()]), replay: "{}".to_owned(), at: at(2) }
}

/// Person 1 has drafted it.
fn version(state: PackState) -> PackVersion {
    PackVersion {
        id: Id::from_uuid(Uuid::from_u128(100)),
        hash: PackHash([9; 32]),
        engine: "0.1.0".to_owned(),
        origin: PackOrigin::Person(person(1)),
        criteria: "a role is a job".to_owned(),
        rationale: Phi::new(String::new()),
        drafted_at: at(0),
        checked_at: None,
        state,
        version: 1,
    }
}

fn reviewer(number: u128) -> PackReviewer {
    PackReviewer { person: person(number), is_vouched_for_by_drafter: false, stepped_up: true }
}

fn term() -> PackTerm {
    let approval = PackApproval { by: person(2), at: at(3) };
    PackTerm { decided: Some((case(), approval)), by: Some(person(3)), since: at(4) }
}

fn states() -> Vec<PackState> {
    let by = PackApproval { by: person(2), at: at(3) };
    vec![
        PackState::Draft,
        PackState::Checked { at: at(1) },
        PackState::Proposed(case()),
        PackState::Approved(case(), by),
        PackState::Refused { case: case(), by, comment: words() },
        PackState::Withdrawn { at: at(3) },
        PackState::Active(term()),
        PackState::Superseded { term: term(), until: at(5) },
    ]
}

#[test]
fn every_state_with_every_event() {
    let ends = |found: Result<PackVersion, PackError>| match found {
        Ok(version) => version.state.code(),
        Err(error) if error.code() == "invalid_policy_state" => "-",
        Err(error) => error.code(),
    };
    let mut table = String::new();
    for state in states() {
        let here = || version(state.clone());
        let row = [
            ends(here().check(at(6))),
            ends(here().propose(person(1), words(), case())),
            ends(here().approve(&reviewer(2), at(6))),
            ends(here().refuse(&reviewer(2), words(), at(6))),
            ends(here().withdraw(person(1), at(6))),
            ends(here().activate(person(3), Some(PackHash([1; 32])), at(6))),
            ends(here().supersede(at(6))),
        ];
        table.push_str(&format!("{}: {}\n", state.code(), row.join(" ")));
    }
    // check, propose, approve, refuse, withdraw, activate, supersede
    let expected = "\
draft: checked - - - withdrawn - -
checked: - proposed - - withdrawn - -
proposed: - - approved refused withdrawn - -
approved: - - - - withdrawn active -
refused: - - - - - - -
withdrawn: - - - - - - -
active: - - - - - - superseded
superseded: - - - - - - -
";
    assert_eq!(table, expected);
}

#[test]
fn who_drafted_it_does_not_decide_nor_whom_he_alone_has_vouched_for() {
    let proposed = || version(PackState::Proposed(case()));
    assert_eq!(proposed().approve(&reviewer(1), at(6)).unwrap_err(), PackError::OwnProposal);
    assert_eq!(proposed().refuse(&reviewer(1), words(), at(6)).unwrap_err(), PackError::OwnProposal);
    let puppet = PackReviewer { is_vouched_for_by_drafter: true, ..reviewer(2) };
    assert_eq!(proposed().approve(&puppet, at(6)).unwrap_err(), PackError::OwnProposal);
    let unconfirmed = PackReviewer { stepped_up: false, ..reviewer(2) };
    assert_eq!(proposed().approve(&unconfirmed, at(6)).unwrap_err(), PackError::StepUp);
    assert_eq!(proposed().refuse(&unconfirmed, words(), at(6)).unwrap_err(), PackError::StepUp);
}

#[test]
fn it_is_handed_in_and_taken_back_by_who_drafted_it_with_a_reason() {
    let checked = || version(PackState::Checked { at: at(1) });
    assert_eq!(checked().propose(person(2), words(), case()).unwrap_err(), PackError::NotYours);
    let short = checked().propose(person(1), Phi::new("test".to_owned()), case());
    assert_eq!(short.unwrap_err(), PackError::Reason(WeakReason::Short));
    assert_eq!(checked().withdraw(person(2), at(6)).unwrap_err(), PackError::NotYours);
    let shipped = PackVersion { origin: PackOrigin::Shipped, ..checked() };
    assert_eq!(shipped.propose(person(1), words(), case()).unwrap_err(), PackError::NotYours);
}

#[test]
fn what_was_decided_on_is_what_is_activated_or_nothing() {
    let approved = || version(PackState::Approved(case(), PackApproval { by: person(2), at: at(3) }));
    for other in [None, Some(PackHash([2; 32]))] {
        assert_eq!(approved().activate(person(1), other, at(6)).unwrap_err(), PackError::BaseChanged);
    }
    // Two people have agreed already: either of them may carry it out.
    let active = approved().activate(person(1), Some(PackHash([1; 32])), at(6)).unwrap();
    let PackState::Active(term) = active.state else { panic!("{:?}", active.state) };
    assert_eq!((term.by, term.since), (Some(person(1)), at(6)));
    assert_eq!(term.decided.unwrap().1.by, person(2));
}
