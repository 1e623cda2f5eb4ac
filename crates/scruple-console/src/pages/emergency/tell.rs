//! `GET /emergency/{id}/tell`: the reader's own sentence.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Field, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, sample, typed, when, worker, wrong};
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
    /// Which chart: `chart ..4471`.
    pub(crate) patient: String,
    pub(crate) reason: Coded,
    /// The privacy office has asked.
    pub(crate) asked: bool,
    /// In these words; empty where it typed none.
    pub(crate) question: String,
    /// The field `account`.
    pub(crate) account: Field,
}

pub(crate) fn samples() -> Vec<Sample> {
    let view = |voice: &Voice, asked: bool, account: Field| Tell {
        frame: worker(voice, None),
        csrf: CSRF.to_owned(),
        action: "/emergency/0198c0de/tell".to_owned(),
        version: 1,
        opened: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
        patient: "chart ..4471".to_owned(),
        reason: coded("unresponsive, no history at hand", "BTG-02"),
        asked,
        question: if asked { voice.said.to_owned() } else { String::new() },
        account,
    };
    let mut samples = vec![sample("not asked", &view(&PLAIN, false, typed("")))];
    for voice in &VOICES {
        let account = wrong(voice.said, "Say in a sentence what had to be done.");
        samples.push(sample(voice.name, &view(voice, true, account)));
    }
    samples
}
