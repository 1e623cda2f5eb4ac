//! Canary values are in every withheld kind of element of one patient and nowhere else.

use crate::{AS_OF, hospital, values, walk};
use scruple_hospital::canary;
use serde_json::Value;

#[test]
fn the_ordinary_hospital_has_no_canary() {
    let hospital = hospital(120, 7, AS_OF, false);
    for record in hospital.records() {
        assert_ne!(record.patient_id, canary::PATIENT_ID);
        for resource in &record.resources {
            let text = String::from_utf8(resource.to_json()).unwrap();
            for value in [canary::TOKEN, canary::TOKEN_BASE64, canary::CODE, canary::DIGITS, "\"1903-"] {
                assert!(!text.contains(value), "{value} in {}", resource.id());
            }
        }
    }
}

#[test]
fn the_canary_patient_carries_them_in_every_element_that_can_be_withheld() {
    let record = hospital(0, 7, AS_OF, true).records().next().unwrap();
    assert_eq!(record.patient_id, canary::PATIENT_ID);
    let (mut strings, mut quantities, mut years, mut codes, mut attachments) = (0, 0, 0, 0, 0);
    for resource in values(&record) {
        let kind = crate::kind(&resource).to_owned();
        walk(&kind, &resource, &mut |path, value| {
            let key = path.rsplit('.').next().unwrap();
            let text = value.as_str().unwrap_or_default();
            match key {
                "text" | "display" | "family" | "given" | "line" | "city" | "conclusion" | "contentString"
                | "description" | "comment"
                    if value.is_string()
                        && !path.starts_with(&format!("{kind}.meta"))
                        && !path.contains("security") =>
                {
                    assert!(text.contains(canary::TOKEN), "{path} of {}: {text}", resource["id"]);
                    strings += 1;
                }
                "data" => {
                    assert!(text.starts_with(canary::TOKEN_BASE64), "{path}");
                    attachments += 1;
                }
                "value" | "valueInteger" | "valueDecimal" if value.is_number() => {
                    let digits = value.to_string().replace('.', "");
                    assert!(digits.starts_with(&canary::DIGITS[..4]), "{path} of {}: {value}", resource["id"]);
                    quantities += 1;
                }
                "coding" if value.is_array() => {
                    let planted = value
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|coding| coding["code"] == canary::CODE && coding["system"] == canary::SYSTEM);
                    assert!(planted, "{path} of {}", resource["id"]);
                    codes += 1;
                }
                _ => {}
            }
            if text.starts_with(canary::YEAR) && text[4..].starts_with('-') {
                years += 1;
            }
        });
    }
    assert!(
        strings > 900 && quantities > 100 && years > 300 && codes > 500 && attachments > 30,
        "{strings} {quantities} {years} {codes} {attachments}"
    );
}

#[test]
fn a_token_names_its_element_and_access_keeps_its_times() {
    let record = hospital(0, 7, AS_OF, true).records().next().unwrap();
    let resources = values(&record);
    let find = |kind: &str| resources.iter().find(|resource| crate::kind(resource) == kind).unwrap();
    assert!(find("Patient")["name"][0]["family"].as_str().unwrap().ends_with("Zq7CANARY.Patient.name.family"));
    assert!(find("Condition")["code"]["text"].as_str().unwrap().ends_with("Zq7CANARY.Condition.code.text"));
    assert!(find("Patient")["birthDate"].as_str().unwrap().starts_with(canary::YEAR));
    for kind in ["Encounter", "CareTeam", "Appointment"] {
        let text = find(kind).to_string();
        assert!(!text.contains("\"1903-"), "{kind}");
    }
    let identifier = &find("Patient")["identifier"][1]["value"];
    assert!(matches!(identifier, Value::String(text) if text.contains(canary::TOKEN) && text.contains(canary::DIGITS)));
}
