//! View(c, S): what a caller sees of a store, as `docs/view.md` (1 to 5) says.
//!
//! By the projector of `scruple-fhir`, which the slow one is held against elsewhere, and in two passes: what shows with
//! every reference taken as shown is the set of targets that show. Who is related to whom, and which labels are inherited,
//! is told from the store itself.

mod labels;
mod links;
mod related;
#[cfg(test)]
mod tests;
mod versions;

pub use labels::{EVERY_LABEL, Inherits};
pub use related::{Related, RelatedBy, Window, patients};
pub use versions::{Past, ShownVersion, history};

use super::shared::shared_types;
use super::store::{Store, Stored};
use labels::Labels;
use scruple_core::{CATEGORIES_MAX, DecisionTable, SEGMENTS_MAX, SegmentLimit, SegmentSet, View as Width};
use scruple_fhir::{Annotation, Asks, Projection, Projector, Surroundings, Withheld};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Type, id and projected bytes, in the order of types and ids.
pub type View = Vec<(String, String, Vec<u8>)>;

/// All that a caller sees of a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// The resources as they are.
    pub view: View,
    /// Their versions. None: the caller has no history.
    pub past: Option<Past>,
}

/// Makes the pseudonym of a kind and a value.
pub type Pseudonyms = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// What one caller's decision lets through.
pub struct Sight {
    /// With the condition `relationship`, or the only table.
    near: Under,
    /// Without it, and what makes it.
    far: Option<(Under, Related)>,
    inheritance: Vec<Inherits>,
    /// Hides nothing: it tells the labels of whatever is looked at.
    all_seeing: Projection,
    shared: BTreeSet<String>,
    today: (i16, u8, u8),
    pseudonyms: Pseudonyms,
}

/// One of a caller's tables.
struct Under {
    projection: Projection,
    /// Times of change show in full.
    sees_changes: bool,
}

impl Under {
    fn new(annotation: &Arc<Annotation>, table: DecisionTable, asks: Asks) -> Self {
        let sees_changes = table.view(annotation.change_metadata) == Width::Full;
        Self { projection: Projection::new(Arc::clone(annotation), table).asking(asks), sees_changes }
    }
}

/// A caller whose relationships are told from the store.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The table for those to whom the caller is related, and for shared types.
    pub near: DecisionTable,
    /// The table for all others.
    pub far: DecisionTable,
    /// The types that are shared: [`shared_types`].
    pub shared: BTreeSet<String>,
    /// What makes a relationship.
    pub related: Related,
    /// Along which references labels are inherited.
    pub inheritance: Vec<Inherits>,
}

impl Sight {
    /// Of one decision on a day, with what is inherited: the relationship is assumed.
    #[must_use]
    pub fn new(
        annotation: Arc<Annotation>,
        table: DecisionTable,
        inheritance: Vec<Inherits>,
        today: (i16, u8, u8),
        pseudonyms: Pseudonyms,
    ) -> Self {
        let shared = shared_types(&annotation);
        let all_seeing = Projection::new(Arc::clone(&annotation), all_seeing(&table));
        let asks = Asks { inherited: true, related: false };
        let near = Under::new(&annotation, table, asks);
        Self { near, far: None, inheritance, all_seeing, shared, today, pseudonyms }
    }

    /// With two tables, and relationships and labels from the store.
    #[must_use]
    pub fn resolved(
        annotation: &Arc<Annotation>,
        caller: Resolved,
        today: (i16, u8, u8),
        pseudonyms: Pseudonyms,
    ) -> Self {
        let asks = Asks { inherited: true, related: true };
        let under = |table| Under::new(annotation, table, asks);
        Self {
            all_seeing: Projection::new(Arc::clone(annotation), all_seeing(&caller.near)),
            near: under(caller.near),
            far: Some((under(caller.far), caller.related)),
            inheritance: caller.inheritance,
            shared: caller.shared,
            today,
            pseudonyms,
        }
    }

    /// The types that are shared.
    #[must_use]
    pub const fn shared(&self) -> &BTreeSet<String> {
        &self.shared
    }

    /// What shows of the store as it is.
    #[must_use]
    pub fn view(&self, store: &Store) -> View {
        self.looking(store, |_, view| view)
    }

    /// What shows of the store, and of its past.
    #[must_use]
    pub fn seen(&self, store: &Store) -> Seen {
        self.looking(store, |look, view| {
            let past = self.near.sees_changes.then(|| look.past(&view));
            Seen { view, past }
        })
    }

