//! PATCH (RFC 7644, 3.5.2): operations on a document, one after the other; the first that cannot be done ends it.
//!
//! Beyond the letter of the RFC, as directories in use do it: operations in any case, `a.b` as a name in a value without a
//! path, a value of `remove` that names which members go, and an `add` whose filter finds nothing but says what is meant.

use super::document::{clean, clean_one, clean_value};
use super::error::ScimError;
use super::filter::{Filter, Operator, within};
use super::limits::PATCH_OPERATIONS_MAX;
use super::path::{self, Target};
use super::schema::{Attribute, Kind, Mutability, ResourceType};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Add,
    Replace,
    Remove,
}

/// A document after the operations, and the attributes that they named.
#[derive(Debug)]
pub struct Patched {
    pub document: Map<String, Value>,
    pub touched: BTreeSet<&'static str>,
}

/// Applies the operations of a request to a document.
pub fn apply(kind: &'static ResourceType, document: Map<String, Value>, request: &Value) -> Result<Patched, ScimError> {
    let operations = member(request, "Operations").and_then(Value::as_array).ok_or(ScimError::SYNTAX)?;
    if operations.is_empty() || operations.len() > PATCH_OPERATIONS_MAX {
        return Err(ScimError::SYNTAX);
    }
    let mut patch = Patch { kind, document, touched: BTreeSet::new() };
    for operation in operations {
        let act = match member(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("add") => Act::Add,
            Some("replace") => Act::Replace,
            Some("remove") => Act::Remove,
            _ => return Err(ScimError::SYNTAX),
        };
        let value = member(operation, "value");
        match member(operation, "path") {
            Some(Value::String(path)) => patch.at_path(act, path, value)?,
            Some(Value::Null) | None => patch.whole(act, value)?,
            Some(_) => return Err(ScimError::PATH),
        }
    }
    let Patch { document, touched, .. } = patch;
    Ok(Patched { document: clean(kind, &document.into())?, touched })
}

/// A member of a message, in any case.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

struct Patch {
    kind: &'static ResourceType,
    document: Map<String, Value>,
    touched: BTreeSet<&'static str>,
}

