//! Who stands in for whom, and what is decided in somebody's place.

use super::judge::{Entries, LINE_MAX};
use super::{Approval, Asked, Model};
use crate::deed::Deed;
use crate::rules::{MANAGER, Need, PRIVACY};
use scruple_core::Timestamp;
use uuid::Uuid;

const DAY: i64 = 24 * 3_600_000_000;
/// Days that somebody stands in for another.
const DAYS_MAX: i64 = 30;

/// As what somebody stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Capacity {
    Approver,
    Reviewer,
}

impl Capacity {
    pub const ALL: [Self; 2] = [Self::Approver, Self::Reviewer];
}

/// Somebody who stands in for another, once he has said yes.
#[derive(Clone, Debug)]
pub(crate) struct StandIn {
    pub id: Uuid,
    pub principal: usize,
    pub deputy: usize,
    pub capacity: Capacity,
    pub from: Timestamp,
    pub until: Timestamp,
    pub is_accepted: bool,
    pub is_ended: bool,
    pub version: i64,
}

/// In whose place somebody acts, if in somebody's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Acting {
    pub acting_for: Option<usize>,
}

impl StandIn {
    fn is_in_force(&self, now: Timestamp) -> bool {
        self.is_accepted && !self.is_ended && self.from <= now && now < self.until
    }
}

impl Model {
    /// Those for whom somebody stands in, who are here and hold something; nobody if he is away himself.
    pub fn principals(&self, deputy: usize, capacity: Capacity, now: Timestamp) -> Vec<usize> {
        if !self.is_in(deputy, now) {
            return Vec::new();
        }
        let holds = |one: &&StandIn| {
            one.deputy == deputy
                && one.capacity == capacity
                && one.is_in_force(now)
                && !self.roles(one.principal, now).is_empty()
        };
        let mut held: Vec<&StandIn> = self.stand_ins.iter().filter(holds).collect();
        held.sort_by_key(|one| one.id);
        let mut principals = Vec::new();
        for one in held {
            if !principals.contains(&one.principal) {
                principals.push(one.principal);
            }
        }
        principals
    }

    /// What ends with somebody who leaves: those for whom he stands in, and who stands in for him.
    fn stands_with(one: &StandIn, person: usize, now: Timestamp) -> bool {
        (one.principal == person || one.deputy == person) && !one.is_ended && one.until > now
    }

    /// The entries of somebody who leaves.
    pub(super) fn out(&self, person: usize, now: Timestamp) -> Entries {
        let ended = self.stand_ins.iter().filter(|one| Self::stands_with(one, person, now));
        std::iter::once("person_left").chain(ended.map(|_| "deputy_ended")).collect()
    }

    pub(super) fn ends_deputies_of(&mut self, person: usize, now: Timestamp) {
        for one in self.stand_ins.iter_mut().filter(|one| Self::stands_with(one, person, now)) {
            one.is_ended = true;
            one.version += 1;
        }
    }

    /// As whom somebody decides: as himself (`None`) first, then in the place of others.
    pub fn deciders(&self, by: usize, now: Timestamp) -> Vec<Option<usize>> {
        let others = self.principals(by, Capacity::Approver, now).into_iter().map(Some);
        let all = std::iter::once(None).chain(others);
        all.filter(|acting_for| self.decides(acting_for.unwrap_or(by), now)).collect()
    }

    /// Somebody's yes to a request: in his own name if that counts, else in the place of the first for whom it does. Neither of the two
    /// asks, gets, was let in by one of these, or has said yes before, in whoever's name (two-people).
    pub fn yes_of(&self, asked: &Asked, by: usize, now: Timestamp) -> Option<Approval> {
        let apart = |who: usize| {
            let said = |one: &Approval| one.by == who || one.acting_for == Some(who);
            let invited_by = &self.people[who].invited_by;
            who != asked.person
                && who != asked.by
                && !invited_by.contains(&asked.person)
                && !invited_by.contains(&asked.by)
                && !asked.approvals.iter().any(said)
        };
        let open = Self::open_needs(asked);
        self.deciders(by, now).into_iter().find_map(|acting_for| {
            let is_second = apart(by) && acting_for.is_none_or(apart);
            if !is_second {
                return None;
            }
            let own = open.iter().copied().find(|need| self.can_meet(*need, asked, (by, acting_for), now));
            // A backup answers for the first who does not, and never for one who must stand apart.
            let silent = open.iter().copied().find(|need| *need != Need::Outside);
            let is_backup = self.is_backup(asked, acting_for.unwrap_or(by), (now, now));
            let need = own.or(silent.filter(|_| is_backup))?;
            Some(Approval { by, acting_for, need, at: now })
        })
    }

    /// Whether a yes that was said still counts when the last one is: he may still say it, and in whose name he did.
    pub fn still_stands(&self, given: &Approval, asked: &Asked, now: Timestamp) -> bool {
        let may_say_it = match given.acting_for {
            None => self.is_here(given.by),
            Some(principal) => self.principals(given.by, Capacity::Approver, now).contains(&principal),
        };
        let name = given.acting_for.unwrap_or(given.by);
        may_say_it && (self.is_meant(given.need, asked, name, now) || self.is_backup(asked, name, (given.at, now)))
    }

    /// Whether somebody has what the backup has now, and the time in which one answers had come at an instant.
    fn is_backup(&self, asked: &Asked, name: usize, (at, now): (Timestamp, Timestamp)) -> bool {
        let has_come = asked.escalates_at(&self.house).is_some_and(|from| from <= at);
        self.house.backup.is_some_and(|(role, _)| has_come && self.roles(name, now).contains(role))
    }

