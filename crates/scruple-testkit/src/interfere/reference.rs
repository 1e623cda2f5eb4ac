//! The reference server: a FHIR server that holds a view and nothing else, and the comparison of an answer with its own.
//!
//! It answers reads, searches, compartments and `$everything` exactly as `docs/search.md` (4 to 6) says, with the oracle, and versions as
//! `docs/view.md` (5) does. It knows no policy: what the gateway refuses by policy it would answer, but for the versions of
//! a view that has none. It has no page tokens: pages are asked by search and number.

use super::oracle::{
    Asked, Query, Scope, Sees, beside, check_pairs, cut, format, is_in_compartment, literal, matches, order,
    parse_asked,
};
use super::shared::SHARED;
use super::text::{encoded, pairs};
use super::view::{Past, Seen, View, history};
use super::wire::{Request, Response};
use scruple_fhir::dictionary;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What the reference server says to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// 200, 403 and 404 stand for what they are; 400, 405 and 406 for "refused": the gateway may have another 4xx. 0: any
    /// answer that does not depend on the store.
    pub status: u16,
    /// The body of a 200.
    pub body: Vec<u8>,
    /// More match behind this page.
    pub has_next: bool,
    /// The search that was understood.
    pub query: Option<Query>,
    /// A request for a page: who keeps the tokens asks [`ReferenceServer::page`].
    pub token: Option<(Scope, String)>,
}

impl Answer {
    fn refused(status: u16) -> Self {
        Self { status, body: Vec::new(), has_next: false, query: None, token: None }
    }

    /// Whether nothing but a refusal is right.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.status, 400 | 403 | 405 | 406)
    }
}

/// What a request names, from its form alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A read.
    Read(String, String),
    /// A version of a resource: its type, its id, and the version's.
    Version(String, String, String),
    /// All versions of a resource.
    History(String, String),
    /// A search: where, names and values.
    Search(Scope, Vec<(String, String)>),
    /// `$everything` of a patient's id, for these types, or for all; names and values.
    Everything(String, Option<Vec<String>>, Vec<(String, String)>),
    /// The CapabilityStatement: it tells of the deployment, and of no store.
    Metadata,
    /// Nothing that is answered, and the status that says so.
    Refused(u16),
}

/// The resources of a view: by type, then by id.
#[derive(Default)]
struct Held(BTreeMap<String, BTreeMap<String, (Vec<u8>, Value)>>);

impl Held {
    fn of(&self, resource_type: &str) -> impl Iterator<Item = (&str, &Value, &[u8])> {
        let of_type = self.0.get(resource_type).into_iter().flatten();
        of_type.map(|(id, (bytes, value))| (id.as_str(), value, bytes.as_slice()))
    }

    fn get(&self, resource_type: &str, id: &str) -> Option<&(Vec<u8>, Value)> {
        self.0.get(resource_type)?.get(id)
    }

    /// An entry of what is there.
    fn entry<'a>(&'a self, resource_type: &'a str, id: &'a str, mode: &'static str) -> Option<Entry<'a>> {
        let (bytes, _) = self.get(resource_type, id)?;
        Some(Entry { resource_type, id, bytes: Cow::Borrowed(bytes), mode })
    }
}

impl Sees for Held {
    fn of_type<'a>(&'a self, resource_type: &str) -> Vec<&'a Value> {
        self.of(resource_type).map(|(_, value, _)| value).collect()
    }

    fn find<'a>(&'a self, resource_type: &str, id: &str) -> Option<&'a Value> {
        self.get(resource_type, id).map(|(_, value)| value)
    }
}

/// A FHIR server that holds a view.
pub struct ReferenceServer {
    base: String,
    held: Held,
    past: Option<Past>,
    shared: BTreeSet<String>,
}

impl ReferenceServer {
    /// Of a view, under a base such as `https://gateway.example/fhir`.
    #[must_use]
    pub fn new(view: View, base: &str) -> Self {
        let mut held = Held::default();
        for (resource_type, id, bytes) in view {
            let value = serde_json::from_slice(&bytes).unwrap_or_default();
            held.0.entry(resource_type).or_default().insert(id, (bytes, value));
        }
        Self { base: base.to_owned(), held, past: None, shared: SHARED.into_iter().map(str::to_owned).collect() }
    }

    /// Of all that a caller sees.
    #[must_use]
    pub fn of(seen: Seen, base: &str) -> Self {
        Self { past: seen.past, ..Self::new(seen.view, base) }
    }

