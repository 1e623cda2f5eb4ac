//! What is held and not used: noticed, objected to by who holds it, and taken when its notice is over.

use crate::reason::{WeakReason, reason};
use crate::{Grant, Person};
use scruple_core::{Id, Phi, Timestamp};

const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// Days without use after which a role is noticed (house rule).
pub const UNUSED_DAYS: i64 = 90;
/// Days of notice, and days within which an objection is decided on (house rule).
pub const UNUSED_NOTICE_DAYS: i64 = 14;

/// A role that somebody holds and does not use.
// INVARIANT (unused-ends): from `ends_at` on the grant gives nothing, unless the notice was closed before with another outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnusedNotice {
    /// Its id.
    pub id: Id<Self>,
    /// The grant.
    pub grant: Id<Grant>,
    /// Who holds it.
    pub person: Id<Person>,
    /// Since when it is not used.
    pub since: Timestamp,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// When it is taken.
    pub ends_at: Timestamp,
    /// How far it has come.
    pub state: UnusedState,
    /// What who holds it has said.
    pub objection: Option<Phi<String>>,
    /// Version of the row.
    pub version: i64,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnusedState {
    /// It is noticed.
    Noticed,
    /// Who holds it has objected: his manager decides. Silence takes it (**no-silence-is-yes**).
    Objected,
    /// It was used again in time.
    Used {
        /// When.
        at: Timestamp,
    },
    /// The manager lets it be.
    Kept {
        /// When.
        at: Timestamp,
        /// Who.
        by: Id<Person>,
    },
    /// It is taken.
    Taken {
        /// When.
        at: Timestamp,
        /// Who.
        by: Id<Person>,
    },
}

impl UnusedState {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Noticed => "noticed",
            Self::Objected => "objected",
            Self::Used { .. } => "used",
            Self::Kept { .. } => "kept",
            Self::Taken { .. } => "taken",
        }
    }
}

