//! Who cares for the patient and how: teams, plans, goals, orders, tasks, flags, devices, messages, relatives.

use super::{Chart, Visit, VisitPlan, category, problem_code, staff_ref, to};
use crate::codes::{Code, Problem, hl7, loinc, sct};
use crate::json::{Json, arr, obj};
use crate::places::{HOSPITAL_ID, Place};
use crate::staff::{StaffMember, by_id};
use crate::time::{DAY, Moment};

/// What a flag warns of.
pub(crate) struct FlagKind {
    pub category: (&'static str, &'static str),
    pub code: Code,
    pub says: &'static str,
}

pub(crate) const ISOLATION: FlagKind = FlagKind {
    category: ("safety", "Safety"),
    code: sct("361235007", "Isolation of infected patient"),
    says: "Contact isolation: gown and gloves",
};
pub(crate) const FALL_RISK: FlagKind = FlagKind {
    category: ("safety", "Safety"),
    code: sct("129839007", "At risk for falls"),
    says: "Fall risk: two-person assist",
};
pub(crate) const NO_RESUSCITATION: FlagKind = FlagKind {
    category: ("advance-directive", "Advance Directive"),
    code: sct("304253006", "Not for resuscitation"),
    says: "DNR/DNI on file",
};
pub(crate) const FULL_CODE: FlagKind = FlagKind {
    category: ("advance-directive", "Advance Directive"),
    code: sct("304252001", "For resuscitation"),
    says: "Full code",
};
pub(crate) const SUICIDE_PRECAUTIONS: FlagKind = FlagKind {
    category: ("behavioral", "Behavioral"),
    code: sct("10029008", "Suicide precautions"),
    says: "One-to-one observation",
};
pub(crate) const DO_NOT_DISCLOSE: FlagKind = FlagKind {
    category: ("admin", "Administrative"),
    code: sct("424393004", "Reports of violence in the environment"),
    says: "No information to callers; security code word required",
};

