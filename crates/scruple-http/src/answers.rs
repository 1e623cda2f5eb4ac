//! What a client gets when the listener, and not the service, ends its request.

use crate::{Problem, RequestId};
use bytes::Bytes;
use http::{Response, StatusCode};

/// Why the listener ends a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The target has more than `uri_bytes_max` bytes.
    UriTooLong,
    /// The head has more than `header_bytes_max` bytes.
    HeaderTooLarge,
    /// The service did not answer within `request_ms`.
    Timeout,
    /// The service panicked or failed.
    Failed,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UriTooLong => "uri_too_long",
            Self::HeaderTooLarge => "header_too_large",
            Self::Timeout => "request_timeout",
            Self::Failed => "internal",
        }
    }

    /// The status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The owner of a listener words the answers to refusals in its own format.
pub trait Answers: Send + Sync {
    /// The answer. It is called for each refusal and must not fail.
    fn answer(&self, refusal: Refusal, request: Option<RequestId>) -> Response<Bytes>;
}

/// Refusals as [`Problem`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemAnswers;

impl Answers for ProblemAnswers {
    fn answer(&self, refusal: Refusal, request: Option<RequestId>) -> Response<Bytes> {
        let title = match refusal {
            Refusal::UriTooLong => "the request's target is too long",
            Refusal::HeaderTooLarge => "the request's header is too large",
            Refusal::Timeout => "the request took too long",
            Refusal::Failed => "the request failed",
        };
        Problem::new(refusal.status(), refusal.code(), title).about(request).into_response()
    }
}
