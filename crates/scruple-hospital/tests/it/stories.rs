//! The hospital has what it is there for: each persona its evidence, the showcase every category, staff every role.

use crate::{AS_OF, by_kind, everything, hospital, kind, values};
use scruple_hospital::{PART2_LOCATION_ID, PART2_PROGRAMME_ID, Persona, Record, SHOWCASE_ID, StaffMember, staff};
use serde_json::Value;
use std::collections::BTreeSet;

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

fn text(record: &Record) -> String {
    record.resources.iter().map(|resource| String::from_utf8(resource.to_json()).unwrap()).collect()
}

fn has_label(resource: &Value, label: &str) -> bool {
    resource["meta"]["security"]
        .as_array()
        .is_some_and(|labels| labels.iter().any(|coding| coding["system"] == ACT_CODE && coding["code"] == label))
}

fn of(persona: Persona, seed: u64) -> Record {
    let index = Persona::fixed().iter().position(|other| *other == persona).unwrap();
    hospital(Persona::fixed().len(), seed, AS_OF, false).record(index)
}

#[test]
fn each_persona_shows_its_evidence_whatever_the_seed() {
    let evidence: &[(Persona, &[&str])] = &[
        (Persona::Hiv, &["\"B20\"", "\"20447-9\"", "\"24467-3\"", "loc-infectious-disease"]),
        (Persona::EdSubstanceUse, &["\"F11.20\"", "loc-ed", "\"19295-5\""]),
        (Persona::Depression, &["\"F32.1\"", "\"44261-6\"", "questionnaire-phq-9"]),
        (Persona::BehavioralInpatient, &["\"R45.851\"", "loc-behavioral-health", "\"10029008\""]),
        (Persona::Psychotherapy, &["HIPAAPsyNotes", "\"F43.10\""]),
        (Persona::Sti, &["\"A56.09\"", "\"21613-5\""]),
        (Persona::Reproductive, &["\"Z33.2\"", "\"O04.5\"", "\"S0190\""]),
        (Persona::GenderAffirming, &["\"F64.0\"", "patient-genderIdentity"]),
        (Persona::Abuse, &["\"T74.11XA\"", "\"SDV\"", "\"LOCIS\""]),
        (Persona::Genetic, &["\"Z15.01\"", "\"21636-6\"", "\"GE\"", "FamilyMemberHistory"]),
        (Persona::MinorConfidential, &["\"ADOL\"", "loc-pediatrics"]),
        (Persona::Vip, &["\"CEL\""]),
        (Persona::Employee, &["\"EMP\""]),
        (Persona::Deceased, &["deceasedDateTime", "\"exp\"", "\"Z66\""]),
        (Persona::ConfidentialAddress, &["\"LOCIS\"", "PO Box 4021", "extension-inline-sec-label"]),
        (Persona::SelfPay, &["\"HIPAASelfPay\"", "hipaa-self-pay", "\"balanced\""]),
        (Persona::Delivery, &["loc-labor-delivery", "\"O80\"", "\"in-progress\""]),
        (Persona::IntensiveCare, &["loc-icu", "\"A41.9\"", "\"in-progress\""]),
        (Persona::Restricted, &["\"PRS\"", "hipaa-restrictions"]),
        (Persona::ResearchConfidential, &["study-opioid-1", "loc-recovery-clinic"]),
        (Persona::Twin, &["multipleBirthInteger", "\"Z38.30\""]),
    ];
    for seed in [1, 2, 3, 99] {
        for (persona, needles) in evidence {
            let text = text(&of(*persona, seed));
            for needle in *needles {
                assert!(text.contains(needle), "{persona:?} with seed {seed} has no {needle}");
            }
        }
    }
}

