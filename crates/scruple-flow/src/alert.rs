//! Alerts: something happens more often than the house expects. Raised once when the limit is passed, and again after a while if it stays
//! so. An alert refuses nobody anything; it says who should look, and at what.

use crate::{Person, RoleCode};
use scruple_core::{Id, Timestamp};

/// Days that are counted, and for which an alert is not raised again.
pub const ALERT_DAYS: i64 = 30;
const WINDOW_MICROS: i64 = ALERT_DAYS * 24 * 3_600_000_000;

/// What happens too often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlertOf {
    /// Somebody asks for access.
    RequestsOfPerson(Id<Person>),
    /// Access in one role is asked for.
    RequestsForRole(RoleCode),
    /// Somebody opens charts in emergencies.
    EmergenciesOfPerson(Id<Person>),
}

impl AlertOf {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RequestsOfPerson(_) => "requests_of_person",
            Self::RequestsForRole(_) => "requests_for_role",
            Self::EmergenciesOfPerson(_) => "emergencies_of_person",
        }
    }

    /// What should be looked at: a sentence of the house.
    #[must_use]
    pub const fn suggestion(&self) -> &'static str {
        match self {
            Self::RequestsOfPerson(_) => {
                "Look whether the role lacks what the job needs: redesign the role, or give the job another one."
            }
            Self::RequestsForRole(_) => {
                "Look whether those who ask for the role do its tasks anyhow: redesign their roles, or give it to their job."
            }
            Self::EmergenciesOfPerson(_) => {
                "Look at these emergencies together: the unit may lack a relationship that the record system does not know."
            }
        }
    }
}

/// An alert that was raised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Its id.
    pub id: Id<Self>,
    /// What happens too often.
    pub of: AlertOf,
    /// How often it did in the days before.
    pub count: i64,
    /// How often the house expects it at most.
    pub limit: i64,
    /// When.
    pub raised_at: Timestamp,
}

/// Since when it is counted.
#[must_use]
pub fn counted_since(at: Timestamp) -> Timestamp {
    at.plus_micros(-WINDOW_MICROS)
}

/// Whether an alert is raised: more often than the limit, and not told within the days that are counted. `last`: when it was.
#[must_use]
pub fn is_raised(count: i64, limit: i64, last: Option<Timestamp>, at: Timestamp) -> bool {
    count > limit && last.is_none_or(|last| last <= counted_since(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_of_ten_raises_it_once_in_the_days_that_are_counted() {
        let at = |days: i64| Timestamp::from_micros(days * 24 * 3_600_000_000);
        for (count, last, expected) in [
            (10, None, false),
            (11, None, true),
            (12, Some(at(99)), false),
            (12, Some(at(71)), false),
            (12, Some(at(70)), true),
            (10, Some(at(70)), false),
        ] {
            assert_eq!(is_raised(count, 10, last, at(100)), expected, "{count} {last:?}");
        }
    }
}
