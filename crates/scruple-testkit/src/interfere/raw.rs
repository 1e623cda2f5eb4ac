//! An upstream that holds a raw store: a plain FHIR server that reads and searches in memory, and misbehaves if told to.
//!
//! It answers as servers do that know nothing of us: newest first, with totals, ids and scores, pages by offset. It is
//! lenient: what it does not know it ignores. It speaks bytes; tests adapt it to their trait of an upstream.

use super::oracle::Criterion;
use super::store::{Store, Stored};
use super::text::{decoded, encoded, pairs, query};
use serde_json::{Value, json};
use std::sync::Arc;

/// Resources on a page where the request does not say.
const COUNT_DEFAULT: usize = 20;

/// What a server can do wrong, or differently than one hoped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Misbehaviour {
    /// All of the type is returned, whatever was asked.
    pub ignores_criteria: bool,
    /// Each page has an entry that was included, and an OperationOutcome.
    pub adds_entries: bool,
    /// Oldest first.
    pub oldest_first: bool,
    /// Pages are shorter than was asked, and the first of them empty.
    pub short_pages: bool,
}

/// A server over a raw store.
#[derive(Clone, Debug)]
pub struct RawServer {
    store: Store,
    base: String,
    misbehaviour: Misbehaviour,
}

impl RawServer {
    /// Over a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, base: "http://upstream.example/fhir".to_owned(), misbehaviour: Misbehaviour::default() }
    }

    /// One that does wrong.
    #[must_use]
    pub const fn misbehaving(mut self, misbehaviour: Misbehaviour) -> Self {
        self.misbehaviour = misbehaviour;
        self
    }

    /// Under another base.
    #[must_use]
    pub fn under(mut self, base: &str) -> Self {
        base.clone_into(&mut self.base);
        self
    }

    /// The resource of this type and id.
    #[must_use]
    pub fn read(&self, resource_type: &str, id: &str) -> Option<Vec<u8>> {
        self.store.get(resource_type, id).map(|stored| stored.bytes.clone())
    }

    /// The first page of a search. Names and values are decoded.
    #[must_use]
    pub fn search(&self, resource_type: &str, parameters: &[(String, String)]) -> Vec<u8> {
        self.page_from(resource_type, parameters, 0)
    }

    /// The page that a `next` link names. None: it is none of this server's links.
    #[must_use]
    pub fn page(&self, link: &str) -> Option<Vec<u8>> {
        let rest = link.strip_prefix(self.base.as_str())?.strip_prefix('/')?;
        let (resource_type, written) = rest.split_once('?')?;
        let mut parameters = pairs(written)?;
        let at = parameters.iter().position(|(name, _)| name == "_offset")?;
        let (_, offset) = parameters.remove(at);
        Some(self.page_from(&decoded(resource_type)?, &parameters, offset.parse().ok()?))
    }

    fn page_from(&self, resource_type: &str, parameters: &[(String, String)], offset: usize) -> Vec<u8> {
        let found = self.matching(resource_type, parameters);
        let asked = parameters.iter().find(|(name, _)| name == "_count").and_then(|(_, count)| count.parse().ok());
        let mut count: usize = asked.filter(|count| *count > 0).unwrap_or(COUNT_DEFAULT);
        // A short page ends earlier; the first one before it has begun.
        let mut ends = offset.saturating_add(count);
        if self.misbehaviour.short_pages {
            count = count.div_ceil(2);
            ends = offset.saturating_add(count);
            if offset == 0 && !parameters.iter().any(|(name, _)| name == "_begun") {
                ends = 0;
            }
        }
        let ends = ends.min(found.len());
        let page = found.get(offset.min(ends)..ends).unwrap_or_default();
        let mut entries: Vec<Value> = page.iter().map(|stored| self.entry(stored, "match")).collect();
        if self.misbehaviour.adds_entries {
            entries.extend(self.store.iter().rev().take(1).map(|stored| self.entry(stored, "include")));
            entries.push(json!({
                "resource": { "resourceType": "OperationOutcome", "issue": [{ "severity": "information", "code": "informational", "diagnostics": "CANARY-OUTCOME" }] },
                "search": { "mode": "outcome" },
            }));
        }
        let address = |offset: Option<usize>| {
            let mut written = query(parameters);
            if let Some(offset) = offset {
                let begun = if self.misbehaviour.short_pages && offset == 0 { "&_begun=1" } else { "" };
                written = format!("{written}&_offset={offset}{begun}");
            }
            format!("{}/{}?{}", self.base, encoded(resource_type), written.trim_start_matches('&'))
        };
        let mut links = vec![json!({ "relation": "self", "url": address(None) })];
        if ends < found.len() {
            links.push(json!({ "relation": "next", "url": address(Some(ends)) }));
        }
        let mut bundle = json!({
            "resourceType": "Bundle", "id": "b7", "meta": { "lastUpdated": "2026-01-01T00:00:00Z" }, "type": "searchset",
            "timestamp": "2026-01-01T00:00:00Z", "total": found.len(), "link": links,
        });
        if let Some(bundle) = bundle.as_object_mut()
            && !entries.is_empty()
        {
            bundle.insert("entry".to_owned(), Value::Array(entries));
        }
        bundle.to_string().into_bytes()
    }

    fn entry(&self, stored: &Stored, mode: &str) -> Value {
        json!({
            "fullUrl": format!("{}/{}/{}", self.base, stored.resource_type, stored.id),
            "resource": stored.value,
            "search": { "mode": mode, "score": 0.7 },
        })
    }

    /// What matches, newest first; what came first, where they are of one time.
    fn matching(&self, resource_type: &str, parameters: &[(String, String)]) -> Vec<&Arc<Stored>> {
        let criteria: Vec<Criterion> = parameters
            .iter()
            .filter(|_| !self.misbehaviour.ignores_criteria)
            .filter_map(|(name, value)| Criterion::new(resource_type, name, value).ok())
            .collect();
        let mut found: Vec<&Arc<Stored>> = self
            .store
            .iter()
            .filter(|stored| stored.resource_type == resource_type)
            .filter(|stored| criteria.iter().all(|criterion| criterion.matches(&stored.value, &self.store)))
            .collect();
        match parameters.iter().find(|(name, _)| name == "_sort").map(|(_, value)| value.as_str()) {
            Some("_id") => found.sort_by(|one, other| one.id.cmp(&other.id)),
            Some("-_id") => found.sort_by(|one, other| other.id.cmp(&one.id)),
            _ => found.sort_by(|one, other| other.last_updated().cmp(one.last_updated())),
        }
        if self.misbehaviour.oldest_first {
            found.reverse();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> RawServer {
        let observation = |id: usize, day: usize| {
            Stored::new(json!({
                "resourceType": "Observation", "id": format!("o{id}"), "status": if id.is_multiple_of(2) { "final" } else { "amended" },
                "meta": { "lastUpdated": format!("2025-01-{day:02}T00:00:00Z") }, "subject": { "reference": "Patient/p" },
            }))
        };
        let patient = Stored::new(json!({ "resourceType": "Patient", "id": "p" }));
        RawServer::new((0..7).filter_map(|id| observation(id, 10 + id * 3 % 7)).chain(patient).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// Ids of all entries of all pages, and how many pages there are.
    fn walked(server: &RawServer, parameters: &[(String, String)]) -> (Vec<String>, usize) {
        let (mut ids, mut pages) = (Vec::new(), 0);
        let mut body = server.search("Observation", parameters);
        loop {
            pages += 1;
            let bundle: Value = serde_json::from_slice(&body).unwrap();
            for entry in bundle["entry"].as_array().into_iter().flatten() {
                ids.push(entry["resource"]["id"].as_str().unwrap_or("outcome").to_owned());
            }
            let links = bundle["link"].as_array().unwrap();
            match links.iter().find(|link| link["relation"] == "next") {
                Some(next) => body = server.page(next["url"].as_str().unwrap()).unwrap(),
                None => return (ids, pages),
            }
        }
    }

    #[test]
    fn it_finds_newest_first_and_walks_its_pages() {
        let (ids, pages) = walked(&server(), &[pair("patient", "p"), pair("_count", "3")]);
        assert_eq!(ids, ["o2", "o4", "o6", "o1", "o3", "o5", "o0"]);
        assert_eq!(pages, 3);
        assert_eq!(
            walked(&server(), &[pair("status", "final"), pair("_sort", "-_id"), pair("shoe", "44")]).0,
            ["o6", "o4", "o2", "o0"]
        );
        assert!(server().read("Patient", "p").is_some_and(|bytes| bytes.starts_with(b"{")));
        assert!(server().read("Patient", "q").is_none());
        for link in
            ["http://other.example/fhir/Observation?_offset=1", "http://upstream.example/fhir/Observation?x=1", ""]
        {
            assert!(server().page(link).is_none(), "{link}");
        }
        let many = vec!["o1"; 300].join(",");
        assert_eq!(walked(&server(), &[pair("_id", &many)]).0, ["o1"]);
    }

    #[test]
    fn it_misbehaves_when_told_to() {
        let parameters = [pair("status", "final"), pair("_count", "2")];
        let with = |misbehaviour| walked(&server().misbehaving(misbehaviour), &parameters);
        let none = Misbehaviour::default();
        assert_eq!(with(Misbehaviour { ignores_criteria: true, ..none }).0.len(), 7);
        assert_eq!(with(Misbehaviour { oldest_first: true, ..none }).0, ["o0", "o6", "o4", "o2"]);
        let (ids, pages) = with(Misbehaviour { short_pages: true, ..none });
        assert_eq!((ids.len(), pages), (4, 5));
        let (ids, _) = with(Misbehaviour { adds_entries: true, ..none });
        assert_eq!(ids.iter().filter(|id| *id == "outcome" || *id == "p").count(), 4, "{ids:?}");
    }
}
