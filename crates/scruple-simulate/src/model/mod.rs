//! What should be: who is here, who holds what, what was asked for, in plain lists that nothing is ever taken from.
//!
//! It is written from the rules and not from the code that it judges: no SQL, no cache, no state machine of scruple-flow.

mod apply;
mod apply_requests;
mod deputies;
mod judge;
mod judge_requests;
mod kinds;

pub(crate) use apply::{Seen, patient};
pub(crate) use deputies::{Capacity, StandIn};
pub(crate) use kinds::Information;

use crate::rules::{House, MANAGER, Need, PRIVACY};
use scruple_core::{Id, Timestamp};
use scruple_flow::Person;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;

/// Somebody, by the number under which he is told of.
#[derive(Clone, Debug)]
pub(crate) struct Staff {
    pub id: Id<Person>,
    pub login: String,
    pub left: Option<Timestamp>,
    pub leave: Option<Leave>,
    pub department: usize,
    pub manager: Option<usize>,
    /// Who made the links by which he came to what he signs in with.
    pub invited_by: BTreeSet<usize>,
    /// Whether the directory tells of him now.
    pub is_listed: bool,
    /// Sessions of the console that are open.
    pub sessions: Vec<[u8; 32]>,
    /// What he wrote in his last request.
    pub last_words: Option<String>,
}

/// A leave that is not closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leave {
    pub starts_at: Timestamp,
    pub is_said_to_be_over: bool,
}

/// A role that somebody was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub id: Uuid,
    pub person: usize,
    pub role: &'static str,
    pub from: Timestamp,
    pub until: Timestamp,
    pub granted_at: Timestamp,
    pub involved: BTreeSet<usize>,
    pub ended: Option<Timestamp>,
    pub version: i64,
}

/// A record of a patient that was opened to somebody.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub id: Uuid,
    pub person: usize,
    pub role: &'static str,
    pub patient: usize,
    pub kinds: Information,
    pub is_emergency: bool,
    /// The request that opened it.
    pub request: Option<usize>,
    pub granted_at: Timestamp,
    pub from: Timestamp,
    pub until: Timestamp,
    pub involved: BTreeSet<usize>,
    pub ended: Option<Timestamp>,
    pub version: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Pending,
    Approved,
    Denied,
    Expired,
    Cancelled,
}

impl Outcome {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Somebody's yes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Approval {
    pub by: usize,
    pub acting_for: Option<usize>,
    pub need: Need,
    pub at: Timestamp,
}

/// What a request would prolong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extends {
    pub request: usize,
    pub number: i64,
    /// When what was asked for first began.
    pub since: Timestamp,
}

/// What somebody asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub id: Uuid,
    pub person: usize,
    pub by: usize,
    pub role: &'static str,
    pub patients: BTreeSet<usize>,
    pub kinds: Information,
    pub from: Timestamp,
    pub until: Timestamp,
    pub asked_at: Timestamp,
    pub decide_by: Timestamp,
    pub needs: Vec<Need>,
    pub approvals: Vec<Approval>,
    pub extends: Option<Extends>,
    pub outcome: Outcome,
    pub version: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    Open,
    Asked,
    Justified,
}

impl Look {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Asked => "asked",
            Self::Justified => "justified",
        }
    }
}

/// The review of an emergency.
#[derive(Clone, Debug)]
pub(crate) struct Review {
    pub id: Uuid,
    pub reader: usize,
    pub look: Look,
    pub account: Option<String>,
    pub version: i64,
}

/// What somebody loses of what was given him until then.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub person: usize,
    /// The role; none: everything.
    pub role: Option<&'static str>,
    pub covers_until: Timestamp,
    pub effective_at: Timestamp,
}

/// A move that counts later than it was told.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub id: Uuid,
    pub person: usize,
    pub covers_until: Timestamp,
    pub effective_at: Timestamp,
    pub is_settled: bool,
}

/// A group of the directory.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub id: Uuid,
    pub role: Option<&'static str>,
    pub members: BTreeSet<usize>,
    pub is_deleted: bool,
}

/// What should be.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub house: House,
    pub people: Vec<Staff>,
    pub given: Vec<Given>,
    pub charts: Vec<Chart>,
    pub asked: Vec<Asked>,
    pub reviews: Vec<Review>,
    pub planned: Vec<Planned>,
    pub moved: Vec<Moved>,
    pub groups: Vec<Group>,
    pub stand_ins: Vec<StandIn>,
}

