//! The reference server: a FHIR server that holds a view and nothing else, and the comparison of an answer with its own.
//!
//! It answers reads and searches exactly as `docs/search.md` (4) says, with the oracle. It knows no policy: what the
//! gateway refuses by policy it would answer. It has no page tokens: pages are asked by search and number.

use super::oracle::{Asked, Query, matches, parse_asked};
use super::text::{encoded, pairs};
use super::view::View;
use super::wire::{Request, Response};
use scruple_fhir::dictionary;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the reference server says to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// 200 and 404 stand for what they are; 400, 405 and 406 for "refused": the gateway may have another 4xx. 0: any
    /// answer that does not depend on the store.
    pub status: u16,
    /// The body of a 200.
    pub body: Vec<u8>,
    /// More match behind this page.
    pub has_next: bool,
    /// The search that was understood.
    pub query: Option<Query>,
    /// A request for a page: who keeps the tokens asks [`ReferenceServer::page`].
    pub token: Option<(String, String)>,
}

impl Answer {
    fn refused(status: u16) -> Self {
        Self { status, body: Vec::new(), has_next: false, query: None, token: None }
    }

    /// Whether nothing but a refusal is right.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.status, 400 | 405 | 406)
    }
}

/// What a request names, from its form alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A read.
    Read(String, String),
    /// A search: type, names and values.
    Search(String, Vec<(String, String)>),
    /// The CapabilityStatement: it tells of the deployment, and of no store.
    Metadata,
    /// Nothing that is answered, and the status that says so.
    Refused(u16),
}

/// A FHIR server that holds a view.
pub struct ReferenceServer {
    base: String,
    /// By type, then by id.
    resources: BTreeMap<String, BTreeMap<String, (Vec<u8>, Value)>>,
}

impl ReferenceServer {
    /// Of a view, under a base such as `https://gateway.example/fhir`.
    #[must_use]
    pub fn new(view: View, base: &str) -> Self {
        let mut resources: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for (resource_type, id, bytes) in view {
            let value = serde_json::from_slice(&bytes).unwrap_or_default();
            resources.entry(resource_type).or_default().insert(id, (bytes, value));
        }
        Self { base: base.to_owned(), resources }
    }

    /// What the request names.
    #[must_use]
    pub fn place(&self, request: &Request) -> Place {
        place(&self.base, request)
    }

    /// The answer to a read or to the first page of a search.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        match self.place(request) {
            Place::Metadata => Answer::refused(0),
            Place::Refused(status) => Answer::refused(status),
            Place::Read(resource_type, id) => self.read(&resource_type, &id),
            Place::Search(resource_type, pairs) => match parse_asked(&resource_type, &pairs) {
                Err(refused) => Answer::refused(refused.status()),
                Ok(Asked::Page(token)) => Answer { token: Some((resource_type, token)), ..Answer::refused(400) },
                Ok(Asked::Search(query)) => self.page(&query, 0),
            },
        }
    }

    fn read(&self, resource_type: &str, id: &str) -> Answer {
        let found = self.resources.get(resource_type).and_then(|of_type| of_type.get(id));
        match found {
            Some((bytes, _)) => Answer { body: bytes.clone(), ..Answer::refused(200) },
            None => Answer::refused(404),
        }
    }

    /// Page `number`, from 0, of a search. The tokens in its links are `-`, which stands for any.
    #[must_use]
    pub fn page(&self, query: &Query, number: usize) -> Answer {
        self.page_with_tokens(query, number, "-", "-")
    }

    /// The same with these tokens: the page's own, and the next one's.
    #[must_use]
    pub fn page_with_tokens(&self, query: &Query, number: usize, own: &str, next: &str) -> Answer {
        let found = self.matching(query);
        let from = number.saturating_mul(query.count).min(found.len());
        let page = found.get(from..).unwrap_or_default();
        let has_next = page.len() > query.count && !query.count_only;
        let page = page.get(..query.count).unwrap_or(page);
        let page = if query.count_only { &[] } else { page };
        let body = render(
            &self.base,
            query,
            (number > 0).then_some(own),
            (query.total || query.count_only).then_some(found.len()),
            has_next.then_some(next),
            page,
        );
        Answer { status: 200, body, has_next, query: Some(query.clone()), token: None }
    }

    /// Ids and bytes of what matches, in order.
    fn matching(&self, query: &Query) -> Vec<(&str, &[u8])> {
        let of_type = self.resources.get(&query.resource_type).into_iter().flatten();
        let mut found: Vec<(&str, &[u8])> = of_type
            .filter(|(_, (_, value))| matches(value, query))
            .map(|(id, (bytes, _))| (id.as_str(), bytes.as_slice()))
            .collect();
        if query.backwards {
            found.reverse();
        }
        found
    }
}

