//! Every state of a case with every event, and who may make them.

use super::*;
use uuid::Uuid;

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

const WORDS: &str = "She fears that her former husband looked into her chart";

fn words() -> Phi<String> {
    Phi::new(WORDS.to_owned())
}

fn office() -> CaseWorker {
    CaseWorker { person: person(20), is_of_the_same_line: false }
}

fn case(state: CaseState) -> ChartCase {
    let new = NewCase {
        id: Id::from_uuid(Uuid::from_u128(1)),
        question: Id::from_uuid(Uuid::from_u128(2)),
        reader: person(10),
        about: (at(0), at(1)),
        complaint: words(),
    };
    ChartCase { state, ..ChartCase::open(new, office(), at(5)).unwrap() }
}

fn states() -> Vec<CaseState> {
    let verdict = |finding| CaseVerdict { finding, by: person(20), at: at(7), rationale: words() };
    let letter = CaseLetter { text: words(), by: person(20), at: at(8) };
    let mut states = vec![CaseState::Open, CaseState::Asked, CaseState::Answered];
    states.extend(CaseFinding::ALL.map(|finding| CaseState::Decided(verdict(finding))));
    states.push(CaseState::Lettered(verdict(CaseFinding::Permitted), letter));
    states
}

#[test]
fn every_state_with_every_event() {
    let ends = |found: Result<ChartCase, CaseError>| match found {
        Ok(case) => case.state.code(),
        Err(error) => error.code(),
    };
    let mut table = String::new();
    for state in states() {
        let case = || case(state.clone());
        table.push_str(&format!(
            "{}: ask {}, answer {}, permitted {}, not_permitted {}, letter {}\n",
            state.code(),
            ends(case().ask(office(), at(9))),
            ends(case().answer(person(10), words(), at(9))),
            ends(case().decide(office(), CaseFinding::Permitted, words(), at(9))),
            ends(case().decide(office(), CaseFinding::NotPermitted, words(), at(9))),
            ends(case().letter(office(), words(), at(9))),
        ));
    }
    let no = "invalid_task_state";
    let decides = "permitted permitted, not_permitted not_permitted";
    let over = format!("ask {no}, answer {no}, permitted {no}, not_permitted {no}");
    let expected = format!(
        "open: ask asked, answer {no}, {decides}, letter {no}\n\
         asked: ask {no}, answer answered, {decides}, letter {no}\n\
         answered: ask asked, answer {no}, {decides}, letter {no}\n\
         permitted: {over}, letter lettered\n\
         not_permitted: {over}, letter lettered\n\
         lettered: {over}, letter {no}\n"
    );
    assert_eq!(table, expected);
}

#[test]
fn neither_the_reader_nor_his_team_works_on_the_case_and_nobody_answers_for_him() {
    for (who, same) in [(10, false), (10, true), (20, true)] {
        let by = CaseWorker { person: person(who), is_of_the_same_line: same };
        let new = NewCase {
            id: Id::from_uuid(Uuid::from_u128(1)),
            question: Id::from_uuid(Uuid::from_u128(2)),
            reader: person(10),
            about: (at(0), at(1)),
            complaint: words(),
        };
        assert_eq!(ChartCase::open(new, by, at(5)).unwrap_err(), CaseError::NotIndependent);
        assert_eq!(case(CaseState::Open).ask(by, at(9)).unwrap_err(), CaseError::NotIndependent);
        let decided = case(CaseState::Answered).decide(by, CaseFinding::Permitted, words(), at(9));
        assert_eq!(decided.unwrap_err(), CaseError::NotIndependent);
        for state in states() {
            assert_eq!(case(state).letter(by, words(), at(9)).unwrap_err(), CaseError::NotIndependent);
        }
    }
    let answered = case(CaseState::Asked).answer(person(20), words(), at(9));
    assert_eq!(answered.unwrap_err(), CaseError::NotTheReader);
}

#[test]
fn nothing_is_opened_answered_or_decided_without_a_sentence() {
    let ok = || Phi::new("ok".to_owned());
    assert_eq!(case(CaseState::Asked).answer(person(10), ok(), at(9)).unwrap_err().code(), "reason_short");
    let decided = case(CaseState::Asked).decide(office(), CaseFinding::Permitted, ok(), at(9));
    assert_eq!(decided.unwrap_err().code(), "reason_short");
    let asked_again = ChartCase { answer: Some((words(), at(7))), ..case(CaseState::Asked) };
    assert_eq!(asked_again.answer(person(10), words(), at(9)).unwrap_err().code(), "reason_same_as_last");
    let decided = case(CaseState::Decided(CaseVerdict {
        finding: CaseFinding::Permitted,
        by: person(20),
        at: at(7),
        rationale: words(),
    }));
    assert!(decided.letter(office(), Phi::new(" ".to_owned()), at(9)).is_err());
}
