//! Where an element belongs in a node, and the view of that place.

use super::compile::{Compiler, NodeKey};
use super::*;

impl<'a> Compiler<'a> {
    /// The view of one type of an element: prose that only `Type.*` covers is free text too.
    pub(super) fn view_as(&self, place: &ElementPlace, element: &Element, target: usize) -> View {
        let prose = place.rest && matches!(element.type_names.get(target), Some(&("string" | "markdown")));
        if prose { meet(place.view, self.view(self.annotation.free_text)) } else { place.view }
    }

    /// Whether anything of an element can show by policy.
    pub(super) fn shows(&self, object: &ObjectType, element: &Element, target: usize, place: &ElementPlace) -> bool {
        let type_name = element.type_names.get(target).copied().unwrap_or_default();
        match self.view_as(place, element, target) {
            View::None => false,
            View::Full => true,
            View::Masked(mask) => {
                self.function(mask, &place.path(object, element), element, type_name) != MaskFunction::Withhold
            }
        }
    }

    pub(super) fn mask(&self, mask: MaskId) -> Option<&'a Mask> {
        self.annotation.masks.get(usize::from(mask.0))
    }

    pub(super) fn function(&self, mask: MaskId, path: &str, element: &Element, type_name: &str) -> MaskFunction {
        self.mask(mask).map_or(MaskFunction::Withhold, |mask| mask.function(path, element.name, type_name))
    }

    /// Where an element of this node belongs, and the view of that place.
    pub(super) fn place_of(
        &self,
        key: &NodeKey,
        object: &ObjectType,
        element: &Element,
        hidden_root: bool,
    ) -> ElementPlace {
        let own = format!("{}.{}", object.name, element.name);
        if key.check.is_some() {
            let part =
                matches!((object.name, element.name), ("CodeableConcept", "coding") | ("Coding", "system" | "code"));
            return ElementPlace::inherited(key, if part { View::Full } else { View::None });
        }
        if key.whole {
            return ElementPlace::inherited(key, View::Full);
        }
        if object.is_in_resource() {
            return self.place_in_resource(key, object, self.lined(own, element), hidden_root);
        }
        if key.pass {
            return ElementPlace::inherited(key, View::Full);
        }
        if let Some(place) = &key.place {
            let through = format!("{place}.{}", element.name);
            let longer = self.has_longer_lines(&through).then(|| through.clone());
            if let Some(line) = self.annotation.places.get(&through) {
                let root = through.split('.').next().unwrap_or_default();
                let labelled = key.labelled || self.annotation.is_labelled(*line, root);
                return ElementPlace {
                    longer,
                    labelled,
                    looked: key.looked || self.looks_at(*line, root),
                    ..ElementPlace::inherited(key, self.view_of(*line, key.class))
                };
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

    /// The path by which a part is found in `elements.csv`: where another part has the same content (`item.item`), and
    /// no line names this one, that one's.
    fn lined(&self, own: String, element: &Element) -> String {
        match element.targets.first() {
            Some(Target::Object(id)) if !self.annotation.places.contains_key(&own) => {
                let content = self.object(*id);
                let has_line = content.is_in_resource() && self.annotation.places.contains_key(content.name);
                if has_line { content.name.to_owned() } else { own }
            }
            _ => own,
        }
    }

    pub(super) fn place_in_resource(
        &self,
        key: &NodeKey,
        object: &ObjectType,
        own: String,
        hidden_root: bool,
    ) -> ElementPlace {
        let line = self.annotation.places.get(&own).copied();
        let root = object.name.split('.').next().unwrap_or_default();
        let looked = line.map_or(key.looked, |place| self.looks_at(place, root));
        let (view, labelled, category, rest) = match line {
            // The code of each item decides: the place itself takes nothing away.
            Some(Place::Class) if self.annotation.item_lines(&own).next().is_some() => (View::Full, false, None, false),
            Some(place) => (
                self.view_of(place, key.class),
                self.annotation.is_labelled(place, root) || !object.is_resource && key.labelled,
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
        let longer = self.has_longer_lines(&own).then(|| own.clone());
        let holder = self.holds_extensions(&own).then_some(own);
        ElementPlace { view, narrow: View::Full, labelled, looked, category, rest, longer, holder }
    }

    /// What the data type's own line allows.
    pub(super) fn narrowing(&self, key: &NodeKey, object: &ObjectType, element: &Element, own: &str) -> View {
        match (object.name, key.target) {
            ("Reference", Some(target)) if matches!(element.name, "display" | "identifier") => {
                self.reference_view(target, &key.allowed, element.name)
            }
            _ => self.annotation.places.get(own).map_or(View::Full, |place| match place {
                Place::Class => View::None,
                place => self.view_of(*place, None),
            }),
        }
    }

    /// The view of `Reference.display` or `.identifier` for a target type; for an unknown one what all types that it may
    /// have allow.
    pub(super) fn reference_view(&self, target: usize, allowed: &[TypeId], element: &str) -> View {
        let resources = self.dictionary.resources();
        if target >= resources.len() {
            let may_be = |(_, id): &(usize, &TypeId)| allowed.is_empty() || allowed.contains(id);
            let views =
                resources.iter().enumerate().filter(may_be).map(|(place, _)| self.reference_view(place, &[], element));
            return views.reduce(meet).unwrap_or_default();
        }
        let name = self.dictionary.resources().get(target).map(|id| self.object(*id).name);
        let line = name.and_then(|name| self.annotation.references.get(&(name.to_owned(), element.to_owned())));
        let line = line.or_else(|| self.annotation.places.get(&format!("Reference.{element}")));
        line.map_or(View::None, |place| self.view_of(*place, None))
    }

    /// Whether `extensions.csv` names this element or one below it.
    fn holds_extensions(&self, path: &str) -> bool {
        let names = |on: &str| on.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.annotation.extensions.iter().any(|line| names(&line.on))
    }

    pub(super) fn has_longer_lines(&self, path: &str) -> bool {
        let prefix = format!("{path}.");
        self.annotation.places.range(prefix.clone()..).next().is_some_and(|(longer, _)| longer.starts_with(&prefix))
    }
}

/// An element's place in a node.
#[derive(Clone, Debug)]
pub(super) struct ElementPlace {
    pub(super) view: View,
    /// What the data type's own line allows.
    pub(super) narrow: View,
    pub(super) labelled: bool,
    pub(super) looked: bool,
    pub(super) category: Option<CategoryId>,
    pub(super) rest: bool,
    /// The element's path, where `elements.csv` has longer lines below it.
    pub(super) longer: Option<String>,
    /// The element's path, where `extensions.csv` names it.
    pub(super) holder: Option<String>,
}

impl ElementPlace {
    /// Below a data type: everything comes from the node.
    pub(super) const fn inherited(key: &NodeKey, view: View) -> Self {
        Self {
            view,
            narrow: View::Full,
            labelled: key.labelled,
            looked: key.looked,
            category: None,
            rest: false,
            longer: None,
            holder: None,
        }
    }

    /// The path that a data type at this place must know.
    pub(super) fn known(&self) -> Option<String> {
        self.longer.clone().or_else(|| self.holder.clone())
    }

    pub(super) fn path(&self, object: &ObjectType, element: &Element) -> String {
        format!("{}.{}", object.name, element.name)
    }
}