/// What a request names under a base, from its form alone.
#[must_use]
pub fn place(base: &str, request: &Request) -> Place {
    let root = base.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    let rest = request.path.strip_prefix(root.unwrap_or_default()).and_then(|rest| rest.strip_prefix('/'));
    let Some(rest) = rest else { return Place::Refused(400) };
    let segments: Vec<&str> = rest.split('/').collect();
    let is_type = |name: &str| dictionary().resource(name).is_some();
    let form = request.header("content-type").unwrap_or_default();
    let written = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["metadata"]) => return Place::Metadata,
        ("GET", [kind]) if is_type(kind) => request.query.as_deref(),
        ("POST", [kind, "_search"]) if is_type(kind) => {
            let is_form = form.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded");
            match std::str::from_utf8(&request.body) {
                Ok(body) if is_form && request.query.is_none() => Some(body),
                _ => return Place::Refused(400),
            }
        }
        ("GET", [kind, id]) if is_type(kind) && !id.starts_with('_') && !id.starts_with('$') => {
            return read_place(kind, id, request.query.as_deref());
        }
        ("GET" | "POST", _) => return Place::Refused(400),
        _ => return Place::Refused(405),
    };
    let kind = segments.first().copied().unwrap_or_default();
    match pairs(written.unwrap_or_default()) {
        Some(pairs) => Place::Search(kind.to_owned(), pairs),
        None => Place::Refused(400),
    }
}

/// A read takes `_format` and no other parameter. Reading: an id of another form names nothing: 404.
fn read_place(kind: &str, id: &str, query: Option<&str>) -> Place {
    if id.contains(['%', ';', '~', '+', '!', '\'', '(', ')', '*', '=', '@', ',', '&', ':'])
        || matches!(id, "" | "." | "..")
    {
        return Place::Refused(400);
    }
    match pairs(query.unwrap_or_default()).as_deref() {
        Some([]) => Place::Read(kind.to_owned(), id.to_owned()),
        Some([(name, value)]) if name == "_format" => match value.as_str() {
            "json" | "application/json" | "application/fhir+json" => Place::Read(kind.to_owned(), id.to_owned()),
            _ => Place::Refused(406),
        },
        _ => Place::Refused(400),
    }
}

