//! What a decision means for a resource type, element by element: for people who read a policy, and for the pack's check.
//!
//! It reads the same compiled plan as the projector, so that it cannot tell another story. It is not in the data path.

mod inspect;
mod mask;
mod walk;

pub use inspect::Inspector;
pub use mask::{mask_carries, mask_covers};

use walk::{Inherited, Walk};

use crate::annotation::{Annotation, MaskFunction, Place};
use crate::dictionary::{Dictionary, Element, ObjectType, Target, TypeId, dictionary};
use crate::plan::{Act, Asks, Compiler, Finding, Op, ReferenceTable, Switch, TypePlan, Visibility, Width, is_general};
use scruple_core::{CategoryId, DecisionTable, MaskId, SegmentLimit, SegmentSet, View};
use std::collections::{BTreeSet, HashMap};

/// Levels of data types below an element that are looked into for what is narrower than the element.
const DEPTH_MAX: usize = 6;

/// One element of a resource type under a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElementView {
    /// `Patient.name`, `Observation.valueString`, `Condition.code.text`, `Patient.identifier(MR|AN)`.
    pub path: String,
    /// Where it belongs; the class in place of `class`.
    pub place: Place,
    /// A category that it is in as well: prose, or what the data type's own line says. It narrows.
    pub also: Option<CategoryId>,
    /// What shows.
    pub view: View,
    /// What the mask does to it.
    pub function: Option<MaskFunction>,
}

/// A resource type under a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeView {
    /// Whether a resource of the type shows, before any label.
    pub shows: bool,
    /// It passes as it is, unknown extensions and narrative included.
    pub passes: bool,
    /// The home of the type: where it is none, the resource is withheld.
    pub home: Place,
    /// Its elements, nested parts too, in the order of the definitions. Of data types only what is narrower than the element.
    pub rows: Vec<ElementView>,
}

/// The classes that the discriminators of a type choose among; empty if it has none.
#[must_use]
pub fn classes(annotation: &Annotation, id: TypeId) -> Vec<CategoryId> {
    let mut classes = Vec::new();
    for line in annotation.class_lines(dictionary().get(id).name) {
        if !classes.contains(&line.category) {
            classes.push(line.category);
        }
    }
    classes
}

/// The categories that the elements of a type have at their places, its home's included.
#[must_use]
pub fn categories(annotation: &Annotation, id: TypeId) -> BTreeSet<CategoryId> {
    let name = dictionary().get(id).name;
    let prefix = format!("{name}.");
    let own = annotation.places_below(&prefix);
    let lines = own.map(|(_, place)| place).chain(annotation.rest.get(name)).chain(annotation.homes.get(name));
    let named = lines.filter_map(|place| match place {
        Place::Category(category) => Some(*category),
        Place::Class | Place::Structure | Place::Withheld => None,
    });
    let chosen = annotation.discriminators.iter().filter(|line| line.element.starts_with(&prefix));
    named.chain(chosen.map(|line| line.category)).collect()
}

/// A decision for what carries these labels: the views that they leave, and whether anything passes as it is.
#[must_use]
pub fn under_labels(annotation: &Annotation, table: &DecisionTable, labels: SegmentSet) -> DecisionTable {
    DecisionTable {
        views: crate::plan::effective(table, annotation, labels),
        passes_full_types: crate::plan::may_pass(table, labels),
        ..table.clone()
    }
}

/// Describes a resource type under a decision. `class` is the class of a type with discriminators: one of [`classes`].
#[must_use]
pub fn describe(annotation: &Annotation, table: &DecisionTable, id: TypeId, class: Option<CategoryId>) -> TypeView {
    let plan = Compiler::compile(annotation, table, Asks::default(), SegmentSet::EMPTY, id);
    let chosen = plan.root(class.map_or(0, |class| 1 << (class.0 & 63)));
    let name = dictionary().get(id).name;
    let settled = |place: Option<Place>| match (place.unwrap_or(Place::Withheld), class) {
        (Place::Class, Some(class)) => Place::Category(class),
        (place, _) => place,
    };
    let mut walk = Walk {
        annotation,
        table,
        dictionary: dictionary(),
        class,
        memo: vec![None; plan.nodes.len()],
        plan: &plan,
        stack: Vec::new(),
        rows: Vec::new(),
    };
    let rest = settled(annotation.rest.get(name).copied());
    walk.part(chosen.node, name, Inherited { place: rest, prose: true, shows: chosen.shows });
    TypeView {
        shows: chosen.shows,
        passes: chosen.pass,
        home: settled(annotation.homes.get(name).copied()),
        rows: walk.rows,
    }
}
