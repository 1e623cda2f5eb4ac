//! The compiled form of a decision for one resource type and one set of segments: for each object type in each context
//! a node, and for each JSON key of it what to do.
//!
//! Whether a part is *looked into* for codes never depends on the views, only on the annotation: the facts of a
//! resource are the same under every plan, so that a second pass with the right plan is enough.

use crate::annotation::{Annotation, Mask, MaskFunction, Place};
use crate::codes::QuickMap;
use crate::dictionary::{Dictionary, Element, Key, ObjectType, Target, TypeId, dictionary};
use crate::invariants::{INVARIANTS, Invariant};
use crate::marker;
use scruple_core::{CATEGORIES_MAX, CategoryId, DecisionTable, MaskId, SegmentLimit, SegmentSet, View};
use std::collections::HashMap;

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
    /// Any value as written, white space apart.
    Raw,
    /// Extensions, by a table of URLs.
    Extensions(u16),
    /// `modifierExtension`: closes what holds it.
    ModifierExtension,
    /// `implicitRules`.
    ImplicitRules,
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
    /// `Quantity.unit`: shows if a UCUM code stands beside.
    Unit,
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

/// What a Coding under this node tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Collect {
    /// Its code can put a segment on the resource.
    pub label: bool,
    /// It chooses the class of the resource.
    pub class: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Plain,
    Resource,
    Coding { collect: Collect, check: Option<MaskFunction> },
    CodeableConcept { collect: Collect },
    Entry,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub object: TypeId,
    pub kind: Kind,
    /// Nothing of it shows, whatever its ops say.
    pub closed: bool,
    pub pass: bool,
    labelled: bool,
    pub ops: Box<[Op]>,
    /// Required elements: (element bit, marker). Written where the element does not show.
    pub required: Box<[(u16, Box<[u8]>)]>,
    /// Constraints: if one of the left bits shows and none of the right ones, the marker.
    pub constraints: Box<[Constraint]>,
    /// Keys whose text is captured: system and code of a Coding.
    pub capture: [u16; 2],
    /// The key `text` of a CodeableConcept.
    pub text: u16,
}

#[derive(Debug)]
pub(crate) struct Constraint {
    pub left: Vec<u16>,
    pub right: Vec<u16>,
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
    /// The only type that the element allows.
    pub only: Option<TypeId>,
    /// Position in `cases` of each resource type.
    pub pass: bool,
}

#[derive(Debug)]
pub(crate) struct Switch {
    pub key: &'static str,
    /// (system, code, category, node), and the default.
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
    /// What discriminator codes mean: by code, then by system.
    classes: QuickMap<Vec<(Box<[u8]>, u64)>>,
    /// No class of the type shows: no need to look.
    pub hidden: bool,
    /// What the compiler found that a pack should not do: shown by `policy check`.
    pub findings: Vec<Finding>,
}

#[derive(Debug)]
struct Root {
    category: Option<CategoryId>,
    node: u16,
    view: View,
    required: bool,
}

/// The root for a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chosen {
    pub node: u16,
    pub shows: bool,
    /// Hidden because a required element cannot be withheld.
    pub required: bool,
}

/// What the plan's compiler found wrong with a pack.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Finding {
    /// A modifier element would be withheld beside siblings that show.
    ModifierAlone {
        /// Its path.
        path: String,
    },
    /// A mask carries nothing of any element of a category.
    SplitGroup {
        /// The type.
        object: String,
        /// The elements.
        elements: Vec<String>,
    },
}

impl Node {
    /// Whether codes and sources below it label the resource.
    pub const fn is_labelled(&self) -> bool {
        self.labelled
    }
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
    /// The classes (category bits) that a discriminator code stands for.
    pub fn class_of(&self, system: &[u8], code: &[u8]) -> u64 {
        let systems = self.classes.get(code).map_or(&[][..], Vec::as_slice);
        systems.iter().filter(|(known, _)| **known == *system).fold(0, |bits, (_, bit)| bits | bit)
    }

