//! `/tasks/ask`: a case of oversight, or a session of support.

use crate::pages::Frame;
use crate::pages::parts::{Field, Pick};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, pick, sample, typed, worker, wrong};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "tasks/ask.html")]
pub(crate) struct AskTask {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    /// The field `kind`: a role and a kind, as `manager complaint`.
    pub(crate) kind: Pick,
    pub(crate) reason: Field,
    /// Record numbers, one a line.
    pub(crate) numbers: Field,
    pub(crate) numbers_max: usize,
    /// None, where no kind is of support.
    pub(crate) system: Pick,
    pub(crate) ticket: Field,
    pub(crate) minutes: Field,
}

fn view(voice: &Voice) -> AskTask {
    AskTask {
        frame: worker(voice, Some(Area::Requests)),
        csrf: CSRF.to_owned(),
        failed: None,
        kind: pick(&[("manager complaint", "a complaint"), ("it_support support", voice.label)], "manager complaint"),
        reason: typed(voice.work),
        numbers: typed("MR-4471\nMR-5120"),
        numbers_max: 25,
        system: pick(&[("", "none"), ("ehr", voice.unit)], ""),
        ticket: typed(voice.label),
        minutes: typed(""),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was sent.".to_owned());
    page.kind.error = Some("Choose one of yours.".to_owned());
    page.reason = wrong("test", "Say which case, and what you have to find out.");
    page.numbers = wrong("", "One record number a line.");
    page.ticket = wrong("", "Support is bound to a ticket and a system.");
    page.minutes = wrong("600", "It lasts at most 60 minutes.");
    samples.push(sample("errors", &page));
    samples.push(sample("a manager, without systems", &AskTask { system: Pick::default(), ..view(&PLAIN) }));
    samples
}
