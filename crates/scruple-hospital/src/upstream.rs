//! The embedded server: FHIR R4 (4.0.1) read, versions and search over the synthetic hospital, in memory. A default for
//! trying.
//!
//! ```text
//! let server = Server::new(&hospital, "http://127.0.0.1:8099/fhir");
//! let response = server.respond(&Request { method: "GET", path: "/Patient/pat-0001", .. });
//! ```
//!
//! It answers as an ordinary server does, not as the gateway: its own order, totals always, metadata as stored, pages by
//! cursors of its own. What matches is said in docs/search.md, sections 1 to 3, from which its matcher is written.
//!
//! It knows no caller and withholds nothing. It writes nothing, keeps no state between requests, and does no IO: the binary
//! speaks HTTP for it.

mod answer;
mod criterion;
mod fold;
mod parameters;
mod query;
mod shelf;
mod value;
mod when;

use crate::{Hospital, Resource};
use answer::{HistoryPage, Page};
use query::{CURSOR, Cursor, Pairs, Refusal, Search};
use scruple_core::Timestamp;
use shelf::{At, Draft, Held, Shelf};
use std::collections::BTreeMap;
use value::Words;

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// A server with its store. Built once; any number of threads may ask it.
pub struct Server {
    base: String,
    shelves: BTreeMap<String, Shelf>,
    words: Words,
}

/// A version of a resource.
pub enum Version {
    /// It stood like this: JSON.
    Resource(Vec<u8>),
    /// It was deleted.
    Deleted {
        /// The version that the deletion is.
        version: String,
        /// When.
        at: Timestamp,
    },
}

/// A request, as far as it matters. It may name a patient, so that it has no `Debug`.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path below the base, as it was sent: `/Patient/pat-0001`, `/Patient/_search`.
    pub path: &'a str,
    /// What stands behind `?`, as it was sent.
    pub query: Option<&'a str>,
    /// The header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The header `Accept`.
    pub accept: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The present, for `Bundle.meta.lastUpdated`.
    pub now: Timestamp,
}

/// An answer. It may be a record, so that it has no `Debug`.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers without those of the connection.
    pub headers: Vec<(&'static str, String)>,
    /// FHIR JSON.
    pub body: Vec<u8>,
}

impl Server {
    /// A server of everything in `hospital`. `base` is its absolute address, without a slash at the end.
    #[must_use]
    pub fn new(hospital: &Hospital, base: &str) -> Self {
        let directory = hospital.directory().into_iter();
        let all = directory.chain(hospital.records().flat_map(|record| record.resources));
        let parts = |resource: Resource| (resource.kind().to_owned(), resource.id().to_owned(), resource.to_json());
        Self::from_resources(all.map(parts), base)
    }

    /// A server of these resources: type, id and JSON. Of two with one type and id the later stands, and the earlier is a version
    /// of it if their `meta.versionId` differ. What is no JSON object can be read, and no search finds it.
    #[must_use]
    pub fn from_resources(resources: impl IntoIterator<Item = (String, String, Vec<u8>)>, base: &str) -> Self {
        let versions =
            resources.into_iter().map(|(resource_type, id, json)| (resource_type, id, Version::Resource(json)));
        Self::from_versions(versions, base)
    }

    /// The same of resources of which some were deleted. The versions of each come in their order, oldest first.
    #[must_use]
    pub fn from_versions(versions: impl IntoIterator<Item = (String, String, Version)>, base: &str) -> Self {
        let mut words = Words::default();
        // Every type of the table can be asked for, whether or not there is one: an empty store answers as a full one.
        let mut drafts: BTreeMap<String, Draft> =
            parameters::table().keys().map(|name| ((*name).to_owned(), Draft::new(name))).collect();
        for (resource_type, id, version) in versions {
            let draft = drafts.entry(resource_type).or_insert_with_key(|name| Draft::new(name));
            match version {
                Version::Resource(json) => draft.put(id, json, &mut words),
                Version::Deleted { version, at } => draft.delete(id, version, at.micros()),
            }
        }
        let shelves = drafts.into_iter().map(|(name, draft)| (name, draft.finish())).collect();
        let mut server = Self { base: String::new(), shelves, words };
        server.set_base(base);
        server
    }

    /// Sets the address that `fullUrl` and links begin with.
    pub fn set_base(&mut self, base: &str) {
        base.trim_end_matches('/').clone_into(&mut self.base);
    }

    /// The same server at another address.
    #[must_use]
    pub fn with_base(mut self, base: &str) -> Self {
        self.set_base(base);
        self
    }

