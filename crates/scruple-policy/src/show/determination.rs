//! The determination that 45 CFR 164.514(d)(2) asks of a role: which persons or classes of persons, which categories of PHI,
//! under which conditions appropriate to the access; with the tasks, the reason, the owner and the day of the next review.
//!
//! One role, to be signed, printed and handed out. As text for a terminal, as Markdown, as a page of HTML that stands alone, as JSON.

use super::plain::{self, Column, table};
use super::{TaskLine, UnknownRole};
use crate::decide::rule_of;
use crate::model::{Pack, Permit, Role};
use crate::spoken::{
    category_label, condition_labels, limit_words, lower_first, mask_words, purpose_coded, purpose_words,
};
use scruple_core::{CategoryId, ConditionMask, SegmentLimit, View};
use serde::Serialize;
use std::fmt::Write as _;

/// What the pack does not say of a role and the organisation does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Persons who hold it.
    pub members: Option<usize>,
    /// The day by which it is reviewed next, as words.
    pub review_due: Option<String>,
}

/// A role as the rule asks for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Determination {
    /// Its name.
    pub role: String,
    /// Persons or classes of persons.
    pub persons: String,
    /// How many hold it; none where that is not known here.
    pub members: Option<usize>,
    /// A caller outside the workforce: the rule on uses does not ask for it.
    pub outside_workforce: bool,
    /// Purposes, each with its legal ground.
    pub purposes: Vec<PurposeLine>,
    /// The tasks.
    pub tasks: Vec<TaskLine>,
    /// Conditions of every line.
    pub conditions: Vec<String>,
    /// A line for each category that it needs, in the order of the pack.
    pub needs: Vec<Need>,
    /// The categories that it does not see.
    pub none: Vec<String>,
    /// Specially protected segments and what is left of them.
    pub segments: Vec<SegmentNeed>,
    /// It may open a record in an emergency, which is reviewed.
    pub emergency_access: bool,
    /// Why it is the minimum.
    pub rationale: String,
    /// Who owns the mapping.
    pub owner: String,
    /// When it is reviewed next; none where that is not known here.
    pub review_due: Option<String>,
    /// Where it stands: pack, version, hash, file.
    pub source: String,
}

/// A purpose of use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PurposeLine {
    /// HL7 v3 ActReason code.
    pub code: String,
    /// Legal ground.
    pub ground: String,
}

/// What a role needs of a category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Need {
    /// The category.
    pub category: String,
    /// In words.
    pub label: String,
    /// `full` or `masked`.
    pub depth: &'static str,
    /// What a mask leaves; empty in full.
    pub leaves: String,
    /// Tasks in words.
    pub tasks: Vec<String>,
    /// Conditions beyond those of every line, in words.
    pub conditions: Vec<String>,
    /// Purposes, where it is not for each of the role's.
    pub purposes: Vec<String>,
    /// Where it stands: `roles/coder.toml:16`.
    pub rule: String,
}

/// Segments of which a role is left the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentNeed {
    /// In words.
    pub segments: Vec<String>,
    /// What is left.
    pub leaves: String,
}

impl Need {
    /// `in full`, or what the mask leaves.
    #[must_use]
    pub fn depth_words(&self) -> String {
        if self.leaves.is_empty() { "in full".to_owned() } else { format!("masked: {}", lower_first(&self.leaves)) }
    }
}

