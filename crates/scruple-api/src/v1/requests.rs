//! Requests for access: asked for, decided by others, taken back.

use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::shown::{self, RequestShown, Spot, parse_time};
use crate::authzen::Denial;
use crate::body;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use scruple_app::{Ask, Narrower, Viewer, Whose};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{AccessRequest, KindCode, Kinds, PatientRef, Person, Project, RequestTask};
use scruple_policy::Act;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// What somebody asks for.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccessRequest {
    /// Who would get it; without it the caller.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub person: Option<Id<Person>>,
    /// The role to act in.
    #[schema(max_length = 64, pattern = "^[a-z0-9_-]{1,64}$", example = "nurse")]
    pub role: String,
    /// The one purpose of use (HL7 v3 ActReason) that it is for.
    #[schema(max_length = 64)]
    pub purpose_of_use: Option<String>,
    /// The patients whose records it opens, by id; without any it is for the role itself.
    #[serde(default)]
    #[schema(max_items = 25)]
    pub patients: Vec<String>,
    /// For what kind of task.
    #[schema(
        pattern = "^(cover|consult|follow_up|billing|quality|records|investigation|research|duty|other)$",
        example = "cover"
    )]
    pub task: String,
    /// The kinds of information of these patients: codes of categories of the policy, and `segment:` with the code of what is
    /// specially protected. A request for patients has these, or `whole`.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub kinds: Option<Vec<String>>,
    /// It is for all that the role has of these patients.
    #[serde(default)]
    pub whole: bool,
    /// From when; without it from now on.
    #[schema(format = DateTime)]
    pub starts_at: Option<String>,
    /// Until when.
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// What it is for, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub justification: String,
    /// The number of a ticket or case.
    #[schema(max_length = 200)]
    pub ticket: Option<String>,
    /// The id of the text on what is minimum necessary here, which was read: `GET /api/v1/reminders`. Refused without it, where there is
    /// one.
    #[schema(max_length = 64)]
    pub acknowledged: Option<String>,
    /// The project that it is for; some roles are given for one alone.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub project: Option<Id<Project>>,
    /// The denial that it follows on, as `access_request` of a decision told it.
    pub denial: Option<DenialRef>,
}

/// A denial, shown again.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DenialRef {
    /// `binding_token`, as it was told.
    #[schema(max_length = 4096)]
    pub binding_token: String,
    /// `evaluation_id`, as it was told.
    #[schema(max_length = 64)]
    pub evaluation_id: Option<String>,
    /// `expires_at`, as it was told.
    #[schema(max_length = 64)]
    pub expires_at: Option<String>,
}

/// What an approval leaves of a request; all of it, where it says nothing.
#[derive(Deserialize, Debug, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// The patients that stay, by their places in the request.
    #[schema(max_items = 25, value_type = Option<Vec<u64>>)]
    pub patients: Option<Vec<Number>>,
    /// The kinds of information that stay.
    #[schema(min_items = 1, max_items = 64)]
    pub kinds: Option<Vec<String>>,
    /// Until when.
    #[schema(format = DateTime)]
    pub ends_at: Option<String>,
    /// `change.basis` as it was read: what would be changed otherwise now is not applied.
    #[schema(max_length = 64)]
    pub against: Option<String>,
}

/// Why it is refused.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    /// In a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub comment: String,
}

/// Requests.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Requests {
    pub items: Vec<RequestShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Bytes of a ticket.
const TICKET_BYTES_MAX: usize = 200;
const LIST: &str = "access-requests";

