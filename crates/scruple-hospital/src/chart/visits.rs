//! Encounters with their diagnoses, and appointments with their slots.

use super::{Chart, category, problem_code, staff_ref, to};
use crate::codes::{Code, INPATIENT, PARTICIPATION, Problem, hl7, sct};
use crate::json::{Json, arr, obj};
use crate::places::Place;
use crate::staff::{StaffMember, on_duty};
use crate::time::{DAY, HOUR, MINUTE, Moment};

/// A visit that has its Encounter.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub id: String,
    pub place: Place,
    pub class: Code,
    pub start: Moment,
    /// Of the visit, or of the record where the visit goes on.
    pub end: Moment,
    pub doctor: &'static StaffMember,
    pub problem: Problem,
    /// The id of the Condition it was made for.
    pub condition: String,
    pub account: String,
}

pub(crate) struct VisitPlan {
    pub place: Place,
    pub class: Code,
    pub start: Moment,
    /// None: the patient is still here.
    pub end: Option<Moment>,
    pub doctor: &'static StaffMember,
    pub problem: Problem,
}

impl VisitPlan {
    /// A clinic visit of half an hour.
    pub(crate) fn clinic(place: Place, start: Moment, doctor: &'static StaffMember, problem: Problem) -> Self {
        Self { place, class: crate::codes::AMBULATORY, start, end: Some(start.plus(30 * MINUTE)), doctor, problem }
    }
}

impl Visit {
    pub(crate) fn reference(&self) -> Json {
        to("Encounter", &self.id)
    }
}

impl Chart<'_> {
    /// Adds Account, Condition and Encounter of a visit.
    pub(crate) fn visit(&mut self, plan: VisitPlan) -> Visit {
        let VisitPlan { place, class, start, end, doctor, problem } = plan;
        let until = end.unwrap_or(self.now);
        let account = self.account(&place, start, end);
        let condition = self.diagnose(&problem, start, doctor, None);
        let inpatient = class == INPATIENT;
        let nurse = on_duty("nurse", place.id);
        let support = on_duty("clinical_support", place.id);
        let participant = |kind: &'static str, display: &'static str, member: &StaffMember| {
            obj! {
                "type": arr![Code { system: PARTICIPATION, code: kind, display }.concept()],
                "period": obj! { "start": start, "end": end },
                "individual": staff_ref(member),
            }
        };
        let mut participants = vec![participant("ATND", "attender", doctor)];
        if nurse.unit == place.id && nurse.id != doctor.id {
            participants.push(participant("PART", "Participation", nurse));
        }
        if support.unit == place.id {
            participants.push(participant("PART", "Participation", support));
        }
        let service = hl7("service-type", service_type(&place).0, service_type(&place).1);
        let source = match (place.id, self.age_at(start)) {
            ("loc-labor-delivery", 0) => ("born", "Born in hospital"),
            ("loc-labor-delivery", _) => ("outp", "From outpatient department"),
            _ => ("emd", "From accident/emergency department"),
        };
        let hospitalization = inpatient.then(|| {
            obj! {
                "admitSource": hl7("admit-source", source.0, source.1),
                "dietPreference": (self.who.number % 7 == 0).then(|| arr![hl7("diet", "vegetarian", "Vegetarian")]),
                "specialArrangement": (self.who.age > 70).then(
                    || arr![hl7("encounter-special-arrangements", "wheel", "Wheelchair")],
                ),
                "dischargeDisposition": end.map(|_| if self.who.died.is_some_and(|died| died <= until) {
                    hl7("discharge-disposition", "exp", "Expired")
                } else {
                    hl7("discharge-disposition", "home", "Home")
                }),
            }
        });
        let id = self.push(
            "Encounter",
            "enc",
            obj! {
                "identifier": arr![obj! {
                    "type": hl7("v2-0203", "VN", "Visit number"), "system": "https://saguaro-valley.example/visit",
                    "value": format!("V{}{:05}", self.who.number, start.date().0),
                }],
                "status": if end.is_some() { "finished" } else { "in-progress" },
                "class": class.coding(),
                "type": arr![visit_type(&place, class).concept()],
                "serviceType": service,
                "priority": (place.id == "loc-ed").then(|| hl7("v3-ActPriority", "EM", "emergency")),
                "subject": self.subject(),
                "participant": participants,
                "period": obj! { "start": start, "end": end },
                "reasonCode": arr![problem_code(&problem)],
                "diagnosis": arr![obj! {
                    "condition": obj! { "reference": format!("Condition/{condition}"), "display": problem.icd.display },
                    "use": hl7(
                        "diagnosis-role", if inpatient { "AD" } else { "DD" },
                        if inpatient { "Admission diagnosis" } else { "Discharge diagnosis" },
                    ),
                    "rank": 1,
                }],
                "account": arr![to("Account", &account)],
                "hospitalization": hospitalization,
                "location": arr![obj! {
                    "location": obj! { "reference": format!("Location/{}", place.id), "display": place.name },
                    "status": if end.is_some() { "completed" } else { "active" },
                    "period": obj! { "start": start, "end": end },
                }],
                "serviceProvider": obj! {
                    "reference": format!("Organization/{}", place.organization), "display": place.organization_name(),
                },
            },
        );
        Visit { id, place, class, start, end: until, doctor, problem, condition, account }
    }

    /// Adds a Condition: of the visit (`resolved` none and no end) or with the time it was over.
    pub(crate) fn diagnose(
        &mut self,
        problem: &Problem,
        onset: Moment,
        doctor: &'static StaffMember,
        resolved: Option<Moment>,
    ) -> String {
        let (status, display) = if resolved.is_some() { ("resolved", "Resolved") } else { ("active", "Active") };
        self.push(
            "Condition",
            "cond",
            obj! {
                "clinicalStatus": hl7("condition-clinical", status, display),
                "verificationStatus": hl7("condition-ver-status", "confirmed", "Confirmed"),
                "category": category("condition-category", "encounter-diagnosis", "Encounter Diagnosis"),
                "code": problem_code(problem),
                "subject": self.patient(),
                "onsetDateTime": onset.date(),
                "abatementDateTime": resolved.map(Moment::date),
                "recordedDate": onset.date(),
                "asserter": staff_ref(doctor),
            },
        )
    }

    /// Adds an entry of the problem list.
    pub(crate) fn problem(
        &mut self,
        problem: &Problem,
        onset: Moment,
        doctor: &'static StaffMember,
        note: Option<&'static str>,
    ) -> String {
        let severity = self.draw.percent(30).then(|| sct("6736007", "Moderate").concept());
        self.push("Condition", "cond", obj! {
            "clinicalStatus": hl7("condition-clinical", "active", "Active"),
            "verificationStatus": hl7("condition-ver-status", "confirmed", "Confirmed"),
            "category": category("condition-category", "problem-list-item", "Problem List Item"),
            "severity": severity,
            "code": problem_code(problem),
            "subject": self.patient(),
            "onsetDateTime": onset.date(),
            "recordedDate": onset.date(),
            "recorder": staff_ref(doctor),
            "note": note.map(|text| arr![obj! { "authorReference": staff_ref(doctor), "time": onset, "text": text }]),
        })
    }

    /// Adds an Appointment with its Slot; it is booked when it lies ahead, else kept.
    pub(crate) fn appointment(
        &mut self,
        place: Place,
        start: Moment,
        doctor: &'static StaffMember,
        problem: &Problem,
        comment: Option<&'static str>,
    ) -> String {
        let ahead = start > self.now;
        let minutes = 30;
        let slot = self.push(
            "Slot",
            "slot",
            obj! {
                "schedule": to("Schedule", &format!("sched-{}", doctor.id.trim_start_matches("prac-"))),
                "status": "busy", "start": start, "end": start.plus(minutes * MINUTE),
            },
        );
        let status = "accepted";
        let visit_kind = if ahead {
            "booked"
        } else if self.draw.percent(8) {
            "noshow"
        } else {
            "fulfilled"
        };
        self.push(
            "Appointment",
            "appt",
            obj! {
                "status": visit_kind,
                "serviceCategory": category("service-category", "17", "General Practice"),
                "serviceType": arr![hl7("service-type", service_type(&place).0, service_type(&place).1)],
                "specialty": doctor.specialty.map(|specialty| arr![specialty.concept()]),
                "appointmentType": hl7("v2-0276", "FOLLOWUP", "A follow up visit from a previous appointment"),
                "reasonCode": arr![problem_code(problem)],
                "description": format!("{} at {}", problem.says, place.name),
                "start": start,
                "end": start.plus(minutes * MINUTE),
                "minutesDuration": 30,
                "slot": arr![to("Slot", &slot)],
                "created": start.plus(-14 * DAY).min(self.now.plus(-HOUR)),
                "comment": comment,
                "participant": arr![
                    obj! { "actor": self.subject(), "required": "required", "status": status },
                    obj! { "actor": staff_ref(doctor), "required": "required", "status": status },
                    obj! {
                        "actor": obj! { "reference": format!("Location/{}", place.id), "display": place.name },
                        "required": "required", "status": status,
                    },
                    obj! {
                        "actor": obj! {
                            "reference": format!("HealthcareService/{}", place.service_id()), "display": place.service,
                        },
                        "status": status,
                    },
                ],
            },
        )
    }
}