    /// With these types shared, in place of those that the page names.
    #[must_use]
    pub fn sharing(self, shared: &BTreeSet<String>) -> Self {
        Self { shared: shared.clone(), ..self }
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
            Place::Version(resource_type, id, version) => self.version(&resource_type, &id, &version),
            Place::History(resource_type, id) => self.history(&resource_type, &id),
            Place::Everything(id, types, pairs) => self.everything(&id, types.as_deref(), &pairs),
            Place::Search(scope, pairs) => match parse_asked(&scope, &pairs) {
                Err(refused) => Answer::refused(refused.status()),
                Ok(Asked::Page(token)) => Answer { token: Some((scope, token)), ..Answer::refused(400) },
                Ok(Asked::Search(query)) => self.page(&query, 0),
            },
        }
    }

    fn read(&self, resource_type: &str, id: &str) -> Answer {
        match self.held.get(resource_type, id) {
            Some((bytes, _)) => Answer { body: bytes.clone(), ..Answer::refused(200) },
            None => Answer::refused(404),
        }
    }

    fn version(&self, resource_type: &str, id: &str, version: &str) -> Answer {
        let Some(past) = &self.past else { return Answer::refused(403) };
        let mut shown = past.get(&(resource_type.to_owned(), id.to_owned())).into_iter().flatten();
        match shown.find(|shown| shown.id.as_deref() == Some(version)) {
            Some(found) => Answer { body: found.bytes.clone(), ..Answer::refused(200) },
            None => Answer::refused(404),
        }
    }

    fn history(&self, resource_type: &str, id: &str) -> Answer {
        let Some(past) = &self.past else { return Answer::refused(403) };
        let Some(shown) = past.get(&(resource_type.to_owned(), id.to_owned())) else { return Answer::refused(404) };
        let listed = history(shown).into_iter();
        let bodies: Vec<Vec<u8>> = listed.map(|version| version.bytes.clone()).collect();
        Answer { body: render_history(&self.base, resource_type, id, bodies), ..Answer::refused(200) }
    }

    /// Page `number`, from 0, of a search. The tokens in its links are `-`, which stands for any.
    #[must_use]
    pub fn page(&self, query: &Query, number: usize) -> Answer {
        self.page_with_tokens(query, number, "-", "-")
    }

    /// The same with these tokens: the page's own, and the next one's.
    #[must_use]
    pub fn page_with_tokens(&self, query: &Query, number: usize, own: &str, next: &str) -> Answer {
        let kind = query.scope.resource_type.as_str();
        let found = self.matching(query);
        let from = number.saturating_mul(query.count).min(found.len());
        let page = found.get(from..).unwrap_or_default();
        let has_next = page.len() > query.count && !query.count_only;
        let page = page.get(..query.count).unwrap_or(page);
        let page = if query.count_only { &[] } else { page };
        let mut entries: Vec<Entry<'_>> =
            page.iter().map(|(id, bytes)| Entry::matching(kind, id, cut(bytes, kind, &query.shape))).collect();
        let matched: Vec<(&str, &str)> = page.iter().map(|(id, _)| (kind, *id)).collect();
        let beside = beside(&matched, &query.includes, &self.held);
        entries.extend(beside.iter().filter_map(|(kind, id)| self.held.entry(kind, id, "include")));
        let body = render(
            &self.base,
            query,
            (number > 0).then_some(own),
            (query.total || query.count_only).then_some(found.len()),
            has_next.then_some(next),
            &entries,
        );
        Answer { status: 200, body, has_next, query: Some(query.clone()), token: None }
    }

    /// Ids and bytes of what matches, in order.
    fn matching(&self, query: &Query) -> Vec<(&str, &[u8])> {
        let kind = query.scope.resource_type.as_str();
        let mut found: Vec<(&str, &Value, &[u8])> =
            self.held.of(kind).filter(|(_, value, _)| matches(value, query, &self.held)).collect();
        order(&mut found, kind, &query.sorts);
        found.into_iter().map(|(id, _, bytes)| (id, bytes)).collect()
    }

    /// Reading: with `_type`, nothing of another type stands in the answer, the Patient and what is shared neither; and
    /// what is shared is what the entries that do stand there refer to.
    fn everything(&self, patient: &str, types: Option<&[String]>, pairs: &[(String, String)]) -> Answer {
        if self.held.get("Patient", patient).is_none() {
            return Answer::refused(404);
        }
        let is_asked = |kind: &str| types.is_none_or(|types| types.iter().any(|asked| asked == kind));
        let mut named: Vec<(&str, &str)> = vec![("Patient", patient)];
        for kind in self.held.0.keys() {
            let in_it = self.held.of(kind).filter(|(_, value, _)| is_in_compartment(value, kind, patient));
            // Reading: the Patient does not stand there twice, whatever refers to itself.
            named.extend(in_it.map(|(id, _, _)| (kind.as_str(), id)).filter(|own| *own != ("Patient", patient)));
        }
        named.retain(|(kind, _)| is_asked(kind));
        let mut referred = BTreeSet::new();
        for value in named.iter().filter_map(|(kind, id)| self.held.find(kind, id)) {
            literals(value, &mut referred);
        }
        referred.retain(|own| self.shared.contains(own.0) && is_asked(own.0) && !named.contains(own));
        let matched = named.iter().filter_map(|(kind, id)| self.held.entry(kind, id, "match"));
        let beside = referred.iter().filter_map(|(kind, id)| self.held.entry(kind, id, "include"));
        let entries: Vec<Entry<'_>> = matched.chain(beside).collect();
        let address = address(&format!("{}/Patient/{patient}/$everything", self.base), pairs, None);
        let body = bundle(&self.base, "searchset", Some(named.len()), &address, None, &entries);
        Answer { body, ..Answer::refused(200) }
    }
}

