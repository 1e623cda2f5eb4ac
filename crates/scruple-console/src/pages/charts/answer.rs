//! `/cases/{id}/answer`: the reader's own page: that an access of a day is asked about, and no more.

use crate::pages::Frame;
use crate::pages::parts::{Field, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, sample, typed, when, worker, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/answer.html")]
pub(crate) struct AnswerPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    pub(crate) version: i64,
    /// The first and the last day that is asked about.
    pub(crate) first: When,
    pub(crate) last: When,
    pub(crate) account: Field,
}

fn view(voice: &Voice) -> AnswerPage {
    AnswerPage {
        frame: worker(voice, None),
        csrf: CSRF.to_owned(),
        action: "/cases/0198c0de/answer".to_owned(),
        version: 2,
        first: when("2026-03-03T00:00:00Z", "3 March"),
        last: when("2026-03-09T00:00:00Z", "9 March"),
        account: typed(voice.said),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = AnswerPage { account: wrong("ok", "Say in a sentence what your work was."), ..view(&PLAIN) };
    samples.push(sample("errors", &page));
    let page = AnswerPage { last: when("2026-03-03T00:00:00Z", "3 March"), account: typed(""), ..view(&PLAIN) };
    samples.push(sample("one day", &page));
    samples
}
