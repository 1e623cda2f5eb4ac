//! What the caller has.

use super::requests::viewer;
use super::shown::{self, ElevationShown, GrantShown, PersonRef};
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::service::Service;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What somebody has now.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Rights {
    pub person: PersonRef,
    /// The roles that he holds or will hold.
    pub grants: Vec<GrantShown>,
    /// The records that are opened to him beyond that.
    pub elevations: Vec<ElevationShown>,
    #[schema(format = DateTime)]
    pub as_of: String,
}

/// Reads what the caller has: roles and opened records.
#[utoipa::path(
    get,
    path = "/api/v1/access",
    operation_id = "get_my_access",
    tag = "Access",
    responses((status = 200, description = "What the caller has", body = Rights), super::Refusals)
)]
pub(crate) async fn mine(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Rights>, Fail> {
    super::query::Query::of(query.as_deref(), &[])?;
    rights(&service, &caller, caller.person()).await.map(Json)
}

pub(super) async fn rights(
    service: &Service,
    caller: &Caller,
    of: scruple_core::Id<scruple_flow::Person>,
) -> Result<Rights, Fail> {
    let viewer = viewer(service, caller).await?;
    let now = service.now();
    let (held, opened) = viewer.rights(&service.parts.store, (of, now)).await?;
    let mut grants = Vec::with_capacity(held.len());
    for grant in &held {
        grants.push(shown::grant(service, grant).await?);
    }
    let mut elevations = Vec::with_capacity(opened.len());
    for elevation in &opened {
        elevations.push(shown::elevation(service, &viewer, elevation).await?);
    }
    Ok(Rights { person: shown::person(service, of).await?, grants, elevations, as_of: shown::time(now) })
}
