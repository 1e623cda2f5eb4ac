//! `/`: what waits for the person who looks. A part that is `None` is not his; one that is empty says what would be there.

use crate::pages::parts::{Coded, Person, When};
use crate::pages::requests::list::{RequestRow, row};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, coded, officer, sample, when, worker};
use crate::pages::{Frame, Tone};
use crate::words::{Area, Mark, RequestState, ReviewState};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "today/home.html")]
pub(crate) struct Today {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// Of the privacy office.
    pub(crate) counts: Option<Vec<Count>>,
    pub(crate) decide: Option<Vec<RequestRow>>,
    pub(crate) emergencies: Option<Vec<EmergencyRow>>,
    pub(crate) enrolments: Option<Vec<EnrolmentRow>>,
    /// Questions about his work that wait for an answer.
    pub(crate) asked: Vec<AskedRow>,
    /// Questions about charts that he opened in an emergency.
    pub(crate) questions: Vec<QuestionRow>,
    /// Sentences that he owes, the one due next first.
    pub(crate) sentences: Vec<SentenceRow>,
    /// So many more do not stand here.
    pub(crate) sentences_more: usize,
    /// Of the privacy office: what of the last week was enforced, watched, unseen.
    pub(crate) watched: Option<Watched>,
    /// His requests that wait.
    pub(crate) mine: Vec<RequestRow>,
    /// Those that were answered, or whose access was ended, in the last days.
    pub(crate) answered: Vec<AnsweredRow>,
    pub(crate) ending: Vec<EndingRow>,
    /// So many more do not stand here.
    pub(crate) ending_more: usize,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Requests,
    Emergencies,
    Exceptions,
    Unused,
    ReviewsLate,
    Leavers,
}

impl Counted {
    /// Words under the number.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests wait",
            Self::Emergencies => "emergencies to review",
            Self::Exceptions => "exceptions in force",
            Self::Unused => "rights unused for 90 days",
            Self::ReviewsLate => "role reviews late",
            Self::Leavers => "accesses after leaving",
        }
    }
}

/// A number that opens its rows.
#[derive(Clone)]
pub(crate) struct Count {
    pub(crate) href: String,
    pub(crate) number: String,
    pub(crate) counted: Counted,
    /// `2 days`: age of the oldest.
    pub(crate) oldest: Option<String>,
    /// It needs somebody now.
    pub(crate) late: bool,
}

#[derive(Clone)]
pub(crate) struct EmergencyRow {
    pub(crate) href: String,
    pub(crate) person: Person,
    /// `chart ..4471`.
    pub(crate) patient: String,
    pub(crate) reason: Coded,
    pub(crate) opened: When,
    pub(crate) due: When,
    pub(crate) state: Mark,
}

/// That an access of a day is asked about, and no more.
#[derive(Clone)]
pub(crate) struct AskedRow {
    pub(crate) href: String,
    pub(crate) day: When,
}

/// What the privacy office asks about a chart that he opened in an emergency.
#[derive(Clone)]
pub(crate) struct QuestionRow {
    pub(crate) href: String,
    /// `chart ..4471`.
    pub(crate) patient: String,
    pub(crate) opened: When,
    pub(crate) asked: When,
    /// Empty where nothing was typed.
    pub(crate) words: String,
}

/// A sentence that an emergency still needs.
#[derive(Clone)]
pub(crate) struct SentenceRow {
    pub(crate) href: String,
    /// `chart ..4471`.
    pub(crate) patient: String,
    pub(crate) reason: Coded,
    pub(crate) opened: When,
    pub(crate) due: When,
    /// The shift is over without it.
    pub(crate) late: bool,
}

/// What of the last week's accesses the policy enforced, what was only watched, and what nobody saw.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) enforced: u64,
    pub(crate) watched: u64,
    /// Sentences: a number of what is not seen would be made up.
    pub(crate) unseen: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct EnrolmentRow {
    pub(crate) href: String,
    pub(crate) person: Person,
    /// What is missing: `training`, `approval`, `a way to sign in`.
    pub(crate) missing: String,
    pub(crate) starts: When,
}

/// What came of a request.
#[derive(Clone)]
pub(crate) struct AnsweredRow {
    pub(crate) request: RequestRow,
    pub(crate) at: When,
}

#[derive(Clone)]
pub(crate) struct EndingRow {
    pub(crate) href: String,
    pub(crate) what: Vec<Coded>,
    pub(crate) until: When,
    /// `in 3 hours`.
    pub(crate) left: String,
}