    /// The root for a set of classes (category bits): the narrowest; two different masks count as none.
    pub fn root(&self, classes: u64) -> Chosen {
        let mut matched: Vec<&Root> = self
            .roots
            .iter()
            .filter(|root| root.category.is_none_or(|category| classes & 1 << (category.0 & 63) != 0))
            .collect();
        if matched.is_empty() {
            matched = self.roots.iter().filter(|root| root.category == self.default_class).collect();
        }
        if matched.is_empty() {
            matched = self.roots.iter().collect();
        }
        let mut chosen: Option<(&Root, View)> = None;
        for root in matched {
            chosen = Some(match chosen {
                None => (root, root.view),
                Some((best, view)) => {
                    let narrow = meet(view, root.view);
                    if root.view == narrow && view != narrow { (root, narrow) } else { (best, narrow) }
                }
            });
        }
        match chosen {
            Some((root, view)) if view.shows() => {
                Chosen { node: root.node, shows: !root.required, required: root.required }
            }
            Some((root, _)) => Chosen { node: root.node, shows: false, required: false },
            None => Chosen { node: 0, shows: false, required: false },
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
    if segments.is_unclassified() && !holds_all(table, annotation.code_segments) {
        narrow(SegmentLimit::None);
    }
    views
}

fn holds_all(table: &DecisionTable, segments: SegmentSet) -> bool {
    segments.segments().all(|segment| table.limit(segment) == SegmentLimit::Follow)
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct NodeKey {
    object: TypeId,
    /// The view of what has no line of its own.
    inherit: View,
    /// What is inherited comes from `Type.*`, so that prose is free text too.
    rest: bool,
    labelled: bool,
    class_codes: bool,
    pass: bool,
    category: Option<CategoryId>,
    class: Option<CategoryId>,
    /// Element path of a data type's place, where longer lines exist below it, or of an `_x`.
    place: Option<String>,
    /// Target type of a Reference, by its place among the resource types.
    target: Option<usize>,
    /// The mask function that a Coding must pass.
    check: Option<MaskFunction>,
    /// Everything is shown or hidden by tokens: a Reference under `token`.
    token: bool,
    /// The FHIR type of the primitive whose `_x` this is.
    primitive: Option<&'static str>,
}

impl NodeKey {
    fn of(object: TypeId) -> Self {
        Self {
            object,
            inherit: View::None,
            rest: false,
            labelled: false,
            class_codes: false,
            pass: false,
            category: None,
            class: None,
            place: None,
            target: None,
            check: None,
            token: false,
            primitive: None,
        }
    }
}

/// Compiles plans for one decision.
pub(crate) struct Compiler<'a> {
    annotation: &'a Annotation,
    table: &'a DecisionTable,
    views: [View; CATEGORIES_MAX],
    segments: SegmentSet,
    dictionary: &'static Dictionary,
    keys: Vec<NodeKey>,
    ids: HashMap<NodeKey, u16>,
    plan: TypePlan,
}

const NO_KEY: u16 = u16::MAX;

impl<'a> Compiler<'a> {
    pub fn compile(
        annotation: &'a Annotation,
        table: &'a DecisionTable,
        segments: SegmentSet,
        resource: TypeId,
    ) -> TypePlan {
        let mut compiler = Self {
            annotation,
            table,
            views: effective(table, annotation, segments),
            segments,
            dictionary: dictionary(),
            keys: Vec::new(),
            ids: HashMap::new(),
            plan: TypePlan {
                nodes: Vec::new(),
                extensions: Vec::new(),
                references: Vec::new(),
                switches: Vec::new(),
                roots: Vec::new(),
                default_class: None,
                discriminated: false,
                classes: QuickMap::default(),
                hidden: false,
                findings: Vec::new(),
            },
        };
        compiler.roots(resource);
        let mut next = 0;
        while let Some(key) = compiler.keys.get(next).cloned() {
            let node = compiler.node(&key);
            compiler.plan.nodes.push(node);
            next += 1;
        }
        // A root that closed itself (a modifier withheld, a required element that cannot be) does not show.
        for root in &mut compiler.plan.roots {
            if compiler.plan.nodes.get(usize::from(root.node)).is_some_and(|node| node.closed) {
                root.required = true;
            }
        }
        compiler.plan.hidden = compiler.plan.roots.iter().all(|root| !root.view.shows());
        compiler.plan.findings.sort();
        compiler.plan.findings.dedup();
        compiler.plan
    }

    fn object(&self, id: TypeId) -> &'static ObjectType {
        self.dictionary.get(id)
    }

    fn view(&self, category: CategoryId) -> View {
        self.views.get(usize::from(category.0)).copied().unwrap_or_default()
    }

    fn view_of(&self, place: Place, class: Option<CategoryId>) -> View {
        match place {
            Place::Category(category) => self.view(category),
            Place::Class => class.map_or(View::None, |class| self.view(class)),
            Place::Structure => View::Full,
            Place::Withheld => View::None,
        }
    }

    fn id(&mut self, key: NodeKey) -> u16 {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = u16::try_from(self.keys.len()).unwrap_or(u16::MAX);
        self.ids.insert(key.clone(), id);
        self.keys.push(key);
        id
    }

    fn roots(&mut self, resource: TypeId) {
        let name = self.object(resource).name;
        let mut categories = Vec::new();
        for line in self.annotation.class_lines(name) {
            self.plan.discriminated = true;
            if !categories.contains(&Some(line.category)) {
                categories.push(Some(line.category));
            }
            match &line.coding {
                Some((system, code)) => {
                    let systems = self.plan.classes.entry(code.as_bytes().into()).or_default();
                    systems.push((system.as_bytes().into(), 1 << (line.category.0 & 63)));
                }
                None => self.plan.default_class = Some(line.category),
            }
        }
        if categories.is_empty() {
            categories.push(None);
        }
        for category in categories {
            let root = self.root(resource, name, category);
            self.plan.roots.push(root);
        }
    }

    fn root(&mut self, resource: TypeId, name: &str, class: Option<CategoryId>) -> Root {
        let rest = self.annotation.rest.get(name).copied().unwrap_or(Place::Withheld);
        let home = self.annotation.homes.get(name).copied().unwrap_or(Place::Withheld);
        let view = self.view_of(home, class);
        let pass = view.shows()
            && self.table.passes_full_types
            && self.segments.intersect(self.table.never_pass) == SegmentSet::EMPTY
            && self.is_full(name, class);
        let inherit = if pass {
            View::Full
        } else if view.shows() {
            self.view_of(rest, class)
        } else {
            View::None
        };
        let node = self.id(NodeKey {
            inherit,
            rest: true,
            labelled: self.annotation.is_labelled(rest, name),
            pass,
            class,
            category: category_of(rest, class),
            ..NodeKey::of(resource)
        });
        // Where the home is none, every element is none: the root is compiled closed.
        Root { category: class, node, view, required: false }
    }

    /// Whether every category that the type's elements have at their places, and prose, is full.
    fn is_full(&self, name: &str, class: Option<CategoryId>) -> bool {
        let is_full = |place: &Place| match place {
            Place::Structure | Place::Withheld => true,
            Place::Category(category) if *category == self.annotation.change_metadata => true,
            place => self.view_of(*place, class) == View::Full,
        };
        let mut prefix = name.to_owned();
        prefix.push('.');
        let own = self.annotation.places.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        own.filter(|(path, _)| self.annotation.item_lines(path).next().is_none()).map(|(_, place)| place).all(is_full)
            && self.annotation.discriminators.iter().all(|line| {
                !line.element.starts_with(&prefix)
                    || line.element.matches('.').count() < 2
                    || self.view(line.category) == View::Full
            })
            && self.annotation.rest.get(name).is_none_or(is_full)
            && self.view(self.annotation.free_text) == View::Full
    }

    fn node(&mut self, key: &NodeKey) -> Node {
        let object = self.object(key.object);
        let is_root = object.is_resource;
        let hidden_root = is_root && !key.pass && !self.home_shows(object.name, key.class);
        let mut ops: Vec<Op> = Vec::with_capacity(object.keys.len());
        let places: Vec<ElementPlace> =
            object.elements.iter().map(|element| self.place_of(key, object, element, hidden_root)).collect();
        let hidden = self.hidden_by_group(key, object, &places);
        for written in &object.keys {
            let (Some(element), Some(place)) =
                (object.elements.get(usize::from(written.element)), places.get(usize::from(written.element)))
            else {
                continue;
            };
            let mut place = place.clone();
            place.view = if hidden.contains(&element.name) {
                View::None
            } else {
                self.view_as(&place, element, usize::from(written.target))
            };
            ops.push(self.op(key, object, element, written, &place));
        }
        let mut node = Node {
            object: key.object,
            kind: self.kind(key, object),
            closed: hidden_root,
            pass: key.pass,
            labelled: key.labelled,
            ops: ops.into(),
            required: Box::default(),
            constraints: Box::default(),
            capture: [NO_KEY; 2],
            text: NO_KEY,
        };
        match node.kind {
            Kind::Coding { .. } => {
                node.capture = [object.key_of("system").unwrap_or(NO_KEY), object.key_of("code").unwrap_or(NO_KEY)];
            }
            Kind::CodeableConcept { .. } => node.text = object.key_of("text").unwrap_or(NO_KEY),
            _ => {}
        }
        if !key.pass && !hidden_root {
            self.close_or_mark(object, &places, &mut node);
        }
        node
    }

    fn home_shows(&self, name: &str, class: Option<CategoryId>) -> bool {
        self.annotation.homes.get(name).is_some_and(|home| self.view_of(*home, class).shows())
    }

    fn kind(&self, key: &NodeKey, object: &ObjectType) -> Kind {
        let collect = Collect { label: key.labelled, class: key.class_codes };
        match object.name {
            "Coding" => Kind::Coding { collect, check: key.check },
            "CodeableConcept" => Kind::CodeableConcept { collect },
            "Bundle.entry" => Kind::Entry,
            _ if object.is_resource => Kind::Resource,
            _ => Kind::Plain,
        }
    }

    /// Elements of `groups.csv` that are withheld because another of their group is.
    fn hidden_by_group(&mut self, key: &NodeKey, object: &ObjectType, places: &[ElementPlace]) -> Vec<&'static str> {
        let mut hidden = Vec::new();
        for (name, members) in &self.annotation.groups {
            if name != object.name || key.pass {
                continue;
            }
            let shows = |member: &str| {
                let index = object.elements.iter().position(|element| element.name == member)?;
                let (element, place) = (object.elements.get(index)?, places.get(index)?);
                let any =
                    element.targets.iter().enumerate().any(|(target, _)| self.shows(object, element, target, place));
                Some((element.name, any))
            };
            let members: Vec<(&'static str, bool)> = members.iter().filter_map(|member| shows(member)).collect();
            if members.iter().any(|(_, shows)| !shows) && members.iter().any(|(_, shows)| *shows) {
                self.plan.findings.push(Finding::SplitGroup {
                    object: object.name.to_owned(),
                    elements: members.iter().filter(|(_, shows)| !shows).map(|(name, _)| (*name).to_owned()).collect(),
                });
                hidden.extend(members.into_iter().filter(|(_, shows)| *shows).map(|(name, _)| name));
            }
        }
        hidden
    }

    /// The view of one type of an element: prose that only `Type.*` covers is free text too.
    fn view_as(&self, place: &ElementPlace, element: &Element, target: usize) -> View {
        let prose = place.rest && matches!(element.type_names.get(target), Some(&("string" | "markdown")));
        if prose { meet(place.view, self.view(self.annotation.free_text)) } else { place.view }
    }

    /// Whether anything of an element can show by policy.
    fn shows(&self, object: &ObjectType, element: &Element, target: usize, place: &ElementPlace) -> bool {
        let type_name = element.type_names.get(target).copied().unwrap_or_default();
        match self.view_as(place, element, target) {
            View::None => false,
            View::Full => true,
            View::Masked(mask) => {
                self.function(mask, &place.path(object, element), element, type_name) != MaskFunction::Withhold
            }
        }
    }

    fn mask(&self, mask: MaskId) -> Option<&'a Mask> {
        self.annotation.masks.get(usize::from(mask.0))
    }

