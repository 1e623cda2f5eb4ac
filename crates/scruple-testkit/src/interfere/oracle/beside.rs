//! What stands beside the matches (`docs/search.md`, 5).

use super::criterion::Link;
use super::{Refused, Sees};
use scruple_fhir::dictionary;
use serde_json::Value;
use std::collections::BTreeSet;

/// `_include` and `_revinclude` that may stand in one search.
pub const INCLUDES_MAX: usize = 10;

/// One `_include` or `_revinclude`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    /// The parameter, and the type of target if one was named.
    pub link: Link,
    /// `_revinclude`.
    pub is_reverse: bool,
    /// For what was so found, too.
    pub iterates: bool,
}

impl Include {
    /// Reads one of a search for this type.
    ///
    /// # Errors
    /// It is none, or names what there is not.
    pub fn new(resource_type: &str, is_reverse: bool, iterates: bool, value: &str) -> Result<Self, Refused> {
        let parts: Vec<&str> = value.split(':').collect();
        let (kind, name, target) = match parts.as_slice() {
            [kind, name] => (*kind, *name, None),
            [kind, name, target] => (*kind, *name, Some(*target)),
            _ => return Err(Refused::NotSupported),
        };
        let is_known = target.is_none_or(|target| dictionary().resource(target).is_some());
        if !is_known || (!is_reverse && !iterates && kind != resource_type) {
            return Err(Refused::NotSupported);
        }
        Ok(Self { link: Link { target: target.map(str::to_owned), ..Link::new(kind, name)? }, is_reverse, iterates })
    }

    /// What it finds from one resource.
    fn from(&self, kind: &str, id: &str, value: &Value, among: &dyn Sees) -> Vec<(String, String)> {
        let own = (kind.to_owned(), id.to_owned());
        if self.is_reverse {
            let others = among.of_type(&self.link.resource_type).into_iter();
            let referring = others.filter(|other| self.link.refers(other).contains(&own));
            let id_of = |other: &Value| other.get("id").and_then(Value::as_str).map(str::to_owned);
            return referring.filter_map(|other| Some((self.link.resource_type.clone(), id_of(other)?))).collect();
        }
        if kind != self.link.resource_type {
            return Vec::new();
        }
        self.link.refers(value).into_iter().filter(|(kind, id)| among.find(kind, id).is_some()).collect()
    }
}

/// Types and ids of what stands beside these matches.
///
/// Reading: what iterates is done for all that was found, by whichever of them.
#[must_use]
pub fn beside(matches: &[(&str, &str)], includes: &[Include], among: &dyn Sees) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    loop {
        let mut new = BTreeSet::new();
        for include in includes {
            let first = matches.iter().map(|(kind, id)| (*kind, *id));
            let then = found.iter().filter(|_| include.iterates);
            for (kind, id) in first.chain(then.map(|(kind, id): &(String, String)| (kind.as_str(), id.as_str()))) {
                let value = among.find(kind, id);
                new.extend(value.map(|value| include.from(kind, id, value, among)).unwrap_or_default());
            }
        }
        new.retain(|(kind, id)| !found.contains(&(kind.clone(), id.clone())) && !matches.contains(&(kind, id)));
        if new.is_empty() {
            return found;
        }
        found.append(&mut new);
    }
}
