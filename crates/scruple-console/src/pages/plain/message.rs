//! One heading, one or more sentences, and what to do next.

use crate::pages::Frame;
use crate::pages::parts::Link;
use crate::pages::samples::{Sample, VOICES, Voice, sample, worker};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "plain/message.html")]
pub(crate) struct Message {
    pub(crate) frame: Frame,
    pub(crate) heading: String,
    pub(crate) sentences: Vec<String>,
    /// Ways on; the first one is the button.
    pub(crate) next: Vec<Link>,
}

fn view(voice: &Voice) -> Message {
    let link = |href: &str, label: &str| Link { href: href.to_owned(), label: label.to_owned() };
    Message {
        frame: worker(voice, None),
        heading: "Your request is on its way".to_owned(),
        sentences: vec![
            format!("{} decides it, usually within 40 minutes.", voice.one),
            "You get a message when it is decided. Until then nothing changes.".to_owned(),
        ],
        next: vec![link("/requests/0198c0de", "See the request"), link("/", "Back to today")],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = Message {
        frame: Frame::outside(),
        heading: "This link does not work any more".to_owned(),
        sentences: vec![
            "It was used, or its time is over. Ask the service desk, extension 0100, for a new one.".to_owned(),
        ],
        next: Vec::new(),
    };
    samples.push(sample("before sign-in", &page));
    samples
}
