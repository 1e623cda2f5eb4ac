//! What a decision means for a resource type, element by element: for people who read a policy, and for the pack's check.
//!
//! It reads the same compiled plan as the projector, so that it cannot tell another story. It is not in the data path.

use crate::annotation::{Annotation, MaskFunction, Place};
use crate::dictionary::{Dictionary, Element, ObjectType, Target, TypeId, dictionary};
use crate::plan::{Act, Compiler, Finding, Op, ReferenceTable, Switch, TypePlan, Visibility, Width, is_general};
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

/// Whether one mask shows all that another does, on every element of FHIR R4.
#[must_use]
pub fn mask_covers(annotation: &Annotation, wide: MaskId, narrow: MaskId) -> bool {
    let mask = |id: MaskId| annotation.masks.get(usize::from(id.0));
    let (Some(wide), Some(narrow)) = (mask(wide), mask(narrow)) else { return false };
    dictionary().types().iter().all(|object| {
        object.elements.iter().all(|element| {
            let path = format!("{}.{}", object.name, element.name);
            element.type_names.iter().all(|type_name| {
                let function = |mask: &crate::Mask| mask.function(&path, element.name, type_name);
                let (wide, narrow) = (function(wide), function(narrow));
                narrow == MaskFunction::Withhold || wide == MaskFunction::Keep || wide == narrow
            })
        })
    })
}

/// Whether a mask shows anything of a category, on any type, where all else shows.
#[must_use]
pub fn mask_carries(annotation: &Annotation, category: CategoryId, mask: MaskId) -> bool {
    let Some(mask) = annotation.masks.get(usize::from(mask.0)) else { return false };
    let carrier = Carrier { annotation, category, mask };
    let mut types = dictionary().resources().iter().filter(|id| categories(annotation, **id).contains(&category));
    types.any(|id| {
        let rest = annotation.rest.get(dictionary().get(*id).name).copied().unwrap_or(Place::Withheld);
        carrier.part(*id, dictionary().get(*id).name, carrier.is_in(rest, dictionary().get(*id).name), &mut Vec::new())
    })
}

/// Looks for an element of a category that a mask shows.
struct Carrier<'a> {
    annotation: &'a Annotation,
    category: CategoryId,
    mask: &'a crate::Mask,
}

impl Carrier<'_> {
    fn is_in(&self, place: Place, resource: &str) -> bool {
        match place {
            Place::Category(category) => category == self.category,
            Place::Class => self.annotation.class_lines(resource).any(|line| line.category == self.category),
            Place::Structure | Place::Withheld => false,
        }
    }

    /// A resource or a part of one. `inherited`: what has no line of its own is in the category.
    fn part(&self, id: TypeId, resource: &str, inherited: bool, stack: &mut Vec<TypeId>) -> bool {
        if stack.contains(&id) {
            return false;
        }
        stack.push(id);
        let object = dictionary().get(id);
        let shown = object.elements.iter().filter(|element| !is_general(element.name)).any(|element| {
            let own = format!("{}.{}", object.name, element.name);
            let by_item = self.annotation.item_lines(&own).any(|(_, line)| line.category == self.category);
            let line = self.annotation.places.get(&own);
            let inside = by_item || line.map_or(inherited, |place| self.is_in(*place, resource));
            element.targets.iter().zip(&element.type_names).any(|(target, type_name)| match target {
                Target::Object(part) if dictionary().get(*part).is_in_resource() => {
                    let function = self.mask.function(&own, element.name, type_name);
                    let below = match function {
                        MaskFunction::Keep if inside => return true,
                        MaskFunction::Into => inside,
                        _ => false,
                    };
                    self.part(*part, resource, below, stack)
                }
                target => inside && self.shows(&own, element.name, type_name, target, 0),
            })
        });
        stack.pop();
        shown
    }

    /// An element of a data type, or one that holds it.
    fn shows(&self, path: &str, name: &str, type_name: &str, target: &Target, depth: usize) -> bool {
        match (self.mask.function(path, name, type_name), target) {
            (MaskFunction::Withhold, _) => false,
            (MaskFunction::Into, Target::Primitive(_) | Target::Resource) => false,
            (MaskFunction::Into, Target::Object(id)) => self.any_shows(*id, depth),
            (MaskFunction::Into, Target::Reference(_)) => {
                dictionary().find("Reference").is_some_and(|id| self.any_shows(id, depth))
            }
            _ => true,
        }
    }

    fn any_shows(&self, id: TypeId, depth: usize) -> bool {
        let object = dictionary().get(id);
        depth < DEPTH_MAX
            && object.elements.iter().filter(|element| !is_general(element.name)).any(|element| {
                let path = format!("{}.{}", object.name, element.name);
                let types = element.targets.iter().zip(&element.type_names);
                types.into_iter().any(|(target, name)| self.shows(&path, element.name, name, target, depth + 1))
            })
    }
}