/// Types and ids that literals anywhere in a resource name.
fn literals<'a>(value: &'a Value, found: &mut BTreeSet<(&'a str, &'a str)>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("reference").and_then(Value::as_str).and_then(literal));
            members.values().for_each(|value| literals(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| literals(value, found)),
        _ => {}
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
    let in_url = request.query.as_deref().unwrap_or_default();
    let (scope, written) = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["metadata"]) => return Place::Metadata,
        ("GET", [kind]) if is_type(kind) => (Scope::from(*kind), in_url),
        ("GET", [kind, id, "_history"]) if is_type(kind) => {
            return plain_place(&[id], in_url, || Place::History((*kind).to_owned(), (*id).to_owned()));
        }
        ("GET", [kind, id, "_history", version]) if is_type(kind) => {
            let named = || Place::Version((*kind).to_owned(), (*id).to_owned(), (*version).to_owned());
            return plain_place(&[id, version], in_url, named);
        }
        ("GET", ["Patient", id, kind]) if is_type(kind) && !is_odd(id) => {
            (Scope { patient: Some((*id).to_owned()), ..Scope::from(*kind) }, in_url)
        }
        ("GET", ["Patient", id, "$everything"]) if !is_odd(id) => return everything_place(id, in_url),
        ("POST", [kind, "_search"]) if is_type(kind) => {
            let is_form = form.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded");
            match std::str::from_utf8(&request.body) {
                Ok(body) if is_form && request.query.is_none() => (Scope::from(*kind), body),
                _ => return Place::Refused(400),
            }
        }
        ("GET", [kind, id]) if is_type(kind) && !id.starts_with('_') && !id.starts_with('$') => {
            return plain_place(&[id], in_url, || Place::Read((*kind).to_owned(), (*id).to_owned()));
        }
        ("GET" | "POST", _) => return Place::Refused(400),
        _ => return Place::Refused(405),
    };
    match pairs(written) {
        Some(pairs) => Place::Search(scope, pairs),
        None => Place::Refused(400),
    }
}

/// Whether a segment of a path can be no id, however one reads it.
fn is_odd(id: &str) -> bool {
    id.contains(['%', ';', '~', '+', '!', '\'', '(', ')', '*', '=', '@', ',', '&', ':', '$'])
        || matches!(id, "" | "." | "..")
}

/// A read takes `_format` and no other parameter, and so do those of versions. Reading: an id of another form names nothing:
/// 404.
fn plain_place(ids: &[&str], query: &str, named: impl FnOnce() -> Place) -> Place {
    if ids.iter().any(|id| is_odd(id)) {
        return Place::Refused(400);
    }
    match pairs(query).as_deref() {
        Some([]) => named(),
        Some([(name, value)]) if name == "_format" => match format(value) {
            Ok(()) => named(),
            Err(refused) => Place::Refused(refused.status()),
        },
        _ => Place::Refused(400),
    }
}

/// `$everything` takes `_type` and `_format`. Reading: each once, and `_type` names resource types alone.
fn everything_place(id: &str, query: &str) -> Place {
    let Some(pairs) = pairs(query) else { return Place::Refused(400) };
    let once = |name: &str| pairs.iter().filter(|(own, _)| own == name).count();
    if check_pairs(&pairs).is_err() || once("_type") > 1 || once("_format") > 1 {
        return Place::Refused(400);
    }
    let mut types = None;
    for (name, value) in &pairs {
        match name.as_str() {
            "_type" => types = Some(value.split(',').map(str::to_owned).collect::<Vec<_>>()),
            "_format" => {
                if let Err(refused) = format(value) {
                    return Place::Refused(refused.status());
                }
            }
            _ => return Place::Refused(400),
        }
    }
    if types.iter().flatten().any(|kind| dictionary().resource(kind).is_none()) {
        return Place::Refused(400);
    }
    Place::Everything(id.to_owned(), types, pairs)
}

/// One entry of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The resource's type.
    pub resource_type: &'a str,
    /// Its id.
    pub id: &'a str,
    /// What there is of it.
    pub bytes: Cow<'a, [u8]>,
    /// `match` or `include`; `version` in a history.
    pub mode: &'static str,
}

