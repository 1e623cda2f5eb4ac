//! The compiler of a plan: nodes, roots, markers.

use super::place::ElementPlace;
use super::*;

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct NodeKey {
    pub(super) object: TypeId,
    /// The view of what has no line of its own.
    pub(super) inherit: View,
    /// What is inherited comes from `Type.*`, so that prose is free text too.
    pub(super) rest: bool,
    pub(super) labelled: bool,
    /// Its place shows for some class before labels, so that faults in it are looked for (docs/projection.md, 1).
    pub(super) looked: bool,
    /// The element of the resource whose codes choose the class, if this is in it.
    pub(super) class_codes: Option<u16>,
    /// Its codes are security labels.
    pub(super) security: bool,
    pub(super) pass: bool,
    /// Inside a known extension that shows whole.
    pub(super) whole: bool,
    /// Inside an extension, where all is as the extension.
    pub(super) inside: bool,
    pub(super) category: Option<CategoryId>,
    pub(super) class: Option<CategoryId>,
    /// Element path of a data type's place, where longer lines exist below it, or of an `_x`.
    pub(super) place: Option<String>,
    /// Target type of a Reference, by its place among the resource types.
    pub(super) target: Option<usize>,
    /// The types that an unknown target may have.
    pub(super) allowed: Vec<TypeId>,
    /// The mask function that a Coding must pass.
    pub(super) check: Option<MaskFunction>,
    /// Everything is shown or hidden by tokens: a Reference under `token`.
    pub(super) token: bool,
    /// The FHIR type of the primitive whose `_x` this is.
    pub(super) primitive: Option<&'static str>,
}

impl NodeKey {
    /// A part of this one, at a place: what no part can be without is taken over.
    pub(super) fn below(&self, object: TypeId, place: &ElementPlace) -> Self {
        Self {
            labelled: place.labelled,
            looked: place.looked,
            pass: self.pass,
            whole: self.whole,
            inside: self.inside,
            ..Self::of(object)
        }
    }

    pub(super) fn of(object: TypeId) -> Self {
        Self {
            object,
            inherit: View::None,
            rest: false,
            labelled: false,
            looked: false,
            class_codes: None,
            security: false,
            pass: false,
            whole: false,
            inside: false,
            category: None,
            class: None,
            place: None,
            target: None,
            allowed: Vec::new(),
            check: None,
            token: false,
            primitive: None,
        }
    }
}

/// Compiles plans for one decision.
pub(crate) struct Compiler<'a> {
    pub(super) annotation: &'a Annotation,
    pub(super) table: &'a DecisionTable,
    pub(super) asks: Asks,
    pub(super) views: [View; CATEGORIES_MAX],
    pub(super) segments: SegmentSet,
    pub(super) dictionary: &'static Dictionary,
    pub(super) keys: Vec<NodeKey>,
    pub(super) ids: HashMap<NodeKey, u16>,
    /// Each resource type as a Reference's target: whether it has lines of its own, and whether it shows.
    pub(super) targets: Vec<(bool, Visibility)>,
    pub(super) plan: TypePlan,
    /// Only the findings are wanted: no markers, no targets of references, no extensions.
    pub(super) dry: bool,
}

const NO_KEY: u16 = u16::MAX;

impl<'a> Compiler<'a> {
    pub fn compile(
        annotation: &'a Annotation,
        table: &'a DecisionTable,
        asks: Asks,
        segments: SegmentSet,
        resource: TypeId,
    ) -> TypePlan {
        Self::run(annotation, table, asks, segments, resource, false)
    }

    /// What is wrong with a plan, without the plan.
    pub fn findings(
        annotation: &'a Annotation,
        table: &'a DecisionTable,
        segments: SegmentSet,
        resource: TypeId,
    ) -> Vec<Finding> {
        Self::run(annotation, table, Asks::default(), segments, resource, true).findings
    }

