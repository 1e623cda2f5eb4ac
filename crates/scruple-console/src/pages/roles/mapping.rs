//! `/roles/mappings/{id}`: the review of one role's mapping: a decision for each kind of information.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Field, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, sample, typed, when, wrong};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "roles/mapping.html")]
pub(crate) struct MappingPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) version: i64,
    pub(crate) action: String,
    pub(crate) role: Coded,
    pub(crate) href: String,
    pub(crate) cause: &'static str,
    pub(crate) due: When,
    pub(crate) late: bool,
    pub(crate) kinds: Vec<MappedKind>,
    /// What was said when it was closed, by whom and when; none: it is open.
    pub(crate) closed: Option<(String, When, String)>,
    pub(crate) may_close: bool,
    pub(crate) comment: Field,
}

#[derive(Clone)]
pub(crate) struct MappedKind {
    pub(crate) kind: Coded,
    pub(crate) depth: Mark,
    pub(crate) tasks: Vec<String>,
    /// `keep`, `remove`, or nothing yet.
    pub(crate) chosen: String,
}

fn view(voice: &Voice) -> MappingPage {
    let kind = |words: &str, code: &str, depth: Mark, chosen: &str| MappedKind {
        kind: coded(words, code),
        depth,
        tasks: vec!["assign codes".to_owned(), voice.work.to_owned()],
        chosen: chosen.to_owned(),
    };
    MappingPage {
        frame: officer(voice, Some(Area::Roles)),
        csrf: CSRF.to_owned(),
        failed: None,
        version: 1,
        action: "/roles/mappings/0198c0de".to_owned(),
        role: coded("Medical coder, CDI", "coder"),
        href: "/roles/coder".to_owned(),
        cause: "A year has passed since it was last looked at",
        due: when("2026-03-14T00:00:00Z", "14 March 2026"),
        late: false,
        kinds: vec![
            kind("Diagnoses", "diagnoses", Mark::good("In full"), ""),
            kind(voice.label, "x", Mark::wait("In part"), "keep"),
        ],
        closed: None,
        may_close: true,
        comment: typed(""),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let at = when("2026-03-02T09:00:00Z", "2 March 2026, 09:00");
    let closed = Some((PLAIN.one.to_owned(), at, "Looked at with the coding lead.".to_owned()));
    samples.push(sample("closed", &MappingPage { closed, may_close: false, ..view(&PLAIN) }));
    let page = MappingPage {
        failed: Some("Decide on each kind of information: diagnoses is left.".to_owned()),
        comment: wrong("ok", "Say in a sentence what has to be done and why: three words are too few."),
        late: true,
        ..view(&PLAIN)
    };
    samples.push(sample("errors", &page));
    samples
}
