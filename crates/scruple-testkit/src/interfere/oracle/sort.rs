//! The order of answers (`docs/search.md`, 4).

use super::Refused;
use super::criterion::Asks;
use super::read::{Read, read};
use super::{decimal::Decimal, parameter};
use crate::interfere::text::folded;
use scruple_fhir::SearchParameter;
use serde_json::Value;
use std::cmp::{Ordering, Reverse};

/// Names that may stand in `_sort`.
pub const SORTS_MAX: usize = 3;
/// Characters of a folded text that count.
const CHARACTERS: usize = 100;

/// One name in `_sort`.
#[derive(Clone, Debug)]
pub struct Sort {
    /// The parameter.
    pub parameter: &'static SearchParameter,
    /// With `-` before it.
    pub backwards: bool,
}

impl PartialEq for Sort {
    fn eq(&self, other: &Self) -> bool {
        self.backwards == other.backwards
            && self.parameter.base == other.parameter.base
            && self.parameter.code == other.parameter.code
    }
}

impl Eq for Sort {}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Text(String),
    Time(i64),
    Number(Decimal),
}

/// Reads `_sort`.
///
/// # Errors
/// More than three names, and names that nothing can be sorted by.
pub fn sorts(resource_type: &str, value: &str) -> Result<Vec<Sort>, Refused> {
    let names: Vec<&str> = value.split(',').collect();
    if names.len() > SORTS_MAX {
        return Err(Refused::NotSupported);
    }
    names.into_iter().map(|name| sort(resource_type, name)).collect()
}

/// Whether results can be sorted by the parameter.
#[must_use]
pub fn is_sortable(parameter: &SearchParameter) -> bool {
    matches!(parameter.kind, "string" | "date" | "token" | "uri" | "reference" | "number")
}

fn sort(resource_type: &str, name: &str) -> Result<Sort, Refused> {
    let (plain, backwards) = name.strip_prefix('-').map_or((name, false), |plain| (plain, true));
    let found = parameter(resource_type, plain).filter(|found| is_sortable(found));
    Ok(Sort { parameter: found.ok_or(Refused::NotSupported)?, backwards })
}

impl Sort {
    /// What it asks of the type.
    #[must_use]
    pub fn asks(&self, resource_type: &str) -> Asks {
        Asks { resource_type: resource_type.to_owned(), parameter: self.parameter.code, for_absence: false }
    }

    fn key(&self, resource: &Value, resource_type: &str) -> Option<Key> {
        let keys = read(resource, resource_type, self.parameter).into_iter().filter_map(|value| self.key_of(value));
        if self.backwards { keys.max() } else { keys.min() }
    }

    fn key_of(&self, value: Read) -> Option<Key> {
        match value {
            Read::Text(text) => Some(Key::Text(folded(&text).chars().take(CHARACTERS).collect())),
            Read::Date(range) => Some(Key::Time(if self.backwards { range.to } else { range.from })),
            Read::Coding { code, .. } => code.map(Key::Text),
            // Reading: a canonical among references is its whole text.
            Read::Code(text) | Read::Uri(text) => Some(Key::Text(text)),
            Read::Reference(kind, id) => Some(Key::Text(format!("{kind}/{id}"))),
            Read::Number(number) => Some(Key::Number(number)),
            Read::Quantity { .. } => None,
        }
    }
}

/// Puts resources of a type, each with its id, into the order of these names.
pub fn order<T>(found: &mut [(&str, &Value, T)], resource_type: &str, sorts: &[Sort]) {
    found.sort_by_cached_key(|(id, value, _)| {
        let keys = sorts.iter().map(|sort| Place { key: sort.key(value, resource_type), backwards: sort.backwards });
        (keys.collect::<Vec<_>>(), (*id).to_owned())
    });
}

/// A key, or none, and how it is compared.
#[derive(PartialEq, Eq)]
struct Place {
    key: Option<Key>,
    backwards: bool,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.key, &other.key) {
            // What has no key comes last.
            (None, _) | (_, None) => self.key.is_none().cmp(&other.key.is_none()),
            (one, other) if self.backwards => Reverse(one).cmp(&Reverse(other)),
            (one, other) => one.cmp(other),
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