    /// Whether somebody's no counts: of anybody whose yes is needed, in whose name he may decide.
    pub fn may_refuse(&self, asked: &Asked, by: usize, now: Timestamp) -> bool {
        let is_second = |who: usize| who != asked.person && who != asked.by;
        self.deciders(by, now).into_iter().any(|acting_for| {
            let name = acting_for.unwrap_or(by);
            is_second(by)
                && acting_for.is_none_or(is_second)
                && (asked.needs.iter().any(|need| self.is_meant(*need, asked, name, now))
                    || self.is_backup(asked, name, (now, now)))
        })
    }

    /// As whom somebody reviews an emergency: himself if he is of the privacy office, else in the place of the first for whom he may.
    /// Neither of the two is the reader or of his line.
    pub fn reviews_as(&self, by: usize, reader: usize, now: Timestamp) -> Option<Acting> {
        if !self.is_here(by) || !self.is_outside(by, reader) {
            return None;
        }
        if self.roles(by, now).contains(PRIVACY) {
            return Some(Acting { acting_for: None });
        }
        let fits = |one: &usize| self.roles(*one, now).contains(PRIVACY) && self.is_outside(*one, reader);
        let principal = self.principals(by, Capacity::Reviewer, now).into_iter().find(fits)?;
        Some(Acting { acting_for: Some(principal) })
    }

    /// Whether somebody is neither the reader nor of his line.
    fn is_outside(&self, who: usize, reader: usize) -> bool {
        let [over_reader, over_him] = [reader, who].map(|one| self.people[one].manager);
        let is_of_the_line = over_reader == Some(who)
            || over_him == Some(reader)
            || over_reader.is_some() && over_reader == over_him
            || self.people[who].invited_by.contains(&reader);
        who != reader && !is_of_the_line
    }

    /// Whether somebody is one whose yes is needed: whether he stands apart is not asked.
    fn is_meant(&self, need: Need, asked: &Asked, name: usize, now: Timestamp) -> bool {
        match need {
            Need::Line => self.people[asked.person].manager == Some(name),
            Need::Role(role) => self.roles(name, now).contains(role),
            Need::Outside => self.roles(name, now).contains(PRIVACY),
        }
    }

    /// Whether somebody's yes, in whoever's name, meets a need. Where one must stand apart, both of them do.
    fn can_meet(&self, need: Need, asked: &Asked, (by, acting_for): (usize, Option<usize>), now: Timestamp) -> bool {
        let apart = |him: usize| {
            let of_one_line = |whom: usize| self.reports_to(whom, him) || self.reports_to(him, whom);
            !of_one_line(asked.person) && !of_one_line(asked.by)
        };
        self.is_meant(need, asked, acting_for.unwrap_or(by), now)
            && (need != Need::Outside || apart(by) && acting_for.is_none_or(apart))
    }

    /// Whether somebody reports to another, directly or further up. Of a line that long, or without an end, it is taken to be so.
    fn reports_to(&self, from: usize, to: usize) -> bool {
        let mut at = from;
        for _ in 0..LINE_MAX {
            match self.people[at].manager {
                None => return false,
                Some(manager) if manager == to => return true,
                Some(manager) => at = manager,
            }
        }
        true
    }

    pub(super) fn judge_deputy(&self, deed: &Deed, now: Timestamp) -> Option<Entries> {
        match deed {
            Deed::NameDeputy { by, deputy, capacity, starts_at, ends_at } => {
                let roles = self.roles(*by, now);
                let does_it = match capacity {
                    Capacity::Approver => roles.contains(MANAGER) || roles.contains(PRIVACY),
                    Capacity::Reviewer => roles.contains(PRIVACY),
                };
                let from = starts_at.unwrap_or(now);
                let lasts = ends_at.micros() - from.max(now).micros();
                let may = does_it
                    && by != deputy
                    && self.is_here(*deputy)
                    && from < *ends_at
                    && *ends_at > now
                    && lasts <= DAYS_MAX * DAY;
                may.then(|| vec!["deputy_named"])
            }
            Deed::AcceptDeputy { by, stand_in, version } => {
                let one = &self.stand_ins[*stand_in];
                let waits = !one.is_accepted && !one.is_ended && now < one.until && one.version == *version;
                (self.is_here(*by) && *by == one.deputy && waits).then(|| vec!["deputy_accepted"])
            }
            Deed::EndDeputy { by, stand_in, version } => {
                let one = &self.stand_ins[*stand_in];
                let goes_on = !one.is_ended && now < one.until && one.version == *version;
                let is_his = *by == one.principal || *by == one.deputy;
                (self.is_here(*by) && is_his && goes_on).then(|| vec!["deputy_ended"])
            }
            _ => None,
        }
    }

    pub(super) fn apply_deputy(&mut self, deed: &Deed, id: Uuid, now: Timestamp) {
        match deed {
            Deed::NameDeputy { by, deputy, capacity, starts_at, ends_at } => self.stand_ins.push(StandIn {
                id,
                principal: *by,
                deputy: *deputy,
                capacity: *capacity,
                from: starts_at.unwrap_or(now),
                until: *ends_at,
                is_accepted: false,
                is_ended: false,
                version: 1,
            }),
            Deed::AcceptDeputy { stand_in, .. } => {
                let one = &mut self.stand_ins[*stand_in];
                one.is_accepted = true;
                one.version += 1;
            }
            Deed::EndDeputy { stand_in, .. } => {
                let one = &mut self.stand_ins[*stand_in];
                one.is_ended = true;
                one.version += 1;
            }
            _ => {}
        }
    }
}