    fn function(&self, mask: MaskId, path: &str, element: &Element, type_name: &str) -> MaskFunction {
        self.mask(mask).map_or(MaskFunction::Withhold, |mask| mask.function(path, element.name, type_name))
    }

    /// Where an element of this node belongs, and the view of that place.
    fn place_of(&self, key: &NodeKey, object: &ObjectType, element: &Element, hidden_root: bool) -> ElementPlace {
        let own = format!("{}.{}", object.name, element.name);
        if key.check.is_some() {
            let part = matches!(
                (object.name, element.name),
                ("CodeableConcept", "coding") | ("Coding", "system" | "version" | "code")
            );
            return ElementPlace::inherited(key, if part { View::Full } else { View::None });
        }
        if object.is_in_resource() {
            return self.place_in_resource(key, object, element, own, hidden_root);
        }
        if key.pass {
            return ElementPlace::inherited(key, View::Full);
        }
        if let Some(place) = &key.place {
            let through = format!("{place}.{}", element.name);
            let longer = self.has_longer_lines(&through).then(|| through.clone());
            if let Some(line) = self.annotation.places.get(&through) {
                return ElementPlace { longer, ..ElementPlace::inherited(key, self.view_of(*line, key.class)) };
            }
            if longer.is_some() {
                return ElementPlace {
                    longer,
                    narrow: self.narrowing(key, object, element, &own),
                    ..ElementPlace::inherited(key, key.inherit)
                };
            }
        }
        ElementPlace { narrow: self.narrowing(key, object, element, &own), ..ElementPlace::inherited(key, key.inherit) }
    }

