//! [`Step`]: what is to happen next, in numbers that mean something for whatever is then: a history from which steps were taken
//! out is still one.

use crate::deed::{Deed, somebody};
use crate::draw::Draw;
use crate::model::{Asked, Capacity, Information, Model, Outcome};
use crate::rules::{ASKED, KINDS, NAMED, NURSE, ROLES};
use scruple_core::Timestamp;
use std::collections::BTreeSet;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Patients of an organisation.
pub(crate) const PATIENTS: usize = 4;

/// What kind of thing is to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Submit,
    Approve,
    Deny,
    Cancel,
    Expire,
    Declare,
    Emergency,
    EndChart,
    EndGiven,
    Tell,
    AskReader,
    Close,
    Longer,
    NameDeputy,
    AcceptDeputy,
    EndDeputy,
    Replace,
    Presence,
    LeavesNow,
    Delete,
    Create,
    PlanLeave,
    EndLeave,
    ConfirmReturn,
    PlanMove,
    SettleMoves,
    Members,
    MapGroup,
    DeleteGroup,
    Jump,
    Crash,
    KillDrainers,
    ClockBack,
    Checkpoint,
}

/// Each kind as often as it is drawn.
const OFTEN: [(Kind, usize); 34] = [
    (Kind::Submit, 18),
    (Kind::Approve, 22),
    (Kind::Deny, 3),
    (Kind::Cancel, 3),
    (Kind::Expire, 3),
    (Kind::Declare, 5),
    (Kind::Emergency, 5),
    (Kind::EndChart, 4),
    (Kind::EndGiven, 5),
    (Kind::Tell, 2),
    (Kind::AskReader, 2),
    (Kind::Close, 3),
    (Kind::Longer, 5),
    (Kind::NameDeputy, 4),
    (Kind::AcceptDeputy, 4),
    (Kind::EndDeputy, 2),
    (Kind::Replace, 4),
    (Kind::Presence, 6),
    (Kind::LeavesNow, 4),
    (Kind::Delete, 2),
    (Kind::Create, 3),
    (Kind::PlanLeave, 3),
    (Kind::EndLeave, 3),
    (Kind::ConfirmReturn, 4),
    (Kind::PlanMove, 3),
    (Kind::SettleMoves, 2),
    (Kind::Members, 2),
    (Kind::MapGroup, 1),
    (Kind::DeleteGroup, 1),
    (Kind::Jump, 16),
    (Kind::Crash, 1),
    (Kind::KillDrainers, 3),
    (Kind::ClockBack, 1),
    (Kind::Checkpoint, 1),
];

/// How it happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    Plain,
    /// Broken off after so many writes.
    Trip(u32),
    /// Everything is killed after so many turns.
    Cut(u32),
    /// At one time with another.
    Race(Kind, [u32; 6]),
}

/// One step of a history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub kind: Kind,
    pub numbers: [u32; 6],
    pub manner: Manner,
    /// Whether what was committed is taken to the ledger at its end.
    pub drains: bool,
}

fn kind(draw: &mut Draw) -> Kind {
    let all = OFTEN.iter().map(|(_, often)| often).sum();
    let mut left = draw.below(all);
    for (kind, often) in OFTEN {
        if left < often {
            return kind;
        }
        left -= often;
    }
    Kind::Jump
}

impl Step {
    pub fn draw(draw: &mut Draw) -> Self {
        let mut numbers = || [(); 6].map(|()| draw.any());
        let (first, second) = (numbers(), numbers());
        let manner = match draw.below(24) {
            0 | 1 => Manner::Trip(draw.any() % 6),
            2 => Manner::Cut(draw.any() % 60),
            3..=5 => Manner::Race(kind(draw), second),
            _ => Manner::Plain,
        };
        Self { kind: kind(draw), numbers: first, manner, drains: draw.one_in(2) }
    }
}

fn small(number: u32, below: usize) -> usize {
    usize::try_from(number).unwrap_or(0) % below.max(1)
}

/// One of the last four, which are more often open.
fn recent(length: usize, number: u32) -> Option<usize> {
    (length > 0).then(|| length - 1 - small(number, length.min(4)))
}

/// The version that was seen, which may be an older one.
fn seen(version: i64, number: u32) -> i64 {
    if number.is_multiple_of(5) { version - 1 } else { version }
}

fn words(model: &Model, by: usize, number: u32) -> String {
    match number % 12 {
        0 => "x".to_owned(),
        1 => model.people[by].last_words.clone().unwrap_or_default(),
        _ => format!("canary7f number {number} of what has to be done"),
    }
}

