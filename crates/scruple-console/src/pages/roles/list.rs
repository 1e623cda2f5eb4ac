//! `/roles`: every role with its members, tasks, risk and next review.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Order, Sort, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, coded, officer, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "roles/list.html")]
pub(crate) struct Roles {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    /// What was typed to find a role.
    pub(crate) search: String,
    /// The column that sorts, which a search keeps.
    pub(crate) sort: &'static str,
    pub(crate) by_role: Sort,
    pub(crate) by_members: Sort,
    pub(crate) by_tasks: Sort,
    pub(crate) by_risk: Sort,
    pub(crate) by_review: Sort,
    pub(crate) rows: Vec<RoleRow>,
    pub(crate) export: String,
}

#[derive(Clone)]
pub(crate) struct RoleRow {
    pub(crate) href: String,
    pub(crate) role: Coded,
    pub(crate) purpose: Coded,
    pub(crate) members: usize,
    pub(crate) tasks: usize,
    /// `low`, `medium`, `high`.
    pub(crate) risk: Mark,
    pub(crate) review: When,
    pub(crate) late: bool,
}

fn view(voice: &Voice) -> Roles {
    let sort = |order| Sort { href: "/roles?sort=role".to_owned(), order };
    let row = |label: &str, code: &str, purpose: Coded, members: usize, tasks: usize, risk: Mark, late: bool| RoleRow {
        href: "/roles/nurse".to_owned(),
        role: coded(label, code),
        purpose,
        members,
        tasks,
        risk,
        review: when("2026-09-01T00:00:00Z", "1 September 2026"),
        late,
    };
    Roles {
        frame: officer(voice, Some(Area::Roles)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        search: voice.label.to_owned(),
        sort: "role",
        by_role: sort(Order::Up),
        by_members: sort(Order::Unsorted),
        by_tasks: sort(Order::Unsorted),
        by_risk: sort(Order::Unsorted),
        by_review: sort(Order::Unsorted),
        rows: vec![
            row("Registered nurse", "nurse", coded("treatment", "TREAT"), 412, 5, Mark::wait("Medium"), false),
            row("Physician, NP, PA", "physician", coded("treatment", "TREAT"), 203, 5, Mark::wait("Medium"), false),
            row(
                "Front desk, check-in",
                "front_desk",
                coded("patient administration", "PATADMIN"),
                61,
                5,
                Mark::good("Low"),
                false,
            ),
            row("Billing, collections", "biller", coded("payment", "HPAYMT"), 24, 5, Mark::wait("Medium"), true),
            row(
                "Release of information",
                "roi_clerk",
                coded("records management", "RECORDMGT"),
                6,
                5,
                Mark::bad("High"),
                false,
            ),
            row(voice.label, voice.one, coded(voice.label, "x"), 1, 1, Mark::bad("High"), true),
        ],
        export: "/roles.csv".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("empty", &Roles { search: String::new(), rows: Vec::new(), ..view(&PLAIN) }));
    samples.push(sample("none found", &Roles { rows: Vec::new(), ..view(&PLAIN) }));
    samples
}
