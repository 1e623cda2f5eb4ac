//! `/enrol`, from a link that works once: a passkey, or an app that makes codes.

use super::Passkey;
use crate::pages::Frame;
use crate::pages::parts::{Field, When};
use crate::pages::samples::{CSRF, Sample, VOICES, sample, typed, when, wrong};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "auth/enrol.html")]
pub(crate) struct Enrol {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    /// Whose link it is.
    pub(crate) name: String,
    pub(crate) login: String,
    /// The link, as the field `token` of each form.
    pub(crate) token: String,
    /// Until when the link works.
    pub(crate) until: When,
    pub(crate) passkey: Passkey,
    pub(crate) app: App,
    /// Whom to call.
    pub(crate) help: String,
}

/// An app that makes codes (RFC 6238).
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) action: String,
    /// Modules of the QR code on a side, the quiet zone with them.
    pub(crate) qr_side: usize,
    /// The dark modules as the `d` of a path: `M4 4h7v1h-7z...`.
    pub(crate) qr_path: String,
    /// The secret in groups of four letters.
    pub(crate) secret: String,
    /// The field `code`.
    pub(crate) code: Field,
}

fn view(name: &str) -> Enrol {
    Enrol {
        frame: Frame::outside().with_passkeys(),
        csrf: CSRF.to_owned(),
        failed: None,
        name: name.to_owned(),
        login: "ana.ruiz".to_owned(),
        token: "dG9rZW4".to_owned(),
        until: when("2026-03-02T08:00:00Z", "2 March, 08:00"),
        passkey: Passkey {
            action: "/enrol/passkey".to_owned(),
            options: r#"{"challenge":"c2FtcGxl","rp":{"name":"Scruple"},"user":{"id":"c2FtcGxl","name":"ana.ruiz","displayName":"Ana Ruiz"},"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}],"authenticatorSelection":{"residentKey":"required","userVerification":"required"}}"#.to_owned(),
        },
        app: App { action: "/enrol/code".to_owned(), qr_side: 33, qr_path: qr(), secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".to_owned(), code: typed("") },
        help: "the service desk, extension 0100".to_owned(),
    }
}

/// Looks like a QR code, and says nothing.
fn qr() -> String {
    let mut path = String::new();
    for (x, y) in [(4, 4), (22, 4), (4, 22)] {
        path.push_str(&format!("M{x} {y}h7v7h-7zM{} {}v5h5v-5zM{} {}h3v3h-3z", x + 1, y + 1, x + 2, y + 2));
    }
    let corner = |x: usize, y: usize| (y < 12 && !(12..=20).contains(&x)) || (x < 12 && y > 20);
    for (x, y) in (4..29).flat_map(|y| (4..29).map(move |x| (x, y))) {
        if !corner(x, y) && (x * 7 + y * 13 + x * y) % 5 < 2 {
            path.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
    }
    path
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice.one))).collect();
    let mut page = view("Ana Ruiz");
    page.app.code = wrong("123", "A code has six digits. Type the one that shows now.");
    samples.push(sample("a wrong code", &page));
    samples
}
