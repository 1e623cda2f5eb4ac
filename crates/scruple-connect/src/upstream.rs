//! [`Upstream`] over HTTP.

use crate::answer::{Facts, broken, check_head, gone, read};
use crate::base::Base;
use crate::counts::{CallKind, UpstreamCounts};
use crate::options::{Credential, InvalidOptions, Options, SearchBy};
use crate::pool::{Lease, Pool};
use crate::room::Room;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use scruple_fhir::search::{Dialect, encode};
use scruple_release::{Fetched, HISTORY_PAGE_COUNT, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Bytes of a FHIR id.
const ID_BYTES_MAX: usize = 64;
/// What is read of a body that nobody wants, so that its connection can be used again: bytes and milliseconds.
const DRAIN_BYTES_MAX: usize = 64 * 1024;
const DRAIN_MS: u64 = 1_000;

/// A FHIR server over HTTP, reached with our own credential.
pub struct HttpUpstream {
    base: Base,
    link_bases: Vec<Base>,
    pub(crate) search_by: SearchBy,
    dialect: Dialect,
    /// What every request carries.
    headers: RwLock<Arc<HeaderMap>>,
    pool: Arc<Pool>,
    turns: Semaphore,
    room: Room,
    wait_ms: u64,
    call_ms: u64,
    answer_bytes_max: usize,
    read_bytes_max: usize,
    counts: Arc<UpstreamCounts>,
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpstream").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A request before it has a connection: it may be sent twice.
pub struct Ask {
    method: Method,
    target: Uri,
    body: Bytes,
    strict: bool,
}

impl Ask {
    /// A GET of a path and query.
    pub fn get(target: &str) -> Result<Self, UpstreamError> {
        let target =
            Uri::try_from(target).map_err(|_| UpstreamError::Malformed("a target that cannot be asked for"))?;
        Ok(Self { method: Method::GET, target, body: Bytes::new(), strict: false })
    }

    fn request(&self, headers: &HeaderMap) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers.clone();
        if self.method == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        if self.strict {
            request.headers_mut().insert(PREFER, HeaderValue::from_static("handling=strict"));
        }
        request
    }
}

impl HttpUpstream {
    /// A server by its options. Nothing is sent yet.
    ///
    /// # Errors
    /// The options cannot be used.
    pub fn new(options: &Options) -> Result<Self, InvalidOptions> {
        options.check()?;
        let mut headers = HeaderMap::new();
        let host = HeaderValue::try_from(options.base.authority()).map_err(|_| InvalidOptions::Tls)?;
        headers.insert(HOST, host);
        headers.insert(ACCEPT, FHIR_JSON);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(USER_AGENT, HeaderValue::from_static("scruple"));
        if let Some(credential) = options.credential.header()? {
            headers.insert(AUTHORIZATION, credential);
        }
        let counts = Arc::<UpstreamCounts>::default();
        Ok(Self {
            base: options.base.clone(),
            link_bases: options.link_bases.clone(),
            search_by: options.search_by,
            dialect: options.dialect,
            headers: RwLock::new(Arc::new(headers)),
            pool: Arc::new(Pool::new(options, counts.clone())?),
            turns: Semaphore::new(options.calls_max.min(Semaphore::MAX_PERMITS)),
            room: Room::new(options.held_bytes_max),
            wait_ms: options.wait_ms,
            call_ms: options.call_ms,
            answer_bytes_max: options.answer_bytes_max,
            read_bytes_max: options.read_bytes_max,
            counts,
        })
    }

    /// Takes another credential for all requests that begin from now on.
    ///
    /// # Errors
    /// It cannot be sent; the earlier one stays.
    pub fn set_credential(&self, credential: &Credential) -> Result<(), InvalidOptions> {
        let value = credential.header()?;
        let mut headers = HeaderMap::clone(&self.headers());
        match value {
            Some(value) => drop(headers.insert(AUTHORIZATION, value)),
            None => drop(headers.remove(AUTHORIZATION)),
        }
        *self.headers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(headers);
        Ok(())
    }

    fn headers(&self) -> Arc<HeaderMap> {
        Arc::clone(&self.headers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is counted, for metrics.
    #[must_use]
    pub fn counts(&self) -> Arc<UpstreamCounts> {
        self.counts.clone()
    }

    pub(crate) const fn answer_bytes_max(&self) -> usize {
        self.answer_bytes_max
    }

    pub(crate) const fn base(&self) -> &Base {
        &self.base
    }

    /// One call, counted, and logged if it fails: its kind, code, status and length, nothing else.
    pub(crate) async fn call(
        &self,
        kind: CallKind,
        ask: Result<Ask, UpstreamError>,
        limit: usize,
    ) -> Result<Option<Fetched>, UpstreamError> {
        let facts = Facts::default();
        let outcome = match ask {
            Ok(ask) => self.in_turn(kind, &ask, limit, &facts).await,
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(answer) => self.counts.add(kind, if answer.is_some() { "ok" } else { "none" }),
            Err(error) => {
                let code = error.code();
                self.counts.add(kind, code);
                tracing::warn!(
                    upstream.call = kind.name(),
                    upstream.code = code,
                    upstream.status = facts.status(),
                    body_bytes = facts.body_bytes(),
                    "upstream {} failed: {code}",
                    kind.name(),
                );
            }
        }
        outcome
    }

    async fn in_turn(
        &self,
        kind: CallKind,
        ask: &Ask,
        limit: usize,
        facts: &Facts,
    ) -> Result<Option<Fetched>, UpstreamError> {
        let _turn = self.turn().await?;
        let _under_way = UnderWay::begin(&self.counts);
        let limit_ms = self.call_ms;
        timeout(Duration::from_millis(limit_ms), self.exchange(kind, ask, limit, facts))
            .await
            .unwrap_or(Err(UpstreamError::Timeout { limit_ms }))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, UpstreamError> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let limit_ms = self.wait_ms;
        match timeout(Duration::from_millis(limit_ms), self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(UpstreamError::Timeout { limit_ms }),
        }
    }

    async fn exchange(
        &self,
        kind: CallKind,
        ask: &Ask,
        limit: usize,
        facts: &Facts,
    ) -> Result<Option<Fetched>, UpstreamError> {
        let (response, sender) = self.send(ask).await?;
        let status = response.status();
        facts.set_status(status.as_u16());
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE if kind.may_be_absent() => {
                self.drain(sender, response.into_body());
                return Ok(None);
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(UpstreamError::Credential(status.as_u16())),
            _ => return Err(UpstreamError::Status(status.as_u16())),
        }
        check_head(response.headers())?;
        let fetched = read(response.into_body(), limit, &self.room, facts).await?;
        self.pool.give_back(sender);
        Ok(Some(fetched))
    }

    /// Sends a request and waits for the head of its answer. Every request here only reads, so one that went out on a
    /// connection that the server had closed is sent again, once, on a new one. Nothing else is.
    async fn send(&self, ask: &Ask) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), UpstreamError> {
        let Lease { mut sender, reused } = self.pool.lease().await?;
        match sender.try_send_request(ask.request(&self.headers())).await {
            Ok(response) => return Ok((response, sender)),
            Err(failed) if reused && (failed.message().is_some() || gone(failed.error())) => {}
            Err(failed) => return Err(broken(failed.error())),
        }
        self.counts.retried.fetch_add(1, Ordering::Relaxed);
        let mut sender = self.pool.open().await?.sender;
        let response = sender.send_request(ask.request(&self.headers())).await.map_err(|error| broken(&error))?;
        Ok((response, sender))
    }

    /// Reads a small body to its end behind the caller's back, and gives its connection back.
    fn drain(&self, sender: SendRequest<Full<Bytes>>, mut body: Incoming) {
        if body.is_end_stream() {
            self.pool.give_back(sender);
            return;
        }
        let pool = self.pool.clone();
        let drained = async move {
            let mut left = DRAIN_BYTES_MAX;
            while let Some(frame) = body.frame().await {
                let bytes = frame.ok()?.data_ref().map_or(0, Bytes::len);
                left = left.checked_sub(bytes)?;
            }
            Some(())
        };
        tokio::spawn(async move {
            if let Ok(Some(())) = timeout(Duration::from_millis(DRAIN_MS), drained).await {
                pool.give_back(sender);
            }
        });
    }

    /// Reads what stands at a path below the base, if `names` can stand in it: no server holds anything by others.
    async fn get(
        &self,
        kind: CallKind,
        resource_type: &str,
        names: &[&str],
        path: &str,
        limit: usize,
    ) -> Result<Option<Fetched>, UpstreamError> {
        if !is_type(resource_type) || !names.iter().all(|name| is_id(name)) {
            return Ok(None);
        }
        self.call(kind, Ask::get(&format!("{}/{resource_type}/{path}", self.base.path())), limit).await
    }

    pub(crate) fn search_ask(&self, query: &UpstreamQuery, by: SearchBy) -> Result<Ask, UpstreamError> {
        if !is_type(&query.resource_type) {
            return Err(UpstreamError::Malformed("a type that is none"));
        }
        let form = encode(&query.parameters).to_string();
        let path = format!("{}/{}", self.base.path(), query.resource_type);
        let ask = match by {
            SearchBy::Post => {
                Ask { method: Method::POST, body: Bytes::from(form), ..Ask::get(&format!("{path}/_search"))? }
            }
            SearchBy::Get if form.is_empty() => Ask::get(&path)?,
            SearchBy::Get => Ask::get(&format!("{path}?{form}"))?,
        };
        Ok(Ask { strict: true, ..ask })
    }

    fn page_ask(&self, link: &str) -> Result<Ask, UpstreamError> {
        let known = self.link_bases.iter().find_map(|known| {
            // A link under another name of the server: what is behind that base is behind ours.
            let target = known.under(link).filter(|_| link.contains("://"))?;
            let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
            let behind = path.strip_prefix(known.path())?;
            self.base.under(&format!("{}{behind}{query}", self.base.path()))
        });
        let target = self.base.under(link).or(known).ok_or(UpstreamError::ForeignLink)?;
        Ask::get(&target).map_err(|_| UpstreamError::ForeignLink)
    }
}

struct UnderWay<'a>(&'a UpstreamCounts);

impl<'a> UnderWay<'a> {
    fn begin(counts: &'a UpstreamCounts) -> Self {
        counts.under_way.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

pub fn is_type(name: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&name.len()) && name.bytes().all(|letter| letter.is_ascii_alphabetic())
}

/// An id that can stand in a path, underscores of some servers included: dots alone would lead out of it.
pub fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'.' | b'_'))
        && !id.bytes().all(|letter| letter == b'.')
}

