//! Records that are opened beyond a role, and the end of them and of roles.

use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::requests::viewer;
use super::shown::{self, ElevationShown, GrantShown};
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_core::Id;
use scruple_flow::{Elevation, Grant, Person};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Elevations.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Elevations {
    pub items: Vec<ElevationShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const LIST: &str = "elevations";

/// Lists elevations, those that are over included: one's own, or those of a person whom one may read of.
#[utoipa::path(
    get,
    path = "/api/v1/elevations",
    operation_id = "list_elevations",
    tag = "Access",
    params(
        ("person" = Option<String>, Query, description = "Whose; without it one's own", format = Uuid),
        Paging,
    ),
    responses((status = 200, description = "The elevations", body = Elevations), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Elevations>, Fail> {
    let query = Query::of(query.as_deref(), &["person", "limit", "cursor"])?;
    let of = query.parsed("person", |text| text.parse::<Id<Person>>().ok())?.unwrap_or(caller.person());
    let (limit, before) = (query.limit()?, query.place::<Id<Elevation>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let page = viewer.elevations(&service.parts.store, &*service.pack(), of, (before, limit)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(shown::elevation(&service, &viewer, row).await?);
    }
    Ok(Json(Elevations { items, next: query.next(&service, &caller, LIST, page.next.as_ref())? }))
}

/// Reads an elevation.
#[utoipa::path(
    get,
    path = "/api/v1/elevations/{id}",
    operation_id = "get_elevation",
    tag = "Access",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The elevation", body = ElevationShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let id: Id<Elevation> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let viewer = viewer(&service, &caller).await?;
    let found = viewer.elevation(&service.parts.store, &*service.pack(), id).await?.ok_or(Fail::NOT_FOUND)?;
    Done::now(&shown::elevation(&service, &viewer, &found).await?, found.version)
}

/// Ends an elevation before its time: one's own, or that of somebody whose access one oversees.
#[utoipa::path(
    post,
    path = "/api/v1/elevations/{id}/end",
    operation_id = "end_elevation",
    tag = "Access",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The elevation as it is now", body = ElevationShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    let id: Id<Elevation> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let (viewer, who) = (viewer(&service, &caller).await?, caller.who);
        let now = service.desk(async |desk| desk.end_elevation(who, id, version).await).await?;
        Done::now(&shown::elevation(&service, &viewer, &now).await?, now.version)
    })
    .await
}

/// Opens what is specially protected too, in an emergency of one's own that is open: the second confirmation. It is answered alike
/// whether the record holds any or not.
#[utoipa::path(
    post,
    path = "/api/v1/elevations/{id}/protected",
    operation_id = "confirm_protected",
    tag = "Access",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The elevation as it is now", body = ElevationShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn confirm_protected(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    let id: Id<Elevation> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let (viewer, who) = (viewer(&service, &caller).await?, caller.who);
        let now = service.desk(async |desk| desk.confirm_protected(who, id, version).await).await?;
        Done::now(&shown::elevation(&service, &viewer, &now).await?, now.version)
    })
    .await
}

/// Ends a role before its time: one's own, or that of somebody whose access one oversees.
#[utoipa::path(
    post,
    path = "/api/v1/grants/{id}/end",
    operation_id = "end_grant",
    tag = "Access",
    params(
        ("id" = String, Path, description = "The grant's id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The grant as it is now", body = GrantShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn end_grant(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    let id: Id<Grant> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let who = caller.who;
        let now = service.desk(async |desk| desk.end_grant(who, id, version).await).await?;
        Done::now(&shown::grant(&service, &now).await?, now.version)
    })
    .await
}
