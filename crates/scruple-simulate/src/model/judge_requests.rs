//! Whether a request may be handed in, prolonged, decided or taken back.

use super::judge::{Entries, HOUR, says_something};
use super::{Asked, Information, Model, Outcome};
use crate::deed::Deed;
use crate::rules::KINDS;
use scruple_core::Timestamp;
use std::collections::BTreeSet;

/// How often access is prolonged.
const TIMES_MAX: i64 = 2;
/// How many times the hours of its rule it lasts in all.
const WHOLE_MAX: i64 = 2;

impl Model {
    pub(super) fn judge_request(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::Submit { by, person, role, patients, kinds, starts_at, ends_at, words } => {
                let is_of_patients = !patients.is_empty();
                let from = starts_at.unwrap_or(now);
                let lasts = ends_at.micros() - from.max(now).micros();
                // A role is asked for whole; of patients it is said what is asked for, and the role has it.
                let is_said = match kinds {
                    Information::Whole => true,
                    Information::Named(named) if !is_of_patients => named.is_empty(),
                    Information::Named(_) => kinds.is_of(&KINDS),
                };
                let may = self.may_ask(*by, words, now)
                    && self.is_here(*person)
                    && self.house.needs(role, is_of_patients.then(|| kinds.is_protected())).is_some()
                    && is_said
                    && (!is_of_patients || self.roles(*person, now).contains(role))
                    && from < *ends_at
                    && *ends_at > now
                    && lasts <= self.house.hours_max * HOUR;
                may.then(|| vec!["request_submitted"])
            }
            Deed::Longer { by, request, ends_at, words } => {
                let asked = &self.asked[*request];
                let may = self.may_ask(*by, words, now)
                    && (*by == asked.person || *by == asked.by)
                    && self.is_here(asked.person)
                    && self.is_left(*request, now).is_some()
                    && (asked.patients.is_empty() || self.roles(asked.person, now).contains(asked.role))
                    && self.may_last(*request, *ends_at, now);
                may.then(|| vec!["request_submitted"])
            }
            Deed::Approve { by, request, version, patients, kinds, ends_at, stepped_up } => {
                let asked = &self.asked[*request];
                let named = patients.as_ref().unwrap_or(&asked.patients);
                let until = ends_at.unwrap_or(asked.until);
                let left = kinds.as_ref().unwrap_or(&asked.kinds);
                let is_narrower = named.is_subset(&asked.patients)
                    && named.is_empty() == asked.patients.is_empty()
                    && left.is_within(&asked.kinds)
                    && left.is_of(&KINDS)
                    && (!named.is_empty() || *left == Information::Whole)
                    && asked.from < until
                    && until <= asked.until;
                let may = self.is_open(asked, *version, *stepped_up, now)
                    && self.yes_of(asked, *by, now).is_some()
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
                if !asked.approvals.iter().all(|given| self.still_stands(given, asked, now)) {
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
                let may = self.is_open(asked, *version, *stepped_up, now) && self.may_refuse(asked, *by, now);
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

    /// Whether somebody asks for anything at all, in words that say something new.
    fn may_ask(&self, by: usize, words: &str, now: Timestamp) -> bool {
        !self.roles(by, now).is_empty() && says_something(words) && self.people[by].last_words.as_deref() != Some(words)
    }

    /// Whether a request waits, as it was seen, for whoever has confirmed that it is he, in time (no-silence-is-yes).
    fn is_open(&self, asked: &Asked, version: i64, stepped_up: bool, now: Timestamp) -> bool {
        asked.version == version
            && asked.outcome == Outcome::Pending
            && now < asked.decide_by
            && (stepped_up || !self.house.step_up)
    }

    /// What is left of what a request opened: its patients, of a role none; `None`: nothing is left.
    pub(super) fn is_left(&self, request: usize, now: Timestamp) -> Option<BTreeSet<usize>> {
        let asked = &self.asked[request];
        if asked.patients.is_empty() {
            let given = self.given.iter().find(|one| one.id == asked.id);
            return given.filter(|one| one.ended.is_none()).map(|_| BTreeSet::new());
        }
        let charts = self.charts.iter().filter(|one| one.request == Some(request));
        let left = charts.filter(|one| one.ended.is_none() && now < one.until && !self.is_lost(one, now));
        let left: BTreeSet<usize> = left.map(|one| one.patient).collect();
        (!left.is_empty()).then_some(left)
    }

    /// Whether what a request opened is prolonged until then: in the last quarter of its time, once at a time, twice at most, and for
    /// twice the hours of the rule in all.
    fn may_last(&self, request: usize, until: Timestamp, now: Timestamp) -> bool {
        let asked = &self.asked[request];
        let (number, since) = asked.extends.map_or((1, asked.from), |before| (before.number + 1, before.since));
        let goes_on = |one: &Asked| matches!(one.outcome, Outcome::Pending | Outcome::Approved);
        let is_prolonged = |one: &Asked| one.extends.is_some_and(|before| before.request == request) && goes_on(one);
        asked.outcome == Outcome::Approved
            && asked.from <= now
            && now < asked.until
            && asked.prolonged_from() <= now
            && asked.until < until
            && until.micros() - asked.until.micros() <= self.house.hours_max * HOUR
            && until.micros() - since.micros() <= WHOLE_MAX * self.house.hours_max * HOUR
            && number <= TIMES_MAX
            && !self.asked.iter().any(is_prolonged)
    }
}
