//! The register of everything outside of a role: who may open which record beyond it, why, who agreed, until when.

use super::{Form, Signed, Site, broken, exports, id, kinds, page, people, when, words};
use crate::pages::exceptions::list::{ExceptionRow, Exceptions};
use crate::pages::parts::{Order, Paging, Person as Shown, Sort};
use crate::words::{Area, ExceptionKind, Mark};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::Rules as _;
use scruple_core::{Id, Timestamp};
use scruple_flow::{AccessRequest, Elevation, ElevationKind, Kinds, Person, RequestState};
use scruple_policy::{Act, Broad, Pack};
use scruple_store::{
    ElevationFilter, StoreError, Tx, count_accesses_under, count_elevations, find_request, list_elevations_by_end,
    list_elevations_by_start,
};
use std::sync::Arc;

/// What ends within so long is marked.
const SOON_MICROS: i64 = words::DAY;
/// Rows of a page.
const ROWS_MAX: usize = 50;
const KINDS: [(&str, &str); 5] = [
    ("", "all"),
    ("asked", "extra access"),
    ("declared", "declared care"),
    ("emergency", "emergency"),
    (BROAD, "broad role"),
];
/// Roles that are broad by an exception of the pack: they are no elevations.
const BROAD: &str = "broad";
/// Rows of a list that is taken along.
const EXPORT_ROWS_MAX: usize = 20_000;

/// `GET /exceptions`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "exceptions cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

/// Which part of the register is asked for.
#[derive(Clone, Copy)]
struct Part {
    kind: &'static str,
    is_open: bool,
    /// By when they were opened, the last one first; else by their end.
    by_since: bool,
}

impl Part {
    fn of(kind: &str, state: &str, sort: &str) -> Self {
        let kind = KINDS.iter().map(|(code, _)| *code).find(|code| *code == kind).unwrap_or_default();
        Self { kind, is_open: state != "over", by_since: sort == "since" }
    }

    const fn state(self) -> &'static str {
        if self.is_open { "active" } else { "over" }
    }

    const fn sort(self) -> &'static str {
        if self.by_since { "since" } else { "until" }
    }

    /// Where an elevation stands in the order.
    fn place(self, elevation: &Elevation) -> Timestamp {
        if self.by_since { elevation.granted_at } else { elevation.held.window.ends_at() }
    }

    /// The elevations of it; none: it has broad roles alone.
    fn filter(self, at: Timestamp) -> Option<ElevationFilter> {
        let kind = Some(self.kind).filter(|kind| !kind.is_empty());
        (self.kind != BROAD).then_some(ElevationFilter { at, is_open: self.is_open, kind })
    }

    /// The broad roles of it, in the order of the list.
    fn broad(self, pack: &Pack, now: Timestamp) -> Vec<&Broad> {
        let all = pack.broad.iter().filter(|one| self.is_open == (one.until > now));
        let mut all: Vec<&Broad> = all.filter(|_| matches!(self.kind, "" | BROAD)).collect();
        all.sort_by_key(|one| (one.until, one.role.clone()));
        if !self.is_open {
            all.reverse();
        }
        all
    }
}

type Place = (Timestamp, Id<Elevation>);

/// One page of the register: its rows by their end, and behind what it goes on.
async fn page_of(
    site: &Site,
    signed: &Signed,
    (part, now): (Part, Timestamp),
    after: Option<Place>,
) -> Result<(Vec<ExceptionRow>, Option<Place>), StoreError> {
    let (pack, mut tx) = (site.pack(), site.parts.store.begin_read().await?);
    let mut found = match part.filter(now) {
        Some(filter) if part.by_since => list_elevations_by_start(&mut tx, filter, after).await?,
        Some(filter) => list_elevations_by_end(&mut tx, filter, after).await?,
        None => Vec::new(),
    };
    let more = found.len() > ROWS_MAX;
    found.truncate(ROWS_MAX);
    let next = found.last().filter(|_| more).map(|last| (part.place(last), last.held.id));
    // A broad role stands on the page of those that end as it does; when it was opened, the policy does not say.
    let is_here = |until: Timestamp| {
        if part.by_since {
            return after.is_none();
        }
        let behind = after.is_none_or(|(end, _)| if part.is_open { end < until } else { until < end });
        behind && next.is_none_or(|(end, _)| if part.is_open { until <= end } else { end <= until })
    };
    let mut rows: Vec<(Timestamp, ExceptionRow)> = Vec::with_capacity(found.len());
    for elevation in &found {
        rows.push((part.place(elevation), row(site, signed, &mut tx, elevation).await?));
    }
    for broad in part.broad(&pack, now).into_iter().filter(|broad| is_here(broad.until)) {
        let place = if part.by_since { Timestamp::from_micros(i64::MAX) } else { broad.until };
        rows.push((place, broad_row(&pack, broad, now)));
    }
    rows.sort_by_key(|(place, _)| *place);
    if part.by_since || !part.is_open {
        rows.reverse();
    }
    Ok((rows.into_iter().map(|(_, row)| row).collect(), next))
}