fn some(number: u32, of: usize) -> BTreeSet<usize> {
    (0..of).filter(|place| number >> place & 1 == 1).collect()
}

/// The deed that a step means now; none: there is nothing to do it to.
pub(crate) fn resolve(model: &Model, kind: Kind, numbers: [u32; 6], now: Timestamp) -> Option<Deed> {
    let [by, which, a, b, c, d] = numbers;
    let later = |number: u32| now.plus_micros(i64::from(number % 72) * HOUR);
    Some(match kind {
        Kind::Submit | Kind::Longer | Kind::Approve | Kind::Deny | Kind::Cancel => {
            return request(model, kind, numbers, now);
        }
        Kind::NameDeputy | Kind::AcceptDeputy | Kind::EndDeputy => return deputy(model, kind, numbers, now),
        Kind::Expire => Deed::Expire,
        Kind::Declare => {
            let ends_at = now.plus_micros(i64::from(a % 15) * HOUR);
            let role = if b % 4 == 0 { ROLES[small(b / 4, ROLES.len())] } else { NURSE };
            let patient = small(c, PATIENTS);
            somebody(model, by, now, |by| Deed::Declare { by, role, patient, ends_at })
        }
        Kind::Emergency => {
            let role = if b % 4 == 0 { ROLES[small(b / 4, ROLES.len())] } else { NURSE };
            let patient = small(c, PATIENTS);
            somebody(model, by, now, |by| Deed::Emergency { by, role, patient })
        }
        Kind::EndChart => {
            let chart = recent(model.charts.len(), which)?;
            let version = seen(model.charts[chart].version, a);
            somebody(model, by, now, |by| Deed::EndChart { by, chart, version })
        }
        Kind::EndGiven => {
            let given = small(which, model.given.len());
            let version = seen(model.given[given].version, a);
            somebody(model, by, now, |by| Deed::EndGiven { by, given, version })
        }
        Kind::Tell | Kind::AskReader | Kind::Close => {
            let review = recent(model.reviews.len(), which)?;
            let version = seen(model.reviews[review].version, a);
            let words = words(model, 0, d);
            somebody(model, by, now, |by| {
                let words = words.clone();
                match kind {
                    Kind::Tell => Deed::Tell { by, review, version, words },
                    Kind::AskReader => Deed::AskReader { by, review, version },
                    _ => Deed::Close { by, review, version, words },
                }
            })
        }
        Kind::Members | Kind::MapGroup | Kind::DeleteGroup => {
            let group = small(which, model.groups.len());
            model.groups.get(group)?;
            let by = acts_for_hr(model, by);
            let members = some(a, model.people.len());
            match kind {
                Kind::Members => Deed::Members { by, group, members },
                Kind::MapGroup => Deed::MapGroup { by, group, role: (b % 3 > 0).then(|| ROLES[small(b, 2)]) },
                _ => Deed::DeleteGroup { by, group },
            }
        }
        Kind::SettleMoves => Deed::SettleMoves,
        Kind::ConfirmReturn => {
            let person = told_of(model, which, |one| one.leave.is_some());
            somebody(model, by, now, |by| Deed::ConfirmReturn { by, person })
        }
        _ => return directory(model, kind, (by, which, a, b, c), later(d)),
    })
}

/// Mostly HR.
fn acts_for_hr(model: &Model, number: u32) -> usize {
    if number.is_multiple_of(5) { small(number / 5, model.people.len()) } else { 0 }
}

/// Mostly somebody of whom it makes sense; never HR, which would be nobody then.
fn told_of(model: &Model, number: u32, makes_sense: impl Fn(&crate::model::Staff) -> bool) -> usize {
    let others = model.people.len() - 1;
    let first = small(number, others);
    let fits = (0..others).map(|step| 1 + (first + step) % others).find(|one| makes_sense(&model.people[*one]));
    fits.filter(|_| !(number / 7).is_multiple_of(4)).unwrap_or(1 + first)
}

