//! What `_elements` and `_summary` leave of a match (`docs/search.md`, 4).

use super::Refused;
use crate::slow::json::{self, Member, Value};
use crate::slow::model::{json_name, object_type};

/// How much of a match there is in an answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Shape {
    /// All.
    #[default]
    Whole,
    /// These elements, and what must stand.
    Elements(Vec<String>),
    /// The narrative, and what must stand.
    Text,
    /// All but the narrative.
    Data,
}

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const CODE: &str = "SUBSETTED";

/// Reads `_elements`.
///
/// # Errors
/// A name that the type does not have.
pub fn elements(resource_type: &str, value: &str) -> Result<Shape, Refused> {
    let object = object_type(resource_type).ok_or(Refused::NotSupported)?;
    // Reading: `value` is the name of a choice, `value[x]` and `valueQuantity` are none.
    let has = |name: &str| object.elements.iter().any(|element| element.name.trim_end_matches("[x]") == name);
    let names: Vec<String> = value.split(',').map(str::to_owned).collect();
    if names.iter().all(|name| has(name)) { Ok(Shape::Elements(names)) } else { Err(Refused::NotSupported) }
}

/// What is left of a resource.
#[must_use]
pub fn cut(bytes: &[u8], resource_type: &str, shape: &Shape) -> Vec<u8> {
    let read = json::parse(bytes).ok().zip(object_type(resource_type));
    let Some((Value::Object(members), object)) = read.filter(|_| *shape != Shape::Whole) else {
        return bytes.to_vec();
    };
    let named = |name: &str| match shape {
        Shape::Elements(names) => names.iter().any(|asked| asked == name),
        Shape::Text => name == "text",
        Shape::Whole | Shape::Data => false,
    };
    let stays = |key: &str| {
        let plain = key.strip_prefix('_').unwrap_or(key);
        if *shape == Shape::Data {
            return plain != "text";
        }
        let is_left = |name: &str| matches!(name, "id" | "meta") || named(name.trim_end_matches("[x]"));
        let mut left = object.elements.iter().filter(|each| each.required || each.modifier || is_left(each.name));
        key == "resourceType" || left.any(|each| (0..each.targets.len()).any(|place| json_name(each, place) == plain))
    };
    let refers_inside = members.iter().any(|member| stays(&member.key) && refers_inside(&member.value));
    let is_kept = |member: &Member| stays(&member.key) || refers_inside && member.key == "contained";
    let mut kept: Vec<Member> = members.into_iter().filter(is_kept).collect();
    subsetted(&mut kept);
    Value::Object(kept).print().into_bytes()
}

/// Whether a reference to a contained resource stands in a value.
fn refers_inside(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().any(refers_inside),
        Value::Object(members) => members.iter().any(|member| {
            let text = member.value.text().filter(|_| member.key == "reference");
            text.is_some_and(|text| text.starts_with('#')) || refers_inside(&member.value)
        }),
        _ => false,
    }
}

/// Puts the tag there, if it does not stand there: behind the other tags, `tag` behind the other members of `meta`, and
/// `meta` behind `resourceType`.
fn subsetted(members: &mut Vec<Member>) {
    let member = |key: &str, value: Value| Member { key: key.to_owned(), value, at: 0 };
    let text = |text: &str| Value::Text(text.to_owned());
    let tag = Value::Object(vec![member("system", text(SYSTEM)), member("code", text(CODE))]);
    if !members.iter().any(|member| member.key == "meta") {
        let behind = members.iter().position(|member| member.key == "resourceType").map_or(0, |at| at + 1);
        members.insert(behind, member("meta", Value::Object(Vec::new())));
    }
    let meta = members.iter_mut().find(|member| member.key == "meta").map(|member| &mut member.value);
    let Some(Value::Object(meta)) = meta else { return };
    if !meta.iter().any(|member| member.key == "tag") {
        meta.push(member("tag", Value::List(Vec::new())));
    }
    let tags = meta.iter_mut().find(|member| member.key == "tag").map(|member| &mut member.value);
    let Some(Value::List(tags)) = tags else { return };
    let is_there = |tag: &Value| {
        let has = |key: &str, wanted: &str| tag.get(key).and_then(Value::text) == Some(wanted);
        has("system", SYSTEM) && has("code", CODE)
    };
    if !tags.iter().any(is_there) {
        tags.push(tag);
    }
}