#[test]
fn part_2_goes_by_label_in_one_record_and_by_source_alone_in_the_other() {
    for (persona, labelled) in [(Persona::Part2Labelled, true), (Persona::Part2BySource, false)] {
        let resources = values(&of(persona, 7));
        let at_programme: Vec<&Value> = resources
            .iter()
            .filter(|resource| {
                kind(resource) == "Encounter"
                    && resource["serviceProvider"]["reference"] == format!("Organization/{PART2_PROGRAMME_ID}")
            })
            .collect();
        assert!(at_programme.len() >= 3, "{persona:?}");
        for encounter in at_programme {
            assert_eq!(has_label(encounter, "42CFRPart2"), labelled);
            assert_eq!(encounter["location"][0]["location"]["reference"], format!("Location/{PART2_LOCATION_ID}"));
        }
        assert_eq!(resources.iter().any(|resource| has_label(resource, "42CFRPart2")), labelled);
        let claims = resources
            .iter()
            .filter(|resource| kind(resource) == "Claim")
            .filter(|claim| claim["provider"]["reference"] == format!("Organization/{PART2_PROGRAMME_ID}"));
        assert!(claims.count() >= 1 || resources.iter().all(|resource| kind(resource) != "Coverage"), "{persona:?}");
        assert!(
            resources
                .iter()
                .any(|resource| kind(resource) == "Appointment" && resource.to_string().contains(PART2_LOCATION_ID))
        );
        assert!(resources.iter().any(|resource| has_label(resource, "SUD")), "counseling notes are declared always");
    }
}

#[test]
fn substance_use_in_the_emergency_department_has_nothing_of_the_programme() {
    for seed in 1..6 {
        let text = text(&of(Persona::EdSubstanceUse, seed));
        assert!(
            !text.contains(PART2_PROGRAMME_ID) && !text.contains(PART2_LOCATION_ID) && !text.contains("42CFRPart2")
        );
    }
}

#[test]
fn a_self_paid_visit_never_reaches_the_plan() {
    let resources = values(&of(Persona::SelfPay, 7));
    let visit =
        resources.iter().find(|resource| kind(resource) == "Encounter" && has_label(resource, "HIPAASelfPay")).unwrap();
    let reference = format!("Encounter/{}", visit["id"].as_str().unwrap());
    for resource in &resources {
        if matches!(kind(resource), "Claim" | "ClaimResponse" | "ExplanationOfBenefit") {
            assert!(!resource.to_string().contains(&format!("\"{reference}\"")), "{}", resource["id"]);
        }
    }
    assert!(resources.iter().any(|resource| kind(resource) == "Claim"), "other visits are billed");
}

#[test]
fn twins_share_mother_birthday_and_address_and_nothing_that_is_their_own() {
    for seed in 1..8 {
        let index = Persona::fixed().iter().position(|persona| *persona == Persona::Twin).unwrap();
        let hospital = hospital(40, seed, AS_OF, false);
        let [one, two] = [index, index + 1].map(|index| values(&hospital.record(index)));
        let (one, two) = (&one[0], &two[0]);
        for same in ["birthDate", "address", "contact"] {
            assert_eq!(strip_phone(&one[same]), strip_phone(&two[same]), "{same}");
        }
        assert_eq!(one["name"][0]["family"], two["name"][0]["family"]);
        assert_ne!(one["name"][0]["given"][0], two["name"][0]["given"][0]);
        assert_eq!((&one["multipleBirthInteger"], &two["multipleBirthInteger"]), (&1.into(), &2.into()));
    }
}

fn strip_phone(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(contact) = value.get_mut(0).and_then(Value::as_object_mut) {
        contact.remove("telecom");
    }
    value
}

#[test]
fn an_employee_who_is_a_patient_has_a_colleague_s_name() {
    for seed in 1..6 {
        let patient = values(&of(Persona::Employee, seed)).swap_remove(0);
        let name = format!(
            "{} {}",
            patient["name"][0]["given"][0].as_str().unwrap(),
            patient["name"][0]["family"].as_str().unwrap()
        );
        assert!(staff().iter().any(|member| member.name == name), "{name}");
    }
}

