//! The compiled form of a decision for one resource type and one set of segments: for each object type in each context
//! a node, and for each JSON key of it what to do.
//!
//! Whether a part is *looked into* for codes never depends on the views, only on the annotation: the facts of a
//! resource are the same under every plan, so that a second pass with the right plan is enough.

mod act;
mod compile;
mod place;

pub(crate) use compile::Compiler;

use crate::about::{Inheritance, is_bound};
use crate::annotation::{Annotation, Mask, MaskFunction, Place};
use crate::codes::QuickMap;
use crate::dictionary::{Dictionary, Element, Key, ObjectType, Target, TypeId, bit, dictionary};
use crate::invariants::{INVARIANTS, Invariant};
use crate::marker;
use crate::mask::Formed;
use scruple_core::{CATEGORIES_MAX, CategoryId, DecisionTable, MaskId, SegmentLimit, SegmentSet, View};
use std::collections::{HashMap, HashSet};

/// What to do with the value of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// Not shown and not looked into.
    Drop,
    /// A scalar as written.
    Copy,
    /// A scalar under a mask function.
    Mask(MaskFunction),
    /// An object, by a node.
    Object(u16),
    /// Extensions, by a table of URLs.
    Extensions(u16),
    /// `modifierExtension`: closes what holds it; looked into for codes by a table of URLs, if there is one.
    ModifierExtension(Option<u16>),
    /// `implicitRules`, or its `_x`, which is looked into for codes by a node, if there is one.
    ImplicitRules(Option<u16>),
    /// A Reference, by a table of target types.
    Reference(u16),
    /// An item whose own code chooses its node.
    Switch(u16),
    /// `contained`.
    Contained,
    /// A resource inside (`entry.resource`, `parameter.resource`).
    Resource,
    /// `meta` of a resource: facts, and what shows is written in front.
    Meta,
    /// A scalar that shows only if it has the form of its type.
    Formed(Formed),
    /// `Bundle.type`, `Bundle.entry.fullUrl`, `Bundle.entry.request.url`.
    Bundle(BundlePart),
    /// The literal of a Reference.
    Literal { token: bool, identifies: bool },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BundlePart {
    Type,
    FullUrl,
    RequestUrl,
}

/// Width of a view, for counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Width {
    None,
    Masked,
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Op {
    pub act: Act,
    /// Counted under this category, when it is one of a resource's own elements.
    pub category: Option<CategoryId>,
    pub width: Width,
}

impl Op {
    /// Where an element with this op is counted: by category, then by width.
    #[inline]
    pub fn counter(&self) -> Option<u8> {
        self.category.map(|category| (category.0 % CATEGORIES_MAX as u8) * 3 + self.width as u8)
    }
}

/// What a Coding under this node tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Collect {
    /// Its code can put a segment on the resource.
    pub label: bool,
    /// It stands in this element of the resource, whose codes choose the class.
    pub class: Option<u16>,
    /// It is a security label, wherever it stands.
    pub security: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Plain,
    Resource,
    Coding {
        collect: Collect,
        check: Option<MaskFunction>,
    },
    /// With the bits of the elements `text` and `coding`.
    CodeableConcept {
        collect: Collect,
        text: u64,
        coding: u64,
    },
    /// With the bits of the elements `value` and `extension`: one of them shows, or it does not stand (ext-1).
    Extension {
        holds: u64,
    },
    Entry,
    Parameter,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub object: TypeId,
    pub kind: Kind,
    /// Nothing of it shows, whatever its ops say.
    pub closed: bool,
    pub pass: bool,
    /// A part that goes where a Reference that it requires is hidden by what it points to: no resource, and no modifier
    /// (`Patient.link`), whose absence would close more than it hides.
    pub goes_with_target: bool,
    /// Inside a known extension that shows whole or not at all.
    pub whole: bool,
    /// Codes and sources below it label the resource.
    pub labelled: bool,
    pub ops: Box<[Op]>,
    /// Required elements: bit and marker. Written where the element does not show.
    pub required: Box<[(u64, Box<[u8]>)]>,
    /// The bits of them all.
    pub required_bits: u64,
    /// Elements that close the object where they stand and nothing of them shows.
    pub closing_where_stood: u64,
    /// Elements that close the object where nothing of them shows.
    pub closing: u64,
    /// Constraints: if one of the left bits shows and none of the right ones, the marker.
    pub constraints: Box<[Constraint]>,
    /// Keys whose text is captured: system and code of a Coding.
    pub capture: [u16; 2],
}

