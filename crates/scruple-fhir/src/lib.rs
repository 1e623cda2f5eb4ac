//! FHIR R4 for Scruple: the dictionary of elements, and the projector, which shows of a resource what a decision table
//! allows and nothing else.
//!
//! Pure: no IO, no clock, no policy. The policy pack comes in as an [`Annotation`], the decision as a table of views.

pub mod about;
pub mod align;
mod annotation;
mod attachment;
pub mod bundle;
mod codes;
mod describe;
mod dictionary;
mod invariants;
mod json;
mod marker;
mod mask;
mod meta;
mod paths;
mod plan;
mod project;
mod reference;
pub mod request;
pub mod search;
pub mod tree;

pub use annotation::{Annotation, Discriminator, KnownExtension, Mask, MaskFunction, Place};
pub use attachment::{is_binary, with_links};
pub use codes::{CodeIndex, Form};
pub use describe::{
    ElementView, Inspector, TypeView, categories, classes, describe, mask_carries, mask_covers, under_labels,
};
pub use dictionary::{Dictionary, Element, ObjectType, SearchParameter, Target, TypeId, dictionary};
pub use json::{Fault, FaultKind};
pub use plan::{Asks, Finding};
pub use project::{ElementCounts, MalformedAt, Memory, Projection, Projector, Shown, Surroundings, Withheld};
