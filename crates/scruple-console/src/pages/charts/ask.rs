//! `/charts`: whose chart, and when. The number is sent in the body of a form, so that no address holds it.

use crate::pages::Frame;
use crate::pages::parts::{Field, Person, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, pick, sample, typed, when, wrong};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/ask.html")]
pub(crate) struct AskChart {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    pub(crate) failed: Option<String>,
    pub(crate) patient: Field,
    pub(crate) period: Pick,
    pub(crate) from: Field,
    pub(crate) until: Field,
    pub(crate) cause: Pick,
    /// What was asked before, newest first.
    pub(crate) before: Vec<AskedBefore>,
    /// Cases that no letter has ended.
    pub(crate) cases: Vec<OpenCase>,
    /// What the history is told from, and what it does not see.
    pub(crate) sources: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct AskedBefore {
    pub(crate) href: String,
    /// `..4471`.
    pub(crate) patient: String,
    pub(crate) from: When,
    pub(crate) until: When,
    pub(crate) cause: String,
    pub(crate) by: Person,
    pub(crate) at: When,
}

#[derive(Clone)]
pub(crate) struct OpenCase {
    pub(crate) href: String,
    pub(crate) reader: Person,
    pub(crate) opened: When,
    pub(crate) state: Mark,
}

fn view(voice: &Voice) -> AskChart {
    AskChart {
        frame: officer(voice, Some(Area::Charts)),
        csrf: CSRF.to_owned(),
        as_of: when("2026-04-01T08:00:00Z", "1 April, 08:00"),
        failed: None,
        patient: typed(""),
        period: pick(&[("30", "The last 30 days"), ("1", "March 2026"), ("dates", "The dates below")], "1"),
        from: typed(""),
        until: typed(""),
        cause: pick(&[("complaint", "Somebody complains"), ("patient", "The patient wants to know")], "complaint"),
        before: vec![AskedBefore {
            href: "/charts/0198c0de".to_owned(),
            patient: "..4471".to_owned(),
            from: when("2026-03-01T00:00:00Z", "1 March"),
            until: when("2026-04-01T00:00:00Z", "1 April"),
            cause: "Somebody complains".to_owned(),
            by: voice.second(),
            at: when("2026-04-01T07:00:00Z", "today, 07:00"),
        }],
        cases: vec![OpenCase {
            href: "/cases/0198c0de".to_owned(),
            reader: voice.first(),
            opened: when("2026-04-01T07:05:00Z", "today, 07:05"),
            state: Mark::wait("Reader asked"),
        }],
        sources: vec![
            "What is opened through the gateway: enforced, and recorded before it is shown.".to_owned(),
            format!("The log of {}: until 31 March, 23:59.", voice.unit),
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = AskChart { before: Vec::new(), cases: Vec::new(), ..view(&PLAIN) };
    samples.push(sample("nothing asked yet", &page));
    for voice in &VOICES {
        let page = AskChart {
            failed: Some("Nothing was looked up.".to_owned()),
            patient: wrong(voice.one, "Type a record number as it stands in the chart."),
            from: wrong(voice.one, "Choose the first day."),
            until: wrong("", "Choose the last day."),
            ..view(voice)
        };
        samples.push(sample("errors", &page));
    }
    samples
}