/// Every category of the policy pack has a resource in the record of the demo; discriminated ones by their code.
#[test]
fn the_showcase_touches_every_category() {
    let record = hospital(1, 7, AS_OF, false).record(0);
    assert_eq!(record.patient_id, SHOWCASE_ID);
    let resources = values(&record);
    let kinds: BTreeSet<&str> = resources.iter().map(kind).collect();
    for category in [
        "Patient Person RelatedPerson CareTeam Appointment AppointmentResponse Slot Encounter EpisodeOfCare",
        "Coverage CoverageEligibilityRequest CoverageEligibilityResponse Claim ClaimResponse ExplanationOfBenefit",
        "Account ChargeItem Invoice PaymentNotice PaymentReconciliation Consent Contract Flag DetectedIssue",
        "AllergyIntolerance AdverseEvent Condition ClinicalImpression Immunization ImmunizationRecommendation Procedure",
        "MedicationRequest MedicationDispense MedicationAdministration MedicationStatement Observation DiagnosticReport",
        "Specimen ImagingStudy Media BodyStructure QuestionnaireResponse RiskAssessment NutritionOrder",
        "FamilyMemberHistory MolecularSequence ServiceRequest DeviceRequest SupplyRequest SupplyDelivery RequestGroup",
        "VisionPrescription Task CarePlan Goal List Device DeviceUseStatement DocumentReference DocumentManifest",
        "Composition Binary Communication CommunicationRequest ResearchSubject AuditEvent Provenance Basic Linkage Group",
        "MeasureReport GuidanceResponse BiologicallyDerivedProduct",
    ]
    .concat_words()
    {
        assert!(kinds.contains(category), "no {category}");
    }
    let text = text(&record);
    for needle in [
        "vital-signs",
        "social-history",
        "\"survey\"",
        "\"exam\"",
        "\"laboratory\"",
        "\"RAD\"",
        "\"GE\"",
        "presentedForm",
        "\"photo\"",
        "us-core-race",
        "religion",
        "42CFRPart2",
        "HIPAAPsyNotes",
        "HIPAASelfPay",
        "\"B20\"",
        "\"A56.09\"",
        "\"T74.11XA\"",
        "\"Z33.2\"",
        "\"F11.20\"",
        "\"F32.1\"",
        "\"Z15.01\"",
        "udiCarrier",
        "\"contained\"",
        "\"in-progress\"",
    ] {
        assert!(text.contains(needle), "no {needle}");
    }
}

trait ConcatWords {
    fn concat_words(&self) -> Vec<&'static str>;
}

impl<const N: usize> ConcatWords for [&'static str; N] {
    fn concat_words(&self) -> Vec<&'static str> {
        self.iter().flat_map(|line| line.split_whitespace()).collect()
    }
}

#[test]
fn everybody_on_the_staff_has_practitioner_role_and_place() {
    let hospital = hospital(0, 7, AS_OF, false);
    let directory = everything(&hospital);
    let kinds = by_kind(&directory);
    for member in staff() {
        let practitioner = kinds["Practitioner"].iter().find(|resource| resource["id"] == member.id).unwrap();
        assert_eq!(practitioner["name"][0]["text"], member.name);
        let role = kinds["PractitionerRole"]
            .iter()
            .find(|role| role["practitioner"]["reference"] == member.reference())
            .unwrap();
        assert_eq!(role["code"][0]["coding"][0]["code"], member.role);
        assert_eq!(role["location"][0]["reference"], format!("Location/{}", member.unit));
    }
    let schedules: BTreeSet<&str> =
        kinds["Schedule"].iter().map(|schedule| schedule["actor"][0]["display"].as_str().unwrap()).collect();
    for member in staff().iter().filter(|member| matches!(member.role, "physician" | "bh_clinician" | "sud_clinician"))
    {
        assert!(schedules.contains(member.name), "{}", member.name);
    }
}

