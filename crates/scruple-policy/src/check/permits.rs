//! Permits among themselves, tasks without a permit, and roles that must see no PHI.

use crate::model::{ActScope, Pack, Permit, RelatedBy, Role};
use crate::source::{Problem, Severity};
use scruple_core::{CategoryId, ConditionMask, View};
use scruple_fhir::mask_carries;
use std::collections::BTreeMap;

pub(super) fn check(pack: &Pack, problems: &mut Vec<Problem>) {
    let mut carries = BTreeMap::new();
    for role in pack.roles.values().filter(|role| !role.is_profile) {
        tasks(role, problems);
        leaders(pack, role, problems);
        for (index, permit) in role.permits.iter().enumerate() {
            alone(pack, role, permit, problems);
            empty_masks(pack, role, permit, &mut carries, problems);
            covered(pack, role, index, permit, problems);
            for earlier in role.permits.iter().take(index) {
                unlike(pack, role, earlier, permit, problems);
            }
        }
        purposes(role, problems);
    }
}

/// A task that no permit cites needs nothing, or was forgotten (RB-08).
fn tasks(role: &Role, problems: &mut Vec<Problem>) {
    for task in &role.tasks {
        if !role.permits.iter().any(|permit| permit.tasks.contains(&task.name)) {
            let what = format!("no permit cites task `{}`", task.name);
            let advice = "give it what it needs, or leave it as a task that needs no PHI";
            problems.push(Problem::error(&role.file, task.line, what, advice).weighing(Severity::Warning));
        }
    }
}

/// Whoever leads others, or sees records by tasks, has no chart of his own: counts, and the records of a case (SC-07).
fn leaders(pack: &Pack, role: &Role, problems: &mut Vec<Problem>) {
    let mut error = |what: String, advice: &str| problems.push(Problem::error(&role.file, 0, what, advice));
    let name = &role.name;
    let leads = pack.console.0.iter().any(|((_, who), scope)| who == name && *scope == ActScope::Team);
    if (leads || pack.works_by_tasks(name)) && !role.administrative {
        let what = format!("`{name}` leads others or works by tasks, and is not marked administrative");
        error(what, "write `administrative = true`: no standing sight of a chart (SC-07)");
    }
    if role.administrative && role.related_by != RelatedBy::default() {
        let what = format!("the administrative role `{name}` has a standing relationship to patients");
        error(what, "take its line out of relationships.csv: a task names the patients (SC-07)");
    }
}

/// A purpose that opens nothing is one that the role does not have.
fn purposes(role: &Role, problems: &mut Vec<Problem>) {
    for purpose in std::iter::once(&role.purpose).chain(&role.also) {
        if !role.permits.iter().any(|permit| permit.purposes.contains(purpose)) {
            let what = format!("no permit applies to purpose `{purpose}`");
            let advice = "take the purpose out of the role, or name it in a permit";
            problems.push(Problem::error(&role.file, 0, what, advice).weighing(Severity::Warning));
        }
    }
}

/// What is wrong with a permit by itself.
fn alone(pack: &Pack, role: &Role, permit: &Permit, problems: &mut Vec<Problem>) {
    let mut error = |line: usize, what: String, advice: &str| {
        problems.push(Problem::error(&role.file, line, what, advice));
    };
    if permit.categories.is_empty() {
        error(permit.line, "a permit without a category".to_owned(), "name the categories, or take it out");
    }
    if permit.purposes.is_empty() {
        error(permit.line, "a permit without a purpose".to_owned(), "leave `purposes` out for all of the role's");
    }
    let relationship = pack.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
    let phi = |category: &CategoryId| pack.categories.get(usize::from(category.0)).is_none_or(|category| category.phi);
    let standing = relationship.covers(permit.when);
    for (category, line) in permit.categories.iter().zip(&permit.category_lines).filter(|(category, _)| phi(category)) {
        let name = pack.category_name(*category);
        if role.administrative && permit.view == View::Full && standing {
            let what = format!("the administrative role `{}` sees `{name}` in full", role.name);
            let advice = "mask it, or ask for a condition that is given case by case (RB-12)";
            problems.push(Problem::error(&role.file, *line, what, advice));
        }
        if permit.when == ConditionMask::NONE {
            let what = format!("`{name}` of every patient, with no condition asked");
            let advice = "add \"relationship\" to `when`";
            let weight = if role.administrative { Severity::Error } else { Severity::Warning };
            problems.push(Problem::error(&role.file, *line, what, advice).weighing(weight));
        }
    }
}

