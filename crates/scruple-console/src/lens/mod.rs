//! The Lens as a port: what the page asks, and what is answered to it.
//!
//! What stands behind it decides, projects and records; the page lays side by side. [`HospitalLens`] is the real one.

mod explain;
mod hospital;
mod title;

pub use hospital::{HospitalLens, HospitalLensOptions};

use std::pin::Pin;

/// What [`Lens::seen`] returns.
pub type SeenFuture<'a> = Pin<Box<dyn Future<Output = Result<Seen, LensError>> + Send + 'a>>;

/// Synthetic records through the eyes of a role: decided, projected and recorded behind this trait.
pub trait Lens: Send + Sync {
    /// What can be chosen.
    fn catalogue(&self) -> Catalogue;

    /// The record of the patient with this ordinal, the Patient first. `None`: there is no such patient.
    fn record(&self, patient: usize) -> Option<Vec<RecordItem>>;

    /// One resource of a record, whole. `None`: there is no such one.
    fn whole(&self, patient: usize, item: usize) -> Option<Vec<u8>>;

    /// The same resource as a role gets it. The view is recorded before it is answered.
    fn seen(&self, ask: LensAsk) -> SeenFuture<'_>;
}

/// What can be chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Catalogue {
    /// Roles of the active policy, in the order in which they are offered.
    pub roles: Vec<RoleChoice>,
    /// The records, each in a few words that name nobody.
    pub patients: Vec<String>,
    /// The record that is shown first.
    pub first: usize,
    /// SHA-256 of the active policy, in hexadecimal.
    pub policy: String,
}

/// A role, and what it may choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleChoice {
    /// Its name in the policy.
    pub name: String,
    /// In words: `Billing, collections`.
    pub label: String,
    /// Purposes, the main one first.
    pub purposes: Vec<PurposeChoice>,
}

/// A purpose of use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PurposeChoice {
    /// HL7 v3 ActReason code.
    pub code: String,
    /// In words: `payment`.
    pub words: String,
}

/// A resource of a record; its ordinal is its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordItem {
    /// Resource type.
    pub kind: String,
    /// In a few words, without an id.
    pub title: String,
}

/// One view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LensAsk {
    /// Ordinal of the patient.
    pub patient: usize,
    /// Ordinal of the resource in the record.
    pub item: usize,
    /// Role, by its name.
    pub role: String,
    /// Purpose, by its code.
    pub purpose: String,
}

/// What a role gets, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The resource, or that there is none.
    pub outcome: Outcome,
    /// Reasons by element.
    pub reasons: Vec<Reason>,
    /// Id of the release in the ledger.
    pub release: String,
}

/// A resource as a role gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It shows, at least in part.
    Shown {
        /// FHIR JSON.
        bytes: Vec<u8>,
        /// It passes as it is.
        passes: bool,
    },
    /// Nothing of it shows.
    Withheld {
        /// The stable code of the reason.
        code: String,
        /// Why, in words that follow from the policy.
        words: String,
    },
}

/// Why an element is as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// `Patient.name`, `Observation.valueString`, `Patient.identifier(MR|AN)`, `Patient.extension(us-core-race)`.
    pub path: String,
    /// The kind of information, by name; `structure` or `withheld` where it has none.
    pub category: String,
    /// The same in words.
    pub kind: String,
    /// What the role has of it.
    pub view: SeenView,
    /// The tasks that ask for it, in words.
    pub tasks: Vec<String>,
    /// The rule of the policy: `roles/biller.toml:21`.
    pub rule: Option<String>,
    /// What would have to hold for more, in words.
    pub missing: Vec<String>,
    /// Why it is withheld where its kind is not.
    pub because: Option<String>,
}

/// A view in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SeenView {
    /// Nothing of it.
    None,
    /// By the mask with this name.
    Masked(String),
    /// All of it.
    Full,
}

/// Why there is no view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LensError {
    /// The policy has no such role.
    #[error("unknown role")]
    UnknownRole,
    /// The policy has no such purpose, or the role does not act for it.
    #[error("the role does not act for this purpose")]
    PurposeNotAllowed,
    /// An emergency purpose without its elevation.
    #[error("the purpose needs an elevation")]
    NoElevation,
    /// No such patient or resource.
    #[error("no such record")]
    NoSuchRecord,
    /// The view cannot be recorded, so that nothing is shown.
    #[error("the view cannot be recorded")]
    NotRecorded,
    /// Something broke.
    #[error("the lens failed")]
    Failed,
}

impl LensError {
    /// The stable code of the reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownRole => "role_unknown",
            Self::PurposeNotAllowed => "purpose_not_allowed",
            Self::NoElevation => "elevation_missing",
            Self::NoSuchRecord => "record_unknown",
            Self::NotRecorded => "not_recorded",
            Self::Failed => "lens_failed",
        }
    }
}
