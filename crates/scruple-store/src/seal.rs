//! [`Sealer`]: how a column is sealed, opened and looked up. The store holds no key and knows no cipher.

use uuid::Uuid;

/// Every column that is sealed, so that keys can be derived at the start.
pub const SEALED_COLUMNS: [&str; 62] = [
    crate::access_log::LINE,
    crate::account::PURPOSE,
    crate::case_paper::REASON,
    crate::case_paper::TEXT,
    crate::chart_access::ACTOR,
    crate::chart_access::FACTS,
    crate::chart_access::PATIENT,
    crate::chart_access::RELEASE,
    crate::chart_case::ANSWER,
    crate::chart_case::COMPLAINT,
    crate::chart_case::KEYS,
    crate::chart_case::LETTER,
    crate::chart_case::PATIENT,
    crate::chart_case::RATIONALE,
    crate::commit::BODY,
    crate::connected::ACCOUNT,
    crate::connected::RIGHT,
    crate::credential::SECRET,
    crate::directory::DEPARTMENT,
    crate::directory::DOCUMENT,
    crate::directory::EMPLOYEE_NUMBER,
    crate::directory::EXTERNAL_ID,
    crate::directory::ORGANISATION,
    crate::directory::TITLE,
    crate::drift::ACCOUNT,
    crate::drift::REASON,
    crate::elevation::JUSTIFICATION,
    crate::elevation::PATIENT,
    crate::grant::JUSTIFICATION,
    crate::group::DISPLAY,
    crate::group::EXTERNAL_ID,
    crate::idempotency::ANSWER,
    crate::job::PAYLOAD,
    crate::mapping::COMMENT,
    crate::pack::COMMENT,
    crate::pack::FILES,
    crate::pack::RATIONALE,
    crate::person::CONTACT,
    crate::person::LOGIN,
    crate::person::NAME,
    crate::project::COMMENT,
    crate::project::FLOWS,
    crate::project::HEADLINE,
    crate::project::LEVEL_REASON,
    crate::project::RETENTION,
    crate::request::COMMENT,
    crate::request::JUSTIFICATION,
    crate::request::PATIENT,
    crate::request::TICKET,
    crate::review::ACCOUNT,
    crate::review::QUESTION,
    crate::review::RATIONALE,
    crate::session::STATE,
    crate::use_review::COMMENT,
    crate::unused::OBJECTION,
    crate::task::COMMENT,
    crate::task::JUSTIFICATION,
    crate::task::PATIENT,
    crate::task::RECORDING,
    crate::task::TICKET,
    crate::task_unmask::PATIENT,
    crate::task_unmask::REASON,
];

/// Every column that has a blind index.
pub const BLIND_COLUMNS: [&str; 20] = [
    crate::chart_access::ACTOR,
    crate::chart_access::ONCE,
    crate::chart_access::PATIENT,
    crate::chart_access::PLACE,
    crate::chart_case::PATIENT,
    crate::connected::ACCOUNT,
    crate::connected::RIGHT,
    crate::credential::LOOKUP,
    crate::directory::DEPARTMENT,
    crate::directory::EMPLOYEE_NUMBER,
    crate::directory::EXTERNAL_ID,
    crate::drift::ABOUT,
    crate::elevation::PATIENT,
    crate::group::DISPLAY,
    crate::group::EXTERNAL_ID,
    crate::person::LOGIN,
    crate::request::PATIENT,
    crate::task::PATIENT,
    crate::task::TICKET,
    crate::task_unmask::PATIENT,
];

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[error("sealing failed")]
pub struct SealError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl SealError {
    /// Wraps the sealer's own error, whose text must not hold the value.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Seals columns before they reach SQL. `column` is `table.column` and, with the row's id, must be bound into the seal,
/// so that a value moved to another row or column does not open.
// relies on (no-PHI-aside): what a sealer returns may stand in a database file, a dump and a server log.
pub trait Sealer: Send + Sync {
    /// Seals a value; the same value twice gives different bytes.
    ///
    /// # Errors
    /// There is no key to seal with.
    fn seal(&self, column: &'static str, id: Uuid, clear: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens a value.
    ///
    /// # Errors
    /// The bytes were not sealed for this column and row, or their key is gone.
    fn open(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Vec<u8>, SealError>;

    /// The keyed index of a value: equal values of one column give equal bytes, and nothing else is learned from them.
    fn blind(&self, column: &'static str, clear: &[u8]) -> [u8; 32];
}
