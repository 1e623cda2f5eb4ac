//! Values that a role does not see come out nowhere: not in the output, not in words, not in the state folder.

use crate::search::{find, find_in_folder};
use crate::support::{World, files};
use scruple_core::{ConditionMask, Timestamp};
use scruple_fhir::dictionary;
use scruple_hospital::{Hospital, Options, canary};
use scruple_policy::{ElementRow, Pack, PackFiles, Question, explain_type, read};
use serde_json::Value;
use std::collections::BTreeMap;

/// They occur nowhere else, and are long enough to be looked for in sealed bytes.
const EVERYWHERE: [&str; 3] = [canary::TOKEN, canary::DIGITS, "CANARY-"];

/// What a role sees of each type, in the words of `explain`.
struct Seen<'p> {
    pack: &'p Pack,
    question: Question,
    rows: BTreeMap<String, Vec<ElementRow>>,
}

impl Seen<'_> {
    /// The widest view of the element at this path, or of the nearest one above that the pack speaks of. A row of
    /// references to some types alone (`display(Patient)`) does not count for those to another.
    fn view(&mut self, kind: &str, path: &str, target: Option<&str>) -> String {
        let rows = self.rows.entry(kind.to_owned()).or_insert_with(|| {
            let explained = explain_type(self.pack, &self.question, kind).unwrap_or_default();
            explained.into_iter().filter(|one| one.shows).flat_map(|one| one.rows).collect()
        });
        let mut at = path;
        loop {
            let of_it = |row: &&ElementRow| {
                let (row, only) = row.path.split_once('(').unwrap_or((&row.path, ""));
                let mut types = only.trim_end_matches(')').split('|');
                let is_other = !only.is_empty() && target.is_some_and(|target| !types.any(|name| name == target));
                is_path(row, at) && !is_other
            };
            let views: Vec<&str> = rows.iter().filter(of_it).map(|row| row.view.as_str()).collect();
            if let Some(widest) = ["full", "masked"].iter().find(|view| views.iter().any(|of| of.starts_with(**view))) {
                return (*widest).to_owned();
            }
            match at.rsplit_once('.') {
                Some((above, _)) if views.is_empty() => at = above,
                _ => return "none".to_owned(),
            }
        }
    }
}

/// `Observation.value[x]` stands for `Observation.valueQuantity`.
fn is_path(row: &str, path: &str) -> bool {
    let (mut row, mut path) = (row.split('.'), path.split('.'));
    loop {
        match (row.next(), path.next()) {
            (None, None) => return true,
            (Some(of), Some(part)) => {
                if of != part && !of.strip_suffix("[x]").is_some_and(|stem| part.starts_with(stem)) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Where a value stands.
#[derive(Clone)]
struct Place {
    /// The type of the resource.
    kind: String,
    path: String,
    /// In a reference: the type that it leads to, where it tells.
    target: Option<String>,
}

/// Every text and number of a resource with its place.
fn walk(place: &Place, value: &Value, see: &mut dyn FnMut(&Place, &str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(place, item, see)),
        Value::Object(members) => {
            let mut place = place.clone();
            if let Some(own) = members.get("resourceType").and_then(Value::as_str) {
                place = Place { kind: own.to_owned(), path: own.to_owned(), target: None };
            }
            let text = |key: &str| members.get(key).and_then(Value::as_str);
            let literal = text("reference").and_then(|literal| literal.rsplit('/').nth(1));
            if let Some(target) = literal.or_else(|| text("type")) {
                place.target = Some(target.to_owned());
            }
            for (key, member) in members {
                let path = format!("{}.{}", place.path, key.trim_start_matches('_'));
                walk(&Place { path, ..place.clone() }, member, see);
            }
        }
        Value::String(text) => see(place, text),
        other => see(place, &other.to_string()),
    }
}

/// The canary that a value holds, in whichever form.
fn canary_in(text: &str) -> Option<&'static str> {
    if text.starts_with(&format!("{}-", canary::YEAR)) {
        return Some(canary::YEAR);
    }
    if text == canary::CODE {
        return Some(canary::CODE);
    }
    let digits = text.replace('.', "");
    if digits.starts_with(&canary::DIGITS[..5]) {
        return Some(canary::DIGITS);
    }
    EVERYWHERE.into_iter().find(|canary| !find(text.as_bytes(), &[canary]).is_empty())
}

/// The canary patient as it is, and without the codes of no known system: with these most of it is withheld as a whole.
fn plant(world: &World) -> usize {
    let as_of = Timestamp::parse("2026-03-01T08:00:00Z").unwrap();
    let hospital = Hospital::generate(&Options { patients: 0, seed: 7, as_of, canary: true });
    let record = hospital.records().next().unwrap();
    let (mut whole, mut known) = (String::new(), String::new());
    for resource in &record.resources {
        let text = String::from_utf8(resource.to_json()).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        without_unknown_codes(&mut value);
        whole.push_str(&(text + "\n"));
        known.push_str(&(value.to_string() + "\n"));
    }
    world.input("1-whole.ndjson", &whole);
    world.input("2-known.ndjson", &known);
    for crafted in scruple_testkit::crafted::all().unwrap() {
        world.input(&format!("3-{}", crafted.file), crafted.text);
    }
    record.resources.len()
}

/// Takes the codes of no known system away.
pub fn without_unknown_codes(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| item["system"] != canary::SYSTEM);
            items.iter_mut().for_each(without_unknown_codes);
        }
        Value::Object(members) => members.values_mut().for_each(without_unknown_codes),
        _ => {}
    }
}

