//! `/uses`: where what was used is not what was asked for, each to be looked at and closed by somebody else than the reader.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Field, Person, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, pick, sample, typed, when, wrong};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "exceptions/uses.html")]
pub(crate) struct Uses {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    pub(crate) failed: Option<String>,
    pub(crate) rows: Vec<UseRow>,
    /// The page after this one.
    pub(crate) next: Option<String>,
}

#[derive(Clone)]
pub(crate) struct UseRow {
    pub(crate) person: Person,
    /// What was asked for.
    pub(crate) asked: Vec<Coded>,
    /// What was opened beside it.
    pub(crate) beside: Vec<Coded>,
    pub(crate) unused: bool,
    pub(crate) compared: When,
    /// The reads under it.
    pub(crate) reads: String,
    pub(crate) request: Option<String>,
    /// Where it is closed: the fields `finding` and `comment`. The reader's own has none.
    pub(crate) close: Option<Close>,
}

#[derive(Clone)]
pub(crate) struct Close {
    pub(crate) action: String,
    pub(crate) version: i64,
    pub(crate) finding: Pick,
    pub(crate) comment: Field,
}

fn view(voice: &Voice) -> Uses {
    let row = |beside: Vec<Coded>, unused: bool| UseRow {
        person: voice.first(),
        asked: vec![coded("Laboratory results and specimens", "labs")],
        beside,
        unused,
        compared: when("2026-03-02T20:00:00Z", "2 March, 20:00"),
        reads: "/reads/chart/0198c0de".to_owned(),
        request: Some("/requests/0198c0de".to_owned()),
        close: Some(Close {
            action: "/uses/0198c0de".to_owned(),
            version: 1,
            finding: pick(&[("explained", "There was a reason"), ("not_explained", "There was none")], "explained"),
            comment: typed(""),
        }),
    };
    Uses {
        frame: officer(voice, Some(Area::Requests)),
        csrf: CSRF.to_owned(),
        as_of: when("2026-03-03T08:00:00Z", "3 March, 08:00"),
        failed: None,
        rows: vec![
            row(vec![coded("Notes, letters", "documents"), coded(voice.label, "x")], false),
            row(Vec::new(), true),
        ],
        next: None,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("nothing", &Uses { rows: Vec::new(), ..view(&PLAIN) }));
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was closed.".to_owned());
    if let Some(close) = page.rows.first_mut().and_then(|row| row.close.as_mut()) {
        close.comment = wrong("ok", "Say in a sentence what has to be done and why: three words are too few.");
    }
    samples.push(sample("errors", &page));
    samples
}
