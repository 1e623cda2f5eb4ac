//! Every state of a deputy with every event, by each of those whom it concerns.

use super::*;
use uuid::Uuid;

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(days: i64) -> Timestamp {
    Timestamp::from_micros(days * DAY_MICROS)
}

/// Person 1 names person 2, from day 1 to day 5.
fn deputy(state: DeputyState) -> Deputy {
    Deputy {
        id: Id::from_uuid(Uuid::from_u128(9)),
        principal: person(1),
        deputy: person(2),
        capacity: DeputyAs::Approver,
        window: Window::new(at(1), at(5)).unwrap(),
        named_at: at(0),
        state,
        version: 1,
    }
}

#[test]
fn every_state_with_every_event_by_everybody_in_time_and_after_it() {
    let states = [
        DeputyState::Named,
        DeputyState::Accepted { at: at(0) },
        DeputyState::Ended { by: person(1), at: at(1), accepted: None },
    ];
    let mut table = String::new();
    for day in [0, 2, 5] {
        for state in states {
            let said = |found: Result<Deputy, DeputyError>| match found {
                Ok(deputy) => deputy.code_at(at(day)),
                Err(DeputyError::Transition { .. }) => "-",
                Err(error) => error.code(),
            };
            let mut row = vec![if deputy(state).is_in_force(at(day)) { "in force:" } else { "nothing:" }];
            for by in 1..=3 {
                row.push(said(deputy(state).accept(person(by), at(day))));
                row.push(said(deputy(state).end(person(by), at(day))));
            }
            table.push_str(&format!("{day} {} {}\n", deputy(state).code_at(at(day)), row.join(" ")));
        }
    }
    // By the principal, the deputy, another: accept, end.
    let expected = "\
0 named nothing: not_your_deputy ended accepted ended not_your_deputy not_your_deputy
0 accepted nothing: not_your_deputy ended - ended not_your_deputy not_your_deputy
0 ended nothing: not_your_deputy - - - not_your_deputy not_your_deputy
2 named nothing: not_your_deputy ended accepted ended not_your_deputy not_your_deputy
2 accepted in force: not_your_deputy ended - ended not_your_deputy not_your_deputy
2 ended nothing: not_your_deputy - - - not_your_deputy not_your_deputy
5 over nothing: not_your_deputy - - - not_your_deputy not_your_deputy
5 over nothing: not_your_deputy - - - not_your_deputy not_your_deputy
5 ended nothing: not_your_deputy - - - not_your_deputy not_your_deputy
";
    assert_eq!(table, expected);
}

#[test]
fn nobody_is_named_for_himself_for_too_long_or_for_what_is_over() {
    let named = |principal: u128, days: (i64, i64)| {
        let window = Window::new(at(days.0), at(days.1)).unwrap();
        Deputy { principal: person(principal), window, ..deputy(DeputyState::Named) }.named(at(3)).map(drop)
    };
    assert_eq!(named(1, (3, 3 + DEPUTY_DAYS_MAX)), Ok(()));
    // The days before now do not count against it.
    assert_eq!(named(1, (0, 3 + DEPUTY_DAYS_MAX)), Ok(()));
    assert_eq!(named(1, (3, 4 + DEPUTY_DAYS_MAX)), Err(DeputyError::TooLong));
    assert_eq!(named(1, (1, 3)), Err(DeputyError::Over));
    assert_eq!(named(2, (3, 4)), Err(DeputyError::Himself));
}
