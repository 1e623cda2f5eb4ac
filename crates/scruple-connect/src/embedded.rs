//! The embedded server as an upstream, in this process: for trying, and for tests.

use crate::upstream::{is_id, is_type};
use scruple_core::Clock;
use scruple_hospital::upstream::{Request, Response, Server};
use scruple_release::{Fetched, HISTORY_PAGE_COUNT, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery};
use std::sync::Arc;

/// The base of its links. Nothing answers there: links are followed in this process.
pub const EMBEDDED_BASE: &str = "http://embedded.invalid/fhir";

/// A server in this process that is asked as one over HTTP would be.
pub struct EmbeddedUpstream {
    server: Server,
    clock: Arc<dyn Clock>,
}

impl EmbeddedUpstream {
    /// A server, made with a base that nothing answers at ([`EMBEDDED_BASE`]).
    #[must_use]
    pub const fn new(server: Server, clock: Arc<dyn Clock>) -> Self {
        Self { server, clock }
    }

    fn ask(&self, method: &str, path: &str, query: Option<&str>, body: &[u8]) -> Response {
        self.server.respond(&Request {
            method,
            path,
            query,
            content_type: Some("application/x-www-form-urlencoded"),
            accept: Some("application/fhir+json"),
            body,
            now: self.clock.now(),
        })
    }

    /// What stands at this path, if it and these names can be one's.
    fn get<'a>(
        &self,
        resource_type: &str,
        names: &[&str],
        path: &str,
        query: Option<&str>,
    ) -> UpstreamFuture<'a, Option<Fetched>> {
        let read = if is_type(resource_type) && names.iter().all(|name| is_id(name)) {
            let response = self.ask("GET", &format!("/{resource_type}/{path}"), query, &[]);
            if matches!(response.status, 404 | 410) { Ok(None) } else { found(response).map(Some) }
        } else {
            Ok(None)
        };
        Box::pin(std::future::ready(read))
    }
}

fn found(response: Response) -> Result<Fetched, UpstreamError> {
    if response.status == 200 { Ok(response.body.into()) } else { Err(UpstreamError::Status(response.status)) }
}

impl Upstream for EmbeddedUpstream {
    fn read<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.get(resource_type, &[id], id, None)
    }

    fn version<'a>(
        &'a self,
        resource_type: &'a str,
        id: &'a str,
        version: &'a str,
    ) -> UpstreamFuture<'a, Option<Fetched>> {
        self.get(resource_type, &[id, version], &format!("{id}/_history/{version}"), None)
    }

    fn history<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.get(resource_type, &[id], &format!("{id}/_history"), Some(&format!("_count={HISTORY_PAGE_COUNT}")))
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        let form = scruple_fhir::search::encode(&query.parameters).to_string();
        let response = self.ask("POST", &format!("/{}/_search", query.resource_type), None, form.as_bytes());
        // A type that the server does not hold.
        let none = br#"{"resourceType":"Bundle","type":"searchset"}"#;
        let searched = if response.status == 404 { Ok(none.to_vec().into()) } else { found(response) };
        Box::pin(std::future::ready(searched))
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        let page = match link.strip_prefix(self.server.base()).and_then(|below| below.split_once('?')) {
            Some((path, query)) => found(self.ask("GET", path, Some(query), &[])),
            None => Err(UpstreamError::ForeignLink),
        };
        Box::pin(std::future::ready(page))
    }
}