/// What the plans of many decisions find wrong with a pack, each distinct plan judged once.
pub struct Inspector<'a> {
    annotation: &'a Annotation,
    /// Types that anyone may see, each with the categories that its findings can depend on.
    by_type: Vec<(TypeId, Vec<CategoryId>)>,
    seen: HashMap<(TypeId, Vec<View>), Vec<Finding>>,
}

impl<'a> Inspector<'a> {
    /// Inspects plans under an annotation.
    #[must_use]
    pub fn new(annotation: &'a Annotation) -> Self {
        let seen_by_any = |id: &&TypeId| {
            annotation.homes.get(dictionary().get(**id).name).is_some_and(|home| *home != Place::Withheld)
        };
        // Of the lines of data types those matter that stand beside a modifier or in a group, and prose.
        let matters = |path: &str| {
            let object = path.rsplit_once('.').and_then(|(object, _)| dictionary().find(object));
            object.map(|id| dictionary().get(id)).is_some_and(|object| {
                !object.is_in_resource()
                    && (object.elements.iter().any(|element| element.modifier && !is_general(element.name))
                        || annotation.groups.iter().any(|(name, _)| name == object.name))
            })
        };
        let lines = annotation.places.iter().filter(|(path, _)| matters(path));
        let general = lines.filter_map(|(_, place)| match place {
            Place::Category(category) => Some(*category),
            Place::Class | Place::Structure | Place::Withheld => None,
        });
        let general: BTreeSet<CategoryId> = general.chain([annotation.free_text]).collect();
        let categories_of = |id: &TypeId| categories(annotation, *id).union(&general).copied().collect();
        let by_type = dictionary().resources().iter().filter(seen_by_any).map(|id| (*id, categories_of(id))).collect();
        Self { annotation, by_type, seen: HashMap::new() }
    }

