//! Access that is prolonged, and the text that is read before access is asked for.

use super::parameters::OnceKey;
use super::query::Query;
use super::requests::{find, message, viewer};
use super::shown::{self, RequestShown, parse_time};
use crate::body;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::{Longer, Rules};
use scruple_core::{Id, Phi};
use scruple_flow::{AccessRequest, RoleCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// How access is to be prolonged.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExtension {
    /// Until when.
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// What it is still needed for, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub justification: String,
    /// The id of the text on what is minimum necessary here, which was read: `GET /api/v1/reminders`.
    #[schema(max_length = 64)]
    pub acknowledged: Option<String>,
}

/// What is read before access is asked for.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ReminderShown {
    /// What a request names as `acknowledged`; none where nothing has to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub sentences: Vec<String>,
}

/// Asks for what a request opened, from its end on: a new request, decided anew.
#[utoipa::path(
    post,
    path = "/api/v1/access-requests/{id}/extend",
    operation_id = "extend_access_request",
    tag = "Access requests",
    params(
        ("id" = String, Path, description = "The id of the request whose access is prolonged", format = Uuid),
        OnceKey,
    ),
    request_body = NewExtension,
    responses(
        (status = 201, description = "It was handed in", body = RequestShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Its place"))),
        super::Refusals,
    )
)]
pub(crate) async fn extend(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewExtension = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let viewer = viewer(&service, &caller).await?;
        let earlier = find(&service, &viewer, &id).await?;
        let id: Id<AccessRequest> = Id::from_uuid(attempt.id);
        let place = (id, service.now());
        let find = async || Ok(viewer.request(&service.parts.store, &*service.pack(), place).await?);
        let make = async || {
            let longer = Longer {
                ends_at: parse_time(&order.ends_at).ok_or(Fail::TIME)?,
                justification: Phi::new(order.justification.clone()),
                acknowledged: order.acknowledged.clone(),
            };
            let who = caller.who;
            service.desk(async |desk| desk.extend_as(who, (earlier.id, id), longer).await).await
        };
        let made = attempt.made(find, make).await?;
        let place = format!("{}/api/v1/access-requests/{}", service.parts.base, made.id);
        Ok(Done::now(&shown::request(&service, &viewer, &made).await?, made.version)?.created(place))
    })
    .await
}

/// Reads the text on what is minimum necessary for what somebody would ask for. A request names its id as `acknowledged`.
#[utoipa::path(
    get,
    path = "/api/v1/reminders",
    operation_id = "get_reminder",
    tag = "Access requests",
    params(
        ("role" = String, Query, description = "The role that would be asked for", max_length = 64),
        ("what" = Option<String>, Query, description = "`role` for the role itself, `patients` for records in it; without it `role`", pattern = "^(role|patients)$"),
    ),
    responses((status = 200, description = "The text", body = ReminderShown), super::Refusals)
)]
pub(crate) async fn reminder(
    State(service): State<Arc<Service>>,
    _: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<ReminderShown>, Fail> {
    let query = Query::of(query.as_deref(), &["role", "what"])?;
    // What is no role is asked for by nobody.
    let role = query.text("role").ok_or(Fail::QUERY)?.parse::<RoleCode>().map_err(|_| Fail::NOT_FOUND)?;
    let known = |text: &str| match text {
        "role" => Some(false),
        "patients" => Some(true),
        _ => None,
    };
    let is_of_patients = query.parsed("what", known)?.unwrap_or(false);
    let pack = service.pack();
    // Nothing is told of what nobody can ask for.
    pack.as_ref().approval(role.as_str(), is_of_patients).ok_or(Fail::NOT_FOUND)?;
    let text = Rules::reminder(&*pack, &role, is_of_patients);
    let (id, sentences) = text.map_or((None, Vec::new()), |text| (Some(text.id), text.sentences));
    Ok(Json(ReminderShown { id, sentences }))
}