/// A mask that shows nothing of its cell is a none that reads like more. One that shows nothing anywhere (a count that
/// is not built) may stand under a condition that is not enforced yet.
fn empty_masks(
    pack: &Pack,
    role: &Role,
    permit: &Permit,
    carries: &mut BTreeMap<(u8, u8), bool>,
    problems: &mut Vec<Problem>,
) {
    let View::Masked(mask) = permit.view else { return };
    for (category, line) in permit.categories.iter().zip(&permit.category_lines) {
        let shows =
            *carries.entry((category.0, mask.0)).or_insert_with(|| mask_carries(&pack.annotation, *category, mask));
        let waits = pack
            .conditions
            .iter()
            .enumerate()
            .any(|(index, condition)| condition.enforced == "not yet" && permit.when.0 & 1 << (index & 63) != 0);
        let planned = waits && is_empty(pack, permit.view);
        if !shows && !planned {
            let view = pack.view_name(permit.view);
            let what = format!("{view} shows nothing of `{}`", pack.category_name(*category));
            let advice = if is_empty(pack, permit.view) {
                "what is not built yet stands under a condition that is `not yet`"
            } else {
                "take another mask, or take the category out: none is the default"
            };
            problems.push(Problem::error(&role.file, *line, what, advice));
        }
    }
}

/// Whether a mask withholds everything.
fn is_empty(pack: &Pack, view: View) -> bool {
    let View::Masked(mask) = view else { return false };
    let rules = pack.annotation.masks.get(usize::from(mask.0));
    rules.is_none_or(|mask| mask.rules.values().all(|function| *function == scruple_fhir::MaskFunction::Withhold))
}

/// A cell that other permits already give, at least as wide, under no further condition, for all of its purposes.
fn covered(pack: &Pack, role: &Role, index: usize, permit: &Permit, problems: &mut Vec<Problem>) {
    let gives = |at: usize, other: &Permit, category: &CategoryId, purpose: &String| {
        let wider = pack.covers(other.view, permit.view) && permit.when.covers(other.when);
        let alike = other.view == permit.view && other.when == permit.when;
        at != index
            && other.categories.contains(category)
            && other.purposes.contains(purpose)
            && wider
            && (!alike || at < index)
    };
    let by = |category: &CategoryId| -> Option<usize> {
        let mut line = None;
        for purpose in &permit.purposes {
            let other = role.permits.iter().enumerate().find(|(at, other)| gives(*at, other, category, purpose));
            line = Some(other?.1.line);
        }
        line
    };
    let cells: Vec<(CategoryId, usize, usize)> = permit
        .categories
        .iter()
        .zip(&permit.category_lines)
        .filter_map(|(category, line)| Some((*category, *line, by(category)?)))
        .collect();
    let advice = "take it out: the other permit applies whenever this one does";
    if cells.len() == permit.categories.len()
        && let Some((_, _, other)) = cells.first()
    {
        let what = format!("an unreachable permit: line {other} gives as much");
        problems.push(Problem::error(&role.file, permit.line, what, advice));
        return;
    }
    for (category, line, other) in cells {
        let what = format!("`{}` is unreachable here: line {other} gives as much", pack.category_name(category));
        problems.push(Problem::error(&role.file, line, what, advice));
    }
}

/// Two masks of one cell of which none is the wider: any two conditions can hold together.
fn unlike(pack: &Pack, role: &Role, earlier: &Permit, permit: &Permit, problems: &mut Vec<Problem>) {
    let together = permit.purposes.iter().any(|purpose| earlier.purposes.contains(purpose));
    if !together || pack.covers(earlier.view, permit.view) || pack.covers(permit.view, earlier.view) {
        return;
    }
    for (category, line) in permit.categories.iter().zip(&permit.category_lines) {
        if earlier.categories.contains(category) {
            let what = format!(
                "`{}` is {} here and {} in line {}, and none of them is the wider",
                pack.category_name(*category),
                pack.view_name(permit.view),
                pack.view_name(earlier.view),
                earlier.line
            );
            problems.push(Problem::error(&role.file, *line, what, "keep one, or give them different purposes"));
        }
    }
}
