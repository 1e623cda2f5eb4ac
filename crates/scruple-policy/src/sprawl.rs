//! Whether the roles of a pack can still be looked through: overlaps, copies, roles of one person or of nobody, roles that
//! nobody has touched, roles per person; and which role could give way to another without anybody seeing more.

use crate::model::{Pack, Permit, Role};
use scruple_core::{ConditionMask, SegmentId, SegmentLimit, Timestamp, View};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Overlap in percent from which two roles are told as alike (house rule, RB-23).
pub const OVERLAP_PERCENT: u32 = 80;
/// Days after which a role that nobody has changed or reviewed is told as untouched (house rule, RB-23).
pub const UNTOUCHED_DAYS: i64 = 366;
/// Roles for each hundred people above which there are too many (house rule, PF-02).
pub const ROLES_PER_HUNDRED: usize = 50;
/// Fewer people than this say nothing of how many roles there should be.
const PEOPLE_MIN: usize = 20;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// What the organisation knows of its roles.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Who holds which roles, by whatever names a person.
    pub people: BTreeMap<String, BTreeSet<String>>,
    /// When each role was last changed or reviewed.
    pub touched: BTreeMap<String, Timestamp>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Sprawl {
    /// Roles of the workforce.
    pub roles: usize,
    /// People who hold one.
    pub people: usize,
    /// Roles for each hundred people; none where there are too few to tell.
    pub roles_per_hundred: Option<usize>,
    /// The most roles that one person holds.
    pub roles_of_one_person_max: usize,
    /// People by how many roles they hold.
    pub people_by_roles: BTreeMap<usize, usize>,
    /// Pairs that overlap by [`OVERLAP_PERCENT`] or more, the most alike first.
    pub overlaps: Vec<Overlap>,
    /// Roles that one person holds.
    pub single_member: Vec<String>,
    /// Roles that nobody holds.
    pub nobody: Vec<String>,
    /// Roles that nobody has changed or reviewed for [`UNTOUCHED_DAYS`].
    pub untouched: Vec<String>,
    /// Roles that could give way to another.
    pub merges: Vec<Merge>,
    /// Over a threshold: it is a finding.
    pub is_finding: bool,
}

/// Two roles that are much alike.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Overlap {
    /// Their names.
    pub roles: [String; 2],
    /// What they share of what one of them sees, in percent.
    pub percent: u32,
    /// They decide alike in everything.
    pub same: bool,
}

/// A role that could give way: all who hold it would hold another that shows them no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Merge {
    /// The role that would go.
    pub from: String,
    /// The one that would take its place.
    pub into: String,
    /// People who would change.
    pub people: usize,
    /// Nobody would see less either.
    pub same: bool,
}

/// Looks through the roles of the workforce.
#[must_use]
pub fn sprawl(pack: &Pack, held: &Held, at: Timestamp) -> Sprawl {
    let roles: Vec<&Role> = pack.roles.values().filter(|role| !role.is_profile).collect();
    let sights: Vec<Sight> = roles.iter().map(|role| Sight::of(pack, role)).collect();
    let mut members: BTreeMap<&str, usize> = BTreeMap::new();
    let mut people_by_roles: BTreeMap<usize, usize> = BTreeMap::new();
    for held in held.people.values().filter(|held| !held.is_empty()) {
        *people_by_roles.entry(held.len()).or_default() += 1;
        for role in held {
            *members.entry(role).or_default() += 1;
        }
    }
    let people: usize = people_by_roles.values().sum();
    let mut overlaps = Vec::new();
    let mut merges = Vec::new();
    let mut gone: BTreeSet<&str> = BTreeSet::new();
    for (index, (one, sight)) in roles.iter().zip(&sights).enumerate() {
        for (other, beside) in roles.iter().zip(&sights).skip(index + 1) {
            let percent = sight.overlap(beside);
            if percent < OVERLAP_PERCENT {
                continue;
            }
            let [less, more] = [sight.within(pack, beside), beside.within(pack, sight)];
            let same = less && more;
            overlaps.push(Overlap { roles: [one.name.clone(), other.name.clone()], percent, same });
            // Who sees no more takes the place of who sees no less.
            let (from, into) = if less { (other, one) } else { (one, other) };
            if (less || more) && !gone.contains(from.name.as_str()) && !gone.contains(into.name.as_str()) {
                gone.insert(&from.name);
                let people = members.get(from.name.as_str()).copied().unwrap_or(0);
                merges.push(Merge { from: from.name.clone(), into: into.name.clone(), people, same });
            }
        }
    }
    overlaps.sort_by(|a, b| b.percent.cmp(&a.percent).then_with(|| a.roles.cmp(&b.roles)));
    merges.sort_by(|a, b| (&a.from, &a.into).cmp(&(&b.from, &b.into)));
    let with = |number: usize| -> Vec<String> {
        let found = roles.iter().filter(|role| members.get(role.name.as_str()).copied().unwrap_or(0) == number);
        found.map(|role| role.name.clone()).collect()
    };
    let old = at.plus_micros(-UNTOUCHED_DAYS * DAY_MICROS);
    let untouched = roles.iter().filter(|role| held.touched.get(&role.name).is_some_and(|touched| *touched <= old));
    let roles_per_hundred = (people >= PEOPLE_MIN).then(|| (roles.len() * 100).div_ceil(people.max(1)));
    let is_finding = overlaps.len() > roles.len() / 10 && !merges.is_empty()
        || roles_per_hundred.is_some_and(|number| number > ROLES_PER_HUNDRED);
    Sprawl {
        roles: roles.len(),
        people,
        roles_per_hundred,
        roles_of_one_person_max: people_by_roles.keys().max().copied().unwrap_or(0),
        people_by_roles,
        overlaps,
        single_member: with(1),
        nobody: with(0),
        untouched: untouched.map(|role| role.name.clone()).collect(),
        merges,
        is_finding,
    }
}

