//! `/cases/{id}/papers`: the papers of a complaint, as far as somebody reads them.

use crate::pages::parts::{Field, Person, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, pick, sample, typed, when, wrong};
use crate::pages::{Frame, Tone};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "papers/one.html")]
pub(crate) struct PapersPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) as_of: When,
    pub(crate) back: (String, &'static str),
    pub(crate) reader: Person,
    pub(crate) rows: Vec<Paper>,
    /// The fields `text` and `wall`.
    pub(crate) write: (Field, Pick),
    /// Makes the file to take along; POST.
    pub(crate) pack: Option<String>,
    pub(crate) action: String,
}

#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) state: Mark,
    /// `Counsel's wall`, `the file`.
    pub(crate) place: &'static str,
    pub(crate) by: Person,
    pub(crate) at: When,
    pub(crate) text: String,
    pub(crate) version: i64,
    /// Walls that it can be put behind: the value of `wall`, and the words; POST to `wall_action`.
    pub(crate) walls: Vec<(&'static str, &'static str)>,
    pub(crate) wall_action: String,
    /// Lets it out; POST, with the field `reason`.
    pub(crate) release: Option<(String, Field)>,
    /// Who let it out, and why.
    pub(crate) released: Option<(Person, When, String)>,
}

fn view(voice: &Voice) -> PapersPage {
    let paper = |state: Mark, place: &'static str| Paper {
        state,
        place,
        by: Person { href: String::new(), ..voice.second() },
        at: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        text: voice.said.to_owned(),
        version: 1,
        walls: Vec::new(),
        wall_action: "/papers/0198c0de/wall".to_owned(),
        release: None,
        released: None,
    };
    PapersPage {
        frame: officer(voice, Some(Area::Papers)).with_flash(Tone::Good, "The paper is written."),
        csrf: CSRF.to_owned(),
        failed: None,
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        back: ("/cases/0198c0de".to_owned(), "The case"),
        reader: Person { href: String::new(), ..voice.first() },
        rows: vec![
            Paper {
                walls: vec![("counsel", "Put behind counsel's wall")],
                ..paper(Mark::good("In the file"), "the file")
            },
            Paper {
                release: Some(("/papers/0198c0de/release".to_owned(), typed(""))),
                ..paper(Mark::bad("Behind the wall"), "counsel's wall")
            },
            Paper {
                released: Some((
                    Person { href: String::new(), ..voice.second() },
                    when("2026-03-01T09:00:00Z", "1 March, 09:00"),
                    voice.work.to_owned(),
                )),
                walls: vec![("staff", "Put back behind the wall")],
                ..paper(Mark::wait("Let out"), "the wall of matters of staff")
            },
        ],
        write: (
            typed(""),
            pick(
                &[
                    ("", "With the file"),
                    ("counsel", "Behind counsel's wall"),
                    ("staff", "Behind the wall of matters of staff"),
                ],
                "",
            ),
        ),
        pack: Some("/cases/0198c0de/pack".to_owned()),
        action: "/cases/0198c0de/papers".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &PapersPage { rows: Vec::new(), pack: None, ..view(&PLAIN) }));
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was changed.".to_owned());
    page.write.0 = wrong("", "Write something.");
    if let Some((_, reason)) = page.rows.get_mut(1).and_then(|paper| paper.release.as_mut()) {
        *reason = wrong("ok", "Say in a sentence what has to be done and why: three words are too few.");
    }
    samples.push(sample("errors", &page));
    samples
}