fn directory(
    model: &Model,
    kind: Kind,
    (by, which, a, b, c): (u32, u32, u32, u32, u32),
    later: Timestamp,
) -> Option<Deed> {
    let by = acts_for_hr(model, by);
    Some(match kind {
        Kind::Replace => {
            let person = told_of(model, which, |one| one.is_listed);
            let one = &model.people[person];
            let department = if a % 3 == 0 { one.department } else { small(a, 3) };
            let other = small(b, model.people.len());
            let manager = if b % 3 == 0 { Some(other).filter(|other| *other != person) } else { one.manager };
            let effective_at = (c % 3 > 0).then_some(later);
            Deed::Replace { by, person, department, manager, active: None, on_leave: None, effective_at }
        }
        // Who is gone is told of as here, who is here as gone or on leave.
        Kind::Presence => {
            let person = told_of(model, which, |one| one.is_listed && (one.left.is_some() || one.leave.is_some()));
            let one = &model.people[person];
            let (department, manager) = (one.department, one.manager);
            let active = match one.left {
                Some(_) => Some(true),
                None => (a % 4 == 0).then_some(a % 8 != 0),
            };
            let on_leave = (b % 3 > 0).then_some(b % 2 == 0);
            Deed::Replace { by, person, department, manager, active, on_leave, effective_at: None }
        }
        Kind::LeavesNow => Deed::LeavesNow { by, person: told_of(model, which, |one| one.is_listed) },
        Kind::Delete => Deed::Delete { by, person: told_of(model, which, |one| one.is_listed) },
        Kind::Create => Deed::Create { by, person: told_of(model, which, |one| !one.is_listed) },
        Kind::PlanLeave => Deed::PlanLeave { by, person: told_of(model, which, |one| one.is_listed), starts_at: later },
        Kind::EndLeave => Deed::EndLeave { by, person: told_of(model, which, |one| one.leave.is_some()) },
        Kind::PlanMove => {
            Deed::PlanMove { by, person: told_of(model, which, |one| one.is_listed), effective_at: later }
        }
        _ => return None,
    })
}

fn deputy(model: &Model, kind: Kind, [by, which, a, b, c, d]: [u32; 6], now: Timestamp) -> Option<Deed> {
    if kind == Kind::NameDeputy {
        let deputy = small(which, model.people.len());
        let capacity = Capacity::ALL[usize::from(a % 3 == 0)];
        let starts_at = match b % 6 {
            0 => Some(now.plus_micros(i64::from(b / 6 % 30) * HOUR)),
            1 => Some(now.plus_micros(-HOUR)),
            _ => None,
        };
        // Thirty days are the most, and none is nothing.
        let days = if c % 5 == 0 { 30 } else { i64::from(c / 5 % 30) };
        let ends_at = starts_at.unwrap_or(now).max(now).plus_micros(days * DAY + i64::from(d % 4 == 0));
        return Some(somebody(model, by, now, |by| Deed::NameDeputy { by, deputy, capacity, starts_at, ends_at }));
    }
    let waits = model.stand_ins.iter().rposition(|one| !one.is_accepted && !one.is_ended);
    let waits = waits.filter(|_| kind == Kind::AcceptDeputy && which % 4 > 0);
    let stand_in = waits.or_else(|| recent(model.stand_ins.len(), which))?;
    let version = seen(model.stand_ins[stand_in].version, a);
    Some(somebody(model, by, now, |by| match kind {
        Kind::AcceptDeputy => Deed::AcceptDeputy { by, stand_in, version },
        _ => Deed::EndDeputy { by, stand_in, version },
    }))
}

