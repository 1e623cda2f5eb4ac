//! The lists of requests: one's own, those to decide, those that one has decided, everybody's.

use super::{
    Area, Signed, Site, Standing, StateMark, broken, id, kinds, page, shown, standing, when, with_done, words,
};
use crate::pages::parts::{Coded, Order, Paging, Sort};
use crate::pages::requests::list::{RequestRow, Requests};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::Rules as _;
use scruple_flow::AccessRequest;
use scruple_policy::{Act, ActScope, Pack};
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{StoreError, list_pending_requests, list_requests, list_requests_decided_by, list_requests_of};
use std::sync::Arc;

/// A request as a row.
pub(in crate::serve) async fn row(
    site: &Site,
    request: &AccessRequest,
    stands: &Standing,
    for_me: bool,
) -> Result<RequestRow, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    Ok(RequestRow {
        href: format!("/requests/{}", request.id),
        person: shown(site, request.person).await?,
        what: vec![what(&pack, request)],
        patients: words::patients(request),
        purpose: words::purpose(request.wanted.purpose.as_deref()),
        asked: when(request.submitted_at),
        age: words::ago(request.submitted_at, now),
        until: when(stands.until),
        state: stands.state.mark(),
        for_me,
    })
}

pub(super) fn what(pack: &Pack, request: &AccessRequest) -> Coded {
    let role = words::role_coded(pack, &request.wanted.role);
    match request.wanted.kinds.codes() {
        _ if request.wanted.patients.is_empty() => role,
        None => Coded { words: format!("everything in charts, as {}", role.words), ..role },
        Some(codes) if codes.len() == 1 => {
            Coded { words: format!("one kind of information, as {}", role.words), ..role }
        }
        Some(codes) => Coded { words: format!("{} kinds of information, as {}", codes.len(), role.words), ..role },
    }
}

/// The same, kind by kind.
pub(super) fn whats(pack: &Pack, request: &AccessRequest) -> Vec<Coded> {
    match request.wanted.kinds.codes() {
        Some(_) => kinds::named(pack, &request.wanted.kinds),
        None => vec![what(pack, request)],
    }
}

pub(in crate::serve) async fn list(
    State(site): State<Arc<Site>>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "requests cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<Requests, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let may_all = pack.scope(Act::Requests, &signed.roles) == Some(ActScope::All);
    let may_decide = signed.may_or_stands_in(&pack, Act::Decide);
    let mut whose = vec![("mine", "Mine")];
    if may_decide {
        whose.extend([("decide", "To decide"), ("decided", "Decided by me")]);
    }
    if may_all {
        whose.push(("all", "All"));
    }
    let chosen = asked("whose");
    let chosen =
        if whose.iter().any(|(code, _)| *code == chosen) { chosen } else { whose.get(1).map_or("mine", |one| one.0) };
    let (wanted, before) = (asked("state"), id::<AccessRequest>(asked("before")));
    let mut tx = site.parts.store.begin_read().await?;
    let all = match (chosen, wanted) {
        ("mine", _) => list_requests_of(&mut tx, signed.person(), before).await?,
        ("decided", _) => list_requests_decided_by(&mut tx, signed.person(), before).await?,
        ("all", wanted) if wanted != "waiting" => list_requests(&mut tx, before).await?,
        _ => list_pending_requests(&mut tx, now).await?,
    };
    // Lists of what waits are by when it has to be decided, and have one page.
    let is_paged = chosen != "decide" && (chosen, wanted) != ("all", "waiting");
    let older = all.last().filter(|_| is_paged && all.len() >= usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX));
    let older = older.map(|last| format!("/requests?whose={chosen}&state={wanted}&before={}", last.id));
    let states = [("", "Any"), ("waiting", "Waiting"), ("active", "Active"), ("refused", "Refused"), ("over", "Over")];
    let is_wanted = |state: StateMark| match (wanted, state) {
        ("waiting", state) => state == StateMark::Waiting,
        ("active", state) => matches!(state, StateMark::Active | StateMark::Approved),
        ("refused", state) => state == StateMark::Refused,
        ("over", state) => {
            !matches!(state, StateMark::Waiting | StateMark::Active | StateMark::Approved | StateMark::Refused)
        }
        _ => true,
    };
    let mut kept = Vec::new();
    for request in all {
        let is_mine = chosen != "decide" || signed.viewer.may_decide(&request, now);
        if !is_mine {
            continue;
        }
        let stands = standing(&mut tx, &request, now).await?;
        if is_wanted(stands.state) {
            kept.push((request, stands));
        }
    }
    drop(tx);
    let by = asked("sort");
    if by == "until" {
        kept.sort_by_key(|(request, _)| request.wanted.window.ends_at());
    }
    let mut rows = Vec::with_capacity(kept.len());
    for (request, stands) in &kept {
        rows.push(row(site, request, stands, signed.viewer.may_decide(request, now)).await?);
    }
    let sort = |code: &str| Sort {
        href: format!("/requests?whose={chosen}&state={wanted}&sort={code}"),
        order: if by == code || by.is_empty() && code == "age" { Order::Down } else { Order::Unsorted },
    };
    Ok(Requests {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        as_of: when(now),
        state: words::pick(&states, wanted),
        whose: words::pick(&whose, chosen),
        by_age: sort("age"),
        by_until: sort("until"),
        paging: Paging {
            first: usize::from(!rows.is_empty()),
            last: rows.len(),
            all: rows.len(),
            before: None,
            after: older,
        },
        rows,
        exceptions: signed.may(&pack, Act::Exceptions).then(|| "/exceptions".to_owned()),
        uses: may_decide.then(|| "/uses".to_owned()),
        figures: signed.may(&pack, Act::Requests).then(|| "/requests/figures".to_owned()),
        export: String::new(),
    })
}