fn visit_type(place: &Place, class: Code) -> Code {
    match (place.id, class.code) {
        ("loc-ed", _) => sct("50849002", "Emergency room admission"),
        (_, "IMP") => sct("32485007", "Hospital admission"),
        ("loc-womens-health", _) => sct("424619006", "Prenatal visit"),
        ("loc-pediatrics", _) => sct("410620009", "Well child visit"),
        (_, "VR") => sct("448337001", "Telemedicine consultation with patient"),
        _ => sct("390906007", "Follow-up encounter"),
    }
}

/// A code of the FHIR service-type system.
fn service_type(place: &Place) -> (&'static str, &'static str) {
    match place.id {
        "loc-ed" => ("117", "Emergency Medical"),
        "loc-icu" => ("174", "Intensive Care Medicine"),
        "loc-bh-clinic" => ("142", "Psychology"),
        "loc-behavioral-health" => ("138", "Mental Health Inpatient Services"),
        "loc-recovery-clinic" => ("108", "Non-resid. Alcohol/Drug Treatment"),
        "loc-womens-health" | "loc-labor-delivery" => ("186", "Obstetrics & Gynaecology"),
        "loc-pediatrics" => ("200", "Paediatric Medicine"),
        "loc-cardiology" => ("165", "Cardiology"),
        "loc-genetics" => ("166", "Clinical Genetics"),
        "loc-gender-health" => ("169", "Endocrinology"),
        "loc-infectious-disease" => ("173", "Infectious Diseases"),
        _ => ("124", "General Practice"),
    }
}
