//! What leaves: the golden view of each role over two patients, and that everything is valid FHIR R4.

use crate::world::{PACK, fast_with, role_table, shared};
use aws_lc_rs::digest::{SHA256, digest};
use scruple_core::{DecisionTable, Timestamp};
use scruple_fhir::{Projection, Projector, Surroundings};
use scruple_hospital::{Hospital, Options, Persona};
use scruple_testkit::{crafted, valid};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A world in which every target of a reference shows.
struct Everything;

impl Surroundings for Everything {
    fn shows(&self, _: &str, _: &str) -> Option<bool> {
        Some(true)
    }
    fn shows_urn(&self, _: &str) -> Option<bool> {
        Some(true)
    }
    fn token(&self, kind: &str, value: &str) -> String {
        crate::world::token(kind, value)
    }
    fn today(&self) -> (i16, u8, u8) {
        (2026, 3, 1)
    }
}

/// The record of the patient who shows every category, and of one without anything special.
static SHOWCASE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let as_of = Timestamp::parse("2026-03-01T08:00:00Z").unwrap();
    let hospital = Hospital::generate(&Options { patients: 60, seed: 7, as_of, canary: false });
    let ordinary = (1..).find(|index| Persona::of(7, *index) == Persona::Ordinary).unwrap();
    [0, ordinary]
        .iter()
        .flat_map(|index| hospital.record(*index).resources)
        .map(|resource| resource.to_json())
        .collect()
});

fn roles() -> impl Iterator<Item = (&'static str, DecisionTable)> {
    PACK.roles.values().map(|role| (role.name.as_str(), role_table(&role.name, &role.purpose)))
}

fn projection(table: DecisionTable) -> Projection {
    Projection::new(Arc::clone(&PACK.annotation), table)
}

fn projected(projection: &Projection, text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    match Projector::new(projection, &Everything).project(text, &mut out) {
        Ok(_) => Ok(out),
        Err(withheld) => Err(withheld.code()),
    }
}

/// How an element stands in a view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    AsWritten,
    Masked,
    Marker,
}

/// The scalars of a view by path, without the places in arrays, and how each stands beside the record's.
fn marks(record: &Value, view: &Value) -> BTreeMap<String, Mark> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(members) if is_marker(value) => {
                debug_assert!(members.contains_key("extension"));
                found.push((path.to_owned(), Value::Null));
            }
            Value::Object(members) => {
                members.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(path, item, found)),
            scalar => found.push((path.to_owned(), scalar.clone())),
        }
    }
    let (mut whole, mut shown) = (Vec::new(), Vec::new());
    walk("", record, &mut whole);
    walk("", view, &mut shown);
    let mut marks = BTreeMap::new();
    for (path, value) in shown.into_iter().filter(|(path, _)| !path.starts_with(".meta") && path != ".resourceType") {
        let mark = match &value {
            Value::Null => Mark::Marker,
            _ if whole.contains(&(path.clone(), value.clone())) => Mark::AsWritten,
            _ => Mark::Masked,
        };
        let known = marks.entry(path).or_insert(mark);
        *known = mark.max(*known);
    }
    marks
}

fn is_marker(value: &Value) -> bool {
    value["extension"].as_array().is_some_and(|extensions| {
        extensions.iter().any(|extension| {
            extension["url"] == "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
                && extension["valueCode"] == "masked"
        })
    })
}

