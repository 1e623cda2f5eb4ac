//! SCIM 2.0 (RFC 7643, RFC 7644): by it HR and the identity provider tell who is here. `active=true` gives no access;
//! `active=false` is a leaver.
//!
//! Offered: Users and Groups with the enterprise extension, filters, paging, PATCH, entity tags, `.search`, the three
//! documents that describe the service. Not offered: Bulk, `/Me`, sorting, passwords.

mod discovery;
mod document;
mod error;
mod etag;
mod filter;
mod group;
mod groups;
pub mod limits;
mod patch;
mod path;
mod query;
mod schema;
mod user;
mod users;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use error::ScimError;
use limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_TIMEOUT_MS, SCANNED_MAX};
use query::Query;
use rand_core::Rng;
use schema::{ResourceType, TYPES};
use scruple_app::DrainHandle;
use scruple_app::directory::Directory;
use scruple_app::limits::RECORDED_WAIT_MAX;
use scruple_core::{Clock, Id, Timestamp};
use scruple_http::{BodyError, read_body, security_headers};
use scruple_store::{Person, Position, ShardLease, Store};
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The media type of SCIM.
pub(crate) const MEDIA_TYPE: &str = "application/scim+json";

/// Who provisions: the person of the service that holds the token. He stands in every event as who acted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The person of the service.
    pub person: Id<Person>,
}

/// A verification on its way. `None`: the token is not good.
pub type Verifying<'a> = Pin<Box<dyn Future<Output = Option<Caller>> + Send + 'a>>;

/// Says who holds a bearer token. The token is looked at here and goes nowhere else.
pub trait TokenVerifier: Send + Sync {
    /// Who holds the token at `now`.
    fn verify<'a>(&'a self, token: &'a str, now: Timestamp) -> Verifying<'a>;
}

/// What the service is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The shard that is written on.
    pub lease: ShardLease,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The generator of ids.
    pub rng: Box<dyn Rng + Send>,
    /// Who may call.
    pub verifier: Arc<dyn TokenVerifier>,
    /// The service's own address, with `/scim/v2` and without a slash at the end: it stands in `meta.location`.
    pub base: String,
    /// Tells when an event is in the ledger. `None`: nothing is waited for.
    pub recorded: Option<DrainHandle>,
    /// Resources that one filter without an index is held against, at most [`limits::SCANNED_MAX`].
    pub scanned_max: usize,
    /// Microseconds from when a move is told to when it takes what the old place gave: SCIM tells no date, and whoever is
    /// at a bedside has until then to be approved anew. Zero is at once. A leave and a leaver never wait.
    pub move_notice_micros: i64,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("base", &self.base).finish_non_exhaustive()
    }
}

pub(crate) struct Scim {
    store: Store,
    lease: ShardLease,
    clock: Arc<dyn Clock>,
    /// One change at a time draws ids; the database has one writer, or one row of the shard to lock, anyway.
    rng: Mutex<Box<dyn Rng + Send>>,
    verifier: Arc<dyn TokenVerifier>,
    base: String,
    recorded: Option<DrainHandle>,
    scanned_max: usize,
    move_notice_micros: i64,
}

/// The service, with its paths below `/scim/v2`.
pub fn scim_router(parts: Parts) -> Router {
    let Parts { store, lease, clock, rng, verifier, base, recorded, scanned_max, move_notice_micros } = parts;
    let rng = Mutex::new(rng);
    let scanned_max = scanned_max.min(SCANNED_MAX);
    let scim = Scim { store, lease, clock, rng, verifier, base, recorded, scanned_max, move_notice_micros };
    router(Arc::new(scim))
}

