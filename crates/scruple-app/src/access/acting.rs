//! Who acts, as a decision takes it: the gateway and those who ask for decisions come through here, so that both hear the same.

use super::{Held, Selected};
use scruple_core::{ConditionId, ConditionMask, Relationship, Timestamp};
use scruple_flow::HeldTask;
use scruple_policy::{Pack, Question, Relationships};
use scruple_release::{Asked, Opened};
use std::collections::BTreeMap;

/// Somebody with the role that was selected, for a purpose, as a decision under `pack` takes him. `circumstances`: the conditions of
/// his sign-in, device and place that hold.
#[must_use]
pub fn acting(
    held: &Held,
    selected: &Selected,
    (subject, purpose): (&str, String),
    circumstances: ConditionMask,
    pack: &Pack,
    now: Timestamp,
) -> Asked {
    let (conditions, relationship) = match pack.relationships {
        Relationships::Resolved => (ConditionMask::NONE, Relationship::Resolved),
        Relationships::Assumed => {
            let assumed = pack.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
            (assumed, Relationship::Assumed)
        }
        // Nobody is there who could say so.
        Relationships::Asserted => (ConditionMask::NONE, Relationship::None),
    };
    let protected = pack.protected(selected.role.as_str());
    let confirmed = held.protected(&selected.role, &purpose, now);
    let limited = held.limited(&selected.role, &purpose, now);
    let by_tasks = pack.works_by_tasks(selected.role.as_str());
    let (opened, condition) = if by_tasks {
        opened_by_tasks(held, selected, pack, now)
    } else {
        let emergency = pack.condition("emergency_elevation").filter(|_| purpose == "BTG");
        (held.opened(&selected.role, &purpose, now), emergency)
    };
    let condition = condition.filter(|_| !opened.is_empty());
    // An emergency and a task open the records that they name and no others, also where a relationship is assumed.
    let (conditions, relationship) = if by_tasks && !opened.is_empty() || purpose == "BTG" {
        (ConditionMask::NONE, Relationship::Resolved)
    } else {
        (conditions, relationship)
    };
    let conditions = condition.map_or(conditions, |id| conditions.with(id)).union(circumstances);
    // An emergency opens what is specially protected of the patient for whom it was confirmed, and of no other.
    let opened = opened.into_iter().map(|(patient, by)| {
        let is_confirmed = !by_tasks && confirmed.contains(&patient);
        let protected = if is_confirmed { protected } else { ConditionMask::NONE };
        (patient, Opened { by, protected })
    });
    Asked {
        subject: subject.to_owned(),
        question: Question { role: selected.role.to_string(), purpose, conditions },
        relationship,
        grant: Some(selected.grant.to_string()),
        practitioners: held.practitioners().iter().map(ToString::to_string).collect(),
        opened: opened.collect(),
        limited,
    }
}

/// What the active tasks of a role open, and by which; of support only what is of the system that is served here. Beside it the
/// condition that holds by them.
fn opened_by_tasks(
    held: &Held,
    selected: &Selected,
    pack: &Pack,
    now: Timestamp,
) -> (BTreeMap<String, String>, Option<ConditionId>) {
    let is_here = |task: &&HeldTask| match &task.system {
        Some(system) => pack.system(system).is_some_and(|system| system.served),
        None => true,
    };
    let tasks: Vec<&HeldTask> = held.tasks(&selected.role, now).filter(is_here).collect();
    let by = |task: &HeldTask| format!("asked AccessTask/{}", task.id);
    let shown = tasks.iter().flat_map(|task| task.unmasked.iter().map(move |one| (task, one)));
    let mut shown = shown.filter(|(_, one)| one.window.contains(now));
    // A decision is for all patients that it opens: while a field of one is shown unmasked, that one alone is open.
    if let (Some((task, one)), None) = (shown.next(), shown.next()) {
        let opened = BTreeMap::from([(one.patient.id().to_owned(), by(task))]);
        return (opened, pack.unmask_condition(&one.category));
    }
    let of =
        |task: &&HeldTask| task.patients.iter().map(|patient| (patient.id().to_owned(), by(task))).collect::<Vec<_>>();
    let oversees = tasks.iter().all(|task| !task.kind.is_support());
    (tasks.iter().flat_map(of).collect(), pack.condition("oversight_task").filter(|_| oversees))
}