/// How many there are of it, on all pages.
async fn total(site: &Site, part: Part, now: Timestamp) -> Result<usize, StoreError> {
    let opened = match part.filter(now) {
        Some(filter) => count_elevations(&mut site.parts.store.begin_read().await?, filter).await?,
        None => 0,
    };
    Ok(usize::try_from(opened).unwrap_or_default().saturating_add(part.broad(&site.pack(), now).len()))
}

async fn build(site: &Site, signed: &Signed, query: &str) -> Result<Exceptions, StoreError> {
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let now = site.now();
    let part = Part::of(asked("kind"), asked("state"), asked("sort"));
    let (kind, state, sort) = (part.kind, part.state(), part.sort());
    let after = asked("after").split_once('.');
    let after = after.and_then(|(end, last)| Some((Timestamp::from_micros(end.parse().ok()?), id::<Elevation>(last)?)));
    let (rows, next) = page_of(site, signed, (part, now), after).await?;
    let next = next
        .map(|(end, last)| format!("/exceptions?kind={kind}&state={state}&sort={sort}&after={}.{last}", end.micros()));
    Ok(Exceptions {
        frame: signed.frame(site, Some(Area::Requests)),
        as_of: when(now),
        kind: words::pick(&KINDS, kind),
        state: words::pick(&[("active", "in force"), ("over", "over")], state),
        by_since: Sort {
            href: format!("/exceptions?kind={kind}&state={state}&sort=since"),
            order: if part.by_since { Order::Down } else { Order::Unsorted },
        },
        by_until: Sort {
            href: format!("/exceptions?kind={kind}&state={state}"),
            order: if part.by_since {
                Order::Unsorted
            } else if part.is_open {
                Order::Up
            } else {
                Order::Down
            },
        },
        paging: Paging {
            first: usize::from(!rows.is_empty()),
            last: rows.len(),
            all: total(site, part, now).await?,
            before: None,
            after: next,
        },
        rows,
        export: format!("/exceptions/export?kind={kind}&state={state}"),
    })
}

fn broad_row(pack: &Pack, broad: &Broad, now: Timestamp) -> ExceptionRow {
    let is_over = broad.until <= now;
    let role = pack.roles.get(&broad.role).map_or_else(|| broad.role.clone(), |role| role.label.clone());
    ExceptionRow {
        href: format!("/roles/{}", broad.role),
        kind: ExceptionKind::Broad,
        person: Shown { href: String::new(), name: role, job: "a role of the policy".to_owned() },
        patients: "every kind of information".to_owned(),
        reason: broad.reason.clone(),
        approver: Some(Shown { href: String::new(), name: broad.approved_by.clone(), job: String::new() }),
        scope: "by a signed exception".to_owned(),
        since: None,
        lasted: String::new(),
        reads: None,
        each: None,
        until: when(broad.until),
        left: if is_over { format!("ended {}", words::ago(broad.until, now)) } else { words::left(broad.until, now) },
        soon: !is_over && broad.until <= now.plus_micros(SOON_MICROS),
        state: if is_over { Mark::over("Over") } else { Mark::good("In force") },
        end: None,
    }
}

/// `GET /exceptions/export`: what is read before the list is taken along.
pub(super) async fn confirm_export(
    State(site): State<Arc<Site>>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    ask_export(&site, &signed, Part::of(asked("kind"), asked("state"), ""), StatusCode::OK).await
}

async fn ask_export(site: &Site, signed: &Signed, part: Part, status: StatusCode) -> Response {
    let count = match total(site, part, site.now()).await {
        Ok(count) => count,
        Err(_) => return broken(signed.frame(site, Some(Area::Requests))),
    };
    let hidden = [("kind", part.kind), ("state", part.state())];
    let view = exports::Asked {
        action: "/exceptions/export".to_owned(),
        question: format!("Take {count} exceptions along?"),
        holds: vec![
            "Who may open what outside of a role, why, who agreed, since when and until when, how much was read."
                .to_owned(),
            "Record numbers by their last four digits.".to_owned(),
        ],
        hidden: hidden.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        formats: &[("csv", "CSV")],
        back: "/exceptions".to_owned(),
    };
    exports::ask(site, signed, view, status)
}

