//! Section 2: labels and class, from the whole resource.

use super::forms::fits;
use super::json::Value;
use super::model::{Key, contained, json_name, key, object_of, object_type, resource_type};
use super::place::{Here, Seen};
use super::{Slow, View};
use scruple_fhir::{Element, ObjectType};
use std::collections::BTreeSet;

/// The segments that are on a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels {
    pub segments: BTreeSet<String>,
    pub unclassified: bool,
    /// A security label that the pack does not list.
    pub unreadable: bool,
}

/// What is known of a resource as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub labels: Labels,
    /// The categories of its class.
    pub class: BTreeSet<String>,
}

impl Slow<'_> {
    /// The labels of a resource, those of its contained resources among them.
    pub(super) fn labels(&self, value: &Value) -> Labels {
        let mut labels = Labels::default();
        if let Some(object) = resource_type(value) {
            self.labels_of_resource(object, value, &mut labels);
        }
        labels
    }

    fn labels_of_resource(&self, object: &'static ObjectType, value: &Value, labels: &mut Labels) {
        if let Some(meta) = value.get("meta") {
            for coding in meta.get("security").map(Value::items).unwrap_or_default() {
                self.label_security(coding, labels);
            }
            let source = meta.get("source").and_then(Value::text);
            self.label_by_source("meta.source", source, labels);
        }
        for inner in contained(object, value) {
            if let Some(inner_type) = resource_type(inner) {
                self.labels_of_resource(inner_type, inner, labels);
            }
        }
        let here = super::place::top(self, object, &Facts::default());
        let top_labelled = self
            .pack
            .elements
            .get(&format!("{}.*", object.name))
            .is_some_and(|category| self.is_labelled(category, object.name));
        for member in value.members() {
            if matches!(member.key.as_str(), "meta" | "contained") {
                continue;
            }
            if let Some(key) = key(object, &member.key) {
                self.labels_of_member(&here, key, &member.value, (false, false), top_labelled, labels);
            }
        }
    }

    /// `inherited`: an element above is labelled; it is a security label. `strangers`: extensions that are not known are
    /// labelled here.
    fn labels_of_member(
        &self,
        here: &Here,
        key: Key,
        value: &Value,
        (inherited, security): (bool, bool),
        strangers: bool,
        labels: &mut Labels,
    ) {
        let element = &here.object.elements[key.element];
        let target = &element.targets[key.target];
        if matches!(element.name, "extension" | "modifierExtension") {
            for extension in value.items() {
                self.labels_of_extension(
                    &holders(here),
                    extension,
                    here.object.is_in_resource(),
                    inherited,
                    strangers,
                    labels,
                );
            }
            return;
        }
        let paths = here.paths(element, target);
        let labelled = inherited || paths.iter().any(|path| self.is_labelled_place(path));
        let security = security || element.name == "securityLabel";
        for item in value.items() {
            if key.underscore {
                let on = primitive_holders(here, element, key.target);
                for extension in item.get("extension").map(Value::items).unwrap_or_default() {
                    self.labels_of_extension(&on, extension, false, labelled, labelled, labels);
                }
            } else if let Some(inner) = object_of(target)
                && let Some(below) = here.below(element, target, &Seen { view: View::None, own: false }, View::None)
            {
                if labelled {
                    self.label_object(inner, item, labels);
                }
                match inner.name {
                    "Coding" if security => self.label_security(item, labels),
                    "CodeableConcept" if security && item.get("text").is_some() && item.get("coding").is_none() => {
                        labels.unreadable = true;
                    }
                    _ => {}
                }
                for member in item.members() {
                    if let Some(key) = super::model::key(inner, &member.key) {
                        self.labels_of_member(&below, key, &member.value, (labelled, security), labelled, labels);
                    }
                }
            }
        }
    }

    /// What is known is labelled by its category, all else by where it stands; what is inside goes with it.
    fn labels_of_extension(
        &self,
        on: &[String],
        extension: &Value,
        in_resource: bool,
        holder: bool,
        strangers: bool,
        labels: &mut Labels,
    ) {
        let known: Vec<&str> = self.extension_lines(on, extension);
        let root = on.first().and_then(|path| path.split('.').next()).unwrap_or_default();
        let labelled = if known.is_empty() {
            strangers
        } else {
            known.iter().any(|category| {
                if *category == "structure" {
                    holder
                } else {
                    (holder || in_resource) && self.is_labelled(category, root)
                }
            })
        };
        let Some(object) = object_type("Extension") else { return };
        if labelled {
            super::model::each_object(object, extension, &mut |inner, value| self.label_object(inner, value, labels));
        }
    }

    /// The facts of one object that stands below a labelled element.
    fn label_object(&self, object: &ObjectType, value: &Value, labels: &mut Labels) {
        match object.name {
            "Coding" => self.label_coding(value, labels),
            "CodeableConcept" if value.get("text").is_some() && value.get("coding").is_none() => {
                labels.unclassified = true
            }
            "Reference" => {
                let target = value.get("reference").and_then(Value::plain).and_then(super::reference::type_and_id);
                self.label_by_source("reference", target.as_deref(), labels);
            }
            _ => {}
        }
    }

    /// Reading: each sentence of the page holds on its own, so that a code can be in a segment and unclassified too.
    fn label_coding(&self, coding: &Value, labels: &mut Labels) {
        let Some((system, code)) = system_and_code(coding) else {
            labels.unclassified = true;
            return;
        };
        for (segment, codes) in &self.pack.segment_codes {
            let listed = codes.iter().any(|line| {
                line.system == system && if line.prefix { code.starts_with(&line.code) } else { line.code == code }
            });
            if listed {
                labels.add(segment);
            }
        }
        for meaning in self.security_label(system, code) {
            labels.add(meaning);
        }
        if !self.is_well_formed(system, code) {
            labels.unclassified = true;
        }
    }

    /// A Coding that is a security label, wherever it stands.
    fn label_security(&self, coding: &Value, labels: &mut Labels) {
        let meanings = system_and_code(coding).map(|(system, code)| self.security_label(system, code));
        match meanings.unwrap_or_default() {
            [] => labels.unreadable = true,
            meanings => meanings.iter().for_each(|meaning| labels.add(meaning)),
        }
    }

    fn security_label(&self, system: &str, code: &str) -> &[String] {
        self.pack.security_labels.get(&(system.to_owned(), code.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn label_by_source(&self, kind: &str, value: Option<&str>, labels: &mut Labels) {
        for (of_kind, listed, segment) in &self.pack.sources {
            if of_kind == kind && Some(listed.as_str()) == value {
                labels.add(segment);
            }
        }
    }

    /// The system is listed and the code has the form that is listed for it.
    pub(super) fn is_well_formed(&self, system: &str, code: &str) -> bool {
        let form = self.pack.code_systems.get(system).or_else(|| {
            // Reading: of several `system/*` the longest.
            let stars = self.pack.code_systems.iter().filter(|(listed, _)| {
                listed.strip_suffix('*').is_some_and(|prefix| {
                    let is_name = |name: &str| {
                        !name.is_empty()
                            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
                    };
                    prefix.ends_with('/') && system.strip_prefix(prefix).is_some_and(is_name)
                })
            });
            stars.max_by_key(|(listed, _)| listed.len()).map(|(_, form)| form)
        });
        form.is_some_and(|form| fits(form, code))
    }

    /// Codes in this category put segments on the resource.
    pub(super) fn is_labelled(&self, category: &str, root: &str) -> bool {
        if category == "class" {
            return self.type_discriminators(root).any(|line| self.pack.categories.get(&line.category) == Some(&true));
        }
        self.pack.categories.get(category) == Some(&true)
    }

    fn is_labelled_place(&self, path: &str) -> bool {
        let root = path.split('.').next().unwrap_or_default();
        if self.is_discriminated(path) {
            return self.discriminator_categories(path).iter().any(|category| self.is_labelled(category, root));
        }
        self.place_line(path).is_some_and(|(_, category)| self.is_labelled(category, root))
    }

    /// The categories that the lines of `extensions.csv` give an extension; empty: it is not known.
    pub(super) fn extension_lines(&self, on: &[String], extension: &Value) -> Vec<&str> {
        let Some(url) = extension.get("url").and_then(Value::plain) else { return Vec::new() };
        let lines =
            self.pack.extensions.iter().filter(|line| line.url == url && (line.on == "*" || on.contains(&line.on)));
        lines.map(|line| line.category.as_str()).collect()
    }

    // Discriminators.

    /// Those that choose the class of the whole resource: an element of the resource itself, or of its `meta`.
    fn type_discriminators(&self, name: &str) -> impl Iterator<Item = &super::pack::Discriminator> {
        self.pack.discriminators.iter().filter(move |line| holder(&line.element) == name)
    }

    /// Whether discriminators choose the category of the items at this place.
    pub(super) fn is_discriminated(&self, path: &str) -> bool {
        path.contains('.') && self.pack.discriminators.iter().any(|line| holder(&line.element) == path)
    }

    /// Every category that the discriminators of a place or type name.
    pub(super) fn discriminator_categories(&self, holding: &str) -> BTreeSet<String> {
        let lines = self.pack.discriminators.iter().filter(|line| holder(&line.element) == holding);
        lines.map(|line| line.category.clone()).collect()
    }

    /// The class of a resource.
    pub(super) fn class(&self, object: &ObjectType, value: &Value) -> BTreeSet<String> {
        self.item_class(object.name, value, Some(object))
    }

    /// The categories that the codes of an object choose. Reading: the lines of all elements of the type together.
    pub(super) fn item_class(&self, holding: &str, value: &Value, object: Option<&ObjectType>) -> BTreeSet<String> {
        let lines: Vec<_> = self.pack.discriminators.iter().filter(|line| holder(&line.element) == holding).collect();
        let is_default = |line: &super::pack::Discriminator| line.system == "default" || line.code == "default";
        let matched = lines.iter().filter(|line| {
            let found = element_values(line.element.strip_prefix(holding).unwrap_or_default(), value, object);
            !is_default(line)
                && found.iter().any(|found| match found {
                    Value::Text(raw) => *raw == line.code,
                    coded => {
                        let codings = match coded.get("coding") {
                            Some(list) => list.items(),
                            // A resource's class is told by Codings alone: what stands in a CodeableConcept itself is none.
                            None if is_concept(&line.element, holding, object) => &[],
                            None => std::slice::from_ref(*coded),
                        };
                        codings.iter().any(|coding| system_and_code(coding) == Some((&line.system, &line.code)))
                    }
                })
        });
        let matched: BTreeSet<String> = matched.map(|line| line.category.clone()).collect();
        if !matched.is_empty() {
            return matched;
        }
        let defaults: BTreeSet<String> =
            lines.iter().filter(|line| is_default(line)).map(|line| line.category.clone()).collect();
        if defaults.is_empty() { self.discriminator_categories(holding) } else { defaults }
    }
}

impl Labels {
    fn add(&mut self, meaning: &str) {
        match meaning {
            "none" => {}
            "unclassified" => self.unclassified = true,
            segment => {
                self.segments.insert(segment.to_owned());
            }
        }
    }
}

/// What holds the element that a discriminator reads. Reading: an element of `meta` is one of the resource.
pub(super) fn holder(element: &str) -> &str {
    let holding = element.rsplit_once('.').map(|(holding, _)| holding).unwrap_or_default();
    holding.strip_suffix(".meta").unwrap_or(holding)
}

/// The values of an element (`.category`, `.value[x]`, `.meta.security`) of an object, each item of arrays.
fn element_values<'a>(path: &str, value: &'a Value, object: Option<&ObjectType>) -> Vec<&'a Value> {
    let mut found = vec![value];
    let mut object = object;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let keys: Vec<String> = match object.and_then(|object| object.element(name)) {
            Some(element) => (0..element.targets.len()).map(|target| json_name(element, target)).collect(),
            None => vec![name.to_owned()],
        };
        found = found
            .iter()
            .flat_map(|value| value.members())
            .filter(|member| keys.contains(&member.key))
            .flat_map(|member| member.value.items())
            .collect();
        object = object
            .and_then(|object| object.element(name))
            .and_then(|element| element.targets.first())
            .and_then(object_of);
    }
    found
}

