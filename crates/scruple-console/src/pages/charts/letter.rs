//! `/cases/{id}/letter`: the letter that ends a case, to be printed.

use crate::pages::Frame;
use crate::pages::parts::When;
use crate::pages::samples::{Sample, VOICES, Voice, officer, sample, when};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/letter.html")]
pub(crate) struct LetterPage {
    pub(crate) frame: Frame,
    pub(crate) back: String,
    /// The same as plain text.
    pub(crate) plain: String,
    pub(crate) made: When,
    pub(crate) paragraphs: Vec<String>,
}

fn view(voice: &Voice) -> LetterPage {
    LetterPage {
        frame: officer(voice, Some(Area::Charts)),
        back: "/cases/0198c0de".to_owned(),
        plain: "/cases/0198c0de/letter.txt".to_owned(),
        made: when("2026-04-01T08:00:00Z", "1 April 2026"),
        paragraphs: vec![voice.said.to_owned(), voice.work.to_owned()],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect()
}
