//! `/door`: refused, and three doors in this order: care, emergency, ask.
//!
//! The page is the same for what the person may not open and for what does not exist: the sentence comes from policy, the
//! patient is named by what was typed.

use crate::pages::Frame;
use crate::pages::parts::{Choice, Coded, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, pick, sample, when, worker};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "door/refused.html")]
pub(crate) struct Door {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    /// `The chart of MR ..4471`: from what was typed.
    pub(crate) what: String,
    /// The field `about` of each form: what was asked for, sealed.
    pub(crate) about: String,
    /// Why, by policy, in one sentence.
    pub(crate) why: String,
    /// The rule behind it, for whoever asks.
    pub(crate) rule: Coded,
    pub(crate) failed: Option<String>,
    /// For treating roles.
    pub(crate) care: Option<Care>,
    /// For roles with emergency access.
    pub(crate) emergency: Option<Emergency>,
    /// The form for access; POST, so that no address holds what was typed.
    pub(crate) ask: String,
    /// How long an answer usually takes: `about 40 minutes`.
    pub(crate) usual: String,
    pub(crate) call: Vec<Call>,
}

/// A declared relationship: the field `reason`.
#[derive(Clone)]
pub(crate) struct Care {
    pub(crate) action: String,
    pub(crate) reason: Pick,
    /// The end of the shift.
    pub(crate) until: When,
}

/// Break-glass: the field `reason`, sent by the button itself.
#[derive(Clone)]
pub(crate) struct Emergency {
    pub(crate) action: String,
    /// Coded reasons; none is chosen beforehand.
    pub(crate) reasons: Vec<Choice>,
    /// `4 hours`.
    pub(crate) length: String,
    /// When the sentence is due.
    pub(crate) sentence_due: When,
}

#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) who: String,
    pub(crate) number: String,
}

fn view(voice: &Voice) -> Door {
    let reason = |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned(), chosen: false };
    Door {
        frame: worker(voice, None),
        csrf: CSRF.to_owned(),
        what: "The chart of MR ..4471".to_owned(),
        about: "c2VhbGVk".to_owned(),
        why: "A nurse opens charts of patients of her unit or visit, and this one is of neither.".to_owned(),
        rule: coded("Rule", "roles/nurse.toml:12"),
        failed: None,
        care: Some(Care {
            action: "/door/care".to_owned(),
            reason: pick(
                &[
                    ("transfer", "Transfer not yet in the system"),
                    ("cover", "I cover for a colleague"),
                    ("consult", "Asked to help or consult"),
                    ("oncall", "On call"),
                    ("x", if voice.name == PLAIN.name { "Another reason" } else { voice.label }),
                ],
                "",
            )
            .required(),
            until: when("2026-03-01T19:00:00Z", "19:00"),
        }),
        emergency: Some(Emergency {
            action: "/door/emergency".to_owned(),
            reasons: vec![
                reason("BTG-01", "Life or limb at risk"),
                reason("BTG-02", "Unresponsive, no history at hand"),
                reason("BTG-03", "Medicine or allergy in doubt"),
                reason("BTG-04", "Danger to the patient or others"),
            ],
            length: "4 hours".to_owned(),
            sentence_due: when("2026-03-01T19:00:00Z", "19:00"),
        }),
        ask: "/door/ask".to_owned(),
        usual: "about 40 minutes".to_owned(),
        call: vec![
            Call { who: "The house supervisor".to_owned(), number: "0117".to_owned() },
            Call { who: format!("The privacy office, {}", voice.other), number: "0125".to_owned() },
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was opened yet.".to_owned());
    if let Some(care) = &mut page.care {
        care.reason.error = Some("Choose the reason that fits.".to_owned());
    }
    samples.push(sample("no reason chosen", &page));
    let page = Door {
        care: None,
        emergency: None,
        why: "Your role, billing, has no notes.".to_owned(),
        rule: coded("Rule", "roles/biller.toml:31"),
        what: "Notes of MR ..4471".to_owned(),
        ..view(&PLAIN)
    };
    samples.push(sample("one door", &page));
    samples
}