/// The view of the showcase patient as text: which elements show (`~` masked, `!` marked as withheld), by type, how many
/// resources look so, what is withheld and why, and a digest of all bytes.
fn golden(projection: &Projection) -> String {
    let mut views: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
    let mut withheld: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut bytes = Vec::new();
    for resource in SHOWCASE.iter() {
        let record: Value = serde_json::from_slice(resource).unwrap();
        let name = record["resourceType"].as_str().unwrap().to_owned();
        match projected(projection, resource) {
            Ok(out) => {
                let paths = marks(&record, &serde_json::from_slice(&out).unwrap());
                let line = |(path, mark): (String, Mark)| {
                    let sign = match mark {
                        Mark::AsWritten => "",
                        Mark::Masked => "~",
                        Mark::Marker => "!",
                    };
                    format!("{sign}{}", path.trim_start_matches('.'))
                };
                *views.entry((name, paths.into_iter().map(line).collect())).or_default() += 1;
                bytes.extend_from_slice(&out);
                bytes.push(b'\n');
            }
            Err(reason) => *withheld.entry((reason, name)).or_default() += 1,
        }
    }
    let mut text = String::new();
    let mut reason = "";
    for ((of, name), count) in &withheld {
        let head = if *of == reason { String::new() } else { format!("\nwithheld, {of}:") };
        write!(text, "{head} {name} {count}").unwrap();
        reason = of;
    }
    text.push('\n');
    for ((name, paths), count) in &views {
        write!(text, "\n{name} {count}:").unwrap();
        for path in paths {
            let width = text.rsplit('\n').next().unwrap_or_default().chars().count();
            write!(text, "{}{path}", if width + path.len() > 118 { "\n    " } else { " " }).unwrap();
        }
    }
    let sum = digest(&SHA256, &bytes);
    let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    write!(text, "\n\n{} bytes, SHA-256 {hex}\n", bytes.len()).unwrap();
    text
}

#[test]
fn each_role_sees_its_golden_view_of_two_patients() {
    for (role, table) in roles() {
        insta::assert_snapshot!(role, golden(&projection(table)));
    }
}

#[test]
fn no_two_of_the_five_named_roles_see_the_same() {
    let five = ["front_desk", "biller", "roi_clerk", "manager", "it_support"];
    let seen: Vec<BTreeSet<String>> = five
        .iter()
        .map(|role| {
            let (_, table) = roles().find(|(name, _)| name == role).unwrap();
            let projection = projection(table);
            SHOWCASE
                .iter()
                .filter_map(|resource| Some((resource, projected(&projection, resource).ok()?)))
                .flat_map(|(resource, out)| {
                    let record: Value = serde_json::from_slice(resource).unwrap();
                    let name = record["resourceType"].as_str().unwrap().to_owned();
                    marks(&record, &serde_json::from_slice(&out).unwrap())
                        .into_iter()
                        .filter(|(_, mark)| *mark != Mark::Marker)
                        .map(move |(path, _)| format!("{name}{path}"))
                })
                .collect()
        })
        .collect();
    for (one, first) in seen.iter().enumerate() {
        for second in &seen[..one] {
            assert_ne!(first, second);
        }
    }
}

fn assert_valid(what: &str, out: &[u8]) {
    let found = valid::check(out);
    assert!(found.is_empty(), "{what}: {found:?}\n{}", String::from_utf8_lossy(out));
}

#[test]
fn all_that_leaves_of_crafted_and_showcase_resources_is_valid_for_every_role() {
    for (role, table) in roles() {
        let projection = projection(table);
        for case in crafted::all().unwrap() {
            let untouched = valid::check(case.text.as_bytes());
            if let Ok(out) = fast_with(&projection, case.text.as_bytes())
                && untouched.is_empty()
            {
                assert_valid(&format!("{role} {}", case.file), out.as_bytes());
            }
        }
        let mut projector = Projector::new(&projection, &Everything);
        for resource in SHOWCASE.iter() {
            let mut out = Vec::new();
            if projector.project(resource, &mut out).is_ok() {
                assert_valid(role, &out);
            }
        }
    }
}

/// The resources of a folder of Bundles and single resources.
fn resources(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let text = std::fs::read(path).unwrap();
        let Ok(whole) = serde_json::from_slice::<Bundle<'_>>(&text) else { continue };
        match whole.entry {
            Some(entries) => found.extend(
                entries.iter().filter_map(|entry| entry.resource).map(|resource| resource.get().as_bytes().to_vec()),
            ),
            None => found.push(text),
        }
    }
    found
}