/// Each role that acts on patients has at least one patient in a hospital of ordinary size.
#[test]
fn roles_have_patients() {
    let hospital = hospital(80, 7, AS_OF, false);
    let text: String = hospital.records().map(|record| text(&record)).collect();
    for role in [
        "nurse",
        "physician",
        "ed_clinician",
        "bh_clinician",
        "sud_clinician",
        "clinical_support",
        "pharmacist",
        "lab_tech",
        "imaging_tech",
        "allied_health",
        "care_manager",
        "social_worker",
        "infection_prevention",
        "biller",
        "denials_specialist",
        "coder",
        "auth_specialist",
        "registrar",
        "roi_clerk",
        "him_integrity",
        "research_coordinator",
        "quality_analyst",
        "privacy_officer",
    ] {
        let known =
            staff().iter().any(|member| member.role == role && text.contains(&format!("\"{}\"", member.reference())));
        assert!(known, "{role}");
    }
}

#[test]
fn there_are_people_to_see_today_and_people_in_the_beds() {
    let all = everything(&hospital(300, 7, AS_OF, false));
    let kinds = by_kind(&all);
    let here = |place: &str| {
        kinds["Encounter"]
            .iter()
            .filter(|encounter| {
                encounter["status"] == "in-progress"
                    && encounter["location"][0]["location"]["reference"] == format!("Location/{place}")
            })
            .count()
    };
    for place in ["loc-4west", "loc-icu", "loc-ed", "loc-labor-delivery", "loc-behavioral-health"] {
        assert!(here(place) >= 1, "{place} is empty");
    }
    let today = kinds["Appointment"]
        .iter()
        .filter(|appointment| appointment["start"].as_str().unwrap().starts_with("2026-03-10"))
        .count();
    assert!(today >= 5, "{today}");
}

#[test]
fn personas_are_drawn_at_their_rates() {
    let count = |persona: Persona| (0..20_000).filter(|index| Persona::of(5, *index) == persona).count();
    assert!((60..130).contains(&count(Persona::Hiv)), "{}", count(Persona::Hiv));
    assert!((1_150..1_650).contains(&count(Persona::Depression)), "{}", count(Persona::Depression));
    assert!(count(Persona::Twin).is_multiple_of(2), "twins come in pairs");
    assert!(count(Persona::Ordinary) > 14_000);
    assert_eq!((count(Persona::Showcase), count(Persona::Canary)), (1, 0));
}

#[test]
fn caregivers_are_those_who_take_part_in_encounters_and_the_first_nurse_and_physician_are_among_them() {
    for (patients, seed) in [(50, 1), (50, 2), (5, 7)] {
        let hospital = hospital(patients, seed, AS_OF, false);
        let caregivers = hospital.caregivers();
        assert_eq!(caregivers, hospital.caregivers());
        let place = |member: &StaffMember| staff().iter().position(|other| other == member).unwrap();
        assert!(caregivers.iter().map(|member| place(member)).is_sorted());
        let resources = everything(&hospital);
        let encounters = &by_kind(&resources)["Encounter"];
        let takes_part = |member: &StaffMember| {
            let participants = encounters.iter().flat_map(|encounter| encounter["participant"].as_array().unwrap());
            participants.into_iter().any(|one| one["individual"]["reference"] == member.reference())
        };
        for member in staff() {
            assert_eq!(caregivers.contains(&member), takes_part(member), "{} with seed {seed}", member.id);
        }
        for role in ["nurse", "physician"] {
            let first = staff().iter().find(|member| member.role == role);
            assert_eq!(caregivers.iter().find(|member| member.role == role).copied(), first, "seed {seed}");
        }
        for role in ["front_desk", "biller", "quality_analyst", "it_support"] {
            assert!(caregivers.iter().all(|member| member.role != role), "{role}");
        }
    }
    assert!(hospital(0, 1, AS_OF, false).caregivers().is_empty());
}
