//! Numbers of emergencies and of requests, over a period, each computed from the rows that stand behind it.

use super::{Signed, Site, broken, page, people, when, words};
use crate::pages::figures::{Figures, Row, Table, Tile};
use crate::pages::parts::{Link, Person as Shown};
use crate::words::{Area, Mark};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_core::{Id, Timestamp};
use scruple_flow::approver::approvers;
use scruple_flow::measure::{Durations, EmergencyFigures, RequestFact, emergencies, requests, revocations};
use scruple_flow::{AlertOf, Person, counted_since};
use scruple_store::{
    StoreError, Tx, decisions_between, emergencies_between, list_alerts, requests_between, revocations_between,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Rows of a table: those with the most.
const ROWS_MAX: usize = 50;
const PERIODS: [(&str, &str); 3] = [("30", "30 days"), ("90", "90 days"), ("365", "a year")];

/// The days of a period, and its code.
fn days(query: &str) -> (i64, &'static str) {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("days="));
    let known = PERIODS.iter().find(|(code, _)| Some(*code) == asked).map_or("30", |(code, _)| code);
    (known.parse().unwrap_or(30), known)
}

/// `2 of 7`; `none yet` of none.
fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "none yet".to_owned() } else { format!("{part} of {whole}") }
}

fn took(durations: &Durations, micros: i64) -> String {
    if durations.count == 0 { "none yet".to_owned() } else { words::length(micros) }
}

/// `0.4 seconds`, and from a minute on as any other length.
fn brief(durations: &Durations, micros: i64) -> String {
    const TENTH: i64 = 100_000;
    match micros {
        _ if durations.count == 0 => "none yet".to_owned(),
        _ if micros < 600 * TENTH => {
            let tenths = micros.max(0).saturating_add(TENTH - 1) / TENTH;
            format!("{}.{} seconds", tenths / 10, tenths % 10)
        }
        _ => words::length(micros),
    }
}

async fn shown(tx: &mut Tx, person: Id<Person>) -> Result<Shown, StoreError> {
    let (name, unit) = (people::name(tx, person).await?, people::unit(tx, person).await?);
    Ok(Shown { href: format!("/people/{person}"), name, job: unit.unwrap_or_default() })
}

/// Those with the most, first.
fn most<K: Clone + Ord, V>(all: BTreeMap<K, V>, count: impl Fn(&V) -> usize) -> Vec<(K, V)> {
    let mut all: Vec<(K, V)> = all.into_iter().collect();
    all.sort_by_key(|(_, one)| std::cmp::Reverse(count(one)));
    all.truncate(ROWS_MAX);
    all
}

fn more_than(limit: i64, count: usize, days: i64) -> Option<Mark> {
    // The limit is of 30 days; a longer period has a longer one.
    let limit_of_period = usize::try_from(limit.saturating_mul((days / 30).max(1))).unwrap_or(usize::MAX);
    (count > limit_of_period).then(|| Mark::wait("Above the house's limit"))
}

/// The alerts of the last days, of requests or of emergencies, each with what should be looked at.
async fn alerts(site: &Site, tx: &mut Tx, of_requests: bool) -> Result<Table, StoreError> {
    let (pack, now) = (site.pack(), site.now());
    let mut rows = Vec::new();
    for alert in list_alerts(tx, counted_since(now)).await? {
        let mut of = match &alert.of {
            AlertOf::EmergenciesOfPerson(_) if of_requests => continue,
            AlertOf::RequestsOfPerson(_) | AlertOf::RequestsForRole(_) if !of_requests => continue,
            AlertOf::RequestsOfPerson(person) | AlertOf::EmergenciesOfPerson(person) => shown(tx, *person).await?,
            AlertOf::RequestsForRole(role) => {
                Shown { href: format!("/roles/{role}"), name: words::role(&pack, role), job: String::new() }
            }
        };
        alert.of.suggestion().clone_into(&mut of.job);
        let cells = vec![alert.count.to_string(), alert.limit.to_string(), words::ago(alert.raised_at, now)];
        rows.push(Row { of, cells, mark: Some(Mark::wait("Above the house's limit")) });
    }
    Ok(Table {
        id: "alerts",
        caption: "Alerts",
        heads: vec!["Of", "In 30 days", "Expected at most", "Raised"],
        rows,
        empty: "What happens more often than the house expects would stand here, with what to look at.",
    })
}

/// `GET /emergency/figures`
pub(super) async fn of_emergencies(
    State(site): State<Arc<Site>>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    match build_emergencies(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "emergencies cannot be counted");
            broken(signed.frame(&site, Some(Area::Emergency)))
        }
    }
}

