//! `scruple policy show`: the table that 45 CFR 164.514(d)(2) asks for. Which roles there are, which categories of PHI
//! each needs, under which conditions, and for which tasks.
//!
//! As text for a terminal, as Markdown, and as JSON. It shows the pack as it is written; what a condition that is not
//! enforced yet would open is marked.

mod determination;
mod matrix;
mod plain;

pub use determination::{Determination, Need, PurposeLine, SegmentNeed, Standing};
pub use matrix::{Cell, Matrix, MatrixRow, Wider};

use crate::decide::rule_of;
use crate::model::{Pack, Permit, Role};
use crate::prove::limit_name;
use scruple_core::ConditionMask;
use serde::Serialize;
use std::fmt::Write as _;

/// A role that the pack does not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the pack has no role `{0}`")]
pub struct UnknownRole(pub String);

/// A role as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RoleSheet {
    /// Its name.
    pub role: String,
    /// In words.
    pub label: String,
    /// The file.
    pub file: String,
    /// A caller outside the workforce.
    pub profile: bool,
    /// Main purpose, then the others.
    pub purposes: Vec<String>,
    /// What the condition `relationship` means.
    pub relationship: String,
    /// BTG and ETREAT are allowed too.
    pub emergency_access: bool,
    /// Types that are full pass as they are.
    pub passes_full_types: bool,
    /// It sees no PHI category in full as a standing right.
    pub administrative: bool,
    /// `bucket`: its answers leave a gateway at one of a few times; else `plain`.
    pub timing: &'static str,
    /// Risk tier.
    pub risk_tier: String,
    /// Why it is the minimum.
    pub defence: String,
    /// What a designer gets wrong.
    pub trap: String,
    /// Name and words of each task.
    pub tasks: Vec<TaskLine>,
    /// Its permits.
    pub permits: Vec<PermitLine>,
    /// Its segments, those with one word together.
    pub segments: Vec<SegmentLine>,
}

/// A task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TaskLine {
    /// Its name.
    pub task: String,
    /// In words.
    pub label: String,
}

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConditionLine {
    /// Its name.
    pub condition: String,
    /// In words.
    pub label: String,
    /// `now`, `asserted` or `not yet`.
    pub enforced: String,
}

/// A permit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PermitLine {
    /// Where it stands.
    pub rule: String,
    /// `full`, `masked:coded`.
    pub view: String,
    /// Categories.
    pub categories: Vec<String>,
    /// Conditions that must all hold.
    pub conditions: Vec<ConditionLine>,
    /// Purposes.
    pub purposes: Vec<String>,
    /// Tasks in words.
    pub tasks: Vec<String>,
}

/// Segments that a role holds in one way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentLine {
    /// The word.
    pub word: String,
    /// `none`, `coded` or `follow`.
    pub limit: &'static str,
    /// While it holds.
    pub condition: Option<ConditionLine>,
    /// A duty that goes with it.
    pub obligation: String,
    /// The segments.
    pub segments: Vec<String>,
}

/// Shows a pack, or some roles of it.
pub struct Show<'a> {
    pack: &'a Pack,
    roles: Vec<&'a Role>,
}

impl<'a> Show<'a> {
    /// All roles, or these.
    ///
    /// # Errors
    /// A role that the pack does not have.
    pub fn new(pack: &'a Pack, only: &[&str]) -> Result<Self, UnknownRole> {
        let named = |name: &&str| pack.roles.get(*name).ok_or_else(|| UnknownRole((*name).to_owned()));
        let mut roles: Vec<&Role> = only.iter().map(named).collect::<Result<_, _>>()?;
        if only.is_empty() {
            // The workforce first, then callers outside it.
            roles = pack.roles.values().collect();
            roles.sort_by_key(|role| role.is_profile);
        }
        Ok(Self { pack, roles })
    }

    /// The roles, one after the other.
    #[must_use]
    pub fn sheets(&self) -> Vec<RoleSheet> {
        self.roles.iter().map(|role| sheet(self.pack, role)).collect()
    }

