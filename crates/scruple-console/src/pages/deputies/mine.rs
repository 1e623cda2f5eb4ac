//! `/deputies`: who stands in for the person at the desk, and for whom he does.

use crate::pages::Frame;
use crate::pages::parts::{Field, Person, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, pick, sample, typed, when, worker, wrong};
use crate::words::Mark;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "deputies/mine.html")]
pub(crate) struct Deputies {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    pub(crate) rows: Vec<DeputyRow>,
    /// For those who decide or review; the fields `login`, `capacity` and `days`.
    pub(crate) form: Option<NameForm>,
}

#[derive(Clone)]
pub(crate) struct DeputyRow {
    /// The other one of the two.
    pub(crate) other: Person,
    /// The other one stands in for the reader; else the reader for him.
    pub(crate) for_me: bool,
    /// `decides on requests`.
    pub(crate) what: String,
    pub(crate) from: When,
    pub(crate) until: When,
    pub(crate) state: Mark,
    /// The version that the page shows.
    pub(crate) version: i64,
    /// Says yes; POST.
    pub(crate) accept: Option<String>,
    /// Ends it, or declines; POST.
    pub(crate) end: Option<String>,
}

#[derive(Clone)]
pub(crate) struct NameForm {
    pub(crate) failed: Option<String>,
    pub(crate) login: Field,
    pub(crate) capacity: Pick,
    pub(crate) days: Pick,
}

fn view(voice: &Voice) -> Deputies {
    let row = |for_me: bool, state: Mark, accept: bool, end: bool| DeputyRow {
        other: if for_me { voice.second() } else { voice.first() },
        for_me,
        what: "decides on requests".to_owned(),
        from: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        until: when("2026-03-08T08:00:00Z", "8 March, 08:00"),
        state,
        version: 2,
        accept: accept.then(|| "/deputies/0198c0de/accept".to_owned()),
        end: end.then(|| "/deputies/0198c0de/end".to_owned()),
    };
    Deputies {
        frame: worker(voice, None),
        csrf: CSRF.to_owned(),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        rows: vec![
            row(true, Mark::wait("Not accepted yet"), false, true),
            row(false, Mark::wait("Not accepted yet"), true, true),
            row(true, Mark::good("Stands in"), false, true),
            row(false, Mark::over("Over"), false, false),
        ],
        form: Some(NameForm {
            failed: None,
            login: typed(""),
            capacity: pick(&[("approver", "Decides on requests"), ("reviewer", "Reviews emergencies")], "approver"),
            days: pick(&[("1", "1 day"), ("7", "7 days"), ("30", "30 days")], "7"),
        }),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("nobody", &Deputies { rows: Vec::new(), form: None, ..view(&PLAIN) }));
    let mut page = view(&PLAIN);
    if let Some(form) = &mut page.form {
        form.failed = Some("Nobody was named.".to_owned());
        form.login = wrong("ana", "Nobody with this login is here.");
    }
    samples.push(sample("errors", &page));
    samples
}
