//! What ends the run of an organisation early.

use std::fmt;

/// Why an organisation was not run to its end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SimulateError {
    /// An invariant does not hold.
    #[error("{invariant}: {what}")]
    Broken {
        /// The invariant, as DESIGN.md names it.
        invariant: &'static str,
        /// What was found. People are told by their number; nothing of it is of a real person.
        what: String,
    },
    /// The simulation itself cannot go on: no disk, no database.
    #[error("{doing}: {why}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        why: String,
    },
}

pub(crate) type Sound<T> = Result<T, SimulateError>;

/// An error of the surroundings, with what was being done.
pub(crate) fn failed<E: std::error::Error>(doing: &'static str) -> impl Fn(E) -> SimulateError {
    move |error| {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            why = format!("{why}: {error}");
            source = error.source();
        }
        SimulateError::Failed { doing, why }
    }
}

pub(crate) fn broken<T>(invariant: &'static str, what: impl Into<String>) -> Sound<T> {
    Err(SimulateError::Broken { invariant, what: what.into() })
}

/// Refuses where two things that must be the same are not.
pub(crate) fn same<T: PartialEq + fmt::Debug>(invariant: &'static str, of: &str, found: &T, expected: &T) -> Sound<()> {
    if found == expected { Ok(()) } else { broken(invariant, format!("{of}: found {found:?}, expected {expected:?}")) }
}
