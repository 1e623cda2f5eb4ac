//! `/tasks`: tasks that the person may see, and what runs now.

use crate::pages::Frame;
use crate::pages::parts::{Person, Pick, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, pick, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "tasks/list.html")]
pub(crate) struct Tasks {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// The queries `whose` and `state`.
    pub(crate) whose: Pick,
    pub(crate) state: Pick,
    pub(crate) rows: Vec<TaskRow>,
    /// The page after.
    pub(crate) after: Option<String>,
    /// `/tasks/reads`, for those who may open it.
    pub(crate) reads: Option<String>,
    /// `/tasks/ask`, for whoever may.
    pub(crate) ask: Option<String>,
}

/// One task: a sentence without a patient.
#[derive(Clone)]
pub(crate) struct TaskRow {
    pub(crate) href: String,
    pub(crate) person: Person,
    /// `a complaint`, `remote support`.
    pub(crate) kind: String,
    /// `2 patients`.
    pub(crate) patients: String,
    /// Empty, where it is on none.
    pub(crate) system: String,
    pub(crate) ticket: String,
    pub(crate) asked: When,
    pub(crate) age: String,
    /// `in 40 minutes`, `ended 2 hours ago`.
    pub(crate) left: String,
    pub(crate) state: Mark,
    pub(crate) for_me: bool,
    /// A recording is owed.
    pub(crate) owes: bool,
}

fn view(voice: &Voice) -> Tasks {
    let row = |kind: &str, state: Mark, system: &str, for_me: bool| TaskRow {
        href: "/tasks/0198c0de".to_owned(),
        person: voice.first(),
        kind: kind.to_owned(),
        patients: "2 patients".to_owned(),
        system: system.to_owned(),
        ticket: voice.label.to_owned(),
        asked: when("2026-03-01T07:20:00Z", "1 March, 07:20"),
        age: "40 minutes ago".to_owned(),
        left: "in 20 minutes".to_owned(),
        state,
        for_me,
        owes: !for_me && !system.is_empty(),
    };
    Tasks {
        frame: officer(voice, Some(Area::Requests)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        whose: pick(&[("mine", "mine"), ("decide", "to decide"), ("all", "all")], "all"),
        state: pick(&[("", "any"), ("active", "runs now")], ""),
        rows: vec![
            row("a complaint", Mark::wait("Waiting"), "", true),
            row("remote support", Mark::good("Runs"), voice.unit, false),
            row("an audit", Mark::over("Over"), "", false),
        ],
        after: Some("/tasks?whose=all&after=0198c0de".to_owned()),
        reads: Some("/tasks/reads".to_owned()),
        ask: Some("/tasks/ask".to_owned()),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &Tasks { rows: Vec::new(), after: None, reads: None, ask: None, ..view(&PLAIN) }));
    samples
}