/// Why it does not go on so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnusedError {
    /// It is over.
    #[error("the notice is over")]
    Closed,
    /// Its time is over: the role is taken.
    #[error("the time of the notice is over")]
    Over,
    /// Its time is not over.
    #[error("the time of the notice is not over")]
    NotOver,
    /// Nobody has objected.
    #[error("nobody has objected")]
    NotObjected,
    /// It is objected to already.
    #[error("it is objected to already")]
    Twice,
    /// Only who holds it objects.
    #[error("who holds the role objects")]
    NotHis,
    /// Somebody else than the nearest manager who is here would decide.
    #[error("an objection is decided by the nearest manager who is here")]
    NotTheManager,
    /// The objection says nothing.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl UnusedNotice {
    /// A role that was not used since `since` is noticed at `now`; used since: none.
    #[must_use]
    pub fn noticed(
        id: Id<Self>,
        (grant, person): (Id<Grant>, Id<Person>),
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Self> {
        (since.plus_micros(UNUSED_DAYS * DAY_MICROS) <= now).then(|| Self {
            id,
            grant,
            person,
            since,
            noticed_at: now,
            ends_at: now.plus_micros(UNUSED_NOTICE_DAYS * DAY_MICROS),
            state: UnusedState::Noticed,
            objection: None,
            version: 1,
        })
    }

    const fn is_open(&self) -> bool {
        matches!(self.state, UnusedState::Noticed | UnusedState::Objected)
    }

    fn in_time(&self, at: Timestamp) -> Result<(), UnusedError> {
        if !self.is_open() {
            return Err(UnusedError::Closed);
        }
        if at < self.ends_at { Ok(()) } else { Err(UnusedError::Over) }
    }

    /// It is used.
    ///
    /// # Errors
    /// It is over, or taken.
    pub fn used(self, at: Timestamp) -> Result<Self, UnusedError> {
        self.in_time(at)?;
        Ok(Self { state: UnusedState::Used { at }, ..self })
    }

    /// Who holds it says why it is needed: his manager has as long again to decide.
    ///
    /// # Errors
    /// See [`UnusedError`].
    pub fn objected(self, by: Id<Person>, why: &str, at: Timestamp) -> Result<Self, UnusedError> {
        self.in_time(at)?;
        if by != self.person {
            return Err(UnusedError::NotHis);
        }
        if self.state == UnusedState::Objected {
            return Err(UnusedError::Twice);
        }
        let why = reason(why, None)?.to_owned();
        let ends_at = self.ends_at.max(at.plus_micros(UNUSED_NOTICE_DAYS * DAY_MICROS));
        Ok(Self { state: UnusedState::Objected, objection: Some(Phi::new(why)), ends_at, ..self })
    }

    /// The manager decides on the objection; `may`: he is the nearest who is here.
    ///
    /// # Errors
    /// See [`UnusedError`].
    pub fn decided(self, by: Id<Person>, may: bool, keeps: bool, at: Timestamp) -> Result<Self, UnusedError> {
        self.in_time(at)?;
        if self.state != UnusedState::Objected {
            return Err(UnusedError::NotObjected);
        }
        if !may || by == self.person {
            return Err(UnusedError::NotTheManager);
        }
        let state = if keeps { UnusedState::Kept { at, by } } else { UnusedState::Taken { at, by } };
        Ok(Self { state, ..self })
    }

    /// Its time is over: it is written down that the role is taken.
    ///
    /// # Errors
    /// It is closed, or its time is not over.
    pub fn taken(self, by: Id<Person>, now: Timestamp) -> Result<Self, UnusedError> {
        match self.in_time(now) {
            Ok(()) => Err(UnusedError::NotOver),
            Err(UnusedError::Over) => Ok(Self { state: UnusedState::Taken { at: self.ends_at, by }, ..self }),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id<T>(number: u128) -> Id<T> {
        Id::from_uuid(Uuid::from_u128(number))
    }

    fn day(days: i64) -> Timestamp {
        Timestamp::from_micros(days * DAY_MICROS)
    }

    fn noticed() -> UnusedNotice {
        UnusedNotice::noticed(id(9), (id(8), id(1)), day(0), day(90)).unwrap()
    }

    const WHY: &str = "I take over the ward in June";

    #[test]
    fn a_role_is_noticed_after_ninety_days_and_not_a_microsecond_before() {
        assert_eq!(UnusedNotice::noticed(id(9), (id(8), id(1)), day(0), day(90).plus_micros(-1)), None);
        assert_eq!(noticed().ends_at, day(104));
    }

    #[test]
    fn every_state_of_a_notice_meets_every_event() {
        let objected = || noticed().objected(id(1), WHY, day(100)).unwrap();
        let in_state = |state| UnusedNotice { state, ..objected() };
        let states = [
            noticed(),
            objected(),
            in_state(UnusedState::Used { at: day(95) }),
            in_state(UnusedState::Kept { at: day(101), by: id(2) }),
            in_state(UnusedState::Taken { at: day(114), by: id(7) }),
        ];
        let said = |what: Result<UnusedNotice, UnusedError>| match what {
            Ok(one) => format!("{} {}", one.state.code(), one.ends_at.micros() / DAY_MICROS),
            Err(error) => error.to_string(),
        };
        let mut found = Vec::new();
        for state in states {
            let one = || state.clone();
            let (name, last) = (state.state.code(), state.ends_at.plus_micros(-1));
            found.push(format!("{name}: used in time: {}", said(one().used(last))));
            found.push(format!("{name}: used at its end: {}", said(one().used(state.ends_at))));
            found.push(format!("{name}: objected: {}", said(one().objected(id(1), WHY, day(100)))));
            found.push(format!("{name}: objected by another: {}", said(one().objected(id(2), WHY, day(100)))));
            found.push(format!("{name}: kept: {}", said(one().decided(id(2), true, true, last))));
            found.push(format!("{name}: kept by himself: {}", said(one().decided(id(1), true, true, last))));
            found.push(format!("{name}: refused: {}", said(one().decided(id(2), true, false, last))));
            found.push(format!("{name}: decided too late: {}", said(one().decided(id(2), true, true, state.ends_at))));
            found.push(format!("{name}: its time is over: {}", said(one().taken(id(7), state.ends_at))));
            found.push(format!("{name}: taken too soon: {}", said(one().taken(id(7), last))));
        }
        let closed = |name: &str| {
            let events = [
                "used in time",
                "used at its end",
                "objected",
                "objected by another",
                "kept",
                "kept by himself",
                "refused",
                "decided too late",
                "its time is over",
                "taken too soon",
            ];
            events.map(|event| format!("{name}: {event}: the notice is over"))
        };
        let mut expected: Vec<String> = [
            "noticed: used in time: used 104",
            "noticed: used at its end: the time of the notice is over",
            "noticed: objected: objected 114",
            "noticed: objected by another: who holds the role objects",
            "noticed: kept: nobody has objected",
            "noticed: kept by himself: nobody has objected",
            "noticed: refused: nobody has objected",
            "noticed: decided too late: the time of the notice is over",
            "noticed: its time is over: taken 104",
            "noticed: taken too soon: the time of the notice is not over",
            "objected: used in time: used 114",
            "objected: used at its end: the time of the notice is over",
            "objected: objected: it is objected to already",
            "objected: objected by another: who holds the role objects",
            "objected: kept: kept 114",
            "objected: kept by himself: an objection is decided by the nearest manager who is here",
            "objected: refused: taken 114",
            "objected: decided too late: the time of the notice is over",
            "objected: its time is over: taken 114",
            "objected: taken too soon: the time of the notice is not over",
        ]
        .map(str::to_owned)
        .into();
        expected.extend(["used", "kept", "taken"].into_iter().flat_map(closed));
        assert_eq!(found, expected);
        let weak = noticed().objected(id(1), "needed", day(100));
        assert!(matches!(weak, Err(UnusedError::Reason(_))), "{weak:?}");
    }
}
