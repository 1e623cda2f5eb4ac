//! The slow projector: `docs/projection.md` on a tree, a rule a function, nothing clever.
//!
//! It reads everything into memory, looks every rule up by text, and walks the resource as often as it likes. It shares
//! no code with the projector of `scruple-fhir` but the dictionary, so that a mistake in one is seen.
//! Where the page leaves something open, the reading taken here stands beside the code, as `Reading:`.

#![expect(clippy::indexing_slicing, reason = "places come from the dictionary, and a test tool may stop")]

pub mod forms;
pub mod json;
pub mod model;
pub mod pack;

mod facts;
mod faults;
mod markers;
mod mask;
mod object;
mod passing;
mod place;
mod reference;
mod resource;
#[cfg(test)]
mod tests;

use model::object_type;
pub use pack::SlowPack;
use std::collections::{BTreeMap, BTreeSet};

/// The longest resource in bytes.
pub const RESOURCE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much of something shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Nothing.
    None,
    /// What the mask of that name leaves.
    Mask(String),
    /// All.
    Full,
}

impl View {
    /// What both allow.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Full, view) | (view, Self::Full) => view,
            (Self::Mask(one), Self::Mask(two)) if one == two => Self::Mask(one),
            _ => Self::None,
        }
    }
}

/// What a segment does to the views of a resource that it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing shows.
    None,
    /// Codes show.
    Coded,
    /// As the views say.
    Follow,
}

/// What the policy says for one caller.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Category to view; what is not here is none.
    pub views: BTreeMap<String, View>,
    /// Segment to limit; what is not here is none.
    pub limits: BTreeMap<String, Limit>,
    /// Resources of types whose every category is full pass as they are.
    pub passes: bool,
}

/// A civil date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day, from 1.
    pub day: u8,
}

/// Where faults of FHIR (not of JSON) are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// In the whole resource.
    Everywhere,
    /// Not below a value that can neither show nor carry facts: the page's exception.
    WhereSeen,
}

/// Everything that a projection depends on but the resource.
pub struct Slow<'a> {
    /// The pack.
    pub pack: &'a SlowPack,
    /// The decision.
    pub decision: &'a Decision,
    /// The day for which ages are told.
    pub as_of: Date,
    /// The keyed pseudonym of a FHIR type name and a raw text.
    pub token: &'a dyn Fn(&str, &str) -> String,
    /// The literals (without `/_history/v`) whose targets show.
    pub visible: &'a BTreeSet<String>,
    /// Where faults are looked for.
    pub faults: Faults,
}

/// Why nothing of a resource shows (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// The decision's views.
    Policy,
    /// A segment's limit.
    Label,
    /// Codes that no table knows.
    Unclassified,
    /// Not JSON, or not FHIR.
    Malformed,
    /// `implicitRules` stands in it.
    ImplicitRules,
    /// A `modifierExtension` stands at its top.
    ModifierExtension,
    /// A required element cannot be left out.
    Required,
    /// Longer than [`RESOURCE_BYTES_MAX`].
    TooLarge,
}

impl Withheld {
    /// The name in counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Label => "label",
            Self::Unclassified => "unclassified",
            Self::Malformed => "malformed",
            Self::ImplicitRules => "implicit_rules",
            Self::ModifierExtension => "modifier_extension",
            Self::Required => "required",
            Self::TooLarge => "too_large",
        }
    }
}

impl Slow<'_> {
    /// The projection of one resource.
    ///
    /// # Errors
    /// Why nothing of it shows.
    pub fn project(&self, input: &[u8]) -> Result<Vec<u8>, Withheld> {
        // Reading: section 1 calls it malformed, section 6 has a reason of its own, which is told.
        if input.len() > RESOURCE_BYTES_MAX {
            return Err(Withheld::TooLarge);
        }
        let value = json::parse(input).map_err(|_| Withheld::Malformed)?;
        self.check_faults(&value)?;
        Ok(self.resource(&value)?.into_bytes())
    }
}

/// The marker's object: an extension that says `masked`.
pub(crate) const MARKER: &str =
    r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}"#;

fn is_data_type(name: &str) -> bool {
    object_type(name).is_some_and(|object| !object.is_in_resource())
}