fn cells(figures: &EmergencyFigures) -> Vec<String> {
    vec![
        figures.count.to_string(),
        figures.unjustified.to_string(),
        figures.open.to_string(),
        took(&figures.review, figures.review.median_micros),
    ]
}

async fn build_emergencies(site: &Site, signed: &Signed, query: &str) -> Result<Figures, StoreError> {
    const HEADS: [&str; 4] = ["Emergencies", "Not justified", "Open", "Reviewed within, median"];
    let (now, (days, code)) = (site.now(), days(query));
    let mut tx = site.parts.store.begin_read().await?;
    let facts = emergencies_between(&mut tx, now.plus_micros(-days * words::DAY), now.plus_micros(1)).await?;
    let all = emergencies(facts.iter().map(|row| ((), row.fact))).remove(&()).unwrap_or_default();
    let mut units: BTreeMap<Id<Person>, String> = BTreeMap::new();
    let (mut persons, mut wards) = (Vec::new(), Vec::new());
    for (person, figures) in most(emergencies(facts.iter().map(|row| (row.reader, row.fact))), |one| one.count) {
        let of = shown(&mut tx, person).await?;
        let mark = more_than(site.pack().desk.emergencies_per_30_days, figures.count, days);
        persons.push(Row { of, cells: cells(&figures), mark });
    }
    for row in &facts {
        if let Entry::Vacant(place) = units.entry(row.reader) {
            let unit = people::unit(&mut tx, row.reader).await?;
            place.insert(unit.unwrap_or_else(|| "not told by HR".to_owned()));
        }
    }
    let of_units = facts.iter().filter_map(|row| Some((units.get(&row.reader)?.clone(), row.fact)));
    for (unit, figures) in most(emergencies(of_units), |one| one.count) {
        let of = Shown { href: String::new(), name: unit, job: String::new() };
        wards.push(Row { of, cells: cells(&figures), mark: None });
    }
    let patients = emergencies(facts.iter().map(|row| (row.patient.clone(), row.fact)));
    let often = patients.values().filter(|one| one.count > 2).count();
    let raised = alerts(site, &mut tx, false).await?;
    let heads = |of| std::iter::once(of).chain(HEADS).collect();
    let closed = all.count.saturating_sub(all.open);
    let tile = |number: String, what: &str, how: String| Tile { number, what: what.to_owned(), how };
    Ok(Figures {
        frame: signed.frame(site, Some(Area::Emergency)),
        crumb: Link { href: "/emergency".to_owned(), label: "Emergency reviews".to_owned() },
        title: "Emergencies in numbers",
        as_of: when(now),
        action: "/emergency/figures",
        days: words::pick(&PERIODS, code),
        tiles: vec![
            tile(all.count.to_string(), "emergencies", format!("Charts opened in emergencies in {days} days.")),
            tile(share(all.unjustified, closed), "not justified", format!("Of those reviewed; {} are not.", all.open)),
            tile(
                took(&all.review, all.review.median_micros),
                "to the review, median",
                format!("Nine of ten within {}.", took(&all.review, all.review.p90_micros)),
            ),
            tile(often.to_string(), "patients", "Whose chart was opened so more than twice.".to_owned()),
        ],
        tables: vec![
            Table {
                id: "people",
                caption: "By person",
                heads: heads("Person"),
                rows: persons,
                empty: "Whoever used Emergency would stand here.",
            },
            Table {
                id: "units",
                caption: "By unit",
                heads: heads("Unit"),
                rows: wards,
                empty: "The units of those who used Emergency would stand here.",
            },
            raised,
        ],
    })
}

/// Whoever decides, those who let everything through unread first.
async fn deciders(tx: &mut Tx, now: Timestamp, days: i64) -> Result<Vec<Row>, StoreError> {
    let facts = decisions_between(tx, now.plus_micros(-days * words::DAY), now.plus_micros(1)).await?;
    let mut all: Vec<_> = approvers(facts).into_iter().collect();
    all.sort_by_key(|(_, figures)| (!figures.is_rubber_stamp(), std::cmp::Reverse(figures.decided)));
    all.truncate(ROWS_MAX);
    let mut rows = Vec::with_capacity(all.len());
    for (person, figures) in all {
        let cells = vec![
            figures.decided.to_string(),
            share(figures.approved, figures.decided),
            took(&figures.look, figures.look.median_micros),
            figures.unread.to_string(),
            figures.batch_max.to_string(),
        ];
        let mark = figures.is_rubber_stamp().then(|| Mark::wait("Says yes to everything unread"));
        rows.push(Row { of: shown(tx, person).await?, cells, mark });
    }
    Ok(rows)
}

