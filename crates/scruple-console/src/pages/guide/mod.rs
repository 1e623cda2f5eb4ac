//! `GET /guide`: what the rules say, in plain words.

use crate::guide::{RULES, Rule};
use crate::pages::Frame;
use crate::pages::samples::{Sample, VOICES, officer, sample};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "guide/guide.html")]
pub(crate) struct Guide {
    pub(crate) frame: Frame,
    pub(crate) rules: &'static [Rule],
}

impl Guide {
    pub(crate) const fn new(frame: Frame) -> Self {
        Self { frame, rules: &RULES }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    VOICES.iter().map(|voice| sample(voice.name, &Guide::new(officer(voice, None)))).collect()
}
