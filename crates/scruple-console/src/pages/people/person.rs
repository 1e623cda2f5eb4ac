//! `/people/{id}`: one person: job, relation, each right with its source, sessions, history, and ways to end it.

use crate::pages::parts::{Coded, Happened, Person, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, sample, when};
use crate::pages::{Frame, Tone};
use crate::words::{Area, Mark, PersonState};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "people/person.html")]
pub(crate) struct PersonPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    pub(crate) person: Person,
    pub(crate) state: Mark,
    /// `employee`, and what follows from it.
    pub(crate) relation: String,
    pub(crate) manager: Option<Person>,
    pub(crate) since: When,
    pub(crate) left: Option<When>,
    /// `Privacy training on 4 November 2025.`
    pub(crate) training: (Mark, String),
    pub(crate) rights: Vec<HeldRight>,
    pub(crate) sessions: Vec<HeldSession>,
    /// What he opened in the last 90 days, for the privacy office alone.
    pub(crate) uses: Option<Uses>,
    pub(crate) history: Vec<Happened>,
    /// Everything, everywhere; the page that asks once more.
    pub(crate) leaves: Option<String>,
    /// `/ask` on behalf: a second person approves.
    pub(crate) give: Option<String>,
    /// A link to enrol again, sent to the person; POST.
    pub(crate) enrol: Option<String>,
}

#[derive(Clone)]
pub(crate) struct HeldRight {
    pub(crate) what: Coded,
    pub(crate) purpose: Coded,
    /// `the staff list`, `the request of 28 February`.
    pub(crate) source: String,
    pub(crate) approver: Option<Person>,
    pub(crate) until: Option<When>,
    /// `in 11 hours`, `in 3 days`.
    pub(crate) left: Option<String>,
    pub(crate) used: Option<When>,
    /// `Left over from the job before.`
    pub(crate) odd: Option<String>,
    /// The page that asks once more.
    pub(crate) end: Option<String>,
}

/// What somebody opened in the last 90 days.
#[derive(Clone)]
pub(crate) struct Uses {
    /// `opened 41 charts 212 times`.
    pub(crate) summary: String,
    /// Each kind of information, and how often.
    pub(crate) kinds: Vec<(Coded, u64)>,
    /// What the openings rested on, and how often.
    pub(crate) bases: Vec<(String, u64)>,
}

#[derive(Clone)]
pub(crate) struct HeldSession {
    pub(crate) device: String,
    pub(crate) shared: bool,
    pub(crate) since: When,
    pub(crate) last: When,
    /// Ends it; POST.
    pub(crate) end: String,
}

fn view(voice: &Voice) -> PersonPage {
    let role = HeldRight {
        what: coded("Registered nurse", "nurse 3.2"),
        purpose: coded("treatment", "TREAT"),
        source: "the staff list".to_owned(),
        approver: Some(voice.second()),
        until: None,
        left: None,
        used: Some(when("2026-03-01T07:48:00Z", "today, 07:48")),
        odd: None,
        end: Some("/people/0198c0de/rights/1/end".to_owned()),
    };
    let extra = HeldRight {
        what: coded("diagnoses and procedures of 2 patients", "grant 0198c0de"),
        purpose: coded("payment", "HPAYMT"),
        source: "the request of 28 February".to_owned(),
        until: Some(when("2026-03-01T19:00:00Z", "today, 19:00")),
        left: Some("in 11 hours".to_owned()),
        used: None,
        ..role.clone()
    };
    let odd = HeldRight {
        what: coded("Scheduling", "scheduler 2.0"),
        purpose: coded("patient administration", "PATADMIN"),
        source: "the job before, 2024".to_owned(),
        odd: Some("Left over from the job before; unused for 214 days.".to_owned()),
        used: Some(when("2025-07-30T10:00:00Z", "30 July 2025")),
        ..role.clone()
    };
    PersonPage {
        frame: officer(voice, Some(Area::People))
            .with_flash(Tone::Good, "One right ended at 08:00:01. It is closed here and in 2 connected systems."),
        csrf: CSRF.to_owned(),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        person: voice.first(),
        state: PersonState::Active.mark(),
        relation: "employee: what she opens is use, not disclosure".to_owned(),
        manager: Some(voice.second()),
        since: when("2024-09-01T00:00:00Z", "1 September 2024"),
        left: None,
        training: (Mark::good("Done"), "Privacy training, 4 November 2025.".to_owned()),
        rights: vec![role, extra, odd],
        sessions: vec![HeldSession {
            device: format!("Edge on a workstation of {}", voice.unit),
            shared: true,
            since: when("2026-03-01T06:55:00Z", "today, 06:55"),
            last: when("2026-03-01T07:58:00Z", "2 minutes ago"),
            end: "/sessions/0198c0de/end".to_owned(),
        }],
        uses: Some(Uses {
            summary: "Opened 41 charts 212 times.".to_owned(),
            kinds: vec![(coded(voice.label, "Immunization"), 40), (coded("medications", "MedicationRequest"), 172)],
            bases: vec![("a visit".to_owned(), 200), ("an emergency".to_owned(), 12)],
        }),
        history: vec![
            Happened {
                at: when("2026-02-28T09:00:00Z", "28 February, 09:00"),
                mark: Mark::good("Approved"),
                sentence: "Extra access to diagnoses and procedures of 2 patients, for 1 day.".to_owned(),
                said: Some(voice.said.to_owned()),
            },
            Happened {
                at: when("2025-11-04T12:00:00Z", "4 November 2025"),
                mark: Mark::good("Trained"),
                sentence: "Privacy training was done.".to_owned(),
                said: None,
            },
        ],
        leaves: Some("/people/0198c0de/leave".to_owned()),
        give: Some("/ask?subject=0198c0de".to_owned()),
        enrol: Some("/people/0198c0de/enrol".to_owned()),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = PersonPage {
        state: PersonState::Left.mark(),
        left: Some(when("2026-02-27T17:00:00Z", "27 February, 17:00")),
        rights: Vec::new(),
        sessions: Vec::new(),
        history: Vec::new(),
        manager: None,
        training: (Mark::bad("Missing"), "No privacy training is on file.".to_owned()),
        leaves: None,
        give: None,
        enrol: None,
        ..view(&PLAIN)
    };
    samples.push(sample("left", &page));
    let nothing = Uses { summary: "Opened nothing.".to_owned(), kinds: Vec::new(), bases: Vec::new() };
    samples.push(sample("used nothing", &PersonPage { uses: Some(nothing), ..view(&PLAIN) }));
    samples.push(sample("to a manager", &PersonPage { uses: None, ..view(&PLAIN) }));
    samples
}
