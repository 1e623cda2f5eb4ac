//! `/emergency`: reviews in groups of like cases, each with a sample drawn by chance that is read in full.

use super::one::{Case, Decide, case, decide, question};
use crate::pages::Frame;
use crate::pages::parts::{Coded, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, pick, sample, when};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "emergency/list.html")]
pub(crate) struct Emergencies {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) as_of: When,
    /// The query `state`.
    pub(crate) state: Pick,
    pub(crate) open: usize,
    /// Age of the oldest: `6 days`.
    pub(crate) oldest: String,
    pub(crate) groups: Vec<Group>,
    pub(crate) export: String,
}

/// Like cases.
#[derive(Clone)]
pub(crate) struct Group {
    /// For the ids of elements: unique on the page, letters and digits.
    pub(crate) id: String,
    pub(crate) reason: Coded,
    /// What they have in common: sentences.
    pub(crate) alike: Vec<String>,
    pub(crate) count: usize,
    pub(crate) due: When,
    pub(crate) late: bool,
    /// Why it is no group, and is decided by itself: a sentence.
    pub(crate) alone: Option<String>,
    /// The one drawn by chance.
    pub(crate) drawn: Case,
    /// The others.
    pub(crate) others: Vec<Other>,
    /// None where they are closed.
    pub(crate) decide: Option<Decide>,
}

/// One of a group, so far that somebody sees whether it is like the others.
#[derive(Clone)]
pub(crate) struct Other {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) opened: When,
    pub(crate) patient: String,
    pub(crate) said: Option<String>,
    pub(crate) read: Vec<Coded>,
}

fn view(voice: &Voice) -> Emergencies {
    let group = |id: &str, count: usize, late: bool| Group {
        id: id.to_owned(),
        reason: coded("Unresponsive, no history at hand", "BTG-02"),
        alike: vec![
            "An order by the same person within 20 minutes.".to_owned(),
            "The patient was on the track board of the unit within the hour.".to_owned(),
            "No protected information, no colleague, no well-known person.".to_owned(),
        ],
        count,
        due: when("2026-03-02T17:00:00Z", "2 March"),
        late,
        alone: None,
        drawn: case(voice),
        others: (1..count)
            .map(|number| Other {
                href: "/emergency/0198c0de".to_owned(),
                name: voice.other.to_owned(),
                opened: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
                patient: format!("chart ..44{number:02}"),
                said: (number % 2 == 1).then(|| voice.said.to_owned()),
                read: if number % 3 == 0 { Vec::new() } else { vec![coded("allergies", "allergies")] },
            })
            .collect(),
        decide: Some(decide(count)),
    };
    let mut alone = group("g0", 1, false);
    alone.alone = Some("Protected information was asked for too, so that it is decided by itself.".to_owned());
    alone.drawn.question = Some(question(voice, false));
    Emergencies {
        frame: officer(voice, Some(Area::Emergency)),
        csrf: CSRF.to_owned(),
        failed: None,
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        state: pick(&[("open", "to review"), ("asked", "reader asked"), ("closed", "closed")], "open"),
        open: 17,
        oldest: "6 days".to_owned(),
        groups: vec![alone, group("g1", 14, true), group("g2", 1, false)],
        export: "/emergency.csv".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &Emergencies { groups: Vec::new(), open: 0, ..view(&PLAIN) }));
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was closed.".to_owned());
    for decide in page.groups.iter_mut().filter_map(|group| group.decide.as_mut()) {
        decide.note.error =
            Some("Say in a sentence what justifies it; it stands in every one of the cases.".to_owned());
    }
    samples.push(sample("errors", &page));
    let mut page = view(&PLAIN);
    for group in &mut page.groups {
        group.decide = None;
    }
    page.state = pick(&[("open", "to review"), ("asked", "reader asked"), ("closed", "closed")], "closed");
    samples.push(sample("closed", &page));
    samples
}
