//! What the directory of HR tells of a person, and what a change of it means for his access.
//!
//! Being told of gives nothing: a person holds what a second person approved, whatever the directory says. What a change
//! can do is take away: a mover loses what the old place gave, a leave suspends everything, a leaver is out at once, and
//! who comes back begins with nothing.

mod leave;

pub use leave::{Leave, LeaveError, LeaveState, Manager, Suspension, may_confirm};

use crate::limits::DIRECTORY_VALUE_BYTES_MAX;
use crate::{Person, RoleCode};
use scruple_core::{Id, Phi, Timestamp};
use std::collections::BTreeSet;
use std::fmt;

/// How a person belongs to the organisation: it decides use against disclosure (160.103), who trains him, who ends it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Employment {
    /// On the payroll.
    Employee,
    /// Of a practice of his own, with privileges here.
    MedicalStaff,
    /// Of another organisation that works with this one.
    Affiliate,
    /// Student, resident, fellow.
    Trainee,
    /// Unpaid.
    Volunteer,
    /// Sent by an agency.
    Agency,
    /// Of a business associate.
    BusinessAssociate,
    /// A system, not a human.
    Service,
}

impl Employment {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Employee,
        Self::MedicalStaff,
        Self::Affiliate,
        Self::Trainee,
        Self::Volunteer,
        Self::Agency,
        Self::BusinessAssociate,
        Self::Service,
    ];

    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::MedicalStaff => "medical_staff",
            Self::Affiliate => "affiliate",
            Self::Trainee => "trainee",
            Self::Volunteer => "volunteer",
            Self::Agency => "agency",
            Self::BusinessAssociate => "business_associate",
            Self::Service => "service",
        }
    }

    /// The kind that a directory means, in any case, with blanks or hyphens. A word that is not known is no kind: it is
    /// not guessed.
    #[must_use]
    pub fn told(text: &str) -> Option<Self> {
        let told: String = text
            .trim()
            .chars()
            .map(|letter| if letter == ' ' || letter == '-' { '_' } else { letter.to_ascii_lowercase() })
            .collect();
        Self::ALL.into_iter().find(|kind| kind.as_str() == told)
    }
}

impl fmt::Display for Employment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text of the directory that cannot be kept. It does not repeat the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a value of the directory is too long, or holds control characters")]
pub struct InvalidValue;

/// A text of the directory, trimmed. Nothing left: no value.
///
/// # Errors
/// It is too long, or holds control characters.
pub fn value(text: &str) -> Result<Option<Phi<String>>, InvalidValue> {
    let text = text.trim();
    if text.len() > DIRECTORY_VALUE_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(InvalidValue);
    }
    Ok((!text.is_empty()).then(|| Phi::new(text.to_owned())))
}

/// What the directory tells of a person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// His number at HR.
    pub employee_number: Option<Phi<String>>,
    /// His id in the directory that tells of him.
    pub external_id: Option<Phi<String>>,
    /// His title.
    pub title: Option<Phi<String>>,
    /// His department or unit.
    pub department: Option<Phi<String>>,
    /// His organisation.
    pub organisation: Option<Phi<String>>,
    /// Whom he reports to.
    pub manager: Option<Id<Person>>,
    /// How he belongs to the organisation.
    pub employment: Option<Employment>,
}

/// What the directory says of his being here. What it does not say stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Presence {
    /// Whether he is here at all. `false`: he has left.
    pub active: Option<bool>,
    /// Whether he is on leave.
    pub on_leave: Option<bool>,
}

/// How a person stands, as it is recorded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// Nobody has told of him.
    Unknown,
    /// He is here.
    Here,
    /// A leave of his begins later.
    LeavePlanned,
    /// He is on leave.
    OnLeave,
    /// His leave is over, and no manager has confirmed that he is back.
    Returning,
    /// He has left.
    Left,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Here, Self::LeavePlanned, Self::OnLeave, Self::Returning, Self::Left];

    /// How somebody stands at `now` who left at `left_at`, with the leave of his that is not closed.
    #[must_use]
    pub fn at(now: Timestamp, left_at: Option<Timestamp>, leave: Option<&Leave>) -> Self {
        if left_at.is_some_and(|at| at <= now) {
            return Self::Left;
        }
        match leave.map(|leave| (leave.state, leave.starts_at)) {
            None | Some((LeaveState::Closed { .. }, _)) => Self::Here,
            Some((LeaveState::Returning { .. }, _)) => Self::Returning,
            Some((LeaveState::Open, starts_at)) if starts_at > now => Self::LeavePlanned,
            Some((LeaveState::Open, _)) => Self::OnLeave,
        }
    }
}

/// Where a person works, as far as roles depend on it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// His title.
    pub title: Option<Phi<String>>,
    /// His department.
    pub department: Option<Phi<String>>,
    /// His organisation.
    pub organisation: Option<Phi<String>>,
    /// The roles that his groups stand for.
    pub roles: BTreeSet<RoleCode>,
}

/// What a mover loses unless it is approved anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lost {
    /// All that he holds: his title, department or organisation is another.
    All,
    /// These roles: he is out of the groups that stood for them. May be none, where he only came into a group.
    Roles(BTreeSet<RoleCode>),
}

/// What a change of the directory means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Somebody new. He holds nothing until it is approved.
    Joiner,
    /// He works elsewhere or as something else.
    Mover(Lost),
    /// His leave begins: everything is suspended.
    LeaveStarts,
    /// His leave is over: a manager is asked to confirm. Until then everything stays suspended.
    LeaveEnds,
    /// He is out: all that he holds is revoked.
    Leaver,
    /// He who had left is here again. He begins with nothing.
    Rehired,
}

/// What a change of the directory means, in the order in which it is carried out. Empty: nothing.
///
/// Of who leaves nothing else counts, and who was not here has lost already what a move would take.
#[must_use]
pub fn changes(standing: Standing, before: &Place, after: &Place, told: Presence) -> Vec<Change> {
    let active = told.active.unwrap_or(standing != Standing::Left);
    let mut changes = Vec::new();
    match (standing, active) {
        (Standing::Left, false) => return changes,
        // Told of as somebody who is not here: he is recorded, and out from the first moment.
        (Standing::Unknown, false) => return vec![Change::Joiner, Change::Leaver],
        (_, false) => return vec![Change::Leaver],
        (Standing::Unknown, true) => changes.push(Change::Joiner),
        (Standing::Left, true) => changes.push(Change::Rehired),
        _ => changes.extend(moved(before, after).map(Change::Mover)),
    }
    match (standing, told.on_leave) {
        // Once more where a leave is planned: it begins now. And where he was thought to be back: he is not.
        (Standing::OnLeave, Some(true)) | (_, None) => {}
        (_, Some(true)) => changes.push(Change::LeaveStarts),
        (Standing::OnLeave, Some(false)) => changes.push(Change::LeaveEnds),
        (_, Some(false)) => {}
    }
    changes
}

fn moved(before: &Place, after: &Place) -> Option<Lost> {
    let elsewhere = (&before.title, &before.department, &before.organisation)
        != (&after.title, &after.department, &after.organisation);
    if elsewhere {
        return Some(Lost::All);
    }
    (before.roles != after.roles).then(|| Lost::Roles(before.roles.difference(&after.roles).cloned().collect()))
}

#[cfg(test)]
mod tests;
