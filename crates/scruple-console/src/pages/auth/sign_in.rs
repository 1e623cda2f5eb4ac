//! `/sign-in`: the login name and the device, then a passkey, a code of an app or a recovery code; or another provider.
//!
//! The second step looks the same whether there is such a person or not.

use super::Passkey;
use crate::pages::Frame;
use crate::pages::parts::{Field, Link, Pick};
use crate::pages::samples::{CSRF, Sample, VOICES, pick, sample, typed, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "auth/sign_in.html")]
pub(crate) struct SignIn {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    /// What went wrong, in one sentence that does not tell whether there is such a person.
    pub(crate) failed: Option<String>,
    pub(crate) step: Step,
    /// Providers of the organisation: `Sign in with St. Elsewhere`.
    pub(crate) providers: Vec<Link>,
    /// Whom to call.
    pub(crate) help: String,
}

#[derive(Clone)]
pub(crate) enum Step {
    First(First),
    Second(Second),
}

/// The fields `login` and `device`.
#[derive(Clone)]
pub(crate) struct First {
    pub(crate) action: String,
    pub(crate) login: Field,
    /// `own` or `shared`.
    pub(crate) device: Pick,
}

#[derive(Clone)]
pub(crate) struct Second {
    /// As typed.
    pub(crate) login: String,
    /// `attempt` in each form: what binds the second step to the first.
    pub(crate) attempt: String,
    pub(crate) passkey: Option<Passkey>,
    /// Where `code` is sent to, six digits of an app.
    pub(crate) code_action: String,
    pub(crate) code: Field,
    /// Where `recovery` is sent to.
    pub(crate) recovery_action: String,
    pub(crate) recovery: Field,
    /// Opens the part with the recovery code.
    pub(crate) recovery_open: bool,
    /// Another login.
    pub(crate) back: String,
}

fn first(login: Field) -> SignIn {
    SignIn {
        frame: Frame::outside(),
        csrf: CSRF.to_owned(),
        failed: None,
        step: Step::First(First {
            action: "/sign-in".to_owned(),
            login,
            device: pick(&[("own", "My own device"), ("shared", "A shared workstation")], "shared"),
        }),
        providers: Vec::new(),
        help: "the service desk, extension 0100".to_owned(),
    }
}

fn second(login: &str) -> SignIn {
    SignIn {
        frame: Frame::outside().with_passkeys(),
        step: Step::Second(Second {
            login: login.to_owned(),
            attempt: "YXR0ZW1wdA".to_owned(),
            passkey: Some(Passkey {
                action: "/sign-in/passkey".to_owned(),
                options: r#"{"challenge":"c2FtcGxl","rpId":"localhost","userVerification":"required"}"#.to_owned(),
            }),
            code_action: "/sign-in/code".to_owned(),
            code: typed(""),
            recovery_action: "/sign-in/recovery".to_owned(),
            recovery: typed(""),
            recovery_open: false,
            back: "/sign-in".to_owned(),
        }),
        ..first(typed(""))
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = vec![sample("first step", &first(typed("")))];
    let mut page = first(wrong("", "Type the name that you sign in with."));
    if let Step::First(step) = &mut page.step {
        step.device = pick(&[("own", "My own device"), ("shared", "A shared workstation")], "");
        step.device.error = Some("Say which it is: on a shared one you are signed out sooner.".to_owned());
    }
    samples.push(sample("nothing typed", &page));
    let page = SignIn {
        providers: ["St. Elsewhere", VOICES[1].one, VOICES[3].one]
            .map(|name| Link { href: "/sign-in/with/1".to_owned(), label: name.to_owned() })
            .to_vec(),
        ..first(typed(""))
    };
    samples.push(sample("with providers", &page));
    for voice in &VOICES {
        samples.push(sample(voice.name, &second(voice.one)));
    }
    let mut page = second("ana.ruiz");
    page.failed =
        Some("That did not match. Look at the time on your telephone, and type the code that shows now.".to_owned());
    if let Step::Second(step) = &mut page.step {
        step.code = wrong("12345", "A code has six digits.");
        step.recovery = wrong("K7QF", "A recovery code has ten letters and digits, and works once.");
        step.recovery_open = true;
        step.passkey = None;
    }
    samples.push(sample("wrong codes", &page));
    samples
}
