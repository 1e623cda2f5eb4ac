//! Required elements of each type, ids, and references. The table is taken from the R4 definitions (4.0.1).

use crate::{AS_OF, by_kind, everything, hospital, walk};
use serde_json::Value;
use std::collections::BTreeSet;

/// Elements of cardinality 1 and more. `[x]` stands for any type.
#[rustfmt::skip]
const REQUIRED: &[(&str, &[&str])] = &[
    ("Account", &["status"]),
    ("AdverseEvent", &["actuality", "subject"]),
    ("AllergyIntolerance", &["patient"]),
    ("Appointment", &["status", "participant"]),
    ("AppointmentResponse", &["appointment", "participantStatus"]),
    ("AuditEvent", &["type", "recorded", "agent", "source"]),
    ("Basic", &["code"]),
    ("Binary", &["contentType"]),
    ("BiologicallyDerivedProduct", &[]),
    ("BodyStructure", &["patient"]),
    ("CarePlan", &["status", "intent", "subject"]),
    ("CareTeam", &[]),
    ("ChargeItem", &["status", "code", "subject"]),
    ("Claim", &["status", "type", "use", "patient", "created", "provider", "priority", "insurance"]),
    ("ClaimResponse", &["status", "type", "use", "patient", "created", "insurer", "outcome"]),
    ("ClinicalImpression", &["status", "subject"]),
    ("Communication", &["status"]),
    ("CommunicationRequest", &["status"]),
    ("Composition", &["status", "type", "date", "author", "title"]),
    ("Condition", &["subject"]),
    ("Consent", &["status", "scope", "category"]),
    ("Contract", &[]),
    ("Coverage", &["status", "beneficiary", "payor"]),
    ("CoverageEligibilityRequest", &["status", "purpose", "patient", "created", "insurer"]),
    ("CoverageEligibilityResponse", &["status", "purpose", "patient", "created", "request", "outcome", "insurer"]),
    ("DetectedIssue", &["status"]),
    ("Device", &[]),
    ("DeviceMetric", &["type", "category"]),
    ("DeviceRequest", &["intent", "code[x]", "subject"]),
    ("DeviceUseStatement", &["status", "subject", "device"]),
    ("DiagnosticReport", &["status", "code"]),
    ("DocumentManifest", &["status", "content"]),
    ("DocumentReference", &["status", "content"]),
    ("Encounter", &["status", "class"]),
    ("Endpoint", &["status", "connectionType", "payloadType", "address"]),
    ("EnrollmentRequest", &[]),
    ("EnrollmentResponse", &[]),
    ("EpisodeOfCare", &["status", "patient"]),
    ("ExplanationOfBenefit", &["status", "type", "use", "patient", "created", "insurer", "provider", "outcome", "insurance"]),
    ("FamilyMemberHistory", &["status", "patient", "relationship"]),
    ("Flag", &["status", "code", "subject"]),
    ("Goal", &["lifecycleStatus", "description", "subject"]),
    ("Group", &["type", "actual"]),
    ("GuidanceResponse", &["module[x]", "status"]),
    ("HealthcareService", &[]),
    ("ImagingStudy", &["status", "subject"]),
    ("Immunization", &["status", "vaccineCode", "patient", "occurrence[x]"]),
    ("ImmunizationEvaluation", &["status", "patient", "targetDisease", "immunizationEvent", "doseStatus"]),
    ("ImmunizationRecommendation", &["patient", "date", "recommendation"]),
    ("InsurancePlan", &[]),
    ("Invoice", &["status"]),
    ("Linkage", &["item"]),
    ("List", &["status", "mode"]),
    ("Location", &[]),
    ("MeasureReport", &["status", "type", "measure", "period"]),
    ("Media", &["status", "content"]),
    ("Medication", &[]),
    ("MedicationAdministration", &["status", "medication[x]", "subject", "effective[x]"]),
    ("MedicationDispense", &["status", "medication[x]"]),
    ("MedicationRequest", &["status", "intent", "medication[x]", "subject"]),
    ("MedicationStatement", &["status", "medication[x]", "subject"]),
    ("MolecularSequence", &["coordinateSystem"]),
    ("NutritionOrder", &["status", "intent", "patient", "dateTime"]),
    ("Observation", &["status", "code"]),
    ("Organization", &[]),
    ("OrganizationAffiliation", &[]),
    ("Patient", &[]),
    ("PaymentNotice", &["status", "created", "payment", "recipient", "amount"]),
    ("PaymentReconciliation", &["status", "created", "paymentDate", "paymentAmount"]),
    ("Person", &[]),
    ("Practitioner", &[]),
    ("PractitionerRole", &[]),
    ("Procedure", &["status", "subject"]),
    ("Provenance", &["target", "recorded", "agent"]),
    ("Questionnaire", &["status"]),
    ("QuestionnaireResponse", &["status"]),
    ("RelatedPerson", &["patient"]),
    ("RequestGroup", &["status", "intent"]),
    ("ResearchStudy", &["status"]),
    ("ResearchSubject", &["status", "study", "individual"]),
    ("RiskAssessment", &["status", "subject"]),
    ("Schedule", &["actor"]),
    ("ServiceRequest", &["status", "intent", "subject"]),
    ("Slot", &["schedule", "status", "start", "end"]),
    ("Specimen", &[]),
    ("SupplyDelivery", &[]),
    ("SupplyRequest", &["item[x]", "quantity"]),
    ("Task", &["status", "intent"]),
    ("VisionPrescription", &["status", "created", "patient", "dateWritten", "prescriber", "lensSpecification"]),
];

