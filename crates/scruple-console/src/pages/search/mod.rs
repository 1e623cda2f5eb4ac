//! `/search`: what was found, under headings.

use crate::pages::Frame;
use crate::pages::parts::Link;
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, sample};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "search/search.html")]
pub(crate) struct Search {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) asked: String,
    /// So few letters were typed that everything would be found.
    pub(crate) is_short: bool,
    pub(crate) groups: Vec<FoundGroup>,
}

#[derive(Clone)]
pub(crate) struct FoundGroup {
    pub(crate) heading: &'static str,
    pub(crate) rows: Vec<Found>,
}

#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) link: Link,
    pub(crate) about: String,
}

fn view(voice: &Voice) -> Search {
    let row = |href: &str, label: &str, about: &str| Found {
        link: Link { href: href.to_owned(), label: label.to_owned() },
        about: about.to_owned(),
    };
    Search {
        frame: officer(voice, None),
        csrf: CSRF.to_owned(),
        asked: voice.one.to_owned(),
        is_short: false,
        groups: vec![
            FoundGroup { heading: "People", rows: vec![row("/people/0198c0de", voice.one, voice.job)] },
            FoundGroup { heading: "Pages", rows: vec![row("/exceptions", "Everything outside of a role", "")] },
            FoundGroup {
                heading: "Rules",
                rows: vec![row("/guide#minimum", "Minimum necessary", "45 CFR 164.502(b)(1)")],
            },
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("nothing", &Search { groups: Vec::new(), ..view(&PLAIN) }));
    samples
        .push(sample("short", &Search { groups: Vec::new(), is_short: true, asked: "a".to_owned(), ..view(&PLAIN) }));
    let asked = String::new();
    samples.push(sample("asked for", &Search { groups: Vec::new(), asked, ..view(&PLAIN) }));
    samples
}
