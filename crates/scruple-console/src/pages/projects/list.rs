//! `/projects`: projects, with where each stands.

use crate::pages::Frame;
use crate::pages::parts::{Person, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "projects/list.html")]
pub(crate) struct Projects {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    pub(crate) rows: Vec<ProjectRow>,
    pub(crate) after: Option<String>,
}

#[derive(Clone)]
pub(crate) struct ProjectRow {
    pub(crate) href: String,
    pub(crate) title: String,
    pub(crate) owner: Person,
    /// Waits for who reads this.
    pub(crate) for_me: bool,
    pub(crate) until: When,
    pub(crate) state: Mark,
}

fn view(voice: &Voice) -> Projects {
    let row = |state: Mark, for_me: bool| ProjectRow {
        href: "/projects/0198c0de".to_owned(),
        title: voice.label.to_owned(),
        owner: Person { href: String::new(), ..voice.first() },
        for_me,
        until: when("2026-09-01T08:00:00Z", "1 September, 08:00"),
        state,
    };
    Projects {
        frame: officer(voice, Some(Area::Requests)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        rows: vec![
            row(Mark::wait("To assess"), true),
            row(Mark::good("Approved"), false),
            row(Mark::over("Over"), false),
        ],
        after: Some("/projects?before=0198c0de".to_owned()),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("none", &Projects { rows: Vec::new(), after: None, ..view(&PLAIN) }));
    samples
}
