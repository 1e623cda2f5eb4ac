//! Roles that are held and not used: who holds one objects, his manager decides, and silence takes it.

use super::parameters::{OnceKey, SeenVersion};
use super::requests::{message, viewer};
use super::shown::time;
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::directory::{Directory, DirectoryError};
use scruple_core::Id;
use scruple_flow::unused::UnusedNotice;
use scruple_policy::Act;
use scruple_store::{find_grant, list_unused};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A role that somebody holds and does not use.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct UnusedShown {
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(format = Uuid)]
    pub person: String,
    #[schema(format = Uuid)]
    pub grant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `noticed`, `objected`, `kept` or `taken`.
    pub state: String,
    /// Since when it is not used.
    #[schema(format = DateTime)]
    pub since: String,
    /// When it is taken, if nothing is decided before.
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// Why it is needed, as who holds it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objection: Option<String>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Roles that are held and not used.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct UnusedRoles {
    pub items: Vec<UnusedShown>,
}

/// Why a role is needed that is not used.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Objection {
    /// In a sentence.
    #[schema(max_length = 2000)]
    pub why: String,
}

/// What is decided on an objection.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnusedDecision {
    /// The role stays.
    pub keep: bool,
}

fn shown(notice: &UnusedNotice, role: Option<String>) -> UnusedShown {
    UnusedShown {
        id: notice.id.to_string(),
        person: notice.person.to_string(),
        grant: notice.grant.to_string(),
        role,
        state: notice.state.code().to_owned(),
        since: time(notice.since),
        ends_at: time(notice.ends_at),
        objection: notice.objection.as_ref().map(|text| text.expose().clone()),
        version: notice.version,
    }
}

/// Lists the roles that are held and not used: the caller's, and those of whom he may read.
#[utoipa::path(
    get,
    path = "/api/v1/unused-roles",
    operation_id = "list_unused_roles",
    tag = "Access",
    responses((status = 200, description = "The notices that are open", body = UnusedRoles), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<UnusedRoles>, Fail> {
    super::query::Query::of(query.as_deref(), &[])?;
    let (pack, viewer) = (service.pack(), viewer(&service, &caller).await?);
    let mut tx = service.parts.store.begin_read().await.map_err(DirectoryError::from)?;
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = list_unused(&mut tx, None, after).await.map_err(DirectoryError::from)?;
        let Some(last) = page.last() else { return Ok(Json(UnusedRoles { items })) };
        after = Some(last.id);
        for notice in &page {
            if notice.person == caller.person() || viewer.reaches(&*pack, Act::People, notice.person) {
                let grant = find_grant(&mut tx, notice.grant).await.map_err(DirectoryError::from)?;
                items.push(shown(notice, grant.map(|grant| grant.held.role.to_string())));
            }
        }
    }
}

async fn go_on(
    service: &Service,
    caller: &Caller,
    request: Request,
    id: &str,
    run: impl AsyncFnOnce(&mut Directory<'_>, (Id<UnusedNotice>, i64), &[u8]) -> Result<Moved, Fail>,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(service, caller, said, async |_| {
        let id: Id<UnusedNotice> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let mut rng = (service.parts.rng)();
        let (store, lease, clock) = (&service.parts.store, &service.parts.lease, service.parts.clock.as_ref());
        let mut directory = Directory { store, lease, clock, rng: &mut *rng, by: caller.person() };
        let moved = run(&mut directory, (id, version), &bytes).await?;
        service.recorded(moved.position).await;
        Done::now(&shown(&moved.value, None), moved.value.version)
    })
    .await
}

type Moved = scruple_app::directory::Done<UnusedNotice>;

/// Says why a role of one's own is needed though it is not used: the manager decides, and until then it stays.
#[utoipa::path(
    post,
    path = "/api/v1/unused-roles/{id}/object",
    operation_id = "object_unused_role",
    tag = "Access",
    params(
        ("id" = String, Path, description = "The id of the notice", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Objection,
    responses(
        (status = 200, description = "The notice as it is now", body = UnusedShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn object(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    go_on(&service, &caller, request, &id, async |directory, seen, bytes| {
        let said: Objection = body::parsed(bytes)?;
        Ok(directory.object(seen, &said.why).await?)
    })
    .await
}

/// Decides on an objection: by the nearest manager of the person who is here.
#[utoipa::path(
    post,
    path = "/api/v1/unused-roles/{id}/decide",
    operation_id = "decide_unused_role",
    tag = "Access",
    params(
        ("id" = String, Path, description = "The id of the notice", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = UnusedDecision,
    responses(
        (status = 200, description = "The notice as it is now", body = UnusedShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn decide(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    go_on(&service, &caller, request, &id, async |directory, seen, bytes| {
        let decision: UnusedDecision = body::parsed(bytes)?;
        Ok(directory.decide_unused(seen, decision.keep).await?)
    })
    .await
}