#[derive(Debug)]
pub(crate) struct Constraint {
    pub left: u64,
    pub right: u64,
    /// The one of the right for which the marker stands.
    pub marked: u64,
    pub marker: Box<[u8]>,
}

#[derive(Debug)]
pub(crate) struct ExtensionTable {
    pub known: QuickMap<Op>,
    pub unknown: Op,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visibility {
    Hidden,
    Shown,
    /// A label can hide it: the caller must say.
    Ask,
}

#[derive(Debug)]
pub(crate) struct ReferenceTable {
    /// A node and visibility for each resource type, and last for an unknown one.
    pub cases: Vec<(u16, Visibility)>,
    /// The types that the element allows; none: any.
    pub allowed: Vec<TypeId>,
    /// Every target shows: the resource passes.
    pub pass: bool,
    /// A Reference that may not show takes the whole extension with it.
    pub whole: bool,
}

#[derive(Debug)]
pub(crate) struct Switch {
    pub key: &'static str,
    /// (system, code, view, node), and the default.
    pub cases: Vec<(String, String, View, u16)>,
    pub default: u16,
    pub hidden: u16,
}

/// The plan for one resource type under one decision and set of segments.
#[derive(Debug)]
pub(crate) struct TypePlan {
    pub nodes: Vec<Node>,
    pub extensions: Vec<ExtensionTable>,
    pub references: Vec<ReferenceTable>,
    pub switches: Vec<Switch>,
    /// For each class a root and whether its home shows; one line with no category for types without a discriminator.
    roots: Vec<Root>,
    /// The class that is taken where no line matches.
    default_class: Option<CategoryId>,
    pub discriminated: bool,
    /// What discriminator codes mean: by code, then by system and element.
    classes: QuickMap<Vec<ClassLine>>,
    /// Of a Bundle: the node of its entries.
    pub entry: Option<u16>,
    /// No class of the type shows: no need to look.
    pub hidden: bool,
    /// `meta.versionId` and `meta.lastUpdated` show.
    pub shows_changes: bool,
    /// What the compiler found that a pack should not do: shown by `policy check`.
    pub findings: Vec<Finding>,
}

/// A system, an element of the resource, and the class that a code of both stands for, as a bit.
type ClassLine = (Box<[u8]>, u16, u64);

#[derive(Debug)]
struct Root {
    category: Option<CategoryId>,
    node: u16,
    view: View,
    required: bool,
    /// The resource shows as it is.
    pass: bool,
}

/// The root for a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chosen {
    pub node: u16,
    pub shows: bool,
    /// Hidden because a required element cannot be withheld.
    pub required: bool,
    /// It shows as it is.
    pub pass: bool,
}

/// What the plan's compiler found wrong with a pack.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Finding {
    /// A modifier element would be withheld beside siblings that show.
    ModifierAlone {
        /// Its path.
        path: String,
    },
    /// An element of a group is withheld, and the others with it.
    SplitGroup {
        /// The type.
        object: String,
        /// The elements.
        elements: Vec<String>,
    },
}

impl Switch {
    /// The node for an item with these codes: the narrowest of those that match, the default if none does.
    pub fn choose(&self, codings: &[(&[u8], &[u8])]) -> u16 {
        let matched = self.cases.iter().filter(|(system, code, _, _)| {
            codings.iter().any(|(have, value)| *have == system.as_bytes() && *value == code.as_bytes())
        });
        let mut chosen: Option<(View, u16)> = None;
        for (_, _, view, node) in matched {
            chosen = Some(match chosen {
                None => (*view, *node),
                Some((best, kept)) => match meet(best, *view) {
                    View::None => (View::None, self.hidden),
                    narrow if narrow == best => (best, kept),
                    narrow => (narrow, *node),
                },
            });
        }
        chosen.map_or(self.default, |(_, node)| node)
    }
}

