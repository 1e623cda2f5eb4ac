//! Documents: what a client may say of a resource, cleaned by the schema, and what of a resource is shown.

use super::error::ScimError;
use super::limits::{TEXT_BYTES_MAX, VALUES_MAX};
use super::path::{self, Target};
use super::schema::{Attribute, Kind, Mutability, ResourceType, find};
use serde_json::{Map, Value};

/// What a client says of a resource, by the schema: names in their case, what is unknown or not his to say left out,
/// empty values gone, types checked.
pub fn clean(kind: &'static ResourceType, said: &Value) -> Result<Map<String, Value>, ScimError> {
    let said = said.as_object().ok_or(ScimError::SYNTAX)?;
    let mut document = Map::new();
    for (name, value) in said {
        if let Some(schema) = kind.extension(name) {
            let parts = value.as_object().ok_or(ScimError::SYNTAX)?;
            let mut own = Map::new();
            for (name, value) in parts {
                if let Some(attribute) = find(schema.attributes, name) {
                    put(&mut own, attribute, value)?;
                }
            }
            if !own.is_empty() {
                document.insert(schema.urn.to_owned(), own.into());
            }
        } else if let Some(attribute) = kind.attribute(name) {
            put(&mut document, attribute, value)?;
        }
    }
    for attribute in kind.core.attributes.iter().filter(|attribute| attribute.is_required) {
        document.get(attribute.name).ok_or(ScimError::VALUE)?;
    }
    Ok(document)
}

fn put(into: &mut Map<String, Value>, attribute: &'static Attribute, value: &Value) -> Result<(), ScimError> {
    if attribute.mutability != Mutability::ReadOnly
        && let Some(value) = clean_value(attribute, value)?
    {
        into.insert(attribute.name.to_owned(), value);
    }
    Ok(())
}

