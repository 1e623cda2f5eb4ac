//! Whether a deed may be done, and the entries that it then leaves.

use super::{Asked, Look, Model, Outcome};
use crate::deed::Deed;
use crate::rules::{MANAGER, NURSE, Need, PRIVACY};
use scruple_core::Timestamp;
use std::collections::BTreeSet;

const HOUR: i64 = 3_600_000_000;
/// How far up somebody is looked for who is here.
const LINE_MAX: usize = 8;

/// The kinds of the entries, in order.
pub(crate) type Entries = Vec<&'static str>;

/// A text that says something is at least this long here; what says nothing is shorter.
fn says_something(words: &str) -> bool {
    words.len() > 12
}

impl Model {
    /// What a deed leaves in the log; none: it is refused.
    pub fn judge(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::Submit { .. } | Deed::Approve { .. } | Deed::Deny { .. } | Deed::Cancel { .. } => {
                self.judge_request(deed, now)
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
                (is_open && self.may_review(*by, one.reader, now)).then(|| vec!["review_asked"])
            }
            Deed::Close { by, review, version, words } => {
                let one = &self.reviews[*review];
                let is_open = one.look != Look::Justified && one.version == *version;
                let may = self.may_review(*by, one.reader, now) && says_something(words);
                (is_open && may).then(|| vec!["review_closed"])
            }
            _ => self.judge_directory(deed, now),
        }
    }

    fn judge_request(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::Submit { by, person, role, patients, starts_at, ends_at, words } => {
                let is_of_patients = !patients.is_empty();
                let from = starts_at.unwrap_or(now);
                let lasts = ends_at.micros() - from.max(now).micros();
                let may = !self.roles(*by, now).is_empty()
                    && self.is_here(*person)
                    && self.house.needs(role, is_of_patients).is_some()
                    && (!is_of_patients || self.roles(*person, now).contains(role))
                    && from < *ends_at
                    && *ends_at > now
                    && lasts <= self.house.hours_max * HOUR
                    && says_something(words)
                    && self.people[*by].last_words.as_ref() != Some(words);
                may.then(|| vec!["request_submitted"])
            }
            Deed::Approve { by, request, version, patients, ends_at, stepped_up } => {
                let asked = &self.asked[*request];
                let named = patients.as_ref().unwrap_or(&asked.patients);
                let until = ends_at.unwrap_or(asked.until);
                let is_narrower = named.is_subset(&asked.patients)
                    && named.is_empty() == asked.patients.is_empty()
                    && asked.from < until
                    && until <= asked.until;
                let may = self.may_decide(*by, asked, *version, *stepped_up, now)
                    && self.people[*by].invited_by.is_disjoint(&BTreeSet::from([asked.person, asked.by]))
                    && asked.approvals.iter().all(|(other, _)| other != by)
                    && self.met_by(asked, *by, now).is_some()
                    && (asked.patients.is_empty() || self.roles(asked.person, now).contains(asked.role))
                    && is_narrower
                    && until > now;
                if !may {
                    return None;
                }
                if asked.approvals.len() + 1 < asked.needs.len() {
                    return Some(vec!["request_seconded"]);
                }
                // The last yes counts while those before it still may say it.
                let stand = |(by, need): &(usize, Need)| self.is_here(*by) && self.can_meet(*need, asked, *by, now);
                if !asked.approvals.iter().all(stand) {
                    return None;
                }
                let mut entries = vec!["request_approved"];
                if asked.patients.is_empty() {
                    // Nothing is given to one who has left.
                    return self.is_here(asked.person).then(|| [entries, vec!["role_granted"]].concat());
                }
                entries.extend(named.iter().map(|_| "elevation_granted"));
                Some(entries)
            }
            Deed::Deny { by, request, version, words, stepped_up } => {
                let asked = &self.asked[*request];
                let can = |need: &Need| self.can_meet(*need, asked, *by, now);
                let may = self.may_decide(*by, asked, *version, *stepped_up, now) && asked.needs.iter().any(can);
                (may && says_something(words)).then(|| vec!["request_denied"])
            }
            Deed::Cancel { by, request, version } => {
                let asked = &self.asked[*request];
                let is_his = *by == asked.person || *by == asked.by;
                let is_open = asked.outcome == Outcome::Pending && now < asked.decide_by && asked.version == *version;
                (self.is_here(*by) && is_his && is_open).then(|| vec!["request_cancelled"])
            }
            _ => None,
        }
    }

    /// Whether somebody has a say in a request as it was seen: a second person, in time (two-people, no-silence-is-yes).
    fn may_decide(&self, by: usize, asked: &Asked, version: i64, stepped_up: bool, now: Timestamp) -> bool {
        self.decides(by, now)
            && asked.version == version
            && asked.outcome == Outcome::Pending
            && now < asked.decide_by
            && by != asked.person
            && by != asked.by
            && (stepped_up || !self.house.step_up)
    }

    fn can_meet(&self, need: Need, asked: &Asked, by: usize, now: Timestamp) -> bool {
        match need {
            Need::Line => self.people[asked.person].manager == Some(by),
            Need::Role(role) => self.roles(by, now).contains(role),
        }
    }

    /// The need that somebody's yes meets.
    pub fn met_by(&self, asked: &Asked, by: usize, now: Timestamp) -> Option<Need> {
        Self::open_needs(asked).into_iter().find(|need| self.can_meet(*need, asked, by, now))
    }

    fn may_end(&self, by: usize, of: usize, involved: &BTreeSet<usize>, now: Timestamp) -> bool {
        let roles = self.roles(by, now);
        let oversees = roles.contains(PRIVACY) || roles.contains(MANAGER) && self.people[of].manager == Some(by);
        self.is_here(by) && (involved.contains(&by) || oversees)
    }

    /// Whether somebody is of the privacy office and outside the reader's line.
    fn may_review(&self, by: usize, reader: usize, now: Timestamp) -> bool {
        let [over_reader, over_reviewer] = [reader, by].map(|one| self.people[one].manager);
        let is_of_the_line = over_reader == Some(by)
            || over_reviewer == Some(reader)
            || over_reader.is_some() && over_reader == over_reviewer
            || self.people[by].invited_by.contains(&reader);
        self.roles(by, now).contains(PRIVACY) && by != reader && !is_of_the_line
    }

    fn judge_directory(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::Replace { by, person, department, manager, active, on_leave, .. } => {
                let one = &self.people[*person];
                let mut entries = vec!["directory_changed"];
                let is_here = self.is_here(*person);
                let stays = active.unwrap_or(is_here);
                match (is_here, stays) {
                    (true, false) => entries.push("person_left"),
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
                (true, true) => (by != person).then(|| vec!["directory_changed", "person_left"]),
                _ => None,
            },
            Deed::Delete { by, person } => match (self.is_here(*by), self.people[*person].is_listed) {
                (true, true) if !self.is_here(*person) => Some(vec!["directory_removed"]),
                (true, true) => (by != person).then(|| vec!["directory_removed", "person_left"]),
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
