//! [`Deed`]: one thing that somebody does, with everything that the use case is given.

use crate::model::{Capacity, Information, Model};
use scruple_core::Timestamp;
use std::collections::BTreeSet;

/// One thing that somebody does. People, patients, requests and the rest by their number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    Submit {
        by: usize,
        person: usize,
        role: &'static str,
        patients: BTreeSet<usize>,
        kinds: Information,
        starts_at: Option<Timestamp>,
        ends_at: Timestamp,
        words: String,
    },
    Longer {
        by: usize,
        request: usize,
        ends_at: Timestamp,
        words: String,
    },
    Approve {
        by: usize,
        request: usize,
        version: i64,
        patients: Option<BTreeSet<usize>>,
        kinds: Option<Information>,
        ends_at: Option<Timestamp>,
        stepped_up: bool,
    },
    Deny {
        by: usize,
        request: usize,
        version: i64,
        words: String,
        stepped_up: bool,
    },
    Cancel {
        by: usize,
        request: usize,
        version: i64,
    },
    Expire,
    Declare {
        by: usize,
        role: &'static str,
        patient: usize,
        ends_at: Timestamp,
    },
    Emergency {
        by: usize,
        role: &'static str,
        patient: usize,
    },
    EndChart {
        by: usize,
        chart: usize,
        version: i64,
    },
    EndGiven {
        by: usize,
        given: usize,
        version: i64,
    },
    Tell {
        by: usize,
        review: usize,
        version: i64,
        words: String,
    },
    AskReader {
        by: usize,
        review: usize,
        version: i64,
    },
    Close {
        by: usize,
        review: usize,
        version: i64,
        words: String,
    },
    NameDeputy {
        by: usize,
        deputy: usize,
        capacity: Capacity,
        starts_at: Option<Timestamp>,
        ends_at: Timestamp,
    },
    AcceptDeputy {
        by: usize,
        stand_in: usize,
        version: i64,
    },
    EndDeputy {
        by: usize,
        stand_in: usize,
        version: i64,
    },
    Replace {
        by: usize,
        person: usize,
        department: usize,
        manager: Option<usize>,
        active: Option<bool>,
        on_leave: Option<bool>,
        effective_at: Option<Timestamp>,
    },
    LeavesNow {
        by: usize,
        person: usize,
    },
    Delete {
        by: usize,
        person: usize,
    },
    Create {
        by: usize,
        person: usize,
    },
    PlanLeave {
        by: usize,
        person: usize,
        starts_at: Timestamp,
    },
    EndLeave {
        by: usize,
        person: usize,
    },
    ConfirmReturn {
        by: usize,
        person: usize,
    },
    PlanMove {
        by: usize,
        person: usize,
        effective_at: Timestamp,
    },
    SettleMoves,
    Members {
        by: usize,
        group: usize,
        members: BTreeSet<usize>,
    },
    MapGroup {
        by: usize,
        group: usize,
        role: Option<&'static str>,
    },
    DeleteGroup {
        by: usize,
        group: usize,
    },
}

impl Deed {
    /// Whether it is several transactions, one after the other.
    pub const fn is_many(&self) -> bool {
        matches!(self, Self::Expire | Self::SettleMoves)
    }
}

/// Rules that the model can be without.
const RULES: usize = 9;

/// The model without one of its rules.
fn without_a_rule(model: &Model, which: usize) -> Model {
    const YEAR: i64 = 366 * 24 * 3_600_000_000;
    let mut model = model.clone();
    let count = model.people.len();
    match which % RULES {
        0 => model.people.iter_mut().for_each(|one| one.invited_by.clear()),
        1 => model.people.iter_mut().for_each(|one| one.leave = None),
        2 => model.people.iter_mut().for_each(|one| one.manager = None),
        // Who gets it asks for it himself.
        3 => model.asked.iter_mut().for_each(|one| one.by = one.person),
        // Whoever was named has said yes, and nobody has ended it.
        4 => model.stand_ins.iter_mut().for_each(|one| {
            (one.is_accepted, one.is_ended, one.until) = (true, false, one.until.plus_micros(YEAR));
        }),
        // Nobody has said yes before, and as much is still needed.
        5 => model.asked.iter_mut().for_each(|one| {
            one.needs = Model::open_needs(one);
            one.approvals.clear();
        }),
        6 => model.asked.iter_mut().for_each(|one| one.kinds = Information::Whole),
        // Somebody else gets it, and asks for it himself.
        7 => model.asked.iter_mut().for_each(|one| {
            one.person = (one.person + 1) % count;
            one.by = one.person;
        }),
        _ => model.given.iter_mut().for_each(|one| (one.ended, one.until) = (None, one.until.plus_micros(YEAR))),
    }
    model
}

/// Mostly somebody for whom the deed that `make` makes of him is permitted; often somebody who is refused by one rule alone; else
/// whoever is drawn.
pub(crate) fn somebody(model: &Model, drawn: u32, now: Timestamp, make: impl Fn(usize) -> Deed) -> Deed {
    let count = model.people.len();
    let drawn = usize::try_from(drawn).unwrap_or(0);
    let first = drawn % count;
    let mut everybody = (0..count).map(|step| make((first + step) % count));
    let (way, rule) = (drawn / count % 8, drawn / count / 8);
    let found = match way {
        0 => None,
        1 | 2 => {
            let refused: Vec<Deed> = everybody.filter(|deed| model.judge(deed, now).is_none()).collect();
            let by_one_rule = (0..RULES).find_map(|step| {
                let without = without_a_rule(model, rule + step);
                refused.iter().find(|deed| without.judge(deed, now).is_some())
            });
            by_one_rule.cloned()
        }
        _ => everybody.find(|deed| model.judge(deed, now).is_some()),
    };
    found.unwrap_or_else(|| make(first))
}
