//! `/emergency/{id}`: one emergency access, and the decision on it.

use crate::pages::parts::{Coded, Field, Happened, Person, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, sample, typed, when, wrong};
use crate::pages::{Frame, Tone};
use crate::words::{Area, Mark, ReviewState};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "emergency/one.html")]
pub(crate) struct EmergencyCase {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    pub(crate) case: Case,
    /// None where it is closed, or the reader of the page may not decide it (his own, his team's).
    pub(crate) decide: Option<Decide>,
    pub(crate) history: Vec<Happened>,
}

/// What a decision rests on.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) href: String,
    pub(crate) person: Person,
    pub(crate) patient: String,
    pub(crate) opened: When,
    /// `38 minutes`.
    pub(crate) length: String,
    pub(crate) reason: Coded,
    /// His sentence; none where it is still due.
    pub(crate) said: Option<String>,
    /// Where there is none: his shift is over, and none was given.
    pub(crate) not_given: bool,
    /// When he confirmed that he needs what is specially protected too.
    pub(crate) protected: Option<When>,
    /// What he was asked.
    pub(crate) question: Option<Question>,
    /// Of whom it is asked who else opened the chart: the id of the review. None: it is not for who reads the page.
    pub(crate) chart: Option<String>,
    /// What he did next, and his relation before and after: sentences.
    pub(crate) next: Vec<(When, String)>,
    /// Kinds read that the reason explains, and those that it does not.
    pub(crate) read: Vec<Coded>,
    /// Each read, oldest first.
    pub(crate) reads: Vec<(When, String)>,
    pub(crate) beyond: Vec<Coded>,
    /// `3 in 30 days; the median of the unit is 1.`
    pub(crate) frequency: String,
    /// `A colleague`, `A well-known person`, `Protected information`.
    pub(crate) flags: Vec<Mark>,
    pub(crate) due: When,
    pub(crate) state: Mark,
}

impl Case {
    /// Whether the answer is all that the reader has said.
    pub(crate) fn is_answered(&self) -> bool {
        self.question.as_ref().is_some_and(|question| question.answer.is_some())
    }
}

/// What the reader was asked, and what came of it.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) at: When,
    pub(crate) by: String,
    /// Empty where nothing was typed.
    pub(crate) words: String,
    /// When the reader answered, and what; none: no answer came yet.
    pub(crate) answer: Option<(When, String)>,
}

/// The field `decision` (`justified`, `not`, `ask`), sent by its button, and the field `note`.
#[derive(Clone)]
pub(crate) struct Decide {
    pub(crate) action: String,
    /// The version of the review that the page shows.
    pub(crate) version: i64,
    /// Like cases that it closes together, as `id:version`; none: the one of the address.
    pub(crate) cases: Vec<String>,
    /// The reader was not asked yet.
    pub(crate) may_ask: bool,
    pub(crate) note: Field,
}

pub(crate) fn case(voice: &Voice) -> Case {
    Case {
        href: "/emergency/0198c0de".to_owned(),
        person: voice.second(),
        patient: "chart ..4471".to_owned(),
        opened: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
        length: "38 minutes".to_owned(),
        reason: coded("unresponsive, no history at hand", "BTG-02"),
        said: Some(voice.said.to_owned()),
        not_given: true,
        protected: Some(when("2026-02-27T02:12:00Z", "02:12")),
        question: None,
        chart: Some("0198c0de".to_owned()),
        next: vec![
            (when("2026-02-27T02:05:00Z", "02:05"), "The patient came on the track board.".to_owned()),
            (when("2026-02-27T02:24:00Z", "02:24"), "Ordered a head CT, 14 minutes after opening.".to_owned()),
            (when("2026-02-27T02:40:00Z", "02:40"), "Was made attending of the visit.".to_owned()),
        ],
        read: vec![
            coded("allergies", "allergies"),
            coded("medications", "medications"),
            coded("diagnoses", "diagnoses"),
        ],
        reads: vec![(when("2026-02-27T02:11:00Z", "02:11"), format!("allergies, {}", voice.label))],
        beyond: vec![coded("charges and balances", "balance")],
        frequency: "3 in 30 days; the median of the unit is 1.".to_owned(),
        flags: vec![Mark::wait("A colleague")],
        due: when("2026-03-02T17:00:00Z", "2 March, 17:00"),
        state: ReviewState::Open.mark(),
    }
}

pub(crate) fn question(voice: &Voice, is_answered: bool) -> Question {
    Question {
        at: when("2026-02-27T09:00:00Z", "27 February, 09:00"),
        by: voice.other.to_owned(),
        words: voice.said.to_owned(),
        answer: is_answered.then(|| (when("2026-02-27T19:00:00Z", "27 February, 19:00"), voice.said.to_owned())),
    }
}

pub(crate) fn decide(count: usize) -> Decide {
    if count == 1 {
        let action = "/emergency/0198c0de/decide".to_owned();
        return Decide { action, version: 1, cases: Vec::new(), may_ask: true, note: typed("") };
    }
    let cases = (0..count).map(|number| format!("0198c0de-{number}:1")).collect();
    Decide { action: "/emergency/alike".to_owned(), version: 1, cases, may_ask: true, note: typed("") }
}

fn view(voice: &Voice) -> EmergencyCase {
    EmergencyCase {
        frame: officer(voice, Some(Area::Emergency)),
        csrf: CSRF.to_owned(),
        failed: None,
        case: case(voice),
        decide: Some(decide(1)),
        history: vec![
            Happened {
                at: when("2026-02-27T02:10:00Z", "27 February, 02:10"),
                mark: Mark::wait("Opened"),
                sentence: "The chart was opened; the privacy office was told at 02:10 by message.".to_owned(),
                said: None,
            },
            Happened {
                at: when("2026-02-27T06:50:00Z", "06:50"),
                mark: Mark::good("Explained"),
                sentence: "The sentence was written.".to_owned(),
                said: Some(voice.said.to_owned()),
            },
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.case.question = Some(question(&PLAIN, true));
    page.case.said = None;
    samples.push(sample("answered", &page));
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was decided.".to_owned());
    page.decide = Some(Decide { note: wrong("ok", "Say in a sentence what it rests on."), ..decide(1) });
    samples.push(sample("errors", &page));
    let mut page = view(&PLAIN);
    page.decide = None;
    page.case.state = ReviewState::Case.mark();
    page.frame = page.frame.with_flash(Tone::Warn, "A case is open; the reader and his manager are told.");
    page.case.said = None;
    page.case.beyond = Vec::new();
    page.case.flags = Vec::new();
    page.case.next = Vec::new();
    samples.push(sample("closed, nothing written", &page));
    page.case = case(&PLAIN);
    page.case.state = ReviewState::Justified.mark();
    page.frame = page.frame.with_flash(Tone::Bad, "Nothing was decided: somebody else closed it a moment ago.");
    samples.push(sample("closed by another", &page));
    samples
}
