//! [`LogRecord`]: what one record of an access log tells, whatever its format.

use crate::Mapping;
use scruple_core::{Phi, Placed, Timestamp};

/// An access as a log tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRecord {
    /// When.
    pub at: Timestamp,
    /// The clock was put back in that hour: it may also have been then.
    pub or_at: Option<Timestamp>,
    /// Who, as the log names him.
    pub person: Phi<String>,
    /// Whose charts: each `Patient/` and an id, or `number:` and a record number.
    pub patients: Phi<Vec<String>>,
    /// What the log calls the act.
    pub action: String,
    /// Where it was done.
    pub workstation: String,
    /// At which place the person himself was, an address or a workstation. A server that did it for him is no such place.
    pub place: Option<String>,
    /// In which part of the system.
    pub module: String,
    /// The purpose, where the log says one (HL7 v3 ActReason).
    pub purpose: Option<String>,
    /// Types of FHIR resources that were opened, where the log says so.
    pub types: Vec<String>,
    /// It failed: nothing was shown.
    pub has_failed: bool,
    /// What makes it this access: the same record read twice has the same.
    pub once: Phi<String>,
}

/// Why a record is not read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Refused {
    /// The field, or column.
    pub field: String,
    /// The stable code of what is wrong with it.
    pub reason: &'static str,
}

impl Refused {
    pub(crate) fn new(field: impl Into<String>, reason: &'static str) -> Self {
        Self { field: field.into(), reason }
    }
}

/// What a record is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// It tells of an access.
    Access(Box<LogRecord>),
    /// It tells of something else: a sign-in, a start.
    Other,
}

/// Bytes of a name of a person, a patient, a place.
const NAME_BYTES_MAX: usize = 128;

/// A name as it can be looked up: without space around it, and not longer than names are.
pub(crate) fn name(field: &str, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refused::new(field, "missing"));
    }
    if text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Refused::new(field, "malformed"));
    }
    Ok(text.to_owned())
}

/// What stands beside: cut, and without what is no text.
pub(crate) fn beside(text: &str) -> String {
    let plain: String = text.trim().chars().filter(|letter| !letter.is_control()).collect();
    match plain.char_indices().nth(NAME_BYTES_MAX) {
        Some((cut, _)) => plain.get(..cut).unwrap_or_default().to_owned(),
        None => plain,
    }
}

/// The instant of a text, by the mapping's zone and clock.
pub(crate) fn placed(field: &str, text: &str, mapping: &Mapping) -> Result<(Timestamp, Option<Timestamp>), Refused> {
    let right = |at: Timestamp| at.plus_micros(mapping.clock_ahead_seconds.saturating_mul(-1_000_000));
    match mapping.zone.place(text.trim(), mapping.when_pattern.as_deref()) {
        Placed::At(at) => Ok((right(at), None)),
        Placed::Twice(first, second) => Ok((right(first), Some(right(second)))),
        Placed::Never => Err(Refused::new(field, "time_never_was")),
        Placed::Malformed => {
            Err(Refused::new(field, if text.trim().is_empty() { "missing" } else { "time_malformed" }))
        }
    }
}
