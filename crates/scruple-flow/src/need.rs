//! Whose yes is needed, as a rule of the policy writes it: `line_manager`, `manager`, `privacy_officer|him_integrity+outside_line`.

use crate::{InvalidRole, RoleCode};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

const LINE_MANAGER: &str = "line_manager";
const OUTSIDE_LINE: &str = "outside_line";
const OTHER_UNIT: &str = "other_unit";

/// In what capacity somebody may approve.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ApproverKind {
    /// The line manager of who would get the access.
    LineManager,
    /// Whoever holds a role.
    Role(RoleCode),
    /// Whoever holds one of several roles, or stands apart from others.
    Apart(ApartNeed),
}

/// Whoever holds one of these roles, and stands apart as far as it says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ApartNeed {
    /// One of these roles; one at least.
    pub roles: BTreeSet<RoleCode>,
    /// Who would get the access does not report to him, directly or further up, nor he to who would get it.
    pub outside_line: bool,
    /// He is of another department than everybody who approves it beside him. Whose department is not known is of none.
    pub other_unit: bool,
}

/// A text that says of nobody that his yes is needed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidNeed {
    /// A role's code is none.
    #[error(transparent)]
    Role(#[from] InvalidRole),
    /// What stands behind `+` is not known.
    #[error("`{0}` is no way to stand apart")]
    Apart(String),
}

impl fmt::Display for ApproverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineManager => f.write_str(LINE_MANAGER),
            Self::Role(role) => fmt::Display::fmt(role, f),
            Self::Apart(need) => {
                for (place, role) in need.roles.iter().enumerate() {
                    write!(f, "{}{role}", if place == 0 { "" } else { "|" })?;
                }
                let apart = [(need.outside_line, OUTSIDE_LINE), (need.other_unit, OTHER_UNIT)];
                apart.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| write!(f, "+{word}"))
            }
        }
    }
}

impl FromStr for ApproverKind {
    type Err = InvalidNeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == LINE_MANAGER {
            return Ok(Self::LineManager);
        }
        let mut parts = text.split('+');
        let roles: Result<BTreeSet<RoleCode>, InvalidRole> =
            parts.next().unwrap_or_default().split('|').map(str::parse).collect();
        let mut need = ApartNeed { roles: roles?, outside_line: false, other_unit: false };
        for part in parts {
            match part {
                OUTSIDE_LINE => need.outside_line = true,
                OTHER_UNIT => need.other_unit = true,
                other => return Err(InvalidNeed::Apart(other.to_owned())),
            }
        }
        let is_plain = !need.outside_line && !need.other_unit;
        match need.roles.first() {
            Some(role) if is_plain && need.roles.len() == 1 => Ok(Self::Role(role.clone())),
            _ => Ok(Self::Apart(need)),
        }
    }
}

impl ApproverKind {
    /// Whether it asks for a department that no other approver is of.
    #[must_use]
    pub const fn is_of_other_unit(&self) -> bool {
        matches!(self, Self::Apart(ApartNeed { other_unit: true, .. }))
    }

    /// Whether somebody with these roles, who may be the line manager, can be meant at all: whether he stands apart is not asked.
    #[must_use]
    pub fn names(&self, roles: &BTreeSet<RoleCode>, is_line_manager: bool) -> bool {
        match self {
            Self::LineManager => is_line_manager,
            Self::Role(role) => roles.contains(role),
            Self::Apart(need) => !need.roles.is_disjoint(roles),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_yes_is_needed_is_read_as_it_is_written() {
        for right in [
            "line_manager",
            "manager",
            "him_integrity|privacy_officer",
            "privacy_officer+outside_line",
            "him_integrity|privacy_officer+outside_line+other_unit",
            "manager+other_unit",
        ] {
            assert_eq!(right.parse::<ApproverKind>().unwrap().to_string(), right);
        }
        for wrong in ["", "|", "a|", "Manager", "manager+", "manager+far", "manager outside_line", "+outside_line"] {
            assert!(wrong.parse::<ApproverKind>().is_err(), "{wrong}");
        }
        let roles = |codes: &[&str]| codes.iter().map(|code| code.parse().unwrap()).collect::<BTreeSet<RoleCode>>();
        let need: ApproverKind = "him_integrity|privacy_officer+outside_line".parse().unwrap();
        assert!(need.names(&roles(&["nurse", "him_integrity"]), false));
        assert!(!need.names(&roles(&["nurse"]), true));
        assert!(
            ApproverKind::LineManager.names(&roles(&[]), true) && !ApproverKind::LineManager.names(&roles(&[]), false)
        );
    }
}
