//! `/projects/{id}`: a project, its assessment, the decision.

use crate::pages::parts::{Coded, Field, Happened, Person, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, sample, typed, when, wrong};
use crate::pages::{Frame, Tone};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "projects/one.html")]
pub(crate) struct ProjectPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) as_of: When,
    pub(crate) title: String,
    pub(crate) state: Mark,
    pub(crate) owner: Person,
    pub(crate) purpose: Coded,
    pub(crate) roles: Vec<Coded>,
    pub(crate) kinds: Vec<Coded>,
    pub(crate) level: &'static str,
    pub(crate) level_reason: String,
    pub(crate) flows: String,
    pub(crate) retention: String,
    pub(crate) until: When,
    pub(crate) version: i64,
    /// Approves or refuses; POST, with the field `comment`.
    pub(crate) decide: Option<(String, Field)>,
    /// Takes it back; POST.
    pub(crate) withdraw: Option<String>,
    /// Ends it with all that was given for it; POST.
    pub(crate) end: Option<String>,
    pub(crate) events: Vec<Happened>,
    /// What was asked for under it.
    pub(crate) requests: Vec<String>,
}

fn view(voice: &Voice) -> ProjectPage {
    ProjectPage {
        frame: officer(voice, Some(Area::Requests)).with_flash(Tone::Good, "It is proposed."),
        csrf: CSRF.to_owned(),
        failed: None,
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        title: voice.label.to_owned(),
        state: Mark::wait("To assess"),
        owner: voice.first(),
        purpose: coded("research", "HRESCH"),
        roles: vec![coded("Researcher", "researcher"), coded(voice.label, "x")],
        kinds: vec![coded("Problems, diagnoses, stages", "diagnoses"), coded(voice.label, "x")],
        level: "a limited data set",
        level_reason: voice.work.to_owned(),
        flows: voice.said.to_owned(),
        retention: voice.work.to_owned(),
        until: when("2026-09-01T08:00:00Z", "1 September, 08:00"),
        version: 1,
        decide: Some(("/projects/0198c0de/decide".to_owned(), typed(""))),
        withdraw: None,
        end: None,
        events: vec![Happened {
            at: when("2026-03-01T07:05:00Z", "today, 07:05"),
            mark: Mark::wait("Proposed"),
            sentence: "It was proposed.".to_owned(),
            said: None,
        }],
        requests: Vec::new(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was decided.".to_owned());
    page.decide = Some((
        "/projects/0198c0de/decide".to_owned(),
        wrong("ok", "Say in a sentence what has to be done and why: three words are too few."),
    ));
    samples.push(sample("errors", &page));
    let page = ProjectPage {
        state: Mark::good("Approved"),
        decide: None,
        withdraw: Some("/projects/0198c0de/withdraw".to_owned()),
        end: Some("/projects/0198c0de/end".to_owned()),
        requests: vec!["/requests/0198c0de".to_owned()],
        ..view(&PLAIN)
    };
    samples.push(sample("approved", &page));
    samples
}
