//! What a parameter reads of a resource (`docs/search.md`, 2).

use super::date::{Range, range};
use crate::slow::model::{json_name, object_of, object_type};
use scruple_fhir::{ObjectType, SearchParameter, Target, dictionary};
use serde_json::Value;

/// One value that a parameter reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// Of a type with a system of its own.
    Coding {
        /// The system, if it has one.
        system: Option<String>,
        /// The code, or the value of an Identifier.
        code: Option<String>,
    },
    /// Of a token type without a system of its own.
    Code(String),
    /// A text.
    Text(String),
    /// A date.
    Date(Range),
    /// A reference to a resource.
    Reference(String, String),
    /// A canonical or another uri.
    Uri(String),
}

/// A value at a path, with its FHIR type.
struct Found<'a> {
    type_name: &'static str,
    is_choice: bool,
    value: &'a Value,
}

/// Every value that stands at a path.
fn at_path<'a>(resource: &'a Value, root: &'static ObjectType, path: &str) -> Vec<Found<'a>> {
    let mut here: Vec<(&'static ObjectType, &Value)> = vec![(root, resource)];
    let mut found = Vec::new();
    for segment in path.split('.').skip(1) {
        found = Vec::new();
        let mut inner = Vec::new();
        for (object, value) in here {
            let Some(element) = object.element(segment) else { continue };
            for (place, target) in element.targets.iter().enumerate() {
                let Some(member) = value.get(json_name(element, place)) else { continue };
                let items = member.as_array().map_or_else(|| vec![member], |items| items.iter().collect());
                for value in items.into_iter().filter(|value| !value.is_null()) {
                    let type_name = element.type_names.get(place).copied().unwrap_or_default();
                    found.push(Found { type_name, is_choice: element.name.ends_with("[x]"), value });
                    inner.extend(object_of(target).map(|object| (object, value)));
                }
            }
        }
        here = inner;
    }
    found
}

/// The paths that a parameter reads: for `email` and `phone` the ContactPoints themselves.
fn paths(parameter: &SearchParameter) -> impl Iterator<Item = &'static str> {
    let contact = matches!(parameter.code, "email" | "phone");
    parameter.reads.iter().copied().filter(move |path| !contact || path.ends_with(".telecom"))
}

