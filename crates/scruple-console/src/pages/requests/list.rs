//! `/requests`: requests that the person may see, the one that waits longest on top.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Order, Paging, Person, Pick, Sort, When};
use crate::pages::samples::{Sample, VOICES, Voice, coded, officer, pick, sample, when};
use crate::words::{Area, Mark, RequestState};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "requests/list.html")]
pub(crate) struct Requests {
    pub(crate) frame: Frame,
    /// As of when the list is.
    pub(crate) as_of: When,
    /// The query `state`; the first option is all.
    pub(crate) state: Pick,
    /// The query `whose`: mine, to decide, all.
    pub(crate) whose: Pick,
    pub(crate) by_age: Sort,
    pub(crate) by_until: Sort,
    pub(crate) rows: Vec<RequestRow>,
    pub(crate) paging: Paging,
    /// `/exceptions`, for those who may open it.
    pub(crate) exceptions: Option<String>,
    /// `/requests/figures`, for those who may open it.
    pub(crate) figures: Option<String>,
    /// Where what was used is not what was asked for.
    pub(crate) uses: Option<String>,
    /// The list as CSV, with the filter that is set.
    pub(crate) export: String,
}

/// One request: a sentence.
#[derive(Clone)]
pub(crate) struct RequestRow {
    pub(crate) href: String,
    pub(crate) person: Person,
    /// A role or kinds of information.
    pub(crate) what: Vec<Coded>,
    /// `2 patients`, `everyone in the queue`.
    pub(crate) patients: String,
    pub(crate) purpose: Coded,
    pub(crate) asked: When,
    /// `40 minutes ago`.
    pub(crate) age: String,
    pub(crate) until: When,
    pub(crate) state: Mark,
    /// It waits for the reader of the page.
    pub(crate) for_me: bool,
}

pub(crate) fn row(voice: &Voice, state: RequestState, for_me: bool) -> RequestRow {
    RequestRow {
        href: "/requests/0198c0de".to_owned(),
        person: voice.first(),
        what: vec![coded("diagnoses", "diagnoses"), coded("procedures", "procedures"), coded("notes", "documents")],
        patients: "2 patients".to_owned(),
        purpose: coded("payment", "HPAYMT"),
        asked: when("2026-03-01T07:20:00Z", "1 March, 07:20"),
        age: "40 minutes ago".to_owned(),
        until: when("2026-03-02T09:00:00Z", "2 March, 09:00"),
        state: state.mark(),
        for_me,
    }
}

fn view(voice: &Voice) -> Requests {
    use RequestState::{Active, Approved, Ended, Expired, Failed, Lapsed, Refused, Waiting, Withdrawn};
    let sort = |order| Sort { href: "/requests?sort=age".to_owned(), order };
    Requests {
        frame: officer(voice, Some(Area::Requests)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        state: pick(&[("", "all"), ("waiting", "waiting"), ("active", "active"), ("over", "over")], ""),
        whose: pick(&[("decide", "that I may decide"), ("mine", "my own"), ("all", "of everyone")], "all"),
        by_age: sort(Order::Up),
        by_until: sort(Order::Unsorted),
        rows: [Waiting, Approved, Active, Refused, Lapsed, Withdrawn, Ended, Expired, Failed]
            .into_iter()
            .map(|state| row(voice, state, state == Waiting))
            .collect(),
        paging: Paging { first: 1, last: 9, all: 212, before: None, after: Some("/requests?page=2".to_owned()) },
        exceptions: Some("/exceptions".to_owned()),
        figures: Some("/requests/figures".to_owned()),
        uses: Some("/uses".to_owned()),
        export: "/requests.csv".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let empty = Requests { rows: Vec::new(), paging: Paging::default(), ..view(&VOICES[0]) };
    samples.push(sample("empty", &empty));
    samples
}
