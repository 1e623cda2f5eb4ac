//! Every state of a review with every event, and who may make them.

use super::*;
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
        table.push_str(&format!("{from}: tell {}", ends(review(state.clone()).tell(person(10), words(), None))));
        table.push_str(&format!(", ask {}", ends(review(state.clone()).ask(reviewer, at(9)))));
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
        assert_eq!(review(ReviewState::Open).ask(by, at(9)).unwrap_err(), ReviewError::NotIndependent);
    }
    assert_eq!(review(ReviewState::Open).tell(person(20), words(), None).unwrap_err(), ReviewError::NotTheReader);
}

#[test]
fn nothing_closes_without_a_sentence() {
    let reviewer = Reviewer { person: person(20), is_of_the_same_line: false };
    let closed = review(ReviewState::Open).close(reviewer, Finding::Justified, Phi::new("ok".to_owned()), at(9));
    assert_eq!(closed.unwrap_err(), ReviewError::Reason(WeakReason::Short));
    let told = review(ReviewState::Open).tell(person(10), Phi::new(WORDS.to_owned()), Some(WORDS));
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
