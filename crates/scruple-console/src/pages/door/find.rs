//! `GET /door`: for whose chart. The number is sent in the body of a form, so that no address holds it.

use crate::pages::Frame;
use crate::pages::parts::Field;
use crate::pages::samples::{CSRF, Sample, VOICES, sample, typed, worker, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "door/find.html")]
pub(crate) struct Find {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    /// The field `patient`.
    pub(crate) patient: Field,
}

pub(crate) fn samples() -> Vec<Sample> {
    let view = |patient: Field| Find {
        frame: worker(&VOICES[0], None),
        csrf: CSRF.to_owned(),
        action: "/door".to_owned(),
        patient: patient.required(),
    };
    let mut samples = vec![sample("empty", &view(typed("")))];
    for voice in &VOICES {
        let patient = wrong(voice.one, "Type a record number as it stands in the chart.");
        samples.push(sample(voice.name, &view(patient)));
    }
    samples
}
