//! Notes, letters, compositions, scans: text goes in as base64 attachments, as systems store it.

use super::{Chart, Visit, staff_ref, to};
use crate::codes::{CONFIDENTIALITY, Code, code, loinc};
use crate::json::{Json, arr, base64, obj};
use crate::staff::StaffMember;
use crate::time::{HOUR, Moment};

pub(crate) const PROGRESS_NOTE: Code = loinc("11506-3", "Progress note");
pub(crate) const EMERGENCY_NOTE: Code = loinc("34111-5", "Emergency department Note");
pub(crate) const NURSE_NOTE: Code = loinc("34746-8", "Nurse Note");
pub(crate) const ADMISSION_NOTE: Code = loinc("34117-2", "History and physical note");
pub(crate) const DISCHARGE_SUMMARY: Code = loinc("18842-5", "Discharge summary");
pub(crate) const CONSULT_NOTE: Code = loinc("11488-4", "Consult note");
pub(crate) const PSYCHIATRY_NOTE: Code = loinc("34904-3", "Mental health Progress note");
pub(crate) const PROCEDURE_NOTE: Code = loinc("28570-0", "Procedure note");
pub(crate) const REFERRAL_NOTE: Code = loinc("57133-1", "Referral note");

impl Chart<'_> {
    /// A note as DocumentReference.
    pub(crate) fn note(
        &mut self,
        visit: &Visit,
        kind: Code,
        at: Moment,
        author: &'static StaffMember,
        text: &str,
    ) -> String {
        let at = at.min(self.now);
        let letter = format!(
            "{}\nPatient: {}   Record: {}   Born: {}\nDate: {}   Author: {}\n\n{text}\n",
            kind.display.to_uppercase(),
            self.who.full_name(),
            self.who.number,
            self.who.birth,
            at.date(),
            author.name,
        );
        self.push("DocumentReference", "doc", obj! {
            "identifier": arr![
                obj! {
                    "system": "https://saguaro-valley.example/document",
                    "value": format!("DOC-{}-{}", self.who.number, at.0),
                },
            ],
            "status": "current",
            "docStatus": "final",
            "type": kind.concept_as(kind.display),
            "category": arr![obj! { "coding": arr![obj! {
                "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                "code": "clinical-note", "display": "Clinical Note",
            }] }],
            "subject": self.patient(),
            "date": at,
            "author": arr![staff_ref(author)],
            "custodian": obj! {
                "reference": format!("Organization/{}", visit.place.organization),
                "display": visit.place.organization_name(),
            },
            "description": format!("{} of {}", kind.display, at.date()),
            "securityLabel": arr![code(CONFIDENTIALITY, "N", "normal").concept()],
            "content": arr![obj! {
                "attachment": obj! {
                    "contentType": "text/plain; charset=utf-8", "language": "en-US", "data": base64(letter.as_bytes()),
                    "title": format!("{}, {}", kind.display, visit.problem.says), "creation": at,
                },
                "format": obj! {
                    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
                    "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient", "display": "mimeType Sufficient",
                },
            }],
            "context": obj! {
                "encounter": arr![visit.reference()],
                "period": obj! { "start": visit.start, "end": visit.end },
            },
        })
    }

    /// The usual words of a clinic visit.
    pub(crate) fn clinic_note(&mut self, visit: &Visit, story: &str) -> String {
        let text = format!(
            "{} seen for: {}.\n\n{story}\n\nASSESSMENT: {} ({}).\nPLAN: continue as discussed; return as scheduled.\nSigned electronically by {}.",
            capitalized(&self.who.described(visit.start)),
            visit.problem.says,
            visit.problem.says,
            visit.problem.icd.code,
            visit.doctor.name,
        );
        self.note(visit, PROGRESS_NOTE, visit.start.plus(HOUR), visit.doctor, &text)
    }

    /// A document of sections, as a discharge summary is sent.
    pub(crate) fn composition(&mut self, visit: &Visit, kind: Code, at: Moment, sections: &[(Code, &str)]) -> String {
        let div = |text: &str| {
            let safe = text.replace('&', "&amp;").replace('<', "&lt;").replace('\n', "<br/>");
            obj! { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{safe}</div>") }
        };
        self.push(
            "Composition",
            "comp",
            obj! {
                "status": "final",
                "type": kind.concept_as(kind.display),
                "subject": self.subject(),
                "encounter": visit.reference(),
                "date": at.min(self.now),
                "author": arr![staff_ref(visit.doctor)],
                "title": format!("{} of {}", kind.display, self.who.full_name()),
                "confidentiality": "N",
                "custodian": obj! {
                    "reference": format!("Organization/{}", visit.place.organization),
                    "display": visit.place.organization_name(),
                },
                "section": sections.iter().map(|(code, text)| obj! {
                    "title": code.display, "code": code.concept(), "text": div(text),
                    "entry": (code.code == "11450-4").then(|| arr![to("Condition", &visit.condition)]),
                }).collect::<Vec<Json>>(),
            },
        )
    }

    /// A photograph or scan kept as Media.
    pub(crate) fn media(&mut self, visit: &Visit, at: Moment, title: &'static str, face: bool) -> String {
        self.push(
            "Media",
            "media",
            obj! {
                "status": "completed",
                "type": crate::codes::hl7("media-type", "image", "Image"),
                "subject": self.patient(),
                "encounter": visit.reference(),
                "createdDateTime": at.min(self.now),
                "operator": staff_ref(visit.doctor),
                "bodySite": face.then(|| crate::codes::sct("89545001", "Face").concept()),
                "content": obj! { "contentType": "image/png", "data": base64(crate::person::PORTRAIT), "title": title },
            },
        )
    }
}

pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
