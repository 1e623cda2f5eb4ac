//! The bodies that the server writes: Bundle, CapabilityStatement, OperationOutcome. Stored resources go in as they are.

use super::query::{Refusal, encode_part};
use super::shelf::{At, Held, Shelf};
use scruple_core::Timestamp;
use std::collections::BTreeMap;

/// One page of a search.
pub(super) struct Page<'a> {
    pub base: &'a str,
    pub resource_type: &'a str,
    pub now: Timestamp,
    pub total: usize,
    /// Relation and address.
    pub links: Vec<(&'static str, String)>,
    pub resources: Vec<&'a Held>,
}

/// One page of a history.
pub(super) struct HistoryPage<'a> {
    pub base: &'a str,
    /// `Patient/pat-0001`, percent-encoded.
    pub resource: &'a str,
    pub now: Timestamp,
    pub total: usize,
    /// Relation and address.
    pub links: Vec<(&'static str, String)>,
    /// Newest first, and whether the resource was not there before.
    pub versions: &'a [(At<'a>, bool)],
}

/// Bytes of an entry beside its resource.
const ENTRY_BYTES: usize = 160;

impl HistoryPage<'_> {
    pub fn write(&self) -> Vec<u8> {
        let json = |at: &At<'_>| if let At::Stored(held) = at { held.json.len() } else { 0 };
        let bytes: usize = self.versions.iter().map(|(at, _)| json(at) + 2 * ENTRY_BYTES).sum();
        let mut out = Out::bundle("history", bytes, self.now, self.total, &self.links);
        for (place, (at, is_new)) in self.versions.iter().enumerate() {
            out.raw(if place == 0 { r#","entry":[{"fullUrl":"# } else { r#",{"fullUrl":"# });
            out.text(&format!("{}/{}", self.base, self.resource));
            let (method, status) = match at {
                At::Stored(held) => {
                    out.raw(r#","resource":"#);
                    out.0.extend_from_slice(&held.json);
                    ("PUT", if *is_new { "201" } else { "200" })
                }
                At::Deleted(_) => ("DELETE", "204"),
            };
            out.raw(r#","request":{"method":"#);
            out.text(method);
            out.raw(r#","url":"#);
            out.text(self.resource);
            out.raw(r#"},"response":{"status":"#);
            out.text(status);
            if let Some(version) = at.version() {
                out.raw(r#","etag":"#);
                out.text(&format!("W/\"{version}\""));
            }
            if let Some(updated) = at.updated() {
                out.raw(r#","lastModified":"#);
                out.text(&Timestamp::from_micros(updated).to_string());
            }
            out.raw("}}");
        }
        out.raw(if self.versions.is_empty() { "}" } else { "]}" });
        out.0
    }
}

impl Page<'_> {
    pub fn write(&self) -> Vec<u8> {
        let bytes: usize = self.resources.iter().map(|held| held.json.len() + ENTRY_BYTES).sum();
        let mut out = Out::bundle("searchset", bytes, self.now, self.total, &self.links);
        for (place, held) in self.resources.iter().enumerate() {
            out.raw(if place == 0 { r#","entry":[{"fullUrl":"# } else { r#",{"fullUrl":"# });
            let mut id = String::with_capacity(held.id.len());
            encode_part(&held.id, &mut id);
            out.text(&format!("{}/{}/{id}", self.base, self.resource_type));
            out.raw(r#","resource":"#);
            out.0.extend_from_slice(&held.json);
            out.raw(r#","search":{"mode":"match"}}"#);
        }
        out.raw(if self.resources.is_empty() { "}" } else { "]}" });
        out.0
    }
}

/// What the server does, type by type.
pub(super) fn capabilities(base: &str, shelves: &BTreeMap<String, Shelf>, now: Timestamp) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(128 * 1_024));
    out.raw(r#"{"resourceType":"CapabilityStatement","status":"active","date":"#);
    out.text(&now.to_string());
    out.raw(r#","kind":"instance","software":{"name":"Scruple, embedded server","version":"#);
    out.text(scruple_core::ENGINE_VERSION);
    out.raw(r#"},"implementation":{"description":"A synthetic hospital, for trying. Nobody in it exists.","url":"#);
    out.text(base);
    out.raw(
        r#"},"fhirVersion":"4.0.1","format":["json","application/fhir+json"],"rest":[{"mode":"server","resource":["#,
    );
    for (place, (resource_type, shelf)) in shelves.iter().enumerate() {
        out.raw(if place == 0 { r#"{"type":"# } else { r#",{"type":"# });
        out.text(resource_type);
        out.raw(
            r#","interaction":[{"code":"read"},{"code":"vread"},{"code":"history-instance"},{"code":"search-type"}],"versioning":"versioned","searchParam":["#,
        );
        for (place, parameter) in shelf.parameters.iter().enumerate() {
            out.raw(if place == 0 { r#"{"name":"# } else { r#",{"name":"# });
            out.text(parameter.name);
            out.raw(r#","type":"#);
            out.text(parameter.kind.word());
            out.raw("}");
        }
        out.raw("]}");
    }
    out.raw("]}]}");
    out.0
}

/// An OperationOutcome that says why there is no answer.
pub(super) fn outcome(refusal: &Refusal) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(256));
    out.raw(r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"#);
    out.text(refusal.issue);
    out.raw(r#","diagnostics":"#);
    out.text(&refusal.text);
    out.raw("}]}");
    out.0
}

struct Out(Vec<u8>);

impl Out {
    /// The head of a Bundle, up to its entries.
    fn bundle(kind: &str, bytes: usize, now: Timestamp, total: usize, links: &[(&'static str, String)]) -> Self {
        let mut out = Self(Vec::with_capacity(bytes + 512));
        out.raw(r#"{"resourceType":"Bundle","meta":{"lastUpdated":"#);
        out.text(&now.to_string());
        out.raw(r#"},"type":"#);
        out.text(kind);
        out.raw(r#","total":"#);
        out.raw(&total.to_string());
        out.raw(r#","link":["#);
        for (place, (relation, url)) in links.iter().enumerate() {
            out.raw(if place == 0 { r#"{"relation":"# } else { r#",{"relation":"# });
            out.text(relation);
            out.raw(r#","url":"#);
            out.text(url);
            out.raw("}");
        }
        out.raw("]");
        out
    }

    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, text: &str) {
        crate::json::write_text(text, &mut self.0);
    }
}
