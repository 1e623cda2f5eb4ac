//! What connects: which resources pass labels on (`inheritance.csv`), and what makes a relationship
//! (`relationships.csv`).

use super::{Names, Reader};
use crate::model::{Reach, RelatedBy, Role};
use crate::source::{Row, Table};
use scruple_core::SegmentSet;
use scruple_fhir::about::{Inheritance, Inheritances};
use scruple_fhir::{Annotation, dictionary};
use std::collections::BTreeMap;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
/// Longest reach, in minutes: a hundred years.
const MINUTES_MAX: i64 = 100 * 366 * 24 * 60;

impl Reader<'_> {
    pub(super) fn inheritance(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
        let table = self.table("inheritance.csv", &["element", "passes", "note"]);
        let given = annotation.reference_sources.values().chain(annotation.meta_sources.values());
        let source = given.fold(SegmentSet::EMPTY, |all, one| all.union(*one));
        let all = SegmentSet::ALL.union(SegmentSet::UNCLASSIFIED).union(SegmentSet::UNREADABLE);
        let mut lines: Vec<Inheritance> = Vec::new();
        for row in &table.rows {
            let passes = match row.field(1) {
                "all" => Some(all),
                "source" => Some(source),
                "code" => Some(all.without(source)),
                listed => listed
                    .split(';')
                    .try_fold(SegmentSet::EMPTY, |set, name| Some(set.with(names.segment(name.trim())?))),
            };
            let Some(passes) = passes else {
                let what = format!("`passes` is `{}`", row.field(1));
                self.problems.push(table.problem(
                    row.line,
                    what,
                    "write source, code, all, or segments of segments.csv",
                ));
                continue;
            };
            let path = row.field(0);
            let Some((of, rest)) = path.split_once('.').filter(|_| leads_to_reference(path)) else {
                let what = format!("`{path}` is no Reference of FHIR R4");
                self.problems.push(table.problem(
                    row.line,
                    what,
                    "write the path as in the definitions, or `*.element`",
                ));
                continue;
            };
            let key = |step: &str| match step.strip_suffix("[x]") {
                Some(stem) => format!("{stem}Reference"),
                None => step.to_owned(),
            };
            let line = Inheritance {
                element: path.to_owned(),
                of: (of != "*").then(|| of.to_owned()),
                steps: rest.split('.').map(key).collect(),
                passes,
            };
            if lines.iter().any(|known| (&known.of, &known.steps) == (&line.of, &line.steps)) {
                self.problems.push(table.problem(row.line, format!("`{path}` stands twice"), "keep one of the lines"));
            }
            lines.push(line);
        }
        annotation.inheritance = Inheritances::new(lines);
    }

    pub(super) fn relationships(&mut self, roles: &mut BTreeMap<String, Role>) {
        let columns = ["role", "encounter", "appointment", "care_team", "panel", "note"];
        let table = self.table("relationships.csv", &columns);
        let mut seen: Vec<&str> = Vec::new();
        for row in &table.rows {
            let name = row.field(0);
            let by = RelatedBy {
                encounter: self.reach(&table, row, 1),
                appointment: self.reach(&table, row, 2),
                care_team: self.reach(&table, row, 3),
                panel: row.field(4) == "yes",
            };
            if !matches!(row.field(4), "yes" | "no") {
                self.problems.push(table.problem(
                    row.line,
                    format!("`panel` is `{}`", row.field(4)),
                    "write yes or no",
                ));
            }
            if seen.contains(&name) {
                self.problems.push(table.problem(
                    row.line,
                    format!("role `{name}` stands twice"),
                    "keep one of the lines",
                ));
            }
            seen.push(name);
            match roles.get_mut(name) {
                Some(role) => role.related_by = by,
                None if self.files.0.contains_key(&format!("roles/{name}.toml")) => {}
                None => {
                    let what = format!("role `{name}` has no file in roles/");
                    self.problems.push(table.problem(row.line, what, "add the role, or take the line out"));
                }
            }
        }
    }

    fn reach(&mut self, table: &Table, row: &Row, field: usize) -> Option<Reach> {
        let text = row.field(field);
        if text == "none" {
            return None;
        }
        let reach = text
            .split_once("..")
            .and_then(|(before, after)| Some(Reach { before: duration(before)?, after: duration(after)? }));
        if reach.is_none() {
            let what = format!("`{text}` is no stretch of time");
            self.problems.push(table.problem(row.line, what, "write `24h..30d` (before..after; m, h or d), or none"));
        }
        reach
    }
}

/// `90m`, `72h`, `30d` in microseconds.
fn duration(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return None,
    };
    if !(1..=8).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let minutes = number.parse::<i64>().ok()?.checked_mul(minutes).filter(|minutes| *minutes <= MINUTES_MAX)?;
    minutes.checked_mul(MINUTE)
}

/// Whether a path of the definitions, or `*.element`, ends at a Reference.
fn leads_to_reference(path: &str) -> bool {
    let is_reference = |names: &[&str]| names.contains(&"Reference");
    match path.strip_prefix("*.") {
        Some(name) => {
            let resources = dictionary().resources().iter().map(|id| dictionary().get(*id));
            let mut elements = resources.filter_map(|object| object.element(name));
            elements.any(|element| is_reference(&element.type_names))
        }
        None => dictionary().resolve(path).is_some_and(|element| is_reference(&element.type_names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_with_its_unit() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(duration(text), expected, "{text}");
        check("0h", Some(0));
        check("90m", Some(90 * MINUTE));
        check("72h", Some(72 * 60 * MINUTE));
        check("30d", Some(30 * 24 * 60 * MINUTE));
        for wrong in ["", "h", "30", "-1d", "1.5h", "30 d", "30w", "99999999d", "d30", "3\u{e9}"] {
            check(wrong, None);
        }
    }
}