impl Determination {
    /// Of one role of a pack.
    ///
    /// # Errors
    /// The pack has no such role.
    pub fn of(pack: &Pack, role: &str, standing: &Standing) -> Result<Self, UnknownRole> {
        let role = pack.roles.get(role).ok_or_else(|| UnknownRole(role.to_owned()))?;
        let phi = |permit: &&Permit| permit.categories.iter().any(|category| is_phi(pack, *category));
        let shared = role.permits.iter().filter(phi).map(|permit| permit.when.0).reduce(|all, when| all & when);
        let shared = ConditionMask(shared.unwrap_or(0));
        let needs = needs(pack, role, shared);
        let seen = |category: &str| needs.iter().any(|need| need.category == category);
        let hash = pack.hash.to_string();
        Ok(Self {
            role: role.name.clone(),
            persons: role.label.clone(),
            members: standing.members,
            outside_workforce: role.is_profile,
            purposes: purposes(pack, role),
            tasks: role
                .tasks
                .iter()
                .map(|task| TaskLine { task: task.name.clone(), label: task.label.clone() })
                .collect(),
            conditions: condition_labels(pack, role, shared),
            none: pack
                .categories
                .iter()
                .filter(|category| !seen(&category.name))
                .map(|category| lower_first(&category.label))
                .collect(),
            needs,
            segments: segments(pack, role),
            emergency_access: role.emergency_access,
            rationale: role.defence.clone(),
            owner: pack.owner.clone(),
            review_due: standing.review_due.clone(),
            source: format!(
                "policy pack {} {}, {}, {}",
                pack.name,
                pack.version,
                hash.get(..12).unwrap_or(&hash),
                role.file
            ),
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let persons = match self.members {
            Some(1) => format!("{}; 1 person", self.persons),
            Some(members) => format!("{}; {members} people", self.persons),
            None => self.persons.clone(),
        };
        let purposes = self
            .purposes
            .iter()
            .map(|one| format!("{} ({}; {})", purpose_words(&one.code), one.code, one.ground))
            .collect::<Vec<_>>();
        let emergency = "may open a record in an emergency; each is reviewed";
        let mut conditions = self.conditions.clone();
        if self.emergency_access {
            conditions.push(emergency.to_owned());
        }
        vec![
            ("Persons or classes of persons", persons),
            ("Purposes", purposes.join("; ")),
            ("Tasks", self.tasks.iter().map(|task| task.label.as_str()).collect::<Vec<_>>().join("; ")),
            ("Conditions appropriate to the access", conditions.join("; ")),
            ("Why this is the minimum", self.rationale.clone()),
            ("Owner", self.owner.clone()),
            ("Review due", self.review_due.clone().unwrap_or_else(|| "not known to a folder: ask the node".to_owned())),
            ("Source", self.source.clone()),
        ]
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |need: &Need| {
            let mut conditions = need.conditions.clone();
            if !need.purposes.is_empty() {
                let purposes: Vec<String> = need.purposes.iter().map(|code| purpose_coded(code)).collect();
                conditions.push(format!("for {}", purposes.join(", ")));
            }
            vec![need.label.clone(), need.depth_words(), need.tasks.join("; "), conditions.join("; ")]
        };
        self.needs.iter().map(row).collect()
    }

    fn segment_rows(&self) -> Vec<Vec<String>> {
        self.segments.iter().map(|line| vec![line.segments.join(", "), line.leaves.clone()]).collect()
    }

    /// As plain columns for a terminal of this width.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut out = format!("{TITLE}: {}\n\n", self.role);
        let facts = self.facts();
        let label = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
        for (name, text) in &facts {
            plain::labelled(&mut out, name, text, label, width);
        }
        for (headings, rows) in [(&NEEDS[..], self.rows()), (&SEGMENTS[..], self.segment_rows())] {
            out.push('\n');
            let columns: Vec<Column<'_>> = headings.iter().map(|heading| Column::words(heading)).collect();
            let block = table(&columns, &rows, width);
            out.push_str(&block.unwrap_or_else(|| plain::stacked(headings, &rows, width)));
        }
        let _ = writeln!(out, "\nNot seen at all:");
        plain::labelled(&mut out, "", &self.none.join("; "), 0, width);
        out
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("# {TITLE}: {}\n\n", plain::escaped(&self.persons));
        for (name, text) in self.facts() {
            let _ = writeln!(out, "- **{name}**: {}", plain::escaped(&text));
        }
        plain::markdown_table(&mut out, &NEEDS, self.rows().into_iter());
        plain::markdown_table(&mut out, &SEGMENTS, self.segment_rows().into_iter());
        let _ = writeln!(out, "\nNot seen at all: {}.", plain::escaped(&self.none.join("; ")));
        out
    }

    /// As a page of HTML that stands alone and prints.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{TITLE}: {0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{TITLE}: <span dir=\"auto\">{0}</span></h1>\n<dl>\n",
            html(&self.persons)
        );
        for (name, text) in self.facts() {
            let _ = writeln!(out, "<dt>{name}</dt><dd dir=\"auto\">{}</dd>", html(&text));
        }
        out.push_str("</dl>\n");
        for (caption, headings, rows) in [
            ("Categories of PHI that the role needs", &NEEDS[..], self.rows()),
            ("Specially protected information", &SEGMENTS[..], self.segment_rows()),
        ] {
            let _ = writeln!(out, "<table>\n<caption>{caption}</caption>\n<thead><tr>");
            for heading in headings {
                let _ = writeln!(out, "<th scope=\"col\">{heading}</th>");
            }
            out.push_str("</tr></thead>\n<tbody>\n");
            for row in rows {
                out.push_str("<tr>");
                for (index, cell) in row.iter().enumerate() {
                    let (open, close) = if index == 0 {
                        ("<th scope=\"row\" dir=\"auto\">", "</th>")
                    } else {
                        ("<td dir=\"auto\">", "</td>")
                    };
                    let _ = write!(out, "{open}{}{close}", html(cell));
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</tbody>\n</table>\n");
        }
        let _ = writeln!(out, "<p>Not seen at all: {}.</p>\n</body>\n</html>", html(&self.none.join("; ")));
        out
    }
}

const TITLE: &str = "Access to PHI under 45 CFR 164.514(d)(2)";
const NEEDS: [&str; 4] = ["category of PHI", "how much", "for the task", "further conditions"];
const SEGMENTS: [&str; 2] = ["specially protected", "what is left of it"];
const STYLE: &str = "body{font:11pt/1.4 sans-serif;margin:2em auto;max-width:60em}dt{font-weight:bold}dd{margin:0 0 .5em 1em}table{border-collapse:collapse;width:100%;margin:1em 0}caption{text-align:left;font-weight:bold}th,td{border:1px solid #777;padding:.25em .5em;text-align:left;vertical-align:top}tr{break-inside:avoid}thead{display:table-header-group}";

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn is_phi(pack: &Pack, category: CategoryId) -> bool {
    pack.categories.get(usize::from(category.0)).is_none_or(|category| category.phi)
}

fn purposes(pack: &Pack, role: &Role) -> Vec<PurposeLine> {
    let ground = |code: &str| {
        let known = pack.purposes.iter().find(|purpose| purpose.code == code);
        known.map_or_else(String::new, |purpose| purpose.ground.clone())
    };
    role.purposes().into_iter().map(|code| PurposeLine { code: code.to_owned(), ground: ground(code) }).collect()
}

/// A line for each category and permit, in the order of the categories; the widest of a category first.
fn needs(pack: &Pack, role: &Role, shared: ConditionMask) -> Vec<Need> {
    let own: Vec<&str> = std::iter::once(&role.purpose).chain(&role.also).map(String::as_str).collect();
    let mut lines: Vec<(CategoryId, bool, &Permit)> = Vec::new();
    for permit in &role.permits {
        lines.extend(permit.categories.iter().map(|category| (*category, permit.view != View::Full, permit)));
    }
    lines.sort_by_key(|(category, masked, permit)| (*category, *masked, permit.line));
    let need = |(category, masked, permit): (CategoryId, bool, &Permit)| {
        let rule = rule_of(role, permit);
        let view = pack.view_name(permit.view);
        let all = own.iter().all(|purpose| permit.purposes.iter().any(|listed| listed == purpose));
        let mut conditions = condition_labels(pack, role, ConditionMask(permit.when.0 & !shared.0));
        if !permit.when.covers(shared) {
            conditions.push("none of the conditions above: it is no patient's".to_owned());
        }
        Need {
            category: pack.category_name(category).to_owned(),
            label: upper_first(&category_label(pack, category)),
            depth: if masked { "masked" } else { "full" },
            leaves: if masked { mask_words(view.trim_start_matches("masked:")) } else { String::new() },
            tasks: rule.tasks,
            conditions,
            purposes: if all { Vec::new() } else { permit.purposes.clone() },
            rule: rule.place,
        }
    };
    lines.into_iter().map(need).collect()
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn segments(pack: &Pack, role: &Role) -> Vec<SegmentNeed> {
    let mut lines: Vec<(bool, SegmentNeed)> = Vec::new();
    for (segment, word) in pack.segments.iter().zip(&role.segments) {
        let mut leaves = limit_words(word.limit).to_owned();
        if let (Some(condition), true) = (word.condition, word.limit != SegmentLimit::None) {
            let labels = condition_labels(pack, role, ConditionMask::NONE.with(condition));
            let _ = write!(leaves, ", while {}", labels.join(" and "));
        }
        if !word.obligation.is_empty() && word.obligation != word.word {
            let _ = write!(leaves, "; with it goes: {}", word.obligation);
        }
        match lines.iter_mut().find(|(_, line)| line.leaves == leaves) {
            Some((_, line)) => line.segments.push(segment.label.clone()),
            None => lines.push((
                word.limit == SegmentLimit::None,
                SegmentNeed { segments: vec![segment.label.clone()], leaves },
            )),
        }
    }
    // What is withheld last.
    lines.sort_by_key(|(withheld, _)| *withheld);
    lines.into_iter().map(|(_, line)| line).collect()
}
