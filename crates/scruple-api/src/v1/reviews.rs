//! Reviews of emergencies.

use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::requests::{message, viewer};
use super::shown::{self, ReviewShown, Spot};
use crate::body;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_core::{Id, Phi};
use scruple_flow::{EmergencyReview, Finding};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Reviews.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Reviews {
    pub items: Vec<ReviewShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How a review is closed.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closing {
    pub finding: FindingCode,
    /// Why, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub rationale: String,
}

/// What was found.
#[derive(Deserialize, Clone, Copy, Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FindingCode {
    /// The access was needed.
    Justified,
    /// It was not.
    Unjustified,
    /// Somebody else must say.
    Escalated,
}

impl FindingCode {
    const fn finding(self) -> Finding {
        match self {
            Self::Justified => Finding::Justified,
            Self::Unjustified => Finding::Unjustified,
            Self::Escalated => Finding::Escalated,
        }
    }
}

const LIST: &str = "emergency-reviews";

/// Lists the reviews that nobody has closed, what is due first.
#[utoipa::path(
    get,
    path = "/api/v1/emergency-reviews",
    operation_id = "list_emergency_reviews",
    tag = "Emergencies",
    params(
        Paging,
    ),
    responses((status = 200, description = "The reviews", body = Reviews), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Reviews>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let (limit, place) = (query.limit()?, query.place::<Spot<EmergencyReview>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let after = place.map(|spot| (spot.at, spot.id));
    let page = viewer.reviews(&service.parts.store, &*service.pack(), (after, limit)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for (review, elevation) in &page.rows {
        items.push(shown::review(&service, &viewer, (review, elevation)).await?);
    }
    let next = page.next.map(|(at, id)| Spot { at, id });
    Ok(Json(Reviews { items, next: query.next(&service, &caller, LIST, next.as_ref())? }))
}

/// Reads a review.
#[utoipa::path(
    get,
    path = "/api/v1/emergency-reviews/{id}",
    operation_id = "get_emergency_review",
    tag = "Emergencies",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The review", body = ReviewShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let id: Id<EmergencyReview> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let viewer = viewer(&service, &caller).await?;
    let found = viewer.review(&service.parts.store, &*service.pack(), id).await?.ok_or(Fail::NOT_FOUND)?;
    Done::now(&shown::review(&service, &viewer, (&found.0, &found.1)).await?, found.0.version)
}

/// Closes a review.
#[utoipa::path(
    post,
    path = "/api/v1/emergency-reviews/{id}/close",
    operation_id = "close_emergency_review",
    tag = "Emergencies",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Closing,
    responses(
        (status = 200, description = "The review as it is now", body = ReviewShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn close(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let closing: Closing = body::parsed(&bytes)?;
    let version = replay::version(&parts.headers)?;
    let id: Id<EmergencyReview> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let viewer = viewer(&service, &caller).await?;
        let store = &service.parts.store;
        let (_, elevation) = viewer.review(store, &*service.pack(), id).await?.ok_or(Fail::NOT_FOUND)?;
        let (who, finding, rationale) = (caller.who, closing.finding.finding(), Phi::new(closing.rationale.clone()));
        let now = service.desk(async |desk| desk.close_review(who, id, version, finding, rationale).await).await?;
        Done::now(&shown::review(&service, &viewer, (&now, &elevation)).await?, now.version)
    })
    .await
}