    /// The address that `fullUrl` and links begin with.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Answers a request. Every answer has a body of FHIR JSON, but that of `HEAD`.
    #[must_use]
    pub fn respond(&self, request: &Request<'_>) -> Response {
        let mut response = self.answer(request).unwrap_or_else(|refusal| {
            let allow = (refusal.status == 405).then(|| ("allow", allowed(request.path).to_owned()));
            let mut response = Response::json(refusal.status, answer::outcome(&refusal));
            response.headers.extend(allow);
            response
        });
        if request.method == "HEAD" {
            response.body.clear();
        }
        response
    }

    fn answer(&self, request: &Request<'_>) -> Result<Response, Refusal> {
        let path = request.path.strip_prefix('/').unwrap_or(request.path);
        let parts: Option<Vec<String>> = path.split('/').map(|part| query::decode(part.as_bytes(), false)).collect();
        let Some(parts) = parts else {
            return Err(Refusal::new(400, "invalid", "the path is not percent-encoded UTF-8"));
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match *parts.as_slice() {
            ["metadata"] => self.metadata(request),
            [resource_type] => {
                let shelf = self.shelf(resource_type)?;
                only(request, &["GET", "HEAD"])?;
                self.search(request, resource_type, shelf, query::pairs(request.query.unwrap_or_default().as_bytes())?)
            }
            [resource_type, "_search"] => {
                let shelf = self.shelf(resource_type)?;
                only(request, &["POST"])?;
                self.search(request, resource_type, shelf, form(request)?)
            }
            [resource_type, id] => {
                let shelf = self.shelf(resource_type)?;
                only(request, &["GET", "HEAD"])?;
                takes(request, &formats(request)?)?;
                Response::resource(shelf.resource(id))
            }
            [resource_type, id, "_history"] => {
                let shelf = self.shelf(resource_type)?;
                only(request, &["GET", "HEAD"])?;
                self.history(request, resource_type, id, shelf)
            }
            [resource_type, id, "_history", version] => {
                let shelf = self.shelf(resource_type)?;
                only(request, &["GET", "HEAD"])?;
                takes(request, &formats(request)?)?;
                Response::resource(shelf.version(id, version))
            }
            _ => Err(Refusal::new(
                404,
                "not-supported",
                "the server reads resources and their versions, searches by type, and says what it can at /metadata",
            )),
        }
    }

    fn shelf(&self, resource_type: &str) -> Result<&Shelf, Refusal> {
        let unknown = || Refusal::new(404, "not-supported", "the server has no resources of this type");
        self.shelves.get(resource_type).ok_or_else(unknown)
    }

    fn metadata(&self, request: &Request<'_>) -> Result<Response, Refusal> {
        only(request, &["GET", "HEAD"])?;
        takes(request, &formats(request)?)?;
        Ok(Response::json(200, answer::capabilities(&self.base, &self.shelves, request.now)))
    }

    fn search(
        &self,
        request: &Request<'_>,
        resource_type: &str,
        shelf: &Shelf,
        mut pairs: Pairs,
    ) -> Result<Response, Refusal> {
        takes(request, &pairs)?;
        let from = opened(&mut pairs, resource_type)?;
        let search = Search::parse(resource_type, shelf, &self.words, &pairs)?;
        let mut places = shelf.find(&search.criteria, &self.words);
        let total = places.len();
        let mut links = vec![("self", self.link(resource_type, &pairs, from))];
        let mut resources = Vec::new();
        if !search.total_only {
            shelf.sort(&mut places, &search.orders, &self.words);
            resources = places.iter().skip(from).take(search.count).filter_map(|place| shelf.at(*place)).collect();
            let behind = from.saturating_add(search.count);
            if behind < total {
                links.push(("next", self.link(resource_type, &pairs, behind)));
            }
        }
        let page = Page { base: &self.base, resource_type, now: request.now, total, links, resources };
        Ok(Response::json(200, page.write()))
    }

    fn history(
        &self,
        request: &Request<'_>,
        resource_type: &str,
        id: &str,
        shelf: &Shelf,
    ) -> Result<Response, Refusal> {
        let mut pairs = query::pairs(request.query.unwrap_or_default().as_bytes())?;
        takes(request, &pairs)?;
        let mut resource = format!("{resource_type}/");
        query::encode_part(id, &mut resource);
        let path = format!("{resource}/_history");
        let from = opened(&mut pairs, &path)?;
        let count = query::history_count(&pairs)?;
        let mut was_there = false;
        let mut versions: Vec<(At<'_>, bool)> = Vec::new();
        // What is no JSON can be read, and stands in no Bundle.
        for at in shelf.past_and_present(id).filter(|at| !matches!(at, At::Stored(held) if !held.is_object)) {
            let is_there = matches!(at, At::Stored(_));
            versions.push((at, !was_there));
            was_there = is_there;
        }
        if versions.is_empty() {
            return Err(Refusal::absent());
        }
        versions.reverse();
        let total = versions.len();
        let behind = from.saturating_add(count).min(total);
        let mut links = vec![("self", self.link(&path, &pairs, from))];
        if behind < total && count > 0 {
            links.push(("next", self.link(&path, &pairs, behind)));
        }
        let versions = versions.get(from.min(behind)..behind).unwrap_or_default();
        let page = HistoryPage { base: &self.base, resource: &resource, now: request.now, total, links, versions };
        Ok(Response::json(200, page.write()))
    }

    /// The address of the page of a path that begins behind so many matches or versions.
    fn link(&self, path: &str, pairs: &[(String, String)], from: usize) -> String {
        let query = query::encode(pairs);
        let base = &self.base;
        match (from, query.is_empty()) {
            (0, true) => format!("{base}/{path}"),
            (0, false) => format!("{base}/{path}?{query}"),
            _ => format!("{base}/{path}?{CURSOR}={}", Cursor { query, from }.seal(path)),
        }
    }
}

impl Response {
    fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type", FHIR_JSON.to_owned())], body }
    }

    fn resource(found: Option<At<'_>>) -> Result<Self, Refusal> {
        match found {
            Some(At::Stored(held)) => Ok(Self::held(held)),
            Some(At::Deleted(_)) => Err(Refusal::new(410, "deleted", "the resource was deleted")),
            None => Err(Refusal::absent()),
        }
    }

    fn held(held: &Held) -> Self {
        let mut response = Self::json(200, held.json.clone());
        // Of another form it would be no header.
        let version = held.version.as_ref().filter(|version| value::is_id(version));
        response.headers.extend(version.map(|version| ("etag", format!("W/\"{version}\""))));
        response.headers.extend(held.updated.map(|updated| ("last-modified", when::http_date(updated))));
        response
    }
}

fn only(request: &Request<'_>, methods: &[&str]) -> Result<(), Refusal> {
    let refusal = || Refusal::new(405, "not-supported", "the server reads and searches, nothing else");
    methods.contains(&request.method).then_some(()).ok_or_else(refusal)
}

/// The methods of a path, for the header `Allow`.
fn allowed(path: &str) -> &'static str {
    if path.ends_with("/_search") { "POST" } else { "GET, HEAD" }
}

