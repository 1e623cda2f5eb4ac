//! What to do with each key of a node.

use super::compile::{Compiler, NodeKey};
use super::place::ElementPlace;
use super::*;

impl Compiler<'_> {
    pub(super) fn op(
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

    pub(super) fn act(
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
                let beside =
                    written.underscore.then(|| self.underscore(key, object, element, target_index, place, View::None));
                return match beside {
                    Some(Act::Object(node)) => Act::ImplicitRules(Some(node)),
                    _ => Act::ImplicitRules(None),
                };
            }
            (true, "id" | "language") => {
                return if written.underscore {
                    let shown = if key.pass { View::Full } else { View::None };
                    self.underscore(key, object, element, target_index, place, shown)
                } else if key.pass {
                    Act::Copy
                } else {
                    Act::Formed(if element.name == "id" { Formed::Id } else { Formed::Code })
                };
            }
            (true, "text") if !key.pass => {
                let Target::Object(id) = target else { return Act::Drop };
                let looked = self.table.passes_full_types;
                if !looked && !place.labelled {
                    return Act::Drop;
                }
                return Act::Object(self.id(NodeKey { looked, labelled: place.labelled, ..NodeKey::of(*id) }));
            }
            (false, "id") if !key.pass => {
                let closed = NodeKey { whole: false, ..key.clone() };
                return if written.underscore {
                    self.underscore(&closed, object, element, target_index, place, View::None)
                } else {
                    Act::Drop
                };
            }
            (_, "modifierExtension") if !key.pass => {
                return match self.extensions(key, object, place, true) {
                    Act::Extensions(table) => Act::ModifierExtension(Some(table)),
                    _ => Act::ModifierExtension(None),
                };
            }
            (_, "extension") if type_name == "Extension" => return self.extensions(key, object, place, false),
            _ => {}
        }
        if !key.pass
            && !written.underscore
            && let Some(part) = bundle_part(object.name, element.name)
        {
            return if place.view.shows() { Act::Bundle(part) } else { Act::Drop };
        }
        if key.token && object.name == "Reference" {
            return match element.name {
                "reference" if !written.underscore => Act::Literal { token: true, identifies: false },
                _ => Act::Drop,
            };
        }
        let (function, view) = self.below(object, element, type_name, place);
        if written.underscore {
            let shown = if function == MaskFunction::Keep && key.check.is_none() { view } else { View::None };
            return self.underscore(key, object, element, target_index, place, shown);
        }
        match target {
            Target::Primitive(_) => self.scalar(key, object, element, type_name, function),
            Target::Reference(allowed) => self.reference(key, place, allowed, function, view),
            Target::Object(id) => self.complex(key, object, element, place, *id, function, view),
            Target::Resource => Act::Resource,
        }
    }

    /// What a view does to an element: the function, and the view that its children inherit.
    pub(super) fn below(
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

    pub(super) fn step(&self, view: View, path: &str, element: &Element, type_name: &str) -> (MaskFunction, View) {
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

    pub(super) fn scalar(
        &self,
        key: &NodeKey,
        object: &ObjectType,
        element: &Element,
        type_name: &str,
        function: MaskFunction,
    ) -> Act {
        if key.pass {
            return Act::Copy;
        }
        let formed = || match (object.name, element.name) {
            ("Reference", "type") => Act::Formed(Formed::TypeName),
            _ => Formed::of(type_name).map_or(Act::Copy, Act::Formed),
        };
        if key.whole && !(object.name == "Reference" && element.name == "reference") {
            return formed();
        }
        match function {
            MaskFunction::Coding if element.type_names == ["code"] => Act::Mask(MaskFunction::Code),
            MaskFunction::Withhold | MaskFunction::Into | MaskFunction::Coding | MaskFunction::Listed(_) => Act::Drop,
            MaskFunction::Keep if object.name == "Reference" && element.name == "reference" => {
                let identifies = key.target.is_some_and(|target| {
                    meet(key.inherit, self.reference_view(target, &key.allowed, "identifier")) == View::Full
                });
                Act::Literal { token: false, identifies }
            }
            MaskFunction::Keep => formed(),
            MaskFunction::Token if object.name == "Reference" && element.name == "reference" => {
                Act::Literal { token: true, identifies: false }
            }
            function => Act::Mask(function),
        }
    }

    pub(super) fn underscore(
        &mut self,
        key: &NodeKey,
        object: &ObjectType,
        element: &Element,
        target: usize,
        place: &ElementPlace,
        shown: View,
    ) -> Act {
        if !shown.shows() && !place.labelled && !place.looked {
            return Act::Drop;
        }
        let Some(id) = self.dictionary.find("Element") else { return Act::Drop };
        let node = self.id(NodeKey {
            inherit: shown,
            place: Some(format!("{}.{}", object.name, element.name)),
            primitive: element.type_names.get(target).copied(),
            ..key.below(id, place)
        });
        Act::Object(node)
    }

    #[expect(clippy::too_many_arguments, reason = "one place asks, with what it has worked out")]
    pub(super) fn complex(
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
        let own = object.elements.iter().position(|known| is_class && known.name == element.name);
        let class_codes = own.and_then(|index| u16::try_from(index).ok()).or(key.class_codes);
        if below.is_in_resource() {
            let node = self.id(NodeKey {
                inherit: if matches!(function, MaskFunction::Keep | MaskFunction::Into) { view } else { View::None },
                rest: place.rest,
                security: key.security || element.name == "securityLabel",
                labelled: place.labelled,
                looked: place.looked,
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
        if !inherit.shows() && !place.labelled && !place.looked && class_codes.is_none() && place.longer.is_none() {
            return Act::Drop;
        }
        let node = self.id(NodeKey {
            inherit,
            class_codes,
            security: key.security || element.name == "securityLabel",
            class: key.class,
            place: place.known(),
            check,
            ..key.below(id, place)
        });
        Act::Object(node)
    }

    /// An item whose own code chooses its category (`Patient.identifier.type`).
    pub(super) fn switch(
        &mut self,
        key: &NodeKey,
        path: &str,
        id: TypeId,
        element: &Element,
        place: &ElementPlace,
    ) -> Act {
        let annotation = self.annotation;
        let mut lines = annotation.item_lines(path).peekable();
        let name = lines.peek().map_or("type", |(name, _)| name);
        let name = self.object(id).element(name).map_or("type", |element| element.name);
        let type_name = element.type_names.first().copied().unwrap_or_default();
        let node_for = |compiler: &mut Self, view: View| {
            let (function, view) = compiler.step(view, path, element, type_name);
            let inherit = if matches!(function, MaskFunction::Keep | MaskFunction::Into) { view } else { View::None };
            compiler.id(NodeKey {
                inherit,
                labelled: place.labelled,
                looked: true,
                class: key.class,
                place: place.holder.clone(),
                ..NodeKey::of(id)
            })
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

    pub(super) fn reference(
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
        if !shows && !place.labelled && !place.looked {
            return Act::Drop;
        }
        let resources = self.dictionary.resources();
        if self.targets.is_empty() && !self.dry {
            let lines: HashSet<&str> = self.annotation.references.keys().map(|(line, _)| line.as_str()).collect();
            let target = |id: &TypeId| (lines.contains(self.object(*id).name), self.visibility(*id));
            self.targets = resources.iter().map(target).collect();
        }
        let key_of = |target: usize| NodeKey {
            inherit: if shows && !token { view } else { View::None },
            target: Some(target),
            allowed: if target == resources.len() { allowed.to_vec() } else { Vec::new() },
            place: place.known(),
            token,
            class: key.class,
            ..key.below(id, place)
        };
        // Types without a line of their own share a node.
        let unknown = self.id(key_of(resources.len()));
        let plain =
            (0..resources.len()).find(|target| self.targets.get(*target).is_some_and(|(has_line, _)| !has_line));
        let plain = plain.map_or(unknown, |target| self.id(key_of(target)));
        let mut cases = Vec::with_capacity(resources.len() + 1);
        for target in 0..=(if self.dry { 0 } else { resources.len() }) {
            let (has_line, visibility) = self.targets.get(target).copied().unwrap_or((false, Visibility::Ask));
            let node = match has_line {
                _ if target == resources.len() => unknown,
                true => self.id(key_of(target)),
                false => plain,
            };
            cases.push((node, if key.pass { Visibility::Shown } else { visibility }));
        }
        self.plan.references.push(ReferenceTable {
            cases,
            allowed: allowed.to_vec(),
            pass: key.pass,
            whole: key.whole,
        });
        Act::Reference(u16::try_from(self.plan.references.len() - 1).unwrap_or(u16::MAX))
    }

    /// Whether resources of a type show under this decision, before any label.
    pub(super) fn visibility(&self, id: TypeId) -> Visibility {
        visibility(self.annotation, self.table, self.asks, id)
    }

    /// What to do with extensions, by URL. `closed`: they are looked into for codes alone.
    pub(super) fn extensions(&mut self, key: &NodeKey, object: &ObjectType, place: &ElementPlace, closed: bool) -> Act {
        let Some(id) = self.dictionary.find("Extension").filter(|_| !self.dry) else { return Act::Drop };
        let labelled = if object.is_resource { key.labelled } else { place.labelled };
        let all = self.table.passes_full_types;
        if object.name == "Extension" || key.inside {
            // Inside an extension that was judged by its URL: the same for what it holds.
            if !key.pass && !key.whole && !labelled && !key.looked {
                return Act::Drop;
            }
            return Act::Object(self.id(NodeKey {
                inherit: key.inherit,
                labelled,
                looked: key.looked,
                pass: key.pass,
                whole: key.whole,
                inside: key.inside,
                ..NodeKey::of(id)
            }));
        }
        if key.whole && !closed {
            return Act::Object(self.id(NodeKey {
                inherit: View::Full,
                labelled,
                looked: key.looked,
                whole: true,
                inside: true,
                ..NodeKey::of(id)
            }));
        }
        let holder = key.place.as_deref().filter(|_| !object.is_in_resource());
        let holder_view = match key.check {
            _ if object.is_resource => View::Full,
            Some(_) => View::None,
            None => key.inherit,
        };
        let op_for = |compiler: &mut Self, shown: bool, labelled: bool, looked: bool| {
            let act = if shown || labelled || looked {
                let inherit = if shown { View::Full } else { View::None };
                Act::Object(compiler.id(NodeKey {
                    inherit,
                    labelled,
                    looked,
                    pass: shown && key.pass,
                    whole: shown && !key.pass,
                    inside: true,
                    ..NodeKey::of(id)
                }))
            } else {
                Act::Drop
            };
            Op { act, category: None, width: if shown { Width::Full } else { Width::None } }
        };
        let unknown = op_for(self, key.pass, labelled, all);
        let mut known = QuickMap::default();
        for line in &self.annotation.extensions {
            let fits = match line.on.as_str() {
                "*" => true,
                "Element" => !object.is_in_resource(),
                on => holder == Some(on) || on == object.name || key.primitive == Some(on),
            };
            if !fits {
                continue;
            }
            let view = match line.place {
                Place::Structure => holder_view,
                place => meet(self.view_of(place, None), holder_view),
            };
            let line_labelled = match line.place {
                Place::Structure => labelled && !object.is_resource,
                // Only what is looked into anyway: which facts there are must not depend on views.
                place => (labelled || object.is_in_resource()) && self.annotation.is_labelled(place, ""),
            };
            let looked = match line.place {
                Place::Structure => key.looked || object.is_resource,
                place => (key.looked || object.is_in_resource()) && self.looks_at(place, ""),
            };
            let op = op_for(self, key.pass || view == View::Full && !closed, line_labelled, looked);
            known.insert(line.url.as_bytes().into(), op);
        }
        if known.is_empty() && unknown.act == Act::Drop {
            return Act::Drop;
        }
        self.plan.extensions.push(ExtensionTable { known, unknown });
        Act::Extensions(u16::try_from(self.plan.extensions.len() - 1).unwrap_or(u16::MAX))
    }
}