/// Some of these kinds, or none of them.
fn some_of(number: u32, of: &[&'static str]) -> BTreeSet<&'static str> {
    some(number, of.len()).into_iter().map(|place| of[place]).collect()
}

/// What an approver leaves of the kinds that are asked for: mostly all of them; fewer, more, or others.
fn left(asked: &Asked, number: u32) -> Option<Information> {
    let bits = number / 8;
    let named = match (number % 8, &asked.kinds) {
        (0, Information::Whole) if !asked.patients.is_empty() => some_of(bits, &KINDS),
        (0, Information::Named(named)) => some_of(bits, &named.iter().copied().collect::<Vec<_>>()),
        (1 | 2, Information::Named(named)) => named.union(&some_of(bits, &KINDS)).copied().collect(),
        (3, _) => some_of(bits, &NAMED),
        (4, _) => return Some(Information::Whole),
        _ => return None,
    };
    (!named.is_empty()).then_some(Information::Named(named))
}

fn longer(model: &Model, [by, which, a, _, c, d]: [u32; 6], now: Timestamp) -> Option<Deed> {
    let stands = |one: &Asked| one.outcome == Outcome::Approved && one.from <= now && now < one.until;
    let request = model.asked.iter().rposition(stands).filter(|_| which % 4 > 0);
    let request = request.or_else(|| recent(model.asked.len(), which))?;
    let until = model.asked[request].until;
    let ends_at = until.plus_micros(i64::from(a % 14) * HOUR + i64::from(c % 7 == 0));
    Some(somebody(model, by, now, |by| Deed::Longer { by, request, ends_at, words: words(model, by, d) }))
}

fn request(model: &Model, kind: Kind, [by, which, a, b, c, d]: [u32; 6], now: Timestamp) -> Option<Deed> {
    match kind {
        Kind::Submit => return Some(submit(model, [by, which, a, b, c, d], now)),
        Kind::Longer => return longer(model, [by, which, a, b, c, d], now),
        _ => {}
    }
    let open = model.asked.iter().rposition(|one| one.outcome == Outcome::Pending).filter(|_| which % 3 > 0);
    let request = open.or_else(|| recent(model.asked.len(), which))?;
    let asked = &model.asked[request];
    let version = seen(asked.version, a);
    let stepped_up = b % 6 > 0;
    let words = words(model, 0, d);
    // As it was asked for, less, and what is more.
    let lasts = asked.until.micros() - asked.from.micros();
    let (patients, ends_at) = match c % 12 {
        0 => (Some(asked.patients.iter().copied().filter(|one| c >> (8 + one) & 1 == 1).collect()), None),
        1 | 2 => (None, Some(asked.from.plus_micros(lasts / 2))),
        3 => (None, Some(asked.until.plus_micros(1))),
        4 => (Some(some(c >> 8, PATIENTS)), None),
        _ => (None, None),
    };
    let kinds = left(asked, d);
    Some(somebody(model, by, now, |by| match kind {
        Kind::Approve => {
            let (patients, kinds) = (patients.clone(), kinds.clone());
            Deed::Approve { by, request, version, patients, kinds, ends_at, stepped_up }
        }
        Kind::Deny => Deed::Deny { by, request, version, words: words.clone(), stepped_up },
        _ => Deed::Cancel { by, request, version },
    }))
}

fn submit(model: &Model, [by, which, a, b, c, d]: [u32; 6], now: Timestamp) -> Deed {
    let is_of_patients = a % 2 == 0;
    let role = ASKED[small(a / 2, 7).min(6) % ASKED.len()];
    let patients = if is_of_patients { some(b, PATIENTS) } else { BTreeSet::new() };
    // Mostly all that the role has, or some of it; seldom what it has not, or nothing; of a role nothing but all of it.
    let kinds = match (b >> 16) % 8 {
        4..=6 if is_of_patients => Information::Named(some_of(b >> 20, &KINDS)),
        7 => Information::Named(some_of(b >> 20, &NAMED)),
        _ => Information::Whole,
    };
    let starts_at = match c % 6 {
        0 => Some(now.plus_micros(i64::from(c / 6 % 30) * HOUR)),
        1 => Some(now.plus_micros(-HOUR)),
        _ => None,
    };
    let hours = i64::from(b / 16 % 14);
    let from = starts_at.unwrap_or(now).max(now);
    let ends_at = from.plus_micros(hours * HOUR + if c % 7 == 0 { 1 } else { 0 });
    somebody(model, by, now, |by| {
        // For himself, or for somebody else.
        let other = small(which, model.people.len());
        let person = if which % 2 == 0 { by } else { other };
        let words = words(model, by, d);
        let (patients, kinds) = (patients.clone(), kinds.clone());
        Deed::Submit { by, person, role, patients, kinds, starts_at, ends_at, words }
    })
}

/// Where the clock goes; `step` is how far it goes by itself before the next deed.
pub(crate) fn jump(model: &Model, [a, b, c, ..]: [u32; 6], now: Timestamp, step: i64) -> i64 {
    let far = match a % 8 {
        0 => i64::from(b % 180 + 1) * MINUTE,
        1 => i64::from(b % 30 + 1) * HOUR,
        2 => i64::from(b % 40 + 1) * DAY,
        3 if b % 8 == 0 => i64::from(b % 7 + 1) * 30 * DAY,
        // To an instant at which something begins or ends: a microsecond before, at it, a microsecond after.
        _ => {
            let instants = model.instants(now);
            let place = small(b, instants.len().min(3));
            let Some(instant) = instants.into_iter().nth(place) else { return MINUTE };
            instant.micros() - now.micros() - step + i64::from(c % 3) - 1
        }
    };
    far.max(0)
}
