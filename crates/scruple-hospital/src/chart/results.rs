//! Observations: vital signs, laboratory, social history, surveys; with orders, specimens and reports.

use super::{Chart, Visit, category, staff_ref, to};
use crate::analytes::{
    Analyte, BLOOD_PRESSURE, BMI, DIASTOLIC, HEART_RATE, HEIGHT, Panel, RESPIRATION, SATURATION, SYSTOLIC, TEMPERATURE,
    WEIGHT,
};
use crate::codes::{Code, UCUM, hl7, loinc};
use crate::json::{Decimal, Json, arr, base64, dec, obj};
use crate::staff::{StaffMember, on_duty};
use crate::time::{HOUR, MINUTE, Moment};

/// How ill somebody is, which moves the vital signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acuity {
    Well,
    Ill,
    Critical,
}

pub(crate) fn quantity(value: Decimal, unit: &'static str) -> Json {
    obj! { "value": value, "unit": unit, "system": UCUM, "code": unit }
}

impl Chart<'_> {
    /// The body of an Observation; `value` names and holds the `value[x]` and whatever else is particular.
    fn observation(
        &self,
        kind: (&'static str, &'static str),
        code: Code,
        visit: &Visit,
        at: Moment,
        by: &'static StaffMember,
    ) -> Vec<(&'static str, Json)> {
        vec![
            ("status", "final".into()),
            ("category", category("observation-category", kind.0, kind.1)),
            ("code", code.concept_as(code.display)),
            ("subject", self.patient()),
            ("encounter", visit.reference()),
            ("effectiveDateTime", at.into()),
            ("issued", at.plus(20 * MINUTE).into()),
            ("performer", arr![staff_ref(by)]),
        ]
    }

    fn measured(
        &mut self,
        kind: (&'static str, &'static str),
        analyte: &Analyte,
        value: i64,
        visit: &Visit,
        at: Moment,
        by: &'static StaffMember,
    ) -> String {
        let mut fields = self.observation(kind, analyte.code, visit, at, by);
        fields.push(("valueQuantity", quantity(dec(value, analyte.scale), analyte.unit)));
        if analyte.high > 0 {
            let (flag, display) = if value < analyte.low {
                ("L", "Low")
            } else if value > analyte.high {
                ("H", "High")
            } else {
                ("N", "Normal")
            };
            fields.push(("interpretation", arr![hl7("v3-ObservationInterpretation", flag, display)]));
            fields.push((
                "referenceRange",
                arr![obj! {
                    "low": quantity(dec(analyte.low, analyte.scale), analyte.unit),
                    "high": quantity(dec(analyte.high, analyte.scale), analyte.unit),
                }],
            ));
        }
        self.push("Observation", "obs", Json::Object(fields))
    }

    /// Weight in hundreds of grams and height in millimetres for the age, with the same build at every visit.
    fn build(&self, at: Moment) -> (i64, i64) {
        let age = self.age_at(at);
        let own = (self.who.number * 104_729) % 200 - 100;
        let (height, weight) = match age {
            0 => {
                let days = (at.date().0 - self.who.birth.0).max(0);
                (500 + days * 6 / 10, 33 + days * 17 / 100)
            }
            1..=17 => (750 + (age - 1) * 58, 98 + (age - 1) * (age + 14)),
            _ => {
                let height = if self.who.is_female() { 1_630 } else { 1_760 } + own * 8 / 10;
                return (height, self.who.bmi() * height * height / 1_000_000);
            }
        };
        (height + height * own / 2_000, weight + weight * own / 1_000)
    }

    /// A set of vital signs.
    pub(crate) fn vitals(&mut self, visit: &Visit, at: Moment, acuity: Acuity) {
        const VITAL: (&str, &str) = ("vital-signs", "Vital Signs");
        let nurse = on_duty("nurse", visit.place.id);
        let age = self.age_at(at);
        let (pulse, breaths) = match age {
            0 => (135, 40),
            1..=5 => (105, 26),
            6..=12 => (88, 20),
            _ => (74, 15),
        };
        let (warm, faster, oxygen) = match acuity {
            Acuity::Well => (0, 0, 98),
            Acuity::Ill => (12, 18, 93),
            Acuity::Critical => (18, 34, 89),
        };
        let values = [
            (&HEART_RATE, self.draw.around(pulse + faster, 12)),
            (&RESPIRATION, self.draw.around(breaths + faster / 4, 3)),
            (&TEMPERATURE, self.draw.around(368 + warm, 4)),
            (&SATURATION, self.draw.around(oxygen, 2).min(100)),
        ];
        let (height, weight) = self.build(at);
        for (analyte, value) in values {
            // Reference ranges are an adult's: a child's numbers stand alone.
            let analyte = if age < 13 { Analyte { high: 0, ..*analyte } } else { *analyte };
            self.measured(VITAL, &analyte, value, visit, at, nurse);
        }
        self.measured(VITAL, &WEIGHT, weight, visit, at, nurse);
        if acuity == Acuity::Well {
            self.measured(VITAL, &HEIGHT, height, visit, at, nurse);
            if age >= 18 {
                // kg/m2 to one place: weight is in 0.1 kg, height in 0.1 cm.
                self.measured(VITAL, &BMI, weight * 1_000_000 / (height * height), visit, at, nurse);
            }
        }
        if age >= 3 {
            let base = 96 + age.min(60) / 2;
            let systolic = self.draw.around(
                base + if acuity == Acuity::Critical {
                    -22
                } else if self.hypertensive {
                    18
                } else {
                    4
                },
                12,
            );
            let diastolic = (systolic * 62 / 100).max(42) + self.draw.range(-4, 4);
            let part = |code: Code, value: i64| obj! { "code": code.concept(), "valueQuantity": quantity(dec(value, 0), "mm[Hg]") };
            let mut fields = self.observation(VITAL, BLOOD_PRESSURE, visit, at, nurse);
            fields.push(("component", arr![part(SYSTOLIC, systolic), part(DIASTOLIC, diastolic)]));
            self.push("Observation", "obs", Json::Object(fields));
        }
    }

    /// Orders, collects, measures and reports a panel. `known` sets values; the rest lies in the reference range.
    pub(crate) fn panel(&mut self, visit: &Visit, at: Moment, panel: &Panel, known: &[(Code, i64)]) -> String {
        let order = self.order(
            visit,
            at.plus(-30 * MINUTE),
            panel.code,
            ("108252007", "Laboratory procedure"),
            on_duty("lab_tech", ""),
            None,
        );
        let specimen = self.specimen(visit, at, panel.specimen, &order);
        let lab = on_duty("lab_tech", "");
        let mut results = Vec::with_capacity(panel.analytes.len());
        for analyte in panel.analytes {
            let middle = (analyte.low + analyte.high) / 2;
            let value = known
                .iter()
                .find(|(code, _)| *code == analyte.code)
                .map_or_else(|| self.draw.around(middle, (analyte.high - analyte.low) * 6 / 10), |(_, value)| *value);
            let id = self.lab_value(visit, at, analyte, value, &specimen, lab);
            results.push(obj! { "reference": format!("Observation/{id}"), "display": analyte.code.display });
        }
        self.lab_report(visit, at, panel.code, &order, results, Some(&specimen), None)
    }

    /// One result with its order, specimen and report.
    pub(crate) fn single(
        &mut self,
        visit: &Visit,
        at: Moment,
        analyte: &Analyte,
        value: i64,
        specimen: Code,
        conclusion: Option<&'static str>,
    ) -> String {
        let lab = on_duty("lab_tech", "");
        let order =
            self.order(visit, at.plus(-30 * MINUTE), analyte.code, ("108252007", "Laboratory procedure"), lab, None);
        let specimen = self.specimen(visit, at, specimen, &order);
        let id = self.lab_value(visit, at, analyte, value, &specimen, lab);
        let result = vec![obj! { "reference": format!("Observation/{id}"), "display": analyte.code.display }];
        self.lab_report(visit, at, analyte.code, &order, result, Some(&specimen), conclusion)
    }

    fn lab_value(
        &mut self,
        visit: &Visit,
        at: Moment,
        analyte: &Analyte,
        value: i64,
        specimen: &str,
        lab: &'static StaffMember,
    ) -> String {
        let id = self.measured(("laboratory", "Laboratory"), analyte, value, visit, at, lab);
        if let Some(resource) = self.out.last_mut() {
            resource.set("specimen", to("Specimen", specimen));
        }
        id
    }

    /// A laboratory result that is a finding, such as "Detected".
    pub(crate) fn finding(
        &mut self,
        visit: &Visit,
        at: Moment,
        test: Code,
        result: Code,
        specimen: Code,
        conclusion: Option<&'static str>,
    ) -> String {
        let lab = on_duty("lab_tech", "");
        let order = self.order(visit, at.plus(-30 * MINUTE), test, ("108252007", "Laboratory procedure"), lab, None);
        let specimen = self.specimen(visit, at, specimen, &order);
        let mut fields = self.observation(("laboratory", "Laboratory"), test, visit, at, lab);
        fields.push(("valueCodeableConcept", result.concept_as(result.display)));
        fields.push(("specimen", to("Specimen", &specimen)));
        let id = self.push("Observation", "obs", Json::Object(fields));
        let results = vec![to("Observation", &id)];
        self.lab_report(visit, at, test, &order, results, Some(&specimen), conclusion)
    }

    fn specimen(&mut self, visit: &Visit, at: Moment, kind: Code, order: &str) -> String {
        self.push("Specimen", "spec", obj! {
            "accessionIdentifier": obj! {
                "system": "https://saguaro-valley.example/accession",
                "value": format!("L{}{:03}", at.date().0, self.who.number % 1_000),
            },
            "status": "available",
            "type": kind.concept(),
            "subject": self.patient(),
            "receivedTime": at.plus(15 * MINUTE),
            "request": arr![to("ServiceRequest", order)],
            "collection": obj! { "collector": staff_ref(on_duty("nurse", visit.place.id)), "collectedDateTime": at },
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one report")]
    fn lab_report(
        &mut self,
        visit: &Visit,
        at: Moment,
        code: Code,
        order: &str,
        results: Vec<Json>,
        specimen: Option<&str>,
        conclusion: Option<&'static str>,
    ) -> String {
        self.push("DiagnosticReport", "rep", obj! {
            "basedOn": arr![to("ServiceRequest", order)],
            "status": "final",
            "category": category("v2-0074", "LAB", "Laboratory"),
            "code": code.concept_as(code.display),
            "subject": self.patient(),
            "encounter": visit.reference(),
            "effectiveDateTime": at,
            "issued": at.plus(2 * HOUR).min(self.now),
            "performer": arr![obj! { "reference": "Organization/org-laboratory", "display": "Clinical Laboratory" }],
            "specimen": specimen.map(|id| arr![to("Specimen", id)]),
            "result": results,
            "conclusion": conclusion,
        })
    }

    /// An imaging examination: order, study and report with the radiologist's words.
    pub(crate) fn imaging(
        &mut self,
        visit: &Visit,
        at: Moment,
        exam: Code,
        modality: (&'static str, &'static str),
        conclusion: &'static str,
    ) -> String {
        let tech = on_duty("imaging_tech", "");
        let order = self.order(visit, at.plus(-HOUR), exam, ("363679005", "Imaging"), tech, None);
        let uid = format!("1.2.826.0.1.3680043.10.1.{}.{}", self.who.number, at.0);
        let study = self.push("ImagingStudy", "img", obj! {
            "identifier": arr![obj! { "system": "urn:dicom:uid", "value": format!("urn:oid:{uid}") }],
            "status": "available",
            "modality": arr![
                obj! {
                    "system": "http://dicom.nema.org/resources/ontology/DCM", "code": modality.0, "display": modality.1,
                },
            ],
            "subject": self.patient(),
            "encounter": visit.reference(),
            "started": at,
            "basedOn": arr![to("ServiceRequest", &order)],
            "numberOfSeries": 1,
            "numberOfInstances": 2,
            "procedureCode": arr![exam.concept()],
            "description": exam.display,
            "series": arr![obj! {
                "uid": format!("{uid}.1"), "number": 1,
                "modality": obj! {
                    "system": "http://dicom.nema.org/resources/ontology/DCM", "code": modality.0, "display": modality.1,
                },
                "numberOfInstances": 2, "started": at,
                "performer": arr![obj! { "actor": staff_ref(tech) }],
                "instance": arr![obj! {
                    "uid": format!("{uid}.1.1"), "number": 1,
                    "sopClass": obj! { "system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1.1" },
                }],
            }],
        });
        let text = format!("{}\n\nIMPRESSION: {conclusion}\n\nRead by the radiologist on duty.", exam.display);
        self.push("DiagnosticReport", "rep", obj! {
            "basedOn": arr![to("ServiceRequest", &order)],
            "status": "final",
            "category": category("v2-0074", "RAD", "Radiology"),
            "code": exam.concept_as(exam.display),
            "subject": self.patient(),
            "encounter": visit.reference(),
            "effectiveDateTime": at,
            "issued": at.plus(2 * HOUR).min(self.now),
            "performer": arr![obj! { "reference": "Organization/org-hospital", "display": crate::places::HOSPITAL }],
            "imagingStudy": arr![to("ImagingStudy", &study)],
            "conclusion": conclusion,
            "presentedForm": arr![obj! {
                "contentType": "text/plain; charset=utf-8", "language": "en-US", "data": base64(text.as_bytes()),
                "title": exam.display, "creation": at.plus(2 * HOUR).min(self.now),
            }],
        })
    }

    /// A coded observation of social history, or another category where `kind` says so.
    pub(crate) fn stated(
        &mut self,
        visit: &Visit,
        kind: (&'static str, &'static str),
        question: Code,
        answer: Code,
    ) -> String {
        let by = on_duty("nurse", visit.place.id);
        let mut fields = self.observation(kind, question, visit, visit.start.plus(5 * MINUTE), by);
        fields.push(("valueCodeableConcept", answer.concept_as(answer.display)));
        self.push("Observation", "obs", Json::Object(fields))
    }

    /// A score of a nurse's or therapist's assessment.
    pub(crate) fn score(&mut self, visit: &Visit, at: Moment, scale: Code, value: i64) -> String {
        let by = on_duty("nurse", visit.place.id);
        let mut fields = self.observation(("survey", "Survey"), scale, visit, at, by);
        fields.push(("valueInteger", value.into()));
        self.push("Observation", "obs", Json::Object(fields))
    }

    /// PHQ-9 as QuestionnaireResponse, and its total as Observation. Item scores are 0 to 3.
    pub(crate) fn phq9(&mut self, visit: &Visit, scores: [i64; 9]) -> String {
        const ANSWERS: [(&str, &str); 4] = [
            ("LA6568-5", "Not at all"),
            ("LA6569-3", "Several days"),
            ("LA6570-1", "More than half the days"),
            ("LA6571-9", "Nearly every day"),
        ];
        let total = scores.iter().sum::<i64>();
        let at = visit.start.plus(5 * MINUTE);
        let answer = |score: i64| {
            let (code, display) =
                usize::try_from(score).ok().and_then(|row| ANSWERS.get(row)).copied().unwrap_or(ANSWERS[0]);
            loinc(code, display).coding()
        };
        let mut items: Vec<Json> = crate::directory::PHQ9_ITEMS
            .iter()
            .zip(scores)
            .map(|(item, score)| {
                obj! {
                    "linkId": format!("/{}", item.code), "text": item.display,
                    "answer": arr![obj! { "valueCoding": answer(score) }],
                }
            })
            .collect();
        items.push(obj! {
            "linkId": "/44261-6", "text": crate::directory::PHQ9_TOTAL.display,
            "answer": arr![obj! { "valueDecimal": dec(total, 0) }],
        });
        let response = self.push(
            "QuestionnaireResponse",
            "qr",
            obj! {
                "questionnaire": "https://saguaro-valley.example/fhir/Questionnaire/questionnaire-phq-9",
                "status": "completed",
                "subject": self.patient(),
                "encounter": visit.reference(),
                "authored": at,
                "author": staff_ref(visit.doctor),
                "source": self.patient(),
                "item": items,
            },
        );
        let mut fields = self.observation(("survey", "Survey"), crate::directory::PHQ9_TOTAL, visit, at, visit.doctor);
        fields.push(("valueQuantity", quantity(dec(total, 0), "{score}")));
        fields.push(("derivedFrom", arr![to("QuestionnaireResponse", &response)]));
        self.push("Observation", "obs", Json::Object(fields))
    }

    /// A genetic result: Observation by LOINC class and a report with its interpretation.
    pub(crate) fn genetic_report(
        &mut self,
        visit: &Visit,
        at: Moment,
        finding: &'static str,
        conclusion: &'static str,
    ) -> String {
        const FOUND: Code = loinc(
            "21636-6",
            "BRCA1 gene mutations found [Identifier] in Blood or Tissue by Molecular genetics method Nominal",
        );
        const REPORT: Code = loinc("51969-4", "Genetic analysis report");
        let lab = on_duty("lab_tech", "");
        let order = self.order(visit, at.plus(-HOUR), REPORT, ("108252007", "Laboratory procedure"), lab, None);
        let specimen = self.specimen(visit, at, crate::analytes::BLOOD, &order);
        let mut fields = self.observation(("laboratory", "Laboratory"), FOUND, visit, at, lab);
        fields.push(("valueString", finding.into()));
        fields.push(("specimen", to("Specimen", &specimen)));
        let id = self.push("Observation", "obs", Json::Object(fields));
        self.push("DiagnosticReport", "rep", obj! {
            "basedOn": arr![to("ServiceRequest", &order)],
            "status": "final",
            "category": category("v2-0074", "GE", "Genetics"),
            "code": REPORT.concept_as(REPORT.display),
            "subject": self.patient(),
            "encounter": visit.reference(),
            "effectiveDateTime": at,
            "issued": at.plus(2 * HOUR).min(self.now),
            "performer": arr![obj! { "reference": "Organization/org-laboratory", "display": "Clinical Laboratory" }],
            "specimen": arr![to("Specimen", &specimen)],
            "result": arr![to("Observation", &id)],
            "conclusion": conclusion,
            "presentedForm": arr![obj! {
                "contentType": "text/plain; charset=utf-8",
                "data": base64(
                    format!(
                        "GENETIC TEST REPORT\n{}\nResult: {finding}\n{conclusion}\n", self.who.full_name(),
                    ).as_bytes(),
                ),
                "title": "Genetic test report", "creation": at.plus(2 * HOUR).min(self.now),
            }],
        })
    }
}
