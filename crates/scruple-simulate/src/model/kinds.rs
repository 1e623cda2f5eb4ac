//! Which kinds of information somebody asks for, is left, or may read: all that a role has, or those that are named.

use crate::rules::SEGMENT;
use std::collections::BTreeSet;
use std::fmt;

/// Kinds of information.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Information {
    /// All that the role has.
    Whole,
    /// These alone; of a request that names none, nothing.
    Named(BTreeSet<&'static str>),
}

impl Information {
    /// Whether nothing of it is anything but what `other` has too.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Whole) => true,
            (Self::Whole, Self::Named(_)) => false,
            (Self::Named(own), Self::Named(others)) => own.iter().all(|kind| others.contains(kind)),
        }
    }

    /// Whether it names something, and nothing that a role with these kinds has not; all of it is never too much.
    pub fn is_of(&self, role: &[&'static str]) -> bool {
        match self {
            Self::Whole => true,
            Self::Named(own) => !own.is_empty() && own.iter().all(|kind| role.contains(kind)),
        }
    }

    /// Whether what is specially protected is among it: it is where all is.
    pub fn is_protected(&self) -> bool {
        match self {
            Self::Whole => true,
            Self::Named(own) => own.contains(SEGMENT),
        }
    }

    /// What two open together.
    pub fn with(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Named(own), Self::Named(others)) => Self::Named(own.union(others).copied().collect()),
            _ => Self::Whole,
        }
    }
}

impl fmt::Display for Information {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("*"),
            Self::Named(own) => f.write_str(&own.iter().copied().collect::<Vec<_>>().join(" ")),
        }
    }
}
