//! The register of everything outside of a role: who may open which record beyond it, why, who agreed, until when.

use super::{Signed, Site, broken, id, page, people, when, words};
use crate::pages::exceptions::list::{ExceptionRow, Exceptions};
use crate::pages::parts::{Order, Paging, Person as Shown, Sort};
use crate::words::{Area, ExceptionKind, Mark};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::Rules as _;
use scruple_core::{Id, Timestamp};
use scruple_flow::{AccessRequest, Elevation, ElevationKind, Person, RequestState};
use scruple_policy::Act;
use scruple_store::{ElevationFilter, StoreError, Tx, find_request, list_elevations_by_end};
use std::sync::Arc;

/// What ends within so long is marked.
const SOON_MICROS: i64 = words::DAY;
/// Rows of a page.
const ROWS_MAX: usize = 50;
const KINDS: [(&str, &str); 4] =
    [("", "all"), ("asked", "extra access"), ("declared", "declared care"), ("emergency", "emergency")];

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

async fn build(site: &Site, signed: &Signed, query: &str) -> Result<Exceptions, StoreError> {
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let now = site.now();
    let kind = KINDS.iter().map(|(code, _)| *code).find(|code| *code == asked("kind")).unwrap_or_default();
    let is_open = asked("state") != "over";
    let filter = ElevationFilter { at: now, is_open, kind: Some(kind).filter(|kind| !kind.is_empty()) };
    let after = asked("after").split_once('.');
    let after = after.and_then(|(end, last)| Some((Timestamp::from_micros(end.parse().ok()?), id::<Elevation>(last)?)));
    let mut tx = site.parts.store.begin_read().await?;
    let mut found = list_elevations_by_end(&mut tx, filter, after).await?;
    let more = found.len() > ROWS_MAX;
    found.truncate(ROWS_MAX);
    let state = if is_open { "active" } else { "over" };
    let next = found.last().filter(|_| more).map(|last| {
        let end = last.held.window.ends_at().micros();
        format!("/exceptions?kind={kind}&state={state}&after={end}.{}", last.held.id)
    });
    let mut rows = Vec::with_capacity(found.len());
    for elevation in &found {
        rows.push(row(site, signed, &mut tx, elevation).await?);
    }
    Ok(Exceptions {
        frame: signed.frame(site, Some(Area::Requests)),
        as_of: when(now),
        kind: words::pick(&KINDS, kind),
        state: words::pick(&[("active", "in force"), ("over", "over")], state),
        by_until: Sort {
            href: format!("/exceptions?kind={kind}&state={state}"),
            order: if is_open { Order::Up } else { Order::Down },
        },
        paging: Paging {
            first: usize::from(!rows.is_empty()),
            last: rows.len(),
            all: rows.len(),
            before: None,
            after: next,
        },
        rows,
        export: String::new(),
    })
}

/// Who said yes last to what was asked for.
fn approver(request: Option<&AccessRequest>) -> Option<Id<Person>> {
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
    let may_end = pack.scope(Act::EndAccess, &signed.roles).is_some();
    Ok(ExceptionRow {
        href,
        kind,
        person: shown(tx, held.person, links, words::role(&pack, &held.role)).await?,
        patients: words::last_four(held.patient.id()),
        reason,
        approver,
        until: when(until),
        left: if is_over { format!("ended {}", words::ago(until, now)) } else { words::left(until, now) },
        soon: !is_over && until <= now.plus_micros(SOON_MICROS),
        state: if is_over { Mark::over("Over") } else { Mark::good("In force") },
        end: (!is_over && may_end).then(|| format!("/people/{}/end/chart/{}", held.person, held.id)),
    })
}
