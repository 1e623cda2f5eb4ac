//! Subjects of events: whose access an event may alter. The feed tells them to every node.

use crate::StoreError;
use crate::limits::SUBJECTS_PER_EVENT_MAX;
use scruple_core::Id;
use scruple_flow::limits::ROLE_BYTES_MAX;
use scruple_flow::{DevicePosture, Person, RoleCode};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A text that is no subject.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no subject")]
pub struct InvalidSubject(String);

/// Whose access an event may alter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// Everyone's: a new policy, a bulk change.
    Everyone,
    /// That of all who hold a role.
    Role(RoleCode),
    /// One person's.
    Person(Id<Person>),
    /// That of whoever asks from a device.
    Device(Id<DevicePosture>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Device(id) => write!(f, "device:{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSubject(text.chars().take(ROLE_BYTES_MAX).collect());
        match text.split_once(':') {
            None if text == "*" => Ok(Self::Everyone),
            Some(("role", role)) => Ok(Self::Role(role.parse().map_err(|_| invalid())?)),
            Some(("person", id)) => Ok(Self::Person(id.parse().map_err(|_| invalid())?)),
            Some(("device", id)) => Ok(Self::Device(id.parse().map_err(|_| invalid())?)),
            _ => Err(invalid()),
        }
    }
}

/// The subjects of one event; may be empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subjects(BTreeSet<Subject>);

impl Subjects {
    /// Nobody's access changes.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The subjects of an event.
    ///
    /// # Errors
    /// There are too many; such an event names [`Subject::Everyone`].
    pub fn new(subjects: impl IntoIterator<Item = Subject>) -> Result<Self, StoreError> {
        let subjects: BTreeSet<_> = subjects.into_iter().take(SUBJECTS_PER_EVENT_MAX.saturating_mul(2)).collect();
        if subjects.len() > SUBJECTS_PER_EVENT_MAX {
            return Err(StoreError::Limit { what: "subjects of one event", max: SUBJECTS_PER_EVENT_MAX as u64 });
        }
        Ok(Self(subjects))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Subject> {
        self.0.iter()
    }
}

impl From<Subject> for Subjects {
    fn from(subject: Subject) -> Self {
        Self(BTreeSet::from([subject]))
    }
}

// No subject holds a space.
impl fmt::Display for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, subject) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            fmt::Display::fmt(subject, f)?;
        }
        Ok(())
    }
}

impl FromStr for Subjects {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_back_and_nothing_else_does() {
        let text =
            "* role:front_desk person:01890a5d-ac96-774b-bcce-b302099a8057 device:01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(text.parse::<Subjects>().unwrap().to_string(), text);
        assert_eq!("".parse::<Subjects>().unwrap(), Subjects::none());
        for wrong in ["everyone", "role:", "role:Front", "role:a b", "person:7", "device:7", "team:x", "**"] {
            assert!(wrong.parse::<Subjects>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_event_names_a_bounded_number_of_subjects() {
        let role = |number: usize| Subject::Role(format!("r{number}").parse().unwrap());
        assert!(Subjects::new((0..SUBJECTS_PER_EVENT_MAX).map(role)).is_ok());
        assert!(matches!(Subjects::new((0..=SUBJECTS_PER_EVENT_MAX).map(role)), Err(StoreError::Limit { .. })));
    }
}
