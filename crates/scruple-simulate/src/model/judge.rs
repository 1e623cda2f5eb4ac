//! Whether a deed may be done, and the entries that it then leaves.

use super::{Look, Model, Outcome};
use crate::deed::Deed;
use crate::rules::{MANAGER, NURSE, PRIVACY};
use scruple_core::Timestamp;
use std::collections::BTreeSet;

pub(super) const HOUR: i64 = 3_600_000_000;
/// How far up somebody is looked for who is here.
pub(super) const LINE_MAX: usize = 8;

/// The kinds of the entries, in order.
pub(crate) type Entries = Vec<&'static str>;

/// A text that says something is at least this long here; what says nothing is shorter.
pub(super) fn says_something(words: &str) -> bool {
    words.len() > 12
}

impl Model {
    /// What a deed leaves in the log; none: it is refused.
    pub fn judge(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::Submit { .. }
            | Deed::Longer { .. }
            | Deed::Approve { .. }
            | Deed::Deny { .. }
            | Deed::Cancel { .. } => self.judge_request(deed, now),
            Deed::NameDeputy { .. } | Deed::AcceptDeputy { .. } | Deed::EndDeputy { .. } => {
                self.judge_deputy(deed, now)
            }
            Deed::Expire => {
                let over = self.asked.iter().filter(|one| one.outcome == Outcome::Pending && one.decide_by <= now);
                Some(over.map(|_| "request_expired").collect())
            }
            Deed::SettleMoves => {
                let due = self.planned.iter().filter(|one| !one.is_settled && one.effective_at <= now);
                Some(due.map(|_| "move_settled").collect())
            }
            Deed::Declare { by, role, ends_at, .. } => {
                let is_short = *ends_at > now && ends_at.micros() - now.micros() <= 13 * HOUR;
                (self.roles(*by, now).contains(role) && *role == NURSE && is_short)
                    .then(|| vec!["relationship_declared"])
            }
            // Whatever reviews are open, and however late they are (care-continues).
            Deed::Emergency { by, role, .. } => (self.roles(*by, now).contains(role) && *role == NURSE)
                .then(|| vec!["review_opened", "emergency_activated"]),
            Deed::EndChart { by, chart, version } => {
                let one = &self.charts[*chart];
                let may = self.may_end(*by, one.person, &one.involved, now);
                (may && one.ended.is_none() && one.version == *version).then(|| vec!["elevation_ended"])
            }
            Deed::EndGiven { by, given, version } => {
                let one = &self.given[*given];
                let may = self.may_end(*by, one.person, &one.involved, now);
                (may && one.ended.is_none() && one.version == *version).then(|| vec!["role_revoked"])
            }
            Deed::Tell { by, review, version, words } => {
                let one = &self.reviews[*review];
                let is_new = says_something(words) && one.account.as_ref() != Some(words);
                let is_open = one.look != Look::Justified && one.version == *version;
                (self.is_here(*by) && *by == one.reader && is_new && is_open).then(|| vec!["review_told"])
            }
            Deed::AskReader { by, review, version } => {
                let one = &self.reviews[*review];
                let is_open = one.look == Look::Open && one.version == *version;
                (is_open && self.reviews_as(*by, one.reader, now).is_some()).then(|| vec!["review_asked"])
            }
            Deed::Close { by, review, version, words } => {
                let one = &self.reviews[*review];
                let is_open = one.look != Look::Justified && one.version == *version;
                let may = self.reviews_as(*by, one.reader, now).is_some() && says_something(words);
                (is_open && may).then(|| vec!["review_closed"])
            }
            _ => self.judge_directory(deed, now),
        }
    }

    fn may_end(&self, by: usize, of: usize, involved: &BTreeSet<usize>, now: Timestamp) -> bool {
        let roles = self.roles(by, now);
        let oversees = roles.contains(PRIVACY) || roles.contains(MANAGER) && self.people[of].manager == Some(by);
        self.is_here(by) && (involved.contains(&by) || oversees)
    }

    fn judge_directory(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::Replace { by, person, department, manager, active, on_leave, .. } => {
                let one = &self.people[*person];
                let mut entries = vec!["directory_changed"];
                let is_here = self.is_here(*person);
                let stays = active.unwrap_or(is_here);
                match (is_here, stays) {
                    (true, false) => entries.extend(self.out(*person, now)),
                    (false, true) => entries.push("person_rehired"),
                    (true, true) if *department != one.department => entries.push("person_moved"),
                    _ => {}
                }
                let leave = one.leave.filter(|_| is_here);
                let is_on_leave = leave.is_some_and(|leave| !leave.is_said_to_be_over && leave.starts_at <= now);
                match on_leave.filter(|_| stays) {
                    Some(true) if !is_on_leave => entries.push("leave_started"),
                    Some(false) if is_on_leave => entries.push("leave_ended"),
                    _ => {}
                }
                let turns = is_here != stays;
                if !self.is_here(*by) || !one.is_listed || turns && by == person {
                    return None;
                }
                let is_same = entries.len() == 1 && *department == one.department && *manager == one.manager;
                Some(if is_same { Vec::new() } else { entries })
            }
            Deed::LeavesNow { by, person } => match (self.is_here(*by), self.people[*person].is_listed) {
                (true, true) if !self.is_here(*person) => Some(Vec::new()),
                (true, true) => (by != person).then(|| [vec!["directory_changed"], self.out(*person, now)].concat()),
                _ => None,
            },
            Deed::Delete { by, person } => match (self.is_here(*by), self.people[*person].is_listed) {
                (true, true) if !self.is_here(*person) => Some(vec!["directory_removed"]),
                (true, true) => (by != person).then(|| [vec!["directory_removed"], self.out(*person, now)].concat()),
                _ => None,
            },
            Deed::Create { by, person } => {
                let may = self.is_here(*by) && !self.people[*person].is_listed && by != person;
                may.then(|| vec!["directory_added", "person_rehired"])
            }
            Deed::PlanLeave { by, person, starts_at } => {
                if !self.is_here(*by) || !self.people[*person].is_listed || !self.is_here(*person) {
                    return None;
                }
                let goes_on =
                    |leave: super::Leave| !leave.is_said_to_be_over && leave.starts_at <= (*starts_at).max(now);
                let is_same = self.people[*person].leave.is_some_and(goes_on);
                Some(if is_same { Vec::new() } else { vec!["leave_started"] })
            }
            Deed::EndLeave { by, person } => {
                let leave = self.people[*person].leave.filter(|_| self.people[*person].is_listed)?;
                let entries = if leave.is_said_to_be_over { Vec::new() } else { vec!["leave_ended"] };
                self.is_here(*by).then_some(entries)
            }
            Deed::ConfirmReturn { by, person } => {
                let is_over = self.people[*person].leave.is_some_and(|leave| leave.is_said_to_be_over);
                let may = self.is_here(*by) && is_over && by != person && self.nearest(*person, now) == Some(*by);
                may.then(|| vec!["return_confirmed"])
            }
            Deed::PlanMove { by, person, .. } => {
                (self.is_here(*by) && self.people[*person].is_listed).then(|| vec!["person_moved"])
            }
            Deed::Members { by, group, members } => {
                let one = &self.groups[*group];
                let entries = if one.members == *members { Vec::new() } else { vec!["group_changed"] };
                (self.is_here(*by) && !one.is_deleted).then_some(entries)
            }
            Deed::MapGroup { by, group, role } => {
                let one = &self.groups[*group];
                let entries = if one.role == *role { Vec::new() } else { vec!["group_mapped"] };
                (self.is_here(*by) && !one.is_deleted).then_some(entries)
            }
            Deed::DeleteGroup { by, group } => {
                (self.is_here(*by) && !self.groups[*group].is_deleted).then(|| vec!["group_removed"])
            }
            _ => None,
        }
    }

    /// The nearest above somebody who is neither gone nor on leave.
    pub(super) fn nearest(&self, person: usize, now: Timestamp) -> Option<usize> {
        let mut of = person;
        for _ in 0..LINE_MAX {
            of = self.people[of].manager?;
            let is_back = self.people[of].leave.is_none_or(|leave| !leave.is_said_to_be_over);
            if self.is_in(of, now) && is_back {
                return Some(of);
            }
        }
        None
    }
}
