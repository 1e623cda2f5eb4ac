//! Types that few records have, one of each: what the policy pack names and a gateway must place all the same.

use super::{PAIN, words};
use crate::chart::{Chart, Visit, money, problem_code, quantity, staff_ref, to};
use crate::codes::{CVX, UCUM, code, dx, hl7, loinc, sct};
use crate::json::{arr, base64, dec, obj};
use crate::places::HOSPITAL_ID;
use crate::staff::{by_id, on_duty};
use crate::time::{DAY, HOUR, MINUTE};

pub(super) fn all(chart: &mut Chart<'_>, checkup: &Visit, stay: &Visit) {
    insurance(chart, checkup);
    clinical(chart, checkup, stay);
    orders(chart, stay);
    papers(chart, checkup);
    other(chart, checkup, stay);
}

fn insurance(chart: &mut Chart<'_>, visit: &Visit) {
    let Some(coverage) = chart.coverage.clone() else { return };
    let insurer = obj! {
        "reference": format!("Organization/{}", chart.who.payer.organization().0),
        "display": chart.who.payer.organization().1,
    };
    let request = chart.push(
        "CoverageEligibilityRequest",
        "elig",
        obj! {
            "status": "active", "purpose": ["benefits"], "patient": chart.patient(), "created": visit.start.plus(-DAY),
            "enterer": staff_ref(by_id("prac-auth-specialist-1")), "provider": to("Organization", HOSPITAL_ID),
            "insurer": insurer.clone(),
            "insurance": arr![obj! { "focal": true, "coverage": to("Coverage", &coverage) }],
        },
    );
    chart.push(
        "CoverageEligibilityResponse",
        "elres",
        obj! {
            "status": "active", "purpose": ["benefits"], "patient": chart.patient(),
            "created": visit.start.plus(-DAY + HOUR),
            "request": to("CoverageEligibilityRequest", &request), "outcome": "complete", "insurer": insurer.clone(),
            "disposition": "Active; copay 40 dollars",
            "insurance": arr![obj! { "coverage": to("Coverage", &coverage), "inforce": true }],
            "preAuthRef": format!("PA{}", chart.who.number),
        },
    );
    let enrollment = chart.push(
        "EnrollmentRequest",
        "enrol",
        obj! {
            "status": "active", "created": visit.start.plus(-300 * DAY), "insurer": insurer.clone(),
            "candidate": chart.patient(), "coverage": to("Coverage", &coverage),
        },
    );
    chart.push(
        "EnrollmentResponse",
        "enres",
        obj! {
            "status": "active", "request": to("EnrollmentRequest", &enrollment), "outcome": "complete",
            "disposition": "Enrolled with the group", "created": visit.start.plus(-298 * DAY),
        },
    );
    let reconciliation = chart.push(
        "PaymentReconciliation",
        "recon",
        obj! {
            "status": "active", "created": visit.end.plus(12 * DAY).min(chart.now), "paymentIssuer": insurer,
            "disposition": "Paid in one transfer with others",
            "paymentDate": visit.end.plus(12 * DAY).min(chart.now).date(), "paymentAmount": money(14_800),
        },
    );
    chart.push(
        "PaymentNotice",
        "pay",
        obj! {
            "status": "active", "created": visit.end.plus(13 * DAY).min(chart.now),
            "provider": to("Organization", HOSPITAL_ID),
            "payment": to("PaymentReconciliation", &reconciliation), "recipient": to("Organization", HOSPITAL_ID),
            "amount": money(14_800),
            "request": to("Account", &visit.account),
        },
    );
}

