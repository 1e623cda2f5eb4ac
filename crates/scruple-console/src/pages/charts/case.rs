//! `/cases/{id}`: one case: what it is about, what the reader answers, the decision, the letter.

use crate::pages::parts::{Field, Happened, Person, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, sample, typed, when, wrong};
use crate::pages::{Frame, Tone};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/case.html")]
pub(crate) struct CasePage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) as_of: When,
    pub(crate) reader: Person,
    /// A patient asked, or somebody complains; else the office looks into it of its own accord.
    pub(crate) of_patient: bool,
    pub(crate) state: Mark,
    /// The history that it grew out of.
    pub(crate) history: String,
    pub(crate) first: When,
    pub(crate) last: When,
    pub(crate) complaint: String,
    pub(crate) answer: Option<String>,
    pub(crate) rationale: Option<String>,
    pub(crate) version: i64,
    /// The reader can be asked; POST.
    pub(crate) ask: Option<String>,
    /// It can be decided; POST.
    pub(crate) decide: Option<(String, Field)>,
    /// The letter can be made; POST.
    pub(crate) letter: Option<(String, Field)>,
    /// The letter that was made.
    pub(crate) made: Option<String>,
    pub(crate) papers: String,
    pub(crate) events: Vec<Happened>,
}

fn view(voice: &Voice) -> CasePage {
    CasePage {
        frame: officer(voice, Some(Area::Charts)).with_flash(Tone::Good, "The reader is asked."),
        csrf: CSRF.to_owned(),
        failed: None,
        as_of: when("2026-04-01T08:00:00Z", "1 April, 08:00"),
        reader: voice.first(),
        of_patient: true,
        state: Mark::wait("Answered"),
        history: "/charts/0198c0de".to_owned(),
        first: when("2026-03-03T07:10:00Z", "3 March, 07:10"),
        last: when("2026-03-09T18:40:00Z", "9 March, 18:40"),
        complaint: voice.work.to_owned(),
        answer: Some(voice.said.to_owned()),
        rationale: None,
        version: 3,
        ask: Some("/cases/0198c0de/ask".to_owned()),
        decide: Some(("/cases/0198c0de/decide".to_owned(), typed(""))),
        letter: None,
        made: None,
        papers: "/cases/0198c0de/papers".to_owned(),
        events: vec![Happened {
            at: when("2026-04-01T07:05:00Z", "today, 07:05"),
            mark: Mark::wait("Opened"),
            sentence: "The case was opened.".to_owned(),
            said: Some(voice.said.to_owned()),
        }],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was decided.".to_owned());
    page.decide = Some(("/cases/0198c0de/decide".to_owned(), wrong("ok", "Say in a sentence what it rests on.")));
    samples.push(sample("errors", &page));
    for voice in &VOICES {
        let page = CasePage {
            state: Mark::bad("Not permitted"),
            ask: None,
            decide: None,
            rationale: Some(voice.said.to_owned()),
            letter: Some(("/cases/0198c0de/letter".to_owned(), typed(voice.said))),
            ..view(voice)
        };
        samples.push(sample("decided", &page));
    }
    let page = CasePage {
        state: Mark::over("Letter made"),
        ask: None,
        decide: None,
        answer: None,
        rationale: Some(PLAIN.said.to_owned()),
        made: Some("/cases/0198c0de/letter".to_owned()),
        ..view(&PLAIN)
    };
    samples.push(sample("over", &page));
    let page = CasePage {
        of_patient: false,
        state: Mark::bad("Not permitted"),
        ask: None,
        decide: None,
        rationale: Some(PLAIN.said.to_owned()),
        letter: Some(("/cases/0198c0de/letter".to_owned(), typed(PLAIN.said))),
        ..view(&PLAIN)
    };
    samples.push(sample("of the office's own accord", &page));
    samples
}
