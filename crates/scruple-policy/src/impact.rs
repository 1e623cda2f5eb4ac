//! What a policy would have done to an access that was recorded: the question is put anew, and what shows of the types that were
//! released is compared, class by class and element by element, by the same compiled plan as the projector's.
//!
//! It judges by types and classes, not by records: whether a label stood on one is not recorded, so that a change of a segment is
//! told apart, as what may have shown less. It knows no ledger.

use crate::active::Active;
use crate::compare::view_covers;
use crate::decide::Question;
use crate::model::Pack;
use scruple_core::{CategoryId, ConditionMask, DecisionTable, SegmentId, SegmentLimit, View};
use scruple_fhir::{ElementView, Place, TypeId, TypeView, categories, classes, describe};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An access as it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct PastAccess<'a> {
    /// In which role.
    pub role: &'a str,
    /// For what.
    pub purpose: &'a str,
    /// The conditions that held, `,` between them.
    pub conditions: &'a str,
    /// The types of what was released, or of what was asked for.
    pub types: &'a [TypeId],
    /// The categories that showed, with their views.
    pub views: &'a BTreeMap<String, String>,
}

/// What a draft would have done to an access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The same.
    Same,
    /// It would have shown more, and nothing less.
    More,
    /// It would have shown less.
    Less,
    /// It would have refused it.
    Refused,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::More => "more",
            Self::Less => "less",
            Self::Refused => "refused",
        }
    }
}

/// What a draft would have done to all accesses that are alike, and what is known of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impact {
    /// What it would have done.
    pub outcome: Outcome,
    /// Kinds of information of which less shows, or the code of the refusal.
    pub because: BTreeSet<String>,
    /// A label could have made it show less.
    pub by_label: bool,
    /// The decision comes out as it was recorded; none: its policy is not known here.
    pub is_replayed: Option<bool>,
}

fn question(pack: &Pack, access: &PastAccess<'_>) -> Question {
    let held = access.conditions.split(',').filter_map(|name| pack.condition(name));
    let conditions = held.fold(ConditionMask::NONE, ConditionMask::with);
    Question { role: access.role.to_owned(), purpose: access.purpose.to_owned(), conditions }
}

/// The categories that a table shows, by name, with their views.
fn shown(pack: &Pack, table: &DecisionTable) -> BTreeMap<String, String> {
    let views = pack.categories.iter().zip(&table.views).filter(|(_, view)| view.shows());
    views.map(|(category, view)| (category.name.clone(), pack.view_name(*view))).collect()
}

/// A type under a table: a view of it for each class.
struct Sight {
    classes: Vec<(Option<String>, TypeView)>,
}

impl Sight {
    fn of(pack: &Pack, table: &DecisionTable, id: TypeId) -> Self {
        let mut roots: Vec<Option<CategoryId>> = classes(&pack.annotation, id).into_iter().map(Some).collect();
        if roots.is_empty() {
            roots.push(None);
        }
        let named = roots.into_iter().map(|class| {
            let name = class.map(|class| pack.category_name(class).to_owned());
            (name, describe(&pack.annotation, table, id, class))
        });
        Self { classes: named.collect() }
    }

    fn shows(&self) -> bool {
        self.classes.iter().any(|(_, view)| view.shows)
    }

    /// The kinds of information of which something shows.
    fn kinds(&self, pack: &Pack, kinds: &mut BTreeSet<String>) {
        for (_, view) in self.classes.iter().filter(|(_, view)| view.shows) {
            let home = std::iter::once(&view.home).filter_map(kind_of);
            // What is of two kinds shows by both.
            let shown = view.rows.iter().filter(|row| row.view.shows());
            let own = shown.flat_map(|row| [kind_of(&row.place), row.also]).flatten();
            let all = home.chain(own).map(|kind| pack.category_name(kind).to_owned());
            kinds.extend(all);
        }
    }
}

const fn kind_of(place: &Place) -> Option<CategoryId> {
    match place {
        Place::Category(category) => Some(*category),
        Place::Class | Place::Structure | Place::Withheld => None,
    }
}

/// Weighs an access under `after`; `before`: the policy by which it was decided, if it is known.
#[must_use]
pub fn impact(before: Option<&Active>, after: &Active, access: &PastAccess<'_>) -> Impact {
    let refusal = |code: &str, is_replayed| Impact {
        outcome: Outcome::Refused,
        because: BTreeSet::from([code.to_owned()]),
        by_label: false,
        is_replayed,
    };
    let Some(before) = before else { return by_views(access, after) };
    let Ok(was) = before.decider.decide(&question(&before.pack, access)) else {
        // It was permitted, and is not by the policy that it names.
        let mut judged = by_views(access, after);
        judged.is_replayed = Some(false);
        return judged;
    };
    let is_replayed = Some(*access.views == shown(&before.pack, &was));
    let sights: Vec<(TypeId, Sight)> =
        access.types.iter().map(|id| (*id, Sight::of(&before.pack, &was, *id))).collect();
    let is = match after.decider.decide(&question(&after.pack, access)) {
        Ok(is) => is,
        Err(refused) => return refusal(refused.code(), is_replayed),
    };
    let seen: Vec<&(TypeId, Sight)> = sights.iter().filter(|(_, sight)| sight.shows()).collect();
    let mut because = BTreeSet::new();
    let (mut gone, mut more) = (0, false);
    for (id, sight) in &seen {
        let now = Sight::of(&after.pack, &is, *id);
        gone += usize::from(!now.shows());
        more |= compared([&before.pack, &after.pack], sight, &now, &mut because);
    }
    let outcome = match (seen.is_empty(), gone == seen.len(), because.is_empty(), more) {
        (false, true, ..) => Outcome::Refused,
        (_, _, false, _) => Outcome::Less,
        (_, _, true, true) => Outcome::More,
        _ => Outcome::Same,
    };
    let by_label = narrower_labels([before, after], [&was, &is]);
    Impact { outcome, because, by_label, is_replayed }
}

