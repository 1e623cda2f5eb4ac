//! Values that must never come out: planted in one extra patient so that a leak can be searched for.
//!
//! The record of `pat-canary` is the showcase's with these in it. Each token ends in the path of its element
//! (`Zq7CANARY.Condition.code.text`), so that a find names the leak. What decides access keeps its times: Encounter,
//! Appointment, CareTeam, EpisodeOfCare, Consent, Task, ServiceRequest, Slot, Coverage.

use crate::chart::Chart;
use crate::json::{Json, base64, dec, obj};
use crate::person::Person;
use crate::persona::Persona;
use crate::time::Moment;
use crate::{Record, Resource, showcase, story};

/// The id of the patient.
pub const PATIENT_ID: &str = "pat-canary";
/// Every string that a policy could withhold holds this, followed by a dot and the path of its element.
pub const TOKEN: &str = "Zq7CANARY";
/// The start of every `data`: base64 of [`TOKEN`], whose nine bytes make twelve letters.
pub const TOKEN_BASE64: &str = "WnE3Q0FOQVJZ";
/// The year of dates that are not needed to decide.
pub const YEAR: &str = "1903";
/// The value of quantities, amounts and integers, and part of identifiers.
pub const DIGITS: &str = "9172635";
/// A code of [`SYSTEM`] beside the real ones in every CodeableConcept.
pub const CODE: &str = "zq7c";
/// The system of [`CODE`].
pub const SYSTEM: &str = "https://saguaro-valley.example/fhir/CodeSystem/canary";

const NUMBER: i64 = 9_172_635;

/// Types whose times are facts of relationship or authority.
const TIMES_KEPT: &[&str] =
    &["Encounter", "Appointment", "CareTeam", "EpisodeOfCare", "Consent", "Task", "ServiceRequest", "Slot", "Coverage"];

/// Keys of strings that people read.
const PROSE: &[&str] = &[
    "text",
    "display",
    "title",
    "description",
    "comment",
    "conclusion",
    "contentString",
    "family",
    "given",
    "line",
    "city",
    "district",
    "valueString",
    "disposition",
    "carrierHRF",
    "lotNumber",
    "serialNumber",
    "distinctIdentifier",
    "manufacturer",
    "subscriberId",
    "assignedArm",
    "detail",
    "summary",
    "instruction",
    "mitigation",
    "preAuthRef",
    "name",
];

/// The record of the canary patient.
pub(crate) fn record(seed: u64, now: Moment) -> Record {
    let person =
        Person { id: PATIENT_ID.to_owned(), persona: Persona::Canary, number: NUMBER, ..showcase::person(now) };
    let mut chart = Chart::new(seed, 0, &person, now);
    story::tell(&mut chart, Persona::Canary);
    let mut resources = chart.finish();
    for resource in &mut resources {
        plant(resource);
    }
    Record { patient_id: PATIENT_ID.to_owned(), persona: Persona::Canary, resources }
}

fn plant(resource: &mut Resource) {
    let kind = resource.kind();
    for (key, value) in resource.fields_mut() {
        if !matches!(*key, "resourceType" | "id" | "meta") {
            walk(kind, &format!("{kind}.{key}"), key, value);
        }
    }
}

fn walk(kind: &str, path: &str, key: &str, value: &mut Json) {
    match value {
        Json::Object(fields) => {
            if matches!(fields.first(), Some((name, _)) if *name == "resourceType") {
                fields.iter_mut().skip(2).for_each(|(key, value)| walk(kind, &format!("{path}.{key}"), key, value));
                return;
            }
            for (key, value) in fields.iter_mut() {
                walk(kind, &format!("{path}.{key}"), key, value);
            }
        }
        Json::List(items) => {
            items.iter_mut().for_each(|item| walk(kind, path, key, item));
            if key == "coding" {
                items.push(obj! { "system": SYSTEM, "code": CODE, "display": format!("{TOKEN}.{path}.display") });
            }
        }
        Json::Text(text) => {
            if let Some(planted) = planted(kind, path, key, text) {
                *text = planted.into();
            }
        }
        Json::Decimal(number) if key == "value" || key == "valueDecimal" => *number = dec(NUMBER, number.scale.min(2)),
        Json::Int(number) if key == "valueInteger" => *number = NUMBER,
        _ => {}
    }
}

fn planted(kind: &str, path: &str, key: &str, text: &str) -> Option<String> {
    if key == "data" {
        return Some(base64(format!("{TOKEN}.{path} {DIGITS}").as_bytes()));
    }
    if key == "div" {
        return Some(text.replace("</div>", &format!(" {TOKEN}.{path}</div>")));
    }
    if key == "value" && path.contains("dentifier") {
        return Some(format!("{TOKEN}-{DIGITS}-{text}"));
    }
    if key == "value" && path.contains("telecom") {
        return Some(format!("{DIGITS} {TOKEN}.{path}"));
    }
    if PROSE.contains(&key) {
        return Some(format!("{text} {TOKEN}.{path}"));
    }
    if is_date(text) && !TIMES_KEPT.contains(&kind) {
        let rest = text.get(4..)?;
        // 1903 had no 29 February.
        return Some(format!("{YEAR}{}", rest.replacen("-02-29", "-02-28", 1)));
    }
    None
}

fn is_date(text: &str) -> bool {
    let mut parts = text.as_bytes().iter().take(10).enumerate();
    text.len() >= 10
        && parts.all(|(place, byte)| if place == 4 || place == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
}