    fn run(
        annotation: &'a Annotation,
        table: &'a DecisionTable,
        asks: Asks,
        segments: SegmentSet,
        resource: TypeId,
        dry: bool,
    ) -> TypePlan {
        let mut compiler = Self {
            dry,
            annotation,
            table,
            asks,
            views: effective(table, annotation, segments),
            segments,
            dictionary: dictionary(),
            keys: Vec::new(),
            ids: HashMap::new(),
            targets: Vec::new(),
            plan: TypePlan {
                nodes: Vec::new(),
                extensions: Vec::new(),
                references: Vec::new(),
                switches: Vec::new(),
                roots: Vec::new(),
                default_class: None,
                discriminated: false,
                classes: QuickMap::default(),
                entry: None,
                hidden: false,
                shows_changes: false,
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
        let entry = compiler.dictionary.find("Bundle.entry");
        let is_entry = |node: &Node| Some(node.object) == entry && !node.closed;
        compiler.plan.entry = compiler.plan.nodes.iter().position(is_entry).and_then(|node| u16::try_from(node).ok());
        compiler.plan.hidden = compiler.plan.roots.iter().all(|root| !root.view.shows());
        compiler.plan.shows_changes = compiler.view(annotation.change_metadata) == View::Full;
        compiler.plan.findings.sort();
        compiler.plan.findings.dedup();
        compiler.plan
    }

    pub(super) fn object(&self, id: TypeId) -> &'static ObjectType {
        self.dictionary.get(id)
    }

    pub(super) fn view(&self, category: CategoryId) -> View {
        self.views.get(usize::from(category.0)).copied().unwrap_or_default()
    }

    /// Whether faults are looked for in values of this place: by the decision alone, not by class or labels, so that
    /// what is malformed never depends on what was guessed.
    pub(super) fn looks_at(&self, place: Place, type_name: &str) -> bool {
        self.table.passes_full_types || place_shows(self.annotation, self.table, place, type_name)
    }

    pub(super) fn view_of(&self, place: Place, class: Option<CategoryId>) -> View {
        match place {
            Place::Category(category) => self.view(category),
            Place::Class => class.map_or(View::None, |class| self.view(class)),
            Place::Structure => View::Full,
            Place::Withheld => View::None,
        }
    }

    pub(super) fn id(&mut self, key: NodeKey) -> u16 {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = u16::try_from(self.keys.len()).unwrap_or(u16::MAX);
        self.ids.insert(key.clone(), id);
        self.keys.push(key);
        id
    }

    pub(super) fn roots(&mut self, resource: TypeId) {
        let name = self.object(resource).name;
        let mut categories = Vec::new();
        let elements = &self.object(resource).elements;
        for line in self.annotation.class_lines(name) {
            self.plan.discriminated = true;
            let own = |element: &Element| line.element.strip_prefix(name) == Some(&format!(".{}", element.name));
            let element = elements.iter().position(own).and_then(|index| u16::try_from(index).ok());
            if !categories.contains(&Some(line.category)) {
                categories.push(Some(line.category));
            }
            match &line.coding {
                Some((system, code)) => {
                    let systems = self.plan.classes.entry(code.as_bytes().into()).or_default();
                    systems.push((system.as_bytes().into(), element.unwrap_or(u16::MAX), 1 << (line.category.0 & 63)));
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

    pub(super) fn root(&mut self, resource: TypeId, name: &str, class: Option<CategoryId>) -> Root {
        let rest = self.annotation.rest.get(name).copied().unwrap_or(Place::Withheld);
        let home = self.annotation.homes.get(name).copied().unwrap_or(Place::Withheld);
        let view = self.view_of(home, class);
        let pass = view.shows()
            && may_pass(self.table, self.segments)
            && !matches!(name, "Bundle" | "Parameters")
            && category_of(home, class).is_none_or(|home| self.annotation.not_phi & 1 << (home.0 & 63) == 0)
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
            looked: self.looks_at(rest, name),
            pass,
            class,
            category: category_of(rest, class),
            ..NodeKey::of(resource)
        });
        // Where the home is none, every element is none: the root is compiled closed.
        Root { category: class, node, view, required: false, pass }
    }

    /// Whether every category that the type's elements have at their places, and prose, is full.
    pub(super) fn is_full(&self, name: &str, class: Option<CategoryId>) -> bool {
        let is_full = |place: &Place| match place {
            Place::Structure | Place::Withheld => true,
            Place::Category(category) if *category == self.annotation.change_metadata => true,
            place => self.view_of(*place, class) == View::Full,
        };
        let prefix = format!("{name}.");
        let own = self.annotation.places_below(&prefix);
        own.filter(|(path, _)| self.annotation.item_lines(path).next().is_none()).map(|(_, place)| place).all(is_full)
            && self.annotation.discriminators.iter().all(|line| {
                !line.element.starts_with(&prefix)
                    || line.element.matches('.').count() < 2
                    || self.view(line.category) == View::Full
            })
            && self.annotation.rest.get(name).is_none_or(is_full)
            && self.view(self.annotation.free_text) == View::Full
    }

    pub(super) fn node(&mut self, key: &NodeKey) -> Node {
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
            goes_with_target: self.goes_with_target(object),
            whole: key.whole,
            labelled: key.labelled,
            ops: ops.into(),
            required: Box::default(),
            required_bits: 0,
            closing_where_stood: 0,
            closing: 0,
            constraints: Box::default(),
            capture: [NO_KEY; 2],
        };
        if let Kind::Coding { .. } = node.kind {
            node.capture = [object.key_of("system").unwrap_or(NO_KEY), object.key_of("code").unwrap_or(NO_KEY)];
        }
        if !key.pass && !key.whole && !hidden_root {
            self.close_or_mark(object, &places, &mut node);
        }
        node
    }

    fn goes_with_target(&self, object: &ObjectType) -> bool {
        let part = object.name.rsplit_once('.').and_then(|(parent, name)| {
            let parent = self.dictionary.find(parent)?;
            self.object(parent).element(name)
        });
        !object.is_resource && !part.is_some_and(|element| element.modifier)
    }

    pub(super) fn home_shows(&self, name: &str, class: Option<CategoryId>) -> bool {
        self.annotation.homes.get(name).is_some_and(|home| self.view_of(*home, class).shows())
    }

    pub(super) fn kind(&self, key: &NodeKey, object: &ObjectType) -> Kind {
        let collect = Collect { label: key.labelled, class: key.class_codes, security: key.security };
        match object.name {
            "Coding" => Kind::Coding { collect, check: key.check },
            "CodeableConcept" => {
                Kind::CodeableConcept { collect, text: object.bit_of("text"), coding: object.bit_of("coding") }
            }
            "Extension" => Kind::Extension { holds: object.bit_of("value[x]") | object.bit_of("extension") },
            "Bundle.entry" => Kind::Entry,
            "Parameters.parameter" => Kind::Parameter,
            _ if object.is_resource => Kind::Resource,
            _ => Kind::Plain,
        }
    }

    /// Elements of `groups.csv` that are withheld because another of their group is.
    pub(super) fn hidden_by_group(
        &mut self,
        key: &NodeKey,
        object: &ObjectType,
        places: &[ElementPlace],
    ) -> Vec<&'static str> {
        let mut hidden = Vec::new();
        for (name, members) in &self.annotation.groups {
            if name != object.name || key.pass || key.whole {
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

    /// Closes a node whose modifier or required elements cannot be withheld, else prepares its markers.
    pub(super) fn close_or_mark(&mut self, object: &ObjectType, places: &[ElementPlace], node: &mut Node) {
        let shown_of = |name: &str| {
            object.keys.iter().zip(node.ops.iter()).any(|(written, op)| {
                !written.underscore
                    && object.elements.get(usize::from(written.element)).is_some_and(|element| element.name == name)
                    && self.act_shows(op.act)
            })
        };
        let any = object.elements.iter().any(|element| !is_general(element.name) && shown_of(element.name));
        let mut findings = Vec::new();
        for element in object.elements.iter().filter(|element| any && element.modifier && !is_general(element.name)) {
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
        if self.dry {
            return;
        }
        let mut required = Vec::new();
        for (index, element) in object.elements.iter().enumerate() {
            if element.modifier && !is_general(element.name) {
                let closing = if element.required { &mut node.closing } else { &mut node.closing_where_stood };
                *closing |= bit(index);
            }
            if !element.required || (object.name == "Extension" && element.name == "url") {
                continue;
            }
            let masked = places.get(index).is_some_and(|place| matches!(place.view, View::Masked(_)));
            let unmarkable = element.modifier || (masked && element.type_names == ["instant"]);
            let made = marker::marker(self.dictionary, element);
            if made.is_none() || unmarkable && !element.modifier {
                node.closing |= bit(index);
            }
            match made {
                Some(bytes) if !unmarkable || shown_of(element.name) => {
                    required.push((bit(index), bytes.into_bytes().into()));
                }
                _ if any && !shown_of(element.name) => {
                    node.closed = true;
                    return;
                }
                _ => {}
            }
        }
        node.required_bits = required.iter().fold(0, |bits, (bit, _)| bits | bit);
        node.required = required.into();
        node.constraints = constraints(self.dictionary, object).into();
    }

    /// Whether anything of an object can show: what inherits its view, or a part with a line of its own.
    pub(super) fn part_shows(&self, key: &NodeKey, object: TypeId, inherit: View, depth: usize) -> bool {
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

    pub(super) fn act_shows(&self, act: Act) -> bool {
        match act {
            Act::Drop | Act::ModifierExtension(_) | Act::ImplicitRules(_) => false,
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
