//! Deputies: who stands in for the caller, and for whom he does.

use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::requests::message;
use super::shown::{self, PersonRef, parse_time, time};
use crate::body;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::{DeputyAsk, DeskError};
use scruple_core::Id;
use scruple_flow::{Deputy, DeputyAs, DeputyState};
use scruple_store::{find_deputy, find_person_by_login, list_deputies_of};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Whom the caller names.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDeputy {
    /// The login of who would stand in.
    #[schema(max_length = 320)]
    pub login: String,
    pub capacity: Capacity,
    /// From when; without it from now on.
    #[schema(format = DateTime)]
    pub starts_at: Option<String>,
    /// Until when, within 30 days.
    #[schema(format = DateTime)]
    pub ends_at: String,
}

/// As what somebody stands in.
#[derive(Deserialize, Clone, Copy, Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Capacity {
    /// Decides on requests.
    Approver,
    /// Reviews emergencies.
    Reviewer,
}

/// Somebody who stands in for another.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct DeputyShown {
    #[schema(format = Uuid)]
    pub id: String,
    /// In whose place.
    pub principal: PersonRef,
    /// Who stands in.
    pub deputy: PersonRef,
    /// `approver` or `reviewer`.
    pub capacity: String,
    #[schema(format = DateTime)]
    pub starts_at: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// `named`, `accepted`, `over` or `ended`.
    pub state: String,
    /// He stands in now, as far as the principal is here.
    pub in_force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<PersonRef>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Deputies.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Deputies {
    pub items: Vec<DeputyShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const LIST: &str = "deputies";

async fn shown(service: &Service, one: &Deputy) -> Result<DeputyShown, Fail> {
    let ended_by = match one.state {
        DeputyState::Ended { by, .. } => Some(shown::person(service, by).await?),
        DeputyState::Named | DeputyState::Accepted { .. } => None,
    };
    Ok(DeputyShown {
        id: one.id.to_string(),
        principal: shown::person(service, one.principal).await?,
        deputy: shown::person(service, one.deputy).await?,
        capacity: one.capacity.code().to_owned(),
        starts_at: time(one.window.starts_at()),
        ends_at: time(one.window.ends_at()),
        state: one.code_at(service.now()).to_owned(),
        in_force: one.is_in_force(service.now()),
        ended_by,
        version: one.version,
    })
}

/// Lists those whom the caller has named and those for whom he stands in, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/deputies",
    operation_id = "list_deputies",
    tag = "Deputies",
    params(
        Paging,
    ),
    responses((status = 200, description = "The deputies", body = Deputies), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Deputies>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let (limit, before) = (query.limit()?, query.place::<Id<Deputy>>(&service, &caller, LIST)?);
    let mut rows = list_deputies_of(&mut service.parts.store.begin_read().await?, caller.person(), before).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(shown(&service, row).await?);
    }
    let next = rows.last().map(|last| last.id).filter(|_| has_more);
    Ok(Json(Deputies { items, next: query.next(&service, &caller, LIST, next.as_ref())? }))
}

/// Names a deputy for the caller. He stands in once he has accepted.
#[utoipa::path(
    post,
    path = "/api/v1/deputies",
    operation_id = "create_deputy",
    tag = "Deputies",
    params(OnceKey),
    request_body = NewDeputy,
    responses(
        (status = 201, description = "He is named", body = DeputyShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Its place"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewDeputy = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let id: Id<Deputy> = Id::from_uuid(attempt.id);
        let find = async || Ok(find_deputy(&mut service.parts.store.begin_read().await?, id).await?);
        let make = async || named(&service, &caller, id, &order).await;
        let made = attempt.made(find, make).await?;
        let place = format!("{}/api/v1/deputies/{}", service.parts.base, made.id);
        Ok(Done::now(&shown(&service, &made).await?, made.version)?.created(place))
    })
    .await
}

async fn named(service: &Service, caller: &Caller, id: Id<Deputy>, order: &NewDeputy) -> Result<Deputy, Fail> {
    let login = order.login.parse().map_err(|_| Fail::VALUE)?;
    let person = find_person_by_login(&mut service.parts.store.begin_read().await?, &login).await?;
    let starts_at = order.starts_at.as_deref().map(|text| parse_time(text).ok_or(Fail::TIME)).transpose()?;
    let ask = DeputyAsk {
        deputy: person.ok_or(DeskError::PersonGone)?.id,
        capacity: match order.capacity {
            Capacity::Approver => DeputyAs::Approver,
            Capacity::Reviewer => DeputyAs::Reviewer,
        },
        starts_at,
        ends_at: parse_time(&order.ends_at).ok_or(Fail::TIME)?,
    };
    let who = caller.who;
    service.desk(async |desk| desk.name_deputy_as(who, id, ask).await).await
}

/// Accepts to stand in for somebody.
#[utoipa::path(
    post,
    path = "/api/v1/deputies/{id}/accept",
    operation_id = "accept_deputy",
    tag = "Deputies",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "As it is now", body = DeputyShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn accept(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    changed(&service, &caller, &id, request, true).await
}

/// Ends it, or declines what was not accepted: by one of the two.
#[utoipa::path(
    post,
    path = "/api/v1/deputies/{id}/end",
    operation_id = "end_deputy",
    tag = "Deputies",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "As it is now", body = DeputyShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    changed(&service, &caller, &id, request, false).await
}

async fn changed(
    service: &Service,
    caller: &Caller,
    id: &str,
    request: Request,
    accepts: bool,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    replay::once(service, caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let (id, who): (Id<Deputy>, _) = (id.parse().map_err(|_| Fail::NOT_FOUND)?, caller.who);
        let now = service
            .desk(async |desk| {
                if accepts {
                    desk.accept_deputy(who, id, version).await
                } else {
                    desk.end_deputy(who, id, version).await
                }
            })
            .await?;
        Done::now(&shown(service, &now).await?, now.version)
    })
    .await
}
