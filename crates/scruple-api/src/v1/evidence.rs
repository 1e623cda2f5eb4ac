//! What stood at an instant, for whoever audits.

use super::query::Query;
use super::shown::parse_time;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::service::Service;
use aws_lc_rs::digest;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use scruple_app::evidence::{EvidenceError, evidence, newest};
use std::sync::Arc;

/// Reads what stood at an instant.
///
/// Policy, grants, opened records, and how requests, reviews, cases, moves and leaves stood, by their events until then. The same
/// instant gives the same bytes whenever it is asked for; `Repr-Digest` is their SHA-256. People and things are named by ids; what
/// somebody wrote and whose records were opened stay out.
#[utoipa::path(
    get,
    path = "/api/v1/evidence",
    operation_id = "get_evidence",
    tag = "Evidence",
    params(("as_of" = Option<String>, Query, description = "When, at least a minute ago; without it a minute ago", format = DateTime)),
    responses(
        (status = 200, description = "What stood then", body = Object, headers(("repr-digest" = String, description = "SHA-256 of the body (RFC 9530)"))),
        super::Refusals,
    )
)]
pub(crate) async fn pack(
    State(service): State<Arc<Service>>,
    _: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Fail> {
    let query = Query::of(query.as_deref(), &["as_of"])?;
    let as_of = query.text("as_of").map(|text| parse_time(text).ok_or(Fail::TIME)).transpose()?;
    let now = service.now();
    let made =
        evidence(&service.parts.store, as_of.unwrap_or(newest(now)), now).await.map_err(|error| match error {
            EvidenceError::TooRecent => Fail::TOO_RECENT,
            EvidenceError::Store(error) => Fail::of_store(&error),
        })?;
    let bytes = serde_json::to_vec(&made).map_err(|_| Fail::INTERNAL)?;
    let digest = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, &bytes));
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::HeaderName::from_static("repr-digest"), format!("sha-256=:{digest}:")),
    ];
    Ok((headers, bytes).into_response())
}
