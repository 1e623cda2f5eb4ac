//! Leaves: everything is suspended from the first moment until a manager has confirmed the return.

use crate::Person;
use scruple_core::{Id, Timestamp};

/// A leave of a person.
// INVARIANT (leave-suspends): from `starts_at` until the leave is closed the person holds nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leave {
    /// Its id.
    pub id: Id<Self>,
    /// Whose it is.
    pub person: Id<Person>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// Who told of it.
    pub noted_by: Id<Person>,
    /// How far it has come.
    pub state: LeaveState,
    /// Version of the row.
    pub version: i64,
}

/// How far a leave has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaveState {
    /// It begins, or goes on.
    Open,
    /// It is said to be over; nobody has confirmed it.
    Returning {
        /// Since when.
        ended_at: Timestamp,
    },
    /// It suspends nothing any more.
    Closed {
        /// Since when.
        at: Timestamp,
        /// Who closed it.
        by: Id<Person>,
    },
}

/// Why a leave cannot be changed so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeaveError {
    /// It is closed.
    #[error("the leave is closed")]
    Closed,
    /// Nobody said that it is over.
    #[error("the leave has not ended")]
    NotEnded,
    /// It is confirmed by somebody who is not in the line above.
    #[error("a return is confirmed by a manager of the person")]
    NotTheManager,
}

impl Leave {
    /// It goes on, from `at` at the latest.
    ///
    /// # Errors
    /// It is closed.
    pub fn starts(self, at: Timestamp) -> Result<Self, LeaveError> {
        match self.state {
            LeaveState::Closed { .. } => Err(LeaveError::Closed),
            LeaveState::Open | LeaveState::Returning { .. } => {
                Ok(Self { starts_at: self.starts_at.min(at), state: LeaveState::Open, ..self })
            }
        }
    }

    /// It is said to be over.
    ///
    /// # Errors
    /// It is closed.
    pub fn ends(self, at: Timestamp) -> Result<Self, LeaveError> {
        match self.state {
            LeaveState::Closed { .. } => Err(LeaveError::Closed),
            LeaveState::Open => Ok(Self { state: LeaveState::Returning { ended_at: at }, ..self }),
            LeaveState::Returning { .. } => Ok(self),
        }
    }

    /// A manager confirms the return: what was suspended is held again, as far as its time is not over.
    ///
    /// # Errors
    /// It is closed, or nobody said that it is over, or `by` may not confirm.
    pub fn confirmed(self, by: Id<Person>, line: &[Manager], at: Timestamp) -> Result<Self, LeaveError> {
        match self.state {
            LeaveState::Closed { .. } => Err(LeaveError::Closed),
            LeaveState::Open => Err(LeaveError::NotEnded),
            LeaveState::Returning { .. } if may_confirm(self.person, by, line) => {
                Ok(Self { state: LeaveState::Closed { at, by }, ..self })
            }
            LeaveState::Returning { .. } => Err(LeaveError::NotTheManager),
        }
    }

    /// The person leaves: there is nothing left to suspend.
    #[must_use]
    pub fn closed_by_leaving(self, by: Id<Person>, at: Timestamp) -> Self {
        match self.state {
            LeaveState::Closed { .. } => self,
            LeaveState::Open | LeaveState::Returning { .. } => Self { state: LeaveState::Closed { at, by }, ..self },
        }
    }
}

/// A time in which a person holds nothing though he is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspension {
    /// Since when. `None`: for as long as it is known of, whatever the clock that noted it.
    pub from: Option<Timestamp>,
    /// Until when, if that is known.
    pub until: Option<Timestamp>,
}

impl Suspension {
    /// Whether `at` is in it.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// When it begins and ends, as far as that is known.
    pub fn instants(self) -> impl Iterator<Item = Timestamp> {
        self.from.into_iter().chain(self.until)
    }
}

/// One in the line above a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manager {
    /// Who it is.
    pub person: Id<Person>,
    /// Whether he is here: neither gone nor on leave.
    pub is_here: bool,
}