fn view(voice: &Voice) -> Today {
    let count = |number: &str, counted, oldest: Option<&str>, late| Count {
        href: "/requests".to_owned(),
        number: number.to_owned(),
        counted,
        oldest: oldest.map(str::to_owned),
        late,
    };
    let emergency = |state: ReviewState| EmergencyRow {
        href: "/emergency/0198c0de".to_owned(),
        person: voice.second(),
        patient: "chart ..4471".to_owned(),
        reason: coded("unresponsive, no history at hand", "BTG-02"),
        opened: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
        due: when("2026-03-02T17:00:00Z", "2 March"),
        state: state.mark(),
    };
    let sentence = |clock: &str, late| SentenceRow {
        href: "/emergency/0198c0de/tell".to_owned(),
        patient: "chart ..4471".to_owned(),
        reason: coded("unresponsive, no history at hand", "BTG-02"),
        opened: when("2026-03-01T07:10:00Z", clock),
        due: when("2026-03-01T19:10:00Z", "19:10"),
        late,
    };
    Today {
        frame: officer(voice, Some(Area::Today))
            .with_flash(Tone::Good, "The request of this morning is approved; it ends tomorrow at 09:00."),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        counts: Some(vec![
            count("3", Counted::Requests, Some("40 minutes"), false),
            count("17", Counted::Emergencies, Some("6 days"), true),
            count("41", Counted::Exceptions, None, false),
            count("128", Counted::Unused, None, false),
            count("2", Counted::ReviewsLate, Some("11 days"), true),
            count("0", Counted::Leavers, None, false),
        ]),
        decide: Some(vec![row(voice, RequestState::Waiting, true), row(voice, RequestState::Waiting, true)]),
        emergencies: Some(vec![
            emergency(ReviewState::Late),
            emergency(ReviewState::Open),
            emergency(ReviewState::Asked),
        ]),
        enrolments: Some(vec![EnrolmentRow {
            href: "/people/0198c0de".to_owned(),
            person: voice.first(),
            missing: "privacy training".to_owned(),
            starts: when("2026-03-02T07:00:00Z", "tomorrow, 07:00"),
        }]),
        asked: vec![AskedRow {
            href: "/cases/0198c0de/answer".to_owned(),
            day: when("2026-02-27T00:00:00Z", "27 February"),
        }],
        questions: vec![QuestionRow {
            href: "/emergency/0198c0de/tell".to_owned(),
            patient: "chart ..4471".to_owned(),
            opened: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
            asked: when("2026-02-27T09:00:00Z", "27 February, 09:00"),
            words: voice.said.to_owned(),
        }],
        sentences: vec![sentence("07:10", false), sentence("19:20", true)],
        sentences_more: 3,
        watched: Some(Watched {
            enforced: 48_210,
            watched: 1_302,
            unseen: vec![format!("What people opened in {} since 27 February.", voice.unit)],
        }),
        mine: vec![row(voice, RequestState::Waiting, false)],
        answered: [RequestState::Active, RequestState::Refused, RequestState::Ended]
            .map(|state| AnsweredRow {
                request: row(voice, state, false),
                at: when("2026-02-28T08:00:00Z", "28 February, 08:00"),
            })
            .to_vec(),
        ending: vec![EndingRow {
            href: "/access".to_owned(),
            what: vec![coded("diagnoses", "diagnoses"), coded(voice.unit, "x")],
            until: when("2026-03-01T19:00:00Z", "19:00"),
            left: "in 11 hours".to_owned(),
        }],
        ending_more: 4,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let nothing = Today {
        decide: Some(Vec::new()),
        emergencies: Some(Vec::new()),
        enrolments: Some(Vec::new()),
        asked: Vec::new(),
        questions: Vec::new(),
        sentences: Vec::new(),
        sentences_more: 0,
        watched: Some(Watched { enforced: 0, watched: 0, unseen: Vec::new() }),
        mine: Vec::new(),
        answered: Vec::new(),
        ending: Vec::new(),
        ending_more: 0,
        ..view(&PLAIN)
    };
    samples.push(sample("nothing waits", &nothing));
    let page = Today {
        frame: worker(&PLAIN, Some(Area::Today)),
        counts: None,
        decide: None,
        emergencies: None,
        enrolments: None,
        watched: None,
        ..view(&PLAIN)
    };
    samples.push(sample("a nurse", &page));
    let page = Today {
        frame: page.frame,
        counts: None,
        decide: None,
        emergencies: None,
        enrolments: None,
        watched: None,
        ..nothing
    };
    samples.push(sample("a nurse, nothing", &page));
    samples
}
