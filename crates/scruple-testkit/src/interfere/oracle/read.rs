//! What a parameter reads of a resource (`docs/search.md`, 2).

use super::date::{Range, range};
use super::decimal::Decimal;
use crate::slow::model::{json_name, object_of, object_type};
use scruple_fhir::{ObjectType, SearchParameter, Target, dictionary};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

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
    /// A number.
    Number(Decimal),
    /// A number of something.
    Quantity {
        /// How many.
        value: Decimal,
        /// The system of its unit, or of currencies.
        system: Option<String>,
        /// The unit's code, or the currency.
        code: Option<String>,
        /// The unit in words.
        unit: Option<String>,
    },
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
    let only = only_type(parameter);
    let mut values = Vec::new();
    for found in paths(parameter).flat_map(|path| at_path(resource, root, path)) {
        match parameter.kind {
            "token" => token(parameter, &found, &mut values),
            "string" => string(&found, &mut values),
            "date" => date(&found, &mut values),
            "reference" => reference(&found, only, &mut values),
            "uri" => uri(&found, &mut values),
            "number" => values.extend(number(&found)),
            "quantity" => values.extend(quantity(&found)),
            _ => {}
        }
    }
    values
}

/// Whether an element stands that the parameter reads, whatever its form: what `:missing` asks.
#[must_use]
pub fn stands(resource: &Value, resource_type: &str, parameter: &SearchParameter) -> bool {
    !read(resource, resource_type, parameter).is_empty()
}

/// The type and id that a literal names: `Type/id` or `Type/id/_history/v`.
///
/// Reading: `Type` is a resource type of R4.
#[must_use]
pub fn literal(text: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = text.split('/').collect();
    let (&[kind, id] | &[kind, id, "_history", _]) = parts.as_slice() else { return None };
    dictionary().resource(kind).is_some().then_some((kind, id))
}

/// Every `Reference` that stands at a path of elements.
#[must_use]
pub fn references_at<'a>(resource: &'a Value, resource_type: &str, path: &str) -> Vec<&'a Value> {
    let Some(root) = object_type(resource_type) else { return Vec::new() };
    let found = at_path(resource, root, path).into_iter();
    found.filter(|found| found.type_name == "Reference").map(|found| found.value).collect()
}

const URIS: [&str; 5] = ["uri", "url", "canonical", "oid", "uuid"];
const NUMBERS: [&str; 4] = ["decimal", "integer", "positiveInt", "unsignedInt"];
const QUANTITIES: [&str; 6] = ["Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity"];
/// The system of currencies.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// A number as it is written: the stores of tests are printed as `serde_json` prints.
fn decimal(value: &Value) -> Option<Decimal> {
    value.as_number().and_then(|number| Decimal::of_value(&number.to_string()))
}

fn number(found: &Found<'_>) -> Option<Read> {
    NUMBERS.contains(&found.type_name).then(|| decimal(found.value).map(Read::Number)).flatten()
}

fn quantity(found: &Found<'_>) -> Option<Read> {
    let value = found.value.get("value").and_then(decimal);
    if found.type_name == "Money" {
        let system = Some(CURRENCIES.to_owned());
        return Some(Read::Quantity { value: value?, system, code: text_of(found.value, "currency"), unit: None });
    }
    if !QUANTITIES.contains(&found.type_name) || found.value.get("comparator").is_some() {
        return None;
    }
    let text = |key: &str| text_of(found.value, key);
    Some(Read::Quantity { value: value?, system: text("system"), code: text("code"), unit: text("unit") })
}

/// Of `email` and `phone`: whether the ContactPoint is of another system.
fn is_of_another_system(parameter: &SearchParameter, value: &Value) -> bool {
    let asked = parameter.code;
    matches!(asked, "email" | "phone") && text_of(value, "system").as_deref() != Some(asked)
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
            let is_other = is_of_another_system(parameter, value);
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
            let Some(text) = found.value.get("reference").and_then(Value::as_str) else { return };
            if let Some((kind, id)) = literal(text).filter(|(kind, _)| only.is_none_or(|only| only == *kind)) {
                values.push(Read::Reference(kind.to_owned(), id.to_owned()));
            }
        }
        "canonical" | "uri" => values.extend(found.value.as_str().map(|text| Read::Uri(text.to_owned()))),
        _ => {}
    }
}

fn uri(found: &Found<'_>, values: &mut Vec<Read>) {
    if URIS.contains(&found.type_name) {
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

/// Where a parameter of kind reference may point.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// It reads References.
    pub references: bool,
    /// It reads canonicals or uris.
    pub uris: bool,
    /// The types to which an element that it reads may point; none named: any.
    pub types: Vec<&'static str>,
    /// An element that it reads may point to any type.
    pub anywhere: bool,
    /// The one type that its name says.
    pub named: Option<&'static str>,
}

impl Points {
    /// Whether an element may point to that type.
    #[must_use]
    pub fn may_point_to(&self, resource_type: &str) -> bool {
        self.anywhere || self.types.contains(&resource_type)
    }

    /// The type that a chain goes to which names none.
    #[must_use]
    pub fn clear_type(&self) -> Option<&'static str> {
        match (self.named, self.types.as_slice()) {
            (Some(named), _) => Some(named),
            (None, [one]) if !self.anywhere => Some(one),
            _ => None,
        }
    }
}

type OfParameters = HashMap<(&'static str, &'static str), Points>;

/// By base and name of the parameter.
static POINTS: LazyLock<OfParameters> = LazyLock::new(|| {
    let references = dictionary().search.iter().filter(|parameter| parameter.kind == "reference");
    references.map(|parameter| ((parameter.base, parameter.code), points_of(parameter))).collect()
});

fn points_of(parameter: &SearchParameter) -> Points {
    let mut points = Points::default();
    for (target, name) in paths(parameter).flat_map(|path| elements(parameter.base, path)) {
        points.uris |= matches!(name, "canonical" | "uri");
        if let Target::Reference(allowed) = target {
            points.references = true;
            points.anywhere |= allowed.is_empty();
            points.types.extend(allowed.iter().map(|id| dictionary().get(*id).name));
        }
    }
    points.types.sort_unstable();
    points.types.dedup();
    let names = dictionary().resources().iter().map(|id| dictionary().get(*id).name);
    let named = names.into_iter().find(|name| name.to_lowercase() == parameter.code);
    points.named = named.filter(|name| points.references && points.may_point_to(name));
    points
}

/// Where the parameter may point. One of another kind points nowhere.
#[must_use]
pub fn points(parameter: &SearchParameter) -> Points {
    POINTS.get(&(parameter.base, parameter.code)).cloned().unwrap_or_default()
}

/// The one resource type that the parameter's name says, if an element that it reads may point to it.
fn only_type(parameter: &SearchParameter) -> Option<&'static str> {
    POINTS.get(&(parameter.base, parameter.code))?.named
}
