//! The embedded server over the synthetic hospital: what stands in a resource finds it.
//!
//! Values are taken from the resources by their shape, without the server's table, and asked back one by one.

use crate::{AS_OF, everything, hospital, kind};
use scruple_core::Timestamp;
use scruple_hospital::upstream::{Request, Server};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const BASE: &str = "http://127.0.0.1:8099/fhir";
/// Resources of a type that are asked for by each parameter.
const RESOURCES_MAX: usize = 12;

fn get(server: &Server, path: &str, query: Option<&str>) -> (u16, Value) {
    let now = Timestamp::parse(AS_OF).unwrap();
    let request = Request { method: "GET", path, query, content_type: None, accept: None, body: b"", now };
    let response = server.respond(&request);
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

fn total(server: &Server, resource_type: &str, query: &str) -> u64 {
    let (status, bundle) = get(server, &format!("/{resource_type}"), Some(query));
    assert_eq!(status, 200, "{resource_type}?{query}: {bundle}");
    bundle["total"].as_u64().unwrap()
}

/// Escaped for a search, then for a query.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Paths of parameters by type: `BASE CODE TYPE PATH|PATH`, as the gateway's dictionary has them.
fn parameters() -> Vec<(String, String, String, Vec<String>)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../scruple-fhir/src/dictionary/search.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" withheld"));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let paths = words[3].split('|').map(str::to_owned).collect();
            (words[0].to_owned(), words[1].to_owned(), words[2].to_owned(), paths)
        })
        .collect()
}

/// The values at a path below the type, through arrays; of a choice those that stand under a type of this kind.
fn at<'a>(kind: &str, steps: &[&str], value: &'a Value, out: &mut Vec<&'a Value>) {
    let types: &[&str] = match kind {
        "token" => &["Boolean", "CodeableConcept", "Coding", "Identifier"],
        "string" => &["String"],
        "date" => &["Date", "DateTime", "Instant", "Period", "Timing"],
        "reference" => &["Reference"],
        _ => &[],
    };
    match (value, steps.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| at(kind, steps, item, out)),
        (_, None) => out.push(value),
        (Value::Object(fields), Some((step, rest))) => {
            let stem = step.trim_end_matches("[x]");
            for (key, inner) in fields {
                let choice = key.strip_prefix(stem).is_some_and(|end| types.contains(&end));
                if key == stem || (step.ends_with("[x]") && choice) {
                    at(kind, rest, inner, out);
                }
            }
        }
        _ => {}
    }
}

/// What to ask for, of one value, by its shape.
fn asked(kind: &str, value: &Value) -> Vec<String> {
    let text = |key: &str| value[key].as_str();
    let token = |system: Option<&str>, code: Option<&str>| match (system, code) {
        (Some(system), Some(code)) => {
            vec![escape(code), format!("{}|{}", escape(system), escape(code)), format!("{}|", escape(system))]
        }
        (None, Some(code)) => vec![escape(code), format!("|{}", escape(code))],
        _ => vec![],
    };
    match (kind, value) {
        ("token", Value::String(code)) => token(None, Some(code)),
        ("token", Value::Bool(code)) => vec![code.to_string()],
        ("token", Value::Object(fields)) => match fields.get("coding") {
            Some(codings) => codings.as_array().unwrap().iter().flat_map(|coding| asked(kind, coding)).collect(),
            None => token(text("system"), text("code").or(text("value")))
                .into_iter()
                // A ContactPoint has no system of codes.
                .filter(|asked| !(asked.ends_with('|') && fields.get("system").is_some_and(is_contact)))
                .collect(),
        },
        ("string", Value::String(text)) => {
            vec![escape(text), escape(&text.to_uppercase()), escape(&text.chars().take(3).collect::<String>())]
        }
        ("string", Value::Object(fields)) => {
            let names = [
                "text",
                "family",
                "given",
                "prefix",
                "suffix",
                "line",
                "city",
                "district",
                "state",
                "postalCode",
                "country",
            ];
            names
                .iter()
                .filter_map(|name| fields.get(*name))
                .flat_map(|part| match part {
                    Value::Array(parts) => parts.iter().flat_map(|part| asked(kind, part)).collect(),
                    part => asked(kind, part),
                })
                .collect()
        }
        ("date", Value::String(date)) => vec![
            escape(date),
            escape(&format!("ge{date}")),
            escape(&format!("le{date}")),
            escape(&date[..4]),
            format!("gt{:04}", date[..4].parse::<u32>().unwrap() - 1),
            format!("sa{:04}", date[..4].parse::<u32>().unwrap() - 1),
            format!("eb{:04}", date[..4].parse::<u32>().unwrap() + 1),
        ],
        ("date", Value::Object(fields)) => {
            let events = fields.get("event").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let mut all: Vec<String> = events.iter().flat_map(|event| asked(kind, event)).collect();
            all.extend(text("start").map(|start| format!("ge{}", escape(start))));
            all.extend(text("end").map(|end| format!("le{}", escape(end))));
            all
        }
        ("reference", Value::Object(_)) => text("reference")
            .filter(|reference| !reference.starts_with('#'))
            .map_or_else(Vec::new, |reference| vec![escape(reference), escape(reference.split_once('/').unwrap().1)]),
        ("reference", Value::String(whole)) => vec![escape(whole), escape(whole.split('|').next().unwrap())],
        ("uri", Value::String(whole)) => vec![escape(whole)],
        _ => vec![],
    }
}