/// `GET /requests/figures`
pub(super) async fn of_requests(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_requests(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "requests cannot be counted");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

async fn build_requests(site: &Site, signed: &Signed, query: &str) -> Result<Figures, StoreError> {
    let (now, (days, code)) = (site.now(), days(query));
    let mut tx = site.parts.store.begin_read().await?;
    let facts = requests_between(&mut tx, now.plus_micros(-days * words::DAY), now.plus_micros(1), now).await?;
    let counted = facts.iter().map(|fact| RequestFact {
        submitted_at: fact.submitted_at,
        state: &fact.state,
        decided_at: fact.decided_at,
    });
    let figures = requests(counted, now);
    let from = now.plus_micros(-days * words::DAY);
    let taken = revocations(revocations_between(&mut tx, from, now.plus_micros(1), now).await?, now);
    let mut by_person: BTreeMap<Id<Person>, [usize; 4]> = BTreeMap::new();
    let mut by_role: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let pack = site.pack();
    for fact in &facts {
        let role = words::role(&pack, &fact.role);
        for [all, approved, refused, neither] in
            [by_person.entry(fact.requested_by).or_default(), by_role.entry(role).or_default()]
        {
            *all += 1;
            *match fact.state.as_str() {
                "approved" => approved,
                "denied" => refused,
                _ => neither,
            } += 1;
        }
    }
    let texts = |counts: [usize; 4]| counts.map(|count| count.to_string()).to_vec();
    let (mut persons, mut roles, often) = (Vec::new(), Vec::new(), pack.desk.requests_per_30_days);
    for (person, counts) in most(by_person, |counts| counts[0]) {
        let mark = more_than(often, counts[0], days);
        persons.push(Row { of: shown(&mut tx, person).await?, cells: texts(counts), mark });
    }
    for (name, counts) in most(by_role, |counts| counts[0]) {
        let of = Shown { href: String::new(), name, job: String::new() };
        roles.push(Row { of, cells: texts(counts), mark: more_than(often, counts[0], days) });
    }
    let deciding = deciders(&mut tx, now, days).await?;
    let raised = alerts(site, &mut tx, true).await?;
    let heads = |of| vec![of, "Requests", "Approved", "Refused", "Neither"];
    let tile = |number: String, what: &str, how: String| Tile { number, what: what.to_owned(), how };
    let nine = |durations: &Durations| {
        let mean = took(durations, durations.mean_micros);
        format!("Mean {mean}; nine of ten within {}.", took(durations, durations.p90_micros))
    };
    Ok(Figures {
        frame: signed.frame(site, Some(Area::Requests)),
        crumb: Link { href: "/requests".to_owned(), label: "Requests".to_owned() },
        title: "Requests in numbers",
        as_of: when(now),
        action: "/requests/figures",
        days: words::pick(&PERIODS, code),
        tiles: vec![
            tile(took(&figures.approved, figures.approved.median_micros), "to a yes, median", nine(&figures.approved)),
            tile(took(&figures.refused, figures.refused.median_micros), "to a no, median", nine(&figures.refused)),
            tile(
                figures.pending.count.to_string(),
                "wait",
                match figures.pending.median_micros {
                    _ if figures.pending.count == 0 => "Nobody does.".to_owned(),
                    median => format!("Counted in neither of the two; for {}, median.", words::length(median)),
                },
            ),
            tile(
                brief(&taken.confirmed, taken.confirmed.mean_micros),
                "until every node refuses what was taken back, mean",
                match taken.open.count {
                    0 => format!("Of {} in {days} days; none is open.", taken.confirmed.count),
                    open => format!(
                        "Of {}; {open} not yet confirmed, for {}, mean.",
                        taken.confirmed.count,
                        words::length(taken.open.mean_micros)
                    ),
                },
            ),
            tile(
                figures.expired.to_string(),
                "nobody decided",
                format!("In time; so they were not given. {} were withdrawn.", figures.withdrawn),
            ),
        ],
        tables: vec![
            Table {
                id: "people",
                caption: "By who asks",
                heads: heads("Person"),
                rows: persons,
                empty: "Whoever asks for extra access would stand here.",
            },
            Table {
                id: "roles",
                caption: "By role",
                heads: heads("Role"),
                rows: roles,
                empty: "Roles in which extra access is asked for would stand here: often the same, and it lacks something.",
            },
            Table {
                id: "deciders",
                caption: "By who decides",
                heads: vec!["Person", "Decided", "Approved", "Waited, median", "Within three seconds", "At one go"],
                rows: deciding,
                empty: "Whoever decides on requests would stand here.",
            },
            raised,
        ],
    })
}