fn clinical(chart: &mut Chart<'_>, checkup: &Visit, stay: &Visit) {
    let doctor = staff_ref(stay.doctor);
    chart.push(
        "ClinicalImpression",
        "imp",
        obj! {
            "status": "completed",
            "description": "Pneumonia in a patient with controlled HIV; no sign of an opportunistic infection",
            "subject": chart.patient(), "encounter": stay.reference(), "date": stay.start.plus(4 * HOUR),
            "assessor": doctor.clone(),
            "problem": arr![to("Condition", &stay.condition)], "summary": "Responds to ceftriaxone.",
            "finding": arr![obj! { "itemCodeableConcept": problem_code(&dx::PNEUMONIA) }],
        },
    );
    chart.push("AdverseEvent", "adv", obj! {
        "actuality": "actual",
        "category": arr![hl7("adverse-event-category", "product-use-error", "Product Use Error")],
        "event": words("Hives after the first dose of amoxicillin"), "subject": chart.patient(),
        "date": checkup.start.plus(-700 * DAY),
        "severity": hl7("adverse-event-severity", "mild", "Mild"), "recorder": staff_ref(by_id("prac-pharmacist-1")),
        "suspectEntity": arr![obj! { "instance": to("Medication", "med-buprenorphine") }],
    });
    chart.push("RiskAssessment", "risk", obj! {
        "status": "final", "subject": chart.patient(), "encounter": stay.reference(),
        "occurrenceDateTime": stay.start.plus(5 * HOUR), "performer": doctor.clone(),
        "prediction": arr![obj! { "outcome": words("Readmission within 30 days"), "probabilityDecimal": dec(18, 2) }],
        "mitigation": "Call on day 2, visit on day 5",
    });
    chart.push(
        "DetectedIssue",
        "issue",
        obj! {
            "status": "final", "code": hl7("v3-ActCode", "DRG", "Drug Interaction Alert"), "severity": "moderate",
            "patient": chart.patient(),
            "identifiedDateTime": stay.start.plus(3 * HOUR), "author": staff_ref(by_id("prac-pharmacist-1")),
            "detail": "Antacid lowers bictegravir; separate by two hours",
            "mitigation": arr![obj! { "action": words("Antacid stopped"), "author": doctor.clone() }],
        },
    );
    chart.push("ImmunizationRecommendation", "imr", obj! {
        "patient": chart.patient(), "date": checkup.start, "authority": to("Organization", HOSPITAL_ID),
        "recommendation": arr![obj! {
            "vaccineCode": arr![code(CVX, "133", "Pneumococcal conjugate PCV 13").concept()],
            "forecastStatus": hl7("immunization-recommendation-status", "due", "Due"), "description": "Because of HIV",
            "dateCriterion": arr![
                obj! { "code": loinc("30980-7", "Date vaccine due").concept(), "value": chart.now.plus(20 * DAY) },
            ],
        }],
    });
    chart.push(
        "ImmunizationEvaluation",
        "ime",
        obj! {
            "status": "completed", "patient": chart.patient(), "date": checkup.start,
            "targetDisease": sct("66071002", "Type B viral hepatitis").concept(),
            "immunizationEvent": to("Immunization", &format!("{}-imm-3", chart.who.id)),
            "doseStatus": hl7("immunization-evaluation-dose-status", "valid", "Valid"),
        },
    );
    chart.push(
        "BodyStructure",
        "body",
        obj! {
            "active": true, "location": sct("14975008", "Forearm structure").concept(),
            "description": "Left forearm, old burn scar of 4 cm", "patient": chart.patient(),
        },
    );
    chart.push(
        "MolecularSequence",
        "seq",
        obj! {
            "type": "dna", "coordinateSystem": 0, "patient": chart.patient(),
            "performer": to("Organization", "org-laboratory"),
            "referenceSeq": obj! {
                "referenceSeqId": obj! {
                    "coding": arr![obj! { "system": "http://www.ncbi.nlm.nih.gov/refseq", "code": "NM_007294.4" }],
                },
                "windowStart": 181, "windowEnd": 183,
            },
            "variant": arr![obj! { "start": 181, "end": 183, "observedAllele": "-", "referenceAllele": "AG" }],
        },
    );
    let pain = chart.score(stay, stay.start.plus(2 * HOUR), PAIN, 4);
    chart.provenance("Observation", &pain, stay.start.plus(2 * HOUR), on_duty("nurse", stay.place.id));
}

