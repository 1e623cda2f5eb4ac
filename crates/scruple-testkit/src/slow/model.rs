//! The dictionary as keys of JSON objects: which element, which of its types, and whether it is the `_x`.

use super::json::Value;
use scruple_fhir::{Element, ObjectType, Target, dictionary};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a key of an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Place of the element in the type.
    pub element: usize,
    /// Which of its targets.
    pub target: usize,
    /// `_x`
    pub underscore: bool,
}

/// The JSON type of a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `true`, `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    Text,
}

type Keys = HashMap<&'static str, HashMap<String, Key>>;

static KEYS: LazyLock<Keys> =
    LazyLock::new(|| dictionary().types().iter().map(|object| (object.name, keys_of(object))).collect());

fn keys_of(object: &'static ObjectType) -> HashMap<String, Key> {
    let mut keys = HashMap::new();
    for (place, element) in object.elements.iter().enumerate() {
        for (target, meaning) in element.targets.iter().enumerate() {
            let name = json_name(element, target);
            if matches!(meaning, Target::Primitive(_)) {
                keys.insert(format!("_{name}"), Key { element: place, target, underscore: true });
            }
            keys.insert(name, Key { element: place, target, underscore: false });
        }
    }
    keys
}

/// The key of one type of an element: `valueQuantity` of `value[x]`.
#[must_use]
pub fn json_name(element: &Element, target: usize) -> String {
    match element.name.strip_suffix("[x]") {
        None => element.name.to_owned(),
        Some(base) => {
            let type_name = element.type_names.get(target).copied().unwrap_or_default();
            let mut letters = type_name.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase()).unwrap_or_default();
            format!("{base}{first}{}", letters.as_str())
        }
    }
}

/// What the key is in that type; `None`: it is unknown.
#[must_use]
pub fn key(object: &ObjectType, name: &str) -> Option<Key> {
    KEYS.get(object.name)?.get(name).copied()
}

/// The object type of that name.
#[must_use]
pub fn object_type(name: &str) -> Option<&'static ObjectType> {
    dictionary().find(name).map(|id| dictionary().get(id))
}

/// The type of the objects that the target holds; `None` for primitives and for resources, which name their own.
#[must_use]
pub fn object_of(target: &Target) -> Option<&'static ObjectType> {
    match target {
        Target::Object(id) => Some(dictionary().get(*id)),
        Target::Reference(_) => object_type("Reference"),
        Target::Primitive(_) | Target::Resource => None,
    }
}

/// The resource type that an object names, if it is one of the 146.
#[must_use]
pub fn resource_type(value: &Value) -> Option<&'static ObjectType> {
    let name = value.get("resourceType")?.text()?;
    dictionary().resource(name).map(|id| dictionary().get(id))
}

/// The contained resources of a resource; Binary, Bundle and Parameters have none.
#[must_use]
pub fn contained<'a>(object: &ObjectType, value: &'a Value) -> &'a [Value] {
    let list = value.get("contained").filter(|_| object.element("contained").is_some());
    list.map(Value::items).unwrap_or_default()
}

/// The JSON type of a primitive.
#[must_use]
pub fn scalar(primitive: &str) -> Scalar {
    match primitive {
        "boolean" => Scalar::Bool,
        "integer" | "positiveInt" | "unsignedInt" | "decimal" => Scalar::Number,
        _ => Scalar::Text,
    }
}

/// Calls with every known object in the tree: its type, its value. Contained and other inner resources too.
pub fn each_object(object: &'static ObjectType, value: &Value, visit: &mut dyn FnMut(&'static ObjectType, &Value)) {
    visit(object, value);
    for member in value.members() {
        let Some(key) = key(object, &member.key) else { continue };
        for item in member.value.items() {
            if key.underscore {
                // `_x` has `id` and `extension` and is no type of the dictionary.
                for extension in item.get("extension").map(Value::items).unwrap_or_default() {
                    if let Some(inner) = object_type("Extension") {
                        each_object(inner, extension, visit);
                    }
                }
                continue;
            }
            let inner = match &object.elements[key.element].targets[key.target] {
                Target::Resource => resource_type(item),
                target => object_of(target),
            };
            if let Some(inner) = inner
                && matches!(item, Value::Object(_))
            {
                each_object(inner, item, visit);
            }
        }
    }
}
