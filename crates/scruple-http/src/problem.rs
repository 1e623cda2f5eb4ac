//! Problem details (RFC 9457): an error as an answer, with a stable code and a safe sentence.

use crate::{RequestId, security_headers};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem. Its texts are constants: nothing of a request or of data gets into one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong, the same for every occurrence.
    pub title: &'static str,
    /// What the reader can do.
    pub detail: Option<&'static str>,
    /// A URI of the kind of problem; `None` is `about:blank`.
    pub kind: Option<&'static str>,
    /// The request that it is about.
    pub instance: Option<RequestId>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

impl Problem {
    /// A problem without detail.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, detail: None, kind: None, instance: None }
    }

    /// With what the reader can do.
    #[must_use]
    pub const fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// With the request that it is about.
    #[must_use]
    pub const fn about(mut self, request: Option<RequestId>) -> Self {
        self.instance = request;
        self
    }

    /// The JSON.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let body = Body {
            r#type: self.kind.unwrap_or("about:blank"),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            instance: self.instance.map(|id| format!("urn:uuid:{id}")),
        };
        serde_json::to_vec(&body).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
    }

    /// The answer, with [`security_headers`].
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.to_json());
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        security_headers(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_what_the_rfc_says() {
        let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "no such thing").with_detail("Look elsewhere.");
        let response = problem.into_response();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let text = std::str::from_utf8(response.body()).unwrap();
        assert_eq!(
            text,
            r#"{"type":"about:blank","title":"no such thing","status":404,"detail":"Look elsewhere.","code":"not_found"}"#
        );
    }
}
