//! What was read under a right: an elevation, or the grant of a role (JX-06).

use super::parameters::Paging;
use super::query::Query;
use super::requests::viewer;
use super::shown::{Spot, time};
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::service::Service;
use axum::extract::{Path, RawQuery, State};
use scruple_app::charts::AccessFacts;
use scruple_core::Id;
use scruple_flow::{Elevation, Grant};
use scruple_policy::Act;
use scruple_store::{ChartAccess, list_accesses_by_grant, list_accesses_under};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// One read. Whose record it was is told in the history of the chart.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Read {
    #[schema(format = DateTime)]
    pub at: String,
    /// `opened`, `nothing` or `refused`.
    pub outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose_of_use: Option<String>,
    /// What it rested on: `asked`, `encounter`, `role` and others.
    pub basis: String,
    /// What was asked of the gateway.
    pub interaction: String,
    /// Types of resources, each with how many.
    pub types: BTreeMap<String, u64>,
    /// Where it stands in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    /// The grant by which the role was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub grant: Option<String>,
    /// The elevation that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub elevation: Option<String>,
}

/// Reads.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Reads {
    pub items: Vec<Read>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

pub(super) fn read(one: &ChartAccess) -> Read {
    let facts = AccessFacts::from_bytes(one.facts.expose());
    Read {
        at: time(one.at),
        outcome: one.outcome.code().to_owned(),
        purpose_of_use: one.purpose.clone(),
        basis: one.basis.code().to_owned(),
        interaction: facts.interaction,
        types: facts.types,
        entry: one.entry,
        grant: one.grant.map(|id| id.to_string()),
        elevation: one.elevation.map(|id| id.to_string()),
    }
}

fn page(mut rows: Vec<ChartAccess>, limit: usize) -> (Vec<Read>, Option<Spot<ChartAccess>>) {
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|last| Spot { at: last.at, id: last.id });
    (rows.iter().map(read).collect(), next)
}

const UNDER: &str = "elevation-reads";
const BY_GRANT: &str = "grant-reads";

/// Lists what was read under an elevation, oldest first: one's own, one that one asked for or agreed to, or one of somebody whom one
/// may read of.
#[utoipa::path(
    get,
    path = "/api/v1/elevations/{id}/reads",
    operation_id = "list_elevation_reads",
    tag = "Access",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        Paging,
    ),
    responses((status = 200, description = "The reads", body = Reads), super::Refusals)
)]
pub(crate) async fn under(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Reads>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let list = format!("{UNDER} {id}");
    let id: Id<Elevation> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let (limit, place) = (query.limit()?, query.place::<Spot<ChartAccess>>(&service, &caller, &list)?);
    let viewer = viewer(&service, &caller).await?;
    viewer.elevation(&service.parts.store, &*service.pack(), id).await?.ok_or(Fail::NOT_FOUND)?;
    let after = place.map(|spot| (spot.at, spot.id));
    let rows = list_accesses_under(&mut service.parts.store.begin_read().await?, id, after).await?;
    let (items, next) = page(rows, limit);
    Ok(Json(Reads { items, next: query.next(&service, &caller, &list, next.as_ref())? }))
}

/// Lists what was read in a role by the grant that gives it, oldest first: one's own, or anybody's for who looks into charts.
#[utoipa::path(
    get,
    path = "/api/v1/grants/{id}/reads",
    operation_id = "list_grant_reads",
    tag = "Access",
    params(
        ("id" = String, Path, description = "The grant's id", format = Uuid),
        Paging,
    ),
    responses((status = 200, description = "The reads", body = Reads), super::Refusals)
)]
pub(crate) async fn by_grant(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Reads>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let list = format!("{BY_GRANT} {id}");
    let id: Id<Grant> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let (limit, place) = (query.limit()?, query.place::<Spot<ChartAccess>>(&service, &caller, &list)?);
    let (viewer, pack) = (viewer(&service, &caller).await?, service.pack());
    let grant = viewer.grant(&service.parts.store, &*pack, id).await?;
    // Whom a role read is more than who agreed to the role needs to know.
    let may =
        |grant: &Grant| grant.held.person == caller.person() || viewer.reaches(&*pack, Act::Charts, grant.held.person);
    grant.filter(may).ok_or(Fail::NOT_FOUND)?;
    let after = place.map(|spot| (spot.at, spot.id));
    let rows = list_accesses_by_grant(&mut service.parts.store.begin_read().await?, id, after).await?;
    let (items, next) = page(rows, limit);
    Ok(Json(Reads { items, next: query.next(&service, &caller, &list, next.as_ref())? }))
}
