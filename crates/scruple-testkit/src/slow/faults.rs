//! Section 1: what makes a resource malformed.

use super::json::Value;
use super::model::{Key, Scalar, key, object_of, object_type, resource_type, scalar};
use super::{Faults, Slow, View, Withheld};
use scruple_fhir::{Element, ObjectType, Target};
use std::collections::{HashMap, HashSet};

impl Slow<'_> {
    pub(super) fn check_faults(&self, value: &Value) -> Result<(), Withheld> {
        if self.resource_is_sound(value) { Ok(()) } else { Err(Withheld::Malformed) }
    }

    /// A resource names its type once. Reading: a fault in an inner resource is a fault of the whole.
    fn resource_is_sound(&self, value: &Value) -> bool {
        match resource_type(value) {
            Some(object) if self.faults == Faults::WhereSeen && self.is_home_of_all_none(object) => true,
            _ => self.named_resource_is_sound(value),
        }
    }

    fn named_resource_is_sound(&self, value: &Value) -> bool {
        let named = value.members().iter().filter(|member| member.key == "resourceType").count();
        let Some(object) = resource_type(value).filter(|_| named == 1) else { return false };
        let rest = self.pack.elements.get(&format!("{}.*", object.name));
        let judged = Judged {
            path: object.name.to_owned(),
            labelled: rest.is_some_and(|category| self.is_labelled(category, object.name)),
            looked: self.faults == Faults::Everywhere
                || rest.is_some_and(|category| self.is_looked_at(category, object.name)),
            primitive: None,
            inside: false,
        };
        self.object_is_sound(object, value, &judged)
    }

    /// Whether a place shows for some class before labels.
    fn is_looked_at(&self, category: &str, root: &str) -> bool {
        let shows = |category: &str| self.decision.views.get(category).is_some_and(|view| *view != View::None);
        self.faults == Faults::Everywhere
            || self.decision.passes
            || match category {
                "structure" => true,
                "withheld" => false,
                "class" => self.discriminator_categories(root).iter().any(|category| shows(category)),
                category => shows(category),
            }
    }

    /// No class of the type has a home: only its type is looked at.
    fn is_home_of_all_none(&self, object: &ObjectType) -> bool {
        let view = |category: &str| self.decision.views.get(category).cloned().unwrap_or(View::None);
        match self.pack.elements.get(object.name).map(String::as_str) {
            None | Some("withheld") => true,
            Some("structure") => false,
            Some("class") => {
                self.discriminator_categories(object.name).iter().all(|category| view(category) == View::None)
            }
            Some(category) => view(category) == View::None,
        }
    }

    fn object_is_sound(&self, object: &'static ObjectType, value: &Value, judged: &Judged) -> bool {
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
            let items = match (&member.value, element.many) {
                (Value::List(items), true) if !items.is_empty() => items.as_slice(),
                (Value::List(_), _) | (_, true) => return false,
                (single, false) => std::slice::from_ref(single),
            };
            let nulls = element.many && matches!(target, Target::Primitive(_));
            let below = self.judged_below(object, element, judged);
            for item in items {
                let sound = match (item, target) {
                    (Value::Null, _) => nulls,
                    (Value::Object(_), _) if key.underscore => self.below_is_sound(object, element, key, item, &below),
                    (_, Target::Primitive(_)) if key.underscore => false,
                    (Value::Bool(_), Target::Primitive(name)) => scalar(name) == Scalar::Bool,
                    (Value::Number(_), Target::Primitive(name)) => scalar(name) == Scalar::Number,
                    (Value::Text(_), Target::Primitive(name)) => scalar(name) == Scalar::Text,
                    (_, Target::Primitive(_)) => false,
                    // Those contained are walked for their labels, whatever their type.
                    (Value::Object(_), Target::Resource) if element.name == "contained" => {
                        self.named_resource_is_sound(item)
                    }
                    (Value::Object(_), Target::Resource) => self.resource_is_sound(item),
                    (Value::Object(_), _) if object.is_resource && element.name == "meta" => meta_is_sound(item),
                    (Value::Object(_), _) if matches!(element.name, "extension" | "modifierExtension") => {
                        self.extension_is_sound(object, item, judged)
                    }
                    (Value::Object(_), other) => match object_of(other) {
                        Some(inner) => {
                            self.is_dull(object, element, inner, &below) || self.object_is_sound(inner, item, &below)
                        }
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

    /// What holds for an element of a part or a resource by its line, or else by what holds it.
    fn judged_below(&self, object: &ObjectType, element: &Element, judged: &Judged) -> Judged {
        let in_data = !object.is_in_resource();
        let path = if in_data { &judged.path } else { object.name };
        let path = format!("{path}.{}", element.name);
        let root = path.split('.').next().unwrap_or_default().to_owned();
        let (labelled, looked) = match self.pack.elements.get(&path) {
            Some(category) => (
                self.is_labelled(category, &root) || !object.is_resource && judged.labelled,
                self.is_looked_at(category, &root) || in_data && judged.looked,
            ),
            None => (judged.labelled, judged.looked),
        };
        let looked = looked || self.is_discriminated(&path);
        Judged { path, labelled, looked, primitive: None, inside: judged.inside }
    }

    /// The `_x` of a primitive.
    fn below_is_sound(&self, object: &ObjectType, element: &Element, key: Key, value: &Value, judged: &Judged) -> bool {
        let Some(holder) = object_type("Element") else { return false };
        let path = format!("{}.{}", object.name, element.name);
        let primitive = element.type_names.get(key.target).copied();
        !judged.looked && !judged.labelled
            || self.object_is_sound(holder, value, &Judged { path, primitive, ..judged.clone() })
    }

    /// An extension is looked into if it can show or carry facts: by its line, or by what holds it.
    fn extension_is_sound(&self, holder: &ObjectType, value: &Value, judged: &Judged) -> bool {
        let Some(object) = object_type("Extension") else { return false };
        let mut on = vec![judged.path.clone(), holder.name.to_owned()];
        on.extend(judged.primitive.map(str::to_owned));
        if !holder.is_in_resource() {
            on.push("Element".to_owned());
        }
        let nested = holder.name == "Extension" || judged.inside;
        let lines = if nested { Vec::new() } else { self.extension_lines(&on, value) };
        let in_resource = holder.is_in_resource();
        let inherited = judged.looked || self.decision.passes || self.faults == Faults::Everywhere;
        let judged = if nested {
            Judged { path: "Extension".to_owned(), primitive: None, inside: true, ..judged.clone() }
        } else if lines.is_empty() {
            let looked = self.decision.passes || self.faults == Faults::Everywhere;
            Judged { path: "Extension".to_owned(), labelled: judged.labelled, looked, primitive: None, inside: true }
        } else {
            let labelled = lines.iter().any(|category| match *category {
                "structure" => judged.labelled && !holder.is_resource,
                category => (judged.labelled || in_resource) && self.is_labelled(category, ""),
            });
            let looked = lines.iter().any(|category| match *category {
                "structure" => inherited || holder.is_resource,
                category => (inherited || in_resource) && self.is_looked_at(category, ""),
            });
            Judged { path: "Extension".to_owned(), labelled, looked, primitive: None, inside: true }
        };
        !judged.looked && !judged.labelled || self.object_is_sound(object, value, &judged)
    }

    /// Whether a value of a data type can neither show, for any class, nor carry facts, so that only its kind is judged.
    fn is_dull(&self, object: &ObjectType, element: &Element, inner: &ObjectType, judged: &Judged) -> bool {
        if object.is_resource && element.name == "text" {
            return !judged.labelled && !self.decision.passes && self.faults == Faults::WhereSeen;
        }
        if judged.looked || judged.labelled || inner.is_in_resource() {
            return false;
        }
        let has_lines = self
            .pack
            .elements
            .keys()
            .any(|line| line.strip_prefix(judged.path.as_str()).is_some_and(|rest| rest.starts_with('.')));
        let read = self.pack.discriminators.iter().any(|line| {
            judged.path.strip_prefix(line.element.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        !has_lines && !read
    }
}

/// What holds for the faults of an object.
#[derive(Clone)]
struct Judged {
    /// Its path by the dictionary, through data types.
    path: String,
    /// Codes below it are labels.
    labelled: bool,
    /// It shows for some class before labels.
    looked: bool,
    /// The FHIR type of the primitive beside which it stands.
    primitive: Option<&'static str>,
    /// It is inside an extension, where all is as the extension.
    inside: bool,
}

/// Of `meta` only the kinds of its members are judged.
fn meta_is_sound(value: &Value) -> bool {
    let Some(object) = object_type("Meta") else { return false };
    let mut seen = HashSet::new();
    value.members().iter().all(|member| {
        let Some(key) = key(object, &member.key) else { return true };
        let element = &object.elements[key.element];
        let primitive = match &element.targets[key.target] {
            Target::Primitive(name) if !key.underscore => Some(scalar(name)),
            _ => None,
        };
        let nulls = element.many && matches!(element.targets[key.target], Target::Primitive(_));
        let fits = |item: &Value| match item {
            Value::Null => nulls,
            Value::Bool(_) => primitive == Some(Scalar::Bool),
            Value::Number(_) => primitive == Some(Scalar::Number),
            Value::Text(_) => primitive == Some(Scalar::Text),
            Value::Object(_) => primitive.is_none(),
            Value::List(_) => false,
        };
        // A label has one system and one code, both strings.
        let is_label = |item: &Value| {
            ["system", "code"].iter().all(|name| {
                let mut of = item.members().iter().filter(|member| member.key == *name);
                of.next().is_none_or(|member| matches!(member.value, Value::Text(_))) && of.next().is_none()
            })
        };
        let labels = element.name != "security" || member.value.items().iter().all(is_label);
        seen.insert(member.key.clone())
            && labels
            && match &member.value {
                Value::List(items) => element.many && !items.is_empty() && items.iter().all(fits),
                single => !element.many && fits(single),
            }
    })
}
