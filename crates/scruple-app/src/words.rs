//! What people and programs read for reasons that have a code: one home, so that both read the same.

use scruple_flow::{DeclaredReason, EmergencyReason, TaskKind};

/// What an emergency is.
#[must_use]
pub const fn emergency(reason: EmergencyReason) -> &'static str {
    match reason {
        EmergencyReason::LifeThreat => "Life or limb is in danger",
        EmergencyReason::Unresponsive => "The patient cannot answer",
        EmergencyReason::DrugSafety => "Poisoning, allergy or interaction",
        EmergencyReason::TeamCalled => "Rapid response or code",
        EmergencyReason::MassEvent => "Many come at once",
        EmergencyReason::Other => "Something else",
        EmergencyReason::Drill => "A drill, on a practice chart",
    }
}

/// Why somebody says that he cares for a patient.
#[must_use]
pub const fn declared(reason: DeclaredReason) -> &'static str {
    match reason {
        DeclaredReason::Covering => "I cover for a colleague",
        DeclaredReason::Consult => "I was asked for a consult",
        DeclaredReason::Transfer => "The patient comes to my unit",
        DeclaredReason::Call => "The patient is on the telephone",
        DeclaredReason::NotYetRecorded => "The visit is not in the system yet",
    }
}

/// What an access task is for.
#[must_use]
pub const fn task_kind(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::QualityReview => "a review of quality",
        TaskKind::Complaint => "a complaint",
        TaskKind::Staffing => "an event of staffing",
        TaskKind::Audit => "an audit",
        TaskKind::Support => "support",
        TaskKind::RemoteSupport => "remote support",
    }
}

/// With a small first letter, to go on in a sentence; an abbreviation stays.
#[must_use]
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second.is_whitespace() => {
            format!("{}{}", first.to_lowercase(), letters.as_str())
        }
        _ => text.to_owned(),
    }
}
