//! Answers on the wire: status, the headers of the allow-list, and a body that was recorded or holds nothing.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http_body_util::Full;
use scruple_release::{Answer, Released};

/// The media type of every body.
const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json; charset=utf-8");
/// What is said where nothing can be recorded.
const UNRECORDED: &[u8] = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient","details":{"coding":[{"system":"urn:scruple:reason","code":"ledger_unavailable"}]},"diagnostics":"What leaves must be recorded first, and nothing can be recorded now. Try again; for treatment, say so by purpose TREAT or ETREAT."}]}"#;

/// A body of the gateway. There is no way to make one of other bytes.
// INVARIANT (record-before-release): made of what is `Released`, of the CapabilityStatement, or of a constant.
pub struct Body(Bytes);

impl Body {
    fn released(released: Released) -> Self {
        // Not its bytes alone: what they take of memory is given back when the last of them is sent.
        Self(Bytes::from_owner(released))
    }

    pub(crate) const fn capabilities(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// An answer of the gateway.
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Stable code of a no.
    pub code: Option<&'static str>,
    /// The ETag of what was read.
    pub etag: Option<String>,
    /// Its body.
    pub body: Body,
    /// It waits for the next of [`BUCKETS_MS`](crate::BUCKETS_MS) before it leaves.
    pub held: bool,
    /// What is asked of the caller beside it (`WWW-Authenticate`, RFC 9470).
    pub challenge: Option<String>,
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let (status, code, etag, body) = match answer {
            Answer::Released(released) => (200, None, None, Body::released(released)),
            Answer::Read(released, etag) => (200, None, Some(etag), Body::released(released)),
            Answer::Unchanged(released, etag) => (304, None, Some(etag), Body::released(released)),
            Answer::Refused(status, code, released) => (status, Some(code), None, Body::released(released)),
            Answer::Unrecorded => (503, Some("ledger_unavailable"), None, Body(Bytes::from_static(UNRECORDED))),
        };
        Self { status, code, etag, body, held: false, challenge: None }
    }
}

/// The answers to the entries of a batch, as they stand in the answer to it.
// INVARIANT (record-before-release): made of bodies that were recorded, and of their statuses.
struct Parts {
    bytes: Vec<u8>,
    /// What its bytes were made of, given back with them.
    _parts: Vec<Response>,
}

impl AsRef<[u8]> for Parts {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Response {
    /// The answer to a batch.
    pub(crate) fn batch(parts: Vec<Self>) -> Self {
        let mut bytes = br#"{"resourceType":"Bundle","type":"batch-response""#.to_vec();
        for (place, part) in parts.iter().enumerate() {
            bytes.extend_from_slice(if place == 0 { br#","entry":[{"# } else { b",{" });
            let body = part.body.bytes();
            if part.status == 200 {
                bytes.extend_from_slice(br#""resource":"#);
                bytes.extend_from_slice(body);
                bytes.push(b',');
            }
            bytes.extend_from_slice(format!(r#""response":{{"status":"{}""#, part.status).as_bytes());
            if let Some(etag) = &part.etag {
                let etag = serde_json::Value::from(etag.as_str());
                bytes.extend_from_slice(format!(r#","etag":{etag}"#).as_bytes());
            }
            if part.status >= 400 {
                bytes.extend_from_slice(br#","outcome":"#);
                bytes.extend_from_slice(body);
            }
            bytes.extend_from_slice(b"}}");
        }
        bytes.extend_from_slice(if parts.is_empty() { b"}".as_slice() } else { b"]}" });
        let body = Body(Bytes::from_owner(Parts { bytes, _parts: parts }));
        Self { status: 200, code: None, etag: None, body, held: false, challenge: None }
    }
}

impl Response {
    /// As HTTP. `request_id` is ours.
    #[must_use]
    pub fn into_http(self, request_id: &str) -> http::Response<Full<Bytes>> {
        let mut response = http::Response::new(Full::new(self.body.0));
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::SERVICE_UNAVAILABLE);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, FHIR_JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        if let Some(etag) = self.etag.as_ref().and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.insert(ETAG, etag);
        }
        if let Some(challenge) = self.challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        } else if self.status == 401 {
            let challenge =
                if self.code == Some("token_missing") { "Bearer" } else { "Bearer error=\"invalid_token\"" };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.status == 405 {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        response
    }
}
