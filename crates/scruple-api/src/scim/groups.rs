//! `/Groups`.

use super::document::clean;
use super::error::ScimError;
use super::limits::PATCH_ATTEMPTS_MAX;
use super::query::Query;
use super::schema::GROUPS;
use super::{Caller, Scim, answer, etag, group, message, not_modified, patch as patching, query, resource, searched};
use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use scruple_app::directory::{DirectoryError, GroupView, find_group};
use scruple_core::Id;
use scruple_store::Group;
use std::sync::Arc;

fn shown(status: StatusCode, query: &Query, group: &GroupView, base: &str) -> Response {
    resource(status, query, &GROUPS, (&group::tag(group), group::render(group, base)))
}

/// Of a member whom nobody knows it is not the group that is missing.
fn in_body(error: DirectoryError) -> ScimError {
    match error {
        DirectoryError::NoPerson => ScimError::MEMBER,
        other => other.into(),
    }
}

impl Scim {
    async fn group(&self, id: &str) -> Result<GroupView, ScimError> {
        let id: Id<Group> = id.parse().map_err(|_| ScimError::NOT_FOUND)?;
        find_group(&self.store, id).await?.ok_or(ScimError::NOT_FOUND)
    }
}

pub async fn list(State(scim): State<Arc<Scim>>, RawQuery(said): RawQuery) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    Ok(answer(StatusCode::OK, &query::answer(&scim, &[&GROUPS], &query).await?))
}

pub async fn search(State(scim): State<Arc<Scim>>, request: Request) -> Result<Response, ScimError> {
    searched(&scim, &[&GROUPS], request).await
}

pub async fn create(
    State(scim): State<Arc<Scim>>,
    RawQuery(said): RawQuery,
    request: Request,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let (caller, _, body) = message(request).await?;
    let order = group::order(&clean(&GROUPS, &body)?)?;
    let done = scim.directory(caller, &mut *scim.rng.lock().await).create_group(&order).await.map_err(in_body)?;
    scim.recorded(done.position).await;
    Ok(shown(StatusCode::CREATED, &query, &done.value, &scim.base))
}

pub async fn read(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    RawQuery(said): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let group = scim.group(&id).await?;
    let tag = group::tag(&group);
    if etag::is_known(&headers, &tag) {
        return Ok(not_modified(&tag));
    }
    Ok(shown(StatusCode::OK, &query, &group, &scim.base))
}

pub async fn replace(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    RawQuery(said): RawQuery,
    request: Request,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let (caller, headers, body) = message(request).await?;
    let known = scim.group(&id).await?;
    let version = etag::expected(&headers, &group::tag(&known), known.group.version)?;
    let order = group::order(&clean(&GROUPS, &body)?)?;
    let id = known.group.id;
    let done = scim.directory(caller, &mut *scim.rng.lock().await).replace_group(id, version, &order).await;
    let done = done.map_err(in_body)?;
    scim.recorded(done.position).await;
    Ok(shown(StatusCode::OK, &query, &done.value, &scim.base))
}

pub async fn patch(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    RawQuery(said): RawQuery,
    request: Request,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let (caller, headers, body) = message(request).await?;
    let mut attempt = 1;
    loop {
        let known = scim.group(&id).await?;
        let named = etag::expected(&headers, &group::tag(&known), known.group.version)?.is_some();
        let patched = patching::apply(&GROUPS, group::document(&known, &scim.base), &body)?;
        let order = group::order(&patched.document)?;
        let (id, version) = (known.group.id, Some(known.group.version));
        match scim.directory(caller, &mut *scim.rng.lock().await).replace_group(id, version, &order).await {
            Ok(done) => {
                scim.recorded(done.position).await;
                return Ok(shown(StatusCode::OK, &query, &done.value, &scim.base));
            }
            Err(DirectoryError::Changed) if !named && attempt < PATCH_ATTEMPTS_MAX => attempt += 1,
            Err(error) => return Err(in_body(error)),
        }
    }
}

pub async fn remove(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let known = scim.group(&id).await?;
    let version = etag::expected(&headers, &group::tag(&known), known.group.version)?;
    let id = known.group.id;
    let done = scim.directory(caller, &mut *scim.rng.lock().await).delete_group(id, version).await?;
    scim.recorded(done.position).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
