//! What the projector makes of the pack's tables: groups that are split, modifier elements that would be withheld alone,
//! types that are withheld because their home is.

use super::Lines;
use crate::decide::{Question, native};
use crate::model::{Pack, Role};
use crate::source::{Problem, Severity};
use scruple_core::{ConditionMask, DecisionTable, View};
use scruple_fhir::{Finding, Inspector, Place, categories, dictionary};
use std::collections::{BTreeMap, BTreeSet};

/// Roles that are named in one line of the report.
const ROLES_NAMED_MAX: usize = 6;

pub(super) fn check(pack: &Pack, lines: &Lines, problems: &mut Vec<Problem>) {
    let mut tables: Vec<(&str, Vec<DecisionTable>)> = Vec::new();
    for role in pack.roles.values() {
        tables.push((&role.name, tables_of(pack, role)));
    }
    findings(pack, &tables, lines, problems);
    homes(pack, &tables, lines, problems);
    purposes(pack, lines, problems);
}

/// The tables of a role: for each purpose, under every set of the conditions that its permits use.
fn tables_of(pack: &Pack, role: &Role) -> Vec<DecisionTable> {
    let elevation = pack.condition("emergency_elevation");
    let mut tables: Vec<DecisionTable> = Vec::new();
    for purpose in role.purposes() {
        // The proof refuses a role that uses too many conditions; here the first sets are enough.
        let few = |held: &ConditionMask| held.count() <= crate::prove::PROOF_CONDITIONS_MAX;
        for held in role.conditions().subsets().take_while(few) {
            let conditions = elevation.map_or(held, |id| held.with(id));
            let question = Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions };
            if let Ok(table) = native(pack, &question, None)
                && !tables.contains(&table)
            {
                tables.push(table);
            }
        }
    }
    tables
}

fn findings(pack: &Pack, tables: &[(&str, Vec<DecisionTable>)], lines: &Lines, problems: &mut Vec<Problem>) {
    let mut inspector = Inspector::new(&pack.annotation);
    let mut by_finding: BTreeMap<Finding, BTreeSet<&str>> = BTreeMap::new();
    for (role, tables) in tables {
        for (_, finding) in tables.iter().flat_map(|table| inspector.findings(table)).collect::<Vec<_>>() {
            by_finding.entry(finding).or_default().insert(*role);
        }
    }
    for (finding, roles) in by_finding {
        let roles = some_of(&roles);
        problems.push(match finding {
            Finding::ModifierAlone { path } => {
                let what = format!("`{path}` would be withheld beside what it modifies, for {roles}");
                let advice =
                    "put it in the category of its siblings, or let the mask carry it; until then nothing of it shows";
                Problem::error("elements.csv", lines.element(&path), what, advice)
            }
            Finding::SplitGroup { object, elements } => {
                let line = lines.groups.get(&object).copied().unwrap_or(0);
                let what =
                    format!("`{}` of {object} is withheld, and its group with it, for {roles}", elements.join("`, `"));
                let advice = "nothing, if that is meant: a group shows whole or not at all";
                Problem::error("groups.csv", line, what, advice).weighing(Severity::Information)
            }
        });
    }
}

/// Types of which a role would see something, were it not for their home.
fn homes(pack: &Pack, tables: &[(&str, Vec<DecisionTable>)], lines: &Lines, problems: &mut Vec<Problem>) {
    let annotation = &pack.annotation;
    for id in dictionary().resources() {
        let name = dictionary().get(*id).name;
        let Some(Place::Category(home)) = annotation.homes.get(name).copied() else { continue };
        let others = categories(annotation, *id);
        let mut roles = BTreeSet::new();
        let mut lost = BTreeSet::new();
        for (role, tables) in tables {
            for table in tables.iter().filter(|table| table.view(home) == View::None) {
                let seen: Vec<_> = others.iter().filter(|category| table.view(**category).shows()).collect();
                if !seen.is_empty() {
                    roles.insert(*role);
                    lost.extend(seen.into_iter().map(|category| pack.category_name(*category)));
                }
            }
        }
        if !roles.is_empty() {
            let lost = lost.into_iter().collect::<Vec<_>>().join("`, `");
            let home = pack.category_name(home);
            let what = format!(
                "{name} is withheld where its home `{home}` is none, `{lost}` with it, for {}",
                some_of(&roles)
            );
            let note = Problem::error("elements.csv", lines.element(name), what, "nothing, if that is meant");
            problems.push(note.weighing(Severity::Information));
        }
    }
}

/// Purposes that no caller may choose.
fn purposes(pack: &Pack, lines: &Lines, problems: &mut Vec<Problem>) {
    for purpose in &pack.purposes {
        if !pack.roles.values().any(|role| role.purposes().contains(&purpose.code.as_str())) {
            let what = format!("no role acts for `{}`", purpose.code);
            let line = lines.purposes.get(&purpose.code).copied().unwrap_or(0);
            let note = Problem::error("purposes.csv", line, what, "nothing: a call for it is refused");
            problems.push(note.weighing(Severity::Information));
        }
    }
}

fn some_of(roles: &BTreeSet<&str>) -> String {
    let named: Vec<&str> = roles.iter().copied().take(ROLES_NAMED_MAX).collect();
    let more = roles.len() - named.len();
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}
