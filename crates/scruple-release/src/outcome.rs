//! OperationOutcomes: what a caller reads when the answer is no. They hold words of policy and of the grammar alone.

use serde_json::json;

/// The code system of our reasons.
const SYSTEM: &str = "urn:scruple:reason";

/// A no: HTTP status, stable code and a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct No {
    /// HTTP status.
    pub status: u16,
    /// Stable code of the reason.
    pub code: &'static str,
    /// A sentence that follows from policy, grammar or the state of the system, never from data.
    pub words: String,
}

impl No {
    /// A no with a sentence.
    #[must_use]
    pub fn new(status: u16, code: &'static str, words: impl Into<String>) -> Self {
        Self { status, code, words: words.into() }
    }

    /// What is missing, deleted and forbidden looks like.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is no such resource for you.")
    }

    /// The FHIR issue type (http://hl7.org/fhir/issue-type).
    const fn issue(&self) -> &'static str {
        match self.status {
            401 => "login",
            403 => "forbidden",
            404 => "not-found",
            405 | 406 => "not-supported",
            503 => "transient",
            _ => "invalid",
        }
    }

    /// The OperationOutcome, as bytes of FHIR JSON.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.issue(),
                "details": { "coding": [{ "system": SYSTEM, "code": self.code }] },
                "diagnostics": self.words,
            }],
        });
        outcome.to_string().into_bytes()
    }
}