/// Adds the kinds of information of which less shows; whether something shows more.
fn compared(packs: [&Pack; 2], was: &Sight, is: &Sight, less: &mut BTreeSet<String>) -> bool {
    let [before, after] = packs;
    let covers = view_covers(packs);
    let mut more = false;
    for (class, old) in was.classes.iter().filter(|(_, view)| view.shows) {
        let name = |row: &ElementView| {
            let kind = kind_of(&row.place).or(row.also).or_else(|| kind_of(&old.home));
            kind.map_or_else(|| "structure".to_owned(), |kind| before.category_name(kind).to_owned())
        };
        let new = is.classes.iter().find(|(name, _)| name == class).map(|(_, view)| view).filter(|view| view.shows);
        let Some(new) = new else {
            less.insert(
                kind_of(&old.home).map_or_else(|| "structure".to_owned(), |kind| before.category_name(kind).to_owned()),
            );
            continue;
        };
        if old.passes && !new.passes {
            less.insert("narrative and unknown extensions".to_owned());
        }
        more |= new.passes && !old.passes;
        let rows: HashMap<&str, &ElementView> = new.rows.iter().map(|row| (row.path.as_str(), row)).collect();
        for row in &old.rows {
            let [was, is] = [
                before.view_name(row.view),
                rows.get(row.path.as_str()).map_or_else(|| "none".to_owned(), |row| after.view_name(row.view)),
            ];
            let same_function = rows.get(row.path.as_str()).is_none_or(|other| other.function == row.function);
            if was == is && same_function || was == "none" && is == "none" {
                continue;
            }
            if was != "none" && (is == "none" || !covers(&is, &was) || was == is) {
                less.insert(name(row));
            } else {
                more = true;
            }
        }
    }
    more
}

/// Whether a segment leaves less than it did.
fn narrower_labels([before, after]: [&Active; 2], [was, is]: [&DecisionTable; 2]) -> bool {
    let depth = |limit: SegmentLimit| match limit {
        SegmentLimit::None => 0,
        SegmentLimit::Coded => 1,
        SegmentLimit::Follow => 2,
    };
    let of =
        |table: &DecisionTable, id: SegmentId| table.limits.get(usize::from(id.0)).map_or(0, |limit| depth(*limit));
    before.pack.segments.iter().any(|segment| {
        let old = before.pack.segment(&segment.name).map_or(0, |id| of(was, id));
        let new = after.pack.segment(&segment.name).map_or(old, |id| of(is, id));
        new < old
    }) || after.pack.segments.iter().any(|segment| {
        // A segment that was not judged before hides where it is not held.
        before.pack.segment(&segment.name).is_none()
            && after.pack.segment(&segment.name).is_some_and(|id| of(is, id) < 2)
    })
}

/// By what was recorded to have shown, where the policy is not known here.
fn by_views(access: &PastAccess<'_>, after: &Active) -> Impact {
    let recorded = access.views;
    let touched: BTreeSet<String> = access
        .types
        .iter()
        .flat_map(|id| categories(&after.pack.annotation, *id))
        .map(|category| after.pack.category_name(category).to_owned())
        .filter(|kind| recorded.contains_key(kind))
        .collect();
    let mut judged = Impact { outcome: Outcome::Same, because: BTreeSet::new(), by_label: false, is_replayed: None };
    let is = match after.decider.decide(&question(&after.pack, access)) {
        Ok(is) => is,
        Err(refused) => {
            judged.outcome = Outcome::Refused;
            judged.because = BTreeSet::from([refused.code().to_owned()]);
            return judged;
        }
    };
    let now = shown(&after.pack, &is);
    let covers = view_covers([&after.pack, &after.pack]);
    let covered = |kind: &String| match (recorded.get(kind), now.get(kind)) {
        (Some(was), Some(is)) => covers(is, was),
        _ => false,
    };
    judged.because = touched.iter().filter(|kind| !covered(kind)).cloned().collect();
    let shows = |id: &TypeId| Sight::of(&after.pack, &is, *id).shows();
    judged.outcome = match (access.types.is_empty(), access.types.iter().any(shows), judged.because.is_empty()) {
        (false, false, _) => Outcome::Refused,
        (_, _, false) => Outcome::Less,
        _ => Outcome::Same,
    };
    judged
}

/// The kinds of information that something of a type shows by, in a role under a policy: those without which less of it would
/// show. Its class is not known, so that each kind counts by which any class shows.
#[must_use]
pub fn used_kinds(active: &Active, access: &PastAccess<'_>, id: TypeId) -> BTreeSet<String> {
    let pack = &active.pack;
    let Ok(table) = active.decider.decide(&question(pack, access)) else { return BTreeSet::new() };
    let whole = Sight::of(pack, &table, id);
    let mut kinds = BTreeSet::new();
    whole.kinds(pack, &mut kinds);
    if !whole.shows() {
        return kinds;
    }
    for (index, category) in pack.categories.iter().enumerate() {
        let shows = table.views.get(index).is_some_and(|view| view.shows());
        if !shows || kinds.contains(&category.name) {
            continue;
        }
        // What no element names by itself can hold one open all the same: it is tried.
        let mut without = table.as_ref().clone();
        if let Some(view) = without.views.get_mut(index) {
            *view = View::None;
        }
        let mut less = BTreeSet::new();
        let now = Sight::of(pack, &without, id);
        compared([pack, pack], &whole, &now, &mut less);
        if !less.is_empty() || !now.shows() {
            kinds.insert(category.name.clone());
        }
    }
    kinds
}