/// Whether everything that one role of a pack shows is shown by another too, under no further condition.
#[must_use]
pub fn is_within(pack: &Pack, narrow: &Role, wide: &Role) -> bool {
    Sight::of(pack, narrow).within(pack, &Sight::of(pack, wide))
}

/// What a role sees: purpose and category to the ways of seeing it; and what else bears on it.
struct Sight<'a> {
    role: &'a Role,
    cells: BTreeMap<(&'a str, u8), Vec<(View, ConditionMask)>>,
    segments: Vec<SegmentLimit>,
}

impl<'a> Sight<'a> {
    fn of(pack: &Pack, role: &'a Role) -> Self {
        let mut cells: BTreeMap<(&str, u8), Vec<(View, ConditionMask)>> = BTreeMap::new();
        let way = |permit: &Permit| (permit.view, permit.when);
        for permit in &role.permits {
            for (purpose, category) in permit
                .purposes
                .iter()
                .flat_map(|purpose| permit.categories.iter().map(move |category| (purpose.as_str(), category.0)))
            {
                let ways = cells.entry((purpose, category)).or_default();
                if !ways.contains(&way(permit)) {
                    ways.push(way(permit));
                    ways.sort_by_key(|(view, when)| (pack.view_name(*view), when.0));
                }
            }
        }
        let all = ConditionMask(u64::MAX);
        let segments = (0..pack.segments.len()).filter_map(|index| u8::try_from(index).ok());
        Self { role, cells, segments: segments.map(|index| role.limit(SegmentId(index), all)).collect() }
    }

    /// Cells that both see in the same way, against the cells of the one that has more of them.
    fn overlap(&self, other: &Self) -> u32 {
        let same = self.cells.iter().filter(|(cell, ways)| other.cells.get(*cell) == Some(*ways)).count();
        let all = self.cells.len().max(other.cells.len());
        (same * 100).checked_div(all).and_then(|percent| u32::try_from(percent).ok()).unwrap_or(0)
    }

    fn within(&self, pack: &Pack, wide: &Self) -> bool {
        let gives = |wide: &[(View, ConditionMask)], way: &(View, ConditionMask)| {
            wide.iter().any(|other| pack.covers(other.0, way.0) && way.1.covers(other.1))
        };
        let (one, other) = (self.role, wide.role);
        self.cells
            .iter()
            .all(|(cell, ways)| wide.cells.get(cell).is_some_and(|wide| ways.iter().all(|way| gives(wide, way))))
            && self.segments.iter().zip(&wide.segments).all(|(narrow, wide)| depth(*narrow) <= depth(*wide))
            && one.segments.iter().zip(&other.segments).all(|(narrow, wide)| {
                narrow.limit == SegmentLimit::None || wide.condition.is_none() || narrow.condition == wide.condition
            })
            && (!one.emergency_access || other.emergency_access)
            && (!one.passes || other.passes)
            && other.never_pass.0 & !one.never_pass.0 == 0
            // The relationship is judged by other things: none is proved to be the narrower.
            && one.related_by == other.related_by
    }
}

const fn depth(limit: SegmentLimit) -> u8 {
    match limit {
        SegmentLimit::None => 0,
        SegmentLimit::Coded => 1,
        SegmentLimit::Follow => 2,
    }
}