    fn place_in_resource(
        &self,
        key: &NodeKey,
        object: &ObjectType,
        element: &Element,
        own: String,
        hidden_root: bool,
    ) -> ElementPlace {
        let line = self.annotation.places.get(&own).copied();
        let root = object.name.split('.').next().unwrap_or_default();
        let (view, labelled, category, rest) = match line {
            // The code of each item decides: the place itself takes nothing away.
            Some(Place::Class) if self.annotation.item_lines(&own).next().is_some() => (View::Full, false, None, false),
            Some(place) => (
                self.view_of(place, key.class),
                self.annotation.is_labelled(place, root),
                category_of(place, key.class),
                false,
            ),
            None => (key.inherit, key.labelled, key.category, key.rest),
        };
        let view = match view {
            _ if key.pass => View::Full,
            _ if hidden_root => View::None,
            view => view,
        };
        let rest = rest && !key.pass;
        let longer = self.has_longer_lines(&own).then_some(own);
        ElementPlace { view, narrow: View::Full, labelled, category, rest, longer }
    }

    /// What the data type's own line allows.
    fn narrowing(&self, key: &NodeKey, object: &ObjectType, element: &Element, own: &str) -> View {
        match (object.name, key.target) {
            ("Reference", Some(target)) if matches!(element.name, "display" | "identifier") => {
                self.reference_view(target, element.name)
            }
            _ => self.annotation.places.get(own).map_or(View::Full, |place| match place {
                Place::Class => View::None,
                place => self.view_of(*place, None),
            }),
        }
    }

    /// The view of `Reference.display` or `.identifier` for a target type, or an unknown one.
    fn reference_view(&self, target: usize, element: &str) -> View {
        let name = self.dictionary.resources().get(target).map(|id| self.object(*id).name);
        let line = name.and_then(|name| self.annotation.references.get(&(name.to_owned(), element.to_owned())));
        let line = line.or_else(|| self.annotation.places.get(&format!("Reference.{element}")));
        line.map_or(View::None, |place| self.view_of(*place, None))
    }

    fn has_longer_lines(&self, path: &str) -> bool {
        let prefix = format!("{path}.");
        self.annotation.places.range(prefix.clone()..).next().is_some_and(|(longer, _)| longer.starts_with(&prefix))
    }

