//! What a role sees of one category for one purpose, as a set of views under conditions, and how two of them compare.

use super::Direction;
use crate::model::{Pack, Role};
use crate::spoken::{view_words, while_words};
use scruple_core::{ConditionMask, View};
use std::collections::BTreeSet;

/// One way to see a category: a view, while all of these conditions hold. By name: two packs number them in their own way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Way {
    /// `full`, `masked:coded`.
    pub view: String,
    pub conditions: BTreeSet<String>,
    /// In words.
    pub words: String,
}

/// The ways to see a category for a purpose, without those that another one gives anyway.
pub(super) fn ways(pack: &Pack, role: &Role, category: &str, purpose: &str) -> BTreeSet<Way> {
    let Some(category) = pack.category(category) else { return BTreeSet::new() };
    let mut found: Vec<(View, ConditionMask)> = Vec::new();
    for permit in &role.permits {
        if permit.categories.contains(&category) && permit.purposes.iter().any(|listed| listed == purpose) {
            found.push((permit.view, permit.when));
        }
    }
    let gives = |a: &(View, ConditionMask), b: &(View, ConditionMask)| pack.covers(a.0, b.0) && b.1.covers(a.1);
    let mut kept: Vec<(View, ConditionMask)> = Vec::new();
    for way in found {
        if !kept.iter().any(|other| gives(other, &way)) {
            kept.retain(|other| !gives(&way, other));
            kept.push(way);
        }
    }
    let named = kept.into_iter().map(|(view, when)| Way {
        view: pack.view_name(view),
        conditions: pack.condition_names(when).into_iter().map(str::to_owned).collect(),
        words: [view_words(pack, view), while_words(pack, role, when)].join(" ").trim_end().to_owned(),
    });
    named.collect()
}

/// `in full only while A, and masked (codes only)`; none where it is not seen.
pub(super) fn words(ways: &BTreeSet<Way>) -> Option<String> {
    let mut sorted: Vec<&Way> = ways.iter().collect();
    sorted.sort_by_key(|way| (way.view != "full", way.words.clone()));
    (!sorted.is_empty()).then(|| sorted.iter().map(|way| way.words.as_str()).collect::<Vec<_>>().join(", and "))
}

/// What it means that one set of ways takes the place of another; none: it is the same.
pub(super) fn direction(
    before: &BTreeSet<Way>,
    after: &BTreeSet<Way>,
    covers: &impl Fn(&str, &str) -> bool,
) -> Option<Direction> {
    let given = |ways: &BTreeSet<Way>, by: &BTreeSet<Way>| {
        ways.iter().all(|way| {
            by.iter().any(|other| covers(&other.view, &way.view) && other.conditions.is_subset(&way.conditions))
        })
    };
    match (given(before, after), given(after, before)) {
        (true, true) => None,
        (true, false) => Some(Direction::Wider),
        (false, true) => Some(Direction::Narrower),
        (false, false) => Some(Direction::Otherwise),
    }
}

/// Whether one view, by name, shows all that another does, by what either pack says of its masks.
pub fn view_covers(packs: [&Pack; 2]) -> impl Fn(&str, &str) -> bool {
    let of = |pack: &Pack, name: &str| -> Option<View> {
        let name = name.strip_prefix("masked:")?;
        let place = pack.annotation.masks.iter().position(|mask| mask.name == name)?;
        u8::try_from(place).ok().map(|place| View::Masked(scruple_core::MaskId(place)))
    };
    move |wide: &str, narrow: &str| {
        wide == narrow
            || wide == "full"
            || packs.iter().all(|pack| match (of(pack, wide), of(pack, narrow)) {
                (Some(wide), Some(narrow)) => pack.covers(wide, narrow),
                _ => false,
            })
    }
}
