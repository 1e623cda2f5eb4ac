//! A synthetic hospital as FHIR R4: staff of every role of the policy pack, and as many patients as wanted.
//!
//! ```text
//! let hospital = Hospital::generate(&Options { patients: 1_000, seed: 7, as_of, canary: false });
//! hospital.write_ndjson(|kind| File::create(dir.join(format!("{kind}.ndjson"))))?;
//! ```
//!
//! The same options give the same bytes on every machine: no clock, no hash order, no floating point. A patient with
//! index i follows from (seed, i, as_of) alone, so that records can be made in parallel, one at a time, and a larger
//! hospital begins with the smaller one. [`Persona`] tells what each is there for.
//!
//! Nobody in it exists: telephone numbers are 555-01xx, social security numbers begin with 9, NPIs with 2, mail ends
//! in `example.net`. It does not model disease or populations; it exercises every kind of information that a policy
//! can speak about. Codes are real (LOINC, SNOMED CT, ICD-10-CM, RxNorm, CVX, HCPCS); CPT is not free and not used.

mod analytes;
pub mod canary;
mod chart;
mod codes;
mod directory;
mod draw;
mod json;
mod people;
mod person;
mod persona;
mod places;
mod resource;
mod showcase;
mod staff;
mod story;
mod time;
pub mod upstream;
mod write;

pub use persona::Persona;
pub use places::{HOSPITAL_ID, PART2_LOCATION_ID, PART2_PROGRAMME_ID};
pub use resource::Resource;
pub use staff::{StaffMember, staff};
pub use write::Totals;

use scruple_core::Timestamp;
use std::collections::BTreeSet;
use time::Moment;

/// The id of the patient whose record shows every category: index 0 of every hospital.
pub const SHOWCASE_ID: &str = "pat-0001";

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many patients, without the canary patient. The first [`Persona::fixed`] carry one of each kind.
    pub patients: usize,
    /// Another seed, other people.
    pub seed: u64,
    /// The present of the hospital: today's appointments and current stays lie around it.
    pub as_of: Timestamp,
    /// Adds the patient `pat-canary`, whose elements hold the values of [`canary`].
    pub canary: bool,
}

/// A hospital that can be read record by record.
#[derive(Clone, Copy, Debug)]
pub struct Hospital {
    options: Options,
}

/// One patient with everything about them.
#[derive(Clone, Debug)]
pub struct Record {
    /// The patient's id, such as `pat-0001`.
    pub patient_id: String,
    /// What the patient is there for.
    pub persona: Persona,
    /// The Patient first, then the rest in the order of the story.
    pub resources: Vec<Resource>,
}

impl Hospital {
    /// A hospital of these options. Nothing is computed until it is read.
    #[must_use]
    pub const fn generate(options: &Options) -> Self {
        Self { options: *options }
    }

    /// The options it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// What belongs to no patient: organisations, places, services, staff, schedules.
    #[must_use]
    pub fn directory(&self) -> Vec<Resource> {
        directory::directory(self.now())
    }

    /// The record of the patient with this index, whether or not it is below `patients`.
    #[must_use]
    pub fn record(&self, index: usize) -> Record {
        story::record(self.options.seed, index, self.now())
    }

    /// The id of the patient with this index.
    #[must_use]
    pub fn patient_id(index: usize) -> String {
        person::patient_id(index)
    }

    /// All records in order, the canary patient last; one at a time.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let canary = self.options.canary.then(|| canary::record(self.options.seed, self.now()));
        (0..self.options.patients).map(|index| self.record(index)).chain(canary)
    }

    /// The staff who take part in an Encounter of any patient, in the order of [`staff`]: those who have a relationship with
    /// somebody here. With few patients not every clinical role has one.
    #[must_use]
    pub fn caregivers(&self) -> Vec<&'static StaffMember> {
        let mut taking_part = BTreeSet::new();
        for record in self.records() {
            let encounters = record.resources.iter().filter(|resource| resource.kind() == "Encounter");
            for encounter in encounters.filter_map(|resource| resource.to_value().ok()) {
                let participants = encounter.get("participant").and_then(|list| list.as_array()).into_iter().flatten();
                let references = participants.filter_map(|one| one.pointer("/individual/reference")?.as_str());
                taking_part.extend(references.map(str::to_owned));
            }
        }
        staff().iter().filter(|member| taking_part.contains(&member.reference())).collect()
    }

    fn now(&self) -> Moment {
        Moment::local(self.options.as_of)
    }
}
