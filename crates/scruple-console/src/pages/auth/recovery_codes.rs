//! After enrolment: ten recovery codes, shown once, to print.

use crate::pages::Frame;
use crate::pages::parts::When;
use crate::pages::samples::{CSRF, Sample, VOICES, sample, when};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "auth/recovery_codes.html")]
pub(crate) struct RecoveryCodes {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    /// Says that the person has them.
    pub(crate) action: String,
    pub(crate) login: String,
    pub(crate) made: When,
    pub(crate) codes: Vec<String>,
}

fn view(login: &str) -> RecoveryCodes {
    let codes = [
        "K7QF3-9MZTA",
        "P2XHD-WW84N",
        "3RJ6C-VYK0E",
        "T5B8G-1QNSM",
        "ZD4PA-67HXJ",
        "8WCRE-M3TFK",
        "N9VQ2-JGB5Y",
        "H0SXZ-D8RPC",
        "QM7TK-2E4WA",
        "6YFJN-BVH3S",
    ];
    RecoveryCodes {
        frame: Frame::outside(),
        csrf: CSRF.to_owned(),
        action: "/enrol/done".to_owned(),
        login: login.to_owned(),
        made: when("2026-03-01T08:00:00Z", "1 March 2026"),
        codes: codes.map(str::to_owned).to_vec(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    VOICES.iter().map(|voice| sample(voice.name, &view(voice.one))).collect()
}
