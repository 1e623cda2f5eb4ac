//! Before an act that weighs: once more the question whether it is the same person.

use super::Passkey;
use crate::pages::Frame;
use crate::pages::parts::{Field, Link};
use crate::pages::samples::{CSRF, Sample, VOICES, Voice, sample, typed, worker, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "auth/step_up.html")]
pub(crate) struct StepUp {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    /// What follows: `end the access of Ana Ruiz`.
    pub(crate) act: String,
    /// `attempt` in each form: what binds the answer to the act.
    pub(crate) attempt: String,
    pub(crate) passkey: Option<Passkey>,
    pub(crate) code_action: String,
    pub(crate) code: Field,
    /// The organisation's provider, who asks anew.
    pub(crate) provider: Option<Link>,
    pub(crate) back: String,
}

fn view(voice: &Voice) -> StepUp {
    StepUp {
        frame: worker(voice, None).with_passkeys(),
        csrf: CSRF.to_owned(),
        failed: None,
        act: format!("end every access of {}", voice.one),
        attempt: "YXR0ZW1wdA".to_owned(),
        passkey: Some(Passkey {
            action: "/confirm/passkey".to_owned(),
            options: r#"{"challenge":"c2FtcGxl","userVerification":"required"}"#.to_owned(),
        }),
        code_action: "/confirm/code".to_owned(),
        code: typed(""),
        provider: Some(Link {
            href: "/confirm/with?back=/people/0198c0de".to_owned(),
            label: "St. Elsewhere".to_owned(),
        }),
        back: "/people/0198c0de".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = StepUp {
        failed: Some("That did not match. Two more tries, then the session ends.".to_owned()),
        code: wrong("000000", "Type the code that the app shows now."),
        passkey: None,
        provider: None,
        ..view(&VOICES[0])
    };
    samples.push(sample("a wrong code", &page));
    samples
}