impl Patch {
    /// An operation without a path: its value names the attributes.
    fn whole(&mut self, act: Act, value: Option<&Value>) -> Result<(), ScimError> {
        if act == Act::Remove {
            return Err(ScimError::NO_TARGET);
        }
        let said = value.and_then(Value::as_object).ok_or(ScimError::VALUE)?;
        for (name, value) in said {
            // What is unknown, or not the client's to say, is left out as in any representation of a resource.
            match path::parse(self.kind, name) {
                Some(target) if !target.is_read_only() => self.change(act, &target, Some(value))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn at_path(&mut self, act: Act, path: &str, value: Option<&Value>) -> Result<(), ScimError> {
        let target = path::parse(self.kind, path).ok_or(ScimError::PATH)?;
        if target.is_read_only() {
            return Err(ScimError::MUTABILITY);
        }
        self.change(act, &target, value)
    }

    fn change(&mut self, act: Act, target: &Target, value: Option<&Value>) -> Result<(), ScimError> {
        let (extension, attribute, filter, sub) = match target {
            Target::NotKept => return Ok(()),
            Target::Extension(schema) => {
                self.touched.extend(schema.attributes.iter().map(|attribute| attribute.name));
                if act == Act::Remove {
                    self.document.remove(schema.urn);
                    return Ok(());
                }
                let said = value.and_then(Value::as_object).ok_or(ScimError::VALUE)?;
                for (name, value) in said {
                    match path::parse(self.kind, &format!("{}:{name}", schema.urn)) {
                        Some(target) if !target.is_read_only() => self.change(act, &target, Some(value))?,
                        _ => {}
                    }
                }
                return Ok(());
            }
            Target::Attribute { extension, attribute, filter, sub } => (extension, *attribute, filter, *sub),
        };
        self.touched.insert(attribute.name);
        let holder = match extension {
            Some(schema) => {
                let own = self.document.entry(schema.urn).or_insert_with(|| Map::new().into());
                own.as_object_mut().ok_or(ScimError::SYNTAX)?
            }
            None => &mut self.document,
        };
        let is_whole = filter.is_none() && sub.is_none();
        if act == Act::Remove && attribute.is_required && is_whole {
            return Err(ScimError::MUTABILITY);
        }
        if sub.is_some_and(|sub| sub.mutability == Mutability::Immutable) {
            return Err(ScimError::MUTABILITY);
        }
        if attribute.is_multi {
            many(holder, act, attribute, filter.as_ref(), sub, value)
        } else {
            single(holder, act, attribute, sub, value)
        }
    }
}

/// A value is needed; `null` is one that takes away.
fn needed(value: Option<&Value>) -> Result<&Value, ScimError> {
    value.ok_or(ScimError::VALUE)
}

fn single(
    holder: &mut Map<String, Value>,
    act: Act,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let said = match (act, sub) {
        (Act::Remove, None) => None,
        (Act::Remove, Some(sub)) => {
            if let Some(parts) = holder.get_mut(attribute.name).and_then(Value::as_object_mut) {
                parts.remove(sub.name);
            }
            return Ok(());
        }
        (_, None) => clean_value(attribute, needed(value)?)?,
        (_, Some(sub)) => match clean_value(sub, needed(value)?)? {
            Some(value) => Some(Map::from_iter([(sub.name.to_owned(), value)]).into()),
            None => return single(holder, Act::Remove, attribute, Some(sub), None),
        },
    };
    let Some(said) = said else {
        if attribute.is_required {
            return Err(ScimError::VALUE);
        }
        holder.remove(attribute.name);
        return Ok(());
    };
    // Of a complex value the parts that are not said stay (RFC 7644, 3.5.2.1 and 3.5.2.3).
    match (holder.get_mut(attribute.name).and_then(Value::as_object_mut), said) {
        (Some(parts), Value::Object(said)) if attribute.kind == Kind::Complex => parts.extend(said),
        (_, said) => {
            holder.insert(attribute.name.to_owned(), said);
        }
    }
    Ok(())
}

fn many(
    holder: &mut Map<String, Value>,
    act: Act,
    attribute: &'static Attribute,
    filter: Option<&Filter>,
    sub: Option<&'static Attribute>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let mut values = match holder.remove(attribute.name) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    match (filter, sub) {
        (None, None) => {
            let said = value.map(|value| clean_value(attribute, value)).transpose()?.flatten();
            let said = said.and_then(|said| said.as_array().cloned()).unwrap_or_default();
            match act {
                Act::Add if attribute.name == "members" => add_members(&mut values, said),
                Act::Add => said.into_iter().for_each(|one| add(&mut values, one)),
                Act::Replace => {
                    needed(value)?;
                    values = said;
                }
                // All, or those that the value names by theirs.
                Act::Remove if value.is_some_and(|value| !value.is_null()) => {
                    let gone: BTreeSet<_> = said.iter().filter_map(|one| one.get("value")?.as_str()).collect();
                    values.retain(|one| {
                        !one.get("value").and_then(Value::as_str).is_some_and(|value| gone.contains(value))
                    });
                }
                Act::Remove => values.clear(),
            }
        }
        (filter, sub) => {
            let chosen = |one: &Value| filter.is_none_or(|filter| within(attribute, filter, one));
            if !values.iter().any(&chosen) {
                let made = match (act, filter) {
                    (Act::Add, Some(filter)) => described(filter),
                    _ => None,
                };
                values.push(made.ok_or(ScimError::NO_TARGET)?);
            }
            if act == Act::Remove && sub.is_none() {
                values.retain(|one| !chosen(one));
            } else {
                change_chosen(&mut values, chosen, act, attribute, sub, value)?;
            }
        }
    }
    if !values.is_empty() {
        holder.insert(attribute.name.to_owned(), values.into());
    }
    Ok(())
}

/// Changes each value that is chosen, or a part of it.
fn change_chosen(
    values: &mut [Value],
    chosen: impl Fn(&Value) -> bool,
    act: Act,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let said = match (act, sub) {
        (Act::Remove, _) => None,
        (_, Some(sub)) => clean_value(sub, needed(value)?)?,
        (_, None) => clean_one(attribute, needed(value)?)?,
    };
    let picked: Vec<bool> = values.iter().map(chosen).collect();
    let makes_primary = match (sub, &said) {
        (Some(sub), Some(Value::Bool(true))) => sub.name == "primary",
        (None, Some(said)) => is_primary(said),
        _ => false,
    };
    for (one, picked) in values.iter_mut().zip(picked) {
        let Some(parts) = one.as_object_mut() else { continue };
        if !picked {
            if makes_primary {
                parts.remove("primary");
            }
            continue;
        }
        match (sub, &said) {
            (Some(sub), Some(said)) => drop(parts.insert(sub.name.to_owned(), said.clone())),
            (Some(sub), None) => drop(parts.remove(sub.name)),
            (None, Some(Value::Object(said))) => parts.extend(said.clone()),
            (None, _) => return Err(ScimError::VALUE),
        }
    }
    Ok(())
}

fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

/// Adds those who are not there. A group can be large: each is looked up, not compared with all.
fn add_members(values: &mut Vec<Value>, said: Vec<Value>) {
    let id = |one: &Value| one.get("value").and_then(Value::as_str).map(str::to_owned);
    let mut known: BTreeSet<_> = values.iter().filter_map(id).collect();
    values.extend(said.into_iter().filter(|one| id(one).is_none_or(|id| known.insert(id))));
}

/// Adds a value that is not there. One that is said to be primary takes that from the others.
fn add(values: &mut Vec<Value>, one: Value) {
    let same = |known: &Value| match (known.get("value"), one.get("value")) {
        (Some(known_value), Some(value)) => known_value == value && known.get("type") == one.get("type"),
        _ => *known == one,
    };
    if is_primary(&one) {
        values.iter_mut().filter_map(Value::as_object_mut).for_each(|known| drop(known.remove("primary")));
    }
    match values.iter().position(same) {
        Some(place) => {
            if let Some(known) = values.get_mut(place) {
                *known = one;
            }
        }
        None => values.push(one),
    }
}

/// A value of which all that is known is that the filter finds it.
fn described(filter: &Filter) -> Option<Value> {
    match filter {
        Filter::Compare(path, Operator::Equal, value) => Some(Map::from_iter([(path.clone(), value.clone())]).into()),
        Filter::And(left, right) => {
            let (mut left, right) = (described(left)?, described(right)?);
            left.as_object_mut()?.extend(right.as_object()?.clone());
            Some(left)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