/// Lists requests: one's own, those to decide, or all that wait.
#[utoipa::path(
    get,
    path = "/api/v1/access-requests",
    operation_id = "list_access_requests",
    tag = "Access requests",
    params(
        ("whose" = Option<String>, Query, description = "`mine`, `decide` or `all`; without it `mine`", pattern = "^(mine|decide|all)$"),
        Paging,
    ),
    responses((status = 200, description = "The requests", body = Requests), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Requests>, Fail> {
    let query = Query::of(query.as_deref(), &["whose", "limit", "cursor"])?;
    let known = |text: &str| match text {
        "mine" => Some(Whose::Mine),
        "decide" => Some(Whose::Decide),
        "all" => Some(Whose::All),
        _ => None,
    };
    let whose = query.parsed("whose", known)?.unwrap_or(Whose::Mine);
    let (limit, place) = (query.limit()?, query.place::<Spot<AccessRequest>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let (pack, now) = (service.pack(), service.now());
    let after = place.map(|spot| (spot.at, spot.id));
    let page = viewer.requests(&service.parts.store, &*pack, (whose, now), (after, limit)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(shown::request(&service, &viewer, row).await?);
    }
    let next = page.next.map(|(at, id)| Spot { at, id });
    Ok(Json(Requests { items, next: query.next(&service, &caller, LIST, next.as_ref())? }))
}

pub(super) async fn viewer(service: &Service, caller: &Caller) -> Result<Viewer, Fail> {
    let now = service.now();
    Ok(Viewer::load(&service.parts.store, (caller.person(), caller.roles.clone()), now).await?)
}

pub(super) async fn find(service: &Service, viewer: &Viewer, text: &str) -> Result<AccessRequest, Fail> {
    let id = text.parse().map_err(|_| Fail::NOT_FOUND)?;
    let found = viewer.request(&service.parts.store, &*service.pack(), (id, service.now())).await?;
    found.ok_or(Fail::NOT_FOUND)
}

/// Reads a request.
#[utoipa::path(
    get,
    path = "/api/v1/access-requests/{id}",
    operation_id = "get_access_request",
    tag = "Access requests",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The request", body = RequestShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let viewer = viewer(&service, &caller).await?;
    let found = find(&service, &viewer, &id).await?;
    if viewer.may_decide(&found, service.now()) {
        // How long he had it before him is measured.
        let opened = service.parts.store.note_opening(found.id, caller.person(), service.now()).await;
        opened.map_err(scruple_app::directory::DirectoryError::from)?;
    }
    Done::now(&shown::request(&service, &viewer, &found).await?, found.version)
}

/// Asks for access: for oneself, for somebody whom one may read of, or for whom a decision was denied.
#[utoipa::path(
    post,
    path = "/api/v1/access-requests",
    operation_id = "create_access_request",
    tag = "Access requests",
    params(OnceKey),
    request_body = NewAccessRequest,
    responses(
        (status = 201, description = "It was handed in", body = RequestShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Its place"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewAccessRequest = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let viewer = viewer(&service, &caller).await?;
        let id: Id<AccessRequest> = Id::from_uuid(attempt.id);
        let place = (id, service.now());
        let find = async || Ok(viewer.request(&service.parts.store, &*service.pack(), place).await?);
        let make = async || {
            let ask = ask(&service, &caller, &viewer, &order)?;
            let who = caller.who;
            service.desk(async |desk| desk.submit_for(who, id, ask, order.project).await).await
        };
        let made = attempt.made(find, make).await?;
        let shown = shown::request(&service, &viewer, &made).await?;
        let place = format!("{}/api/v1/access-requests/{}", service.parts.base, made.id);
        Ok(Done::now(&shown, made.version)?.created(place))
    })
    .await
}

/// Head and body of a request.
pub(super) async fn message(request: Request) -> Result<(Parts, bytes::Bytes), Fail> {
    let (parts, content) = request.into_parts();
    if !body::is_json(&parts.headers) {
        return Err(Fail::MEDIA);
    }
    let bytes = body::bytes(content).await?;
    Ok((parts, bytes))
}

fn ask(service: &Service, caller: &Caller, viewer: &Viewer, order: &NewAccessRequest) -> Result<Ask, Fail> {
    let patients: Result<BTreeSet<PatientRef>, _> = order.patients.iter().map(|text| text.parse()).collect();
    let role = order.role.parse().map_err(|_| Fail::VALUE)?;
    let ticket = order.ticket.clone().filter(|ticket| !ticket.is_empty());
    if ticket.as_ref().is_some_and(|ticket| ticket.len() > TICKET_BYTES_MAX) {
        return Err(Fail::VALUE);
    }
    let starts_at = order.starts_at.as_deref().map(|text| parse_time(text).ok_or(Fail::TIME)).transpose()?;
    let mut ask = Ask {
        person: order.person.filter(|person| *person != caller.person()),
        role,
        purpose: order.purpose_of_use.clone(),
        patients: patients.map_err(|_| Fail::VALUE)?,
        task: Some(RequestTask::of(&order.task).ok_or(Fail::VALUE)?),
        kinds: kinds_of(order)?,
        starts_at,
        ends_at: parse_time(&order.ends_at).ok_or(Fail::TIME)?,
        justification: Phi::new(order.justification.clone()),
        ticket,
        acknowledged: order.acknowledged.clone(),
    };
    match &order.denial {
        Some(denial) => bind(service, caller, &mut ask, denial)?,
        // Whoever may read of people may ask for them; of others he is told nothing.
        None => {
            let pack = service.pack();
            if ask.person.is_some_and(|person| !viewer.reaches(&*pack, Act::People, person)) {
                return Err(Fail::NOT_FOUND);
            }
        }
    }
    Ok(ask)
}

/// The kinds of information that are asked for: some that are named, or all of them.
fn kinds_of(order: &NewAccessRequest) -> Result<Option<Kinds>, Fail> {
    match (&order.kinds, order.whole) {
        (None, false) => Ok(None),
        (None, true) => Ok(Some(Kinds::Whole)),
        (Some(codes), false) => named(codes).map(Some),
        // It cannot be both.
        (Some(_), true) => Err(Fail::VALUE),
    }
}