impl<'a> Entry<'a> {
    /// A match.
    #[must_use]
    pub const fn matching(resource_type: &'a str, id: &'a str, bytes: Vec<u8>) -> Self {
        Self { resource_type, id, bytes: Cow::Owned(bytes), mode: "match" }
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
    entries: &[Entry<'_>],
) -> Vec<u8> {
    let place = format!("{base}/{}", query.scope.path());
    let next = next.map(|token| format!("{place}?_page={token}"));
    bundle(base, "searchset", total, &address(&place, &query.echoed, own), next.as_deref(), entries)
}

/// The Bundle of a history, of what shows of versions, newest first.
#[must_use]
pub fn render_history(base: &str, resource_type: &str, id: &str, versions: Vec<Vec<u8>>) -> Vec<u8> {
    let entry = |bytes| Entry { resource_type, id, bytes: Cow::Owned(bytes), mode: "version" };
    let entries: Vec<Entry<'_>> = versions.into_iter().map(entry).collect();
    let address = format!("{base}/{resource_type}/{id}/_history");
    bundle(base, "history", Some(entries.len()), &address, None, &entries)
}

/// A place with the parameters of a request, `_format` apart, and the page's own token.
fn address(place: &str, pairs: &[(String, String)], own: Option<&str>) -> String {
    let echoed = pairs.iter().filter(|(name, _)| name != "_format");
    let mut parameters: Vec<String> =
        echoed.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    parameters.extend(own.map(|token| format!("_page={token}")));
    if parameters.is_empty() { place.to_owned() } else { format!("{place}?{}", parameters.join("&")) }
}

fn bundle(
    base: &str,
    kind: &str,
    total: Option<usize>,
    address: &str,
    next: Option<&str>,
    entries: &[Entry<'_>],
) -> Vec<u8> {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut out = format!(r#"{{"resourceType":"Bundle","type":"{kind}""#);
    if let Some(total) = total {
        out.push_str(&format!(r#","total":{total}"#));
    }
    out.push_str(&format!(r#","link":[{{"relation":"self","url":{}}}"#, quoted(address)));
    if let Some(next) = next {
        out.push_str(&format!(r#",{{"relation":"next","url":{}}}"#, quoted(next)));
    }
    out.push(']');
    let mut out = out.into_bytes();
    for (place, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if place == 0 { br#","entry":["# } else { b"," });
        let address = quoted(&format!("{base}/{}/{}", entry.resource_type, entry.id));
        out.extend_from_slice(format!(r#"{{"fullUrl":{address},"resource":"#).as_bytes());
        out.extend_from_slice(&entry.bytes);
        out.extend_from_slice(format!(",{}}}", beside_of(entry)).as_bytes());
    }
    if !entries.is_empty() {
        out.push(b']');
    }
    out.push(b'}');
    out
}

/// What an entry says beside its resource.
fn beside_of(entry: &Entry<'_>) -> String {
    let Entry { resource_type, id, mode, .. } = entry;
    if *mode == "version" {
        format!(r#""request":{{"method":"PUT","url":"{resource_type}/{id}"}},"response":{{"status":"200"}}"#)
    } else {
        format!(r#""search":{{"mode":"{mode}"}}"#)
    }
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
        (200, 200) if comparable(&gateway.body) == comparable(&reference.body) => {
            match gateway.header("content-type") {
                Some(kind) if kind.starts_with("application/fhir+json") => Verdict::Equal,
                _ => different("content type is not application/fhir+json"),
            }
        }
        (200, 200) => different("another body than the reference server's"),
        (304, 200) if is_conditional && gateway.body.is_empty() && reference.query.is_none() => Verdict::Equal,
        (404, 404) => as_empty(Verdict::Absent),
        (400 | 403 | 404 | 405 | 406, 400 | 405 | 406) => as_empty(Verdict::Refused),
        (400 | 403 | 405 | 406, 403) => as_empty(Verdict::Refused),
        (400 | 403 | 405 | 406, 200 | 404) if may_refuse => as_empty(Verdict::Refused),
        (400 | 403 | 405 | 406, 200 | 404) => different("refused what policy allows"),
        (own, other) => Verdict::Different(format!("status {own} where the reference server has {other}")),
    }
}

/// A body without what is sealed in it: page tokens, and links to Binaries.
#[must_use]
pub fn comparable(body: &[u8]) -> Vec<u8> {
    without_seals(&without_tokens(body))
}

/// Without the seals of links to Binaries.
fn without_seals(body: &[u8]) -> Vec<u8> {
    let mark = b"&seal=";
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        let (before, behind) = rest.split_at(at + mark.len());
        out.extend_from_slice(before);
        let ends = behind.iter().position(|byte| !byte.is_ascii_hexdigit() && *byte != b'-').unwrap_or(behind.len());
        rest = behind.get(ends..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
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
