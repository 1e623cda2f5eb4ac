//! What is asked of web servers that are no FHIR servers: the documents and the token endpoint of an identity provider. Rare and
//! small, so each call opens a connection of its own. No redirect is followed, and nothing of an answer stands in an error.

use crate::answer::{self, Facts};
use crate::base::Base;
use crate::counts::UpstreamCounts;
use crate::options::{Options, Roots};
use crate::pool::Pool;
use crate::room::Room;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, IF_MATCH, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use scruple_release::UpstreamError;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Milliseconds for a whole call.
pub const WEB_MS: u64 = 10_000;
/// Bytes of an answer.
pub const WEB_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of an answer of a SCIM server: a group with all of its members.
pub const SCIM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a SCIM server answers.
pub struct ScimAnswer {
    /// The status.
    pub status: u16,
    /// After how many seconds it may be asked again, where it says so.
    pub wait_s: Option<u32>,
    /// The body of an answer that is no refusal.
    pub body: String,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Web servers, and whom TLS trusts for them.
#[derive(Clone, Debug)]
pub struct Web {
    roots: Roots,
}

impl Web {
    /// Servers under these authorities.
    #[must_use]
    pub const fn new(roots: Roots) -> Self {
        Self { roots }
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    /// The server cannot be reached in time, or answers with something else than 200 and a JSON object.
    pub async fn get(&self, address: &str) -> Result<String, UpstreamError> {
        match self.call(Method::GET, address, None, Bytes::new()).await? {
            (200, body) => Ok(body),
            (status, _) => Err(UpstreamError::Status(status)),
        }
    }

    /// Sends a form, and reads the JSON object that comes back: an answer, or why there is none (400 and 401; RFC 6749, 5.2).
    ///
    /// # Errors
    /// The server cannot be reached in time, or answers with another status or no JSON object.
    pub async fn post_form(
        &self,
        address: &str,
        authorization: Option<&SecretString>,
        form: &SecretString,
    ) -> Result<String, UpstreamError> {
        let body = Bytes::copy_from_slice(form.expose_secret().as_bytes());
        match self.call(Method::POST, address, authorization, body).await? {
            (200 | 400 | 401, body) => Ok(body),
            (status, _) => Err(UpstreamError::Status(status)),
        }
    }

    /// Sends a JSON object with a header of its own; answers the status, whatever else comes back.
    ///
    /// # Errors
    /// The server cannot be reached in time.
    pub async fn post_json(
        &self,
        address: &str,
        (name, value): (&'static str, &str),
        json: &str,
    ) -> Result<u16, UpstreamError> {
        let headers = [(CONTENT_TYPE, JSON), (HeaderName::from_static(name), header(value)?)];
        let body = Bytes::copy_from_slice(json.as_bytes());
        let answer = in_time(self.open(Method::POST, address, headers, body)).await?;
        Ok(answer.status().as_u16())
    }

    /// Calls an API with a bearer token: reads, or where there is a body sends it as JSON. Answers with the status and the text.
    ///
    /// # Errors
    /// The server cannot be reached in time, or answers with no text.
    pub async fn call_api(
        &self,
        method: Method,
        address: &str,
        bearer: &SecretString,
        (version, body): (Option<i64>, Option<String>),
    ) -> Result<(u16, String), UpstreamError> {
        let mut headers = vec![(AUTHORIZATION, header(&format!("Bearer {}", bearer.expose_secret()))?)];
        if body.is_some() {
            headers.push((CONTENT_TYPE, JSON));
        }
        if let Some(version) = version {
            headers.push((IF_MATCH, header(&format!("\"{version}\""))?));
        }
        self.read(method, address, headers, Bytes::from(body.unwrap_or_default())).await
    }

    /// Calls a SCIM server with a bearer token: reads, or where there is a body sends it. Answers with whatever status there is.
    ///
    /// # Errors
    /// The server cannot be reached in time, or answers with no text.
    pub async fn call_scim(
        &self,
        method: Method,
        address: &str,
        bearer: &SecretString,
        body: Option<String>,
    ) -> Result<ScimAnswer, UpstreamError> {
        let mut headers = vec![(AUTHORIZATION, header(&format!("Bearer {}", bearer.expose_secret()))?)];
        if body.is_some() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/scim+json")));
        }
        in_time(async {
            let answer = self.open(method, address, headers, Bytes::from(body.unwrap_or_default())).await?;
            let status = answer.status().as_u16();
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let wait_s = wait.and_then(|text| text.trim().parse().ok());
            if status == 204 {
                return Ok(ScimAnswer { status, wait_s, body: String::new() });
            }
            let room = Room::new(SCIM_BYTES_MAX);
            let body = answer::read(answer.into_body(), SCIM_BYTES_MAX, &room, &Facts::default()).await;
            // What is said of a refusal is not looked at.
            let body = if (200..300).contains(&status) { body?.bytes } else { Vec::new() };
            let body = String::from_utf8(body).map_err(|_| UpstreamError::Malformed("no UTF-8"))?;
            Ok(ScimAnswer { status, wait_s, body })
        })
        .await
    }

    async fn call(
        &self,
        method: Method,
        address: &str,
        authorization: Option<&SecretString>,
        body: Bytes,
    ) -> Result<(u16, String), UpstreamError> {
        let mut headers = Vec::new();
        if method == Method::POST {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")));
        }
        if let Some(secret) = authorization {
            headers.push((AUTHORIZATION, header(secret.expose_secret())?));
        }
        self.read(method, address, headers, body).await
    }

    async fn read(
        &self,
        method: Method,
        address: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<(u16, String), UpstreamError> {
        in_time(async {
            let answer = self.open(method, address, headers, body).await?;
            let status = answer.status().as_u16();
            let room = Room::new(WEB_BYTES_MAX);
            let body = answer::read(answer.into_body(), WEB_BYTES_MAX, &room, &Facts::default()).await?;
            Ok((status, String::from_utf8(body.bytes).map_err(|_| UpstreamError::Malformed("no UTF-8"))?))
        })
        .await
    }

    async fn open(
        &self,
        method: Method,
        address: &str,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let uri = Uri::try_from(address).map_err(|_| UpstreamError::Unreachable)?;
        let authority = uri.authority().ok_or(UpstreamError::Unreachable)?.as_str().to_owned();
        let base = Base::parse(&format!("{}://{authority}", uri.scheme_str().unwrap_or_default()));
        let mut options = Options::new(base.map_err(|_| UpstreamError::Unreachable)?);
        options.roots = self.roots.clone();
        let pool = Pool::new(&options, Arc::new(UpstreamCounts::default())).map_err(|_| UpstreamError::Unreachable)?;
        let mut lease = pool.open().await?;
        let mut request = Request::builder()
            .method(&method)
            .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, authority)
            .header(ACCEPT, JSON);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|_| UpstreamError::Unreachable)?;
        lease.sender.send_request(request).await.map_err(|error| answer::broken(&error))
    }
}

/// What may be a secret.
fn header(text: &str) -> Result<HeaderValue, UpstreamError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| UpstreamError::Unreachable)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn in_time<T>(call: impl Future<Output = Result<T, UpstreamError>>) -> Result<T, UpstreamError> {
    let limit_ms = WEB_MS;
    timeout(Duration::from_millis(limit_ms), call).await.unwrap_or(Err(UpstreamError::Timeout { limit_ms }))
}
