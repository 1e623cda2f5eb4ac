//! `/people`: search and filters.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Order, Paging, Person, Pick, Sort, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, coded, officer, pick, sample, when};
use crate::words::{Area, Mark, PersonState};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "people/list.html")]
pub(crate) struct People {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// The query `q`, as typed.
    pub(crate) search: String,
    /// Nobody reports to who looks, who would see a team.
    pub(crate) no_team: bool,
    /// The queries `unit`, `relation`, `state`.
    pub(crate) unit: Pick,
    pub(crate) relation: Pick,
    pub(crate) state: Pick,
    pub(crate) by_name: Sort,
    pub(crate) by_used: Sort,
    pub(crate) rows: Vec<PersonRow>,
    pub(crate) paging: Paging,
    pub(crate) export: String,
}

#[derive(Clone)]
pub(crate) struct PersonRow {
    pub(crate) person: Person,
    /// `employee`, `agency`; none: HR does not say it.
    pub(crate) relation: Option<String>,
    pub(crate) roles: Vec<Coded>,
    /// Rights beyond the role.
    pub(crate) extra: usize,
    pub(crate) used: Option<When>,
    pub(crate) state: Mark,
}

fn view(voice: &Voice) -> People {
    use PersonState::{Active, Invited, Left, OnLeave, Suspended};
    let row = |number: usize, state: PersonState| PersonRow {
        person: if number.is_multiple_of(2) { voice.first() } else { voice.second() },
        relation: (state != Left).then(|| "employee".to_owned()),
        roles: if state == Invited { Vec::new() } else { vec![coded("Registered nurse", "nurse")] },
        extra: number % 3,
        used: (state == Active).then(|| when("2026-03-01T07:48:00Z", "today, 07:48")),
        state: state.mark(),
    };
    People {
        frame: officer(voice, Some(Area::People)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        search: if voice.name == PLAIN.name { String::new() } else { voice.one.to_owned() },
        no_team: false,
        unit: pick(&[("", "all"), ("4w", voice.unit)], ""),
        relation: pick(
            &[
                ("", "all"),
                ("employee", "employee"),
                ("staff", "medical staff of their own practice"),
                ("agency", "agency"),
            ],
            "",
        ),
        state: pick(&[("", "all"), ("active", "active"), ("left", "left")], ""),
        by_name: Sort { href: "/people?sort=name".to_owned(), order: Order::Up },
        by_used: Sort { href: "/people?sort=used".to_owned(), order: Order::Unsorted },
        rows: [Active, Active, Invited, OnLeave, Suspended, Left, Active]
            .into_iter()
            .enumerate()
            .map(|(number, state)| row(number, state))
            .collect(),
        paging: Paging {
            first: 51,
            last: 57,
            all: 1204,
            before: Some("/people?page=1".to_owned()),
            after: Some("/people?page=3".to_owned()),
        },
        export: "/people.csv".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample(
        "nobody found",
        &People { rows: Vec::new(), search: "ruis".to_owned(), paging: Paging::default(), ..view(&PLAIN) },
    ));
    let no_team = People { rows: Vec::new(), no_team: true, paging: Paging::default(), ..view(&PLAIN) };
    samples.push(sample("no team", &no_team));
    samples
}

impl People {
    /// HR does not say of everybody how he belongs to the house.
    fn has_untold(&self) -> bool {
        self.rows.iter().any(|row| row.relation.is_none())
    }
}
