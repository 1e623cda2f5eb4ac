//! Codes end in the check digit of their system, and numbers that could be somebody's are from reserved ranges.

use crate::{AS_OF, everything, hospital, walk};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// LOINC: mod 10 over the digits before the hyphen, doubling from the right.
fn loinc_is_right(code: &str) -> bool {
    let Some((body, check)) = code.split_once('-') else { return false };
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    check == ((10 - sum % 10) % 10).to_string()
}

/// SNOMED CT: Verhoeff over all digits.
fn snomed_is_right(code: &str) -> bool {
    const MULTIPLY: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const PERMUTE: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let check = code.bytes().rev().enumerate().fold(0u8, |sum, (place, digit)| {
        MULTIPLY[usize::from(sum)][usize::from(PERMUTE[place % 8][usize::from(digit - b'0')])]
    });
    (6..=18).contains(&code.len()) && check == 0
}

/// A letter, a digit, a letter or digit, then up to four after the point.
fn icd_has_its_shape(code: &str) -> bool {
    let (category, rest) = code.split_once('.').unwrap_or((code, ""));
    let head = category.as_bytes();
    head.len() == 3
        && head[0].is_ascii_uppercase()
        && head[1].is_ascii_digit()
        && rest.len() <= 4
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[test]
fn the_check_digit_functions_know_right_from_wrong() {
    assert!(loinc_is_right("20447-9") && !loinc_is_right("20447-8") && !loinc_is_right("20474-9"));
    assert!(snomed_is_right("86406008") && !snomed_is_right("86406009") && !snomed_is_right("84606008"));
    assert!(icd_has_its_shape("T40.411A") && icd_has_its_shape("B20") && !icd_has_its_shape("11.9"));
}

#[test]
fn codes_carry_their_check_digits_and_one_display_each() {
    let all = everything(&hospital(250, 11, AS_OF, false));
    let mut displays: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for resource in &all {
        walk("", resource, &mut |_, value| {
            let (Some(system), Some(code)) = (value["system"].as_str(), value["code"].as_str()) else { return };
            let right = match system {
                // Answer codes (LA...) have a check digit of their own.
                "http://loinc.org" => code.starts_with("LA") || loinc_is_right(code),
                "http://snomed.info/sct" => snomed_is_right(code),
                "http://hl7.org/fhir/sid/icd-10-cm" => icd_has_its_shape(code),
                "http://www.nlm.nih.gov/research/umls/rxnorm" => code.bytes().all(|byte| byte.is_ascii_digit()),
                _ => true,
            };
            assert!(right, "{system} {code}");
            assert_ne!(system, "http://www.ama-assn.org/go/cpt", "CPT is not free");
            if let Some(display) = value["display"].as_str() {
                displays.entry((system.to_owned(), code.to_owned())).or_default().insert(display.to_owned());
            }
        });
    }
    let several: Vec<_> = displays.iter().filter(|(_, names)| names.len() > 1).collect();
    assert!(several.is_empty(), "{several:#?}");
    for system in [
        "http://loinc.org",
        "http://snomed.info/sct",
        "http://hl7.org/fhir/sid/icd-10-cm",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
    ] {
        let distinct = displays.keys().filter(|(name, _)| name == system).count();
        assert!(distinct >= 30, "{system}: {distinct}");
    }
}

#[test]
fn numbers_belong_to_nobody() {
    let all = everything(&hospital(150, 5, AS_OF, false));
    let (mut numbers, mut telephones) = (0, 0);
    for resource in &all {
        walk("", resource, &mut |_, value| {
            let text = |key: &str| value[key].as_str().unwrap_or_default();
            match (text("system"), text("value")) {
                ("http://hl7.org/fhir/sid/us-ssn", number) => {
                    let group: u32 = number[4..6].parse().unwrap();
                    assert!(number.starts_with('9') && group < 50 && number.len() == 11, "{number}");
                    numbers += 1;
                }
                ("phone", number) => {
                    assert_eq!(&number[3..10], "-555-01", "{number}");
                    telephones += 1;
                }
                ("email", mail) => assert!(mail.ends_with("@example.net") || mail.ends_with(".example"), "{mail}"),
                ("http://hl7.org/fhir/sid/us-npi", number) => {
                    assert!(number.starts_with('2') && number.len() == 10, "{number}")
                }
                _ => {}
            }
        });
    }
    assert!(numbers >= 150 && telephones >= 150, "{numbers} {telephones}");
    let unique: BTreeSet<&str> = all.iter().filter(|resource| resource["resourceType"] == "Patient").map(mrn).collect();
    assert_eq!(unique.len(), 150);
}

fn mrn(patient: &Value) -> &str {
    patient["identifier"][0]["value"].as_str().unwrap()
}
