//! What the policy of a simulated organisation says of access beyond a role.

use crate::draw::Draw;
use scruple_app::Rules;
use scruple_flow::{ApprovalRule, ApproverKind, KindCode, Kinds, PatientRef, RoleCode};
use scruple_policy::{Act, ActScope, DeskRules, Reminder};
use std::collections::BTreeSet;

pub(crate) const NURSE: &str = "nurse";
pub(crate) const BILLER: &str = "biller";
pub(crate) const MANAGER: &str = "manager";
pub(crate) const PRIVACY: &str = "privacy_officer";
/// Roles that somebody can hold.
pub(crate) const ROLES: [&str; 4] = [NURSE, BILLER, MANAGER, PRIVACY];
/// Roles that are asked for: of the last one the policy knows nothing.
pub(crate) const ASKED: [&str; 3] = [NURSE, BILLER, "surgeon"];

/// Kinds of information that a role has.
pub(crate) const KINDS: [&str; 2] = ["labs", "vitals"];

/// Whose yes is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    Line,
    Role(&'static str),
}

/// The policy of one organisation.
#[derive(Clone, Debug)]
pub(crate) struct House {
    /// For the records of named patients.
    pub of_patients: Vec<Need>,
    /// For a role.
    pub of_role: Vec<Need>,
    pub hours_max: i64,
    pub decide_hours: i64,
    pub step_up: bool,
}

impl House {
    pub fn draw(draw: &mut Draw) -> Self {
        use Need::{Line, Role};
        let of_patients = [vec![Role(MANAGER)], vec![Line], vec![Role(MANAGER), Role(PRIVACY)]];
        let of_role =
            [vec![Role(MANAGER), Role(PRIVACY)], vec![Line, Role(PRIVACY)], vec![Role(MANAGER), Role(MANAGER)]];
        Self {
            of_patients: of_patients[draw.below(3)].clone(),
            of_role: of_role[draw.below(3)].clone(),
            hours_max: [8, 12, 72][draw.below(3)],
            decide_hours: [1, 4, 24][draw.below(3)],
            step_up: draw.one_in(3),
        }
    }

    /// Whose yes is needed for a role, or for patients in it. A role that nobody gives: none.
    pub fn needs(&self, role: &str, is_of_patients: bool) -> Option<&[Need]> {
        match (role, is_of_patients) {
            (NURSE | BILLER, true) => Some(&self.of_patients),
            (NURSE | BILLER, false) => Some(&self.of_role),
            _ => None,
        }
    }
}

impl Rules for House {
    fn approval(&self, role: &RoleCode, of_patients: Option<&Kinds>) -> Option<ApprovalRule> {
        let kind = |need: &Need| match need {
            Need::Line => Some(ApproverKind::LineManager),
            Need::Role(role) => role.parse().ok().map(ApproverKind::Role),
        };
        Some(ApprovalRule {
            needs: self.needs(role.as_str(), of_patients.is_some())?.iter().map(kind).collect::<Option<_>>()?,
            hours_max: self.hours_max,
            decide_hours: self.decide_hours,
            step_up: self.step_up,
            backup: None,
        })
    }

    fn kinds(&self, _: &RoleCode, _: Option<&str>) -> BTreeSet<KindCode> {
        KINDS.iter().filter_map(|kind| kind.parse().ok()).collect()
    }

    fn kinds_of_type(&self, _: &str) -> BTreeSet<KindCode> {
        BTreeSet::new()
    }

    fn may_declare(&self, role: &RoleCode) -> bool {
        role.as_str() == NURSE
    }

    fn may_break_glass(&self, role: &RoleCode) -> bool {
        role.as_str() == NURSE
    }

    fn is_practice(&self, _: &PatientRef) -> bool {
        false
    }

    fn scope(&self, act: Act, roles: &BTreeSet<RoleCode>) -> Option<ActScope> {
        let holds = |code: &str| roles.iter().any(|role| role.as_str() == code);
        match act {
            Act::Ask | Act::Declare | Act::Emergency if !roles.is_empty() => Some(ActScope::Own),
            Act::Decide if holds(MANAGER) || holds(PRIVACY) => Some(ActScope::All),
            Act::EndAccess | Act::Reviews if holds(PRIVACY) => Some(ActScope::All),
            Act::EndAccess if holds(MANAGER) => Some(ActScope::Team),
            _ => None,
        }
    }

    fn reminder(&self, _: &RoleCode, _: bool) -> Option<Reminder> {
        None
    }

    fn desk(&self) -> DeskRules {
        DeskRules::default()
    }
}