fn is_contact(system: &Value) -> bool {
    matches!(system.as_str(), Some("phone" | "fax" | "email" | "pager" | "url" | "sms" | "other"))
}

#[test]
fn every_parameter_finds_the_resources_it_reads() {
    let hospital = hospital(60, 7, AS_OF, true);
    let server = Server::new(&hospital, BASE);
    let all = everything(&hospital);
    let mut by_type: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    all.iter().for_each(|resource| by_type.entry(kind(resource)).or_default().push(resource));
    let parameters = parameters();
    let types: BTreeMap<String, &str> =
        parameters.iter().map(|(base, ..)| (base.to_lowercase(), base.as_str())).collect();

    let mut used = BTreeSet::new();
    let mut questions = 0;
    for (resource_type, name, kind, paths) in &parameters {
        let Some(resources) = by_type.get(resource_type.as_str()) else { continue };
        if !matches!(kind.as_str(), "token" | "string" | "date" | "reference" | "uri") || name == "phonetic" {
            continue;
        }
        let mut met = 0;
        for resource in resources {
            let mut values = Vec::new();
            let telecom = matches!(name.as_str(), "email" | "phone");
            for path in paths.iter().filter(|path| !telecom || path.ends_with(".telecom")) {
                let steps: Vec<&str> = path.split('.').skip(1).collect();
                at(kind, &steps, resource, &mut values);
            }
            // What the page of searches excepts.
            values.retain(|value| match (name.as_str(), value) {
                ("email" | "phone", value) => value["system"] == name.as_str(),
                (_, Value::String(text)) if kind == "date" => text.as_bytes().first().is_some_and(u8::is_ascii_digit),
                (_, Value::Bool(_)) if paths.iter().any(|path| path.ends_with("[x]")) => name == "deceased",
                (_, value) if kind == "reference" && types.contains_key(name) => {
                    value["reference"].as_str().is_none_or(|to| to.starts_with(&format!("{}/", types[name])))
                }
                _ => true,
            });
            if values.is_empty() {
                continue;
            }
            met += 1;
            if met > RESOURCES_MAX {
                break;
            }
            let id = resource["id"].as_str().unwrap();
            for text in values.iter().flat_map(|value| asked(kind, value)) {
                let query = format!("_id={id}&{name}={text}");
                assert_eq!(total(&server, resource_type, &query), 1, "{resource_type}?{query}");
                used.insert((resource_type.clone(), name.clone()));
                questions += 1;
            }
        }
    }
    // The hospital has values for this many of the parameters; a test that asks nothing finds nothing.
    assert!(used.len() > 600, "{} parameters asked", used.len());
    assert!(questions > 10_000, "{questions} questions");
}

#[test]
fn it_reads_what_the_hospital_writes() {
    let hospital = hospital(12, 7, AS_OF, true);
    let server = Server::new(&hospital, BASE);
    let now = Timestamp::parse(AS_OF).unwrap();
    let records = hospital.records().flat_map(|record| record.resources);
    for resource in hospital.directory().into_iter().chain(records) {
        let path = format!("/{}/{}", resource.kind(), resource.id());
        let request =
            Request { method: "GET", path: &path, query: None, content_type: None, accept: None, body: b"", now };
        let response = server.respond(&request);
        assert!(response.status == 200 && response.body == resource.to_json(), "{path}");
    }
}

/// The record of a patient by `patient`, against a look through everything.
#[test]
fn a_patient_finds_the_own_record_alone() {
    let hospital = hospital(40, 7, AS_OF, false);
    let server = Server::new(&hospital, BASE);
    let all = everything(&hospital);
    for patient in [0, 3, 17, 39].map(scruple_hospital::Hospital::patient_id) {
        for (resource_type, path) in
            [("Observation", "subject"), ("Condition", "subject"), ("Coverage", "beneficiary"), ("Claim", "patient")]
        {
            let reference = format!("Patient/{patient}");
            let of = |resource: &&Value| kind(resource) == resource_type && resource[path]["reference"] == reference;
            let expected: BTreeSet<&str> =
                all.iter().filter(of).map(|resource| resource["id"].as_str().unwrap()).collect();
            let (_, bundle) =
                get(&server, &format!("/{resource_type}"), Some(&format!("patient={patient}&_count=1000")));
            let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
            let found: BTreeSet<&str> = entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
            assert_eq!(
                (found, bundle["total"].as_u64()),
                (expected.clone(), Some(expected.len() as u64)),
                "{resource_type} of {patient}"
            );
        }
    }
}
