//! `/exceptions`: the register of everything outside of a role that is in force, with its end.

use crate::pages::Frame;
use crate::pages::parts::{Order, Paging, Person, Pick, Sort, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, pick, sample, when};
use crate::words::{Area, ExceptionKind, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "exceptions/list.html")]
pub(crate) struct Exceptions {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// The queries `kind` and `state`.
    pub(crate) kind: Pick,
    pub(crate) state: Pick,
    pub(crate) by_since: Sort,
    pub(crate) by_until: Sort,
    pub(crate) rows: Vec<ExceptionRow>,
    pub(crate) paging: Paging,
    pub(crate) export: String,
}

#[derive(Clone)]
pub(crate) struct ExceptionRow {
    pub(crate) href: String,
    pub(crate) kind: ExceptionKind,
    pub(crate) person: Person,
    /// `MR ..4471`.
    pub(crate) patients: String,
    pub(crate) reason: String,
    pub(crate) approver: Option<Person>,
    /// Which kinds of information; none: all that the role has.
    pub(crate) scope: String,
    /// Since when; none: it stands in the policy.
    pub(crate) since: Option<When>,
    /// How long it lasts or lasted.
    pub(crate) lasted: String,
    /// Reads under it; none: they are not counted for it.
    pub(crate) reads: Option<u64>,
    /// The page that lists each, for whoever looks into charts.
    pub(crate) each: Option<String>,
    pub(crate) until: When,
    /// `11 h left`, `ended`.
    pub(crate) left: String,
    /// It ends within the day.
    pub(crate) soon: bool,
    pub(crate) state: Mark,
    /// The page that asks once more.
    pub(crate) end: Option<String>,
}

fn view(voice: &Voice) -> Exceptions {
    use ExceptionKind::{Broad, Declared, Emergency, Extra, Protected};
    let row = |kind: ExceptionKind, left: &str, soon: bool, active: bool| ExceptionRow {
        href: "/requests/0198c0de".to_owned(),
        kind,
        person: voice.first(),
        patients: "MR ..4471".to_owned(),
        reason: voice.work.to_owned(),
        approver: (kind == Extra || kind == Broad || kind == Protected).then(|| voice.second()),
        scope: if kind == Extra { "diagnoses and procedures".to_owned() } else { "all kinds of the role".to_owned() },
        since: (kind != Broad).then(|| when("2026-03-01T07:00:00Z", "1 March, 07:00")),
        lasted: "12 hours".to_owned(),
        reads: (kind != Broad).then_some(17),
        each: (kind != Broad && active).then(|| "/reads/chart/0198c0de".to_owned()),
        until: when("2026-03-01T19:00:00Z", "1 March, 19:00"),
        left: left.to_owned(),
        soon,
        state: if active { Mark::good("In force") } else { Mark::over("Over") },
        end: active.then(|| "/requests/0198c0de/end".to_owned()),
    };
    Exceptions {
        frame: officer(voice, Some(Area::Requests)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        kind: pick(
            &[
                ("", "all"),
                ("extra", "extra access"),
                ("emergency", "emergency"),
                ("declared", "declared care"),
                ("broad", "broad role"),
                ("protected", "protected information"),
            ],
            "",
        ),
        state: pick(&[("active", "in force"), ("over", "over"), ("", "all")], "active"),
        by_since: Sort { href: "/exceptions?sort=since".to_owned(), order: Order::Unsorted },
        by_until: Sort { href: "/exceptions?sort=until".to_owned(), order: Order::Up },
        rows: vec![
            row(Emergency, "in 2 hours", true, true),
            row(Declared, "in 11 hours", true, true),
            row(Extra, "in 3 days", false, true),
            row(Protected, "in 6 days", false, true),
            row(Broad, "in 41 days", false, true),
            row(Extra, "ended", false, false),
        ],
        paging: Paging { first: 1, last: 6, all: 41, before: None, after: Some("/exceptions?page=2".to_owned()) },
        export: "/exceptions.csv".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &Exceptions { rows: Vec::new(), paging: Paging::default(), ..view(&PLAIN) }));
    samples
}
