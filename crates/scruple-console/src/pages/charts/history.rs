//! `/charts/{id}`: who opened a chart in a period: people, not rows; each with why, and each opens its rows.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Field, Person, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, sample, typed, when, wrong};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/history.html")]
pub(crate) struct ChartHistory {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    pub(crate) patient: Whose,
    pub(crate) from: When,
    pub(crate) until: When,
    pub(crate) cause: String,
    pub(crate) asked_by: Person,
    /// `5 people opened it 31 times. Nothing explains what 1 of them did.`
    pub(crate) summary: String,
    /// What the reader of the page has to know: that something is missing, or was not asked.
    pub(crate) notes: Vec<String>,
    pub(crate) groups: Vec<HistoryGroup>,
    pub(crate) cases: Vec<(String, Person, Mark)>,
    pub(crate) sources: Vec<String>,
    pub(crate) export: String,
    /// None: there is nobody to write to.
    pub(crate) report: Option<String>,
    pub(crate) failed: Option<String>,
}

/// Whose chart it is, as the gateway shows it to who looks.
#[derive(Clone)]
pub(crate) struct Whose {
    /// Name, date of birth and record number, as far as they show; else why not.
    pub(crate) name: String,
    pub(crate) born: String,
    pub(crate) number: String,
}

/// People whose openings stand alike.
#[derive(Clone)]
pub(crate) struct HistoryGroup {
    pub(crate) id: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) mark: Mark,
    pub(crate) people: Vec<ReaderRow>,
}

#[derive(Clone)]
pub(crate) struct ReaderRow {
    /// Of the element: `p3`.
    pub(crate) id: String,
    pub(crate) person: Person,
    /// Sentences.
    pub(crate) why: Vec<Coded>,
    pub(crate) first: When,
    /// None: it was in the same minute.
    pub(crate) last: Option<When>,
    pub(crate) count: usize,
    /// `2 in a list of several patients, 1 showed nothing`.
    pub(crate) apart: String,
    /// Kinds of information.
    pub(crate) kinds: Vec<Coded>,
    /// What logs call what was done: `Print`.
    pub(crate) did: String,
    /// `enforced by the gateway`, `from the log of epic`.
    pub(crate) sources: Vec<String>,
    pub(crate) rows: Vec<OpeningRow>,
    /// Rows beyond those shown here; all are in the table to take away.
    pub(crate) more: usize,
    pub(crate) open_case: Option<OpenCaseForm>,
    /// Nobody here is known by that login, so that nobody can be asked.
    pub(crate) no_case: bool,
}

#[derive(Clone)]
pub(crate) struct OpeningRow {
    pub(crate) at: When,
    /// `observations, medications`, or what the log calls it; where it was done.
    pub(crate) what: String,
    pub(crate) why: Coded,
    /// The reads under the right that it was made by.
    pub(crate) right: Option<String>,
    pub(crate) source: String,
    /// `entry 4471`.
    pub(crate) entry: String,
}

/// The form by which a case is opened: POST, with the person's id and the instants that it is about.
#[derive(Clone)]
pub(crate) struct OpenCaseForm {
    pub(crate) action: String,
    pub(crate) reader: String,
    pub(crate) complaint: Field,
    /// A patient asked, or somebody complains; else the office looks into it of its own accord.
    pub(crate) of_patient: bool,
}

fn view(voice: &Voice) -> ChartHistory {
    let row = |why: &str| OpeningRow {
        at: when("2026-03-03T07:10:00Z", "3 March, 07:10"),
        what: format!("results and vital signs, medications; {}", voice.unit),
        why: coded(why, "Encounter/e1"),
        right: Some("/reads/chart/0198c0de".to_owned()),
        source: "gateway".to_owned(),
        entry: "entry 4471".to_owned(),
    };
    let reader = |id: &str, person: Person, why: &str, is_open: bool| ReaderRow {
        id: id.to_owned(),
        person,
        why: vec![coded(why, "Encounter/e1")],
        first: when("2026-03-03T07:10:00Z", "3 March, 07:10"),
        last: Some(when("2026-03-09T18:40:00Z", "9 March, 18:40")),
        count: 12,
        apart: "2 in a list of several patients, 1 showed nothing".to_owned(),
        did: voice.label.to_owned(),
        kinds: vec![coded("results and vital signs", "Observation"), coded("medications", "MedicationRequest")],
        sources: vec!["enforced by the gateway".to_owned(), format!("from the log of {}", voice.unit)],
        rows: vec![row(why), row(why)],
        more: 10,
        open_case: is_open.then(|| OpenCaseForm {
            action: "/charts/0198c0de/case".to_owned(),
            reader: "0198c0de".to_owned(),
            complaint: typed(voice.said),
            of_patient: true,
        }),
        no_case: !is_open,
    };
    ChartHistory {
        frame: officer(voice, Some(Area::Charts)),
        csrf: CSRF.to_owned(),
        as_of: when("2026-04-01T08:00:00Z", "1 April, 08:00"),
        patient: Whose { name: voice.other.to_owned(), born: "1961-04-02".to_owned(), number: "MR 4471".to_owned() },
        from: when("2026-03-01T00:00:00Z", "1 March"),
        until: when("2026-04-01T00:00:00Z", "1 April"),
        cause: "Somebody complains".to_owned(),
        asked_by: voice.second(),
        summary: "3 people opened this chart 36 times. Nothing explains what 1 of them did.".to_owned(),
        notes: vec!["The log of another system ends on 28 March: what was opened there since is not seen.".to_owned()],
        groups: vec![
            HistoryGroup {
                id: "unexplained",
                heading: "Nothing explains it",
                mark: Mark::bad("Unexplained"),
                people: vec![reader("p1", voice.first(), "No visit, appointment, care team or request.", true)],
            },
            HistoryGroup {
                id: "emergency",
                heading: "In an emergency",
                mark: Mark::wait("Emergency"),
                people: vec![reader("p2", voice.second(), "The patient could not answer.", true)],
            },
            HistoryGroup {
                id: "explained",
                heading: "Explained",
                mark: Mark::good("Explained"),
                people: vec![reader("p3", voice.second(), "Takes part in a visit of the patient.", false)],
            },
        ],
        cases: vec![("/cases/0198c0de".to_owned(), voice.first(), Mark::wait("Reader asked"))],
        sources: vec!["The gateway, until now.".to_owned()],
        export: "/charts/0198c0de/export".to_owned(),
        report: Some("/charts/0198c0de/report".to_owned()),
        failed: None,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = ChartHistory {
        groups: Vec::new(),
        cases: Vec::new(),
        notes: Vec::new(),
        report: None,
        summary: "Nobody opened this chart in that time, as far as the logs here tell.".to_owned(),
        patient: Whose {
            name: "The record system knows no such patient.".to_owned(),
            born: String::new(),
            number: "MR ..4471".to_owned(),
        },
        ..view(&PLAIN)
    };
    samples.push(sample("nobody", &page));
    let mut page = view(&PLAIN);
    page.failed = Some("No case was opened.".to_owned());
    if let Some(form) = page.groups.first_mut().and_then(|group| group.people.first_mut()?.open_case.as_mut()) {
        form.complaint = wrong("he", "Say in a sentence what is complained of.");
    }
    samples.push(sample("errors", &page));
    let mut page = ChartHistory { cause: "The regular review".to_owned(), ..view(&PLAIN) };
    let people = page.groups.iter_mut().flat_map(|group| &mut group.people);
    people.filter_map(|row| row.open_case.as_mut()).for_each(|form| form.of_patient = false);
    samples.push(sample("the regular review", &page));
    samples
}
