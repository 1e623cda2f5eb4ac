//! Whether a resource is valid FHIR R4, as far as withholding can make it invalid (`docs/validity.md`).
//!
//! Three parts: the official JSON schema, reduced (`examples/reduce_schema.rs`); every required element there, as a value
//! or as a marker; and the constraints of severity error, each a function of its own. A marker stands for any value.
//! Not judged: terminology bindings beyond the schema's own, profiles, constraints on the text of a narrative.

#![expect(clippy::indexing_slicing, reason = "places come from the dictionary")]

mod constraints;
mod node;
mod schema;
#[cfg(test)]
mod tests;

use crate::slow::json::{self, Value};
use crate::slow::model::{key, resource_type};
pub use constraints::{CONSTRAINTS, Constraint};
pub use node::Node;
pub use schema::codes;
use scruple_fhir::Target;

/// Something that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The constraint's key in FHIR, or `json`, `schema`, `min-1`.
    pub key: &'static str,
    /// Where: the path of the object, with what the schema says behind it.
    pub path: String,
}

/// Everything that is not valid in one resource and those inside it.
#[must_use]
pub fn check(input: &[u8]) -> Vec<Violation> {
    let Ok(value) = json::parse(input) else {
        return vec![Violation { key: "json", path: String::new() }];
    };
    let mut found = Vec::new();
    resource(&value, None, &mut found);
    found
}

fn resource(value: &Value, container: Option<&Value>, found: &mut Vec<Violation>) {
    let Some(object) = resource_type(value) else {
        found.push(Violation { key: "schema", path: "resourceType".to_owned() });
        return;
    };
    found.extend(schema::check(object.name, value));
    let root = container.unwrap_or(value);
    object_and_below(&Node { object, value, resource: value, root }, object.name, found);
}

fn object_and_below(node: &Node<'_>, path: &str, found: &mut Vec<Violation>) {
    if node.is_marker() {
        return;
    }
    for element in node.object.elements.iter().filter(|element| element.required) {
        if !node.has(element.name) {
            found.push(Violation { key: "min-1", path: format!("{path}.{}", element.name) });
        }
    }
    for constraint in CONSTRAINTS {
        if constraint.is_on(node) && !(constraint.holds)(node) {
            found.push(Violation { key: constraint.key, path: path.to_owned() });
        }
    }
    for member in node.value.members() {
        let Some(key) = key(node.object, &member.key) else { continue };
        let element = &node.object.elements[key.element];
        let below = format!("{path}.{}", member.key);
        for item in member.value.items() {
            if key.underscore {
                for extension in item.get("extension").map(Value::items).unwrap_or_default() {
                    if let Some(object) = crate::slow::model::object_type("Extension") {
                        object_and_below(&Node { object, value: extension, ..*node }, &below, found);
                    }
                }
                continue;
            }
            match &element.targets[key.target] {
                Target::Resource if element.name == "contained" => resource(item, Some(node.root), found),
                Target::Resource => resource(item, None, found),
                target => {
                    if let Some(object) = crate::slow::model::object_of(target) {
                        object_and_below(&Node { object, value: item, ..*node }, &below, found);
                    }
                }
            }
        }
    }
}
