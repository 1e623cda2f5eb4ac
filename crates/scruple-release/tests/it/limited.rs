//! What a quality analyst gets holds none of the sixteen direct identifiers of a limited data set (45 CFR 164.514(e)(2)), of the
//! individual, of relatives, employers or household members.

use crate::world::{fast, role_table};

const ANALYST: (&str, &str) = ("quality_analyst", "HQUALIMP");
const PHYSICIAN: (&str, &str) = ("physician", "TREAT");

/// A resource, and the identifiers in it by the number of 164.514(e)(2).
const RECORDS: [(&str, &[(&str, &str)]); 7] = [
    (
        r#"{"resourceType":"Patient","id":"p","active":true,
            "name":[{"family":"Wexcombe","given":["Ottoline"],"text":"Ottoline Wexcombe"}],
            "telecom":[{"system":"phone","value":"520-555-0134"},{"system":"fax","value":"520-555-0135"},
                {"system":"email","value":"ottoline@home.example"},{"system":"url","value":"https://ottoline.example/me"},
                {"system":"other","value":"198.51.100.77"}],
            "gender":"female","birthDate":"1951-04-09",
            "address":[{"line":["1184 Quillback Lane"],"city":"Tucson","state":"AZ","postalCode":"85701","text":"1184 Quillback Lane, Tucson"}],
            "identifier":[
                {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SS"}]},"system":"http://hl7.org/fhir/sid/us-ssn","value":"900-45-6789"},
                {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"value":"MRN-70012"},
                {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"AN"}]},"value":"ACC-70013"},
                {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MB"}]},"value":"PLAN-70014"},
                {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"DL"}]},"value":"DL-70015"},
                {"type":{"text":"plate"},"value":"AZ-PLATE-70016"}],
            "photo":[{"contentType":"image/png","data":"UEhPVE9PRkZBQ0U="}],
            "contact":[{"name":{"family":"Relativesson"},"telecom":[{"system":"phone","value":"520-555-0136"}],
                "organization":{"display":"Employer Quarry Works"}}]}"#,
        &[
            ("(i) name", "Wexcombe"),
            ("(i) name", "Ottoline"),
            ("(ii) street address", "Quillback"),
            ("(iii) telephone", "520-555-0134"),
            ("(iv) fax", "520-555-0135"),
            ("(v) e-mail", "ottoline@home.example"),
            ("(vi) social security number", "900-45-6789"),
            ("(vii) record number", "MRN-70012"),
            ("(viii) number of a plan", "PLAN-70014"),
            ("(ix) account number", "ACC-70013"),
            ("(x) licence number", "DL-70015"),
            ("(xi) vehicle", "AZ-PLATE-70016"),
            ("(xiii) web address", "ottoline.example"),
            ("(xiv) network address", "198.51.100.77"),
            ("(xvi) face", "UEhPVE9PRkZBQ0U="),
            ("(i) a relative's name", "Relativesson"),
            ("(iii) a relative's telephone", "520-555-0136"),
            ("an employer", "Quarry Works"),
        ],
    ),
    (
        r#"{"resourceType":"Device","id":"d","status":"active","patient":{"reference":"Patient/p","display":"Ottoline Wexcombe"},
            "serialNumber":"SERIAL-70021","udiCarrier":[{"deviceIdentifier":"01","carrierHRF":"UDI-70022"}],
            "identifier":[{"value":"DEV-70023"}]}"#,
        &[
            ("(xii) serial number", "SERIAL-70021"),
            ("(xii) serial number", "UDI-70022"),
            ("(xii) device", "DEV-70023"),
            ("(i) name", "Wexcombe"),
        ],
    ),
    (
        r#"{"resourceType":"Coverage","id":"c","status":"active","subscriberId":"PLAN-70031","beneficiary":{"reference":"Patient/p"},
            "subscriber":{"display":"Ottoline Wexcombe"},"payor":[{"display":"A plan"}],"identifier":[{"value":"PLAN-70032"}]}"#,
        &[
            ("(viii) number of a plan", "PLAN-70031"),
            ("(viii) number of a plan", "PLAN-70032"),
            ("(i) name", "Wexcombe"),
        ],
    ),
    (
        r#"{"resourceType":"RelatedPerson","id":"r","active":true,"patient":{"reference":"Patient/p"},"name":[{"family":"Relativesson"}],
            "telecom":[{"system":"phone","value":"520-555-0136"}],"address":[{"line":["1184 Quillback Lane"]}]}"#,
        &[
            ("(i) a relative's name", "Relativesson"),
            ("(iii) a relative's telephone", "520-555-0136"),
            ("(ii) street address", "Quillback"),
        ],
    ),
    (
        r#"{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/p","display":"Ottoline Wexcombe"},
            "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
            "code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},"valueString":"told to Relativesson by phone",
            "note":[{"text":"call Ottoline at 520-555-0134"}]}"#,
        &[("(i) name", "Wexcombe"), ("(i) a relative's name", "Relativesson"), ("(iii) telephone", "520-555-0134")],
    ),
    (
        r#"{"resourceType":"DocumentReference","id":"n","status":"current","subject":{"reference":"Patient/p"},
            "description":"Letter to Ottoline Wexcombe","content":[{"attachment":{"contentType":"text/plain","data":"T3R0b2xpbmU=","title":"Wexcombe","url":"https://ottoline.example/me"}}]}"#,
        &[("(i) name", "Wexcombe"), ("(xiii) web address", "ottoline.example"), ("a note", "T3R0b2xpbmU=")],
    ),
    (
        r#"{"resourceType":"Patient","id":"q","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Ottoline Wexcombe</div>"},
            "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Relativesson"},
                {"url":"https://house.example/fingerprint","valueString":"BIOMETRIC-70041"}]}"#,
        &[("(i) name", "Wexcombe"), ("(i) a relative's name", "Relativesson"), ("(xv) biometric", "BIOMETRIC-70041")],
    ),
];

#[test]
fn a_quality_analyst_gets_none_of_the_sixteen_identifiers_of_a_limited_data_set() {
    let table = role_table(ANALYST.0, ANALYST.1);
    for (record, identifiers) in RECORDS {
        let seen = fast(&table, record.as_bytes()).unwrap_or_default();
        for (which, word) in identifiers {
            assert!(record.contains(word), "{word}");
            assert!(!seen.contains(word), "{which}, `{word}`, is in {seen}");
        }
    }
    // What a limited data set may hold is there: town, state, ZIP; and who treats sees the rest, or this would show nothing.
    let (patient, identifiers) = RECORDS[0];
    let seen = fast(&table, patient.as_bytes()).unwrap();
    assert!(seen.contains("85701") && seen.contains("female"), "{seen}");
    let whole = fast(&role_table(PHYSICIAN.0, PHYSICIAN.1), patient.as_bytes()).unwrap();
    assert!(identifiers.iter().filter(|(_, word)| whole.contains(word)).count() > 8, "{whole}");
}
