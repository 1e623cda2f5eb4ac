//! [`Mapping`]: a file that says what the columns of a log are, in which time zone its clock runs, and how it names people and patients.

use scruple_core::Zone;
use serde::Deserialize;
use std::collections::BTreeSet;

/// How a log names people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonIs {
    /// By the login that they have here.
    #[default]
    Login,
    /// By the number that HR gave them.
    EmployeeNumber,
}

/// How a log names patients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatientIs {
    /// By the record number.
    #[default]
    RecordNumber,
    /// By the id in the record system, as FHIR references name it.
    FhirId,
}

/// A mapping file, read and checked.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// What people call the log.
    pub source: String,
    /// The zone of its clock.
    pub zone: Zone,
    /// The pattern of its times, as of strftime; none: RFC 3339.
    pub when_pattern: Option<String>,
    /// Seconds by which its clock is ahead.
    pub clock_ahead_seconds: i64,
    /// How it names people.
    pub person_is: PersonIs,
    /// How it names patients.
    pub patient_is: PatientIs,
    /// Acts that open no chart.
    pub other_actions: BTreeSet<String>,
    /// Of a table: what separates its columns.
    pub(crate) delimiter: u8,
    pub(crate) columns: Option<Columns>,
}

/// The names of a table's columns.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    pub when: String,
    pub person: String,
    pub patient: String,
    pub action: Option<String>,
    pub workstation: Option<String>,
    pub module: Option<String>,
    pub purpose: Option<String>,
    /// A column that names the record itself.
    pub id: Option<String>,
}

/// Why a mapping is none.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMapping {
    /// It is no TOML of this form: the place, and what is wrong.
    #[error("{0}")]
    Form(#[source] Box<toml::de::Error>),
    /// The name of the source cannot be used.
    #[error("`source` is not 1 to 40 small letters, digits, `-` and `_`, or is `gateway`")]
    Source,
    /// There is no such time zone.
    #[error("`time_zone`: there is no `{0}` in the IANA database")]
    Zone(String),
    /// The delimiter is not one character.
    #[error("`delimiter` is not one of `,`, `;`, `|` and tab")]
    Delimiter,
    /// The clock is more than a day off.
    #[error("`clock_ahead_seconds` is more than a day")]
    Clock,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: String,
    time_zone: String,
    #[serde(default)]
    clock_ahead_seconds: i64,
    when: Option<String>,
    #[serde(default)]
    person: PersonIs,
    #[serde(default)]
    patient: PatientIs,
    #[serde(default)]
    other_actions: BTreeSet<String>,
    delimiter: Option<String>,
    columns: Option<Columns>,
}

/// Seconds by which a clock may be wrong.
const CLOCK_SECONDS_MAX: i64 = 86_400;

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidMapping> {
        let file: File = toml::from_str(text).map_err(|error| InvalidMapping::Form(Box::new(error)))?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let is_name = (1..=40).contains(&file.source.len()) && file.source.bytes().all(plain);
        if !is_name || file.source == "gateway" {
            return Err(InvalidMapping::Source);
        }
        if file.clock_ahead_seconds.saturating_abs() > CLOCK_SECONDS_MAX {
            return Err(InvalidMapping::Clock);
        }
        let delimiter = match file.delimiter.as_deref() {
            None | Some(",") => b',',
            Some(";") => b';',
            Some("|") => b'|',
            Some("\t" | "tab") => b'\t',
            Some(_) => return Err(InvalidMapping::Delimiter),
        };
        Ok(Self {
            zone: Zone::named(&file.time_zone).ok_or(InvalidMapping::Zone(file.time_zone))?,
            source: file.source,
            when_pattern: file.when,
            clock_ahead_seconds: file.clock_ahead_seconds,
            person_is: file.person,
            patient_is: file.patient,
            other_actions: file.other_actions,
            delimiter,
            columns: file.columns,
        })
    }

    /// A patient as logs are asked for him.
    pub(crate) fn patient_key(&self, name: &str) -> String {
        match self.patient_is {
            PatientIs::RecordNumber => format!("number:{name}"),
            PatientIs::FhirId => format!("Patient/{}", name.trim_start_matches("Patient/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_is_wrong_says_where() {
        let check = |text: &str, expected: &str| {
            let error = Mapping::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("source = 'Epic!'\ntime_zone = 'UTC'", "`source` is not");
        check("source = 'gateway'\ntime_zone = 'UTC'", "`source` is not");
        check("source = 'epic'\ntime_zone = 'Mars/Olympus'", "there is no `Mars/Olympus`");
        check("source = 'epic'\ntime_zone = 'UTC'\ndelimiter = 'x'", "`delimiter`");
        check("source = 'epic'\ntime_zone = 'UTC'\nclock_ahead_seconds = 86401", "more than a day");
        check("source = 'epic'\ntime_zone = 'UTC'\ncolour = 'red'", "unknown field `colour`");
        check("source = 'epic'", "missing field `time_zone`");
        assert!(Mapping::parse("source = 'epic'\ntime_zone = 'America/Phoenix'").is_ok());
    }
}
