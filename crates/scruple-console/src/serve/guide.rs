//! The rules in plain words.

use super::{Signed, Site, page};
use crate::pages::guide::Guide;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// `GET /guide`
pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed) -> Response {
    page(StatusCode::OK, &Guide::new(signed.frame(&site, None)))
}