/// `POST /exceptions/export`: the list as CSV, the same rows as on the pages.
pub(super) async fn export(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let part = Part::of(form.text("kind"), form.text("state"), "");
    if !exports::is_read(&site, &form) {
        site.refused("/exceptions/export", "reminder_not_read", Some(signed.person())).await;
        return ask_export(&site, &signed, part, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    match table(&site, &signed, part).await {
        Ok((rows, text)) => {
            exports::give(
                &site,
                &signed,
                &form,
                ("exceptions", rows, part.kind),
                ("text/csv; charset=utf-8", "exceptions.csv", text),
            )
            .await
        }
        Err(error) => {
            tracing::error!(error = %error, "exceptions cannot be taken along");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

async fn table(site: &Site, signed: &Signed, part: Part) -> Result<(usize, String), StoreError> {
    let now = site.now();
    let mut text =
        "kind,who,in the role,patient,kinds of information,why,agreed to by,since,until,lasts,reads,state\r\n"
            .to_owned();
    let (mut count, mut after) = (0, None);
    loop {
        let (rows, next) = page_of(site, signed, (part, now), after).await?;
        count += rows.len();
        for row in rows {
            let cells = [
                row.kind.word().to_owned(),
                row.person.name,
                row.person.job,
                row.patients,
                row.scope,
                row.reason,
                row.approver.map(|approver| approver.name).unwrap_or_default(),
                row.since.map(|since| since.iso).unwrap_or_default(),
                row.until.iso,
                row.lasted,
                row.reads.map(|count| count.to_string()).unwrap_or_default(),
                row.state.word.to_owned(),
            ];
            text.push_str(&cells.map(|cell| words::cell(&cell)).join(","));
            text.push_str("\r\n");
        }
        match next {
            Some(place) if count < EXPORT_ROWS_MAX => after = Some(place),
            _ => return Ok((count, text)),
        }
    }
}

/// Who said yes last to what was asked for.
pub(super) fn approver(request: Option<&AccessRequest>) -> Option<Id<Person>> {
    match &request?.state {
        RequestState::Approved { approvals, .. } => approvals.last().map(|approval| approval.by),
        _ => None,
    }
}

async fn shown(tx: &mut Tx, person: Id<Person>, links: bool, job: String) -> Result<Shown, StoreError> {
    let name = people::name(tx, person).await?;
    Ok(Shown { href: if links { format!("/people/{person}") } else { String::new() }, name, job })
}

async fn row(site: &Site, signed: &Signed, tx: &mut Tx, elevation: &Elevation) -> Result<ExceptionRow, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let held = &elevation.held;
    let until = elevation.ended.map_or(held.window.ends_at(), |end| end.at.min(held.window.ends_at()));
    let links = signed.may(&pack, Act::People);
    let request = match held.kind {
        ElevationKind::Asked { request } => find_request(tx, request).await?,
        ElevationKind::Declared(_) | ElevationKind::Emergency { .. } => None,
    };
    let (kind, said, href) = match held.kind {
        ElevationKind::Asked { request } => (ExceptionKind::Extra, None, format!("/requests/{request}")),
        ElevationKind::Declared(reason) => {
            (ExceptionKind::Declared, Some(words::declared(reason)), format!("/people/{}", held.person))
        }
        ElevationKind::Emergency { reason, review } => {
            (ExceptionKind::Emergency, Some(words::emergency(reason)), format!("/emergency/{review}"))
        }
    };
    let written = elevation.justification.expose();
    let reason = match said {
        Some(said) if written.is_empty() => said.to_owned(),
        Some(said) => format!("{said}: {written}"),
        None => written.clone(),
    };
    let approver = match approver(request.as_ref()) {
        Some(by) => Some(shown(tx, by, links, String::new()).await?),
        None => None,
    };
    let is_over = until <= now;
    let reads = u64::try_from(count_accesses_under(tx, held.id).await?).unwrap_or_default();
    let scope = match &held.kinds {
        Kinds::Whole => "all kinds of the role".to_owned(),
        named @ Kinds::Named(_) => {
            kinds::named(&pack, named).into_iter().map(|kind| kind.words).collect::<Vec<_>>().join(", ")
        }
    };
    let may_end = pack.scope(Act::EndAccess, &signed.roles).is_some();
    Ok(ExceptionRow {
        href,
        kind,
        person: shown(tx, held.person, links, words::role(&pack, &held.role)).await?,
        patients: words::chart(held.patient.id()),
        reason,
        approver,
        scope,
        since: Some(when(elevation.granted_at)),
        lasted: words::length(until.micros().saturating_sub(held.window.starts_at().micros())),
        reads: Some(reads),
        each: signed.may(&pack, Act::Charts).then(|| format!("/reads/chart/{}", held.id)),
        until: when(until),
        left: if is_over { format!("ended {}", words::ago(until, now)) } else { words::left(until, now) },
        soon: !is_over && until <= now.plus_micros(SOON_MICROS),
        state: if is_over { Mark::over("Over") } else { Mark::good("In force") },
        end: (!is_over && may_end).then(|| format!("/people/{}/end/chart/{}", held.person, held.id)),
    })
}
