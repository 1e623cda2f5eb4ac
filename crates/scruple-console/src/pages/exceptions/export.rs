//! Before a list, or one exception, leaves the console: what is the least here, the word that it was read, and in which form.

use crate::pages::Frame;
use crate::pages::parts::{Pick, Reading};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, pick, sample};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "exceptions/export.html")]
pub(crate) struct Export {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    pub(crate) failed: Option<String>,
    /// `Take 41 exceptions along?`
    pub(crate) question: String,
    /// What is in it: sentences.
    pub(crate) holds: Vec<String>,
    /// Hidden fields, name and value.
    pub(crate) hidden: Vec<(String, String)>,
    /// The field `format`.
    pub(crate) format: Pick,
    pub(crate) reading: Option<Reading>,
    pub(crate) back: String,
}

fn view(voice: &Voice) -> Export {
    Export {
        frame: officer(voice, Some(Area::Requests)),
        csrf: CSRF.to_owned(),
        action: "/exceptions/export".to_owned(),
        failed: None,
        question: "Take 41 exceptions along?".to_owned(),
        holds: vec![voice.work.to_owned(), "Record numbers by their last four digits.".to_owned()],
        hidden: vec![("kind".to_owned(), "asked".to_owned()), ("state".to_owned(), "active".to_owned())],
        format: pick(&[("csv", "CSV"), ("json", "JSON")], "csv"),
        reading: Some(Reading {
            id: "export-0198c0de0198c0de".to_owned(),
            sentences: vec!["A list that leaves the console is a copy that nobody can call back.".to_owned()],
            chosen: false,
            error: None,
        }),
        back: "/exceptions".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.failed = Some("Read what is the least that the task needs, and say so.".to_owned());
    if let Some(reading) = &mut page.reading {
        reading.error = Some("Read what is the least that the task needs, and say so.".to_owned());
    }
    samples.push(sample("not read", &page));
    samples.push(sample("nothing to read", &Export { reading: None, ..view(&PLAIN) }));
    samples
}
