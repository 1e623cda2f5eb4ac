//! What the management of devices tells: security event tokens (RFC 8417) that a transmitter pushes (RFC 8935; OpenID Shared Signals,
//! CAEP). A token is its own proof: its signature, issuer and audience are those of the configuration, and it counts once.

use crate::body;
use crate::fail::Fail;
use crate::service::Service;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_app::{DeviceDesk, Told};
use scruple_identity::signal::SignalError;
use scruple_store::StoreError;
use serde::Serialize;
use serde_json::json;
use std::sync::{Arc, PoisonError};
use utoipa::ToSchema;

/// The media type of a token.
const SECEVENT: &str = "application/secevent+jwt";

/// Why a token is not taken (RFC 8935, 2.4).
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct SignalRefusal {
    /// A registered code: `invalid_request`, `invalid_key`, `invalid_issuer`, `invalid_audience`, `access_denied`.
    #[schema(example = "invalid_key")]
    err: String,
    /// In words.
    description: String,
}

/// Takes what a transmitter tells.
#[utoipa::path(
    post,
    path = "/api/v1/security-events",
    operation_id = "take_security_event",
    tag = "Devices",
    security(()),
    request_body(content = String, content_type = "application/secevent+jwt", description = "A security event token"),
    responses(
        (status = 202, description = "It is taken, or was taken before"),
        (status = 400, description = "It is not taken", body = SignalRefusal),
        (status = 413, description = "It is too long", body = crate::v1::Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now: send it again", body = crate::v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn take(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Fail> {
    let signals = service.parts.signals.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(signals) = signals else {
        return Ok(refusal("access_denied", "no transmitter is known here"));
    };
    let (parts, sent) = request.into_parts();
    let mut kinds = parts.headers.get_all(header::CONTENT_TYPE).iter();
    let kind = kinds.next().filter(|_| kinds.next().is_none()).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_event = kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SECEVENT);
    let bytes = body::bytes(sent).await?;
    let text = std::str::from_utf8(&bytes).ok().map(str::trim).filter(|_| is_event);
    let verified = text.ok_or(SignalError::Request).and_then(|text| signals.verify(text, service.now()));
    let signal = match verified {
        Ok(signal) => signal,
        Err(error) => {
            if !service.note("security_event_refused", &[("code", error.code().to_owned())]).await {
                tracing::warn!(code = error.code(), "a refusal is not recorded");
            }
            return Ok(refusal(error.code(), &error.to_string()));
        }
    };
    let mut rng = (service.parts.rng)();
    let parts = &service.parts;
    let mut desk = DeviceDesk { store: &parts.store, lease: &parts.lease, clock: parts.clock.as_ref(), rng: &mut *rng };
    match desk.take(&signal).await {
        Ok(Told::Changed(position)) => service.recorded(Some(position)).await,
        Ok(Told::Nothing) => {}
        // Another message of the same device was first: the transmitter sends this one again.
        Err(StoreError::RowsAffected { .. } | StoreError::Conflict(_)) => return Err(Fail::UNAVAILABLE),
        Err(error) => return Err(error.into()),
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

fn refusal(err: &str, description: &str) -> Response {
    let body = json!({ "err": err, "description": description }).to_string();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_LANGUAGE, "en")];
    (StatusCode::BAD_REQUEST, headers, body).into_response()
}
