//! Section 1: what makes a resource malformed.

use super::json::Value;
use super::model::{Scalar, key, object_of, object_type, resource_type, scalar};
use super::{Faults, Slow, View, Withheld};
use scruple_fhir::{ObjectType, Target};
use std::collections::{HashMap, HashSet};

impl Slow<'_> {
    pub(super) fn check_faults(&self, value: &Value) -> Result<(), Withheld> {
        if self.resource_is_sound(value) { Ok(()) } else { Err(Withheld::Malformed) }
    }

    /// A resource names its type once. Reading: a fault in an inner resource is a fault of the whole.
    fn resource_is_sound(&self, value: &Value) -> bool {
        let named = value.members().iter().filter(|member| member.key == "resourceType").count();
        match resource_type(value) {
            Some(object) if self.faults == Faults::WhereSeen && self.is_home_of_all_none(object) => true,
            Some(object) if named == 1 => self.object_is_sound(object, value, object.name),
            _ => false,
        }
    }

    /// No class of the type has a home: only its type is looked at.
    fn is_home_of_all_none(&self, object: &ObjectType) -> bool {
        let view = |category: &str| self.decision.views.get(category).cloned().unwrap_or(View::None);
        match self.pack.elements.get(object.name).map(String::as_str) {
            None | Some("withheld") => true,
            Some("structure") => false,
            Some("class") => self.discriminator_categories(object.name).iter().all(|category| view(category) == View::None),
            Some(category) => view(category) == View::None,
        }
    }

    fn object_is_sound(&self, object: &'static ObjectType, value: &Value, path: &str) -> bool {
        let Value::Object(members) = value else { return false };
        let mut seen = HashSet::new();
        let mut choices = HashMap::new();
        for member in members {
            let Some(key) = key(object, &member.key) else { continue };
            if !seen.insert(member.key.as_str()) {
                return false;
            }
            // A choice with one type alone; `x` and `_x` count apart.
            if *choices.entry((key.element, key.underscore)).or_insert(key.target) != key.target {
                return false;
            }
            let element = &object.elements[key.element];
            let target = &element.targets[key.target];
            let below = format!("{path}.{}", element.name);
            let items = match (&member.value, element.many) {
                (Value::List(items), true) if !items.is_empty() => items.as_slice(),
                (Value::List(_), _) | (_, true) => return false,
                (single, false) => std::slice::from_ref(single),
            };
            let nulls = element.many && matches!(target, Target::Primitive(_));
            let looked_at = self.faults == Faults::Everywhere || !self.is_dull(&below);
            for item in items {
                let sound = match (item, target) {
                    (Value::Null, _) => nulls,
                    (Value::Object(_), _) if key.underscore => !looked_at || self.below_is_sound(item, &below),
                    (_, Target::Primitive(_)) if key.underscore => false,
                    (Value::Bool(_), Target::Primitive(name)) => scalar(name) == Scalar::Bool,
                    (Value::Number(_), Target::Primitive(name)) => scalar(name) == Scalar::Number,
                    (Value::Text(_), Target::Primitive(name)) => scalar(name) == Scalar::Text,
                    (_, Target::Primitive(_)) => false,
                    (Value::Object(_), Target::Resource) => self.resource_is_sound(item),
                    (Value::Object(_), other) => match object_of(other) {
                        Some(inner) => !looked_at || self.object_is_sound(inner, item, &below),
                        None => false,
                    },
                    _ => false,
                };
                if !sound {
                    return false;
                }
            }
        }
        true
    }

    /// The `_x` of a primitive: `id`, a string, and `extension`, an array of extensions.
    fn below_is_sound(&self, value: &Value, path: &str) -> bool {
        let of = |name: &'static str| value.members().iter().filter(move |member| member.key == name);
        let id = of("id").all(|member| matches!(member.value, Value::Text(_)));
        let extension = of("extension").all(|member| match (&member.value, object_type("Extension")) {
            (Value::List(items), Some(object)) if !items.is_empty() => {
                items.iter().all(|item| self.object_is_sound(object, item, &format!("{path}.extension")))
            }
            _ => false,
        });
        id && extension && of("id").count() <= 1 && of("extension").count() <= 1
    }

    /// Whether a value at this place can neither show nor carry facts. Reading: by the pack alone: its place and all
    /// places below are none for this decision without labels (a class: all its categories), none of them is labelled,
    /// no discriminator reads there, and it is no `meta`, `contained`, `extension` or `modifierExtension`.
    fn is_dull(&self, path: &str) -> bool {
        let last = path.rsplit('.').next().unwrap_or_default();
        if matches!(last, "meta" | "contained" | "extension" | "modifierExtension") {
            return false;
        }
        let inside = |line: &str| line == path || line.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let root = path.split('.').next().unwrap_or_default();
        let mut categories: Vec<&str> =
            self.pack.elements.iter().filter(|(line, _)| inside(line)).map(|(_, category)| category.as_str()).collect();
        categories.extend(self.place_line(path).map(|(_, category)| category));
        if categories.contains(&"class") {
            let of_type = self.pack.discriminators.iter().filter(|line| line.element.split('.').next() == Some(root));
            categories.extend(of_type.map(|line| line.category.as_str()));
        }
        let read = self.pack.discriminators.iter().any(|line| inside(&line.element));
        let marked = categories.iter().any(|category| self.pack.categories.get(*category) == Some(&true));
        let hidden = categories.iter().all(|category| match *category {
            "structure" => false,
            "withheld" | "class" => true,
            other => self.decision.views.get(other).is_none_or(|view| *view == View::None),
        });
        hidden && !marked && !read
    }
}
