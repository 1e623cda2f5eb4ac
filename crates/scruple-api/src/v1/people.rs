//! Who is here, what they have, and "leaves now".

use super::access::{Rights, rights};
use super::parameters::{OnceKey, Paging};
use super::query::Query;
use super::requests::viewer;
use super::shown::time;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::PersonView;
use scruple_app::directory::Directory;
use scruple_core::Id;
use scruple_flow::Person;
use scruple_policy::Act;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A person.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct PersonShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub login: String,
    pub name: String,
    /// The roles that he holds now.
    pub roles: Vec<String>,
    /// The line manager whom HR names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub manager: Option<String>,
    #[schema(format = DateTime)]
    pub since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub left_at: Option<String>,
}

/// People.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct People {
    pub items: Vec<PersonShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const LIST: &str = "people";
/// Bytes of what is searched for.
const SEARCH_BYTES_MAX: usize = 200;

pub(super) fn shown(view: PersonView) -> PersonShown {
    let PersonView { person, roles, manager } = view;
    PersonShown {
        id: person.id.to_string(),
        login: person.login.into_inner(),
        name: person.name.into_inner(),
        roles: roles.iter().map(ToString::to_string).collect(),
        manager: manager.map(|manager| manager.to_string()),
        since: time(person.created_at),
        left_at: person.left_at.map(time),
    }
}

/// Lists people: everybody, or those whose line manager the caller is.
#[utoipa::path(
    get,
    path = "/api/v1/people",
    operation_id = "list_people",
    tag = "People",
    params(
        ("q" = Option<String>, Query, description = "A part of the name or login", max_length = 200),
        Paging,
    ),
    responses((status = 200, description = "The people", body = People), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<People>, Fail> {
    let query = Query::of(query.as_deref(), &["q", "limit", "cursor"])?;
    let search = query.text("q").unwrap_or_default();
    if search.chars().count() > SEARCH_BYTES_MAX {
        return Err(Fail::QUERY);
    }
    let (limit, after) = (query.limit()?, query.place::<Id<Person>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let now = service.now();
    let page = viewer.people(&service.parts.store, &*service.pack(), (search, now), (after, limit)).await?;
    let next = query.next(&service, &caller, LIST, page.next.as_ref())?;
    Ok(Json(People { items: page.rows.into_iter().map(shown).collect(), next }))
}

pub(super) async fn find(service: &Service, caller: &Caller, text: &str) -> Result<PersonView, Fail> {
    let id: Id<Person> = text.parse().map_err(|_| Fail::NOT_FOUND)?;
    let viewer = viewer(service, caller).await?;
    let found = viewer.person(&service.parts.store, &*service.pack(), (id, service.now())).await?;
    found.ok_or(Fail::NOT_FOUND)
}

/// Reads a person.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}",
    operation_id = "get_person",
    tag = "People",
    params(("id" = String, Path, description = "The person's id", format = Uuid)),
    responses(
        (status = 200, description = "The person", body = PersonShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let found = find(&service, &caller, &id).await?;
    let version = found.person.version;
    Done::now(&shown(found), version)
}

/// Reads what a person has: roles and opened records.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}/grants",
    operation_id = "list_grants_of_person",
    tag = "People",
    params(("id" = String, Path, description = "The person's id", format = Uuid)),
    responses((status = 200, description = "What the person has", body = Rights), super::Refusals)
)]
pub(crate) async fn grants(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Rights>, Fail> {
    let found = find(&service, &caller, &id).await?;
    rights(&service, &caller, found.person.id).await.map(Json)
}

/// "Leaves now": every role, opened record, link and session of a person ends at once. Of one who has left nothing is to be done.
#[utoipa::path(
    post,
    path = "/api/v1/people/{id}/leave",
    operation_id = "end_person",
    tag = "People",
    params(
        ("id" = String, Path, description = "The person's id", format = Uuid),
        OnceKey,
    ),
    responses((status = 200, description = "The person as he is now", body = PersonShown), super::Refusals)
)]
pub(crate) async fn leave(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let found = find(&service, &caller, &id).await?;
        let person = found.person.id;
        let pack = service.pack();
        if !viewer(&service, &caller).await?.reaches(&*pack, Act::EndAccess, person) {
            return Err(Fail::NOT_FOUND);
        }
        let mut rng = (service.parts.rng)();
        let (store, lease, clock) = (&service.parts.store, &service.parts.lease, service.parts.clock.as_ref());
        let mut directory = Directory { store, lease, clock, rng: &mut *rng, by: caller.person() };
        let position = directory.ends_now(person).await?;
        service.recorded(position).await;
        Done::plain(&shown(find(&service, &caller, &id).await?))
    })
    .await
}