impl Chart<'_> {
    /// The next of kin as RelatedPerson; one per record.
    pub(crate) fn related(&mut self) -> Json {
        let id = format!("{}-rel-1", self.who.id);
        let person = obj! {
            "reference": format!("RelatedPerson/{id}"), "display": format!("{} {}", self.who.kin.0, self.who.kin.1),
        };
        if self.serial.contains_key("rel") {
            return person;
        }
        let (given, family, kin) = self.who.kin;
        let (code, display) = kin.code();
        let labels = std::mem::take(&mut self.labels);
        self.push("RelatedPerson", "rel", obj! {
            "identifier": arr![
                obj! {
                    "type": hl7("v2-0203", "DL", "Driver's license number"),
                    "system": "urn:oid:2.16.840.1.113883.4.3.4",
                    "value": format!("D{:08}", self.who.number * 11 % 100_000_000),
                },
            ],
            "active": true,
            "patient": self.patient(),
            "relationship": arr![hl7("v3-RoleCode", code, display)],
            "name": arr![
                obj! { "use": "official", "text": format!("{given} {family}"), "family": family, "given": arr![given] },
            ],
            "telecom": arr![obj! { "system": "phone", "value": self.who.kin_phone(), "use": "mobile" }],
            "address": arr![
                obj! {
                    "use": "home", "line": arr![self.who.street.clone()], "city": self.who.town.city,
                    "state": self.who.town.state, "postalCode": self.who.town.zip, "country": "US",
                },
            ],
        });
        self.labels = labels;
        person
    }

    /// A care team; `until` none means that it still cares.
    pub(crate) fn team(
        &mut self,
        name: &'static str,
        members: &[&'static StaffMember],
        start: Moment,
        until: Option<Moment>,
        visit: Option<&Visit>,
    ) -> String {
        let active = until.is_none();
        self.push(
            "CareTeam",
            "team",
            obj! {
                "status": if active { "active" } else { "inactive" },
                "category": arr![loinc("LA27976-2", "Encounter-focused care team").concept()],
                "name": name,
                "subject": self.subject(),
                "encounter": visit.map(Visit::reference),
                "period": obj! { "start": start, "end": until },
                "participant": members.iter().map(|member| obj! {
                    "role": arr![crate::directory::role_concept(member.role)],
                    "member": staff_ref(member),
                    "period": obj! { "start": start, "end": until },
                }).collect::<Vec<Json>>(),
                "managingOrganization": arr![
                    to("Organization", visit.map_or(HOSPITAL_ID, |visit| visit.place.organization)),
                ],
            },
        )
    }

    /// Enrolment in a programme or under a case manager.
    pub(crate) fn episode(
        &mut self,
        place: &Place,
        kind: Code,
        manager: &'static StaffMember,
        start: Moment,
        condition: &str,
    ) -> String {
        self.push("EpisodeOfCare", "eoc", obj! {
            "identifier": arr![
                obj! { "system": "https://saguaro-valley.example/episode", "value": format!("E{}", self.who.number) },
            ],
            "status": "active",
            "type": arr![kind.concept()],
            "diagnosis": arr![obj! { "condition": to("Condition", condition), "rank": 1 }],
            "patient": self.patient(),
            "managingOrganization": obj! {
                "reference": format!("Organization/{}", place.organization), "display": place.organization_name(),
            },
            "period": obj! { "start": start },
            "careManager": staff_ref(manager),
        })
    }

    /// A plan of care with its goal.
    pub(crate) fn plan(
        &mut self,
        visit: &Visit,
        title: &'static str,
        activity: &'static str,
        goal: &'static str,
    ) -> String {
        let due = self.today().plus_days(90);
        let goal = self.push(
            "Goal",
            "goal",
            obj! {
                "lifecycleStatus": "active",
                "achievementStatus": hl7("goal-achievement", "improving", "Improving"),
                "description": obj! { "text": goal },
                "subject": self.patient(),
                "startDate": visit.start.date(),
                "target": arr![obj! { "dueDate": due }],
                "expressedBy": self.patient(),
                "addresses": arr![to("Condition", &visit.condition)],
            },
        );
        self.push("CarePlan", "plan", obj! {
            "status": "active",
            "intent": "plan",
            "category": arr![
                obj! {
                    "coding": arr![
                        obj! {
                            "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan",
                            "display": "Assessment and Plan of Treatment",
                        },
                    ],
                },
            ],
            "title": title,
            "description": activity,
            "subject": self.patient(),
            "encounter": visit.reference(),
            "period": obj! { "start": visit.start, "end": due },
            "created": visit.start,
            "author": staff_ref(visit.doctor),
            "addresses": arr![to("Condition", &visit.condition)],
            "goal": arr![to("Goal", &goal)],
            "activity": arr![obj! { "detail": obj! { "status": "in-progress", "description": activity } }],
        })
    }

    /// An order or referral that somebody carries out.
    pub(crate) fn order(
        &mut self,
        visit: &Visit,
        at: Moment,
        what: Code,
        kind: (&'static str, &'static str),
        performer: &'static StaffMember,
        note: Option<&'static str>,
    ) -> String {
        self.push(
            "ServiceRequest",
            "ord",
            obj! {
                "identifier": arr![
                    obj! {
                        "type": hl7("v2-0203", "PLAC", "Placer Identifier"),
                        "system": "https://saguaro-valley.example/order",
                        "value": format!("ORD{}{}", self.who.number, at.0),
                    },
                ],
                "status": if at.plus(2 * DAY) < self.now { "completed" } else { "active" },
                "intent": "order",
                "category": arr![sct(kind.0, kind.1).concept()],
                "priority": if visit.place.id == "loc-ed" || visit.place.id == "loc-icu" { "stat" } else { "routine" },
                "code": what.concept_as(what.display),
                "subject": self.patient(),
                "encounter": visit.reference(),
                "authoredOn": at.max(visit.start),
                "requester": staff_ref(visit.doctor),
                "performer": arr![staff_ref(performer)],
                "reasonCode": arr![problem_code(&visit.problem)],
                "note": note.map(|text| arr![obj! { "text": text }]),
            },
        )
    }

    /// A task in somebody's work queue about `focus`.
    pub(crate) fn queue(
        &mut self,
        owner: &str,
        what: &'static str,
        description: &'static str,
        focus: Json,
        at: Moment,
    ) -> String {
        let owner = by_id(owner);
        let at = at.min(self.now);
        self.push("Task", "task", obj! {
            "status": if at.plus(30 * DAY) < self.now { "completed" } else { "in-progress" },
            "intent": "order",
            "priority": "routine",
            "code": obj! {
                "coding": arr![
                    obj! {
                        "system": "http://hl7.org/fhir/CodeSystem/task-code", "code": what,
                        "display": if what == "fulfill" { "Fulfill the focal request" } else { "Activate/approve the focal resource" },
                    },
                ],
            },
            "description": description,
            "focus": focus,
            "for": self.patient(),
            "authoredOn": at,
            "lastModified": at,
            "owner": staff_ref(owner),
        })
    }

    pub(crate) fn flag(&mut self, kind: &FlagKind, visit: Option<&Visit>, at: Moment) -> String {
        self.push(
            "Flag",
            "flag",
            obj! {
                "status": "active",
                "category": category("flag-category", kind.category.0, kind.category.1),
                "code": kind.code.concept_as(kind.says),
                "subject": self.patient(),
                "period": obj! { "start": at },
                "encounter": visit.map(Visit::reference),
                "author": visit.map(|visit| staff_ref(visit.doctor)),
            },
        )
    }

    /// An implant with its UDI.
    pub(crate) fn implant(&mut self, kind: Code, name: &'static str, at: Moment) -> String {
        let serial = format!("SN{:07}", self.who.number * 13 % 10_000_000);
        let lot = format!("LOT{:05}", at.date().0);
        let device = self.push(
            "Device",
            "dev",
            obj! {
                "udiCarrier": arr![obj! {
                    "deviceIdentifier": "00844588003288", "issuer": "http://hl7.org/fhir/NamingSystem/gs1-di",
                    "carrierHRF": format!("(01)00844588003288(11)141231(17)300707(10){lot}(21){serial}"),
                    "entryType": "barcode",
                }],
                "status": "active",
                "distinctIdentifier": serial.clone(),
                "manufacturer": "Synthetic Implants Inc.",
                "manufactureDate": at.date().plus_days(-200),
                "expirationDate": at.date().plus_days(3_650),
                "lotNumber": lot,
                "serialNumber": serial,
                "deviceName": arr![obj! { "name": name, "type": "user-friendly-name" }],
                "type": kind.concept_as(kind.display),
                "patient": self.patient(),
            },
        );
        self.push(
            "DeviceUseStatement",
            "duse",
            obj! {
                "status": "active",
                "subject": self.patient(),
                "timingPeriod": obj! { "start": at.date() },
                "recordedOn": at,
                "device": to("Device", &device),
            },
        );
        device
    }

    /// A procedure that was done.
    pub(crate) fn procedure(
        &mut self,
        visit: &Visit,
        what: Code,
        start: Moment,
        minutes: i64,
        outcome: Option<&'static str>,
    ) -> String {
        self.push(
            "Procedure",
            "proc",
            obj! {
                "status": "completed",
                "code": what.concept_as(what.display),
                "subject": self.patient(),
                "encounter": visit.reference(),
                "performedPeriod": obj! { "start": start, "end": start.plus(minutes * 60) },
                "performer": arr![obj! { "actor": staff_ref(visit.doctor) }],
                "location": to("Location", visit.place.id),
                "reasonReference": arr![to("Condition", &visit.condition)],
                "note": outcome.map(|text| arr![obj! { "text": text }]),
            },
        )
    }

    /// A message: from the patient when `sender` is none, else from staff to the patient.
    pub(crate) fn message(
        &mut self,
        sender: Option<&'static StaffMember>,
        other: &'static StaffMember,
        at: Moment,
        about: &'static str,
        text: &str,
    ) -> String {
        let staff = staff_ref(sender.unwrap_or(other));
        let patient = self.patient();
        let (from, recipient) = if sender.is_some() { (staff, patient) } else { (patient, staff) };
        self.push(
            "Communication",
            "msg",
            obj! {
                "status": "completed",
                "category": category("communication-category", "notification", "Notification"),
                "medium": arr![hl7("v3-ParticipationMode", "WRITTEN", "written")],
                "subject": self.patient(),
                "topic": obj! { "text": about },
                "sent": at.min(self.now),
                "recipient": arr![recipient],
                "sender": from,
                "payload": arr![obj! { "contentString": text.to_owned() }],
            },
        )
    }

    /// An illness of a relative.
    pub(crate) fn family_history(
        &mut self,
        relation: (&'static str, &'static str),
        problem: &Problem,
        age: i64,
        died: bool,
    ) -> String {
        self.push(
            "FamilyMemberHistory",
            "fam",
            obj! {
                "status": "completed",
                "patient": self.patient(),
                "date": self.today(),
                "relationship": hl7("v3-RoleCode", relation.0, relation.1),
                "sex": obj! {
                    "coding": arr![
                        obj! {
                            "system": "http://hl7.org/fhir/administrative-gender",
                            "code": if relation.0 == "FTH" || relation.0 == "BRO" { "male" } else { "female" },
                        },
                    ],
                },
                "deceasedBoolean": died,
                "condition": arr![obj! {
                    "code": problem_code(problem),
                    "onsetAge": obj! {
                        "value": crate::json::dec(age, 0), "unit": "a", "system": crate::codes::UCUM, "code": "a",
                    },
                    "note": arr![obj! { "text": format!("{} at {age}", problem.says) }],
                }],
            },
        )
    }

    /// Who wrote a resource and when.
    pub(crate) fn provenance(
        &mut self,
        kind: &'static str,
        target: &str,
        at: Moment,
        author: &'static StaffMember,
    ) -> String {
        self.push(
            "Provenance",
            "prov",
            obj! {
                "target": arr![to(kind, target)],
                "recorded": at.min(self.now),
                "activity": hl7("v3-DataOperation", "CREATE", "create"),
                "agent": arr![obj! {
                    "type": hl7("provenance-participant-type", "author", "Author"),
                    "who": staff_ref(author), "onBehalfOf": to("Organization", HOSPITAL_ID),
                }],
            },
        )
    }

    /// A list of resources of one kind, as problem and medication lists are kept.
    pub(crate) fn list(&mut self, code: Code, kind: &'static str, ids: &[String], at: Moment) -> String {
        self.push(
            "List",
            "list",
            obj! {
                "status": "current", "mode": "working", "title": code.display,
                "code": code.concept(), "subject": self.patient(), "date": at,
                "source": staff_ref(self.who.pcp),
                "entry": ids.iter().map(|id| obj! { "item": to(kind, id) }).collect::<Vec<Json>>(),
            },
        )
    }

    /// A stay in hospital that began so many hours ago and goes on, or ended `hours` after it began.
    pub(crate) fn stay(
        &mut self,
        place: Place,
        start: Moment,
        hours: Option<i64>,
        doctor: &'static StaffMember,
        problem: Problem,
    ) -> Visit {
        let end = hours.map(|hours| start.plus(hours * 3_600).min(self.now));
        self.visit(VisitPlan { place, class: crate::codes::INPATIENT, start, end, doctor, problem })
    }
}
