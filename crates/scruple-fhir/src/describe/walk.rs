//! The walk over a compiled plan that finds a row for each element.

use super::*;

/// What an element without a line of its own takes over.
#[derive(Clone, Copy)]
pub(super) struct Inherited {
    pub(super) place: Place,
    /// From `Type.*`: prose is free text too.
    pub(super) prose: bool,
    /// What holds it shows.
    pub(super) shows: bool,
}

pub(super) struct Walk<'a> {
    pub(super) annotation: &'a Annotation,
    pub(super) table: &'a DecisionTable,
    pub(super) dictionary: &'static Dictionary,
    pub(super) class: Option<CategoryId>,
    pub(super) plan: &'a TypePlan,
    /// Whether anything of a node shows.
    pub(super) memo: Vec<Option<bool>>,
    pub(super) stack: Vec<TypeId>,
    pub(super) rows: Vec<ElementView>,
}

impl Walk<'_> {
    /// A resource or a part of one.
    pub(super) fn part(&mut self, node: u16, path: &str, inherited: Inherited) {
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
