//! Every state of a review with every event, and who may make them.

use super::*;
use crate::{ElevationKind, EmergencyReason, Kinds, Window};
use uuid::Uuid;

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

const WORDS: &str = "Resuscitation in room four, allergies were needed";

fn review(state: ReviewState) -> EmergencyReview {
    EmergencyReview {
        id: Id::from_uuid(Uuid::from_u128(1)),
        elevation: Id::from_uuid(Uuid::from_u128(2)),
        reader: person(10),
        opened_at: at(0),
        due_at: at(1_000),
        account: None,
        asked: None,
        state,
        version: 1,
    }
}

fn states() -> Vec<ReviewState> {
    let closed = |finding| {
        ReviewState::Closed(Verdict { finding, by: person(20), at: at(5), rationale: Phi::new(WORDS.to_owned()) })
    };
    let mut states = vec![ReviewState::Open, ReviewState::Asked { by: person(20), at: at(5) }];
    states.extend(Finding::ALL.map(closed));
    states
}

#[test]
fn every_state_with_every_event() {
    let reviewer = Reviewer { person: person(20), is_of_the_same_line: false };
    let words = || Phi::new(WORDS.to_owned());
    let mut table = String::new();
    for state in states() {
        let ends = |found: Result<EmergencyReview, ReviewError>| match found {
            Ok(review) => review.state.code(),
            Err(error) => error.code(),
        };
        let from = state.code();
        table.push_str(&format!("{from}: tell {}", ends(review(state.clone()).tell(person(10), words(), None, at(9)))));
        table.push_str(&format!(", ask {}", ends(review(state.clone()).ask(reviewer, words(), at(9)))));
        for finding in Finding::ALL {
            let closed = review(state.clone()).close(reviewer, finding, words(), at(9));
            table.push_str(&format!(", {} {}", finding.code(), ends(closed)));
        }
        table.push('\n');
    }
    let taken = "invalid_task_state";
    let closed = |name: &str| {
        format!("{name}: tell {taken}, ask {taken}, justified {taken}, unjustified {taken}, escalated {taken}\n")
    };
    let open = "justified justified, unjustified unjustified, escalated escalated\n";
    let expected = format!("open: tell open, ask asked, {open}asked: tell open, ask {taken}, {open}")
        + &["justified", "unjustified", "escalated"].map(closed).concat();
    assert_eq!(table, expected);
}

#[test]
fn neither_the_reader_nor_his_team_judges_and_nobody_speaks_for_him() {
    let words = || Phi::new(WORDS.to_owned());
    for (who, same) in [(10, false), (10, true), (20, true)] {
        let by = Reviewer { person: person(who), is_of_the_same_line: same };
        let closed = review(ReviewState::Open).close(by, Finding::Justified, words(), at(9));
        assert_eq!(closed.unwrap_err(), ReviewError::NotIndependent);
        assert_eq!(review(ReviewState::Open).ask(by, words(), at(9)).unwrap_err(), ReviewError::NotIndependent);
    }
    assert_eq!(
        review(ReviewState::Open).tell(person(20), words(), None, at(9)).unwrap_err(),
        ReviewError::NotTheReader
    );
}

#[test]
fn nothing_closes_without_a_sentence() {
    let reviewer = Reviewer { person: person(20), is_of_the_same_line: false };
    let closed = review(ReviewState::Open).close(reviewer, Finding::Justified, Phi::new("ok".to_owned()), at(9));
    assert_eq!(closed.unwrap_err(), ReviewError::Reason(WeakReason::Short));
    let told = review(ReviewState::Open).tell(person(10), Phi::new(WORDS.to_owned()), Some(WORDS), at(9));
    assert_eq!(told.unwrap_err(), ReviewError::Reason(WeakReason::SameAsLast));
}

#[test]
fn a_sentence_is_awaited_until_the_shift_ends_and_is_then_not_given() {
    let hours = |hours: i64| at(hours * 3_600);
    for (given, now, expected) in [
        (false, hours(0), Sentence::Owed { until: hours(12) }),
        (false, hours(12).plus_micros(-1), Sentence::Owed { until: hours(12) }),
        (false, hours(12), Sentence::NotGiven),
        (true, hours(0), Sentence::Given),
        (true, hours(40), Sentence::Given),
    ] {
        assert_eq!(Sentence::at(at(0), given, now), expected, "{given} {now}");
    }
    assert_eq!((Sentence::reminded(at(0)), Sentence::due(at(0))), (hours(11), hours(12)));
}

fn held(protected_at: Option<Timestamp>) -> HeldElevation {
    let review = Id::from_uuid(Uuid::from_u128(1));
    HeldElevation {
        id: Id::from_uuid(Uuid::from_u128(2)),
        person: person(10),
        role: "nurse".parse().unwrap(),
        purpose: None,
        patient: "p".parse().unwrap(),
        kinds: Kinds::Whole,
        kind: ElevationKind::Emergency { reason: EmergencyReason::TeamCalled, review },
        window: Window::new(at(0), at(100)).unwrap(),
        protected_at,
    }
}

#[test]
fn what_stands_alone_is_not_closed_together_with_others() {
    let reviewer = Reviewer { person: person(20), is_of_the_same_line: false };
    let words = || Phi::new(WORDS.to_owned());
    let open = || review(ReviewState::Open);
    let asked = open().ask(reviewer, words(), at(5)).unwrap();
    let answered = asked.clone().tell(person(10), words(), None, at(6)).unwrap();
    let before = review(ReviewState::Asked { by: person(20), at: at(5) });
    let closed = |one: EmergencyReview, of: &HeldElevation| match one.close_alike(of, reviewer, words(), at(9)) {
        Ok(review) => review.state.code(),
        Err(error) => error.code(),
    };
    assert_eq!(closed(open(), &held(None)), "justified");
    for (one, of) in [(open(), held(Some(at(1)))), (asked, held(None)), (answered, held(None)), (before, held(None))] {
        assert_eq!(closed(one, &of), "review_stands_alone");
    }
}

#[test]
fn what_was_asked_stays_with_its_words_and_when_it_was_answered() {
    let reviewer = Reviewer { person: person(20), is_of_the_same_line: false };
    let words = || Phi::new("Why this note?".to_owned());
    let asked = review(ReviewState::Open).ask(reviewer, words(), at(5)).unwrap();
    let expected = ReaderAsked { by: person(20), at: at(5), words: words(), answered_at: None };
    assert_eq!(asked.asked.as_ref(), Some(&expected));
    let told = asked.tell(person(10), Phi::new(WORDS.to_owned()), None, at(6)).unwrap();
    assert_eq!(told.asked, Some(ReaderAsked { answered_at: Some(at(6)), ..expected }));
    let long = Phi::new("a".repeat(REASON_BYTES_MAX + 1));
    let long = review(ReviewState::Open).ask(reviewer, long, at(5)).unwrap_err();
    assert_eq!(long, ReviewError::Reason(WeakReason::Long));
}
