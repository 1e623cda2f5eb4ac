//! What was used is held against what was asked for (JX-18): when access to some kinds of information is over, what the reader
//! opened of the patient meanwhile is compared with what he had asked for. What differs is looked at and closed by somebody else.
//!
//! `matched`, or `open -> explained | not_explained`

use crate::{Elevation, KindCode, Kinds, Person, WeakReason, reason};
use scruple_core::{Id, Phi, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How a difference was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UseFinding {
    /// There was a reason for it.
    Explained,
    /// There was none.
    NotExplained,
}

impl UseFinding {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Explained, Self::NotExplained];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Explained => "explained",
            Self::NotExplained => "not_explained",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// Where a comparison stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UseState {
    /// What was used is what was asked for.
    Matched,
    /// It differs, and nobody has looked at it.
    Open,
    /// Somebody else than the reader has.
    Closed {
        /// What was found.
        finding: UseFinding,
        /// By whom.
        by: Id<Person>,
        /// When.
        at: Timestamp,
        /// Why.
        comment: Phi<String>,
    },
}

impl UseState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Open => "open",
            Self::Closed { finding, .. } => finding.code(),
        }
    }
}

/// What was opened of a patient while access to some kinds of information of him was held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// Reads under the access itself.
    pub under: u64,
    /// Types of resources that the reader opened of the patient, by whatever right, each with the kinds that it can be of; a type of
    /// which the record says which of its kinds they were stands once for each, with that one alone.
    pub types: BTreeMap<String, BTreeSet<KindCode>>,
}

/// The comparison of one elevation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UseReview {
    /// Its id.
    pub id: Id<Self>,
    /// What was compared.
    pub elevation: Id<Elevation>,
    /// Whose access it was.
    pub reader: Id<Person>,
    /// Kinds of information that were opened beside what was asked for.
    pub beside: BTreeSet<KindCode>,
    /// Nothing was read under it.
    pub unused: bool,
    /// When it was compared.
    pub compared_at: Timestamp,
    /// Where it stands.
    pub state: UseState,
    /// Version of the row.
    pub version: i64,
}

/// Why a comparison does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UseError {
    /// There is nothing to be closed: it matched, or somebody has closed it.
    #[error("a comparison that is {0} is not closed")]
    Closed(&'static str),
    /// The reader would judge himself.
    #[error("what was used is looked at by somebody else than the reader")]
    Own,
    /// What is said is nothing.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl UseError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Closed(_) => "invalid_task_state",
            Self::Own => "own_access",
            Self::Reason(reason) => reason.code(),
        }
    }
}

impl UseReview {
    /// Compares what was used with what was asked for. None: it is not over, or it was of all that the role has.
    #[must_use]
    pub fn compare(id: Id<Self>, of: &Elevation, used: &Used, at: Timestamp) -> Option<Self> {
        let Kinds::Named(named) = &of.held.kinds else { return None };
        let over_at = of.ended.map_or(of.held.window.ends_at(), |end| end.at.min(of.held.window.ends_at()));
        if over_at > at {
            return None;
        }
        let asked: BTreeSet<&KindCode> = named.iter().collect();
        // A type that may be of a kind that was asked for counts as that; one whose kinds nobody knows tells nothing.
        let is_beside = |kinds: &&BTreeSet<KindCode>| !kinds.iter().any(|kind| asked.contains(kind));
        let beside: BTreeSet<KindCode> = used.types.values().filter(is_beside).flatten().cloned().collect();
        let unused = used.under == 0;
        let state = if beside.is_empty() && !unused { UseState::Matched } else { UseState::Open };
        let (elevation, reader) = (of.held.id, of.held.person);
        Some(Self { id, elevation, reader, beside, unused, compared_at: at, state, version: 1 })
    }

    /// Closes a difference.
    ///
    /// # Errors
    /// The reader would, nothing is said, or there is nothing to be closed.
    pub fn close(
        self,
        by: Id<Person>,
        finding: UseFinding,
        comment: Phi<String>,
        at: Timestamp,
    ) -> Result<Self, UseError> {
        if self.state != UseState::Open {
            return Err(UseError::Closed(self.state.code()));
        }
        // INVARIANT (two-people): nobody judges what he used himself.
        if by == self.reader {
            return Err(UseError::Own);
        }
        reason(comment.expose(), None)?;
        Ok(Self { state: UseState::Closed { finding, by, at, comment }, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeclaredReason, ElevationKind, HeldElevation, Revocation, Window};
    use uuid::Uuid;

    const WORDS: &str = "The ward asked him about the note as well";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds)
    }

