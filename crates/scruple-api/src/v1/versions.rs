//! Versions of the policy: listed, read, drafted from files that differ from the active ones. What has errors is refused with each
//! of them by file and line. Who decides on a draft, and sees what it would have done, does that in the console.

use super::parameters::{OnceKey, Paging};
use super::query::Query;
use super::requests::message;
use super::shown::time;
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::{Fail, Refused};
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use scruple_app::policy::{ContentError, ProvedPack, stored_pack};
use scruple_core::{Id, Phi};
use scruple_flow::{PackOrigin, PackVersion};
use scruple_policy::{ActivationError, PackFiles, Problem};
use scruple_store::{find_pack, list_packs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

const LIST: &str = "policy-versions";

/// A version of the policy.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct VersionShown {
    #[schema(format = Uuid)]
    pub id: String,
    /// SHA-256 of its files.
    pub policy: String,
    /// `draft`, `checked`, `proposed`, `approved`, `refused`, `withdrawn`, `active` or `superseded`.
    pub state: String,
    /// Who drafted it, by id; none: it came with the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub drafted_by: Option<String>,
    #[schema(format = DateTime)]
    pub drafted_at: String,
    /// Why it is to replace the one before.
    pub rationale: String,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Versions of the policy.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Versions {
    pub items: Vec<VersionShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A version to be drafted.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// The files that differ from the active policy, whole, by their names; null: the file goes.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    pub files: BTreeMap<String, Option<String>>,
    /// Why it is to replace the active one, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub rationale: String,
}

/// What is wrong in a policy, and where.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Fault {
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// Why a policy is not drafted: problem details (RFC 9457) with each fault.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Faulty {
    pub r#type: &'static str,
    pub title: &'static str,
    pub status: u16,
    pub code: &'static str,
    pub faults: Vec<Fault>,
}

fn shown(version: &PackVersion) -> VersionShown {
    let drafted_by = if let PackOrigin::Person(by) = version.origin { Some(by.to_string()) } else { None };
    VersionShown {
        id: version.id.to_string(),
        policy: version.hash.to_string(),
        state: version.state.code().to_owned(),
        drafted_by,
        drafted_at: time(version.drafted_at),
        rationale: version.rationale.expose().clone(),
        version: version.version,
    }
}

fn refused(faults: Vec<Problem>) -> Response {
    let Fail { status, code, title, .. } = Fail::POLICY_FAULTY;
    let fault = |one: Problem| Fault { file: one.file, line: one.line, what: one.what, advice: one.advice };
    let body = Faulty {
        r#type: "about:blank",
        title,
        status: status.as_u16(),
        code,
        faults: faults.into_iter().map(fault).collect(),
    };
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body).into_response().into_body())
            .into_response();
    response.extensions_mut().insert(Refused(code));
    response
}

/// Lists the versions of the policy, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/policy-versions",
    operation_id = "list_policy_versions",
    tag = "Policy",
    params(
        Paging,
    ),
    responses((status = 200, description = "The versions", body = Versions), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Versions>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let (limit, after) = (query.limit()?, query.place::<String>(&service, &caller, LIST)?);
    let after = after.map(|id| id.parse::<Id<PackVersion>>().map_err(|_| Fail::CURSOR)).transpose()?;
    let rows = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut found = list_packs(&mut service.parts.store.begin_read().await?, after, rows).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    let next = query.next(&service, &caller, LIST, next.as_ref())?;
    Ok(Json(Versions { items: found.iter().map(shown).collect(), next }))
}

/// Reads a version of the policy.
#[utoipa::path(
    get,
    path = "/api/v1/policy-versions/{id}",
    operation_id = "get_policy_version",
    tag = "Policy",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The version", body = VersionShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(State(service): State<Arc<Service>>, _: Caller, Path(id): Path<String>) -> Result<Done, Fail> {
    let id: Id<PackVersion> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let found = find_pack(&mut service.parts.store.begin_read().await?, id).await?.ok_or(Fail::NOT_FOUND)?;
    Done::now(&shown(&found), found.version)
}

/// Drafts a version of the policy.
///
/// It is checked and proved; what has errors is not drafted. It is proposed, decided by a second person and activated in the console.
#[utoipa::path(
    post,
    path = "/api/v1/policy-versions",
    operation_id = "draft_policy_version",
    tag = "Policy",
    params(
        OnceKey,
    ),
    request_body = Draft,
    responses(
        (status = 201, description = "The draft, checked", body = VersionShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Where it is read"))),
        super::Refusals,
    )
)]
pub(crate) async fn draft(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let draft: Draft = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    let mut found = Vec::new();
    // What was drafted under a key already is not proved again.
    let done = replay::once(&service, &caller, said, async |_| {
        let proved = proved(&service, draft.files).await?.map_err(|faults| {
            found = faults;
            Fail::POLICY_FAULTY
        })?;
        let (who, rationale) = (caller.who, Phi::new(draft.rationale.clone()));
        let now = service.desk(async |desk| desk.draft_policy(who, &proved, rationale).await).await?;
        let place = format!("{}/api/v1/policy-versions/{}", service.parts.base, now.id);
        Ok(Done::now(&shown(&now), now.version)?.created(place))
    })
    .await;
    if done.as_ref().is_err_and(|fail| *fail == Fail::POLICY_FAULTY) { Ok(refused(found)) } else { done }
}

/// The active policy with other files, proved; or what is wrong with it. One at a time: it takes a processor for a while.
async fn proved(
    service: &Service,
    changed: BTreeMap<String, Option<String>>,
) -> Result<Result<ProvedPack, Vec<Problem>>, Fail> {
    let _turn = service.proving.lock().await;
    let hash = service.pack().hash;
    let PackFiles(mut files) = match stored_pack(&service.parts.store, hash).await {
        Ok(files) => files,
        Err(ContentError::Store(error)) => return Err(Fail::of_store(&error)),
        // A node whose policy is a folder keeps none of it.
        Err(_) => return Err(Fail::POLICY_OF_FOLDER),
    };
    for (name, text) in changed {
        match text {
            Some(text) => drop(files.insert(name, text)),
            None => drop(files.remove(&name)),
        }
    }
    let now = service.now();
    let proving = tokio::task::spawn_blocking(move || ProvedPack::prove(PackFiles(files), now));
    match proving.await.map_err(|_| Fail::INTERNAL)? {
        Ok(proved) => Ok(Ok(proved)),
        Err(ActivationError::Refused(faults)) => Ok(Err(faults)),
        Err(ActivationError::NotProved(error)) => {
            tracing::error!(error = %error, "a draft of the policy is not proved");
            Err(Fail::NOT_PROVED)
        }
    }
}
