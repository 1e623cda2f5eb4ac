//! What is asked of web servers that are no FHIR servers: the documents and the token endpoint of an identity provider. Rare and
//! small, so each call opens a connection of its own. No redirect is followed, and nothing of an answer stands in an error.

use crate::answer::{self, Facts};
use crate::base::Base;
use crate::counts::UpstreamCounts;
use crate::options::{Options, Roots};
use crate::pool::Pool;
use crate::room::Room;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, IF_MATCH};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use scruple_release::UpstreamError;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Milliseconds for a whole call.
pub const WEB_MS: u64 = 10_000;
/// Bytes of an answer.
pub const WEB_BYTES_MAX: usize = 1024 * 1024;

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

    /// Sends a form, and reads the JSON object that comes back, whatever its status is.
    ///
    /// # Errors
    /// The server cannot be reached in time, or answers with no JSON object.
    pub async fn post_form(
        &self,
        address: &str,
        authorization: Option<&SecretString>,
        form: &SecretString,
    ) -> Result<String, UpstreamError> {
        let body = Bytes::copy_from_slice(form.expose_secret().as_bytes());
        Ok(self.call(Method::POST, address, authorization, body).await?.1)
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
        let token = SecretString::from(format!("Bearer {}", bearer.expose_secret()));
        let mut headers = Vec::new();
        if body.is_some() {
            headers.push((CONTENT_TYPE, "application/json".to_owned()));
        }
        headers.extend(version.map(|version| (IF_MATCH, format!("\"{version}\""))));
        let limit_ms = WEB_MS;
        let body = Bytes::from(body.unwrap_or_default());
        let answer = self.send(method, address, (Some(&token), headers), body);
        timeout(Duration::from_millis(limit_ms), answer).await.unwrap_or(Err(UpstreamError::Timeout { limit_ms }))
    }

    async fn call(
        &self,
        method: Method,
        address: &str,
        authorization: Option<&SecretString>,
        body: Bytes,
    ) -> Result<(u16, String), UpstreamError> {
        let limit_ms = WEB_MS;
        let form = (CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned());
        let headers = if method == Method::POST { vec![form] } else { Vec::new() };
        let answer = self.send(method, address, (authorization, headers), body);
        timeout(Duration::from_millis(limit_ms), answer).await.unwrap_or(Err(UpstreamError::Timeout { limit_ms }))
    }

    async fn send(
        &self,
        method: Method,
        address: &str,
        (authorization, headers): (Option<&SecretString>, Vec<(HeaderName, String)>),
        body: Bytes,
    ) -> Result<(u16, String), UpstreamError> {
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
            .header(ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(secret) = authorization {
            let mut value = HeaderValue::try_from(secret.expose_secret()).map_err(|_| UpstreamError::Unreachable)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::new(body)).map_err(|_| UpstreamError::Unreachable)?;
        let answer = lease.sender.send_request(request).await.map_err(|error| answer::broken(&error))?;
        let status = answer.status().as_u16();
        let room = Room::new(WEB_BYTES_MAX);
        let body = answer::read(answer.into_body(), WEB_BYTES_MAX, &room, &Facts::default()).await?;
        Ok((status, String::from_utf8(body.bytes).map_err(|_| UpstreamError::Malformed("no UTF-8"))?))
    }
}
