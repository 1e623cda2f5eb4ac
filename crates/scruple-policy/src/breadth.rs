//! How much each role sees, as one number to compare by: not how much is too much.

use crate::model::{Pack, Role};
use scruple_core::{SegmentLimit, View};
use serde::Serialize;
use std::collections::BTreeMap;

/// The breadth of a role. The score is twice the kinds that it sees in full, once those that it sees in part, once each segment that
/// it may see something of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Breadth {
    /// The role.
    pub role: String,
    /// The number to compare by.
    pub score: usize,
    /// The number of a role that saw everything in full.
    pub of: usize,
    /// Kinds of information that it sees in full, under whatever condition.
    pub full: usize,
    /// Kinds that it sees in part alone.
    pub part: usize,
    /// Specially protected segments of which it may see something.
    pub segments: usize,
}

/// The roles of the workforce, the broadest first.
#[must_use]
pub fn breadth(pack: &Pack) -> Vec<Breadth> {
    let roles = pack.roles.values().filter(|role| !role.is_profile);
    let mut all: Vec<Breadth> = roles.map(|role| of(pack, role)).collect();
    all.sort_by(|one, other| other.score.cmp(&one.score).then_with(|| one.role.cmp(&other.role)));
    all
}

fn of(pack: &Pack, role: &Role) -> Breadth {
    let mut widest: BTreeMap<u8, bool> = BTreeMap::new();
    for permit in &role.permits {
        for category in permit.categories.iter().filter(|_| permit.view != View::None) {
            let is_full = widest.entry(category.0).or_default();
            *is_full = *is_full || permit.view == View::Full;
        }
    }
    let full = widest.values().filter(|is_full| **is_full).count();
    let part = widest.len() - full;
    let segments = role.segments.iter().filter(|segment| segment.limit != SegmentLimit::None).count();
    let of = 2 * pack.categories.len() + pack.segments.len();
    Breadth { role: role.name.clone(), score: 2 * full + part + segments, of, full, part, segments }
}