/// Of a search or a page every answer is there or is an error.
pub fn some(answer: Option<Fetched>) -> Result<Fetched, UpstreamError> {
    answer.ok_or(UpstreamError::Malformed("no answer"))
}

impl Upstream for HttpUpstream {
    fn read<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(async move { self.get(CallKind::Read, resource_type, &[id], id, self.read_bytes_max).await })
    }

    fn version<'a>(
        &'a self,
        resource_type: &'a str,
        id: &'a str,
        version: &'a str,
    ) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(async move {
            let path = format!("{id}/_history/{version}");
            self.get(CallKind::Version, resource_type, &[id, version], &path, self.read_bytes_max).await
        })
    }

    fn history<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(async move {
            let path = format!("{id}/_history?_count={HISTORY_PAGE_COUNT}");
            self.get(CallKind::History, resource_type, &[id], &path, self.answer_bytes_max).await
        })
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(async move {
            let ask = self.search_ask(query, self.search_by);
            some(self.call(CallKind::Search, ask, self.answer_bytes_max).await?)
        })
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(async move { some(self.call(CallKind::Page, self.page_ask(link), self.answer_bytes_max).await?) })
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_back_as_it_was() {
        let pairs = [("name", "O'Neil & Söhne"), ("identifier", "http://x|1+2"), ("a", "")];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(encode(&pairs).to_string(), "name=O%27Neil%20%26%20S%C3%B6hne&identifier=http%3A%2F%2Fx%7C1%2B2&a=");
        assert_eq!(encode(&[]).to_string(), "");
    }

    #[test]
    fn ids_that_lead_out_of_a_path_are_none() {
        for id in ["1", "a.b", "-", "..a"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", ".", "..", "a/b", "a?b", "a%2fb", "ä", &"x".repeat(65)] {
            assert!(!is_id(id), "{id}");
        }
        assert!(is_type("Patient") && !is_type("Patient/1") && !is_type("") && !is_type("$export"));
    }

    #[test]
    fn links_under_another_name_of_the_server_are_taken_as_its_own() {
        let mut options = Options::new(Base::parse("http://127.0.0.1:8080/fhir").unwrap());
        options.link_bases.push(Base::parse("https://fhir.example/r4").unwrap());
        let upstream = HttpUpstream::new(&options).unwrap();
        let check = |link: &str| upstream.page_ask(link).map(|ask| ask.target.to_string());
        assert_eq!(check("https://fhir.example/r4/Patient?p=2").as_deref(), Ok("/fhir/Patient?p=2"));
        assert_eq!(check("https://fhir.example/r4?p=2").as_deref(), Ok("/fhir?p=2"));
        assert_eq!(check("http://127.0.0.1:8080/fhir?p=2").as_deref(), Ok("/fhir?p=2"));
        for link in
            ["https://fhir.example/r5?p=2", "/r4?p=2", "http://fhir.example/r4?p=2", "https://fhir.example/r4/../x"]
        {
            assert_eq!(check(link), Err(UpstreamError::ForeignLink), "{link}");
        }
    }
}