    fn op(
        &mut self,
        key: &NodeKey,
        object: &'static ObjectType,
        element: &Element,
        written: &Key,
        place: &ElementPlace,
    ) -> Op {
        let act = self.act(key, object, element, written, place);
        let counted = object.is_in_resource()
            && !key.pass
            && !written.underscore
            && !matches!(element.name, "id" | "meta" | "contained" | "extension" | "text");
        let target = usize::from(written.target);
        let width = match place.view {
            _ if !self.shows(object, element, target, place) => Width::None,
            View::Full => Width::Full,
            _ => Width::Masked,
        };
        let width = if key.pass { Width::Full } else { width };
        Op {
            act,
            category: if counted || (key.pass && object.is_in_resource()) { place.category } else { None },
            width,
        }
    }

    fn act(
        &mut self,
        key: &NodeKey,
        object: &'static ObjectType,
        element: &Element,
        written: &Key,
        place: &ElementPlace,
    ) -> Act {
        let target_index = usize::from(written.target);
        let Some(target) = element.targets.get(target_index) else { return Act::Drop };
        let type_name = element.type_names.get(target_index).copied().unwrap_or_default();
        match (object.is_resource, element.name) {
            (true, "meta") => return Act::Meta,
            (true, "contained") => return Act::Contained,
            (true, "implicitRules") if !key.pass => {
                return if written.underscore { Act::Drop } else { Act::ImplicitRules };
            }
            (true, "id" | "language") => {
                return if written.underscore && !key.pass {
                    self.underscore(key, object, element, target_index, place, View::None)
                } else if written.underscore {
                    self.underscore(key, object, element, target_index, place, View::Full)
                } else {
                    Act::Copy
                };
            }
            (true, "text") if !key.pass => return Act::Drop,
            (false, "id") if !key.pass => return Act::Drop,
            (_, "modifierExtension") if !key.pass => return Act::ModifierExtension,
            (_, "extension") if type_name == "Extension" => return self.extensions(key, object, place),
            _ => {}
        }
        if !key.pass
            && let Some(part) = bundle_part(object.name, element.name)
        {
            return if place.view.shows() { Act::Bundle(part) } else { Act::Drop };
        }
        if matches!(target, Target::Resource) {
            return Act::Resource;
        }
        if key.token && object.name == "Reference" {
            return match element.name {
                "reference" if !written.underscore => Act::Literal { token: true, identifies: false },
                "type" if !written.underscore => Act::Copy,
                _ => Act::Drop,
            };
        }
        let (function, view) = self.below(object, element, type_name, place);
        if written.underscore {
            let shown = if function == MaskFunction::Keep { view } else { View::None };
            return self.underscore(key, object, element, target_index, place, shown);
        }
        match target {
            Target::Primitive(_) => self.scalar(key, object, element, function),
            Target::Reference(allowed) => self.reference(key, place, allowed, function, view),
            Target::Object(id) => self.complex(key, object, element, place, *id, function, view),
            Target::Resource => Act::Resource,
        }
    }

    /// What a view does to an element: the function, and the view that its children inherit.
    fn below(
        &self,
        object: &ObjectType,
        element: &Element,
        type_name: &str,
        place: &ElementPlace,
    ) -> (MaskFunction, View) {
        let path = place.path(object, element);
        let first = self.step(place.view, &path, element, type_name);
        let second = self.step(place.narrow, &path, element, type_name);
        match (first, second) {
            (other, (MaskFunction::Keep, View::Full)) | ((MaskFunction::Keep, View::Full), other) => other,
            (a, b) if a == b => a,
            _ => (MaskFunction::Withhold, View::None),
        }
    }

    fn step(&self, view: View, path: &str, element: &Element, type_name: &str) -> (MaskFunction, View) {
        match view {
            View::None => (MaskFunction::Withhold, View::None),
            View::Full => (MaskFunction::Keep, View::Full),
            View::Masked(mask) => match self.function(mask, path, element, type_name) {
                MaskFunction::Keep => (MaskFunction::Keep, View::Full),
                MaskFunction::Withhold => (MaskFunction::Withhold, View::None),
                function => (function, View::Masked(mask)),
            },
        }
    }

    fn scalar(&self, key: &NodeKey, object: &ObjectType, element: &Element, function: MaskFunction) -> Act {
        if key.pass {
            return Act::Copy;
        }
        match function {
            MaskFunction::Coding if element.type_names == ["code"] => Act::Mask(MaskFunction::Code),
            MaskFunction::Withhold | MaskFunction::Into | MaskFunction::Coding | MaskFunction::Listed(_) => {
                if object.name == "Quantity" && element.name == "unit" && key.inherit.shows() && self.unit_may_show(key)
                {
                    return Act::Unit;
                }
                Act::Drop
            }
            MaskFunction::Keep if object.name == "Reference" && element.name == "reference" => {
                let identifies = key
                    .target
                    .is_some_and(|target| meet(key.inherit, self.reference_view(target, "identifier")) == View::Full);
                Act::Literal { token: false, identifies }
            }
            MaskFunction::Keep => Act::Copy,
            MaskFunction::Token if object.name == "Reference" && element.name == "reference" => {
                Act::Literal { token: true, identifies: false }
            }
            function => Act::Mask(function),
        }
    }