/// Whether a discriminator of a resource's class reads a CodeableConcept.
fn is_concept(element: &str, holding: &str, object: Option<&ObjectType>) -> bool {
    let path = element.strip_prefix(holding).unwrap_or_default();
    let mut object = object.filter(|object| object.name == holding);
    for name in path.split('.').filter(|name| !name.is_empty()) {
        object = object.and_then(|object| object.element(name)?.targets.first().and_then(object_of));
    }
    object.is_some_and(|object| object.name == "CodeableConcept")
}

/// Both, where both are strings without an escape.
pub(super) fn system_and_code(coding: &Value) -> Option<(&str, &str)> {
    Some((coding.get("system")?.plain()?, coding.get("code")?.plain()?))
}

/// The paths under which `extensions.csv` may name the holder of an extension array: by its place, and by its type.
pub(super) fn holders(here: &Here) -> Vec<String> {
    let mut on = vec![here.path.clone(), here.object.name.to_owned()];
    if !here.object.is_in_resource() {
        on.push("Element".to_owned());
    }
    on
}

/// The same for the `_x` of a primitive: its places, its FHIR type, or `Element`.
pub(super) fn primitive_holders(here: &Here, element: &Element, target: usize) -> Vec<String> {
    let mut on = vec![format!("{}.{}", here.path, element.name), format!("{}.{}", here.object.name, element.name)];
    on.extend(element.type_names.get(target).map(|name| (*name).to_owned()));
    on.push("Element".to_owned());
    on
}