/// Every value that the parameter reads of the resource.
#[must_use]
pub fn read(resource: &Value, resource_type: &str, parameter: &SearchParameter) -> Vec<Read> {
    let Some(root) = object_type(resource_type) else { return Vec::new() };
    let only = only_type(resource_type, parameter);
    let mut values = Vec::new();
    for found in paths(parameter).flat_map(|path| at_path(resource, root, path)) {
        match parameter.kind {
            "token" => token(parameter, &found, &mut values),
            "string" => string(&found, &mut values),
            "date" => date(&found, &mut values),
            "reference" => reference(&found, only, &mut values),
            "uri" => uri(&found, &mut values),
            _ => {}
        }
    }
    values
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn coding(value: &Value, code: &str) -> Read {
    Read::Coding { system: text_of(value, "system"), code: text_of(value, code) }
}

fn token(parameter: &SearchParameter, found: &Found<'_>, values: &mut Vec<Read>) {
    let value = found.value;
    let is_deceased = parameter.code == "deceased";
    match found.type_name {
        "Coding" => values.push(coding(value, "code")),
        "CodeableConcept" => values.extend(items(value, "coding").map(|each| coding(each, "code"))),
        "Identifier" => values.push(coding(value, "value")),
        "ContactPoint" => {
            let asked = parameter.code;
            let is_other = matches!(asked, "email" | "phone") && text_of(value, "system").as_deref() != Some(asked);
            values.extend(text_of(value, "value").filter(|_| !is_other).map(Read::Code));
        }
        "code" | "id" | "uri" => values.extend(value.as_str().map(|text| Read::Code(text.to_owned()))),
        "string" if !found.is_choice => values.extend(value.as_str().map(|text| Read::Code(text.to_owned()))),
        "boolean" if !found.is_choice || is_deceased => {
            values.extend(value.as_bool().map(|is| Read::Code(is.to_string())));
        }
        "dateTime" if is_deceased && value.is_string() => values.push(Read::Code("true".to_owned())),
        _ => {}
    }
}

fn string(found: &Found<'_>, values: &mut Vec<Read>) {
    let value = found.value;
    let (one, many): (&[&str], &[&str]) = match found.type_name {
        "string" | "markdown" => {
            values.extend(value.as_str().map(|text| Read::Text(text.to_owned())));
            return;
        }
        "HumanName" => (&["text", "family"], &["given", "prefix", "suffix"]),
        "Address" => (&["text", "city", "district", "state", "postalCode", "country"], &["line"]),
        _ => return,
    };
    values.extend(one.iter().filter_map(|key| text_of(value, key)).map(Read::Text));
    let lists = many.iter().flat_map(|key| items(value, key)).filter_map(Value::as_str);
    values.extend(lists.map(|text| Read::Text(text.to_owned())));
}

fn date(found: &Found<'_>, values: &mut Vec<Read>) {
    let value = found.value;
    match found.type_name {
        "date" | "dateTime" | "instant" => values.extend(value.as_str().and_then(range).map(Read::Date)),
        "Period" => values.extend(period(value).map(Read::Date)),
        "Timing" => values.extend(items(value, "event").filter_map(Value::as_str).filter_map(range).map(Read::Date)),
        _ => {}
    }
}

/// Reading: a Period of which an end stands that is no date is not read.
fn period(value: &Value) -> Option<Range> {
    let end = |key: &str| text_of(value, key).map(|text| range(&text).ok_or(())).transpose();
    match (end("start").ok()?, end("end").ok()?) {
        (None, None) => None,
        (from, to) => {
            Some(Range { from: from.map_or(i64::MIN, |range| range.from), to: to.map_or(i64::MAX, |range| range.to) })
        }
    }
}

fn reference(found: &Found<'_>, only: Option<&str>, values: &mut Vec<Read>) {
    match found.type_name {
        "Reference" => {
            let Some(literal) = found.value.get("reference").and_then(Value::as_str) else { return };
            let parts: Vec<&str> = literal.split('/').collect();
            let (&[kind, id] | &[kind, id, "_history", _]) = parts.as_slice() else { return };
            // Reading: `Type` is a resource type.
            if dictionary().resource(kind).is_some() && only.is_none_or(|only| only == kind) {
                values.push(Read::Reference(kind.to_owned(), id.to_owned()));
            }
        }
        "canonical" | "uri" => values.extend(found.value.as_str().map(|text| Read::Uri(text.to_owned()))),
        _ => {}
    }
}

fn uri(found: &Found<'_>, values: &mut Vec<Read>) {
    if matches!(found.type_name, "uri" | "url" | "canonical" | "oid" | "uuid") {
        values.extend(found.value.as_str().map(|text| Read::Uri(text.to_owned())));
    }
}

/// The elements at a path of the dictionary.
fn elements(resource_type: &str, path: &str) -> Vec<(&'static Target, &'static str)> {
    let mut here: Vec<&'static ObjectType> = object_type(resource_type).into_iter().collect();
    let mut found = Vec::new();
    for segment in path.split('.').skip(1) {
        let elements: Vec<_> = here.iter().filter_map(|object| object.element(segment)).collect();
        found = elements
            .iter()
            .flat_map(|element| element.targets.iter().zip(element.type_names.iter().copied()))
            .collect();
        here = found.iter().filter_map(|(target, _)| object_of(target)).collect();
    }
    found
}

/// The one resource type that the parameter's name says, if an element that it reads may point to it.
fn only_type(resource_type: &str, parameter: &SearchParameter) -> Option<&'static str> {
    let named = dictionary().resources().iter().find(|id| {
        let name = dictionary().get(**id).name;
        name.to_lowercase() == parameter.code
    })?;
    let points = paths(parameter).flat_map(|path| elements(resource_type, path)).any(|(target, _)| match target {
        Target::Reference(allowed) => allowed.is_empty() || allowed.contains(named),
        _ => false,
    });
    points.then(|| dictionary().get(*named).name)
}

/// Whether the parameter reads References, and whether it reads canonicals or uris.
pub(super) fn points(resource_type: &str, parameter: &SearchParameter) -> (bool, bool) {
    let targets: Vec<_> = paths(parameter).flat_map(|path| elements(resource_type, path)).collect();
    let references = targets.iter().any(|(target, _)| matches!(target, Target::Reference(_)));
    let uris = targets.iter().any(|(_, name)| matches!(*name, "canonical" | "uri"));
    (references, uris)
}