    /// Roles by categories, for each role's main purpose.
    #[must_use]
    pub fn matrix(&self) -> Matrix {
        Matrix::of(self.pack, &self.roles)
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "pack": self.pack.name,
            "version": self.pack.version,
            "hash": self.pack.hash.to_string(),
            "owner": self.pack.owner,
            "criteria": self.pack.criteria,
            "roles": self.sheets(),
        })
    }

    /// As plain columns for a terminal of this width.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut out = self.head();
        for sheet in self.sheets() {
            let _ = write!(out, "\n{}\n", plain::sheet(&sheet, width));
        }
        if self.marks_not_yet() {
            out.push_str("\n* not enforced yet: false, unless the operator gives it\n");
        }
        out
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}", self.head());
        for line in &self.pack.criteria {
            let _ = writeln!(out, "- {line}");
        }
        for sheet in self.sheets() {
            let _ = write!(out, "\n{}", plain::markdown(&sheet));
        }
        if self.marks_not_yet() {
            out.push_str("\n\\* not enforced yet: false, unless the operator gives it\n");
        }
        out
    }

    fn head(&self) -> String {
        let Pack { name, version, owner, hash, .. } = self.pack;
        let hash = hash.to_string();
        format!("Policy pack {name} {version}, owner: {owner}, {}\n", hash.get(..12).unwrap_or(&hash))
    }

    fn marks_not_yet(&self) -> bool {
        self.pack.conditions.iter().any(|condition| condition.enforced == "not yet")
    }
}

fn sheet(pack: &Pack, role: &Role) -> RoleSheet {
    RoleSheet {
        role: role.name.clone(),
        label: role.label.clone(),
        file: role.file.clone(),
        profile: role.is_profile,
        purposes: role.purposes().into_iter().map(str::to_owned).collect(),
        relationship: role.relationship.clone(),
        emergency_access: role.emergency_access,
        passes_full_types: role.passes,
        administrative: role.administrative,
        timing: role.timing.word(),
        risk_tier: role.risk_tier.clone(),
        defence: role.defence.clone(),
        trap: role.trap.clone(),
        tasks: role.tasks.iter().map(|task| TaskLine { task: task.name.clone(), label: task.label.clone() }).collect(),
        permits: role.permits.iter().map(|permit| permit_line(pack, role, permit)).collect(),
        segments: segment_lines(pack, role),
    }
}

fn permit_line(pack: &Pack, role: &Role, permit: &Permit) -> PermitLine {
    let rule = rule_of(role, permit);
    PermitLine {
        rule: rule.place,
        view: pack.view_name(permit.view),
        categories: permit.categories.iter().map(|category| pack.category_name(*category).to_owned()).collect(),
        conditions: condition_lines(pack, permit.when),
        purposes: permit.purposes.clone(),
        tasks: rule.tasks,
    }
}

fn condition_lines(pack: &Pack, mask: ConditionMask) -> Vec<ConditionLine> {
    let held = pack.conditions.iter().enumerate().filter(|(index, _)| mask.0 & 1 << (index & 63) != 0);
    held.map(|(_, condition)| ConditionLine {
        condition: condition.name.clone(),
        label: condition.label.clone(),
        enforced: condition.enforced.clone(),
    })
    .collect()
}

fn segment_lines(pack: &Pack, role: &Role) -> Vec<SegmentLine> {
    let mut lines: Vec<SegmentLine> = Vec::new();
    for (segment, word) in pack.segments.iter().zip(&role.segments) {
        match lines.iter_mut().find(|line| line.word == word.word) {
            Some(line) => line.segments.push(segment.name.clone()),
            None => lines.push(SegmentLine {
                word: word.word.clone(),
                limit: limit_name(word.limit),
                condition: word
                    .condition
                    .and_then(|condition| condition_lines(pack, ConditionMask::NONE.with(condition)).pop()),
                obligation: word.obligation.clone(),
                segments: vec![segment.name.clone()],
            }),
        }
    }
    // What is withheld last.
    lines.sort_by_key(|line| line.limit == "none");
    lines
}