fn has(resource: &Value, element: &str) -> bool {
    match element.strip_suffix("[x]") {
        None => resource.get(element).is_some(),
        Some(stem) => resource
            .as_object()
            .unwrap()
            .keys()
            .any(|key| key.strip_prefix(stem).is_some_and(|rest| rest.starts_with(char::is_uppercase))),
    }
}

#[test]
fn every_resource_has_the_elements_its_type_requires() {
    let all = everything(&hospital(80, 7, AS_OF, true));
    let kinds = by_kind(&all);
    let table: BTreeSet<&str> = REQUIRED.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds.keys().copied().collect::<BTreeSet<_>>(), table, "types in the hospital and in the table");
    for (kind, elements) in REQUIRED {
        for resource in &kinds[kind] {
            for element in *elements {
                assert!(has(resource, element), "{kind}/{} has no {element}", resource["id"]);
            }
        }
    }
}

#[test]
fn no_value_is_empty_or_null() {
    for resource in everything(&hospital(60, 7, AS_OF, true)) {
        walk(crate::kind(&resource), &resource, &mut |path, value| {
            let empty = match value {
                Value::Null => true,
                Value::String(text) => text.trim().is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                _ => false,
            };
            assert!(!empty, "{path} of {}", resource["id"]);
        });
    }
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    let all = everything(&hospital(80, 7, AS_OF, true));
    let mut known = BTreeSet::new();
    for resource in &all {
        let id = resource["id"].as_str().unwrap();
        assert!(
            id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')),
            "{id}"
        );
        assert!(known.insert(format!("{}/{id}", crate::kind(resource))), "{id} twice");
    }
    for resource in &all {
        let id = resource["id"].as_str().unwrap();
        walk(crate::kind(resource), resource, &mut |path, value| {
            if let (true, Some(reference)) = (path.ends_with(".reference"), value.as_str()) {
                assert!(reference.starts_with('#') || known.contains(reference), "{path} of {id}: {reference}");
            }
        });
    }
}

/// A record refers to its own resources and the directory, never to another patient's: records load alone.
#[test]
fn records_do_not_refer_to_each_other() {
    for record in hospital(60, 7, AS_OF, true).records() {
        for resource in crate::values(&record) {
            walk("", &resource, &mut |path, value| {
                if let (true, Some(reference)) = (path.ends_with(".reference"), value.as_str()) {
                    let foreign = reference.split_once("/pat-").is_some_and(|(_, rest)| {
                        let own = record.patient_id.trim_start_matches("pat-");
                        !(rest == own || rest.starts_with(&format!("{own}-")))
                    });
                    assert!(!foreign, "{}: {reference}", resource["id"]);
                }
            });
        }
    }
}