fn named(codes: &[String]) -> Result<Kinds, Fail> {
    let codes: Result<BTreeSet<KindCode>, _> = codes.iter().map(|code| code.parse()).collect();
    codes.ok().and_then(Kinds::named).ok_or(Fail::VALUE)
}

/// Holds what is asked for against the denial that it follows on: the person, the role, the purpose and the patient are its own.
fn bind(service: &Service, caller: &Caller, ask: &mut Ask, shown: &DenialRef) -> Result<(), Fail> {
    let denial = Denial::open(service, caller.person(), &shown.binding_token).ok_or(Fail::BINDING)?;
    if denial.expires_at <= service.now().micros() {
        return Err(Fail::DENIAL_OVER);
    }
    let patients: BTreeSet<PatientRef> = denial.patient.iter().filter_map(|id| id.parse().ok()).collect();
    let is_same = ask.person.is_none_or(|person| person == denial.person)
        && ask.role.as_str() == denial.role
        && ask.patients == patients
        && (ask.purpose.is_none() || ask.purpose == denial.purpose)
        && shown.expires_at.as_ref().is_none_or(|at| *at == Timestamp::from_micros(denial.expires_at).to_string())
        && shown.evaluation_id.as_ref().is_none_or(|id| *id == denial.evaluation);
    if !is_same {
        return Err(Fail::BINDING);
    }
    ask.person = Some(denial.person).filter(|person| *person != caller.person());
    ask.purpose = denial.purpose;
    // The request names the denial that it follows on, for those who decide and for the history.
    let evaluation = format!("evaluation {}", denial.evaluation);
    ask.ticket = Some(ask.ticket.take().map_or_else(|| evaluation.clone(), |ticket| format!("{ticket}; {evaluation}")));
    Ok(())
}

/// Approves a request, or less than it.
#[utoipa::path(
    post,
    path = "/api/v1/access-requests/{id}/approve",
    operation_id = "approve_access_request",
    tag = "Access requests",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Approval,
    responses(
        (status = 200, description = "The request as it is now", body = RequestShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let approval: Approval = body::parsed(&bytes)?;
    let version = replay::version(&parts.headers)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let viewer = viewer(&service, &caller).await?;
        let found = find(&service, &viewer, &id).await?;
        let mut narrower = Narrower::default();
        if let Some(places) = &approval.patients {
            let all: Vec<&PatientRef> = found.wanted.patients.iter().collect();
            let of = |place: &Number| all.get(usize::try_from(place.as_u64()?).ok()?);
            let stays: Option<BTreeSet<PatientRef>> =
                places.iter().map(|place| of(place).map(|patient| (*patient).clone())).collect();
            narrower.patients = Some(stays.filter(|stays| !stays.is_empty()).ok_or(Fail::NOBODY_STAYS)?);
        }
        if let Some(codes) = &approval.kinds {
            narrower.kinds = Some(named(codes)?);
        }
        narrower.against.clone_from(&approval.against);
        if let Some(text) = &approval.ends_at {
            narrower.ends_at = Some(parse_time(text).ok_or(Fail::TIME)?);
        }
        let who = caller.who;
        let now = service.desk(async |desk| desk.approve(who, found.id, version, narrower).await).await?;
        Done::now(&shown::request(&service, &viewer, &now).await?, now.version)
    })
    .await
}

/// Refuses a request.
#[utoipa::path(
    post,
    path = "/api/v1/access-requests/{id}/refuse",
    operation_id = "refuse_access_request",
    tag = "Access requests",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Refusal,
    responses(
        (status = 200, description = "The request as it is now", body = RequestShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn refuse(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let refusal: Refusal = body::parsed(&bytes)?;
    let version = replay::version(&parts.headers)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let viewer = viewer(&service, &caller).await?;
        let found = find(&service, &viewer, &id).await?;
        let (who, comment) = (caller.who, Phi::new(refusal.comment.clone()));
        let now = service.desk(async |desk| desk.deny(who, found.id, version, comment).await).await?;
        Done::now(&shown::request(&service, &viewer, &now).await?, now.version)
    })
    .await
}

/// Takes a request back.
#[utoipa::path(
    post,
    path = "/api/v1/access-requests/{id}/withdraw",
    operation_id = "withdraw_access_request",
    tag = "Access requests",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The request as it is now", body = RequestShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn withdraw(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let viewer = viewer(&service, &caller).await?;
        let found = find(&service, &viewer, &id).await?;
        let who = caller.who;
        let now = service.desk(async |desk| desk.cancel(who, found.id, version).await).await?;
        Done::now(&shown::request(&service, &viewer, &now).await?, now.version)
    })
    .await
}
