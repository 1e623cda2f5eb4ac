//! How often, how long, how it was judged: of emergencies, of requests. The same page for both.

use super::Frame;
use super::parts::{Link, Person, Pick, When};
use super::samples::{PLAIN, Sample, VOICES, Voice, officer, pick, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "figures/figures.html")]
pub(crate) struct Figures {
    pub(crate) frame: Frame,
    /// Where the numbers come from: each leads there.
    pub(crate) crumb: Link,
    pub(crate) title: &'static str,
    pub(crate) as_of: When,
    /// The address of the page, and its query `days`.
    pub(crate) action: &'static str,
    pub(crate) days: Pick,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) tables: Vec<Table>,
}

/// One number.
#[derive(Clone)]
pub(crate) struct Tile {
    pub(crate) number: String,
    pub(crate) what: String,
    /// How it is made: what it counts and leaves out.
    pub(crate) how: String,
}

#[derive(Clone)]
pub(crate) struct Table {
    /// For the ids of elements: letters.
    pub(crate) id: &'static str,
    pub(crate) caption: &'static str,
    /// Whom or what the rows are of, then the heads of the numbers.
    pub(crate) heads: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    /// Where there is no row: what would be there.
    pub(crate) empty: &'static str,
}

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) of: Person,
    pub(crate) cells: Vec<String>,
    /// Above a limit of the house.
    pub(crate) mark: Option<Mark>,
}

fn view(voice: &Voice) -> Figures {
    let unit = |name: &str| Person { href: String::new(), name: name.to_owned(), job: String::new() };
    let cells = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let heads = |of| vec![of, "Emergencies", "Not justified", "Open", "Reviewed within, median"];
    Figures {
        frame: officer(voice, Some(Area::Emergency)),
        crumb: Link { href: "/emergency".to_owned(), label: "Emergency reviews".to_owned() },
        title: "Emergencies in numbers",
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        action: "/emergency/figures",
        days: pick(&[("30", "30 days"), ("90", "90 days"), ("365", "a year")], "30"),
        tiles: vec![
            Tile {
                number: "30".to_owned(),
                what: "emergencies".to_owned(),
                how: "Charts opened in emergencies in 30 days.".to_owned(),
            },
            Tile {
                number: "4 of 28".to_owned(),
                what: "not justified".to_owned(),
                how: "Of those that are reviewed; 2 are not yet.".to_owned(),
            },
        ],
        tables: vec![
            Table {
                id: "people",
                caption: "By person",
                heads: heads("Person"),
                rows: vec![
                    Row {
                        of: voice.first(),
                        cells: cells(["11", "3", "1", "2 days"]),
                        mark: Some(Mark::wait("More than 5 in 30 days")),
                    },
                    Row { of: voice.second(), cells: cells(["2", "0", "0", "4 hours"]), mark: None },
                ],
                empty: "Whoever used Emergency would stand here.",
            },
            Table {
                id: "units",
                caption: "By unit",
                heads: heads("Unit"),
                rows: vec![Row { of: unit(voice.unit), cells: cells(["13", "3", "1", "2 days"]), mark: None }],
                empty: "Units would stand here.",
            },
        ],
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&PLAIN);
    page.tables.iter_mut().for_each(|table| table.rows.clear());
    samples.push(sample("nothing yet", &page));
    samples
}