#[track_caller]
fn sees_no_canary_that_is_not_its_own(role: &str, purpose: &str) {
    let world = World::new();
    let planted = plant(&world);
    let inputs =
        [canary::TOKEN, canary::DIGITS, "CANARY-"].map(|canary| find_in_folder(&world.path("in"), &[canary]).len());
    assert!(planted > 300 && inputs.iter().all(|found| *found > 0), "{planted} {inputs:?}");
    let args = ["filter", "--role", role, "--purpose", purpose, "--in", "in", "--out", "out", "--json"];
    let ran = world.run(args).ends(1);
    assert!(ran.json()["released"].as_u64().unwrap() > 60, "{}", ran.text());

    // Beside the output: nothing, whatever the role sees.
    assert_eq!(find(&ran.out, &EVERYWHERE), []);
    assert_eq!(world.leaks(&ran, &EVERYWHERE), []);
    let words = world.run(["ledger", "show"]).ends(0).out;
    assert_eq!(find(&words, &EVERYWHERE), []);

    // In the output: only where the role sees the element.
    let pack = read(&PackFiles::embedded()).unwrap();
    let relationship = pack.condition("relationship").unwrap();
    let question = Question {
        role: role.to_owned(),
        purpose: purpose.to_owned(),
        conditions: ConditionMask::NONE.with(relationship),
    };
    let mut seen = Seen { pack: &pack, question, rows: BTreeMap::new() };
    let (mut wrong, mut right) = (Vec::new(), 0);
    for file in files(&world.path("out")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            let nowhere = Place { kind: String::new(), path: String::new(), target: None };
            walk(&nowhere, &value, &mut |Place { kind, path, target }, text| {
                let Some(canary) = canary_in(text) else { return };
                assert!(dictionary().resource(kind).is_some(), "{kind}");
                // Masks leave codes, days, amounts and places; what a person wrote they do not leave.
                let is_kept = [canary::CODE, canary::YEAR].contains(&canary) || text.parse::<f64>().is_ok();
                let is_kept = is_kept || [".address.city", ".address.postalCode"].iter().any(|end| path.ends_with(end));
                match seen.view(kind, path, target.as_deref()).as_str() {
                    "full" => right += 1,
                    "masked" if is_kept => {}
                    // A reference by identifier that does not tell whom it leads to has the view of its place.
                    _ if target.is_none() && path.ends_with(".individual.identifier.value") => {}
                    view => wrong.push(format!("{canary} at {path}, which is {view}: {text}")),
                }
            });
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} for {role}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right > 0, "what the role sees comes out: the search finds it");
}

#[test]
fn a_biller_sees_no_canary_of_what_is_not_a_billers() {
    sees_no_canary_that_is_not_its_own("biller", "HPAYMT");
}

#[test]
fn a_front_desk_sees_no_canary_of_what_is_not_its_own() {
    sees_no_canary_that_is_not_its_own("front_desk", "PATADMIN");
}

#[test]
fn a_quality_analyst_sees_no_canary_of_what_is_not_his() {
    sees_no_canary_that_is_not_its_own("quality_analyst", "HQUALIMP");
}
