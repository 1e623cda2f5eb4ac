//! A Bundle of resources that show (docs/search.md, 4), written as it leaves.

use super::sight::Visible;
use super::{Leaving, Outgoing};
use scruple_core::Counts;

/// A Bundle on its way.
pub(super) struct Collection<'a> {
    base: &'a str,
    bytes: Vec<u8>,
    leaving: Vec<Leaving>,
}

impl<'a> Collection<'a> {
    /// A `searchset` or `history` with its total, where that is asked for, and its links: relation and address.
    pub fn new(base: &'a str, kind: &str, total: Option<u64>, links: &[(&str, String)]) -> Self {
        let mut bytes = format!(r#"{{"resourceType":"Bundle","type":"{kind}""#).into_bytes();
        if let Some(total) = total {
            bytes.extend_from_slice(format!(",\"total\":{total}").as_bytes());
        }
        for (place, (relation, url)) in links.iter().enumerate() {
            let before = if place == 0 { ",\"link\":[" } else { "," };
            bytes.extend_from_slice(format!(r#"{before}{{"relation":"{relation}","url":"{url}"}}"#).as_bytes());
        }
        bytes.push(b']');
        Self { base, bytes, leaving: Vec::new() }
    }

    /// Adds a resource of a search; `mode` is `match` or `include`.
    pub fn add_found(&mut self, kind: &str, id: &str, visible: Visible, mode: &str) {
        self.add(kind, id, format!("{kind}/{id}"), visible, &format!(r#""search":{{"mode":"{mode}"}}"#));
    }

    /// Adds a version of a resource, and what the entry says beside it.
    pub fn add_version(&mut self, kind: &str, id: &str, name: String, visible: Visible, beside: &str) {
        self.add(kind, id, name, visible, beside);
    }

    fn add(&mut self, kind: &str, id: &str, name: String, visible: Visible, beside: &str) {
        let Self { base, bytes, leaving } = self;
        bytes.extend_from_slice(if leaving.is_empty() { br#","entry":["# } else { b"," });
        bytes.extend_from_slice(format!(r#"{{"fullUrl":"{base}/{kind}/{id}","resource":"#).as_bytes());
        bytes.extend_from_slice(&visible.bytes);
        bytes.extend_from_slice(format!(",{beside}}}").as_bytes());
        leaving.push(Leaving::new(bytes.len(), name, visible));
    }

    /// All of it.
    pub fn finish(self, counts: Counts) -> Outgoing {
        let Self { mut bytes, leaving, .. } = self;
        if !leaving.is_empty() {
            bytes.push(b']');
        }
        bytes.push(b'}');
        let counts = Counts { released: leaving.len() as u64, ..counts };
        Outgoing { bytes, resources: leaving, counts, shares: Vec::new() }
    }
}
