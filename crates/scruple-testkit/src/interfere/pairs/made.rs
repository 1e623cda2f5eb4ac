//! Resources that few may see: labelled, of protected segments, of types that nobody has, or that cannot be understood.

use crate::tree::Numbers;
use serde_json::{Value, json};

/// A security label of v3-ActCode.
fn label(code: &str) -> Value {
    json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code }] })
}

fn concept(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

const ICD: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const LOINC: &str = "http://loinc.org";

/// A code of a protected segment, or one of no listed system.
const PROTECTED: [(&str, &str); 7] = [
    (ICD, "B20"),
    (ICD, "F11.20"),
    (ICD, "F32.1"),
    (ICD, "A56.00"),
    (ICD, "O04.5"),
    (ICD, "T74.11XA"),
    ("http://own.example/codes", "house-17"),
];

const LABELS: [&str; 7] = ["HIV", "42CFRPart2", "PSYTHPN", "ETH", "SEX", "STD", "VIO"];

/// A letter whose words lie in a Binary, and that Binary; a second address leads elsewhere.
pub(super) fn letter(patient: &str, number: usize) -> [Value; 2] {
    let (id, binary) = (format!("letter-{number}"), format!("words-{number}"));
    let address = |url: &str| json!({ "attachment": { "contentType": "text/plain", "url": url } });
    let inside = |url: &str| json!([{ "url": "http://vendor.example/scan", "valueAttachment": { "url": url } }]);
    [
        json!({
            "resourceType": "DocumentReference", "id": id, "status": "current", "type": concept(LOINC, "11506-3"),
            "_status": { "extension": inside("https://files.example/CANARY-ID?sig=2") },
            "subject": { "reference": format!("Patient/{patient}"), "extension": inside(&format!("Binary/{binary}")) },
            "content": [address(&format!("Binary/{binary}")), address("https://files.example/CANARY-ID?sig=1")],
        }),
        json!({ "resourceType": "Binary", "id": binary, "contentType": "text/plain", "data": "Q0FOQVJZLURBVEE=" }),
    ]
}

/// A resource about a patient that most callers do not see.
pub(super) fn hidden(patient: &str, number: u64, numbers: &mut Numbers) -> Value {
    let subject = json!({ "reference": format!("Patient/{patient}") });
    let id = format!("made-{number}");
    let (system, code) = numbers.one_of(&PROTECTED).copied().unwrap_or((ICD, "B20"));
    let mark = numbers.one_of(&LABELS).copied().unwrap_or("HIV");
    match numbers.below(9) {
        0 => {
            json!({ "resourceType": "Condition", "id": id, "subject": subject, "code": concept(system, code), "meta": label(mark) })
        }
        1 => json!({ "resourceType": "Condition", "id": id, "subject": subject, "code": concept(system, code) }),
        2 => json!({
            "resourceType": "Observation", "id": id, "status": "final", "subject": subject, "meta": label(mark),
            "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")],
            "code": concept(LOINC, "20447-9"), "valueQuantity": { "value": numbers.below(90_000) },
        }),
        3 => json!({
            "resourceType": "DocumentReference", "id": id, "status": "current", "subject": subject,
            "meta": label("PSYTHPN"), "securityLabel": [concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "PSYTHPN")],
            "content": [{ "attachment": { "contentType": "text/plain", "data": "c2Vzc2lvbg==" } }],
        }),
        4 => json!({ "resourceType": "Basic", "id": id, "code": { "text": "unmapped" }, "subject": subject }),
        5 => json!({
            "resourceType": "Procedure", "id": id, "status": "completed", "subject": subject,
            "implicitRules": "http://own.example/rules", "code": concept(LOINC, "8480-6"),
        }),
        6 => json!({
            "resourceType": "Observation", "id": id, "status": "final", "subject": subject,
            "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
            "code": concept(LOINC, "8480-6"), "valueQuantity": { "value": 120 },
            "modifierExtension": [{ "url": "http://own.example/not", "valueBoolean": true }],
        }),
        7 => json!({ "resourceType": "Encounter", "id": id, "status": 7, "subject": subject }),
        _ => json!({
            "resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order", "subject": subject,
            "medicationCodeableConcept": concept("http://own.example/drugs", "CANARY-DRUG"), "meta": label(mark),
        }),
    }
}
