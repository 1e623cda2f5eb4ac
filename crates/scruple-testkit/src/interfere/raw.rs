//! An upstream that holds a raw store: a plain FHIR server that reads, searches and tells versions in memory, and misbehaves
//! if told to.
//!
//! It answers as servers do that know nothing of us: newest first, with totals, ids and scores, pages by offset. It is
//! lenient: what it does not know it ignores. It speaks bytes; tests adapt it to their trait of an upstream.

use super::oracle::Criterion;
use super::store::{Store, Stored, Version};
use super::text::{decoded, encoded, pairs, query};
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
    /// Searches give the oldest first. A history's order stays: FHIR fixes it, and nothing else tells it.
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

    /// That version of a resource. None: there is none, or in it the resource was deleted.
    #[must_use]
    pub fn version(&self, resource_type: &str, id: &str, version: &str) -> Option<Vec<u8>> {
        let found = self.store.versions(resource_type, id).into_iter().find(|found| found.id() == Some(version))?;
        match found {
            Version::Stored(stored) => Some(stored.bytes.clone()),
            Version::Deleted { .. } => None,
        }
    }

    /// The first page of a history, newest first. None: there never was such a resource.
    #[must_use]
    pub fn history(&self, resource_type: &str, id: &str, parameters: &[(String, String)]) -> Option<Vec<u8>> {
        self.history_from(resource_type, id, parameters, 0)
    }

    /// The page that a `next` link of a search or of a history names. None: it is none of this server's links.
    #[must_use]
    pub fn page(&self, link: &str) -> Option<Vec<u8>> {
        let rest = link.strip_prefix(self.base.as_str())?.strip_prefix('/')?;
        let (path, written) = rest.split_once('?')?;
        let mut parameters = pairs(written)?;
        let at = parameters.iter().position(|(name, _)| name == "_offset")?;
        let (_, offset) = parameters.remove(at);
        let offset = offset.parse().ok()?;
        let parts: Vec<String> = path.split('/').map(decoded).collect::<Option<_>>()?;
        match parts.as_slice() {
            [resource_type] => Some(self.page_from(resource_type, &parameters, offset)),
            [resource_type, id, last] if last == "_history" => {
                self.history_from(resource_type, id, &parameters, offset)
            }
            _ => None,
        }
    }

    fn page_from(&self, resource_type: &str, parameters: &[(String, String)], offset: usize) -> Vec<u8> {
        let found = self.matching(resource_type, parameters);
        let added = self.store.iter().next_back().map(|stored| self.entry(stored, "include"));
        let entries = found.iter().map(|stored| self.entry(stored, "match"));
        self.bundle("searchset", &encoded(resource_type), parameters, offset, entries, added)
    }

    fn history_from(
        &self,
        resource_type: &str,
        id: &str,
        parameters: &[(String, String)],
        offset: usize,
    ) -> Option<Vec<u8>> {
        let versions = self.store.versions(resource_type, id);
        if versions.is_empty() {
            return None;
        }
        let other = self.store.iter().rfind(|stored| !stored.is(resource_type, id));
        let added = other
            .map(|stored| self.past_entry(&stored.resource_type, &stored.id, &Version::Stored(Arc::clone(stored))));
        let entries = versions.iter().rev().map(|version| self.past_entry(resource_type, id, version));
        let path = format!("{}/{}/_history", encoded(resource_type), encoded(id));
        Some(self.bundle("history", &path, parameters, offset, entries, added))
    }

    /// A page of a Bundle of these entries. The server may add one of another resource.
    fn bundle(
        &self,
        kind: &str,
        path: &str,
        parameters: &[(String, String)],
        offset: usize,
        found: impl ExactSizeIterator<Item = Value>,
        added: Option<Value>,
    ) -> Vec<u8> {
        let total = found.len();
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
        let ends = ends.min(total);
        let mut entries: Vec<Value> = found.skip(offset).take(ends.saturating_sub(offset)).collect();
        if self.misbehaviour.adds_entries {
            entries.extend(added);
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
            format!("{}/{path}?{}", self.base, written.trim_start_matches('&'))
        };
        let mut links = vec![json!({ "relation": "self", "url": address(None) })];
        if ends < total {
            links.push(json!({ "relation": "next", "url": address(Some(ends)) }));
        }
        let mut bundle = json!({
            "resourceType": "Bundle", "id": "b7", "meta": { "lastUpdated": "2026-01-01T00:00:00Z" }, "type": kind,
            "timestamp": "2026-01-01T00:00:00Z", "total": total, "link": links,
        });
        if let Some(bundle) = bundle.as_object_mut()
            && !entries.is_empty()
        {
            bundle.insert("entry".to_owned(), Value::Array(entries));
        }
        bundle.to_string().into_bytes()
    }

    /// An entry of a history.
    fn past_entry(&self, resource_type: &str, id: &str, version: &Version) -> Value {
        let (method, status, resource, at) = match version {
            Version::Stored(stored) => ("PUT", "200", Some(("resource", stored.value.clone())), None),
            Version::Deleted { at, .. } => ("DELETE", "204", None, Some(("lastModified", json!(at.to_string())))),
        };
        let etag = version.id().map(|version| ("etag", json!(format!("W/\"{version}\""))));
        let response: BTreeMap<&str, Value> = [("status", json!(status))].into_iter().chain(etag).chain(at).collect();
        let all = [
            ("fullUrl", json!(format!("{}/{resource_type}/{id}", self.base))),
            ("request", json!({ "method": method, "url": format!("{resource_type}/{id}") })),
            ("response", json!(response)),
        ];
        json!(all.into_iter().chain(resource).collect::<BTreeMap<&str, Value>>())
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
    use scruple_core::Timestamp;

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

    /// `Observation/o3` changed twice, `o4` was deleted.
    fn server_of_changes() -> RawServer {
        let mut store = server().store;
        for (version, status) in [("2", "corrected"), ("3", "entered-in-error")] {
            let mut value = store.get("Observation", "o3").unwrap().value.clone();
            value["status"] = json!(status);
            value["meta"]["versionId"] = json!(version);
            store.revise(Arc::new(Stored::new(value).unwrap()));
        }
        store.delete("Observation", "o4", "2", Timestamp::parse("2025-03-01T00:00:00Z").unwrap());
        RawServer::new(store)
    }

    /// Methods and states of all versions on all pages, and how many pages there are.
    fn told(server: &RawServer, id: &str, count: usize) -> (Vec<String>, usize) {
        let (mut told, mut pages) = (Vec::new(), 0);
        let mut body = server.history("Observation", id, &[pair("_count", &count.to_string())]).unwrap();
        loop {
            pages += 1;
            let bundle: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(bundle["type"], "history");
            for entry in bundle["entry"].as_array().into_iter().flatten() {
                let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
                told.push(format!("{} {}", text("/request/method"), text("/resource/status")));
            }
            let links = bundle["link"].as_array().unwrap();
            match links.iter().find(|link| link["relation"] == "next") {
                Some(next) => body = server.page(next["url"].as_str().unwrap()).unwrap(),
                None => return (told, pages),
            }
        }
    }

    #[test]
    fn it_tells_versions_newest_first_and_deletions() {
        let server = server_of_changes();
        let changes = ["PUT entered-in-error", "PUT corrected"].map(str::to_owned).to_vec();
        assert_eq!(told(&server, "o3", 200), (changes.clone(), 1), "the first had no version id");
        assert_eq!(told(&server, "o3", 1), (changes.clone(), 2));
        assert_eq!(told(&server, "o4", 200).0, ["DELETE -"]);
        assert_eq!(told(&server, "o1", 200).0, ["PUT amended"]);
        assert!(server.history("Observation", "o9", &[]).is_none());
        let status = |id: &str, version: &str| {
            let bytes = server.version("Observation", id, version)?;
            Some(serde_json::from_slice::<Value>(&bytes).unwrap()["status"].as_str().unwrap().to_owned())
        };
        assert_eq!(status("o3", "2").as_deref(), Some("corrected"));
        assert_eq!(status("o3", "3").as_deref(), Some("entered-in-error"));
        for (id, version) in [("o3", "1"), ("o4", "2"), ("o1", "1"), ("o9", "1")] {
            assert_eq!(status(id, version), None, "{id} {version}");
        }
        assert!(server.read("Observation", "o4").is_none());
        let (ids, _) = walked(&server, &[]);
        assert_eq!(ids.len(), 6, "a search finds what is current");
        let unruly =
            Misbehaviour { adds_entries: true, oldest_first: true, short_pages: true, ..Misbehaviour::default() };
        let (unruly, pages) = told(&server.misbehaving(unruly), "o3", 2);
        assert_eq!(pages, 3);
        let own: Vec<String> = unruly.into_iter().filter(|entry| changes.contains(entry)).collect();
        assert_eq!(own, changes, "in their order");
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
