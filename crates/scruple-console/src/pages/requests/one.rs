//! `/requests/{id}`: a request with its history; for its author, ways to end or extend it; for an approver, what the
//! decision needs and no more (unit and last four digits, no name of a patient).

use crate::pages::Frame;
use crate::pages::parts::{Coded, Field, Happened, Person, Pick, Reading, When};
use crate::pages::samples::{
    CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, pick, sample, typed, when, worker, wrong,
};
use crate::words::{Area, Mark, RequestState};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "requests/one.html")]
pub(crate) struct Request {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) state: Mark,
    pub(crate) person: Person,
    /// `employee`, `agency`.
    pub(crate) relation: String,
    /// A role or kinds of information.
    pub(crate) what: Vec<Coded>,
    /// Patients as the reader may see them; an approver: initials, last four, unit, kind of visit.
    pub(crate) patients: Vec<String>,
    /// `2 patients`.
    pub(crate) count: String,
    pub(crate) purpose: Coded,
    pub(crate) task: String,
    pub(crate) from: When,
    pub(crate) until: When,
    pub(crate) length: String,
    /// When it was ended before its time.
    pub(crate) ended: Option<When>,
    pub(crate) reason: String,
    pub(crate) ticket: String,
    pub(crate) history: Vec<Happened>,
    pub(crate) deciding: Option<Deciding>,
    pub(crate) own: Option<Own>,
    /// Ends it now, for its approver and the privacy office; the page that asks once more.
    pub(crate) revoke: Option<String>,
    /// The reads under it, once there may be some.
    pub(crate) reads: Option<String>,
    /// All of it to take along, for those who oversee requests.
    pub(crate) export: Option<String>,
}

/// For an approver.
#[derive(Clone)]
pub(crate) struct Deciding {
    /// Until when an answer is expected.
    pub(crate) due: When,
    /// What the role has already.
    pub(crate) held: Vec<Coded>,
    /// What it changes: the kind of information, what is seen of it now, and with the request. Everything else stays.
    pub(crate) changes: Vec<(Coded, String, String)>,
    /// What the page shows of that, for the field `against`: what is applied is what was seen.
    pub(crate) against: String,
    /// The last requests like this one: sentences with how they ended.
    pub(crate) alike: Vec<(Mark, String)>,
    /// What was checked: not the same person, not in his line, training is done. Sentences.
    pub(crate) checks: Vec<(Mark, String)>,
    /// `1 of 2` where more have to approve; who has.
    pub(crate) others: Option<String>,
    /// The version of the request that the page shows: what is decided is what was seen.
    pub(crate) version: i64,
    pub(crate) approve: String,
    pub(crate) narrow: Narrow,
    pub(crate) refuse: Refuse,
}

/// Approve less than was asked: the fields `narrower`, `patient`, `kind` and `until`.
#[derive(Clone)]
pub(crate) struct Narrow {
    pub(crate) action: String,
    /// Those who stay; empty where it is for a role.
    pub(crate) patients: Pick,
    /// Kinds of information that stay; empty where it is for a role. The field `kind`.
    pub(crate) kinds: Pick,
    pub(crate) until: Pick,
    pub(crate) open: bool,
}

/// The fields `ground` and `reason`.
#[derive(Clone)]
pub(crate) struct Refuse {
    pub(crate) action: String,
    pub(crate) ground: Pick,
    pub(crate) reason: Field,
    pub(crate) open: bool,
}

/// For its author.
#[derive(Clone)]
pub(crate) struct Own {
    /// The page that asks once more.
    pub(crate) withdraw: Option<String>,
    /// Ends it now.
    pub(crate) end: Option<String>,
    pub(crate) extend: Option<Extend>,
}

/// An extension is a new decision: the fields `until` and `reason`.
#[derive(Clone)]
pub(crate) struct Extend {
    pub(crate) action: String,
    pub(crate) until: Pick,
    pub(crate) reason: Field,
    /// `1 of 2 extensions used`.
    pub(crate) used: String,
    pub(crate) reading: Option<Reading>,
}

fn base(voice: &Voice, frame: Frame, state: RequestState) -> Request {
    let event = |iso: &str, words: &str, mark: Mark, sentence: String, said: Option<&str>| Happened {
        at: when(iso, words),
        mark,
        sentence,
        said: said.map(str::to_owned),
    };
    Request {
        frame,
        csrf: CSRF.to_owned(),
        failed: None,
        state: state.mark(),
        person: voice.first(),
        relation: "employee".to_owned(),
        what: vec![coded("diagnoses", "diagnoses"), coded("procedures", "procedures"), coded("notes", "documents")],
        patients: vec![
            "E. K., MR ..4471, 4 West, inpatient".to_owned(),
            format!("J. M., MR ..5120, {}, outpatient", voice.unit),
        ],
        count: "2 patients".to_owned(),
        purpose: coded("payment", "HPAYMT"),
        task: "a denied claim".to_owned(),
        from: when("2026-03-01T09:00:00Z", "1 March, 09:00"),
        until: when("2026-03-02T09:00:00Z", "2 March, 09:00"),
        length: "1 day".to_owned(),
        ended: None,
        reason: voice.work.to_owned(),
        ticket: "CLM-2026-0311".to_owned(),
        history: vec![
            event("2026-03-01T07:20:00Z", "1 March, 07:20", Mark::wait("Asked"), format!("{} asked.", voice.one), None),
            event(
                "2026-03-01T07:20:00Z",
                "07:20",
                Mark::good("Checked"),
                "Neither of the two who may approve is in the same line.".to_owned(),
                None,
            ),
            event(
                "2026-03-01T07:50:00Z",
                "07:50",
                Mark::wait("Reminded"),
                format!("{} was reminded.", voice.other),
                Some(voice.work),
            ),
        ],
        deciding: None,
        own: None,
        revoke: None,
        reads: None,
        export: Some("/requests/0198c0de/export".to_owned()),
    }
}