    /// `Quantity.unit` is prose; beside a UCUM code it says nothing that the code does not.
    fn unit_may_show(&self, key: &NodeKey) -> bool {
        let Some(element) = self.object(key.object).element("code") else { return false };
        matches!(self.step(key.inherit, "Quantity.code", element, "code").0, MaskFunction::Keep | MaskFunction::Code)
    }

    fn underscore(
        &mut self,
        key: &NodeKey,
        object: &ObjectType,
        element: &Element,
        target: usize,
        place: &ElementPlace,
        shown: View,
    ) -> Act {
        if !shown.shows() && !place.labelled {
            return Act::Drop;
        }
        let Some(id) = self.dictionary.find("Element") else { return Act::Drop };
        let node = self.id(NodeKey {
            inherit: shown,
            labelled: place.labelled,
            pass: key.pass,
            place: Some(format!("{}.{}", object.name, element.name)),
            primitive: element.type_names.get(target).copied(),
            ..NodeKey::of(id)
        });
        Act::Object(node)
    }

    fn complex(
        &mut self,
        key: &NodeKey,
        object: &'static ObjectType,
        element: &Element,
        place: &ElementPlace,
        id: TypeId,
        function: MaskFunction,
        view: View,
    ) -> Act {
        let below = self.object(id);
        let whole = format!("{}.{}", object.name, element.name);
        let is_class = object.is_resource && self.annotation.class_lines(object.name).any(|line| line.element == whole);
        if below.is_in_resource() {
            let node = self.id(NodeKey {
                inherit: if matches!(function, MaskFunction::Keep | MaskFunction::Into) { view } else { View::None },
                rest: place.rest,
                labelled: place.labelled,
                pass: key.pass,
                class: key.class,
                category: place.category,
                ..NodeKey::of(id)
            });
            return Act::Object(node);
        }
        if object.is_in_resource() && !key.pass && self.annotation.item_lines(&whole).next().is_some() {
            return self.switch(key, &whole, id, element, place);
        }
        let inherit = match function {
            MaskFunction::Keep | MaskFunction::Into => view,
            MaskFunction::Coding | MaskFunction::Listed(_) if matches!(below.name, "Coding" | "CodeableConcept") => {
                View::Full
            }
            _ => View::None,
        };
        let check = match function {
            _ if key.check.is_some() => key.check,
            MaskFunction::Coding | MaskFunction::Listed(_) if inherit.shows() => Some(function),
            _ => None,
        };
        let labelled = place.labelled;
        if !inherit.shows() && !labelled && !is_class && place.longer.is_none() {
            return Act::Drop;
        }
        let node = self.id(NodeKey {
            inherit,
            labelled,
            class_codes: is_class || key.class_codes,
            pass: key.pass,
            class: key.class,
            place: place.longer.clone(),
            check,
            ..NodeKey::of(id)
        });
        Act::Object(node)
    }

    /// An item whose own code chooses its category (`Patient.identifier.type`).
    fn switch(&mut self, key: &NodeKey, path: &str, id: TypeId, element: &Element, place: &ElementPlace) -> Act {
        let annotation = self.annotation;
        let mut lines = annotation.item_lines(path).peekable();
        let name = lines.peek().map_or("type", |(name, _)| name);
        let name = self.object(id).element(name).map_or("type", |element| element.name);
        let type_name = element.type_names.first().copied().unwrap_or_default();
        let mut node_for = |compiler: &mut Self, view: View| {
            let (function, view) = compiler.step(view, path, element, type_name);
            let inherit = if matches!(function, MaskFunction::Keep | MaskFunction::Into) { view } else { View::None };
            compiler.id(NodeKey { inherit, labelled: place.labelled, class: key.class, ..NodeKey::of(id) })
        };
        let hidden = node_for(self, View::None);
        let mut switch = Switch { key: name, cases: Vec::new(), default: hidden, hidden };
        for (_, line) in lines {
            // The place itself may be narrower than the category that the item's code chooses.
            let view = if place.view.shows() { self.view(line.category) } else { View::None };
            let node = node_for(self, view);
            match &line.coding {
                Some((system, code)) => switch.cases.push((system.clone(), code.clone(), view, node)),
                None => switch.default = node,
            }
        }
        self.plan.switches.push(switch);
        Act::Switch(u16::try_from(self.plan.switches.len() - 1).unwrap_or(u16::MAX))
    }