impl TypePlan {
    /// The classes (category bits) that a code stands for in an element of the resource.
    pub fn class_of(&self, element: u16, system: &[u8], code: &[u8]) -> u64 {
        let lines = self.classes.get(code).map_or(&[][..], Vec::as_slice);
        let fits = |(known, of, _): &&ClassLine| **known == *system && *of == element;
        lines.iter().filter(fits).fold(0, |bits, (_, _, bit)| bits | bit)
    }

    /// What these classes (category bits) say: where there is none, what a resource of the type is else.
    pub fn classes_told(&self, classes: u64) -> u64 {
        match self.default_class {
            Some(CategoryId(category)) if classes == 0 => 1 << (category & 63),
            _ => classes,
        }
    }

    /// The roots of the classes with which a resource of the type can show.
    pub fn shown_roots(&self) -> Vec<u16> {
        let shown = self.roots.iter().filter(|root| root.view.shows() && !root.required);
        shown.map(|root| root.node).collect()
    }

    /// The root for a set of classes (category bits): the narrowest; two different masks count as none.
    pub fn root(&self, classes: u64) -> Chosen {
        let narrowest = |matches: &dyn Fn(&Root) -> bool| {
            let roots = self.roots.iter().filter(|root| matches(root)).map(|root| (root, root.view));
            roots.reduce(|(best, view), (root, other)| {
                let narrow = meet(view, other);
                if other == narrow && view != narrow { (root, narrow) } else { (best, narrow) }
            })
        };
        let named = narrowest(&|root| root.category.is_none_or(|category| classes & 1 << (category.0 & 63) != 0));
        let default = || narrowest(&|root| root.category == self.default_class);
        match named.or_else(default).or_else(|| narrowest(&|_| true)) {
            Some((root, view)) if view.shows() => {
                Chosen { node: root.node, shows: !root.required, required: root.required, pass: root.pass }
            }
            Some((root, _)) => Chosen { node: root.node, shows: false, required: false, pass: root.pass },
            None => Chosen { node: 0, shows: false, required: false, pass: false },
        }
    }
}

/// What both views allow. Two different masks have nothing in common that is sure.
pub(crate) fn meet(a: View, b: View) -> View {
    match (a, b) {
        (View::Full, other) | (other, View::Full) => other,
        (View::Masked(a), View::Masked(b)) if a == b => View::Masked(a),
        _ => View::None,
    }
}

/// The views of a decision under a set of segments (docs/projection.md, 3).
// relies on (default-deny): a segment that the table does not limit to more is none.
pub(crate) fn effective(
    table: &DecisionTable,
    annotation: &Annotation,
    segments: SegmentSet,
) -> [View; CATEGORIES_MAX] {
    let mut views = table.views;
    let mut narrow = |limit: SegmentLimit| match limit {
        SegmentLimit::Follow => {}
        SegmentLimit::None => views = [View::None; CATEGORIES_MAX],
        SegmentLimit::Coded => {
            for (index, view) in views.iter_mut().enumerate() {
                let coded = annotation.coded_categories & 1 << index != 0;
                *view = match annotation.coded_mask {
                    Some(mask) if coded => meet(*view, View::Masked(mask)),
                    _ => View::None,
                };
            }
        }
    };
    for segment in segments.segments() {
        narrow(table.limit(segment));
    }
    let unclassified = segments.is_unclassified() && !holds_all(table, annotation.code_segments);
    if unclassified || segments.is_unreadable() && !follows_all(table, annotation) {
        narrow(SegmentLimit::None);
    }
    views
}

/// Whether no segment of the pack limits the caller.
fn follows_all(table: &DecisionTable, annotation: &Annotation) -> bool {
    table.limits.iter().take(annotation.segments).all(|limit| *limit == SegmentLimit::Follow)
}

/// Whether a resource with these segments may pass as it is, if all its categories are full.
pub(crate) fn may_pass(table: &DecisionTable, segments: SegmentSet) -> bool {
    let never = table.never_pass.union(SegmentSet::NO_PASS).union(SegmentSet::UNREADABLE);
    table.passes_full_types && segments.intersect(never) == SegmentSet::EMPTY
}

fn holds_all(table: &DecisionTable, segments: SegmentSet) -> bool {
    segments.segments().all(|segment| table.limit(segment) == SegmentLimit::Follow)
}