fn deciding(voice: &Voice) -> Request {
    Request {
        deciding: Some(Deciding {
            due: when("2026-03-01T09:20:00Z", "09:20"),
            held: vec![
                coded("names", "id_name"),
                coded("claims", "claims"),
                coded("insurance", "coverage"),
                coded("charges", "balance"),
            ],
            changes: vec![
                (coded("diagnoses", "diagnoses"), "not at all".to_owned(), "in full".to_owned()),
                (coded("coverage", "coverage"), "Who pays, without numbers".to_owned(), "in full".to_owned()),
            ],
            against: "0123abcd".to_owned(),
            alike: vec![
                (Mark::good("Approved"), "18 February: diagnoses of 1 patient for 1 day.".to_owned()),
                (Mark::good("Narrower"), "2 February: asked for 1 week, got 1 day.".to_owned()),
                (Mark::bad("Refused"), "20 January: asked for notes of 40 patients.".to_owned()),
            ],
            checks: vec![
                (Mark::good("Passed"), "You are not the one who asks, and not in the same line.".to_owned()),
                (Mark::good("Passed"), "Privacy training was done on 4 November.".to_owned()),
                (Mark::wait("Look"), "The third request in 30 days; the usual is one.".to_owned()),
            ],
            others: Some("Two have to approve. You are the first.".to_owned()),
            version: 1,
            approve: "/requests/0198c0de/approve".to_owned(),
            narrow: Narrow {
                action: "/requests/0198c0de/narrow".to_owned(),
                patients: pick(&[("0", "..4471"), ("1", "..5120")], "0"),
                kinds: Pick {
                    choices: [
                        ("diagnoses", "diagnoses", true),
                        ("procedures", "procedures", true),
                        ("documents", "notes and letters", false),
                    ]
                    .map(|(value, label, chosen)| crate::pages::parts::Choice {
                        value: value.to_owned(),
                        label: label.to_owned(),
                        chosen,
                    })
                    .to_vec(),
                    ..Pick::default()
                },
                until: pick(
                    &[("shift", "the end of this shift, 19:00"), ("asked", "as asked, 2 March, 09:00")],
                    "shift",
                ),
                open: false,
            },
            refuse: Refuse {
                action: "/requests/0198c0de/refuse".to_owned(),
                ground: pick(
                    &[
                        ("", "choose"),
                        ("role", "The task is not of this job"),
                        ("less", "Less would do"),
                        ("other", "Somebody else has it already"),
                    ],
                    "",
                )
                .required(),
                reason: typed("").required(),
                open: false,
            },
        }),
        ..base(voice, officer(voice, Some(Area::Requests)), RequestState::Waiting)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &deciding(voice))).collect();
    let mut page = deciding(&PLAIN);
    page.failed = Some("Nothing was decided.".to_owned());
    if let Some(deciding) = &mut page.deciding {
        deciding.refuse.open = true;
        deciding.refuse.ground.error = Some("Choose a ground.".to_owned());
        deciding.refuse.reason = wrong("no", "Say in a sentence what would do instead: it is shown to the person.");
        deciding.narrow.open = true;
        deciding.narrow.patients.error = Some("Leave at least one patient, or refuse.".to_owned());
        deciding.narrow.kinds.error = Some("Leave at least one kind of information, or refuse.".to_owned());
    }
    samples.push(sample("errors", &page));
    let mine = worker(&PLAIN, Some(Area::Requests));
    let page = Request {
        own: Some(Own { withdraw: Some("/requests/0198c0de/withdraw".to_owned()), end: None, extend: None }),
        ..base(&PLAIN, mine.clone(), RequestState::Waiting)
    };
    samples.push(sample("my own, waiting", &page));
    let page = Request {
        own: Some(Own {
            withdraw: None,
            end: Some("/requests/0198c0de/end".to_owned()),
            extend: Some(Extend {
                action: "/requests/0198c0de/extend".to_owned(),
                until: pick(&[("day", "one more day, until 3 March, 09:00"), ("week", "one more week")], "day"),
                reason: wrong("", "Say what is left to do."),
                used: "1 of 2 extensions used".to_owned(),
                reading: Some(Reading {
                    id: "patients-0198c0de0198c0de".to_owned(),
                    sentences: vec!["Ask until the end of the task and not for longer.".to_owned()],
                    chosen: false,
                    error: None,
                }),
            }),
        }),
        reads: Some("/reads/request/0198c0de".to_owned()),
        ..base(&PLAIN, mine, RequestState::Active)
    };
    samples.push(sample("my own, active", &page));
    let page = Request {
        revoke: Some("/requests/0198c0de/end".to_owned()),
        reads: Some("/reads/request/0198c0de".to_owned()),
        ..base(&PLAIN, officer(&PLAIN, Some(Area::Requests)), RequestState::Active)
    };
    samples.push(sample("active, for its approver", &page));
    let mut page = base(&PLAIN, officer(&PLAIN, Some(Area::Requests)), RequestState::Ended);
    page.ended = Some(when("2026-03-01T12:00:00Z", "1 March, 12:00"));
    page.history.push(Happened {
        at: when("2026-03-01T12:00:00Z", "12:00"),
        mark: RequestState::Ended.mark(),
        sentence: format!("{} ended it.", PLAIN.other),
        said: None,
    });
    samples.push(sample("ended early", &page));
    samples
}
