//! One exception to take along: every field, and for each event its place in the ledger with the hash that it must have there (JX-03).

use super::{Area, Form, Signed, Site, broken, find, unknown, words};
use crate::serve::exports;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{EventLink, Exception, Rules as _, exception};
use scruple_core::{ENGINE_VERSION, Id, Timestamp};
use scruple_flow::{AccessRequest, Approval, Kinds, PatientRef, Person, RequestState};
use scruple_policy::{Act, ActScope};
use scruple_store::{StoreError, find_person};
use serde_json::{Value, json};
use std::sync::Arc;

const FORMATS: &[(&str, &str)] = &[("csv", "CSV"), ("json", "JSON")];

async fn seen(site: &Site, signed: &Signed, text: &str) -> Result<AccessRequest, Response> {
    match find(site, signed, text).await {
        Ok(Some(request)) => Ok(request),
        Ok(None) => Err(unknown(signed.frame(site, Some(Area::Requests)))),
        Err(_) => Err(broken(signed.frame(site, Some(Area::Requests)))),
    }
}

/// `GET /requests/{id}/export`
pub(in crate::serve) async fn confirm(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
) -> Response {
    match seen(&site, &signed, &request).await {
        Ok(request) => ask(&site, &signed, &request, StatusCode::OK),
        Err(answer) => answer,
    }
}

fn ask(site: &Site, signed: &Signed, request: &AccessRequest, status: StatusCode) -> Response {
    let back = format!("/requests/{}", request.id);
    let view = exports::Asked {
        action: format!("{back}/export"),
        question: "Take this exception along?".to_owned(),
        holds: vec![
            "What was asked for and why, who agreed, what it opened, how it ended.".to_owned(),
            "Each event with its place in the ledger and its hash.".to_owned(),
        ],
        hidden: Vec::new(),
        formats: FORMATS,
        back,
    };
    exports::ask(site, signed, view, status)
}

/// `POST /requests/{id}/export`
pub(in crate::serve) async fn export(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    form: Form,
) -> Response {
    let request = match seen(&site, &signed, &request).await {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if !exports::is_read(&site, &form) {
        site.refused("/requests/{id}/export", "reminder_not_read", Some(signed.person())).await;
        return ask(&site, &signed, &request, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let told = match told(&site, &signed, &request).await {
        Ok(Some(told)) => told,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Requests))),
        Err(error) => {
            tracing::error!(error = %error, "an exception cannot be taken along");
            return broken(signed.frame(&site, Some(Area::Requests)));
        }
    };
    let file = if form.text("format") == "json" {
        let text = serde_json::to_string_pretty(&told).unwrap_or_default();
        ("application/json", "exception.json", text)
    } else {
        let mut text = "field,value\r\n".to_owned();
        flat("", &told, &mut text);
        ("text/csv; charset=utf-8", "exception.csv", text)
    };
    exports::give(&site, &signed, &form, ("exception", 1, &request.id.to_string()), file).await
}

/// A line for each value, named by its way: `approvals.0.by.login`.
fn flat(way: &str, value: &Value, text: &mut String) {
    let below = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, one)| flat(&below(name), one, text)),
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(place, one)| flat(&below(&place.to_string()), one, text))
        }
        Value::Null => {}
        one => {
            let plain = one.as_str().map_or_else(|| one.to_string(), str::to_owned);
            text.push_str(&format!("{},{}\r\n", words::cell(way), words::cell(&plain)));
        }
    }
}