    /// The findings of a decision over all resource types, without label and under a label that leaves codes only.
    pub fn findings(&mut self, table: &DecisionTable) -> Vec<(TypeId, Finding)> {
        let mut table = table.clone();
        // What passes is not projected; what a label keeps from passing is.
        table.passes_full_types = false;
        let coded = SegmentSet::ALL.segments().find(|segment| table.limit(*segment) == SegmentLimit::Coded);
        let sets = std::iter::once(SegmentSet::EMPTY).chain(coded.map(|segment| SegmentSet::EMPTY.with(segment)));
        let mut found = Vec::new();
        for segments in sets {
            let views = crate::plan::effective(&table, self.annotation, segments);
            for (id, categories) in &self.by_type {
                let key =
                    categories.iter().filter_map(|category| views.get(usize::from(category.0)).copied()).collect();
                let findings = self
                    .seen
                    .entry((*id, key))
                    .or_insert_with(|| Compiler::findings(self.annotation, &table, segments, *id));
                found.extend(findings.iter().map(|finding| (*id, finding.clone())));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// How many plans were compiled.
    #[must_use]
    pub fn plans(&self) -> usize {
        self.seen.len()
    }
}

/// Describes a resource type under a decision. `class` is the class of a type with discriminators: one of [`classes`].
#[must_use]
pub fn describe(annotation: &Annotation, table: &DecisionTable, id: TypeId, class: Option<CategoryId>) -> TypeView {
    let plan = Compiler::compile(annotation, table, SegmentSet::EMPTY, id);
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

/// What an element without a line of its own takes over.
#[derive(Clone, Copy)]
struct Inherited {
    place: Place,
    /// From `Type.*`: prose is free text too.
    prose: bool,
    /// What holds it shows.
    shows: bool,
}

struct Walk<'a> {
    annotation: &'a Annotation,
    table: &'a DecisionTable,
    dictionary: &'static Dictionary,
    class: Option<CategoryId>,
    plan: &'a TypePlan,
    /// Whether anything of a node shows.
    memo: Vec<Option<bool>>,
    stack: Vec<TypeId>,
    rows: Vec<ElementView>,
}

impl Walk<'_> {
    /// A resource or a part of one.
    fn part(&mut self, node: u16, path: &str, inherited: Inherited) {
        let plan = self.plan;
        let Some(compiled) = plan.nodes.get(usize::from(node)) else { return };
        if self.stack.contains(&compiled.object) {
            return;
        }
        self.stack.push(compiled.object);
        let object = self.dictionary.get(compiled.object);
        let inherited = Inherited { shows: inherited.shows && !compiled.closed, ..inherited };
        for (index, element) in object.elements.iter().enumerate() {
            if element.name == "extension" && object.is_in_resource() {
                self.extensions(object, path, &compiled.ops, inherited);
            }
            if !is_general(element.name) || (element.name == "text" && !object.is_resource) {
                self.element(object, index, element, path, &compiled.ops, inherited);
            }
        }
        self.stack.pop();
    }

    fn element(
        &mut self,
        object: &'static ObjectType,
        index: usize,
        element: &'static Element,
        path: &str,
        ops: &[Op],
        inherited: Inherited,
    ) {
        let own = format!("{}.{}", object.name, element.name);
        let line = self.annotation.places.get(&own).copied();
        let by_item = line == Some(Place::Class) && self.annotation.item_lines(&own).next().is_some();
        let (place, prose) = match line {
            Some(Place::Class) => (self.class.map_or(Place::Class, Place::Category), false),
            Some(place) => (place, false),
            None => (inherited.place, inherited.prose),
        };
        let keys = object.keys.iter().zip(ops).filter(|(key, _)| usize::from(key.element) == index && !key.underscore);
        let mut rows: Vec<(ElementView, Act)> = Vec::new();
        for (key, op) in keys {
            if let (true, Act::Switch(switch)) = (by_item, op.act) {
                let path = format!("{path}.{}", element.name);
                self.items(&own, &path, switch, inherited);
                return;
            }
            let prose = prose && matches!(key.type_name, "string" | "markdown");
            let shows = self.act_shows(op.act);
            let (view, function) = if inherited.shows && shows {
                self.width(op.width, place, &own, element, key.type_name)
            } else {
                (View::None, None)
            };
            let also = match op.act {
                _ if prose => Some(self.annotation.free_text),
                Act::Object(node) if inherited.shows && !shows && op.width == Width::Full => self.emptied_by(node),
                _ => None,
            };
            rows.push((ElementView { path: key.name().to_owned(), place, also, view, function }, op.act));
        }
        let alike = |one: &ElementView, other: &ElementView| {
            (one.view, one.function, one.also) == (other.view, other.function, other.also)
        };
        let all_alike = rows.first().is_some_and(|(first, _)| rows.iter().all(|(row, _)| alike(row, first)));
        if all_alike && let Some((row, _)) = rows.first() {
            self.rows.push(ElementView { path: format!("{path}.{}", element.name), ..row.clone() });
        }
        for (index, (row, act)) in rows.into_iter().enumerate() {
            // What a mask leaves of a data type, the mask says.
            let full = row.view == View::Full;
            let below = format!("{path}.{}", if all_alike { element.name } else { &row.path });
            if !all_alike {
                self.rows.push(ElementView { path: below.clone(), ..row });
            }
            match (act, element.targets.get(index)) {
                (Act::Object(node), Some(Target::Object(id))) if self.dictionary.get(*id).is_in_resource() => {
                    self.part(node, &below, Inherited { place, prose, ..inherited });
                }
                (Act::Object(node), _) if full => self.narrower(node, &below, &own, 0),
                (Act::Reference(table), Some(Target::Reference(allowed))) if full => {
                    if let Some(table) = self.plan.references.get(usize::from(table)) {
                        self.reference(table, allowed, &below);
                    }
                }
                // A part of which nothing shows is named all the same.
                (Act::Drop, Some(Target::Object(id))) if self.dictionary.get(*id).is_in_resource() => {
                    self.hidden_part(*id, &below, Inherited { place, prose, shows: false });
                }
                _ => {}
            }
        }
    }

    /// The view of an element, and what its mask does to it.
    fn width(
        &self,
        width: Width,
        place: Place,
        own: &str,
        element: &Element,
        type_name: &str,
    ) -> (View, Option<MaskFunction>) {
        match (width, place) {
            (Width::Full, _) => (View::Full, None),
            (Width::Masked, Place::Category(category)) => match self.table.view(category) {
                View::Masked(mask) => {
                    let function = |mask: &crate::Mask| mask.function(own, element.name, type_name);
                    (View::Masked(mask), self.annotation.masks.get(usize::from(mask.0)).map(function))
                }
                view => (view, None),
            },
            _ => (View::None, None),
        }
    }

    /// The elements of a part that is dropped whole.
    fn hidden_part(&mut self, id: TypeId, path: &str, inherited: Inherited) {
        if self.stack.contains(&id) {
            return;
        }
        self.stack.push(id);
        let object = self.dictionary.get(id);
        for element in object.elements.iter().filter(|element| !is_general(element.name)) {
            let own = format!("{}.{}", object.name, element.name);
            let line = self.annotation.places.get(&own).copied();
            let (place, prose) = match line {
                Some(Place::Class) => (self.class.map_or(Place::Class, Place::Category), false),
                Some(place) => (place, false),
                None => (inherited.place, inherited.prose),
            };
            let is_prose = prose && element.type_names.iter().all(|name| matches!(*name, "string" | "markdown"));
            let below = format!("{path}.{}", element.name);
            let also = is_prose.then_some(self.annotation.free_text);
            self.rows.push(ElementView { path: below.clone(), place, also, view: View::None, function: None });
            if let [Target::Object(part)] = element.targets.as_slice()
                && self.dictionary.get(*part).is_in_resource()
            {
                self.hidden_part(*part, &below, Inherited { place, prose, shows: false });
            }
        }
        self.stack.pop();
    }

    /// Items whose own code chooses their category.
    fn items(&mut self, own: &str, path: &str, switch: u16, inherited: Inherited) {
        let Some(switch) = self.plan.switches.get(usize::from(switch)) else { return };
        let mut by_category: Vec<(CategoryId, Vec<String>)> = Vec::new();
        for (_, line) in self.annotation.item_lines(own) {
            let code = line.coding.as_ref().map_or_else(|| "other".to_owned(), |(_, code)| code.clone());
            match by_category.iter_mut().find(|(category, _)| *category == line.category) {
                Some((_, codes)) => codes.push(code),
                None => by_category.push((line.category, vec![code])),
            }
        }
        for (category, codes) in by_category {
            let view = self.table.view(category);
            let shows = inherited.shows && view.shows() && self.switch_shows(switch, own, category);
            self.rows.push(ElementView {
                path: format!("{path}({})", codes.join("|")),
                place: Place::Category(category),
                also: None,
                view: if shows { view } else { View::None },
                function: None,
            });
        }
    }

    fn switch_shows(&mut self, switch: &Switch, own: &str, category: CategoryId) -> bool {
        let lines: Vec<Option<(String, String)>> = self
            .annotation
            .item_lines(own)
            .filter(|(_, line)| line.category == category)
            .map(|(_, line)| line.coding.clone())
            .collect();
        lines.into_iter().any(|coding| {
            let node = match &coding {
                Some((system, code)) => switch.choose(&[(system.as_bytes(), code.as_bytes())]),
                None => switch.default,
            };
            self.node_shows(node)
        })
    }

    /// The category that leaves nothing of a data type whose place is full (an Annotation is prose and who wrote it).
    fn emptied_by(&self, node: u16) -> Option<CategoryId> {
        let object = self.dictionary.get(self.plan.nodes.get(usize::from(node))?.object);
        let lines = object.elements.iter().map(|element| format!("{}.{}", object.name, element.name));
        lines.filter_map(|path| self.annotation.places.get(&path)).find_map(|place| match place {
            Place::Category(category) if !self.table.view(*category).shows() => Some(*category),
            _ => None,
        })
    }

    /// What of a data type is withheld where the element shows.
    fn narrower(&mut self, node: u16, path: &str, place_path: &str, depth: usize) {
        let plan = self.plan;
        let Some(compiled) = plan.nodes.get(usize::from(node)).filter(|_| depth < DEPTH_MAX) else { return };
        let object = self.dictionary.get(compiled.object);
        for (index, element) in object.elements.iter().enumerate().filter(|(_, element)| element.name != "id") {
            let through = format!("{place_path}.{}", element.name);
            let typed = format!("{}.{}", object.name, element.name);
            let line = self.annotation.places.get(&through).or_else(|| self.annotation.places.get(&typed)).copied();
            let keys = object.keys.iter().zip(&*compiled.ops);
            let acts: Vec<Act> = keys
                .filter(|(key, _)| usize::from(key.element) == index && !key.underscore)
                .map(|(_, op)| op.act)
                .collect();
            let below = format!("{path}.{}", element.name);
            let shows = acts.iter().any(|act| self.act_shows(*act));
            if let (Some(place), false, false) = (line, shows, is_general(element.name) && element.name != "text") {
                let (place, also) = match place {
                    Place::Category(category) => (place, Some(category)),
                    Place::Class | Place::Structure | Place::Withheld => (place, None),
                };
                self.rows.push(ElementView { path: below, place, also, view: View::None, function: None });
            } else if shows {
                for act in acts {
                    if let Act::Object(node) = act {
                        self.narrower(node, &below, &through, depth + 1);
                    }
                }
            }
        }
    }

    /// Display and identifier of a Reference, by the types that it may point to.
    fn reference(&mut self, table: &ReferenceTable, allowed: &[TypeId], path: &str) {
        let resources = self.dictionary.resources();
        let unknown = resources.len();
        let at = |id: &TypeId| resources.iter().position(|known| known == id).unwrap_or(unknown);
        let targets: Vec<usize> = if allowed.is_empty() { vec![unknown] } else { allowed.iter().map(at).collect() };
        for name in ["display", "identifier"] {
            let mut withheld: Vec<(Place, Vec<&str>)> = Vec::new();
            for target in &targets {
                let Some((node, visibility)) = table.cases.get(*target) else { continue };
                if *visibility == Visibility::Hidden || self.key_shows(*node, name) {
                    continue;
                }
                let type_name = resources.get(*target).map_or("other", |id| self.dictionary.get(*id).name);
                let line = self.annotation.references.get(&(type_name.to_owned(), name.to_owned()));
                let line = line.or_else(|| self.annotation.places.get(&format!("Reference.{name}")));
                let place = line.copied().unwrap_or(Place::Withheld);
                match withheld.iter_mut().find(|(known, _)| *known == place) {
                    Some((_, types)) => types.push(type_name),
                    None => withheld.push((place, vec![type_name])),
                }
            }
            for (place, types) in withheld {
                let of = if targets.len() > 1 { format!("({})", types.join("|")) } else { String::new() };
                self.rows.push(ElementView {
                    path: format!("{path}.{name}{of}"),
                    place,
                    also: None,
                    view: View::None,
                    function: None,
                });
            }
        }
    }

    /// Extensions that the pack knows on a resource or a part of one.
    fn extensions(&mut self, object: &ObjectType, path: &str, ops: &[Op], inherited: Inherited) {
        let plan = self.plan;
        let act = object.keys.iter().zip(ops).find(|(key, _)| key.name() == "extension").map(|(_, op)| op.act);
        let table = match act {
            Some(Act::Extensions(table)) => plan.extensions.get(usize::from(table)),
            _ => None,
        };
        for line in self.annotation.extensions.iter().filter(|line| line.on == object.name) {
            let op = table.and_then(|table| table.known.get(line.url.as_bytes()));
            let shows = inherited.shows && op.is_some_and(|op| op.width == Width::Full);
            let name = line.url.rsplit('/').next().unwrap_or(&line.url);
            self.rows.push(ElementView {
                path: format!("{path}.extension({name})"),
                place: line.place,
                also: None,
                view: if shows { View::Full } else { View::None },
                function: None,
            });
        }
    }

    fn key_shows(&mut self, node: u16, name: &str) -> bool {
        let plan = self.plan;
        let Some(compiled) = plan.nodes.get(usize::from(node)) else { return false };
        let object = self.dictionary.get(compiled.object);
        let act = object.keys.iter().zip(&*compiled.ops).find(|(key, _)| key.name() == name).map(|(_, op)| op.act);
        act.is_some_and(|act| self.act_shows(act))
    }

    fn node_shows(&mut self, node: u16) -> bool {
        let index = usize::from(node);
        if let Some(known) = self.memo.get(index).copied().flatten() {
            return known;
        }
        let plan = self.plan;
        let Some(compiled) = plan.nodes.get(index) else { return false };
        if let Some(memo) = self.memo.get_mut(index) {
            // What is below itself adds nothing.
            *memo = Some(false);
        }
        let object = self.dictionary.get(compiled.object);
        let general =
            |element: u16| object.elements.get(usize::from(element)).is_none_or(|element| element.name == "id");
        let shows = !compiled.closed
            && object
                .keys
                .iter()
                .zip(&*compiled.ops)
                .any(|(key, op)| !key.underscore && !general(key.element) && self.act_shows(op.act));
        if let Some(memo) = self.memo.get_mut(index) {
            *memo = Some(shows);
        }
        shows
    }

    fn act_shows(&mut self, act: Act) -> bool {
        let plan = self.plan;
        match act {
            Act::Drop | Act::ModifierExtension(_) | Act::ImplicitRules(_) | Act::Extensions(_) => false,
            Act::Object(node) => self.node_shows(node),
            Act::Reference(table) => plan.references.get(usize::from(table)).is_some_and(|table| {
                let shown = table.cases.iter().filter(|(_, visibility)| *visibility != Visibility::Hidden);
                let nodes: BTreeSet<u16> = shown.map(|(node, _)| *node).collect();
                nodes.into_iter().any(|node| self.node_shows(node))
            }),
            Act::Switch(switch) => plan.switches.get(usize::from(switch)).is_some_and(|switch| {
                let nodes: BTreeSet<u16> = switch.cases.iter().map(|(_, _, _, node)| *node).collect();
                self.node_shows(switch.default) || nodes.into_iter().any(|node| self.node_shows(node))
            }),
            _ => true,
        }
    }
}
