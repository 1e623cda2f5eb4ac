//! `/Users`.

use super::document::clean;
use super::error::ScimError;
use super::limits::PATCH_ATTEMPTS_MAX;
use super::query::Query;
use super::schema::USERS;
use super::{Caller, Scim, answer, etag, message, not_modified, patch as patching, query, resource, searched, user};
use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use scruple_app::directory::{DirectoryError, Done, UserOrder, UserView, find_user};
use scruple_core::Id;
use scruple_store::Person;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

fn shown(status: StatusCode, query: &Query, user: &UserView, base: &str) -> Result<Response, ScimError> {
    Ok(resource(status, query, &USERS, (&user::tag(user), user::render(user, base)?)))
}

impl Scim {
    async fn user(&self, id: &str) -> Result<UserView, ScimError> {
        let id: Id<Person> = id.parse().map_err(|_| ScimError::NOT_FOUND)?;
        find_user(&self.store, id, self.clock.now()).await?.ok_or(ScimError::NOT_FOUND)
    }

    async fn replace_user(
        &self,
        caller: Caller,
        (id, version): (Id<Person>, Option<i64>),
        mut order: UserOrder,
    ) -> Result<Done<UserView>, DirectoryError> {
        order.effective_at = Some(self.clock.now().plus_micros(self.move_notice_micros.max(0)));
        self.directory(caller, &mut *self.rng.lock().await).replace_user(id, version, &order).await
    }
}

pub async fn list(State(scim): State<Arc<Scim>>, RawQuery(said): RawQuery) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    Ok(answer(StatusCode::OK, &query::answer(&scim, &[&USERS], &query).await?))
}

pub async fn search(State(scim): State<Arc<Scim>>, request: Request) -> Result<Response, ScimError> {
    searched(&scim, &[&USERS], request).await
}

/// That somebody is active gives him nothing.
pub async fn create(
    State(scim): State<Arc<Scim>>,
    RawQuery(said): RawQuery,
    request: Request,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let (caller, _, body) = message(request).await?;
    let mut document = clean(&USERS, &body)?;
    document.entry("active").or_insert(Value::Bool(true));
    let order = user::order(&document, None, &BTreeSet::new())?;
    let done = scim.directory(caller, &mut *scim.rng.lock().await).create_user(&order).await?;
    scim.recorded(done.position).await;
    shown(StatusCode::CREATED, &query, &done.value, &scim.base)
}

pub async fn read(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    RawQuery(said): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let user = scim.user(&id).await?;
    let tag = user::tag(&user);
    if etag::is_known(&headers, &tag) {
        return Ok(not_modified(&tag));
    }
    shown(StatusCode::OK, &query, &user, &scim.base)
}

pub async fn replace(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    RawQuery(said): RawQuery,
    request: Request,
) -> Result<Response, ScimError> {
    let query = Query::of_url(said.as_deref().unwrap_or_default())?;
    let (caller, headers, body) = message(request).await?;
    let known = scim.user(&id).await?;
    let version = etag::expected(&headers, &user::tag(&known), known.record.version)?;
    let before = user::document(&known)?;
    let mut document = clean(&USERS, &body)?;
    // What is not said of this stays as it is: a directory that leaves it out does not bring anybody back.
    if let Some(active) = before.get("active") {
        document.entry("active").or_insert_with(|| active.clone());
    }
    let order = user::order(&document, Some(&before), &BTreeSet::new())?;
    let done = scim.replace_user(caller, (known.record.person.id, version), order).await?;
    scim.recorded(done.position).await;
    shown(StatusCode::OK, &query, &done.value, &scim.base)
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
        let known = scim.user(&id).await?;
        let named = etag::expected(&headers, &user::tag(&known), known.record.version)?.is_some();
        let before = user::document(&known)?;
        let patched = patching::apply(&USERS, before.clone(), &body)?;
        let order = user::order(&patched.document, Some(&before), &patched.touched)?;
        // The operations were decided on this version, whether the client names it or not.
        let version = Some(known.record.version);
        match scim.replace_user(caller, (known.record.person.id, version), order).await {
            Ok(done) => {
                scim.recorded(done.position).await;
                return shown(StatusCode::OK, &query, &done.value, &scim.base);
            }
            Err(DirectoryError::Changed) if !named && attempt < PATCH_ATTEMPTS_MAX => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

pub async fn remove(
    State(scim): State<Arc<Scim>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let known = scim.user(&id).await?;
    let version = etag::expected(&headers, &user::tag(&known), known.record.version)?;
    let id = known.record.person.id;
    let done = scim.directory(caller, &mut *scim.rng.lock().await).delete_user(id, version).await?;
    scim.recorded(done.position).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
