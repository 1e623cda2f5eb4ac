//! `GET /emergency/{id}/tell`: the reader's own sentence.

use crate::pages::Frame;
use crate::pages::parts::{Field, When};
use crate::pages::samples::{CSRF, Sample, VOICES, sample, typed, when, worker, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "emergency/tell.html")]
pub(crate) struct Tell {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    /// The version of the review that the page shows.
    pub(crate) version: i64,
    pub(crate) opened: When,
    /// The privacy office has asked.
    pub(crate) asked: bool,
    /// The field `account`.
    pub(crate) account: Field,
}

pub(crate) fn samples() -> Vec<Sample> {
    let view = |asked: bool, account: Field| Tell {
        frame: worker(&VOICES[0], None),
        csrf: CSRF.to_owned(),
        action: "/emergency/0198c0de/tell".to_owned(),
        version: 1,
        opened: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
        asked,
        account,
    };
    let mut samples = vec![sample("not asked", &view(false, typed("")))];
    for voice in &VOICES {
        samples.push(sample(voice.name, &view(true, wrong(voice.said, "Say in a sentence what had to be done."))));
    }
    samples
}
