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

/// Why nothing of a resource shows. `code` is that of the reason; `home` is the kind of information that the type is, or empty.
#[must_use]
pub fn withheld_because(code: &str, role: &str, home: &str) -> String {
    match code {
        "policy" if home.is_empty() => format!("The role {role} has nothing of this type."),
        "policy" => format!("The role {role} has no information of this kind: {home}."),
        "label" => format!("It is specially protected, and the role {role} does not hold that protection."),
        "unclassified" => "One of its codes or labels is in none of the policy's lists, or is listed as `unclassified`, as `R` (restricted) is. It could be specially protected, so that the record stays closed.".to_owned(),
        "required" => "An element that must not be left out would be withheld, so that the whole record is.".to_owned(),
        "implicit_rules" | "modifier_extension" => {
            "Something in it changes its meaning in a way that the policy does not know, so that it stays closed.".to_owned()
        }
        _ => "It cannot be judged, so that it stays closed.".to_owned(),
    }
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