/// Whether `by` may confirm that `person` is back: the nearest manager who is here. `line` goes from the person's own
/// manager upwards.
#[must_use]
pub fn may_confirm(person: Id<Person>, by: Id<Person>, line: &[Manager]) -> bool {
    // A directory can hold a circle: nobody confirms for himself.
    by != person && line.iter().find(|manager| manager.is_here).is_some_and(|manager| manager.person == by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> Id<Person> {
        Id::from_uuid(Uuid::from_u128(number))
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn leave(state: LeaveState) -> Leave {
        Leave {
            id: Id::from_uuid(Uuid::from_u128(9)),
            person: id(1),
            starts_at: at(10),
            noted_by: id(7),
            state,
            version: 1,
        }
    }

    #[test]
    fn every_state_meets_every_event() {
        let line = [Manager { person: id(2), is_here: true }];
        let states = [
            LeaveState::Open,
            LeaveState::Returning { ended_at: at(20) },
            LeaveState::Closed { at: at(30), by: id(2) },
        ];
        let mut found = String::new();
        for state in states {
            let said = |what: Result<Leave, LeaveError>| match what {
                Ok(leave) => format!("{:?} from {}", leave.state, leave.starts_at.micros()),
                Err(error) => error.to_string(),
            };
            let name = format!("{state:?}").split(' ').next().unwrap().to_owned();
            found += &format!("{name} starts: {}\n", said(leave(state).starts(at(5))));
            found += &format!("{name} ends: {}\n", said(leave(state).ends(at(40))));
            found += &format!("{name} confirmed: {}\n", said(leave(state).confirmed(id(2), &line, at(50))));
            found += &format!("{name} confirmed by another: {}\n", said(leave(state).confirmed(id(3), &line, at(50))));
            found += &format!("{name} leaves: {}\n", said(Ok(leave(state).closed_by_leaving(id(7), at(60)))));
        }
        let (manager, scim) = (format!("{:?}", id(2)), format!("{:?}", id(7)));
        let found = found.replace(&manager, "manager").replace(&scim, "hr").replace("Timestamp(", "(");
        let time = |micros| format!("{:?}", at(micros)).replace("Timestamp(", "(");
        let expected = [
            "Open starts: Open from 5".to_owned(),
            format!("Open ends: Returning {{ ended_at: {} }} from 10", time(40)),
            "Open confirmed: the leave has not ended".to_owned(),
            "Open confirmed by another: the leave has not ended".to_owned(),
            format!("Open leaves: Closed {{ at: {}, by: hr }} from 10", time(60)),
            "Returning starts: Open from 5".to_owned(),
            format!("Returning ends: Returning {{ ended_at: {} }} from 10", time(20)),
            format!("Returning confirmed: Closed {{ at: {}, by: manager }} from 10", time(50)),
            "Returning confirmed by another: a return is confirmed by a manager of the person".to_owned(),
            format!("Returning leaves: Closed {{ at: {}, by: hr }} from 10", time(60)),
            "Closed starts: the leave is closed".to_owned(),
            "Closed ends: the leave is closed".to_owned(),
            "Closed confirmed: the leave is closed".to_owned(),
            "Closed confirmed by another: the leave is closed".to_owned(),
            format!("Closed leaves: Closed {{ at: {}, by: manager }} from 10", time(30)),
        ];
        assert_eq!(found.trim_end(), expected.join("\n"));
    }

    #[test]
    fn the_nearest_manager_who_is_here_confirms_and_nobody_for_himself() {
        let manager = |number, is_here| Manager { person: id(number), is_here };
        for (line, by, expected) in [
            (vec![], 2, false),
            (vec![manager(2, true)], 2, true),
            (vec![manager(2, true), manager(3, true)], 3, false),
            (vec![manager(2, false), manager(3, true)], 3, true),
            (vec![manager(2, false), manager(3, true)], 2, false),
            (vec![manager(2, false)], 2, false),
            (vec![manager(1, true)], 1, false),
            (vec![manager(1, false), manager(1, true)], 1, false),
        ] {
            assert_eq!(may_confirm(id(1), id(by), &line), expected, "{line:?} {by}");
        }
    }
}
