//! What the service says of itself (RFC 7644, 4).

use super::error::ScimError;
use super::limits::RESULTS_MAX;
use super::schema::{SCHEMAS, TYPES};
use super::{Scim, answer};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

pub async fn configuration(State(scim): State<Arc<Scim>>) -> Response {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": RESULTS_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A bearer token (RFC 6750) of the service that provisions.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", scim.base),
        },
    });
    answer(StatusCode::OK, &body)
}

fn list(resources: Vec<Value>) -> Response {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    answer(StatusCode::OK, &body)
}

pub async fn types(State(scim): State<Arc<Scim>>) -> Response {
    list(TYPES.iter().map(|kind| kind.to_json(&scim.base)).collect())
}

pub async fn one_type(State(scim): State<Arc<Scim>>, Path(id): Path<String>) -> Result<Response, ScimError> {
    let found = TYPES.iter().find(|kind| kind.name == id).ok_or(ScimError::NOT_FOUND)?;
    Ok(answer(StatusCode::OK, &found.to_json(&scim.base)))
}

pub async fn schemas(State(scim): State<Arc<Scim>>) -> Response {
    list(SCHEMAS.iter().map(|schema| schema.to_json(&scim.base)).collect())
}

pub async fn one_schema(State(scim): State<Arc<Scim>>, Path(id): Path<String>) -> Result<Response, ScimError> {
    let found = SCHEMAS.iter().find(|schema| schema.urn.eq_ignore_ascii_case(&id)).ok_or(ScimError::NOT_FOUND)?;
    Ok(answer(StatusCode::OK, &found.to_json(&scim.base)))
}