/// Whether what has this place shows under a decision, for some class and before any label.
fn place_shows(annotation: &Annotation, table: &DecisionTable, place: Place, type_name: &str) -> bool {
    match place {
        Place::Category(category) => table.view(category).shows(),
        Place::Class => annotation.class_lines(type_name).any(|line| table.view(line.category).shows()),
        Place::Structure => true,
        Place::Withheld => false,
    }
}

/// Elements with rules of their own, whatever the pack says.
pub(crate) fn is_general(name: &str) -> bool {
    matches!(
        name,
        "id" | "meta" | "implicitRules" | "language" | "text" | "contained" | "extension" | "modifierExtension"
    )
}

/// The labels on which it depends what a decision shows; all others change nothing.
pub(crate) fn heeds(table: &DecisionTable) -> SegmentSet {
    let limited = SegmentSet::ALL.segments().filter(|segment| table.limit(*segment) != SegmentLimit::Follow);
    let limited = limited.fold(SegmentSet::EMPTY, SegmentSet::with);
    let passes = if table.passes_full_types { table.never_pass } else { SegmentSet::EMPTY };
    limited.union(passes).union(SegmentSet::UNCLASSIFIED).union(SegmentSet::UNREADABLE)
}

/// What can hide a resource beside its type and its own labels, so that it must be asked whether it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asks {
    /// Labels that it inherits.
    pub inherited: bool,
    /// A relationship to its patients that is not there.
    pub related: bool,
}

/// Whether resources of a type show under a decision, before any label, and whether a label or a patient can hide them.
pub(crate) fn visibility(annotation: &Annotation, table: &DecisionTable, asks: Asks, id: TypeId) -> Visibility {
    let name = dictionary().get(id).name;
    if !annotation.homes.get(name).is_some_and(|home| place_shows(annotation, table, *home, name)) {
        return Visibility::Hidden;
    }
    let prefix = format!("{name}.");
    let own = annotation.places_below(&prefix).map(|(_, place)| place);
    let mut places = own.chain(annotation.homes.get(name)).chain(annotation.rest.get(name));
    let labelled = places.any(|place| annotation.is_labelled(*place, name));
    let all_classes = annotation.class_lines(name).all(|line| table.view(line.category).shows());
    let inherits = || {
        let object = dictionary().get(id);
        let heeded = heeds(table);
        let applies = |line: &Inheritance| {
            let of_type = match &line.of {
                Some(only) => only == name,
                None => line.steps.first().is_some_and(|step| object.key(step.as_bytes()).is_some()),
            };
            of_type && line.passes.intersect(heeded) != SegmentSet::EMPTY
        };
        asks.inherited && annotation.inheritance.lines().iter().any(applies)
    };
    let asks = (labelled || inherits()) && !follows_all(table, annotation)
        || !all_classes
        || asks.related && is_bound(annotation, id);
    if asks { Visibility::Ask } else { Visibility::Shown }
}

fn category_of(place: Place, class: Option<CategoryId>) -> Option<CategoryId> {
    match place {
        Place::Category(category) => Some(category),
        Place::Class => class,
        Place::Structure | Place::Withheld => None,
    }
}

fn bundle_part(object: &str, element: &str) -> Option<BundlePart> {
    match (object, element) {
        ("Bundle", "type") => Some(BundlePart::Type),
        ("Bundle.entry", "fullUrl") => Some(BundlePart::FullUrl),
        ("Bundle.entry.request", "url") => Some(BundlePart::RequestUrl),
        _ => None,
    }
}

fn constraints(dictionary: &Dictionary, object: &ObjectType) -> Vec<Constraint> {
    let bits = |names: &[&str]| names.iter().fold(0, |bits, name| bits | object.bit_of(name));
    let made =
        INVARIANTS.iter().filter(|invariant| invariant.object == object.name).filter_map(|invariant: &Invariant| {
            let name = invariant.right.first()?;
            let first = object.element(name)?;
            Some(Constraint {
                left: bits(&invariant.left),
                right: bits(&invariant.right),
                marked: object.bit_of(name),
                marker: marker::marker(dictionary, first)?.into_bytes().into(),
            })
        });
    made.collect()
}
