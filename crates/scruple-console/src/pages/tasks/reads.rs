//! `/tasks/reads`: for the privacy office, every chart that somebody who leads opened in a month, and what is drawn of others.

use crate::pages::Frame;
use crate::pages::parts::{Person, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "tasks/reads.html")]
pub(crate) struct Reads {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// `2026-11`.
    pub(crate) month: String,
    /// How many there are, and how many are drawn.
    pub(crate) summary: String,
    /// At which rates.
    pub(crate) rates: String,
    pub(crate) rows: Vec<ReadRow>,
    /// The month before.
    pub(crate) before: Option<String>,
}

/// One access: a sentence with the last letters of a record number.
#[derive(Clone)]
pub(crate) struct ReadRow {
    pub(crate) person: Person,
    /// `diagnoses, visits`.
    pub(crate) what: String,
    /// `..4471`.
    pub(crate) patient: String,
    pub(crate) at: When,
    pub(crate) mark: Mark,
    /// The task under which it was.
    pub(crate) task: Option<String>,
}

fn view(voice: &Voice) -> Reads {
    let row = |mark: Mark, task: bool| ReadRow {
        person: voice.first(),
        what: voice.label.to_owned(),
        patient: "..4471".to_owned(),
        at: when("2026-03-01T07:20:00Z", "1 March, 07:20"),
        mark,
        task: task.then(|| "/tasks/0198c0de".to_owned()),
    };
    Reads {
        frame: officer(voice, Some(Area::Requests)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        month: "2026-03".to_owned(),
        summary: "Managers opened charts 2 times, others 41 times, 3 of them from outside.".to_owned(),
        rates:
            "Drawn are 20 of a hundred accesses of managers and of those from outside, and 2 of others: a house rule."
                .to_owned(),
        rows: vec![
            row(Mark::wait("Drawn, from outside"), false),
            row(Mark::wait("Drawn"), true),
            row(Mark::over("From outside"), false),
            row(Mark::over("Listed"), false),
        ],
        before: Some("/tasks/reads?back=1".to_owned()),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &Reads { rows: Vec::new(), before: None, ..view(&PLAIN) }));
    samples
}