fn orders(chart: &mut Chart<'_>, stay: &Visit) {
    let doctor = staff_ref(stay.doctor);
    let at = stay.start.plus(6 * HOUR);
    chart.push(
        "NutritionOrder",
        "diet",
        obj! {
            "status": "active", "intent": "order", "patient": chart.patient(), "encounter": stay.reference(),
            "dateTime": at, "orderer": doctor.clone(),
            "oralDiet": obj! { "type": arr![words("Low sodium")], "instruction": "No pork" },
        },
    );
    let device = chart.push(
        "DeviceRequest",
        "dreq",
        obj! {
            "status": "active", "intent": "order",
            "codeCodeableConcept": words("Home nebulizer"), "subject": chart.patient(),
            "encounter": stay.reference(), "authoredOn": at, "requester": doctor.clone(),
            "reasonCode": arr![problem_code(&dx::ASTHMA)],
        },
    );
    chart.push(
        "SupplyRequest",
        "sreq",
        obj! {
            "status": "active", "itemCodeableConcept": words("Nebulizer masks"),
            "quantity": obj! { "value": dec(4, 0), "unit": "{each}", "system": UCUM, "code": "{each}" },
            "authoredOn": at, "requester": doctor.clone(), "deliverTo": to("Location", stay.place.id),
        },
    );
    chart.push(
        "SupplyDelivery",
        "sdel",
        obj! {
            "status": "completed", "patient": chart.patient(),
            "suppliedItem": obj! {
                "quantity": quantity(dec(4, 0), "{each}"), "itemCodeableConcept": words("Nebulizer masks"),
            },
            "occurrenceDateTime": at.plus(5 * HOUR),
        },
    );
    chart.push(
        "RequestGroup",
        "rgrp",
        obj! {
            "status": "active", "intent": "order", "subject": chart.patient(), "encounter": stay.reference(),
            "authoredOn": at, "author": doctor.clone(),
            "action": arr![
                obj! {
                    "title": "Oxygen at home", "description": "Order if saturation is below 90 % when walking",
                    "resource": to("DeviceRequest", &device),
                },
            ],
        },
    );
    chart.push("VisionPrescription", "vis", obj! {
        "status": "active", "created": at, "patient": chart.patient(), "dateWritten": at, "prescriber": doctor.clone(),
        "lensSpecification": arr![
            obj! {
                "product": obj! {
                    "coding": arr![
                        obj! {
                            "system": "http://terminology.hl7.org/CodeSystem/ex-visionprescriptionproduct",
                            "code": "lens", "display": "Lens",
                        },
                    ],
                },
                "eye": "right", "sphere": dec(-125, 2),
            },
        ],
    });
    chart.push(
        "CommunicationRequest",
        "creq",
        obj! {
            "status": "active", "subject": chart.patient(), "encounter": stay.reference(), "authoredOn": at,
            "requester": doctor.clone(),
            "recipient": arr![staff_ref(by_id("prac-social-worker-1"))],
            "payload": arr![obj! { "contentString": "Call the shelter before discharge; do not leave the name." }],
        },
    );
    let appointment = format!("{}-appt-1", chart.who.id);
    chart.push(
        "AppointmentResponse",
        "ares",
        obj! {
            "appointment": to("Appointment", &appointment), "actor": chart.patient(), "participantStatus": "accepted",
            "comment": "My sister drives me",
        },
    );
}

fn papers(chart: &mut Chart<'_>, checkup: &Visit) {
    let scan = chart.push("Binary", "bin", obj! {
        "contentType": "text/plain", "securityContext": chart.patient(),
        "data": base64(
            b"Scanned referral letter. Dear colleague, thank you for seeing Ms Vargas, who has HIV and a pacemaker.",
        ),
    });
    let letter = chart.push("DocumentReference", "doc", obj! {
        "status": "current", "type": loinc("57133-1", "Referral note").concept(), "subject": chart.patient(),
        "date": checkup.start.plus(-40 * DAY),
        "author": arr![staff_ref(by_id("prac-physician-2"))], "description": "Scanned letter",
        "content": arr![
            obj! {
                "attachment": obj! {
                    "contentType": "text/plain", "url": format!("Binary/{scan}"), "title": "Referral letter, scanned",
                },
            },
        ],
    });
    chart.push(
        "DocumentManifest",
        "man",
        obj! {
            "status": "current", "subject": chart.patient(), "created": checkup.start,
            "description": "Papers for the second opinion", "content": arr![to("DocumentReference", &letter)],
        },
    );
    chart.push(
        "Contract",
        "ctr",
        obj! {
            "status": "executed", "subject": arr![chart.patient()], "issued": checkup.start, "title": "Payment plan",
            "term": arr![obj! { "offer": obj! { "text": "Twelve payments of 40 dollars" } }],
        },
    );
}