impl Asked {
    /// From when on a backup may answer, if that is before it is over.
    pub fn escalates_at(&self, house: &House) -> Option<Timestamp> {
        let (_, after_hours) = house.backup?;
        Some(self.asked_at.plus_micros(after_hours * HOUR)).filter(|at| *at < self.decide_by)
    }

    /// From when on what it opened is prolonged: the last quarter of its time.
    pub fn prolonged_from(&self) -> Timestamp {
        self.until.plus_micros(-((self.until.micros() - self.from.micros()) / 4))
    }
}

impl Model {
    pub fn is_here(&self, person: usize) -> bool {
        self.people[person].left.is_none()
    }

    /// Whether he is here and not on leave.
    pub fn is_in(&self, person: usize, now: Timestamp) -> bool {
        self.is_here(person) && self.people[person].leave.is_none_or(|leave| leave.starts_at > now)
    }

    /// Whether a move has taken a grant by then.
    fn is_taken(&self, given: &Given, now: Timestamp) -> bool {
        let takes = |one: &Planned| {
            one.person == given.person && one.covers_until >= given.granted_at && one.effective_at <= now
        };
        self.planned.iter().any(takes)
    }

    /// The roles that somebody holds.
    pub fn roles(&self, person: usize, now: Timestamp) -> BTreeSet<&'static str> {
        if !self.is_in(person, now) {
            return BTreeSet::new();
        }
        let holds = |one: &&Given| {
            one.person == person
                && one.ended.is_none()
                && one.from <= now
                && now < one.until
                && !self.is_taken(one, now)
        };
        self.given.iter().filter(holds).map(|one| one.role).collect()
    }

    /// Whether a move has taken a chart by then.
    fn is_lost(&self, chart: &Chart, now: Timestamp) -> bool {
        let takes = |moved: &Moved| {
            moved.person == chart.person
                && moved.role.is_none_or(|role| role == chart.role)
                && moved.covers_until >= chart.granted_at
                && moved.effective_at <= now
        };
        self.moved.iter().any(takes)
    }

    /// What opens records to somebody in a role; his emergencies alone, or all.
    pub fn open_charts(&self, person: usize, role: &str, emergencies: bool, now: Timestamp) -> Vec<&Chart> {
        if !self.is_in(person, now) {
            return Vec::new();
        }
        let opens = |one: &&Chart| {
            one.person == person
                && !self.is_lost(one, now)
                && one.role == role
                && one.ended.is_none()
                && one.from <= now
                && now < one.until
                && (one.is_emergency || !emergencies)
        };
        self.charts.iter().filter(opens).collect()
    }

    /// The patients whose records are opened to somebody in a role, and what of them.
    pub fn charts(&self, person: usize, role: &str, emergencies: bool, now: Timestamp) -> BTreeMap<usize, Information> {
        let mut open: BTreeMap<usize, Information> = BTreeMap::new();
        for one in self.open_charts(person, role, emergencies, now) {
            let kinds = match open.remove(&one.patient) {
                None => one.kinds.clone(),
                Some(before) => before.with(&one.kinds),
            };
            open.insert(one.patient, kinds);
        }
        open
    }

    pub fn decides(&self, person: usize, now: Timestamp) -> bool {
        let roles = self.roles(person, now);
        roles.contains(MANAGER) || roles.contains(PRIVACY)
    }

    /// The needs of a request that nobody has met.
    pub fn open_needs(asked: &Asked) -> Vec<Need> {
        let mut open = asked.needs.clone();
        for given in &asked.approvals {
            if let Some(place) = open.iter().position(|need| *need == given.need) {
                open.remove(place);
            }
        }
        open
    }

    /// The instants at which something begins or ends by itself, from `now` on.
    pub fn instants(&self, now: Timestamp) -> BTreeSet<Timestamp> {
        let given = self.given.iter().flat_map(|one| [one.from, one.until]);
        let charts = self.charts.iter().flat_map(|one| [one.from, one.until]);
        let open = self.asked.iter().filter(|one| one.outcome == Outcome::Pending);
        let asked = open.flat_map(|one| [Some(one.decide_by), one.escalates_at(&self.house)]).flatten();
        let leaves = self.people.iter().filter_map(|one| one.leave).map(|leave| leave.starts_at);
        let moves = self.planned.iter().map(|one| one.effective_at);
        let stand_ins = self.stand_ins.iter().filter(|one| !one.is_ended).flat_map(|one| [one.from, one.until]);
        let last_parts = self.asked.iter().filter(|one| one.outcome == Outcome::Approved).map(Asked::prolonged_from);
        let all = given.chain(charts).chain(asked).chain(leaves).chain(moves).chain(stand_ins).chain(last_parts);
        all.filter(|at| *at > now).collect()
    }
}
