//! `/papers`: complaints, for those who handle them and for those behind a wall.

use crate::pages::Frame;
use crate::pages::parts::{Person, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "papers/list.html")]
pub(crate) struct Matters {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    pub(crate) rows: Vec<Matter>,
    /// The earlier ones.
    pub(crate) after: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Matter {
    pub(crate) href: String,
    /// Whose access it is about.
    pub(crate) reader: Person,
    pub(crate) opened: When,
    pub(crate) state: Mark,
}

fn view(voice: &Voice) -> Matters {
    let row = |state: Mark| Matter {
        href: "/cases/0198c0de/papers".to_owned(),
        reader: Person { href: String::new(), ..voice.first() },
        opened: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        state,
    };
    Matters {
        frame: officer(voice, Some(Area::Papers)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        rows: vec![row(Mark::wait("Opened")), row(Mark::bad("Not permitted")), row(Mark::over("Letter made"))],
        after: Some("/papers?before=0198c0de".to_owned()),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("nobody", &Matters { rows: Vec::new(), after: None, ..view(&PLAIN) }));
    samples
}
