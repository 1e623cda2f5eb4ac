//! What would become of one resource, without any of it: for those who ask why.

use crate::targets::Around;
use scruple_core::Timestamp;
use scruple_fhir::{Projection, Projector};
use scruple_policy::{Decider, Question, Refusal};
use scruple_seal::{Secret, TokenKey};
use std::sync::Arc;

/// What becomes of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// It shows in part.
    Shows,
    /// It passes as it is.
    Passes,
    /// It does not show: the stable code of the reason.
    Withheld(&'static str),
}

/// Judges a resource with its labels, as if all that it refers to showed. No byte of it leaves, so that nothing is recorded.
///
/// # Errors
/// The policy refuses the question.
pub fn judge(decider: &Decider, question: &Question, now: Timestamp, resource: &[u8]) -> Result<Judged, Refusal> {
    let table = decider.decide(question)?;
    let projection = Projection::new(Arc::clone(&decider.pack().annotation), table.as_ref().clone());
    // What it makes of values is thrown away.
    let token = TokenKey::new(&Secret::new([0; 32]));
    let around = Around { targets: None, token: &token, today: now.civil_date() };
    Ok(match Projector::new(&projection, &around).project(resource, &mut Vec::new()) {
        Ok(shown) if shown.passed => Judged::Passes,
        Ok(_) => Judged::Shows,
        Err(withheld) => Judged::Withheld(withheld.code()),
    })
}