    fn reference(
        &mut self,
        key: &NodeKey,
        place: &ElementPlace,
        allowed: &[TypeId],
        function: MaskFunction,
        view: View,
    ) -> Act {
        let Some(id) = self.dictionary.find("Reference") else { return Act::Drop };
        let token = function == MaskFunction::Token;
        let shows = matches!(function, MaskFunction::Keep | MaskFunction::Into) || token;
        if !shows && !place.labelled {
            return Act::Drop;
        }
        let resources = self.dictionary.resources();
        let mut cases = Vec::with_capacity(resources.len() + 1);
        for target in 0..=resources.len() {
            // Types without a line of their own share the node of an unknown type.
            let has_line = resources.get(target).is_some_and(|id| {
                let name = self.object(*id).name;
                self.annotation.references.keys().any(|(line, _)| line == name)
            });
            let node = self.id(NodeKey {
                inherit: if shows && !token { view } else { View::None },
                labelled: place.labelled,
                pass: key.pass,
                target: Some(if has_line { target } else { resources.len() }),
                place: place.longer.clone(),
                token,
                class: key.class,
                ..NodeKey::of(id)
            });
            let visibility = resources.get(target).map_or(Visibility::Ask, |id| self.visibility(*id));
            cases.push((node, if key.pass { Visibility::Shown } else { visibility }));
        }
        let only = match allowed {
            [only] => Some(*only),
            _ => None,
        };
        self.plan.references.push(ReferenceTable { cases, only, pass: key.pass });
        Act::Reference(u16::try_from(self.plan.references.len() - 1).unwrap_or(u16::MAX))
    }

    /// Whether resources of a type show under this decision, before any label.
    fn visibility(&self, id: TypeId) -> Visibility {
        visibility(self.annotation, self.table, id)
    }

    fn extensions(&mut self, key: &NodeKey, object: &ObjectType, place: &ElementPlace) -> Act {
        let Some(id) = self.dictionary.find("Extension") else { return Act::Drop };
        let labelled = if object.is_resource { key.labelled } else { place.labelled };
        if object.name == "Extension" {
            // Inside an extension that was judged by its URL: the same for what it holds.
            if !key.pass && !labelled {
                return Act::Drop;
            }
            return Act::Object(self.id(NodeKey { inherit: key.inherit, labelled, pass: key.pass, ..NodeKey::of(id) }));
        }
        let holder = match (&key.place, object.name) {
            (Some(place), "Element") => place.clone(),
            _ => object.name.to_owned(),
        };
        let holder_view = if object.is_resource { View::Full } else { key.inherit };
        let mut op_for = |compiler: &mut Self, shown: bool, labelled: bool| {
            let act = if shown || labelled {
                let inherit = if shown { View::Full } else { View::None };
                Act::Object(compiler.id(NodeKey { inherit, labelled, pass: shown, ..NodeKey::of(id) }))
            } else {
                Act::Drop
            };
            Op { act, category: None, width: if shown { Width::Full } else { Width::None } }
        };
        let unknown = op_for(self, key.pass, labelled);
        let mut known = QuickMap::default();
        for line in &self.annotation.extensions {
            let fits = match line.on.as_str() {
                "*" => true,
                "Element" => !object.is_in_resource(),
                on => on == holder || (object.name == "Element" && key.primitive == Some(on)),
            };
            if !fits {
                continue;
            }
            let view = match line.place {
                Place::Structure => holder_view,
                place => meet(self.view_of(place, None), holder_view),
            };
            let line_labelled = labelled && self.annotation.is_labelled(line.place, "");
            let op = op_for(self, key.pass || view == View::Full, line_labelled);
            known.insert(line.url.as_bytes().into(), op);
        }
        if known.is_empty() && unknown.act == Act::Drop {
            return Act::Drop;
        }
        self.plan.extensions.push(ExtensionTable { known, unknown });
        Act::Extensions(u16::try_from(self.plan.extensions.len() - 1).unwrap_or(u16::MAX))
    }

    /// Closes a node whose modifier or required elements cannot be withheld, else prepares its markers.
    fn close_or_mark(&mut self, object: &ObjectType, places: &[ElementPlace], node: &mut Node) {
        let shown_of = |name: &str| {
            object.keys.iter().zip(node.ops.iter()).any(|(written, op)| {
                !written.underscore
                    && object.elements.get(usize::from(written.element)).is_some_and(|element| element.name == name)
                    && self.act_shows(op.act)
            })
        };
        let general = |name: &str| {
            matches!(
                name,
                "id" | "meta" | "implicitRules" | "language" | "text" | "contained" | "extension" | "modifierExtension"
            )
        };
        let any = object.elements.iter().any(|element| !general(element.name) && shown_of(element.name));
        let mut findings = Vec::new();
        for element in object.elements.iter().filter(|element| any && element.modifier && !general(element.name)) {
            if !shown_of(element.name) {
                findings.push(Finding::ModifierAlone { path: format!("{}.{}", object.name, element.name) });
            }
        }
        // relies on (never-wider): what cannot be shown truly is not shown at all.
        if !findings.is_empty() {
            node.closed = true;
            self.plan.findings.extend(findings);
            return;
        }
        let mut required = Vec::new();
        for (index, element) in object.elements.iter().enumerate() {
            if !element.required || (object.name == "Extension" && element.name == "url") {
                continue;
            }
            let bit = u16::try_from(index).unwrap_or(u16::MAX);
            let masked = places.get(index).is_some_and(|place| matches!(place.view, View::Masked(_)));
            let unmarkable = element.modifier || (masked && element.type_names == ["instant"]);
            match marker::marker(self.dictionary, element) {
                Some(bytes) if !(unmarkable && !shown_of(element.name)) => {
                    required.push((bit, bytes.into_bytes().into()))
                }
                _ if any && !shown_of(element.name) => {
                    node.closed = true;
                    return;
                }
                _ => {}
            }
        }
        node.required = required.into();
        node.constraints = constraints(self.dictionary, object).into();
    }

