//! What a clinician would notice: dates in order, ages that fit, values that a living body has.

use crate::{AS_OF, hospital, values, walk};
use serde_json::Value;

/// Paths that may lie after the present.
const AHEAD: &[&str] = &[
    "Appointment.",
    "Slot.",
    "Goal.target",
    "CarePlan.period.end",
    "expirationDate",
    "Consent.provision.period.end",
    "dateCriterion",
];

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && !text.contains(' ')
}

/// `present` as the hospital's local time, from which all dates are compared as text.
fn check(as_of: &str, present: &str) {
    let hospital = hospital(120, 3, as_of, false);
    for record in hospital.records() {
        let resources = values(&record);
        let patient = &resources[0];
        let birth = patient["birthDate"].as_str().unwrap();
        let end = patient["deceasedDateTime"].as_str().unwrap_or(present);
        for resource in &resources {
            let id = resource["id"].as_str().unwrap();
            walk(crate::kind(resource), resource, &mut |path, value| {
                if let (Some(start), Some(stop)) = (value["start"].as_str(), value["end"].as_str()) {
                    assert!(start <= stop, "{path} of {id}: {start} to {stop}");
                }
                let Some(date) = value.as_str().filter(|text| is_date(text)) else { return };
                assert!(&date[..10] >= birth, "{path} of {id}: {date} before birth {birth}");
                if !AHEAD.iter().any(|ahead| path.contains(ahead)) {
                    let length = date.len().min(end.len());
                    assert!(date[..length] <= end[..length], "{path} of {id}: {date} after {end}");
                }
            });
        }
    }
}

#[test]
fn nothing_happens_before_birth_or_after_death_or_in_the_future() {
    check(AS_OF, "2026-03-10T10:30:00-07:00");
}

#[test]
fn the_calendar_holds_at_its_edges() {
    check("2024-02-29T07:01:00Z", "2024-02-29T00:01:00-07:00");
    check("2027-01-01T06:59:00Z", "2026-12-31T23:59:00-07:00");
}

#[test]
fn vital_signs_are_those_of_the_living() {
    let ranges = [
        ("8867-4", 40.0, 175.0),
        ("9279-1", 8.0, 60.0),
        ("8310-5", 35.5, 41.0),
        ("59408-5", 82.0, 100.0),
        ("29463-7", 2.0, 160.0),
        ("8302-2", 44.0, 205.0),
        ("39156-5", 18.0, 42.0),
        ("8480-6", 70.0, 190.0),
        ("8462-4", 38.0, 120.0),
    ];
    let mut seen = [0; 9];
    for record in hospital(200, 9, AS_OF, false).records() {
        for resource in values(&record).iter().filter(|resource| crate::kind(resource) == "Observation") {
            let mut parts = vec![resource];
            parts.extend(resource["component"].as_array().into_iter().flatten());
            for part in parts {
                let Some(value) = part["valueQuantity"]["value"].as_f64() else { continue };
                let code = part["code"]["coding"][0]["code"].as_str().unwrap();
                if let Some(row) = ranges.iter().position(|(name, ..)| *name == code) {
                    let (_, low, high) = ranges[row];
                    assert!((low..=high).contains(&value), "{code} of {}: {value}", resource["id"]);
                    seen[row] += 1;
                }
            }
            if let (Some(systolic), Some(diastolic)) = (
                resource["component"][0]["valueQuantity"]["value"].as_f64(),
                resource["component"][1]["valueQuantity"]["value"].as_f64(),
            ) {
                assert!(systolic > diastolic + 10.0, "{}", resource["id"]);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 150), "{seen:?}");
}

#[test]
fn children_have_neither_adult_illness_nor_drivers_licences() {
    let mut children = 0;
    for record in hospital(300, 13, AS_OF, false).records() {
        let resources = values(&record);
        let year: i32 = resources[0]["birthDate"].as_str().unwrap()[..4].parse().unwrap();
        if year < 2010 {
            continue;
        }
        children += 1;
        let text = resources.iter().map(Value::to_string).collect::<String>();
        for adult in ["\"I10\"", "\"E11.9\"", "\"I48.91\"", "Never Married", "Full-time employment"] {
            assert!(!text.contains(adult), "{} has {adult}", record.patient_id);
        }
        assert!(!resources[0].to_string().contains("\"DL\""), "{}", record.patient_id);
        assert!(resources.iter().any(|resource| crate::kind(resource) == "RelatedPerson"), "{}", record.patient_id);
    }
    assert!(children >= 10, "{children}");
}

#[test]
fn people_of_all_ages_and_both_sexes_come() {
    let hospital = hospital(500, 21, AS_OF, false);
    let patients: Vec<Value> = hospital.records().map(|record| values(&record).swap_remove(0)).collect();
    let women = patients.iter().filter(|patient| patient["gender"] == "female").count();
    assert!((225..310).contains(&women), "{women}");
    let decade = |patient: &Value| (2026 - patient["birthDate"].as_str().unwrap()[..4].parse::<i32>().unwrap()) / 10;
    for ten in 0..9 {
        assert!(patients.iter().any(|patient| decade(patient) == ten), "nobody of {ten}0 years");
    }
    let zip: std::collections::BTreeSet<&str> =
        patients.iter().filter_map(|patient| patient["address"][0]["postalCode"].as_str()).collect();
    assert!(zip.len() > 15 && zip.iter().any(|zip| zip.starts_with("879")), "{zip:?}");
}
