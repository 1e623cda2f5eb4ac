//! `/roles/versions`: the versions of the policy, the newest on top: what is active, what waits for a second person, what was.

use crate::pages::Frame;
use crate::pages::parts::{Person, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "roles/versions.html")]
pub(crate) struct Versions {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    pub(crate) rows: Vec<VersionRow>,
}

#[derive(Clone)]
pub(crate) struct VersionRow {
    pub(crate) href: String,
    /// First letters of the hash.
    pub(crate) hash: String,
    pub(crate) state: Mark,
    /// Who drafted it; none: it shipped, or lay in a folder.
    pub(crate) drafted: Option<Person>,
    /// `shipped with Scruple`.
    pub(crate) origin: &'static str,
    pub(crate) at: When,
    /// While it was active.
    pub(crate) from: Option<When>,
    pub(crate) until: Option<When>,
    pub(crate) rationale: String,
}

fn view(voice: &Voice) -> Versions {
    let row = |hash: &str, state: Mark, drafted: Option<Person>, active: Option<bool>| VersionRow {
        href: "/roles/versions/0198c0de".to_owned(),
        hash: hash.to_owned(),
        state,
        origin: if drafted.is_some() { "drafted" } else { "shipped with Scruple" },
        drafted,
        at: when("2026-02-12T09:00:00Z", "12 February 2026, 09:00"),
        from: active.map(|_| when("2026-02-13T09:00:00Z", "13 February 2026, 09:00")),
        until: active.filter(|over| *over).map(|_| when("2026-02-20T09:00:00Z", "20 February 2026, 09:00")),
        rationale: if voice.name == PLAIN.name {
            "The coder has not opened notes in 90 days.".to_owned()
        } else {
            voice.said.to_owned()
        },
    };
    Versions {
        frame: officer(voice, Some(Area::Roles)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        rows: vec![
            row("0a1b2c3d4e5f", Mark::wait("Waits for a second person"), Some(voice.first()), None),
            row("9c1b2c3d4e5f", Mark::good("Active"), Some(voice.second()), Some(false)),
            row("771b2c3d4e5f", Mark::over("Superseded"), None, Some(true)),
            row("331b2c3d4e5f", Mark::bad("Refused"), Some(voice.first()), None),
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &Versions { rows: Vec::new(), ..view(&PLAIN) }));
    samples
}
