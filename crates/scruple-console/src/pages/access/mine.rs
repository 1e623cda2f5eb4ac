//! `/access`: what the person may open, from where he has it, until when, and under which conditions, in plain words.

use crate::pages::Frame;
use crate::pages::parts::{Coded, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, sample, when, worker};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "access/mine.html")]
pub(crate) struct MyAccess {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    pub(crate) rights: Vec<Right>,
    /// What his roles ask of him before they open a record.
    pub(crate) steps: Vec<Step>,
    pub(crate) sessions: Vec<Session>,
}

/// A course, or something to be read.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) label: String,
    /// It is taken, and holds until then.
    pub(crate) until: Option<When>,
    /// Says that it is read; POST. None: somebody else tells.
    pub(crate) acknowledge: Option<String>,
}

/// Something that the person may do.
#[derive(Clone)]
pub(crate) struct Right {
    /// For the id of an element: unique on the page, letters and digits.
    pub(crate) id: String,
    /// The role, or the kinds of an extra access.
    pub(crate) what: Coded,
    pub(crate) purpose: Coded,
    /// `your job in the staff list`, `your request of 1 March`.
    pub(crate) source: String,
    /// Who agreed, by name; none where a rule did.
    pub(crate) approver: Option<String>,
    pub(crate) since: When,
    pub(crate) until: Option<When>,
    /// `in 11 hours`.
    pub(crate) left: Option<String>,
    /// What it opens, in full and in part.
    pub(crate) opens: Vec<Coded>,
    pub(crate) in_part: Vec<Coded>,
    /// What it does not open.
    pub(crate) closed: Vec<Coded>,
    /// `Only patients of your unit; ends 72 hours after transfer or discharge.`
    pub(crate) conditions: Vec<String>,
    pub(crate) used: Option<When>,
    /// Of an emergency: the page on which the sentence is written that is owed or asked for.
    pub(crate) tell: Option<String>,
    /// Of an emergency: whether what is specially protected is confirmed. The same words whatever the chart holds.
    pub(crate) protected: Option<Protected>,
    /// The page that asks once more before the right is given back.
    pub(crate) give_back: Option<String>,
    /// The page on which it is asked for longer, once its time is nearly over.
    pub(crate) extend: Option<String>,
}

/// What is specially protected, in an emergency.
#[derive(Clone)]
pub(crate) enum Protected {
    /// It may be left out: the form that opens it too; POST.
    Closed { action: String, version: i64 },
    /// It was confirmed then.
    Confirmed(When),
}

#[derive(Clone)]
pub(crate) struct Session {
    /// `Firefox on Linux`.
    pub(crate) device: String,
    pub(crate) shared: bool,
    pub(crate) since: When,
    pub(crate) last: When,
    /// It is the one that the page is seen in.
    pub(crate) this: bool,
    /// Ends it; POST.
    pub(crate) end: String,
}

fn view(voice: &Voice) -> MyAccess {
    let nurse = Right {
        id: "r1".to_owned(),
        what: coded("Registered nurse", "nurse 3.2"),
        purpose: coded("treatment", "TREAT"),
        source: "your job in the staff list".to_owned(),
        approver: Some(voice.one.to_owned()),
        since: when("2024-09-01T00:00:00Z", "1 September 2024"),
        until: None,
        left: None,
        opens: vec![
            coded("names", "id_name"),
            coded("allergies", "allergies"),
            coded("medications", "medications"),
            coded("vital signs", "vitals"),
            coded("notes and letters", "documents"),
            coded(voice.label, "x"),
        ],
        in_part: vec![
            coded("outside numbers, last four digits", "id_national"),
            coded("insurance, who pays", "coverage"),
        ],
        closed: vec![
            coded("psychotherapy notes", "psychotherapy_notes"),
            coded("genetic tests", "genetic"),
            coded("charges and balances", "balance"),
        ],
        conditions: vec![
            "Only patients of your unit or visit; ends 72 hours after transfer or discharge.".to_owned(),
            "From a device of the hospital.".to_owned(),
        ],
        used: Some(when("2026-03-01T07:48:00Z", "today, 07:48")),
        tell: None,
        protected: None,
        give_back: None,
        extend: None,
    };
    let extra = Right {
        id: "r2".to_owned(),
        what: coded("Extra access: diagnoses and procedures", "grant 0198c0de"),
        purpose: coded("payment", "HPAYMT"),
        source: "your request of 28 February".to_owned(),
        until: Some(when("2026-03-01T19:00:00Z", "today, 19:00")),
        left: Some("in 11 hours".to_owned()),
        opens: vec![coded("diagnoses", "diagnoses"), coded("procedures", "procedures")],
        in_part: Vec::new(),
        closed: Vec::new(),
        conditions: vec!["Only 2 patients, MR ..4471 and MR ..5120.".to_owned()],
        used: None,
        give_back: Some("/access/0198c0de/give-back".to_owned()),
        extend: Some("/requests/0198c0de".to_owned()),
        ..nurse.clone()
    };
    let emergency = |id: &str, protected| Right {
        id: id.to_owned(),
        what: coded("one chart, in an emergency (..4471)", "emergency"),
        source: "your own word".to_owned(),
        tell: Some("/emergency/0198c0de/tell".to_owned()),
        protected: Some(protected),
        extend: None,
        ..extra.clone()
    };
    let closed = Protected::Closed { action: "/access/charts/0198c0de/protected".to_owned(), version: 1 };
    let confirmed = Protected::Confirmed(when("2026-03-01T07:40:00Z", "today, 07:40"));
    let emergencies = [emergency("r3", closed), emergency("r4", confirmed)];
    let session = |device: &str, shared, this| Session {
        device: device.to_owned(),
        shared,
        since: when("2026-03-01T06:55:00Z", "today, 06:55"),
        last: when("2026-03-01T07:58:00Z", "2 minutes ago"),
        this,
        end: "/sessions/0198c0de/end".to_owned(),
    };
    MyAccess {
        frame: worker(voice, None),
        csrf: CSRF.to_owned(),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        rights: [nurse, extra].into_iter().chain(emergencies).collect(),
        steps: vec![
            Step { label: "HIPAA basics".to_owned(), until: None, acknowledge: None },
            Step {
                label: voice.label.to_owned(),
                until: None,
                acknowledge: Some("/access/steps/house_rules".to_owned()),
            },
            Step {
                label: "How substance use records are handled".to_owned(),
                until: Some(when("2027-02-01T00:00:00Z", "1 February 2027")),
                acknowledge: None,
            },
        ],
        sessions: vec![session("Edge on a workstation of 4 West", true, true), session(voice.unit, false, false)],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample(
        "nothing",
        &MyAccess { rights: Vec::new(), steps: Vec::new(), sessions: Vec::new(), ..view(&PLAIN) },
    ));
    samples
}