/// One attribute's value, or the list of its values. Nothing left: `None`.
pub fn clean_value(attribute: &'static Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    if !attribute.is_multi {
        return clean_one(attribute, value);
    }
    let said = match value {
        Value::Null => return Ok(None),
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let is_bounded = attribute.name != "members";
    if is_bounded && said.len() > VALUES_MAX {
        return Err(ScimError::VALUE);
    }
    let mut values = Vec::new();
    for one in said {
        values.extend(clean_one(attribute, one)?);
    }
    let primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    if values.iter().filter(|value| primary(value)).count() > 1 {
        return Err(ScimError::VALUE);
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// One value.
pub fn clean_one(attribute: &'static Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::Complex, Value::Object(said)) => {
            let mut parts = Map::new();
            for (name, value) in said {
                if let Some(sub) = find(attribute.sub, name) {
                    put(&mut parts, sub, value)?;
                }
            }
            Ok((!parts.is_empty()).then_some(parts.into()))
        }
        // A manager is often said by his id alone.
        (Kind::Complex, Value::String(_)) => match find(attribute.sub, "value") {
            Some(sub) => Ok(clean_one(sub, value)?.map(|value| Map::from_iter([("value".to_owned(), value)]).into())),
            None => Err(ScimError::VALUE),
        },
        (Kind::Flag, Value::Bool(flag)) => Ok(Some(Value::Bool(*flag))),
        // Some directories say it as a text.
        (Kind::Flag, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
        (Kind::Flag, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
        (Kind::Text | Kind::Reference | Kind::DateTime, Value::String(text)) => {
            if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                return Err(ScimError::VALUE);
            }
            Ok((!text.trim().is_empty()).then(|| Value::String(text.clone())))
        }
        _ => Err(ScimError::VALUE),
    }
}

/// Which attributes an answer shows.
#[derive(Debug, Default)]
pub struct Shown {
    only: Vec<String>,
    without: Vec<String>,
}

impl Shown {
    pub fn new(only: Vec<String>, without: Vec<String>) -> Result<Self, ScimError> {
        if !only.is_empty() && !without.is_empty() {
            return Err(ScimError::PARAMETERS);
        }
        Ok(Self { only, without })
    }

    /// The resource as it is shown. `id` and `schemas` always are (RFC 7643, 7: `returned`).
    pub fn of(&self, kind: &'static ResourceType, resource: Value) -> Value {
        let Value::Object(whole) = resource else { return resource };
        if !self.only.is_empty() {
            let mut shown = Map::new();
            for name in ["schemas", "id"] {
                shown.extend(whole.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            for path in &self.only {
                if let Some(target) = path::parse(kind, path) {
                    keep(&whole, &mut shown, &target);
                }
            }
            return shown.into();
        }
        let mut shown = whole;
        for schema in kind.extensions {
            let Some(own) = shown.get_mut(schema.urn).and_then(Value::as_object_mut) else { continue };
            for attribute in schema.attributes.iter().filter(|attribute| attribute.is_on_request) {
                own.remove(attribute.name);
            }
            if own.is_empty() {
                shown.remove(schema.urn);
            }
        }
        for path in &self.without {
            if let Some(target) = path::parse(kind, path) {
                drop_target(&mut shown, &target);
            }
        }
        shown.into()
    }
}

fn keep(whole: &Map<String, Value>, shown: &mut Map<String, Value>, target: &Target) {
    let (extension, attribute, sub) = match target {
        Target::Extension(schema) => {
            shown.extend(whole.get(schema.urn).map(|value| (schema.urn.to_owned(), value.clone())));
            return;
        }
        Target::Attribute { extension, attribute, sub, .. } => (extension, attribute, sub),
        Target::NotKept => return,
    };
    let from = match extension {
        Some(schema) => whole.get(schema.urn).and_then(Value::as_object),
        None => Some(whole),
    };
    let Some(value) = from.and_then(|from| from.get(attribute.name)) else { return };
    let into = match extension {
        Some(schema) => shown.entry(schema.urn).or_insert_with(|| Map::new().into()).as_object_mut(),
        None => Some(shown),
    };
    let Some(into) = into else { return };
    match sub {
        None => {
            into.insert(attribute.name.to_owned(), value.clone());
        }
        Some(sub) => {
            let mut shown = into.remove(attribute.name).unwrap_or(Value::Null);
            keep_part(value, &mut shown, sub.name);
            into.insert(attribute.name.to_owned(), shown);
        }
    }
}

fn keep_part(value: &Value, shown: &mut Value, name: &str) {
    match value {
        Value::Array(list) => {
            if !shown.is_array() {
                *shown = Value::Array(vec![Value::Null; list.len()]);
            }
            for (value, shown) in list.iter().zip(shown.as_array_mut().into_iter().flatten()) {
                keep_part(value, shown, name);
            }
        }
        Value::Object(object) => {
            if !shown.is_object() {
                *shown = Map::new().into();
            }
            if let (Some(value), Some(shown)) = (object.get(name), shown.as_object_mut()) {
                shown.insert(name.to_owned(), value.clone());
            }
        }
        _ => {}
    }
}

fn drop_target(shown: &mut Map<String, Value>, target: &Target) {
    match target {
        Target::Extension(schema) => {
            shown.remove(schema.urn);
        }
        Target::Attribute { attribute, .. } if matches!(attribute.name, "id" | "schemas") => {}
        Target::Attribute { extension, attribute, sub, .. } => {
            let from = match extension {
                Some(schema) => shown.get_mut(schema.urn).and_then(Value::as_object_mut),
                None => Some(shown),
            };
            let Some(from) = from else { return };
            match sub {
                None => {
                    from.remove(attribute.name);
                }
                Some(sub) => match from.get_mut(attribute.name) {
                    Some(Value::Array(list)) => {
                        list.iter_mut().filter_map(Value::as_object_mut).for_each(|one| drop(one.remove(sub.name)));
                    }
                    Some(Value::Object(object)) => drop(object.remove(sub.name)),
                    _ => {}
                },
            }
        }
        Target::NotKept => {}
    }
}
