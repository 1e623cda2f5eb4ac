//! The functions of masks.

use super::{Withheld, sees};

#[test]
fn codes_keep_their_form_and_codings_their_system() {
    let caller = sees("demographics").masked("coded", "problems").knows("Patient/1");
    caller.check(
        r#"{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active","display":"D","userSelected":true}]},
            "code":{"coding":[{"system":"http://snomed.info/sct","version":"2026","code":"38341003","display":"D"},{"system":"http://snomed.info/sct","code":"38341004"},
                {"system":"http://own.example","code":"x"},{"code":"y"},{"system":"http://snomed.info/sct","code":"\u00338341003"}],"text":"T"},
            "subject":{"reference":"Patient/1","display":"D","type":"Patient"},"recordedDate":"2020-02-03","note":[{"text":"N"}],
            "onsetAge":{"value":40,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}}"#,
        concat!(
            r#"{"resourceType":"Condition",META,"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"#,
            r#""code":{"coding":[{"system":"http://snomed.info/sct","code":"38341003"}]},"subject":{"reference":"Patient/1"},"recordedDate":"2020-02-03"}"#
        ),
    );
}

#[test]
fn keep_is_full_with_narrowings_and_into_goes_on() {
    let caller = sees("").masked("coded", "labs");
    let input = concat!(
        r#"{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"#,
        r#""code":{"coding":[{"system":"http://own.example","code":"x_y","display":"D"}],"text":"T"},"valueQuantity":{"value":1.5,"unit":"U","system":"http://unitsofmeasure.org","code":"mmol/L"}}"#
    );
    let shown = |code: &str| {
        format!(
            concat!(
                r#"{{"resourceType":"Observation",META,"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],"#,
                r#""code":{},"valueQuantity":{{"value":1.5,"system":"http://unitsofmeasure.org","code":"mmol/L"}}}}"#
            ),
            code
        )
    };
    caller.check(input, &shown(r#"{"coding":[{"system":"http://own.example","code":"x_y"}]}"#));
    sees("free_text")
        .masked("coded", "labs")
        .check(input, &shown(r#"{"coding":[{"system":"http://own.example","code":"x_y","display":"D"}],"text":"T"}"#));
    // Own system: unclassified, but every limit is follow.
}

#[test]
fn listed_takes_what_the_list_has() {
    sees("").masked("listed", "problems").check(
        r#"{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},
            "code":{"coding":[{"system":"http://snomed.info/sct","code":"38341003"},{"system":"http://snomed.info/sct","code":"73211009"}]}}"#,
        r#"{"resourceType":"AllergyIntolerance",META,"code":{"coding":[{"system":"http://snomed.info/sct","code":"38341003"}]},"patient":MASKED,"clinicalStatus":MASKED}"#,
    );
}

fn limited() -> super::Caller {
    sees("").masked("limited", "demographics names contact mrn national")
}

#[test]
fn birth_dates_become_ages() {
    let with = |value: &str| {
        format!(
            r#"{{"resourceType":"Patient","birthDate":"{value}","_birthDate":{{"extension":[{{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}}]}},"gender":"male"}}"#
        )
    };
    let shown = |age: &str| {
        let age = if age.is_empty() {
            String::new()
        } else {
            format!(
                r#",{{"url":"https://scruple.example/fhir/StructureDefinition/age","valueAge":{{{age},"unit":"years","system":"http://unitsofmeasure.org","code":"a"}}}}"#
            )
        };
        format!(
            r#"{{"resourceType":"Patient",META,"_birthDate":{{"extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}}{age}]}}}}"#
        )
    };
    let caller = limited();
    caller.check(&with("1980-03-01"), &shown(r#""value":46"#));
    caller.check(&with("1980-03-02"), &shown(r#""value":45"#));
    caller.check(&with("1936-03-01"), &shown(r#""value":90,"comparator":">=""#));
    caller.check(&with("1936-03-02"), &shown(r#""value":89"#));
    caller.check(&with("1900-03-02"), &shown(r#""value":90,"comparator":">=""#));
    caller.check(&with("1980-03"), &shown(""));
    caller.check(&with("2027-01-01"), &shown(""));
    // Nothing to tell an age from, and the record's own `_birthDate` never shows.
    caller.check(
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}]}}"#,
        r#"{"resourceType":"Patient",META}"#,
    );
}

#[test]
fn years_zip_codes_last_four_and_tokens() {
    limited().check(
        r#"{"resourceType":"Patient","deceasedDateTime":"2024-05-06T07:08:09Z","active":true,
            "address":[{"use":"home","line":["L"],"city":"C","state":"MA","postalCode":"02139","country":"US"},{"postalCode":"02139-1234"},
                {"postalCode":"02139","country":"CA"},{"postalCode":"0213"},{"postalCode":"02139-12"},{"postalCode":"K1A 0"},{"postalCode":"02139","country":"USA"}],
            "telecom":[{"system":"phone","value":"555-0199-22","use":"home"},{"system":"phone","value":"5550199"},{"system":"phone","value":"\u0035550199222"}],
            "name":[{"use":"official","family":"Jürgensén","given":["A\u0042","C"]}],
            "identifier":[{"use":"usual","system":"urn:x","value":"123","assigner":{"display":"A"}}]}"#,
        concat!(
            r#"{"resourceType":"Patient",META,"deceasedDateTime":"2024","active":true,"#,
            r#""address":[{"use":"home","state":"MA","postalCode":"02100","country":"US"},{"postalCode":"02100"},{"country":"CA"},{"postalCode":"02100","country":"USA"}],"#,
            r#""telecom":[{"system":"phone","value":"9-22","use":"home"},{"system":"phone"},{"system":"phone"}],"#,
            r#""name":[{"use":"official","family":"nsén","given":["t-string-C"]}],"#,
            r#""identifier":[{"use":"usual","system":"urn:x","value":"t-string-123"}]}"#
        ),
    );
    // A modifier element of which the mask leaves nothing.
    limited().withholds(r#"{"resourceType":"Patient","deceasedDateTime":"soon"}"#, Withheld::Required);
}

#[test]
fn references_become_pseudonyms() {
    let caller = sees("relatives directory").masked("limited", "demographics");
    caller.check(
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Organization/o","display":"D"},
            "generalPractitioner":[{"reference":"Practitioner/p/_history/1"},{"reference":"http://x.example/Practitioner/p"},{"display":"D"},{"reference":"Observation/secret"}]}"#,
        r#"{"resourceType":"Patient",META,"managingOrganization":{"reference":"Organization/t-Organization-o"},"generalPractitioner":[{"reference":"Practitioner/t-Practitioner-p"}]}"#,
    );
}

#[test]
fn shapes_are_dummies() {
    sees("").masked("shape", "demographics photo contact").check(
        r#"{"resourceType":"Patient","active":true,"gender":"male","birthDate":"1980-05-06","deceasedDateTime":"2020-05","multipleBirthInteger":3,
            "photo":[{"contentType":"image/png","size":123,"title":"Ab é\n9","creation":"2020-01-02T03:04:05Z","data":"QUJD"}],
            "address":[{"use":"home","city":"Łódź 1","period":{"start":"2020"}}]}"#,
        concat!(
            r#"{"resourceType":"Patient",META,"active":false,"gender":"xxxx","birthDate":"2000-01-01","deceasedDateTime":"2000-01","multipleBirthInteger":9,"#,
            r#""photo":[{"contentType":"image/png","size":9,"title":"Xx xx9","creation":"2000-01-01T00:00:00Z"}],"#,
            r#""address":[{"use":"xxxx","city":"xxxx 9","period":{"start":"2000"}}]}"#
        ),
    );
}

#[test]
fn a_required_instant_under_a_mask_withholds_its_resource_and_an_optional_one_itself() {
    let slot = r#"{"resourceType":"Slot","schedule":{"display":"x"},"status":"free","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z"}"#;
    sees("").masked("limited", "admin").withholds(slot, Withheld::Required);
    sees("").masked("limited", "admin").check(
        r#"{"resourceType":"Appointment","status":"proposed","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z","created":"2026-01-02","participant":[{"status":"accepted"}]}"#,
        r#"{"resourceType":"Appointment",META,"status":"proposed","created":"2026","participant":[{"status":"accepted","type":[MASKED]}],"_start":MASKED,"_end":MASKED}"#,
    );
}
