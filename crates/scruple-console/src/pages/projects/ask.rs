//! `/projects/new`: a project, with what is the least that it needs.

use crate::pages::Frame;
use crate::pages::parts::{Field, Pick};
use crate::pages::requests::ask::{Kind, KindGroup};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, pick, sample, typed, worker, wrong};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "projects/ask.html")]
pub(crate) struct AskProject {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) headline: Field,
    pub(crate) purpose: Pick,
    /// Who answers for it, by login; empty: who proposes it.
    pub(crate) owner: Field,
    /// The field `role`, one for each that is chosen.
    pub(crate) roles: Pick,
    /// The field `kind`.
    pub(crate) kinds: Vec<KindGroup>,
    pub(crate) kinds_error: Option<String>,
    pub(crate) level: Pick,
    pub(crate) level_reason: Field,
    pub(crate) flows: Field,
    pub(crate) retention: Field,
    /// A day.
    pub(crate) ends: Field,
}

fn view(voice: &Voice) -> AskProject {
    let kind = |value: &str, label: &str, chosen: bool| Kind {
        value: value.to_owned(),
        label: label.to_owned(),
        chosen,
        held: false,
        protected: false,
    };
    AskProject {
        frame: worker(voice, Some(Area::Requests)),
        csrf: CSRF.to_owned(),
        failed: None,
        headline: typed(voice.label),
        purpose: pick(&[("HQUALIMP", "quality improvement"), ("HRESCH", "research")], "HRESCH"),
        owner: typed(""),
        roles: pick(&[("researcher", "Researcher"), ("quality_analyst", "Quality and safety analyst")], "researcher"),
        kinds: vec![KindGroup {
            label: "Care".to_owned(),
            kinds: vec![kind("diagnoses", "Problems, diagnoses, stages", true), kind("x", voice.label, false)],
        }],
        kinds_error: None,
        level: pick(
            &[
                ("deidentified", "De-identified: nobody can be told from it"),
                ("limited", "A limited data set"),
                ("identified", "Patients are named in it"),
            ],
            "limited",
        ),
        level_reason: typed(voice.work),
        flows: typed(voice.work),
        retention: typed(voice.work),
        ends: typed("2026-09-01"),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was proposed.".to_owned());
    page.headline = wrong("", "Give it a title of at most 200 letters.");
    page.kinds_error = Some("Choose the kinds of information that it needs.".to_owned());
    page.flows = wrong("ok", "Say in a sentence what has to be done and why: three words are too few.");
    page.ends = wrong("2020-01-01", "It ends within a year, and not before today.");
    samples.push(sample("errors", &page));
    samples
}
