//! Before an act that ends something: its effect, stated beforehand, and a way back.

use crate::pages::Frame;
use crate::pages::parts::Field;
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, sample, typed, wrong};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "plain/confirm.html")]
pub(crate) struct Confirm {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    pub(crate) failed: Option<String>,
    /// `End this access of Ana Ruiz?`
    pub(crate) question: String,
    /// Sentences: `Removes 1 right.`, `Takes effect in 1 second.`, `She is on shift now.`
    pub(crate) effects: Vec<String>,
    /// Hidden fields, name and value.
    pub(crate) hidden: Vec<(String, String)>,
    /// The field `reason`, where the act asks for one.
    pub(crate) reason: Option<Field>,
    /// Words of the button: `End it now`.
    pub(crate) button: String,
    pub(crate) back: String,
}

fn view(voice: &Voice) -> Confirm {
    Confirm {
        frame: officer(voice, Some(Area::People)),
        csrf: CSRF.to_owned(),
        action: "/people/0198c0de/leave".to_owned(),
        failed: None,
        question: format!("{} leaves now?", voice.one),
        effects: vec![
            "Removes 3 rights and ends 2 sessions, here and in 2 connected systems.".to_owned(),
            "Takes effect in 1 second here, within 5 minutes there.".to_owned(),
            format!("{} is on shift now, until 19:00, with 6 patients.", voice.one),
        ],
        hidden: vec![("version".to_owned(), "7".to_owned())],
        reason: Some(typed(if voice.name == PLAIN.name { "" } else { voice.said })),
        button: "End every access now".to_owned(),
        back: "/people/0198c0de".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = Confirm {
        question: "End this right?".to_owned(),
        effects: vec!["Removes 1 right. Takes effect in 1 second.".to_owned()],
        reason: None,
        button: "End it now".to_owned(),
        ..view(&VOICES[0])
    };
    samples.push(sample("one right", &page));
    let page = Confirm {
        failed: Some("Nothing was ended: somebody else changed this person a moment ago.".to_owned()),
        reason: Some(wrong("x", "Say in a few words why.")),
        ..view(&VOICES[0])
    };
    samples.push(sample("no reason", &page));
    samples
}
