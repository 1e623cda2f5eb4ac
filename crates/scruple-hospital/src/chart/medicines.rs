//! Medication orders, dispensing, administration and statements; immunizations; allergies.

use super::{Chart, Visit, category, staff_ref, to};
use crate::codes::{CVX, Code, Drug, UCUM, code, hl7, sct};
use crate::json::{Json, arr, cents, dec, obj};
use crate::staff::on_duty;
use crate::time::{HOUR, MINUTE, Moment};

impl Chart<'_> {
    fn dosage(drug: &Drug) -> Json {
        obj! {
            "text": drug.sig,
            "timing": obj! {
                "repeat": obj! { "frequency": drug.times, "period": dec(drug.days, 0), "periodUnit": "d" },
            },
            "asNeededBoolean": drug.sig.contains("as needed").then_some(true),
            "route": drug.route.concept(),
            "doseAndRate": arr![obj! {
                "type": hl7("dose-rate-type", "ordered", "Ordered"),
                "doseQuantity": obj! {
                    "value": dec(drug.dose, 0), "unit": drug.unit, "system": UCUM, "code": drug.unit,
                },
            }],
        }
    }

    /// An order by the doctor of the visit.
    pub(crate) fn prescribe(
        &mut self,
        visit: &Visit,
        drug: &Drug,
        status: &'static str,
        reason: Option<&str>,
    ) -> String {
        let inpatient = visit.class == crate::codes::INPATIENT;
        let (place, display) = if inpatient { ("inpatient", "Inpatient") } else { ("community", "Community") };
        self.push(
            "MedicationRequest",
            "rx",
            obj! {
                "identifier": arr![
                    obj! {
                        "system": "https://saguaro-valley.example/prescription",
                        "value": format!("RX{}{}", self.who.number, visit.start.date().0),
                    },
                ],
                "status": status,
                "intent": "order",
                "category": category("medicationrequest-category", place, display),
                "medicationCodeableConcept": drug.code.concept_as(drug.code.display),
                "subject": self.patient(),
                "encounter": visit.reference(),
                "authoredOn": visit.start.plus(15 * MINUTE).min(visit.end),
                "requester": staff_ref(visit.doctor),
                "reasonReference": reason.map(|id| arr![to("Condition", id)]),
                "dosageInstruction": arr![Self::dosage(drug)],
                "dispenseRequest": (!inpatient).then(|| obj! {
                    "numberOfRepeatsAllowed": 3,
                    "quantity": obj! {
                        "value": dec(30 * drug.times, 0), "unit": drug.unit, "system": UCUM, "code": drug.unit,
                    },
                    "expectedSupplyDuration": obj! { "value": dec(30, 0), "unit": "d", "system": UCUM, "code": "d" },
                }),
            },
        )
    }

    /// What the pharmacy handed out on an order.
    pub(crate) fn dispense(&mut self, order: &str, drug: &Drug, at: Moment) -> String {
        self.push("MedicationDispense", "disp", obj! {
            "status": "completed",
            "medicationCodeableConcept": drug.code.concept_as(drug.code.display),
            "subject": self.patient(),
            "performer": arr![obj! { "actor": staff_ref(on_duty("pharmacist", "")) }],
            "location": to("Location", "loc-pharmacy"),
            "authorizingPrescription": arr![to("MedicationRequest", order)],
            "quantity": obj! { "value": dec(30 * drug.times, 0), "unit": drug.unit, "system": UCUM, "code": drug.unit },
            "daysSupply": obj! { "value": dec(30, 0), "unit": "d", "system": UCUM, "code": "d" },
            "whenHandedOver": at.min(self.now),
            "dosageInstruction": arr![Self::dosage(drug)],
        })
    }

    /// A dose that a nurse gave.
    pub(crate) fn administer(&mut self, visit: &Visit, order: &str, drug: &Drug, at: Moment) -> String {
        self.push(
            "MedicationAdministration",
            "adm",
            obj! {
                "status": "completed",
                "category": hl7("medication-admin-category", "inpatient", "Inpatient"),
                "medicationCodeableConcept": drug.code.concept_as(drug.code.display),
                "subject": self.patient(),
                "context": visit.reference(),
                "effectiveDateTime": at.min(visit.end),
                "performer": arr![obj! { "actor": staff_ref(on_duty("nurse", visit.place.id)) }],
                "request": to("MedicationRequest", order),
                "dosage": obj! {
                    "text": drug.sig, "route": drug.route.concept(),
                    "dose": obj! { "value": dec(drug.dose, 0), "unit": drug.unit, "system": UCUM, "code": drug.unit },
                },
            },
        )
    }

    /// What the patient says they take.
    pub(crate) fn takes(&mut self, visit: &Visit, drug: &Drug, note: Option<&'static str>) -> String {
        self.push(
            "MedicationStatement",
            "mst",
            obj! {
                "status": "active",
                "medicationCodeableConcept": drug.code.concept_as(drug.code.display),
                "subject": self.patient(),
                "context": visit.reference(),
                "effectiveDateTime": visit.start.date(),
                "dateAsserted": visit.start,
                "informationSource": self.patient(),
                "note": note.map(|text| arr![obj! { "text": text }]),
                "dosage": arr![Self::dosage(drug)],
            },
        )
    }

    /// A vaccine, by CVX.
    pub(crate) fn immunize(
        &mut self,
        visit: Option<&Visit>,
        vaccine: (&'static str, &'static str),
        at: Moment,
    ) -> String {
        let by = on_duty("nurse", "loc-primary-care");
        self.push(
            "Immunization",
            "imm",
            obj! {
                "status": "completed",
                "vaccineCode": code(CVX, vaccine.0, vaccine.1).concept_as(vaccine.1),
                "patient": self.patient(),
                "encounter": visit.map(Visit::reference),
                "occurrenceDateTime": at,
                "primarySource": true,
                "location": to("Location", visit.map_or("loc-primary-care", |visit| visit.place.id)),
                "lotNumber": format!("SV{:04}", at.date().0 % 10_000),
                "expirationDate": at.date().plus_days(400),
                "site": hl7("v3-ActSite", "LA", "left arm"),
                "route": hl7("v3-RouteOfAdministration", "IM", "Injection, intramuscular"),
                "doseQuantity": obj! { "value": cents(50), "unit": "mL", "system": UCUM, "code": "mL" },
                "performer": arr![
                    obj! { "function": hl7("v2-0443", "AP", "Administering Provider"), "actor": staff_ref(by) },
                ],
            },
        )
    }

    /// An allergy with its reaction; `None` records that there are no known ones.
    pub(crate) fn allergy(&mut self, allergy: Option<(Code, &'static str, Code)>, at: Moment) -> String {
        let recorder = staff_ref(on_duty("nurse", "loc-primary-care"));
        let common = |code: Json| {
            vec![
                ("clinicalStatus", hl7("allergyintolerance-clinical", "active", "Active")),
                ("verificationStatus", hl7("allergyintolerance-verification", "confirmed", "Confirmed")),
                ("code", code),
                ("patient", self.patient()),
                ("recordedDate", at.date().into()),
                ("recorder", recorder),
            ]
        };
        let body = match allergy {
            None => common(sct("716186003", "No known allergy").concept_as("No known allergies")),
            Some((substance, kind, reaction)) => {
                let mut fields = common(substance.concept_as(substance.display));
                fields.insert(2, ("type", "allergy".into()));
                fields.insert(3, ("category", arr![kind]));
                fields.insert(4, ("criticality", if reaction.code == "39579001" { "high" } else { "low" }.into()));
                fields.push((
                    "reaction",
                    arr![obj! {
                        "manifestation": arr![reaction.concept_as(reaction.display)],
                        "description": format!("{} within an hour", reaction.display),
                        "severity": if reaction.code == "39579001" { "severe" } else { "mild" },
                    }],
                ));
                fields
            }
        };
        self.push("AllergyIntolerance", "alg", Json::Object(body))
    }

    /// Orders a drug of a stay and records its doses, at most six of them.
    pub(crate) fn course(&mut self, visit: &Visit, drug: &Drug, hours: i64) {
        let status = if visit.end < self.now { "completed" } else { "active" };
        let order = self.prescribe(visit, drug, status, Some(&visit.condition));
        let every = (24 * drug.days / drug.times.max(1)).max(1);
        for dose in 0..(hours / every + 1).min(6) {
            let at = visit.start.plus(2 * HOUR + dose * every * HOUR);
            if at < visit.end {
                self.administer(visit, &order, drug, at);
            }
        }
    }
}