    /// Whether anything of an object can show: what inherits its view, or a part with a line of its own.
    fn part_shows(&self, key: &NodeKey, object: TypeId, inherit: View, depth: usize) -> bool {
        let object = self.object(object);
        if inherit.shows() || (!object.is_in_resource() && key.place.is_none()) || depth > 4 {
            return inherit.shows();
        }
        let path = if object.is_in_resource() { Some(object.name) } else { key.place.as_deref() };
        let Some(path) = path else { return false };
        object.elements.iter().any(|element| {
            let line = self.annotation.places.get(&format!("{path}.{}", element.name));
            let view = line.map_or(View::None, |place| self.view_of(*place, key.class));
            view.shows()
                || element.targets.iter().any(|target| match target {
                    Target::Object(part) if self.object(*part).is_in_resource() && line.is_none() => {
                        self.part_shows(key, *part, View::None, depth + 1)
                    }
                    _ => false,
                })
        })
    }

    fn act_shows(&self, act: Act) -> bool {
        match act {
            Act::Drop | Act::ModifierExtension | Act::ImplicitRules => false,
            Act::Object(id) => {
                self.keys.get(usize::from(id)).is_some_and(|key| self.part_shows(key, key.object, key.inherit, 0))
            }
            Act::Reference(table) => self.plan.references.get(usize::from(table)).is_some_and(|table| {
                table
                    .cases
                    .first()
                    .and_then(|(node, _)| self.keys.get(usize::from(*node)))
                    .is_some_and(|key| key.inherit.shows() || key.token)
            }),
            Act::Switch(switch) => self.plan.switches.get(usize::from(switch)).is_some_and(|switch| {
                switch.cases.iter().any(|(_, _, _, node)| *node != switch.hidden) || switch.default != switch.hidden
            }),
            _ => true,
        }
    }
}

/// Whether resources of a type show under a decision, before any label, and whether a label can hide them.
pub(crate) fn visibility(annotation: &Annotation, table: &DecisionTable, id: TypeId) -> Visibility {
    let name = dictionary().get(id).name;
    let view = |place: Place| match place {
        Place::Category(category) => table.view(category).shows(),
        Place::Class => annotation.class_lines(name).any(|line| table.view(line.category).shows()),
        Place::Structure => true,
        Place::Withheld => false,
    };
    if !annotation.homes.get(name).is_some_and(|home| view(*home)) {
        return Visibility::Hidden;
    }
    let prefix = format!("{name}.");
    let labelled = annotation.rest.get(name).is_some_and(|place| annotation.is_labelled(*place, name))
        || annotation
            .places
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .any(|(_, place)| annotation.is_labelled(*place, name));
    let every = |class: Option<&crate::Discriminator>| class.is_none_or(|line| table.view(line.category).shows());
    let all_classes = annotation.class_lines(name).all(|line| every(Some(line)));
    let all_segments = table.limits.iter().all(|limit| *limit == SegmentLimit::Follow);
    if labelled && !all_segments || !all_classes { Visibility::Ask } else { Visibility::Shown }
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
    let bits = |names: &[&str]| -> Vec<u16> {
        names
            .iter()
            .filter_map(|name| object.elements.iter().position(|element| element.name == *name))
            .filter_map(|index| u16::try_from(index).ok())
            .collect()
    };
    let made =
        INVARIANTS.iter().filter(|invariant| invariant.object == object.name).filter_map(|invariant: &Invariant| {
            let first = invariant.right.first().and_then(|name| object.element(name))?;
            Some(Constraint {
                left: bits(&invariant.left),
                right: bits(&invariant.right),
                marker: marker::marker(dictionary, first)?.into_bytes().into(),
            })
        });
    made.collect()
}

/// An element's place in a node.
#[derive(Clone, Debug)]
struct ElementPlace {
    view: View,
    /// What the data type's own line allows.
    narrow: View,
    labelled: bool,
    category: Option<CategoryId>,
    rest: bool,
    /// The element's path, where `elements.csv` has longer lines below it.
    longer: Option<String>,
}

impl ElementPlace {
    /// Below a data type: everything comes from the node.
    const fn inherited(key: &NodeKey, view: View) -> Self {
        Self { view, narrow: View::Full, labelled: key.labelled, category: None, rest: false, longer: None }
    }

    fn path(&self, object: &ObjectType, element: &Element) -> String {
        format!("{}.{}", object.name, element.name)
    }
}
