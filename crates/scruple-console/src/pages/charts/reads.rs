//! `/reads/{kind}/{id}`: exactly what was read under a request, a chart that was opened, or a role.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Person, When};
use crate::pages::samples::{Sample, VOICES, Voice, coded, officer, sample, when};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/reads.html")]
pub(crate) struct Reads {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// `extra access, asked for on 1 March`, `the role Registered nurse`.
    pub(crate) under: Coded,
    pub(crate) person: Person,
    /// Where more of it stands.
    pub(crate) back: Option<String>,
    /// What the access names, and what was read under it.
    pub(crate) named: Vec<Coded>,
    pub(crate) kinds: Vec<Coded>,
    pub(crate) rows: Vec<ReadRow>,
    /// The page after this one.
    pub(crate) next: Option<String>,
}

#[derive(Clone)]
pub(crate) struct ReadRow {
    pub(crate) at: When,
    /// `results and vital signs`, `nothing was shown`.
    pub(crate) what: String,
    /// `MR ..4471`; empty where it is one patient's.
    pub(crate) patient: String,
    /// `entry 4471 of the ledger`.
    pub(crate) entry: String,
}

fn view(voice: &Voice) -> Reads {
    let row = |what: &str| ReadRow {
        at: when("2026-03-01T09:10:00Z", "1 March, 09:10"),
        what: what.to_owned(),
        patient: "..4471".to_owned(),
        entry: "entry 4471 of the ledger".to_owned(),
    };
    Reads {
        frame: officer(voice, Some(Area::Requests)),
        as_of: when("2026-03-01T10:00:00Z", "1 March, 10:00"),
        under: coded("extra access, asked for on 1 March 2026, 07:20 UTC", "0198c0de"),
        person: voice.first(),
        back: Some("/requests/0198c0de".to_owned()),
        named: vec![coded("Laboratory results and specimens", "labs")],
        kinds: vec![coded("results and vital signs", "Observation"), coded(voice.label, "x")],
        rows: vec![row("results and vital signs"), row("nothing was shown"), row(voice.label)],
        next: None,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let nothing = Reads { rows: Vec::new(), kinds: Vec::new(), named: Vec::new(), back: None, ..view(&VOICES[0]) };
    samples.push(sample("nothing read", &nothing));
    samples
}