    /// Hands on the view, and what else there is to be seen with what was found out for it.
    fn looking<T>(&self, store: &Store, hand_on: impl FnOnce(&mut Look<'_, '_>, View) -> T) -> T {
        let first = Around { sight: self, shown: None };
        let mut hand = Hand::new(self, &first);
        let labels = Labels::new(store, &self.inheritance, |stored| hand.labels(stored));
        let related = self.far.as_ref().map(|(_, related)| related.to(store)).unwrap_or_default();
        let told: HashMap<Name<'_>, Told> = store
            .iter()
            .map(|stored| {
                let told = Told { is_near: self.is_near(stored, &related), inherited: labels.inherited(stored) };
                (name(stored), told)
            })
            .collect();
        let mut scratch = Vec::new();
        let shown: HashSet<Name<'_>> = store
            .iter()
            .filter(|stored| {
                scratch.clear();
                // A Binary shows through the Attachment that names it alone.
                stored.resource_type != "Binary"
                    && told.get(&name(stored)).is_some_and(|told| hand.project(stored, *told, &mut scratch).is_ok())
            })
            .map(|stored| name(stored))
            .collect();
        let second = Around { sight: self, shown: Some(&shown) };
        let mut hand = Hand::new(self, &second);
        let mut view = View::new();
        for stored in store.iter().filter(|stored| stored.resource_type != "Binary") {
            let mut bytes = Vec::new();
            if told.get(&name(stored)).is_some_and(|told| hand.project(stored, *told, &mut bytes).is_ok()) {
                let linked = links::linked(&stored.resource_type, &stored.id, &bytes);
                view.extend(linked.map(|bytes| (stored.resource_type.clone(), stored.id.clone(), bytes)));
            }
        }
        view.sort();
        hand_on(&mut Look { sight: self, store, labels: &labels, related: &related, told: &told, hand }, view)
    }

    /// Whether a resource, and all that it contains, are of shared types.
    fn is_nobodys(&self, stored: &Stored) -> bool {
        let is_shared = |value: &Value| {
            let kind = value.get("resourceType").and_then(Value::as_str);
            kind.is_some_and(|kind| self.shared.contains(kind))
        };
        is_shared(&stored.value) && related::contained(&stored.value).all(is_shared)
    }

    /// Whether the condition `relationship` holds for a resource.
    fn is_near(&self, stored: &Stored, related: &HashSet<String>) -> bool {
        self.far.is_none()
            || self.is_nobodys(stored)
            || patients(stored).is_some_and(|patients| {
                !patients.is_empty() && patients.iter().all(|patient| related.contains(patient))
            })
    }
}

/// Type and id.
type Name<'a> = (&'a str, &'a str);

fn name(stored: &Stored) -> Name<'_> {
    (stored.resource_type.as_str(), stored.id.as_str())
}

/// What was found out of a store, and the projectors that know what shows of it.
struct Look<'s, 'h> {
    sight: &'s Sight,
    store: &'s Store,
    labels: &'s Labels<'s>,
    /// The patients to whom the caller is related.
    related: &'s HashSet<String>,
    told: &'s HashMap<Name<'s>, Told>,
    hand: Hand<'h>,
}

/// What is told of a resource by those around it.
#[derive(Clone, Copy)]
struct Told {
    is_near: bool,
    inherited: SegmentSet,
}

/// The projectors of both tables.
struct Hand<'a> {
    shared: &'a BTreeSet<String>,
    near: Projector<'a>,
    far: Option<Projector<'a>>,
    all_seeing: Projector<'a>,
}

impl<'a> Hand<'a> {
    fn new(sight: &'a Sight, around: &'a Around<'_>) -> Self {
        let far = sight.far.as_ref().map(|(far, _)| Projector::new(&far.projection, around));
        let near = Projector::new(&sight.near.projection, around);
        Self { shared: &sight.shared, near, far, all_seeing: Projector::new(&sight.all_seeing, around) }
    }

    fn project(&mut self, stored: &Stored, told: Told, out: &mut Vec<u8>) -> Result<(), Withheld> {
        let projector = match &mut self.far {
            // What is shared and contains somebody's shows to nobody.
            Some(_) if !told.is_near && self.shared.contains(&stored.resource_type) => return Err(Withheld::Policy),
            Some(far) if !told.is_near => far,
            _ => &mut self.near,
        };
        projector.project_labelled(&stored.bytes, told.inherited, out).map(|_| ())
    }

    /// The labels of a resource itself, whatever the decision shows of it; what is malformed has every one.
    fn labels(&mut self, stored: &Stored) -> SegmentSet {
        self.all_seeing.labels(&stored.bytes).unwrap_or(EVERY_LABEL)
    }
}

/// The table that hides nothing.
fn all_seeing(table: &DecisionTable) -> DecisionTable {
    DecisionTable {
        views: [Width::Full; CATEGORIES_MAX],
        limits: [SegmentLimit::Follow; SEGMENTS_MAX],
        ..DecisionTable::deny(table.pack)
    }
}

struct Around<'a> {
    sight: &'a Sight,
    shown: Option<&'a HashSet<Name<'a>>>,
}

impl Surroundings for Around<'_> {
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool> {
        // While it is collected what shows, references do not matter.
        Some(self.shown.is_none_or(|shown| shown.contains(&(resource_type, id))))
    }

    fn shows_urn(&self, _: &str) -> Option<bool> {
        // A store has no `fullUrl`.
        Some(self.shown.is_none())
    }

    fn token(&self, kind: &str, value: &str) -> String {
        (self.sight.pseudonyms)(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        self.sight.today
    }
}
