//! Patients as the record system names them.

use crate::limits::PATIENT_ID_BYTES_MAX;
use scruple_core::Phi;
use std::fmt;
use std::str::FromStr;

/// A patient of the record system: the logical id behind `Patient/` (FHIR R4, `id`). It tells who is asked about, so that it is
/// sealed where it is stored and masked where it is printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatientRef(String);

/// A text that is no patient's reference. It does not repeat the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("patient is not `Patient/` and an id of at most {PATIENT_ID_BYTES_MAX} letters, digits, `-` and `.`")]
pub struct InvalidPatient;

impl PatientRef {
    /// The id, without `Patient/`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0
    }

    /// As References name him.
    #[must_use]
    pub fn reference(&self) -> Phi<String> {
        Phi::new(format!("Patient/{}", self.0))
    }
}

impl FromStr for PatientRef {
    type Err = InvalidPatient;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let id = text.strip_prefix("Patient/").unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if id.is_empty() || id.len() > PATIENT_ID_BYTES_MAX || !id.bytes().all(allowed) {
            return Err(InvalidPatient);
        }
        Ok(Self(id.to_owned()))
    }
}

impl fmt::Debug for PatientRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientRef(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_an_id_of_fhir_and_prints_as_nothing() {
        for right in ["Patient/a-1.b", "a-1.b", " a-1.b "] {
            let patient: PatientRef = right.parse().unwrap();
            assert_eq!((patient.id(), format!("{patient:?}")), ("a-1.b", "PatientRef(***)".to_owned()));
        }
        let long = "a".repeat(PATIENT_ID_BYTES_MAX + 1);
        for wrong in ["", "Patient/", "Group/1", "a b", "a/b", "https://x.example/Patient/1", &long] {
            assert_eq!(wrong.parse::<PatientRef>(), Err(InvalidPatient), "{wrong}");
        }
    }
}