    fn elevation(kinds: &str, ended: Option<i64>) -> Elevation {
        let person = Id::from_uuid(Uuid::from_u128(1));
        Elevation {
            held: HeldElevation {
                protected_at: None,
                id: Id::from_uuid(Uuid::from_u128(7)),
                person,
                role: "nurse".parse().unwrap(),
                purpose: None,
                patient: "p".parse().unwrap(),
                kinds: kinds.parse().unwrap(),
                kind: ElevationKind::Declared(DeclaredReason::Covering),
                window: Window::new(at(0), at(10)).unwrap(),
            },
            granted_at: at(0),
            justification: Phi::new(WORDS.to_owned()),
            ended: ended.map(|end| Revocation { by: person, at: at(end) }),
            version: 1,
        }
    }

    fn compared(kinds: &str, under: u64, types: &[(&str, &str)]) -> String {
        let kinds_of = |text: &str| text.split_ascii_whitespace().map(|kind| kind.parse().unwrap()).collect();
        let types = types.iter().map(|(name, kinds)| ((*name).to_owned(), kinds_of(kinds))).collect();
        let id = Id::from_uuid(Uuid::from_u128(9));
        match UseReview::compare(id, &elevation(kinds, None), &Used { under, types }, at(10)) {
            Some(one) => {
                let beside: Vec<String> = one.beside.iter().map(ToString::to_string).collect();
                format!("{} {}{}", one.state.code(), beside.join(" "), if one.unused { " unused" } else { "" })
            }
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn what_was_opened_beside_what_was_asked_for_or_not_at_all_is_a_difference() {
        let labs = ("Observation", "labs vitals");
        let notes = ("DocumentReference", "documents");
        for (kinds, under, types, expected) in [
            ("labs", 1, [labs].as_slice(), "matched "),
            ("labs", 1, &[labs, notes], "open documents"),
            ("documents labs", 1, &[labs, notes], "matched "),
            ("labs", 0, &[notes], "open documents unused"),
            ("labs", 0, &[], "open  unused"),
            // Of what kind a type is, is not known.
            ("labs", 2, &[labs, ("Patient", "")], "matched "),
            ("*", 0, &[notes], "nothing"),
        ] {
            assert_eq!(compared(kinds, under, types), expected, "{kinds} {under} {types:?}");
        }
    }

    #[test]
    fn what_is_not_over_is_not_compared_and_what_ended_before_its_time_is() {
        let used = Used::default();
        let is_compared = |ended: Option<i64>, now: i64| {
            let id = Id::from_uuid(Uuid::from_u128(9));
            UseReview::compare(id, &elevation("labs", ended), &used, at(now)).is_some()
        };
        assert!(!is_compared(None, 9) && is_compared(None, 10) && is_compared(Some(5), 5) && !is_compared(Some(5), 4));
    }

    #[test]
    fn every_state_is_closed_by_somebody_else_with_a_reason_and_once() {
        let (reader, other) = (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)));
        let closed = |finding| UseState::Closed { finding, by: other, at: at(11), comment: Phi::new(WORDS.to_owned()) };
        let states =
            [UseState::Matched, UseState::Open, closed(UseFinding::Explained), closed(UseFinding::NotExplained)];
        let mut told = Vec::new();
        for state in states {
            for (by, words) in [(reader, WORDS), (other, "ok"), (other, WORDS)] {
                let id = Id::from_uuid(Uuid::from_u128(9));
                let one = UseReview::compare(id, &elevation("labs", None), &Used::default(), at(10)).unwrap();
                let one = UseReview { state: state.clone(), ..one };
                let ended = one.close(by, UseFinding::NotExplained, Phi::new(words.to_owned()), at(12));
                told.push(ended.map_or_else(UseError::code, |one| one.state.code()));
            }
        }
        let refused = ["invalid_task_state"; 3];
        let expected = [refused, ["own_access", "reason_short", "not_explained"], refused, refused].concat();
        assert_eq!(told, expected);
        assert!(UseFinding::ALL.iter().all(|one| UseFinding::of(one.code()) == Some(*one)));
    }
}
