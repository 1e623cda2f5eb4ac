//! Whether an approver stands apart from whom he approves for, and from who approves beside him (JX-09).

use super::{DeskError, line_manager};
use scruple_core::Id;
use scruple_flow::limits::MANAGERS_UP_MAX;
use scruple_flow::{AccessRequest, ApartNeed, Approval, Approver, ApproverKind, Person, RequestError, RequestState};
use scruple_store::{Tx, find_directory};
use std::collections::BTreeSet;

/// The needs of a request in which an approver stands apart as they say.
///
/// # Errors
/// [`RequestError::NotEligible`]: who approved before him asked for somebody of another department.
pub(super) async fn met(
    tx: &mut Tx,
    request: &AccessRequest,
    approver: &Approver,
) -> Result<BTreeSet<ApproverKind>, DeskError> {
    let approvals = match &request.state {
        RequestState::Pending { approvals } => approvals.as_slice(),
        _ => &[],
    };
    // That one person approves twice is said elsewhere.
    let others: Vec<&Approval> = approvals.iter().filter(|given| given.by != approver.person).collect();
    let mut met = BTreeSet::new();
    for given in others.iter().filter(|given| given.kind.is_of_other_unit()) {
        if !are_of_two_units(tx, approver.person, given.by).await? {
            return Err(RequestError::NotEligible.into());
        }
    }
    for kind in &request.rule.needs {
        let ApproverKind::Apart(need) = kind else { continue };
        let is_named = need.roles.iter().any(|role| approver.kinds.contains(&ApproverKind::Role(role.clone())));
        if is_named && stands_apart(tx, need, request, (approver, &others)).await? {
            met.insert(kind.clone());
        }
    }
    Ok(met)
}

async fn stands_apart(
    tx: &mut Tx,
    need: &ApartNeed,
    request: &AccessRequest,
    (approver, others): (&Approver, &[&Approval]),
) -> Result<bool, DeskError> {
    if need.outside_line {
        for him in [Some(approver.person), approver.acting_for].into_iter().flatten() {
            for whom in [request.person, request.requested_by] {
                if reports_to(tx, whom, him).await? || reports_to(tx, him, whom).await? {
                    return Ok(false);
                }
            }
        }
    }
    if need.other_unit {
        for given in others {
            if !are_of_two_units(tx, approver.person, given.by).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether somebody reports to another, directly or further up. A line without an end, or that long, counts as his.
async fn reports_to(tx: &mut Tx, from: Id<Person>, to: Id<Person>) -> Result<bool, DeskError> {
    let mut at = from;
    for _ in 0..MANAGERS_UP_MAX {
        match line_manager(tx, at).await? {
            None => return Ok(false),
            Some(manager) if manager == to => return Ok(true),
            Some(manager) => at = manager,
        }
    }
    Ok(true)
}

/// Whether two people are of different departments. What nobody has told is no department.
async fn are_of_two_units(tx: &mut Tx, one: Id<Person>, other: Id<Person>) -> Result<bool, DeskError> {
    let mut units = Vec::with_capacity(2);
    for person in [one, other] {
        let record = find_directory(tx, person).await?;
        let unit = record.and_then(|record| record.attributes.department);
        units.push(unit.map(|unit| unit.expose().trim().to_lowercase()).filter(|unit| !unit.is_empty()));
    }
    Ok(matches!(units.as_slice(), [Some(one), Some(other)] if one != other))
}
