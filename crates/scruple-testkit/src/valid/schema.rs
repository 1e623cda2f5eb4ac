//! The official JSON schema, reduced to the 146 types. Nulls in arrays of primitives are taken out first: FHIR allows
//! them and the schema does not.

use super::Violation;
use crate::slow::json::Value;
use flate2::read::GzDecoder;
use jsonschema::Validator;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(|| {
    let mut text = String::new();
    let packed: &[u8] = include_bytes!("../../fixtures/schema/r4.schema.json.gz");
    GzDecoder::new(packed)
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| serde_json::from_str(&text).ok())
        .unwrap_or_default()
});

static VALIDATORS: LazyLock<Mutex<HashMap<&'static str, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// One validator a type, made when it is first asked for.
#[expect(clippy::expect_used, reason = "the schema is a fixture")]
fn validator(name: &'static str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = validators.entry(name).or_insert_with(|| {
        let mut schema = SCHEMA.clone();
        schema["$ref"] = format!("#/definitions/{name}").into();
        // Draft 6 ignores what stands beside a `$ref`, so the reference goes into an `allOf`.
        let reference = schema["$ref"].take();
        schema.as_object_mut().expect("an object").remove("$ref");
        schema["allOf"] = serde_json::json!([{ "$ref": reference }]);
        Arc::new(jsonschema::validator_for(&schema).expect("the reduced schema"))
    });
    Arc::clone(made)
}

/// The codes that the schema allows for a key; none where it does not say.
#[must_use]
pub fn codes(object: &str, key: &str) -> &'static [String] {
    type Codes = HashMap<(String, String), Vec<String>>;
    static CODES: LazyLock<Codes> = LazyLock::new(|| {
        let mut codes = Codes::new();
        for (name, definition) in SCHEMA["definitions"].as_object().into_iter().flatten() {
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                let listed = property["enum"].as_array().or_else(|| property["items"]["enum"].as_array());
                if let Some(listed) = listed {
                    let listed = listed.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect();
                    codes.insert((name.clone(), key.clone()), listed);
                }
            }
        }
        codes
    });
    // `Patient.contact` is `Patient_Contact` there.
    let name: Vec<String> = object
        .split('.')
        .map(|part| {
            let mut letters = part.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase()).unwrap_or_default();
            format!("{first}{}", letters.as_str())
        })
        .collect();
    CODES.get(&(name.join("_"), key.to_owned())).map(Vec::as_slice).unwrap_or_default()
}

/// What the schema says of one resource; those inside it are judged each by itself.
pub(super) fn check(name: &'static str, value: &Value) -> Vec<Violation> {
    let Ok(plain) = serde_json::from_str(&without_nulls(value).print()) else {
        return vec![Violation { key: "schema", path: name.to_owned() }];
    };
    let plain: serde_json::Value = plain;
    let validator = validator(name);
    // Below an object that is a marker nothing is asked: a marked Signature has no `who`.
    let errors = validator.iter_errors(&plain).filter(|error| {
        let required = matches!(error.kind(), jsonschema::error::ValidationErrorKind::Required { .. });
        !(required && is_marker(error.instance()))
    });
    errors.map(|error| Violation { key: "schema", path: format!("{name}{}: {error}", error.instance_path()) }).collect()
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::List(items) => {
            Value::List(items.iter().filter(|item| **item != Value::Null).map(without_nulls).collect())
        }
        Value::Object(members) => {
            let members = members.iter().map(|member| {
                let mut member = member.clone();
                member.value = without_nulls(&member.value);
                member
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn is_marker(instance: &serde_json::Value) -> bool {
    let url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
    let only = instance.as_object().is_some_and(|members| members.len() == 1);
    let extensions = instance["extension"].as_array();
    only && extensions.is_some_and(|list| list.iter().all(|extension| extension["url"] == url))
}
