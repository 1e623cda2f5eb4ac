//! Consents, restrictions, research, and resources that fit nowhere.

use super::{Chart, Visit, to};
use crate::codes::{ACT_REASON, Code, code, hl7, label, loinc};
use crate::json::{Json, arr, base64, obj};
use crate::places::{HOSPITAL_ID, PART2_PROGRAMME_ID};
use crate::time::{DAY, Moment};

/// What was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsentKind {
    /// Acknowledgement of the privacy notice, directory choice.
    Notice,
    /// Agreed restriction, 164.522(a): nothing to one party.
    Restriction,
    /// Out of pocket in full, 164.522(a)(1)(vi): nothing to the plan.
    SelfPay,
    /// Confidential communication, 164.522(b).
    Contact,
    /// Part 2 consent for treatment, payment and operations, 42 CFR 2.31.
    Part2,
    /// Authorization to release to a third party, 164.508.
    Release,
    /// Research consent.
    Research,
    /// A minor consented alone, 164.502(g)(3).
    Minor,
    /// Living will.
    Directive,
}

impl Chart<'_> {
    pub(crate) fn consent(&mut self, kind: ConsentKind, at: Moment) -> String {
        use ConsentKind::{Contact, Directive, Minor, Notice, Part2, Release, Research, Restriction, SelfPay};
        let (scope, scope_display) = match kind {
            Research => ("research", "Research"),
            Directive => ("adr", "Advanced Care Directive"),
            _ => ("patient-privacy", "Privacy Consent"),
        };
        let form = match kind {
            Notice => loinc("57016-8", "Privacy policy acknowledgment Document"),
            Directive => loinc("42348-3", "Advance healthcare directives"),
            _ => loinc("59284-0", "Patient Consent"),
        };
        let (deny, words): (bool, &'static str) = match kind {
            Notice => (false, "I received the notice of privacy practices and may be listed in the directory."),
            Restriction => {
                (true, "Do not give information about my care to my sister, who works for a neighbouring practice.")
            }
            SelfPay => (true, "I paid for this visit in full. Do not send it to my health plan."),
            Contact => (true, "Write only to the post office box and call only the second number."),
            Part2 => (
                false,
                "My treating providers, health plans and their contractors may use my programme records for treatment, payment and operations.",
            ),
            Release => (false, "Send the discharge summary to my attorney."),
            Research => (false, "I agree to take part in the study and to the use of my record for it."),
            Minor => (true, "I asked for this care myself. Do not tell my parents."),
            Directive => {
                (false, "If I cannot speak for myself, my next of kin decides. No resuscitation if there is no hope.")
            }
        };
        let purposes = match kind {
            Part2 => {
                vec![("TREAT", "treatment"), ("HPAYMT", "healthcare payment"), ("HOPERAT", "healthcare operations")]
            }
            Research => vec![("HRESCH", "healthcare research")],
            Release => vec![("PATRQT", "patient requested")],
            SelfPay => vec![("HPAYMT", "healthcare payment")],
            _ => Vec::new(),
        };
        let labels: Vec<Code> = match kind {
            Part2 => vec![label::PART2],
            SelfPay => vec![label::SELF_PAY],
            Minor => vec![label::ADOLESCENT],
            _ => Vec::new(),
        };
        let rule = match kind {
            Part2 => None,
            Notice => Some(("hipaa-npp", "HIPAA Notice of Privacy Practices")),
            Restriction | Contact | Minor => Some(("hipaa-restrictions", "HIPAA Restrictions")),
            SelfPay => Some(("hipaa-self-pay", "HIPAA Self-Pay Restriction")),
            Research => Some(("hipaa-research", "HIPAA Research Authorization")),
            Release | Directive => Some(("hipaa-auth", "HIPAA Authorization")),
        };
        let performer = if self.who.age < 18 && kind != Minor { self.related() } else { self.patient() };
        let organization = if kind == Part2 { PART2_PROGRAMME_ID } else { HOSPITAL_ID };
        let provision = (kind != Notice && kind != Directive).then(|| {
            obj! {
                "type": if deny { "deny" } else { "permit" },
                "period": obj! { "start": at, "end": (kind == Release).then(|| at.plus(365 * DAY)) },
                "securityLabel": labels.iter().map(|label| label.coding()).collect::<Vec<_>>(),
                "purpose": purposes.iter().map(
                    |(purpose, display)| code(ACT_REASON, purpose, display).coding(),
                ).collect::<Vec<Json>>(),
                "actor": (kind == SelfPay).then(|| arr![obj! {
                    "role": hl7("v3-RoleClass", "PAYOR", "invoice payor"),
                    "reference": to("Organization", self.who.payer.organization().0),
                }]),
            }
        });
        self.push(
            "Consent",
            "cons",
            obj! {
                "status": "active",
                "scope": hl7("consentscope", scope, scope_display),
                "category": arr![form.concept()],
                "patient": self.subject(),
                "dateTime": at,
                "performer": arr![performer],
                "organization": arr![to("Organization", organization)],
                "sourceAttachment": obj! {
                    "contentType": "text/plain; charset=utf-8", "title": form.display, "creation": at,
                    "data": base64(
                        format!("{words}\n\nSigned: {}\nDate: {}\n", self.who.full_name(), at.date()).as_bytes(),
                    ),
                },
                "policy": (kind == Part2).then(
                    || arr![
                        obj! {
                            "authority": "https://www.hhs.gov",
                            "uri": "https://www.ecfr.gov/current/title-42/chapter-I/subchapter-A/part-2",
                        },
                    ],
                ),
                "policyRule": rule.map(|(code, display)| hl7("consentpolicycodes", code, display)),
                "provision": provision,
            },
        )
    }

    /// Participation in a study of the directory, given by id and title.
    pub(crate) fn study(&mut self, consent: &str, at: Moment, study: (&'static str, &'static str)) -> String {
        self.push(
            "ResearchSubject",
            "subj",
            obj! {
                "identifier": arr![
                    obj! {
                        "system": "https://saguaro-valley.example/study",
                        "value": format!("SVS-{:04}", self.who.number % 10_000),
                    },
                ],
                "status": "on-study",
                "period": obj! { "start": at },
                "study": obj! { "reference": format!("ResearchStudy/{}", study.0), "display": study.1 },
                "individual": self.patient(),
                "assignedArm": (study.0 == "study-hypertension-1").then_some("Home monitoring"),
                "consent": to("Consent", consent),
            },
        )
    }

    /// What another system sent and nobody mapped.
    pub(crate) fn basic(&mut self, visit: &Visit, what: &'static str) -> String {
        self.push("Basic", "basic", obj! {
            "code": obj! {
                "coding": arr![
                    obj! {
                        "system": "http://terminology.hl7.org/CodeSystem/basic-resource-type", "code": "diet",
                        "display": "Diet",
                    },
                ],
                "text": what,
            },
            "subject": self.patient(),
            "created": visit.start.date(),
            "extension": arr![
                obj! {
                    "url": "https://saguaro-valley.example/fhir/StructureDefinition/legacy-field", "valueString": what,
                },
            ],
        })
    }
}
