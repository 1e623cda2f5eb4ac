//! Who calls: a bearer token (RFC 9068) with the scope of the route, of somebody who is here and may do the act of the route. A
//! cookie says nothing here. Who may not is refused and recorded, alike for whatever he asks.

use crate::fail::{Fail, Refused};
use crate::limits::REQUEST_ID_BYTES_MAX;
use crate::routes::{self, Asks};
use crate::service::Service;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use scruple_app::{Rules as _, Who, deputy_scope};
use scruple_core::Id;
use scruple_flow::{Person, RoleCode};
use scruple_http::{RequestId, security_headers};
use scruple_identity::bearer;
use scruple_identity::session::FRESH_SECONDS;
use scruple_policy::Act;
use std::collections::BTreeSet;
use std::sync::Arc;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who calls, and what he may do with the act of the route.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who stands in every event as who acted.
    pub who: Who,
    /// The login.
    pub login: String,
    /// The roles that are held now and that the token does not leave out.
    pub roles: BTreeSet<RoleCode>,
    /// The id of the request, as in the logs.
    pub request_id: Option<String>,
}

impl Caller {
    pub const fn person(&self) -> Id<Person> {
        self.who.person
    }
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Self, Fail> {
        // The gate has put it there, or has answered itself.
        parts.extensions.get::<Self>().cloned().ok_or(Fail::INTERNAL)
    }
}

/// Lets through who may come: by the table of routes. What is in no row is not there.
pub(crate) async fn gate(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let echo = request.headers().get(REQUEST_ID).filter(|id| id.len() <= REQUEST_ID_BYTES_MAX).cloned();
    let mut response = passed(&service, request, next).await;
    let headers = response.headers_mut();
    if let Some(echo) = echo {
        headers.insert(REQUEST_ID, echo);
    }
    security_headers(headers);
    response
}

async fn passed(service: &Service, mut request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
    // Of another method the router says that it is not taken.
    let Some(route) = routes::find(method, &matched) else { return next.run(request).await };
    let Asks::Caller { scope, act } = route.asks else { return next.run(request).await };
    let caller = match caller(service, request.headers(), (scope, act)).await {
        Ok(caller) => caller,
        Err((fail, person)) => {
            refused(service, route.path, fail.code, person).await;
            return with_scope(fail, scope);
        }
    };
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let caller = Caller { request_id, ..caller };
    let person = caller.person();
    if method == "GET" && !viewed(service, (route.path, request.uri().path()), act, person).await {
        return Fail::UNRECORDED.into_response();
    }
    // From here on nobody has the token.
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    if let Some(Refused(code)) = response.extensions().get::<Refused>().copied() {
        refused(service, route.path, code, Some(person)).await;
    }
    response
}

/// Why somebody may not call, and who it is, if that is known.
type Stranger = (Fail, Option<Id<Person>>);

async fn caller(service: &Service, headers: &HeaderMap, (scope, act): (&str, Act)) -> Result<Caller, Stranger> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return Err((Fail::NO_TOKEN, None)) };
    let text = value.to_str().ok().and_then(bearer).ok_or((Fail::BAD_TOKEN, None))?;
    let token = service.parts.tokens.verify(text, service.now()).map_err(|_| (Fail::BAD_TOKEN, None))?;
    let held = match service.parts.access.try_held(token.subject(), service.now()) {
        Some(held) => Some(held),
        None => {
            service.parts.access.held(token.subject(), service.now()).await.map_err(|error| (error.into(), None))?
        }
    };
    let now = service.now();
    let held = held.filter(|held| !held.has_left(now) && !held.is_disabled(now)).ok_or((Fail::NOBODY, None))?;
    let person = held.person();
    if !token.has_scope(scope) || !held.may_use(scope) {
        return Err((Fail::SCOPE, Some(person)));
    }
    // A token selects among what is held and adds nothing (never-wider).
    let named = |role: &RoleCode| token.roles().is_empty() || token.roles().iter().any(|one| one == role.as_str());
    let roles: BTreeSet<RoleCode> = held.active(now).map(|one| one.role.clone()).filter(|role| named(role)).collect();
    let pack = service.pack();
    if pack.scope(act, &roles).is_none() {
        // A deputy comes in the place of another: what he may do there the desk judges at the decision.
        // A token that names roles selects among the caller's own (never-wider).
        let other = if token.roles().is_empty() {
            deputy_scope(&service.parts.store, &*pack, (person, act), now).await
        } else {
            Ok(None)
        };
        other.map_err(|error| (error.into(), Some(person)))?.ok_or((Fail::ACT, Some(person)))?;
    }
    service.parts.access.note_use(person, now);
    Ok(Caller {
        who: Who { person, stepped_up: token.is_confirmed_within(FRESH_SECONDS, now) },
        login: token.subject().to_owned(),
        roles,
        request_id: None,
    })
}

/// A refusal that names the scope that was missing (RFC 6750, 3).
fn with_scope(fail: Fail, scope: &str) -> Response {
    let mut response = fail.into_response();
    if fail == Fail::SCOPE
        && let Ok(value) = HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// Records that somebody was refused. What cannot be recorded is logged.
async fn refused(service: &Service, route: &str, code: &'static str, person: Option<Id<Person>>) {
    let person = person.map_or_else(|| "nobody".to_owned(), |person| person.to_string());
    let facts = [("route", route.to_owned()), ("code", code.to_owned()), ("person", person)];
    if !service.note("api_refused", &facts).await {
        tracing::warn!(code, "a refusal is not recorded");
    }
}

/// Records that somebody looked. What tells of others is not shown where that cannot be recorded; what a person has himself is
/// (care-continues).
async fn viewed(service: &Service, (route, path): (&str, &str), act: Act, person: Id<Person>) -> bool {
    // Ids alone: whatever else somebody has typed into an address is not kept.
    let shown: Vec<&str> = path.split('/').filter(|part| part.parse::<Id<Person>>().is_ok()).collect();
    let facts = [("route", route.to_owned()), ("shown", shown.join(" ")), ("person", person.to_string())];
    service.note("api_viewed", &facts).await || matches!(act, Act::Access | Act::Ask)
}