#[derive(serde::Deserialize)]
struct Bundle<'a> {
    #[serde(borrow)]
    entry: Option<Vec<Entry<'a>>>,
}

#[derive(serde::Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    resource: Option<&'a serde_json::value::RawValue>,
}

/// Every nth resource of the shared data; all where `SCRUPLE_ALL` is set.
fn stride(usual: usize) -> usize {
    if std::env::var_os("SCRUPLE_ALL").is_some() { 1 } else { usual }
}

#[test]
fn all_that_leaves_of_shared_data_is_valid_for_every_role() {
    let Some(shared) = shared() else {
        println!("skipped: no shared data");
        return;
    };
    for (folder, usual) in [("us-core-examples", 3_usize), ("synthea-hiv-small", 199)] {
        let resources = resources(&shared.join("fhir").join(folder));
        for (place, (role, table)) in roles().enumerate() {
            let step = if role == "biller" { usual.div_ceil(10) } else { usual };
            let projection = projection(table);
            for resource in resources.iter().skip(place % stride(usual)).step_by(stride(step)) {
                if let Ok(out) = fast_with(&projection, resource) {
                    // What the file itself gets wrong is not ours to mend.
                    let own = valid::check(resource);
                    let found: Vec<_> =
                        valid::check(out.as_bytes()).into_iter().filter(|one| !own.contains(one)).collect();
                    assert!(found.is_empty(), "{role}: {found:?}\n{out}");
                }
            }
        }
    }
}

#[test]
fn the_biller_gets_codes_and_no_prose() {
    let Some(shared) = shared() else {
        println!("skipped: no shared data");
        return;
    };
    let projection = projection(role_table("biller", "HPAYMT"));
    let mut claims = 0;
    for folder in ["us-core-examples", "synthea-hiv-small"] {
        for resource in resources(&shared.join("fhir").join(folder)).iter().step_by(stride(7)) {
            let record: Value = serde_json::from_slice(resource).unwrap();
            let name = record["resourceType"].as_str().unwrap_or_default();
            let out = fast_with(&projection, resource);
            if matches!(name, "Claim" | "Coverage" | "ExplanationOfBenefit") {
                claims += 1;
                match &out {
                    Ok(out) => assert_eq!(codes(&record), codes(&serde_json::from_str(out).unwrap()), "{out}"),
                    Err(reason) => assert_eq!(*reason, "unclassified", "{name}"),
                }
            }
            // Blank forms and the directory are nobody's record.
            let patients = !matches!(
                name,
                "Questionnaire"
                    | "Organization"
                    | "Practitioner"
                    | "PractitionerRole"
                    | "Location"
                    | "HealthcareService"
                    | "Endpoint"
            );
            let Some(out) = out.ok().filter(|_| patients) else { continue };
            let view: Value = serde_json::from_str(&out).unwrap();
            assert!(!matches!(name, "DocumentReference" | "Media" | "Communication" | "Composition"), "{out}");
            each_key(&view, &mut |of, key, value| {
                let prose = matches!(key, "div" | "note" | "text" | "comment" | "description" | "patientInstruction");
                let words = key == "display" && of == "Coding";
                assert!(!prose && !words, "{of}.{key} {value}\n{out}");
            });
        }
    }
    assert!(claims > 0);
}

/// Calls with each key of each object, and whether the object is a Coding.
fn each_key(value: &Value, visit: &mut dyn FnMut(&str, &str, &Value)) {
    match value {
        Value::Object(members) => {
            let of = if members.contains_key("code") { "Coding" } else { "" };
            for (key, value) in members {
                visit(of, key, value);
                each_key(value, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_key(item, visit)),
        _ => {}
    }
}

/// System and code of each Coding in it.
fn codes(value: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(members) => {
            if let (Some(Value::String(system)), Some(Value::String(code))) =
                (members.get("system"), members.get("code"))
            {
                found.insert((system.clone(), code.clone()));
            }
            let inner = members.iter().filter(|(key, _)| !matches!(key.as_str(), "meta" | "contained"));
            inner.for_each(|(_, value)| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}