/// `_format` wins over `Accept`.
fn takes(request: &Request<'_>, pairs: &[(String, String)]) -> Result<(), Refusal> {
    let format = pairs.iter().find(|(name, _)| name == "_format").map(|(_, value)| value.as_str());
    let refusal = || Refusal::new(406, "not-supported", "the server speaks FHIR JSON alone");
    format.or(request.accept).is_none_or(query::takes_json).then_some(()).ok_or_else(refusal)
}

/// How many matches or versions lie before the page: of a page by cursor, whose parameters then stand in `pairs`.
fn opened(pairs: &mut Pairs, path: &str) -> Result<usize, Refusal> {
    if pairs.iter().all(|(name, _)| name != CURSOR) {
        return Ok(0);
    }
    let cursor = match pairs.as_slice() {
        [(_, token)] => Cursor::open(token, path),
        _ => None,
    };
    let cursor = cursor.ok_or_else(|| Refusal::new(400, "invalid", "the cursor is none of this server's"))?;
    *pairs = query::pairs(cursor.query.as_bytes())?;
    Ok(cursor.from)
}

/// The query of a request that may have a `_format` and nothing else.
fn formats(request: &Request<'_>) -> Result<Pairs, Refusal> {
    let pairs = query::pairs(request.query.unwrap_or_default().as_bytes())?;
    let others = pairs.iter().filter(|(name, _)| name != "_format").count();
    let refusal = || Refusal::new(400, "not-supported", "only `_format` may stand here");
    (others == 0 && pairs.len() <= 1).then_some(pairs).ok_or_else(refusal)
}

/// The parameters of a search by POST.
fn form(request: &Request<'_>) -> Result<Pairs, Refusal> {
    let media_type = request.content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(FORM) {
        return Err(Refusal::new(415, "not-supported", format!("a search by POST has a body of {FORM}")));
    }
    if request.query.is_some_and(|query| !query.is_empty()) {
        return Err(Refusal::new(400, "invalid", "a search by POST has its parameters in the body alone"));
    }
    query::pairs(request.body)
}

#[cfg(test)]
mod tests;
