//! What the policy of a simulated organisation says of access beyond a role.

use crate::draw::Draw;
use scruple_app::Rules;
use scruple_flow::{ApprovalRule, Backup, KindCode, Kinds, PatientRef, RoleCode};
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

/// The kind of information that is specially protected.
pub(crate) const SEGMENT: &str = "segment:hiv";
/// Kinds of information that a role has.
pub(crate) const KINDS: [&str; 3] = ["labs", SEGMENT, "vitals"];
/// Kinds that are asked for: the last one no role has.
pub(crate) const NAMED: [&str; 4] = ["labs", SEGMENT, "vitals", "documents"];

/// Whose yes is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    Line,
    Role(&'static str),
    /// Somebody of the privacy office who stands outside the line of who asks and of who gets.
    Outside,
}

impl Need {
    /// As the entries write it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Line => "line_manager",
            Self::Role(role) => role,
            Self::Outside => "privacy_officer+outside_line",
        }
    }
}

/// The policy of one organisation.
#[derive(Clone, Debug)]
pub(crate) struct House {
    /// For the records of named patients.
    pub of_patients: Vec<Need>,
    /// For a role.
    pub of_role: Vec<Need>,
    /// Who else is needed, in whatever role, for what is specially protected (`any,segment:hiv,privacy_officer+outside_line`).
    pub of_segment: Option<Need>,
    /// Who may answer for those who do not, and after how many hours.
    pub backup: Option<(&'static str, i64)>,
    pub hours_max: i64,
    pub decide_hours: i64,
    pub step_up: bool,
}

impl House {
    pub fn draw(draw: &mut Draw) -> Self {
        use Need::{Line, Outside, Role};
        let of_patients = [vec![Role(MANAGER)], vec![Line], vec![Role(MANAGER), Role(PRIVACY)]];
        let of_role =
            [vec![Role(MANAGER), Role(PRIVACY)], vec![Line, Role(PRIVACY)], vec![Role(MANAGER), Role(MANAGER)]];
        Self {
            of_patients: of_patients[draw.below(3)].clone(),
            of_role: of_role[draw.below(3)].clone(),
            of_segment: [None, Some(Role(PRIVACY)), Some(Outside)][draw.below(3)],
            backup: [None, Some((PRIVACY, 1)), Some((MANAGER, 2))][draw.below(3)],
            hours_max: [8, 12, 72][draw.below(3)],
            decide_hours: [1, 4, 24][draw.below(3)],
            step_up: draw.one_in(3),
        }
    }

    /// Whose yes is needed for a role, or, in it, for patients: with what is specially protected (`Some(true)`) or without it. A role that
    /// nobody gives: none.
    pub fn needs(&self, role: &str, of_patients: Option<bool>) -> Option<Vec<Need>> {
        if ![NURSE, BILLER].contains(&role) {
            return None;
        }
        let Some(is_protected) = of_patients else { return Some(self.of_role.clone()) };
        let mut needs = self.of_patients.clone();
        if let Some(more) = self.of_segment.filter(|_| is_protected) {
            // Who is needed in any case is not needed twice: he stands apart, or not.
            match needs.iter().position(|need| *need == Need::Role(PRIVACY)) {
                Some(place) => needs[place] = more,
                None => needs.push(more),
            }
        }
        Some(needs)
    }
}

impl Rules for House {
    fn approval(&self, role: &RoleCode, of_patients: Option<&Kinds>) -> Option<ApprovalRule> {
        let backup = match self.backup {
            Some((role, after_hours)) => Some(Backup { kind: role.parse().ok()?, after_hours }),
            None => None,
        };
        let is_protected =
            |kinds: &Kinds| kinds.codes().is_none_or(|codes| codes.iter().any(|code| code.as_str() == SEGMENT));
        let needs = self.needs(role.as_str(), of_patients.map(is_protected))?;
        Some(ApprovalRule {
            needs: needs.iter().map(|need| need.code().parse().ok()).collect::<Option<_>>()?,
            hours_max: self.hours_max,
            decide_hours: self.decide_hours,
            step_up: self.step_up,
            backup,
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
        // Alerts are not drawn: they refuse nobody anything.
        DeskRules { requests_per_30_days: i64::MAX, emergencies_per_30_days: i64::MAX, ..DeskRules::default() }
    }
}
