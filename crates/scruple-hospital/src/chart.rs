//! A patient's record under construction: ids, labels, references, and one builder per kind of resource.
//!
//! Builders fill what a certified EHR fills and no more. They do not decide what a patient has: that is `story`.

mod billing;
mod care;
mod documents;
mod legal;
mod medicines;
mod results;
mod visits;

pub(crate) use billing::{
    Answer, CEFTRIAXONE_CHARGE, CLINIC_VISIT, CRITICAL_CARE, DEPRESSION_SCREEN, DRUG_COUNSELING, DRUG_TEST,
    MIFEPRISTONE_CHARGE, OBSERVATION_CARE, TREATMENT_PROGRAMME, money,
};
pub(crate) use care::{DO_NOT_DISCLOSE, FALL_RISK, FULL_CODE, ISOLATION, NO_RESUSCITATION, SUICIDE_PRECAUTIONS};
pub(crate) use documents::{
    ADMISSION_NOTE, CONSULT_NOTE, DISCHARGE_SUMMARY, EMERGENCY_NOTE, NURSE_NOTE, PROCEDURE_NOTE, PROGRESS_NOTE,
    PSYCHIATRY_NOTE, REFERRAL_NOTE,
};
pub(crate) use legal::ConsentKind;
pub(crate) use results::{Acuity, quantity};
pub(crate) use visits::{Visit, VisitPlan};

use crate::Resource;
use crate::codes::{Code, Problem, hl7};
use crate::draw::{Draw, Stream};
use crate::json::{Json, arr, obj};
use crate::person::{Payer, Person};
use crate::staff::StaffMember;
use crate::time::{Date, HOUR, Moment};
use std::collections::BTreeMap;

pub(crate) struct Chart<'a> {
    pub who: &'a Person,
    pub draw: Draw,
    /// The end of the record: now, or the hour of death.
    pub now: Moment,
    /// Security labels of what is pushed from here on.
    pub labels: Vec<Code>,
    /// The Coverage that pays, if there is one.
    pub coverage: Option<String>,
    /// Whose blood pressure reads higher.
    pub hypertensive: bool,
    out: Vec<Resource>,
    serial: BTreeMap<&'static str, u32>,
}

impl<'a> Chart<'a> {
    pub(crate) fn new(seed: u64, index: usize, who: &'a Person, now: Moment) -> Self {
        let mut chart = Self {
            who,
            draw: Draw::new(seed, Stream::Chart, index as u64),
            now: who.died.unwrap_or(now),
            labels: Vec::new(),
            coverage: None,
            hypertensive: false,
            out: Vec::with_capacity(128),
            serial: BTreeMap::new(),
        };
        chart.out.push(Resource::new("Patient", who.id.clone(), who.resource(chart.now)));
        chart
    }

    pub(crate) fn finish(self) -> Vec<Resource> {
        self.out
    }

    /// Adds a resource and returns its id, which is the patient's with a short name of the type and a number.
    pub(crate) fn push(&mut self, kind: &'static str, short: &'static str, body: Json) -> String {
        let serial = self.serial.entry(short).or_insert(0);
        *serial += 1;
        let id = format!("{}-{short}-{serial}", self.who.id);
        let Json::Object(mut fields) = body else { return id };
        if !self.labels.is_empty() {
            let security: Vec<Json> = self.labels.iter().map(|label| label.coding()).collect();
            fields.insert(0, ("meta", obj! { "security": security }));
        }
        self.out.push(Resource::new(kind, id.clone(), fields));
        id
    }

    /// Runs `story` with labels on everything it adds.
    pub(crate) fn labelled<T>(&mut self, labels: &[Code], story: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.labels, labels.to_vec());
        let done = story(self);
        self.labels = before;
        done
    }

    pub(crate) fn subject(&self) -> Json {
        obj! { "reference": format!("Patient/{}", self.who.id), "display": self.who.full_name() }
    }

    pub(crate) fn patient(&self) -> Json {
        obj! { "reference": format!("Patient/{}", self.who.id) }
    }

    pub(crate) fn today(&self) -> Date {
        self.now.date()
    }

    /// A time of office hours on a weekday so many days before the end of the record, never before birth.
    pub(crate) fn days_ago(&mut self, days: i64) -> Moment {
        let day = self.today().plus_days(-days).max(self.who.birth.plus_days(1));
        let hour = self.draw.range(8, 15);
        let minute = self.draw.range(0, 3) * 15;
        day.weekday_back().max(self.who.birth.plus_days(1)).at(hour, minute).min(self.now.plus(-HOUR))
    }

    /// The patient's age at a time.
    pub(crate) fn age_at(&self, at: Moment) -> i64 {
        at.date().years_since(self.who.birth)
    }

    pub(crate) fn insured(&self) -> bool {
        self.who.payer != Payer::Uninsured
    }
}

/// `{reference, display}` of a person who works here.
pub(crate) fn staff_ref(member: &StaffMember) -> Json {
    obj! { "reference": member.reference(), "display": member.name }
}

pub(crate) fn to(kind: &str, id: &str) -> Json {
    obj! { "reference": format!("{kind}/{id}") }
}

/// The codings of a problem: ICD-10-CM, SNOMED CT where there is one, and the clinician's words.
pub(crate) fn problem_code(problem: &Problem) -> Json {
    obj! {
        "coding": std::iter::once(problem.icd).chain(problem.sct).map(Code::coding).collect::<Vec<_>>(),
        "text": problem.says,
    }
}

/// `[{coding: [...]}]` of a category of terminology.hl7.org.
pub(crate) fn category(system: &str, code: &'static str, display: &'static str) -> Json {
    arr![hl7(system, code, display)]
}
