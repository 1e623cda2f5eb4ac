//! FHIR R4 for Scruple: the dictionary of elements, and the projector, which shows of a resource what a decision table
//! allows and nothing else.
//!
//! Pure: no IO, no clock, no policy. The policy pack comes in as an annotation, the decision as views.

mod dictionary;
mod json;

pub use dictionary::{Dictionary, Element, ObjectType, SearchParameter, Target, TypeId, dictionary};
pub use json::{Fault, FaultKind};
