//! `/tasks/{id}`: one task, with what its reader may do.

use crate::pages::Frame;
use crate::pages::parts::{Field, Happened, Person, Pick};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, pick, sample, typed, when, worker, wrong};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "tasks/one.html")]
pub(crate) struct Task {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    /// `/tasks/{id}`.
    pub(crate) base: String,
    pub(crate) version: i64,
    pub(crate) person: Person,
    pub(crate) kind: String,
    /// `2 patients`.
    pub(crate) count: String,
    /// `1 hour`.
    pub(crate) length: String,
    pub(crate) reason: String,
    pub(crate) state: Mark,
    /// `over in 20 minutes`.
    pub(crate) left: String,
    pub(crate) system: String,
    pub(crate) ticket: String,
    /// Last four letters of each.
    pub(crate) patients: Vec<String>,
    /// By what it ends.
    pub(crate) ends: String,
    pub(crate) recording: String,
    pub(crate) recording_sha256: String,
    /// For who decides: the reason of a refusal.
    pub(crate) decide: Option<Field>,
    pub(crate) begin: bool,
    pub(crate) unmask: Option<UnmaskForm>,
    pub(crate) close: Option<Close>,
    /// For who may end somebody else's.
    pub(crate) end: bool,
    pub(crate) history: Vec<Happened>,
}

/// One field of one record, for minutes.
#[derive(Clone)]
pub(crate) struct UnmaskForm {
    pub(crate) patients: Pick,
    pub(crate) fields: Pick,
    pub(crate) minutes: Pick,
    pub(crate) why: Field,
}

/// The end of one's own: closed, taken back, or its recording handed in.
#[derive(Clone)]
pub(crate) struct Close {
    pub(crate) heading: &'static str,
    /// `close` or `recording`.
    pub(crate) act: &'static str,
    pub(crate) button: &'static str,
    /// The place of the recording, where there is one.
    pub(crate) recording: Option<Field>,
    pub(crate) sha256: Field,
}

fn view(voice: &Voice, frame: Frame) -> Task {
    Task {
        frame,
        csrf: CSRF.to_owned(),
        failed: None,
        base: "/tasks/0198c0de".to_owned(),
        version: 1,
        person: voice.first(),
        kind: "Remote support".to_owned(),
        count: "2 patients".to_owned(),
        length: "1 hour".to_owned(),
        reason: voice.work.to_owned(),
        state: Mark::wait("Waiting"),
        left: "over in 20 minutes".to_owned(),
        system: voice.unit.to_owned(),
        ticket: voice.label.to_owned(),
        patients: vec!["..4471".to_owned(), "..5120".to_owned()],
        ends: "15 minutes after the last read, and after 1 hour at the latest".to_owned(),
        recording: String::new(),
        recording_sha256: String::new(),
        decide: None,
        begin: false,
        unmask: None,
        close: None,
        end: false,
        history: vec![Happened {
            at: when("2026-03-01T07:20:00Z", "1 March, 07:20"),
            mark: Mark::wait("Waiting"),
            sentence: format!("{} asked.", voice.one),
            said: Some(voice.said.to_owned()),
        }],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let office = |voice: &Voice| officer(voice, Some(Area::Requests));
    let own = || worker(&PLAIN, Some(Area::Requests));
    let mut samples: Vec<Sample> = VOICES
        .iter()
        .map(|voice| sample(voice.name, &Task { decide: Some(typed("")), ..view(voice, office(voice)) }))
        .collect();
    let close = |heading, act, button, recording: Option<Field>| {
        Some(Close { heading, act, button, recording, sha256: typed("") })
    };
    let page = Task {
        failed: Some("Nothing was decided.".to_owned()),
        decide: Some(wrong("no", "Say in a sentence what would do instead.")),
        ..view(&PLAIN, office(&PLAIN))
    };
    samples.push(sample("errors", &page));
    let page = Task { begin: true, close: close("Take it back", "close", "Take it back", None), ..view(&PLAIN, own()) };
    samples.push(sample("my own, approved", &page));
    let page = Task {
        unmask: Some(UnmaskForm {
            patients: pick(&[("0", "..4471"), ("1", "..5120")], "0"),
            fields: pick(&[("id_name", "Patient name"), ("coverage", "Insurance")], "id_name"),
            minutes: pick(&[("5", "5 minutes"), ("10", "10 minutes")], "5"),
            why: wrong("test", "Say what cannot be seen in the masked value."),
        }),
        close: close("Close it", "close", "Close it", Some(typed("vault://sessions/4711"))),
        ..view(&PLAIN, own())
    };
    samples.push(sample("my own, running", &page));
    let page = Task {
        close: close("Its recording is owed", "recording", "Hand it in", Some(wrong("", "Say where it is kept."))),
        ..view(&PLAIN, own())
    };
    samples.push(sample("my own, recording owed", &page));
    let page = Task {
        end: true,
        recording: "vault://sessions/4711".to_owned(),
        recording_sha256: "ab".repeat(32),
        ..view(&PLAIN, office(&PLAIN))
    };
    samples.push(sample("running, for its owner", &page));
    samples
}