async fn person(site: &Site, id: Id<Person>) -> Result<Value, StoreError> {
    let found = find_person(&mut site.parts.store.begin_read().await?, id).await?;
    let (login, name) = found.map(|one| (one.login.into_inner(), one.name.into_inner())).unwrap_or_default();
    Ok(json!({ "id": id.to_string(), "login": login, "name": name }))
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn linked(link: &EventLink) -> Value {
    json!({
        "event": link.kind,
        "of": link.aggregate,
        "version": link.version,
        "at": time(link.at),
        "shard": link.origin.0,
        "position": link.origin.1,
        "entry_sha256": link.entry.as_deref().map(sha256),
        "facts_sha256": sha256(link.facts.expose()),
    })
}

async fn approved(site: &Site, approvals: &[Approval]) -> Result<Vec<Value>, StoreError> {
    let mut all = Vec::with_capacity(approvals.len());
    for one in approvals {
        let acting_for = match one.acting_for {
            Some(other) => person(site, other).await?,
            None => Value::Null,
        };
        let by = person(site, one.by).await?;
        all.push(json!({ "by": by, "acting_for": acting_for, "as": one.kind.to_string(), "at": time(one.at) }));
    }
    Ok(all)
}

/// The kinds of information by their codes; all that the role has: `*`.
fn kinds_told(kinds: &Kinds) -> Value {
    kinds.codes().map_or_else(|| json!("*"), |codes| json!(codes.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// All of it. The numbers of records are whole for those who handle complaints, and their last four digits for others.
async fn told(site: &Site, signed: &Signed, request: &AccessRequest) -> Result<Option<Value>, StoreError> {
    let Some(found) = exception(&site.parts.store, request.id).await? else { return Ok(None) };
    let is_whole = site.pack().scope(Act::Charts, &signed.roles) == Some(ActScope::All);
    let patient = |one: &PatientRef| if is_whole { one.id().to_owned() } else { words::last_four(one.id()) };
    let Exception { request, grant, opened, events } = found;
    let state = request.state_at(site.now());
    let (approvals, comment, decided) = match &state {
        RequestState::Pending { approvals } => (approvals.clone(), None, None),
        RequestState::Approved { approvals, at } => (approvals.clone(), None, Some((*at, None))),
        RequestState::Denied { by, at, comment } => {
            (Vec::new(), Some(comment.expose().clone()), Some((*at, Some(*by))))
        }
        RequestState::Cancelled { by, at } => (Vec::new(), None, Some((*at, Some(*by)))),
        RequestState::Expired { at } | RequestState::Failed { at } => (Vec::new(), None, Some((*at, None))),
        RequestState::Draft => (Vec::new(), None, None),
    };
    let decided_by = match decided.and_then(|(_, by)| by) {
        Some(by) => person(site, by).await?,
        None => Value::Null,
    };
    let wanted = &request.wanted;
    let opened: Vec<Value> = opened
        .iter()
        .map(|one| {
            json!({
                "elevation": one.held.id.to_string(),
                "patient": patient(&one.held.patient),
                "kinds": kinds_told(&one.held.kinds),
                "starts_at": time(one.held.window.starts_at()),
                "ends_at": time(one.held.window.ends_at()),
                "ended_at": one.ended.map(|end| time(end.at)),
                "ended_by": one.ended.map(|end| end.by.to_string()),
            })
        })
        .collect();
    let grant = grant.map(|one| {
        json!({
            "grant": one.held.id.to_string(),
            "starts_at": time(one.held.window.starts_at()),
            "ends_at": time(one.held.window.ends_at()),
            "revoked_at": one.revoked.map(|end| time(end.at)),
            "revoked_by": one.revoked.map(|end| end.by.to_string()),
        })
    });
    Ok(Some(json!({
        "request": request.id.to_string(),
        "as_of": time(site.now()),
        "policy": site.pack().hash.to_string(),
        "engine": ENGINE_VERSION,
        "person": person(site, request.person).await?,
        "requested_by": person(site, request.requested_by).await?,
        "role": wanted.role.as_str(),
        "purpose_of_use": wanted.purpose,
        "task": wanted.task.code(),
        "patients": wanted.patients.iter().map(patient).collect::<Vec<_>>(),
        "kinds": kinds_told(&wanted.kinds),
        "starts_at": time(wanted.window.starts_at()),
        "ends_at": time(wanted.window.ends_at()),
        "justification": request.justification.expose(),
        "ticket": request.ticket,
        "acknowledged": request.acknowledged,
        "extends": request.extends.map(|earlier| earlier.request.to_string()),
        "extension": request.extends.map(|earlier| earlier.number),
        "needs": request.rule.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hours_max": request.rule.hours_max,
        "submitted_at": time(request.submitted_at),
        "decide_by": time(request.decide_by),
        "backup": request.rule.backup.as_ref().map(|backup| backup.kind.to_string()),
        "escalates_at": request.escalates_at().map(time),
        "state": state.code(),
        "approvals": approved(site, &approvals).await?,
        "decided_at": decided.map(|(at, _)| time(at)),
        "decided_by": decided_by,
        "comment": comment,
        "grant": grant,
        "opened": opened,
        "events": events.iter().map(linked).collect::<Vec<_>>(),
    })))
}
