//! `/people/findings`: what is wrong with accounts and the directory, each for as long as it is true.

use crate::pages::Frame;
use crate::pages::parts::{Person, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, sample, when};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "people/findings.html")]
pub(crate) struct Findings {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    pub(crate) groups: Vec<FindingGroup>,
}

/// Findings of one kind.
#[derive(Clone)]
pub(crate) struct FindingGroup {
    pub(crate) heading: &'static str,
    /// What to do about it.
    pub(crate) advice: &'static str,
    pub(crate) rows: Vec<FindingRow>,
}

#[derive(Clone)]
pub(crate) struct FindingRow {
    /// Whose it is; a group of the directory is nobody's.
    pub(crate) person: Person,
    /// `since 1 March`, `Scheduling`.
    pub(crate) about: String,
}

fn view(voice: &Voice) -> Findings {
    let row = |about: &str| FindingRow { person: voice.first(), about: about.to_owned() };
    Findings {
        frame: officer(voice, Some(Area::People)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        groups: vec![
            FindingGroup {
                heading: "Moved, with access from before",
                advice: "End it, or have it approved anew.",
                rows: vec![row(voice.label), row("Scheduling, Front desk")],
            },
            FindingGroup {
                heading: "Idle",
                advice: "It ends by itself; the manager brings it back.",
                rows: vec![row("last used 3 January, ends 2 March")],
            },
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("nothing", &Findings { groups: Vec::new(), ..view(&PLAIN) }));
    samples
}