fn router(scim: Arc<Scim>) -> Router {
    let paths = Router::new()
        .route("/ServiceProviderConfig", get(discovery::configuration))
        .route("/ResourceTypes", get(discovery::types))
        .route("/ResourceTypes/{id}", get(discovery::one_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::one_schema))
        .route("/Users", get(users::list).post(users::create))
        .route("/Users/.search", post(users::search))
        .route("/Users/{id}", get(users::read).put(users::replace).patch(users::patch).delete(users::remove))
        .route("/Groups", get(groups::list).post(groups::create))
        .route("/Groups/.search", post(groups::search))
        .route("/Groups/{id}", get(groups::read).put(groups::replace).patch(groups::patch).delete(groups::remove))
        .route("/.search", post(search))
        .route("/Bulk", post(not_offered))
        .route("/Me", get(not_offered))
        // Not a fallback: that would answer for paths beside these where routers are merged.
        .route("/", any(not_found))
        .route("/{*rest}", any(not_found))
        .method_not_allowed_fallback(|| async { ScimError::METHOD });
    Router::new().nest("/scim/v2", paths).layer(from_fn_with_state(Arc::clone(&scim), authenticated)).with_state(scim)
}

async fn not_found() -> ScimError {
    ScimError::NOT_FOUND
}

async fn not_offered() -> ScimError {
    ScimError::NOT_IMPLEMENTED
}

async fn search(State(scim): State<Arc<Scim>>, request: Request) -> Result<Response, ScimError> {
    searched(&scim, &TYPES, request).await
}

/// Nothing is answered to who has no good token, not even what there is.
async fn authenticated(State(scim): State<Arc<Scim>>, mut request: Request, next: Next) -> Response {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let caller = match token {
        Some((_, token)) => scim.verifier.verify(token.trim(), scim.clock.now()).await,
        None => None,
    };
    let Some(caller) = caller else { return ScimError::UNAUTHORIZED.into_response() };
    // From here on nobody has the token.
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    security_headers(response.headers_mut());
    response
}

/// A request's JSON.
async fn message(request: Request) -> Result<(Caller, HeaderMap, Value), ScimError> {
    let (mut parts, body) = request.into_parts();
    let caller = parts.extensions.remove::<Caller>().ok_or(ScimError::UNAUTHORIZED)?;
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if kind.is_some_and(|kind| kind != MEDIA_TYPE && kind != "application/json") {
        return Err(ScimError::MEDIA);
    }
    let body = read_body(body, REQUEST_BODY_BYTES_MAX, REQUEST_BODY_TIMEOUT_MS).await;
    let body = body.map_err(|error| match error {
        BodyError::TooLarge { .. } => ScimError::TOO_LARGE,
        _ => ScimError::BODY,
    })?;
    // What serde says of it may hold a part of it.
    let value = serde_json::from_slice(&body).map_err(|_| ScimError::SYNTAX)?;
    Ok((caller, parts.headers, value))
}

async fn searched(scim: &Scim, kinds: &[&'static ResourceType], request: Request) -> Result<Response, ScimError> {
    let (_, _, said) = message(request).await?;
    let query = Query::of_message(&said)?;
    Ok(answer(StatusCode::OK, &query::answer(scim, kinds, &query).await?))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
}

/// A resource as an answer, with its entity tag and, where it is new, its place.
fn resource(status: StatusCode, query: &Query, kind: &'static ResourceType, (tag, whole): (&str, Value)) -> Response {
    let location =
        whole.pointer("/meta/location").and_then(Value::as_str).and_then(|text| HeaderValue::try_from(text).ok());
    let mut response = answer(status, &query.shown.of(kind, whole));
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    if let Some(location) = location {
        if status == StatusCode::CREATED {
            headers.insert(header::LOCATION, location.clone());
        }
        headers.insert(header::CONTENT_LOCATION, location);
    }
    response
}

fn not_modified(tag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    *response.body_mut() = Body::empty();
    response.headers_mut().extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    response
}

impl Scim {
    /// The directory, as the caller acts on it.
    fn directory<'a>(&'a self, caller: Caller, rng: &'a mut Box<dyn Rng + Send>) -> Directory<'a> {
        Directory { store: &self.store, lease: &self.lease, clock: &*self.clock, rng: &mut **rng, by: caller.person }
    }

    /// Waits until an event is in the ledger. It is in the database all the same: a ledger that is late is told in the
    /// log, and does not make the directory say again what was done.
    async fn recorded(&self, position: Option<Position>) {
        if let (Some(recorded), Some(position)) = (&self.recorded, position)
            && let Err(error) = recorded.wait_for(position, RECORDED_WAIT_MAX).await
        {
            tracing::warn!(error = %error, "a change of the directory is not in the ledger yet: {error}");
        }
    }
}
