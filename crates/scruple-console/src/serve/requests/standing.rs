//! Where a request stands, with what became of what it opened, and how that is ended before its time.

use super::{
    Area, Confirm, Form, Happened, Mark, Signed, Site, StateMark, broken, done, find, not_done, page, shown, unknown,
    when, words,
};
use crate::serve::access::Ending;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{Opened, opened_by};
use scruple_core::Timestamp;
use scruple_flow::{AccessRequest, RequestState, Revocation};
use scruple_policy::{Act, Pack};
use scruple_store::{StoreError, Tx};
use std::sync::Arc;

/// Ends that are so near to each other are one act.
const ONE_ACT_MICROS: i64 = 60_000_000;

/// Where a request stands: what it opened may have been ended since.
pub(in crate::serve) struct Standing {
    pub(in crate::serve) state: StateMark,
    /// Until when what it opened lasts, or lasted.
    pub(in crate::serve) until: Timestamp,
    /// When somebody or the time answered it, or ended what it opened; none: it waits.
    pub(in crate::serve) answered_at: Option<Timestamp>,
}

impl Standing {
    pub(super) fn of(request: &AccessRequest, opened: &Opened, now: Timestamp) -> Self {
        let ends_at = request.wanted.window.ends_at();
        let answered_at = match request.state_at(now) {
            RequestState::Draft | RequestState::Pending { .. } => None,
            RequestState::Approved { at, .. }
            | RequestState::Denied { at, .. }
            | RequestState::Expired { at }
            | RequestState::Cancelled { at, .. }
            | RequestState::Failed { at } => Some(at),
        };
        match opened.ended() {
            Some(end) => Self { state: StateMark::Ended, until: end.at, answered_at: Some(end.at) },
            None => {
                let state = words::state(request, now);
                let is_over = state == StateMark::Expired;
                Self { state, until: ends_at, answered_at: if is_over { Some(ends_at) } else { answered_at } }
            }
        }
    }
}

/// The same, looked up.
pub(in crate::serve) async fn standing(
    tx: &mut Tx,
    request: &AccessRequest,
    now: Timestamp,
) -> Result<Standing, StoreError> {
    Ok(Standing::of(request, &opened_by(tx, request).await?, now))
}

/// The ends before their time, in words.
pub(super) async fn ends(site: &Site, request: &AccessRequest, opened: &Opened) -> Result<Vec<Happened>, StoreError> {
    let mut acts: Vec<(Revocation, usize)> = Vec::new();
    for end in opened.ends() {
        match acts.last_mut() {
            Some((last, count)) if last.by == end.by && end.at.micros() - last.at.micros() < ONE_ACT_MICROS => {
                (*last, *count) = (end, *count + 1);
            }
            _ => acts.push((end, 1)),
        }
    }
    let (all, mut ended) = (opened.count(), 0);
    let mut told = Vec::with_capacity(acts.len());
    for (end, count) in acts {
        ended += count;
        let name = shown(site, end.by).await?.name;
        let did = if end.by == request.person { "gave it back" } else { "ended it" };
        let part = if count == all { String::new() } else { format!(" for {count} of {all} patients") };
        let mark = if ended == all { StateMark::Ended.mark() } else { Mark::over("Ended in part") };
        told.push(Happened { at: when(end.at), mark, sentence: format!("{name} {did}{part}."), said: None });
    }
    Ok(told)
}

/// What of it can be ended now, if somebody may end it: who has it or asked for it, who agreed to it, who oversees access.
pub(super) fn open(
    pack: &Pack,
    signed: &Signed,
    (request, opened): (&AccessRequest, Opened),
    now: Timestamp,
) -> Vec<Ending> {
    let me = signed.person();
    let agreed = match (&opened.role, &request.state) {
        (Some(grant), _) => grant.approved_by == me,
        (None, RequestState::Approved { approvals, .. }) => approvals.iter().any(|approval| approval.by == me),
        (None, _) => false,
    };
    let may =
        signed.viewer.is_involved(request) || agreed || signed.viewer.reaches(pack, Act::EndAccess, request.person);
    if !may {
        return Vec::new();
    }
    let role = opened.role.filter(|one| one.revoked.is_none() && one.held.window.ends_at() > now);
    let charts = opened.charts.into_iter().filter(|one| one.ended.is_none() && one.held.window.ends_at() > now);
    role.map(Ending::Role).into_iter().chain(charts.map(Ending::Chart)).collect()
}

/// A request of an address with what of it somebody may end now; none where that is nothing.
async fn endable(
    site: &Site,
    signed: &Signed,
    request: &str,
) -> Result<Option<(AccessRequest, Vec<Ending>)>, StoreError> {
    let Some(request) = find(site, signed, request).await? else { return Ok(None) };
    let opened = opened_by(&mut site.parts.store.begin_read().await?, &request).await?;
    let open = open(&site.pack(), signed, (&request, opened), site.now());
    Ok(Some((request, open)).filter(|(_, open)| !open.is_empty()))
}

/// `GET /requests/{id}/end`
pub(in crate::serve) async fn confirm_end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
) -> Response {
    match endable(&site, &signed, &request).await {
        Ok(Some((request, open))) => {
            let back = format!("/requests/{}", request.id);
            let rights = match open.len() {
                1 => "Removes 1 right.".to_owned(),
                many => format!("Removes {many} rights."),
            };
            let view = Confirm {
                frame: signed.frame(&site, Some(Area::Requests)),
                csrf: signed.csrf.clone(),
                action: format!("{back}/end"),
                failed: None,
                question: "End what this request has opened?".to_owned(),
                effects: vec![
                    rights,
                    "It takes effect in 1 second, everywhere.".to_owned(),
                    "To have it again, the person asks for it anew.".to_owned(),
                ],
                hidden: Vec::new(),
                reason: None,
                button: "End it now".to_owned(),
                back,
            };
            page(StatusCode::OK, &view)
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => broken(signed.frame(&site, Some(Area::Requests))),
    }
}

/// `POST /requests/{id}/end`
pub(in crate::serve) async fn end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    _: Form,
) -> Response {
    match endable(&site, &signed, &request).await {
        Ok(Some((request, open))) => {
            for right in open {
                if let Err(error) = right.end(&site, &signed).await {
                    return not_done(&site, &signed, "/requests/{id}/end", &error).await;
                }
            }
            done(&format!("/requests/{}", request.id), "ended")
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => broken(signed.frame(&site, Some(Area::Requests))),
    }
}
