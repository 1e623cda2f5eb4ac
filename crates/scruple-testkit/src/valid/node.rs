//! An object of a resource, and what constraints ask of it.

use crate::slow::json::Value;
use crate::slow::model::{json_name, resource_type};
use scruple_fhir::ObjectType;

/// An object, its type, the resource that it stands in, and the outermost container of that.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "the line above says it")]
pub struct Node<'a> {
    pub object: &'static ObjectType,
    pub value: &'a Value,
    pub resource: &'a Value,
    pub root: &'a Value,
}

impl<'a> Node<'a> {
    /// The values of an element: of the one type that stands there where it is a choice, each item of arrays. Without `_x`.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&'a Value> {
        let Some(element) = self.object.element(name) else { return Vec::new() };
        let keys: Vec<String> = (0..element.targets.len()).map(|target| json_name(element, target)).collect();
        let members = self.value.members().iter().filter(|member| keys.contains(&member.key));
        members.flat_map(|member| member.value.items()).filter(|value| **value != Value::Null).collect()
    }

    /// The first value.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&'a Value> {
        self.all(name).first().copied()
    }

    /// FHIRPath's `exists()`: a value, or an extension in its place.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty() || self.has_below(name)
    }

    fn has_below(&self, name: &str) -> bool {
        let Some(element) = self.object.element(name) else { return false };
        (0..element.targets.len()).any(|target| self.value.get(&format!("_{}", json_name(element, target))).is_some())
    }

    /// One of them exists.
    #[must_use]
    pub fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// How many of them exist.
    #[must_use]
    pub fn count(&self, names: &[&str]) -> usize {
        names.iter().filter(|name| self.has(name)).count()
    }

    /// The element stands there as a marker alone, which stands for any value.
    #[must_use]
    pub fn marked(&self, name: &str) -> bool {
        let values = self.all(name);
        if values.is_empty() { self.has_below(name) } else { values.iter().all(|value| is_marker(value)) }
    }

    /// The element is one of these texts, or a marker.
    #[must_use]
    pub fn is(&self, name: &str, texts: &[&str]) -> bool {
        self.marked(name) || self.one(name).and_then(Value::text).is_some_and(|text| texts.contains(&text))
    }

    /// A CodeableConcept element has one of these codes of this system.
    #[must_use]
    pub fn has_code(&self, name: &str, system: &str, codes: &[&str]) -> bool {
        let codings = self.all(name).into_iter().flat_map(codings);
        codings.into_iter().any(|coding| {
            coding.get("system").and_then(Value::text) == Some(system)
                && coding.get("code").and_then(Value::text).is_some_and(|code| codes.contains(&code))
        })
    }

    /// The number that the element is.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        number(self.one(name)?)
    }

    /// The object as a whole is a marker.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        is_marker(self.value) && resource_type(self.value).is_none()
    }
}

/// The Codings of a CodeableConcept.
pub(super) fn codings(concept: &Value) -> Vec<&Value> {
    concept.get("coding").map(|list| list.items().iter().collect()).unwrap_or_default()
}

/// A number as JSON writes it.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(raw) => raw.parse().ok(),
        _ => None,
    }
}

/// An object with nothing but a data-absent-reason.
pub(super) fn is_marker(value: &Value) -> bool {
    value.members().len() == 1
        && value.get("extension").is_some_and(|list| {
            list.items().iter().all(|extension| {
                extension.get("url").and_then(Value::text)
                    == Some("http://hl7.org/fhir/StructureDefinition/data-absent-reason")
            })
        })
}
