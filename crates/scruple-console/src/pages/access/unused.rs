//! `/access/unused/{id}`: a role that is held and not used: its holder says why he needs it, his manager decides.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Field, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, sample, typed, when, worker, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "access/unused.html")]
pub(crate) struct UnusedRole {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    /// The version of the notice that the page shows.
    pub(crate) version: i64,
    pub(crate) role: Coded,
    /// Whose it is, where it is another's.
    pub(crate) person: Option<String>,
    /// Since when it is not used.
    pub(crate) since: When,
    /// When it ends.
    pub(crate) ends: When,
    /// What its holder has said.
    pub(crate) said: Option<String>,
    pub(crate) act: Act,
}

/// What whoever looks can do.
#[derive(Clone)]
pub(crate) enum Act {
    /// Say why it is needed: the field `reason`.
    Object(Field),
    /// Decide on what was said: the field `decision` (`keep`, `take`), sent by its button.
    Decide,
    /// Nothing: it waits for somebody else, or is over.
    Wait(String),
}

fn view(voice: &Voice, act: Act) -> UnusedRole {
    UnusedRole {
        frame: worker(voice, None),
        csrf: CSRF.to_owned(),
        action: "/access/unused/0198c0de".to_owned(),
        version: 1,
        role: coded("Registered nurse", "nurse"),
        person: (!matches!(act, Act::Object(_))).then(|| voice.one.to_owned()),
        since: when("2025-12-01T08:00:00Z", "1 December"),
        ends: when("2026-03-15T08:00:00Z", "15 March"),
        said: matches!(act, Act::Decide).then(|| voice.said.to_owned()),
        act,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice, Act::Decide))).collect();
    samples.push(sample("his own", &view(&PLAIN, Act::Object(typed("")))));
    let refused = wrong("I do", "Say in a sentence why you need it.");
    samples.push(sample("refused", &view(&PLAIN, Act::Object(refused))));
    let waits = Act::Wait("Nobody has said yet why the role is needed.".to_owned());
    samples.push(sample("waits", &view(&PLAIN, waits)));
    samples
}
