//! Each constraint with a resource that keeps it and one that breaks it.

use super::*;
use std::collections::BTreeSet;

fn keys(input: &str) -> BTreeSet<&'static str> {
    check(input.as_bytes()).into_iter().map(|violation| violation.key).collect()
}

/// A resource around an element: `Type: "element": ...`.
const CASES: &[(&str, &str, &str, &str)] = &[
    // key, type, members that keep it, members that break it
    (
        "age-1",
        "Condition",
        r#""onsetAge":{"value":1,"code":"a","system":"http://unitsofmeasure.org"}"#,
        r#""onsetAge":{"value":1}"#,
    ),
    (
        "age-1",
        "Condition",
        r#""onsetAge":{"unit":"a"}"#,
        r#""onsetAge":{"value":0,"code":"a","system":"http://unitsofmeasure.org"}"#,
    ),
    ("ait-1", "AllergyIntolerance", r#""clinicalStatus":{"text":"x"}"#, r#""type":"allergy""#),
    (
        "ait-2",
        "AllergyIntolerance",
        r#""verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"entered-in-error"}]}"#,
        r#""clinicalStatus":{"text":"x"},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"entered-in-error"}]}"#,
    ),
    (
        "app-1",
        "Appointment",
        r#""participant":[{"actor":{"display":"x"},"status":"accepted"}]"#,
        r#""participant":[{"status":"accepted"}]"#,
    ),
    (
        "app-2",
        "Appointment",
        r#""start":"2026-01-01T00:00:00Z","_end":{"extension":[{"url":"u","valueString":"x"}]}"#,
        r#""start":"2026-01-01T00:00:00Z""#,
    ),
    ("app-3", "Appointment", r#""status":"proposed""#, r#""status":"booked""#),
    (
        "app-4",
        "Appointment",
        r#""status":"cancelled","cancelationReason":{"text":"x"}"#,
        r#""status":"booked","cancelationReason":{"text":"x"}"#,
    ),
    ("apr-1", "AppointmentResponse", r#""actor":{"display":"x"}"#, r#""comment":"x""#),
    ("att-1", "Patient", r#""photo":[{"data":"QUJD","contentType":"image/png"}]"#, r#""photo":[{"data":"QUJD"}]"#),
    ("bdl-1", "Bundle", r#""type":"searchset","total":1"#, r#""type":"collection","total":1"#),
    (
        "bdl-2",
        "Bundle",
        r#""type":"searchset","entry":[{"search":{"mode":"match"},"resource":{"resourceType":"Basic"}}]"#,
        r#""type":"collection","entry":[{"search":{"mode":"match"}}]"#,
    ),
    (
        "bdl-3",
        "Bundle",
        r#""type":"batch","entry":[{"request":{"method":"GET","url":"x"}}]"#,
        r#""type":"batch","entry":[{"resource":{"resourceType":"Basic"}}]"#,
    ),
    (
        "bdl-4",
        "Bundle",
        r#""type":"collection","entry":[{"resource":{"resourceType":"Basic"}}]"#,
        r#""type":"collection","entry":[{"response":{"status":"200"}}]"#,
    ),
    (
        "bdl-5",
        "Bundle",
        r#""type":"collection","entry":[{"resource":{"resourceType":"Basic"}}]"#,
        r#""type":"collection","entry":[{"fullUrl":"u"}]"#,
    ),
    (
        "bdl-7",
        "Bundle",
        r#""type":"collection","entry":[{"fullUrl":"u","resource":{"resourceType":"Basic"}},{"fullUrl":"v","resource":{"resourceType":"Basic"}}]"#,
        r#""type":"collection","entry":[{"fullUrl":"u","resource":{"resourceType":"Basic"}},{"fullUrl":"u","resource":{"resourceType":"Basic"}}]"#,
    ),
    (
        "bdl-8",
        "Bundle",
        r#""type":"collection","entry":[{"fullUrl":"http://x/A/1"}]"#,
        r#""type":"collection","entry":[{"fullUrl":"http://x/A/1/_history/2"}]"#,
    ),
    (
        "ces-1",
        "CoverageEligibilityResponse",
        r#""insurance":[{"item":[{"category":{"text":"x"}}]}]"#,
        r#""insurance":[{"item":[{"name":"x"}]}]"#,
    ),
    ("cmp-1", "Composition", r#""section":[{"entry":[{"display":"x"}]}]"#, r#""section":[{"title":"x"}]"#),
    (
        "cmp-2",
        "Composition",
        r#""section":[{"emptyReason":{"text":"x"}}]"#,
        r#""section":[{"emptyReason":{"text":"x"},"entry":[{"display":"x"}]}]"#,
    ),
    (
        "cnt-3",
        "Parameters",
        r#""parameter":[{"name":"a","valueCount":{"value":3,"code":"1","system":"http://unitsofmeasure.org"}}]"#,
        r#""parameter":[{"name":"a","valueCount":{"value":3.5,"code":"1","system":"http://unitsofmeasure.org"}}]"#,
    ),
    ("con-1", "Condition", r#""stage":[{"summary":{"text":"x"}}]"#, r#""stage":[{"type":{"text":"x"}}]"#),
    (
        "con-2",
        "Condition",
        r#""evidence":[{"detail":[{"display":"x"}]}]"#,
        r#""evidence":[{"extension":[{"url":"u","valueString":"x"}]}]"#,
    ),
    (
        "con-4",
        "Condition",
        r#""abatementString":"x","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"resolved"}]}"#,
        r#""abatementString":"x","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}"#,
    ),
    (
        "con-5",
        "Condition",
        r#""clinicalStatus":{"text":"x"}"#,
        r#""clinicalStatus":{"text":"x"},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"entered-in-error"}]}"#,
    ),
    (
        "cpl-3",
        "CarePlan",
        r#""activity":[{"reference":{"display":"x"}}]"#,
        r#""activity":[{"reference":{"display":"x"},"detail":{"status":"scheduled"}}]"#,
    ),
    ("cpt-2", "Patient", r#""telecom":[{"value":"1","system":"phone"}]"#, r#""telecom":[{"value":"1"}]"#),
    (
        "dis-1",
        "Parameters",
        r#""parameter":[{"name":"a","valueDistance":{"value":3,"code":"m","system":"http://unitsofmeasure.org"}}]"#,
        r#""parameter":[{"name":"a","valueDistance":{"value":3}}]"#,
    ),
    (
        "dom-2",
        "Patient",
        r##""contained":[{"resourceType":"Basic","id":"a","subject":{"reference":"#"}}]"##,
        r##""contained":[{"resourceType":"Basic","id":"a","contained":[{"resourceType":"Basic","id":"b"}]}]"##,
    ),
    (
        "dom-3",
        "Patient",
        r##""contained":[{"resourceType":"Organization","id":"a"}],"managingOrganization":{"reference":"#a"}"##,
        r##""contained":[{"resourceType":"Organization","id":"a"}]"##,
    ),
    (
        "dom-4",
        "Patient",
        r#""contained":[{"resourceType":"Basic","meta":{"source":"x"}}]"#,
        r#""contained":[{"resourceType":"Basic","meta":{"versionId":"1"}}]"#,
    ),
    (
        "dom-5",
        "Patient",
        r#""contained":[{"resourceType":"Basic","meta":{"source":"x"}}]"#,
        r#""contained":[{"resourceType":"Basic","meta":{"security":[{"code":"x"}]}}]"#,
    ),
    (
        "drt-1",
        "Encounter",
        r#""length":{"value":1,"code":"h","system":"http://unitsofmeasure.org"}"#,
        r#""length":{"code":"h","system":"http://unitsofmeasure.org"}"#,
    ),
    ("ele-1", "Patient", r#""name":[{"family":"x"}]"#, r#""name":[{"id":"x"}]"#),
    ("ele-1", "Patient", r#""name":[{"given":[null,"x"]}]"#, r#""name":[{"given":[null]}]"#),
    ("ext-1", "Patient", r#""extension":[{"url":"u","valueString":"x"}]"#, r#""extension":[{"url":"u"}]"#),
    (
        "ext-1",
        "Patient",
        r#""_gender":{"extension":[{"url":"u","valueString":"x"}]}"#,
        r#""_gender":{"extension":[{"url":"u"}]}"#,
    ),
    ("fhs-1", "FamilyMemberHistory", r#""ageString":"x""#, r#""ageString":"x","bornString":"x""#),
    ("fhs-2", "FamilyMemberHistory", r#""ageString":"x","estimatedAge":true"#, r#""estimatedAge":true"#),
    (
        "gol-1",
        "Goal",
        r#""target":[{"detailString":"x","measure":{"text":"x"}}]"#,
        r#""target":[{"detailString":"x"}]"#,
    ),
    (
        "grp-1",
        "Group",
        r#""actual":true,"member":[{"entity":{"display":"x"}}]"#,
        r#""actual":false,"member":[{"entity":{"display":"x"}}]"#,
    ),
    ("imm-1", "Immunization", r#""education":[{"documentType":"x"}]"#, r#""education":[{"publicationDate":"2020"}]"#),
    (
        "imr-1",
        "ImmunizationRecommendation",
        r#""recommendation":[{"vaccineCode":[{"text":"x"}]}]"#,
        r#""recommendation":[{"description":"x"}]"#,
    ),
    ("inv-1", "Parameters", r#""parameter":[{"name":"x","valueString":"x"}]"#, r#""parameter":[{"name":"x"}]"#),
    (
        "lst-1",
        "List",
        r#""emptyReason":{"text":"x"}"#,
        r#""emptyReason":{"text":"x"},"entry":[{"item":{"display":"x"}}]"#,
    ),
    (
        "lst-2",
        "List",
        r#""mode":"changes","entry":[{"deleted":true}]"#,
        r#""mode":"working","entry":[{"deleted":true}]"#,
    ),
    (
        "lst-3",
        "List",
        r#""mode":"working","entry":[{"date":"2020"}]"#,
        r#""mode":"snapshot","entry":[{"date":"2020"}]"#,
    ),
    ("mad-1", "MedicationAdministration", r#""dosage":{"dose":{"value":1}}"#, r#""dosage":{"text":"x"}"#),
    ("obs-3", "Observation", r#""referenceRange":[{"text":"x"}]"#, r#""referenceRange":[{"type":{"text":"x"}}]"#),
    ("obs-6", "Observation", r#""valueString":"x""#, r#""valueString":"x","dataAbsentReason":{"text":"x"}"#),
    (
        "obs-7",
        "Observation",
        r#""code":{"coding":[{"code":"a"}]},"valueString":"x","component":[{"code":{"coding":[{"code":"b"}]}}]"#,
        r#""code":{"coding":[{"code":"a"}]},"valueString":"x","component":[{"code":{"coding":[{"code":"a"}]}}]"#,
    ),
    ("org-1", "Organization", r#""name":"x""#, r#""active":true"#),
    ("pat-1", "Patient", r#""contact":[{"organization":{"display":"x"}}]"#, r#""contact":[{"gender":"male"}]"#),
    (
        "per-1",
        "Encounter",
        r#""period":{"start":"2020-01-01T23:30:00-05:00","end":"2020-01-02T05:00:00Z"}"#,
        r#""period":{"start":"2020-01-01T23:30:00-05:00","end":"2020-01-02T04:00:00Z"}"#,
    ),
    (
        "per-1",
        "Encounter",
        r#""period":{"start":"2020-05-02","end":"2020"}"#,
        r#""period":{"start":"2021-05","end":"2020-06"}"#,
    ),
    ("ppc-1", "Consent", r#""policyRule":{"text":"x"}"#, r#""status":"active""#),
    (
        "prr-1",
        "ServiceRequest",
        r#""orderDetail":[{"text":"x"}],"code":{"text":"x"}"#,
        r#""orderDetail":[{"text":"x"}]"#,
    ),
    (
        "qrs-1",
        "QuestionnaireResponse",
        r#""item":[{"item":[{"linkId":"x"}]}]"#,
        r#""item":[{"item":[{"linkId":"x"}],"answer":[{"valueBoolean":true}]}]"#,
    ),
    ("qty-3", "Observation", r#""valueQuantity":{"code":"x","system":"u"}"#, r#""valueQuantity":{"code":"x"}"#),
    (
        "rat-1",
        "Observation",
        r#""valueRatio":{"numerator":{"value":1},"denominator":{"value":1}}"#,
        r#""valueRatio":{"numerator":{"value":1}}"#,
    ),
    (
        "ref-1",
        "Patient",
        r##""contained":[{"resourceType":"Organization","id":"a","partOf":{"reference":"#a"}}],"managingOrganization":{"reference":"#a"}"##,
        r##""managingOrganization":{"reference":"#a"}"##,
    ),
    (
        "rng-2",
        "Observation",
        r#""valueRange":{"low":{"value":1},"high":{"value":1.0}}"#,
        r#""valueRange":{"low":{"value":2},"high":{"value":1}}"#,
    ),
    ("rqg-1", "RequestGroup", r#""action":[{"resource":{"display":"x"}}]"#, r#""action":[{"title":"x"}]"#),
    (
        "tim-1",
        "Observation",
        r#""effectiveTiming":{"repeat":{"duration":1,"durationUnit":"h"}}"#,
        r#""effectiveTiming":{"repeat":{"duration":1}}"#,
    ),
    (
        "tim-2",
        "Observation",
        r#""effectiveTiming":{"repeat":{"period":1,"periodUnit":"h"}}"#,
        r#""effectiveTiming":{"repeat":{"period":1}}"#,
    ),
    (
        "tim-4",
        "Observation",
        r#""effectiveTiming":{"repeat":{"duration":0}}"#,
        r#""effectiveTiming":{"repeat":{"duration":-1}}"#,
    ),
    (
        "tim-5",
        "Observation",
        r#""effectiveTiming":{"repeat":{"period":0}}"#,
        r#""effectiveTiming":{"repeat":{"period":-1}}"#,
    ),
    (
        "tim-6",
        "Observation",
        r#""effectiveTiming":{"repeat":{"period":1,"periodMax":2}}"#,
        r#""effectiveTiming":{"repeat":{"periodMax":2}}"#,
    ),
    (
        "tim-7",
        "Observation",
        r#""effectiveTiming":{"repeat":{"duration":1,"durationMax":2}}"#,
        r#""effectiveTiming":{"repeat":{"durationMax":2}}"#,
    ),
    (
        "tim-8",
        "Observation",
        r#""effectiveTiming":{"repeat":{"count":1,"countMax":2}}"#,
        r#""effectiveTiming":{"repeat":{"countMax":2}}"#,
    ),
    (
        "tim-9",
        "Observation",
        r#""effectiveTiming":{"repeat":{"offset":1,"when":["AC"]}}"#,
        r#""effectiveTiming":{"repeat":{"offset":1,"when":["CM"]}}"#,
    ),
    (
        "tim-10",
        "Observation",
        r#""effectiveTiming":{"repeat":{"when":["AC"]}}"#,
        r#""effectiveTiming":{"repeat":{"when":["AC"],"timeOfDay":["10:00:00"]}}"#,
    ),
];

#[test]
fn every_constraint_holds_where_it_should_and_nowhere_else() {
    let mut tested = BTreeSet::new();
    for (key, name, good, bad) in CASES {
        let resource = |members: &str| format!(r#"{{"resourceType":"{name}",{members}}}"#);
        assert!(!keys(&resource(good)).contains(key), "{key} is broken by {good}");
        assert!(keys(&resource(bad)).contains(key), "{key} is kept by {bad}");
        tested.insert(*key);
    }
    let all: BTreeSet<&str> = CONSTRAINTS.iter().map(|constraint| constraint.key).collect();
    assert_eq!(tested, all);
}

#[test]
fn every_constraint_is_in_the_page() {
    let page = include_str!("../../../../docs/validity.md");
    for constraint in CONSTRAINTS {
        let line = format!("| `{}` | {} | {} |", constraint.key, constraint.on.join(", "), constraint.text);
        assert!(page.contains(&line), "{line}");
    }
    let lines = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(lines, CONSTRAINTS.len());
}

#[test]
fn required_elements_stand_as_values_or_markers() {
    assert_eq!(
        check(br#"{"resourceType":"Observation","status":"final","component":[{"valueBoolean":true}]}"#),
        [
            Violation { key: "schema", path: r#"Observation: "code" is a required property"#.to_owned() },
            Violation { key: "schema", path: r#"Observation/component/0: "code" is a required property"#.to_owned() },
            Violation { key: "min-1", path: "Observation.code".to_owned() },
            Violation { key: "min-1", path: "Observation.component.code".to_owned() },
        ]
    );
    let marker = crate::slow::MARKER;
    let marked = format!(r#"{{"resourceType":"Observation","_status":{marker},"code":{marker}}}"#);
    assert_eq!(check(marked.as_bytes()), []);
    // A choice: any of its types.
    assert!(!keys(r#"{"resourceType":"MedicationRequest","medicationReference":{"display":"x"}}"#).is_empty());
    let path = "MedicationRequest.medication[x]";
    assert!(
        !check(br#"{"resourceType":"MedicationRequest","medicationReference":{"display":"x"}}"#)
            .iter()
            .any(|violation| violation.path == path)
    );
    assert!(check(br#"{"resourceType":"MedicationRequest"}"#).iter().any(|violation| violation.path == path));
}

#[test]
fn the_schema_judges_types_patterns_and_unknown_keys() {
    for (input, valid) in [
        (r#"{"resourceType":"Patient","gender":"male","birthDate":"1980-01-01"}"#, true),
        (
            r#"{"resourceType":"Patient","name":[{"given":[null,"A"],"_given":[{"extension":[{"url":"u","valueString":"x"}]},null]}]}"#,
            true,
        ),
        (r#"{"resourceType":"Patient","gender":"mail"}"#, false),
        (r#"{"resourceType":"Patient","birthDate":"yesterday"}"#, false),
        (r#"{"resourceType":"Patient","shoe":1}"#, false),
        (r#"{"resourceType":"Patient","name":{"family":"A"}}"#, false),
        (r#"{"resourceType":"SubscriptionStatus"}"#, false),
        (
            r#"{"resourceType":"Provenance","target":[{"display":"x"}],"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}],"signature":[{"when":"2020-01-01T00:00:00Z"}]}"#,
            false,
        ),
        (
            r#"{"resourceType":"Provenance","target":[{"display":"x"}],"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}],"signature":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}]}"#,
            true,
        ),
        (r#"{"resourceType":"Patient","contained":[{"resourceType":"Basic","shoe":1}]}"#, false),
    ] {
        assert_eq!(!keys(input).contains("schema"), valid, "{input}");
    }
    assert_eq!(keys("{"), BTreeSet::from(["json"]));
}
