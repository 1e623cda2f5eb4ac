//! Figures of how access is given: who decides how, which roles are broad, and which grants nobody has agreed to for too long.

use super::query::Query;
use super::requests::viewer;
use super::shown::{self, PersonRef, time};
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::service::Service;
use axum::extract::{RawQuery, State};
use scruple_app::directory::DirectoryError;
use scruple_core::Id;
use scruple_flow::Grant;
use scruple_flow::approver::{ApproverFigures, approvers};
use scruple_policy::{Act, breadth};
use scruple_store::{decisions_between, left_over_grants, unreviewed_grants};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// Days of a period.
const DAYS_MAX: i64 = 3_660;

/// How somebody decides.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ApproverShown {
    pub person: PersonRef,
    pub decided: usize,
    pub approved: usize,
    /// From opening to deciding, in milliseconds: the median of those of which it is known.
    pub look_median_ms: i64,
    pub look_p90_ms: i64,
    /// Decisions after less than three seconds, or without opening.
    pub unread: usize,
    /// The most decisions that followed one another within a minute each.
    pub batch_max: usize,
    /// Every decision a yes, and every one unread.
    pub is_rubber_stamp: bool,
}

/// How people decide.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Approvers {
    pub items: Vec<ApproverShown>,
    #[schema(format = DateTime)]
    pub from: String,
    #[schema(format = DateTime)]
    pub as_of: String,
}

/// How much a role sees, as a number to compare by.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct BreadthShown {
    pub role: String,
    /// Twice the kinds in full, once those in part, once each segment.
    pub score: usize,
    pub of: usize,
    pub full: usize,
    pub part: usize,
    pub segments: usize,
}

/// Roles, the broadest first.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Breadths {
    pub items: Vec<BreadthShown>,
}

/// A role that somebody holds and that nobody has agreed to anew for too long.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct UnreviewedShown {
    #[schema(format = Uuid)]
    pub grant: String,
    #[schema(format = Uuid)]
    pub person: String,
    pub role: String,
    /// `not_reviewed` in the period, or `mover_kept_access` from before a move.
    pub why: String,
    /// When it was last agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub agreed_at: Option<String>,
    /// When it ends: by itself, or by the move.
    #[schema(format = DateTime)]
    pub ends_at: String,
}

/// What is held without a review.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Unreviewed {
    pub items: Vec<UnreviewedShown>,
    #[schema(format = DateTime)]
    pub agreed_before: String,
    #[schema(format = DateTime)]
    pub as_of: String,
}

fn days(query: &Query, default: i64) -> Result<i64, Fail> {
    let known = |days: &i64| (1..=DAYS_MAX).contains(days);
    Ok(query.parsed("days", |text| text.parse().ok().filter(known))?.unwrap_or(default))
}

/// Tells how people decide on requests for access: how often yes, after how long a look, how many at one go.
#[utoipa::path(
    get,
    path = "/api/v1/figures/approvers",
    operation_id = "list_approver_figures",
    tag = "Figures",
    params(("days" = Option<u32>, Query, description = "Days of the period [90]", minimum = 1, maximum = 3660)),
    responses((status = 200, description = "Who decides how, rubber stamps first", body = Approvers), super::Refusals)
)]
pub(crate) async fn of_approvers(
    State(service): State<Arc<Service>>,
    _: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Approvers>, Fail> {
    let query = Query::of(query.as_deref(), &["days"])?;
    let now = service.now();
    let from = now.plus_micros(-days(&query, 90)? * DAY_MICROS);
    let mut tx = service.parts.store.begin_read().await.map_err(DirectoryError::from)?;
    let facts = decisions_between(&mut tx, from, now.plus_micros(1)).await.map_err(DirectoryError::from)?;
    drop(tx);
    let mut all: Vec<_> = approvers(facts).into_iter().collect();
    let order = |figures: &ApproverFigures| (!figures.is_rubber_stamp(), std::cmp::Reverse(figures.decided));
    all.sort_by_key(|(_, figures)| order(figures));
    let mut items = Vec::with_capacity(all.len());
    for (person, figures) in all {
        items.push(ApproverShown {
            person: shown::person(&service, person).await?,
            decided: figures.decided,
            approved: figures.approved,
            look_median_ms: figures.look.median_micros / 1_000,
            look_p90_ms: figures.look.p90_micros / 1_000,
            unread: figures.unread,
            batch_max: figures.batch_max,
            is_rubber_stamp: figures.is_rubber_stamp(),
        });
    }
    Ok(Json(Approvers { items, from: time(from), as_of: time(now) }))
}

/// Tells how much each role of the active policy sees.
#[utoipa::path(
    get,
    path = "/api/v1/figures/roles",
    operation_id = "list_role_breadth",
    tag = "Figures",
    responses((status = 200, description = "Roles, the broadest first", body = Breadths), super::Refusals)
)]
pub(crate) async fn of_roles(
    State(service): State<Arc<Service>>,
    _: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Breadths>, Fail> {
    Query::of(query.as_deref(), &[])?;
    let one = |one: scruple_policy::Breadth| BreadthShown {
        role: one.role,
        score: one.score,
        of: one.of,
        full: one.full,
        part: one.part,
        segments: one.segments,
    };
    Ok(Json(Breadths { items: breadth(&service.pack()).into_iter().map(one).collect() }))
}

/// Lists the roles that are held and that nobody has agreed to in the period, and what movers kept: of everybody, or of those whose line
/// manager the caller is.
#[utoipa::path(
    get,
    path = "/api/v1/figures/unreviewed",
    operation_id = "list_unreviewed_grants",
    tag = "Figures",
    params(("days" = Option<u32>, Query, description = "Days of the period [365]", minimum = 1, maximum = 3660)),
    responses((status = 200, description = "What is held without a review", body = Unreviewed), super::Refusals)
)]
pub(crate) async fn unreviewed(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Unreviewed>, Fail> {
    let query = Query::of(query.as_deref(), &["days"])?;
    let (now, pack) = (service.now(), service.pack());
    let before = now.plus_micros(-days(&query, 365)? * DAY_MICROS);
    let viewer = viewer(&service, &caller).await?;
    let mut items = Vec::new();
    let mut tx = service.parts.store.begin_read().await.map_err(DirectoryError::from)?;
    let mut after: Option<Id<Grant>> = None;
    loop {
        let page = unreviewed_grants(&mut tx, (before, now), after).await.map_err(DirectoryError::from)?;
        let Some(last) = page.last() else { break };
        after = Some(last.grant);
        items.extend(page.iter().filter(|one| viewer.reaches(&*pack, Act::People, one.person)).map(|one| {
            let why = "not_reviewed".to_owned();
            let (agreed_at, ends_at) = (Some(time(one.agreed_at)), time(one.ends_at));
            let (grant, person, role) = (one.grant.to_string(), one.person.to_string(), one.role.to_string());
            UnreviewedShown { grant, person, role, why, agreed_at, ends_at }
        }));
    }
    after = None;
    loop {
        let page = left_over_grants(&mut tx, now, after).await.map_err(DirectoryError::from)?;
        let Some(last) = page.last() else { break };
        after = Some(last.grant);
        items.extend(page.iter().filter(|one| viewer.reaches(&*pack, Act::People, one.person)).map(|one| {
            let why = "mover_kept_access".to_owned();
            let (grant, person, role) = (one.grant.to_string(), one.person.to_string(), one.role.to_string());
            UnreviewedShown { grant, person, role, why, agreed_at: None, ends_at: time(one.effective_at) }
        }));
    }
    Ok(Json(Unreviewed { items, agreed_before: time(before), as_of: time(now) }))
}
