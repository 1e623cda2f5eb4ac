//! Leaks put in on purpose: each wraps a system and knows the raw store. The harness must find every one.

use super::harness::{System, WorkTrace};
use super::oracle::{Criterion, Query, Sees, Shape, beside, is_in_compartment, matches, order, parse};
use super::reference::{Entry, Place, place, render};
use super::store::{Store, Version};
use super::text::query as written;
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
    /// What is included stands there though it is hidden.
    HiddenInclude,
    /// Chains are evaluated on the raw resources.
    HiddenChain,
    /// `_has` is evaluated on the raw resources.
    HiddenHas,
    /// Results are sorted by raw values.
    HiddenSort,
    /// `$everything` lists what is hidden.
    HiddenEverything,
    /// A history counts all versions, those too that do not show.
    VersionCount,
    /// A version is there, though it does not show.
    HiddenVersion,
}

impl Leak {
    /// All that any caller could be told by.
    pub const ALL: [Self; 10] = [
        Self::Total,
        Self::Order,
        Self::Existence,
        Self::Header,
        Self::HiddenCriterion,
        Self::HiddenInclude,
        Self::HiddenChain,
        Self::HiddenHas,
        Self::HiddenSort,
        Self::HiddenEverything,
    ];
    /// Those of versions, of which only who reads histories could be told.
    pub const OF_VERSIONS: [Self; 2] = [Self::VersionCount, Self::HiddenVersion];
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
        put_total(response, counted)
    }

    /// Counts what the raw store has of versions.
    fn version_count(&self, request: &Request, response: &mut Response) -> Option<()> {
        let Place::History(kind, id) = place(&self.base, request) else { return None };
        let versions = self.store.versions(&kind, &id).into_iter();
        put_total(response, versions.filter(|version| matches!(version, Version::Stored(_))).count())
    }

    /// Names the version that the raw store has of what shows, and tells nothing else of it.
    fn hidden_version(&self, request: &Request, response: &mut Response) -> Option<()> {
        let Place::Version(kind, id, version) = place(&self.base, request) else { return None };
        let mut versions = self.store.versions(&kind, &id).into_iter();
        let is_there = versions.any(|own| own.id() == Some(&version) && matches!(own, Version::Stored(_)));
        if response.status == 404 && is_there && self.store.get(&kind, &id).is_some() {
            response.status = 200;
            response.body = format!(r#"{{"resourceType":"{kind}","id":"{id}"}}"#).into_bytes();
        }
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
        put_entries(response, &entries.iter().map(|entry| entry.get().to_owned()).collect::<Vec<_>>())
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

    /// Asks for all that match the other criteria, and keeps what matches these in the raw store. More than a page of them
    /// it leaves alone.
    fn hidden_criteria(
        &mut self,
        request: &Request,
        seed: u64,
        response: &mut Response,
        is_hidden: impl Fn(&Criterion) -> bool,
    ) -> Option<()> {
        let query = self.query(request).filter(|query| query.criteria.iter().any(&is_hidden) && is_plain(query))?;
        let kind = query.scope.resource_type.as_str();
        let all = self.all(request, &query, seed, |criterion| !is_hidden(criterion))?;
        let matches = |id: &str| {
            let mut hidden = query.criteria.iter().filter(|each| is_hidden(each));
            let raw = self.store.get(kind, id);
            raw.is_some_and(|raw| hidden.all(|criterion| criterion.matches(&raw.value, &self.store)))
        };
        let mut kept: Vec<(String, Vec<u8>)> = all.into_iter().filter(|(id, _)| matches(id)).collect();
        if kept.len() <= query.count {
            let total = (query.total || query.count_only).then_some(kept.len());
            if query.count_only {
                kept.clear();
            }
            *response = self.page(&query, total, None, &kept);
        }
        Some(())
    }

    /// What the system gives of a search with no other criteria than these, in the search's order: ids and bytes.
    fn all(
        &mut self,
        request: &Request,
        query: &Query,
        seed: u64,
        stays: impl Fn(&Criterion) -> bool,
    ) -> Option<Vec<(String, Vec<u8>)>> {
        let kind = query.scope.resource_type.as_str();
        let is_asked = |(name, value): &&(String, String)| {
            name == "_sort" || Criterion::new(kind, name, value).is_ok_and(|criterion| stays(&criterion))
        };
        let mut pairs: Vec<(String, String)> = query.echoed.iter().filter(is_asked).cloned().collect();
        pairs.push(("_count".to_owned(), "200".to_owned()));
        let all = Request::get(request.path.trim_end_matches("/_search")).with_query(written(&pairs));
        let all = self.inner.ask(&all, seed);
        if all.status != 200 {
            return None;
        }
        entries(&all.body).unwrap_or_default().iter().map(|entry| resource(entry)).collect()
    }

    fn page(&self, query: &Query, total: Option<usize>, next: Option<&str>, kept: &[(String, Vec<u8>)]) -> Response {
        let kind = query.scope.resource_type.as_str();
        let entries: Vec<Entry<'_>> = kept.iter().map(|(id, bytes)| Entry::matching(kind, id, bytes.clone())).collect();
        let body = render(&self.base, query, None, total, next, &entries);
        Response { status: 200, headers: vec![("content-type".to_owned(), "application/fhir+json".to_owned())], body }
    }

    /// Sorts all that match by what stands in the raw resources.
    fn hidden_sort(&mut self, request: &Request, seed: u64, response: &mut Response) -> Option<()> {
        let is_sorted = |query: &Query| !query.sorts.is_empty() && !query.count_only && is_plain(query);
        let query = self.query(request).filter(is_sorted)?;
        let kind = query.scope.resource_type.as_str();
        let all = self.all(request, &query, seed, |_| true)?;
        let mut raw = Vec::new();
        for (id, bytes) in &all {
            raw.push((id.as_str(), self.store.find(kind, id)?, bytes));
        }
        order(&mut raw, kind, &query.sorts);
        let sorted = raw.iter().take(query.count).map(|(id, _, bytes)| ((*id).to_owned(), (*bytes).clone()));
        let sorted: Vec<(String, Vec<u8>)> = sorted.collect();
        let next = response.next_query().and_then(|query| query.strip_prefix("_page=").map(str::to_owned));
        *response = self.page(&query, query.total.then_some(all.len()), next.as_deref(), &sorted);
        Some(())
    }

    /// Names what the raw store has beside the matches.
    fn hidden_include(&self, request: &Request, response: &mut Response) -> Option<()> {
        let query = self.query(request).filter(|query| !query.includes.is_empty())?;
        let kind = query.scope.resource_type.as_str();
        let mut written: Vec<String> = Vec::new();
        let (mut matched, mut known) = (Vec::new(), Vec::new());
        for entry in entries(&response.body)? {
            let (id, _) = resource(&entry)?;
            if entry.get().ends_with(r#""search":{"mode":"match"}}"#) {
                matched.push(id);
            } else {
                known.push(full_url(&entry)?);
            }
            written.push(entry.get().to_owned());
        }
        let matched: Vec<(&str, &str)> = matched.iter().map(|id| (kind, id.as_str())).collect();
        for (kind, id) in beside(&matched, &query.includes, &self.store) {
            if !known.contains(&format!("{}/{kind}/{id}", self.base)) {
                written.push(self.named(&kind, &id, "include"));
            }
        }
        put_entries(response, &written)
    }

    /// Names what the raw store has in the compartment.
    fn hidden_everything(&self, request: &Request, response: &mut Response) -> Option<()> {
        let Place::Everything(patient, None, _) = place(&self.base, request) else { return None };
        let entries = entries(&response.body)?;
        let known: Vec<String> = entries.iter().filter_map(|entry| full_url(entry)).collect();
        let mut written: Vec<String> = entries.iter().map(|entry| entry.get().to_owned()).collect();
        for stored in self.store.iter() {
            let (kind, id) = (stored.resource_type.as_str(), stored.id.as_str());
            if is_in_compartment(&stored.value, kind, &patient)
                && !known.contains(&format!("{}/{kind}/{id}", self.base))
            {
                written.push(self.named(kind, id, "match"));
            }
        }
        put_entries(response, &written)
    }

    /// An entry that names a resource and tells nothing else of it.
    fn named(&self, kind: &str, id: &str, mode: &str) -> String {
        format!(
            r#"{{"fullUrl":"{}/{kind}/{id}","resource":{{"resourceType":"{kind}","id":"{id}"}},"search":{{"mode":"{mode}"}}}}"#,
            self.base
        )
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
            Leak::HiddenCriterion => self.hidden_criteria(request, seed, &mut response, |_| true),
            Leak::HiddenInclude => self.hidden_include(request, &mut response),
            Leak::HiddenChain => {
                self.hidden_criteria(request, seed, &mut response, |each| matches!(each, Criterion::Chain(..)))
            }
            Leak::HiddenHas => {
                self.hidden_criteria(request, seed, &mut response, |each| matches!(each, Criterion::Has(..)))
            }
            Leak::HiddenSort => self.hidden_sort(request, seed, &mut response),
            Leak::HiddenEverything => self.hidden_everything(request, &mut response),
            Leak::VersionCount => self.version_count(request, &mut response),
            Leak::HiddenVersion => self.hidden_version(request, &mut response),
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

/// Puts this total in the place of that of a Bundle that has one.
fn put_total(response: &mut Response, total: usize) -> Option<()> {
    let body = String::from_utf8(response.body.clone()).ok()?;
    let (before, rest) = body.split_once(r#""total":"#)?;
    let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    response.body = format!(r#"{before}"total":{total}{behind}"#).into_bytes();
    Some(())
}

/// Puts these entries in the place of those of a searchset that has some.
fn put_entries(response: &mut Response, entries: &[String]) -> Option<()> {
    let at = find(&response.body, br#""entry":["#)?;
    response.body.truncate(at);
    response.body.extend_from_slice(format!(r#""entry":[{}]}}"#, entries.join(",")).as_bytes());
    Some(())
}

/// Id and bytes of an entry's resource.
fn resource(entry: &RawValue) -> Option<(String, Vec<u8>)> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(entry.get()).ok()?;
    let resource = members.get("resource")?;
    let value: Value = serde_json::from_str(resource.get()).ok()?;
    Some((value.get("id")?.as_str()?.to_owned(), resource.get().as_bytes().to_vec()))
}

fn full_url(entry: &RawValue) -> Option<String> {
    let value: Value = serde_json::from_str(entry.get()).ok()?;
    Some(value.get("fullUrl")?.as_str()?.to_owned())
}

/// The entries of a searchset.
fn entries(body: &[u8]) -> Option<Vec<Box<RawValue>>> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    serde_json::from_str(members.get("entry")?.get()).ok()
}

#[cfg(test)]
mod tests;