fn other(chart: &mut Chart<'_>, checkup: &Visit, stay: &Visit) {
    let (town, street) = (chart.who.town, chart.who.street.clone());
    chart.push("Person", "per", obj! {
        "name": arr![
            obj! { "text": chart.who.full_name(), "family": chart.who.family, "given": arr![chart.who.given] },
        ],
        "telecom": arr![obj! { "system": "phone", "value": &chart.who.phone, "use": "mobile" }],
        "gender": "female", "birthDate": chart.who.birth,
        "address": arr![obj! { "line": arr![street], "city": town.city, "state": town.state, "postalCode": town.zip }],
        "active": true, "link": arr![obj! { "target": chart.patient(), "assurance": "level3" }],
    });
    chart.push(
        "Group",
        "grp",
        obj! {
            "type": "person", "actual": true, "name": "Home monitoring, arm A", "quantity": 1,
            "member": arr![obj! { "entity": chart.patient() }],
        },
    );
    chart.push(
        "AuditEvent",
        "aud",
        obj! {
            "type": obj! {
                "system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest",
                "display": "RESTful Operation",
            },
            "action": "R", "recorded": stay.start.plus(20 * MINUTE), "outcome": "0",
            "agent": arr![
                obj! {
                    "who": staff_ref(by_id("prac-registrar-1")), "requestor": true,
                    "purposeOfUse": arr![code(crate::codes::ACT_REASON, "TREAT", "treatment").concept()],
                },
            ],
            "source": obj! { "observer": to("Organization", HOSPITAL_ID) },
            "entity": arr![obj! { "what": chart.patient(), "name": chart.who.full_name() }],
        },
    );
    chart.push(
        "MeasureReport",
        "meas",
        obj! {
            "status": "complete", "type": "individual",
            "measure": "https://saguaro-valley.example/fhir/Measure/blood-pressure-control", "subject": chart.patient(),
            "date": chart.now.plus(-DAY), "period": obj! { "start": checkup.start, "end": chart.now },
            "group": arr![obj! { "measureScore": quantity(dec(1, 0), "1") }],
        },
    );
    chart.push("GuidanceResponse", "guid", obj! {
        "moduleUri": "https://saguaro-valley.example/cds/pneumonia", "status": "success", "subject": chart.patient(),
        "encounter": stay.reference(),
        "occurrenceDateTime": stay.start.plus(2 * HOUR),
        "note": arr![obj! { "text": "Consider pneumocystis if CD4 below 200" }],
    });
    chart.push(
        "Linkage",
        "link",
        obj! {
            "active": true, "item": arr![
                obj! { "type": "source", "resource": to("Condition", &stay.condition) },
                obj! { "type": "alternate", "resource": to("Condition", &checkup.condition) },
            ],
        },
    );
    chart.push(
        "BiologicallyDerivedProduct",
        "bdp",
        obj! {
            "productCategory": "fluid", "productCode": words("Packed red cells, held for the patient"),
            "status": "available",
            "collection": obj! { "source": chart.patient(), "collectedDateTime": stay.start.plus(2 * HOUR) },
        },
    );
    let metric = format!("{}-dev-1", chart.who.id);
    chart.push(
        "DeviceMetric",
        "dmet",
        obj! {
            "type": words("Pacing rate"), "source": to("Device", &metric), "category": "setting",
        },
    );
}
