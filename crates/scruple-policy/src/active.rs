//! Activation: the one way to a decider. Read, check, prove, or nothing.

use crate::check::check;
use crate::decide::Decider;
use crate::model::Pack;
use crate::prove::{Proof, ProofError, prove};
use crate::source::{PackFiles, Problem, Severity};
use scruple_core::Timestamp;
use std::sync::Arc;

/// A pack that was read without an error, checked and proved.
pub struct Active {
    /// The pack; its hash stands in each decision.
    pub pack: Arc<Pack>,
    /// Decides under it.
    pub decider: Decider,
    /// That its native tables equal Cedar's answers, by which engines.
    pub proof: Proof,
    /// What the check found that does not refuse it.
    pub remarks: Vec<Problem>,
}

/// Why a pack is not activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// It has errors.
    #[error("the policy pack has {} errors, first: {}", .0.len(), first(.0))]
    Refused(Vec<Problem>),
    /// It is not proved.
    #[error("the policy pack is not proved")]
    NotProved(#[from] ProofError),
}

fn first(problems: &[Problem]) -> String {
    problems.first().map_or_else(String::new, ToString::to_string)
}

/// Reads, checks and proves a pack.
///
/// # Errors
/// Every error of the pack, or why it is not proved. There is no other way to a [`Decider`].
pub fn activate(files: &PackFiles, at: Timestamp) -> Result<Active, ActivationError> {
    let checked = check(files, at);
    let (errors, remarks): (Vec<Problem>, Vec<Problem>) =
        checked.problems.into_iter().partition(|problem| problem.severity == Severity::Error);
    let Some(pack) = checked.pack.filter(|_| errors.is_empty()) else { return Err(ActivationError::Refused(errors)) };
    let proof = prove(&pack)?;
    Ok(Active { decider: Decider::new(Arc::clone(&pack)), pack, proof, remarks })
}
