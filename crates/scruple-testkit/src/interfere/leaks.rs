//! Leaks put in on purpose: each wraps a system and knows the raw store. The harness must find every one.

use super::harness::{System, WorkTrace};
use super::oracle::{Query, Shape, matches, parse};
use super::reference::{Entry, Place, place, render};
use super::store::Store;
use super::text::encoded;
use super::wire::{Request, Response};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What every leak holds: the system, the raw store, the base.
pub struct Leaky<S> {
    inner: S,
    store: Store,
    base: String,
    leak: Leak,
}

/// Which leak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leak {
    /// `Bundle.total` is counted over the raw store.
    Total,
    /// Entries stand in the order of the raw resources' times of change.
    Order,
    /// 403 in place of 404 for what is hidden.
    Existence,
    /// An ETag of the raw version.
    Header,
    /// Criteria are evaluated on the raw resources.
    HiddenCriterion,
}

impl Leak {
    /// All five.
    pub const ALL: [Self; 5] = [Self::Total, Self::Order, Self::Existence, Self::Header, Self::HiddenCriterion];
}

impl<S: System> Leaky<S> {
    /// A system, under a base, with a leak in it.
    pub fn new(leak: Leak, inner: S, base: &str) -> Self {
        Self { inner, store: Store::new(), base: base.to_owned(), leak }
    }

    fn query(&self, request: &Request) -> Option<Query> {
        match place(&self.base, request) {
            Place::Search(kind, pairs) => parse(kind, &pairs).ok(),
            _ => None,
        }
    }

    fn total(&self, request: &Request, response: &mut Response) -> Option<()> {
        let query = self.query(request).filter(|query| query.total || query.count_only)?;
        let counted = self.store.iter().filter(|stored| matches(&stored.value, &query, &self.store)).count();
        let body = String::from_utf8(response.body.clone()).ok()?;
        let (before, rest) = body.split_once(r#""total":"#)?;
        let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        response.body = format!(r#"{before}"total":{counted}{behind}"#).into_bytes();
        Some(())
    }

    fn order(&self, response: &mut Response) -> Option<()> {
        let mut entries = entries(&response.body)?;
        let changed = |entry: &RawValue| {
            let value: Value = serde_json::from_str(entry.get()).ok()?;
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let (kind, id) = (text("/resource/resourceType")?, text("/resource/id")?);
            self.store.get(&kind, &id).map(|stored| stored.last_updated().to_owned())
        };
        entries.sort_by_cached_key(|entry| std::cmp::Reverse(changed(entry)));
        let at = find(&response.body, br#""entry":["#)?;
        let written: Vec<&str> = entries.iter().map(|entry| entry.get()).collect();
        response.body.truncate(at);
        response.body.extend_from_slice(format!(r#""entry":[{}]}}"#, written.join(",")).as_bytes());
        Some(())
    }

    fn existence(&self, request: &Request, response: &mut Response) -> Option<()> {
        let Place::Read(kind, id) = place(&self.base, request) else { return None };
        if response.status == 404 && self.store.get(&kind, &id).is_some() {
            response.status = 403;
        }
        Some(())
    }

    fn header(&self, request: &Request, response: &mut Response) -> Option<()> {
        let Place::Read(kind, id) = place(&self.base, request) else { return None };
        let version = self.store.get(&kind, &id)?.value.pointer("/meta/versionId")?.as_str()?.to_owned();
        if response.status == 200 {
            response.headers.push(("etag".to_owned(), format!("W/\"{version}\"")));
        }
        Some(())
    }

    /// Asks for all of the type, and keeps what the raw resources match. More than a page of them it leaves alone.
    fn hidden_criterion(&mut self, request: &Request, seed: u64, response: &mut Response) -> Option<()> {
        let query = self.query(request).filter(|query| !query.criteria.is_empty() && is_plain(query))?;
        let sort = query.echoed.iter().find(|(name, _)| name == "_sort").map_or("_id", |(_, sort)| sort);
        let root = request.path.trim_end_matches("/_search");
        let all = Request::get(root).with_query(format!("_count=200&_sort={}", encoded(sort)));
        let all = self.inner.ask(&Request { headers: request.headers.clone(), ..all }, seed);
        let kind = query.scope.resource_type.as_str();
        let values = if all.status == 200 { entries(&all.body).unwrap_or_default() } else { return None };
        let mut kept: Vec<(String, Vec<u8>)> = Vec::new();
        for entry in values {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(entry.get()).ok()?;
            let resource = members.get("resource")?;
            let value: Value = serde_json::from_str(resource.get()).ok()?;
            let id = value.get("id")?.as_str()?;
            if self.store.get(kind, id).is_some_and(|raw| matches(&raw.value, &query, &self.store)) {
                kept.push((id.to_owned(), resource.get().as_bytes().to_vec()));
            }
        }
        if kept.len() <= query.count {
            let total = (query.total || query.count_only).then_some(kept.len());
            if query.count_only {
                kept.clear();
            }
            let entries: Vec<Entry<'_>> =
                kept.iter().map(|(id, bytes)| Entry::matching(kind, id, bytes.clone())).collect();
            response.status = 200;
            response.headers = all.headers;
            response.body = render(&self.base, &query, None, total, None, &entries);
        }
        Some(())
    }
}

impl<S: System> System for Leaky<S> {
    fn load(&mut self, store: &Store) {
        self.store = store.clone();
        self.inner.load(store);
    }

    fn ask(&mut self, request: &Request, seed: u64) -> Response {
        let mut response = self.inner.ask(request, seed);
        // Nothing: there is nothing to leak here.
        let _leaked: Option<()> = match self.leak {
            Leak::Total => self.total(request, &mut response),
            Leak::Order => self.order(&mut response),
            Leak::Existence => self.existence(request, &mut response),
            Leak::Header => self.header(request, &mut response),
            Leak::HiddenCriterion => self.hidden_criterion(request, seed, &mut response),
        };
        response
    }

    fn work(&self) -> WorkTrace {
        self.inner.work()
    }
}

/// A search of a type in all, of which matches stand in the answer whole and alone.
fn is_plain(query: &Query) -> bool {
    query.scope.patient.is_none() && query.shape == Shape::Whole && query.includes.is_empty()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The entries of a searchset.
fn entries(body: &[u8]) -> Option<Vec<Box<RawValue>>> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    serde_json::from_str(members.get("entry")?.get()).ok()
}

#[cfg(test)]
mod tests;
