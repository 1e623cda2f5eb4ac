//! Errors as RFC 7644, 3.12 has them. Their texts are constants: nothing of a request or of a person gets into one.

use super::MEDIA_TYPE;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_app::directory::DirectoryError;
use scruple_http::security_headers;
use scruple_store::StoreError;
use serde_json::json;

/// An error as an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScimError {
    pub status: StatusCode,
    /// The keyword of RFC 7644, table 9.
    pub kind: Option<&'static str>,
    pub detail: &'static str,
}

const fn bad(kind: &'static str, detail: &'static str) -> ScimError {
    ScimError { status: StatusCode::BAD_REQUEST, kind: Some(kind), detail }
}

const fn plain(status: StatusCode, detail: &'static str) -> ScimError {
    ScimError { status, kind: None, detail }
}

impl ScimError {
    pub const NOT_FOUND: Self = plain(StatusCode::NOT_FOUND, "no such resource");
    pub const METHOD: Self = plain(StatusCode::METHOD_NOT_ALLOWED, "the resource does not take this method");
    pub const NOT_IMPLEMENTED: Self = plain(StatusCode::NOT_IMPLEMENTED, "this part of SCIM is not offered");
    pub const UNAUTHORIZED: Self = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed");
    pub const MEDIA: Self = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not application/scim+json");
    pub const TOO_LARGE: Self = plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    pub const BODY: Self = plain(StatusCode::BAD_REQUEST, "the body did not arrive");
    pub const PRECONDITION: Self = plain(StatusCode::PRECONDITION_FAILED, "the resource was changed since it was read");
    pub const UNAVAILABLE: Self = plain(StatusCode::SERVICE_UNAVAILABLE, "the directory cannot be reached now");
    pub const INTERNAL: Self = plain(StatusCode::INTERNAL_SERVER_ERROR, "the request failed");
    pub const FORBIDDEN: Self = plain(StatusCode::FORBIDDEN, "who holds the token may not do this");
    pub const SYNTAX: Self = bad("invalidSyntax", "the body is not what the schema asks for");
    pub const VALUE: Self = bad("invalidValue", "a value is missing, of another type, or too long");
    pub const MEMBER: Self = bad("invalidValue", "a member is nobody of this directory");
    pub const FILTER: Self = bad("invalidFilter", "the filter cannot be read");
    pub const PATH: Self = bad("invalidPath", "the path names no attribute");
    pub const NO_TARGET: Self = bad("noTarget", "the path finds nothing to change");
    pub const MUTABILITY: Self = bad("mutability", "the attribute cannot be changed so");
    pub const TOO_MANY: Self = bad("tooMany", "the filter has no index and there is too much to look at");
    pub const PARAMETERS: Self = bad("invalidValue", "the parameters contradict each other or are no numbers");
    pub const TAKEN: Self = ScimError {
        status: StatusCode::CONFLICT,
        kind: Some("uniqueness"),
        detail: "userName or employeeNumber is somebody else's",
    };
}

impl From<DirectoryError> for ScimError {
    fn from(error: DirectoryError) -> Self {
        match &error {
            DirectoryError::NoPerson | DirectoryError::NoGroup => Self::NOT_FOUND,
            DirectoryError::Changed => Self::PRECONDITION,
            DirectoryError::LoginTaken | DirectoryError::NumberTaken => Self::TAKEN,
            DirectoryError::By | DirectoryError::Own | DirectoryError::NotTheOwner => Self::FORBIDDEN,
            DirectoryError::NoLeave
            | DirectoryError::NoRole
            | DirectoryError::Leave(_)
            | DirectoryError::Generic
            | DirectoryError::NotIdle
            | DirectoryError::Dormancy(_)
            | DirectoryError::Account(_)
            | DirectoryError::Unused(_)
            | DirectoryError::NoSystem
            | DirectoryError::SystemTaken
            | DirectoryError::Drift(_)
            | DirectoryError::Purpose => Self::VALUE,
            DirectoryError::Store(StoreError::Limit { .. } | StoreError::Refused(_)) => Self::VALUE,
            DirectoryError::Store(StoreError::Busy(_) | StoreError::Fenced { .. }) => Self::UNAVAILABLE,
            DirectoryError::Store(source) => {
                // One log for the failure, here at the boundary; the chain holds ids and no values.
                tracing::error!(error = %source, "the directory cannot be stored or read: {source}");
                Self::INTERNAL
            }
        }
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_str(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(object)) = (self.kind, body.as_object_mut()) {
            object.insert("scimType".to_owned(), kind.into());
        }
        let mut response = (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response();
        let headers = response.headers_mut();
        security_headers(headers);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