/// The Bundle of a page: `docs/search.md`, 4. `own` is the token in the `self` link of a page that is not the first.
#[must_use]
pub fn render(
    base: &str,
    query: &Query,
    own: Option<&str>,
    total: Option<usize>,
    next: Option<&str>,
    entries: &[(&str, &[u8])],
) -> Vec<u8> {
    let kind = &query.resource_type;
    let mut parameters: Vec<String> =
        query.echoed.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    parameters.extend(own.map(|token| format!("_page={token}")));
    let mut address = format!("{base}/{kind}");
    if !parameters.is_empty() {
        address.push('?');
        address.push_str(&parameters.join("&"));
    }
    let quoted = |text: &str| Value::from(text).to_string();
    let mut out = String::from(r#"{"resourceType":"Bundle","type":"searchset""#);
    if let Some(total) = total {
        out.push_str(&format!(r#","total":{total}"#));
    }
    out.push_str(&format!(r#","link":[{{"relation":"self","url":{}}}"#, quoted(&address)));
    if let Some(token) = next {
        out.push_str(&format!(r#",{{"relation":"next","url":{}}}"#, quoted(&format!("{base}/{kind}?_page={token}"))));
    }
    out.push(']');
    let mut out = out.into_bytes();
    for (place, (id, bytes)) in entries.iter().enumerate() {
        out.extend_from_slice(if place == 0 { br#","entry":["# } else { b"," });
        out.extend_from_slice(
            format!(r#"{{"fullUrl":{},"resource":"#, quoted(&format!("{base}/{kind}/{id}"))).as_bytes(),
        );
        out.extend_from_slice(bytes);
        out.extend_from_slice(br#","search":{"mode":"match"}}"#);
    }
    if !entries.is_empty() {
        out.push(b']');
    }
    out.push(b'}');
    out
}

/// What a comparison found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The reference server's answer.
    Equal,
    /// No such resource, said as the empty store says it.
    Absent,
    /// An answer that tells of no store, the same as over the empty one.
    Constant,
    /// A refusal, the same as over the empty store.
    Refused,
    /// Something else, and what.
    Different(String),
}

/// Compares the gateway's answer with the reference server's. `empty` is the gateway's answer to the same request over an
/// empty store: a refusal and a 404 must be equal to it, so that they cannot depend on the store. `may_refuse`: policy
/// alone allows a refusal where the reference answers 200 or 404.
#[must_use]
pub fn compare(
    request: &Request,
    gateway: &Response,
    reference: &Answer,
    empty: &Response,
    may_refuse: bool,
) -> Verdict {
    let different = |text: &str| Verdict::Different(text.to_owned());
    let as_empty = |equal: Verdict| {
        if gateway == empty {
            equal
        } else {
            different("it says something of the store: over an empty one it is another")
        }
    };
    let is_conditional = request.header("if-none-match").is_some();
    match (gateway.status, reference.status) {
        (_, 0) => as_empty(Verdict::Constant),
        (200, 200) if without_tokens(&gateway.body) == without_tokens(&reference.body) => {
            match gateway.header("content-type") {
                Some(kind) if kind.starts_with("application/fhir+json") => Verdict::Equal,
                _ => different("content type is not application/fhir+json"),
            }
        }
        (200, 200) => different("another body than the reference server's"),
        (304, 200) if is_conditional && gateway.body.is_empty() && reference.query.is_none() => Verdict::Equal,
        (404, 404) => as_empty(Verdict::Absent),
        (400 | 403 | 404 | 405 | 406, 400 | 405 | 406) => as_empty(Verdict::Refused),
        (400 | 403 | 405 | 406, 200 | 404) if may_refuse => as_empty(Verdict::Refused),
        (400 | 403 | 405 | 406, 200 | 404) => different("refused what policy allows"),
        (own, other) => Verdict::Different(format!("status {own} where the reference server has {other}")),
    }
}

/// A Bundle without the values of `_page` in its links: all before its entries.
fn without_tokens(body: &[u8]) -> Vec<u8> {
    let find = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|window| window == what);
    if !body.starts_with(br#"{"resourceType":"Bundle","type":"searchset""#) {
        return body.to_vec();
    }
    let head_ends = find(body, br#""entry":["#).unwrap_or(body.len());
    let (mut head, entries) = body.split_at(head_ends);
    let mut out = Vec::new();
    while let Some(at) = find(head, b"_page=") {
        let (before, rest) = head.split_at(at + b"_page=".len());
        out.extend_from_slice(before);
        let ends = rest.iter().position(|byte| matches!(byte, b'"' | b'&')).unwrap_or(rest.len());
        head = rest.get(ends..).unwrap_or_default();
    }
    out.extend_from_slice(head);
    out.extend_from_slice(entries);
    out
}

#[cfg(test)]
mod tests;
