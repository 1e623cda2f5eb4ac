//! The oracle: whether a resource matches a search, on a tree, written from `docs/search.md` (1-3) alone.
//!
//! It is slow and obvious: it walks the resource anew for each criterion and reads every value into one of six forms. It
//! shares the dictionary with the other matchers and no code. It knows no policy: what a caller may ask is not its matter.
//! Where the page leaves something open, the reading taken here stands beside the code, as `Reading:`.

mod criterion;
mod date;
mod read;
#[cfg(test)]
mod tests;

pub use criterion::{Criterion, Kind};
pub use date::{Range, range};
pub use read::{Read, read};

use super::text;
use scruple_fhir::{SearchParameter, dictionary};
use serde_json::Value;

/// Bytes of one value.
pub const VALUE_BYTES_MAX: usize = 512;
/// Parameters of one search.
pub const PARAMETERS_MAX: usize = 64;
/// Alternatives of one parameter.
pub const ALTERNATIVES_MAX: usize = 100;
/// Resources on a page.
pub const COUNT_MAX: usize = 200;
/// Resources on a page of a search that does not say.
pub const COUNT_DEFAULT: usize = 50;

/// Why a search is refused before any data is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// 400 `query_malformed`.
    #[error("query malformed")]
    Malformed,
    /// 400 `parameter_not_supported`.
    #[error("parameter not supported")]
    NotSupported,
    /// 406.
    #[error("format not acceptable")]
    NotAcceptable,
}

impl Refused {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::NotSupported => 400,
            Self::NotAcceptable => 406,
        }
    }
}

/// A search that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The resource type.
    pub resource_type: String,
    /// What must match: each of them.
    pub criteria: Vec<Criterion>,
    /// Names and values that the answer's `self` repeats, decoded, in their order.
    pub echoed: Vec<(String, String)>,
    /// Resources on a page.
    pub count: usize,
    /// `Bundle.total` is given.
    pub total: bool,
    /// There are no entries.
    pub count_only: bool,
    /// `_sort=-_id`.
    pub backwards: bool,
}

/// A request for a search, or for a page of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// A search.
    Search(Query),
    /// The page that this token names.
    Page(String),
}

/// Reads a search. Names and values are decoded.
///
/// # Errors
/// Why it is refused. A page token is refused too: see [`parse_asked`].
pub fn parse(resource_type: &str, pairs: &[(String, String)]) -> Result<Query, Refused> {
    match parse_asked(resource_type, pairs)? {
        Asked::Search(query) => Ok(query),
        Asked::Page(_) => Err(Refused::Malformed),
    }
}

/// Reads a search, or a request for a page.
///
/// # Errors
/// Why it is refused.
pub fn parse_asked(resource_type: &str, pairs: &[(String, String)]) -> Result<Asked, Refused> {
    if pairs.len() > PARAMETERS_MAX || pairs.iter().any(|(_, value)| value.is_empty()) {
        return Err(Refused::Malformed);
    }
    // Reading: the limit is on the decoded value, a page token apart, whose length is the gateway's own.
    if pairs.iter().any(|(name, value)| name != "_page" && value.len() > VALUE_BYTES_MAX) {
        return Err(Refused::Malformed);
    }
    if let Some((_, token)) = pairs.iter().find(|(name, _)| name == "_page") {
        return if pairs.len() == 1 { Ok(Asked::Page(token.clone())) } else { Err(Refused::Malformed) };
    }
    // Reading: a control parameter stands once.
    for control in ["_count", "_total", "_summary", "_sort", "_format"] {
        if pairs.iter().filter(|(name, _)| name == control).count() > 1 {
            return Err(Refused::Malformed);
        }
    }
    let mut query = Query {
        resource_type: resource_type.to_owned(),
        criteria: Vec::new(),
        echoed: pairs.iter().filter(|(name, _)| name != "_format").cloned().collect(),
        count: COUNT_DEFAULT,
        total: false,
        count_only: false,
        backwards: false,
    };
    for (name, value) in pairs {
        match name.as_str() {
            "_count" => query.count = count(value)?,
            "_total" => {
                query.total = match value.as_str() {
                    "accurate" => true,
                    "none" | "estimate" => false,
                    _ => return Err(Refused::Malformed),
                }
            }
            "_summary" => {
                query.count_only = match value.as_str() {
                    "count" => true,
                    "false" => false,
                    _ => return Err(Refused::NotSupported),
                }
            }
            "_sort" => {
                query.backwards = match value.as_str() {
                    "_id" => false,
                    "-_id" => true,
                    _ => return Err(Refused::NotSupported),
                }
            }
            "_format" => match value.as_str() {
                "json" | "application/json" | "application/fhir+json" => {}
                _ => return Err(Refused::NotAcceptable),
            },
            _ => {
                let parameter = parameter(resource_type, name).ok_or(Refused::NotSupported)?;
                if text::split_unescaped(value, ',').len() > ALTERNATIVES_MAX {
                    return Err(Refused::Malformed);
                }
                query.criteria.push(Criterion::new(resource_type, parameter, value)?);
            }
        }
    }
    Ok(Asked::Search(query))
}

fn count(value: &str) -> Result<usize, Refused> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::Malformed);
    }
    match value.parse().unwrap_or(usize::MAX) {
        0 => Err(Refused::Malformed),
        count => Ok(count.min(COUNT_MAX)),
    }
}

/// The search parameter of that name that a type has and that can be asked at all.
#[must_use]
pub fn parameter(resource_type: &str, name: &str) -> Option<&'static SearchParameter> {
    let is_asked = |parameter: &&SearchParameter| {
        let is_id = parameter.base == "Resource" && parameter.code == "_id";
        parameter.code == name && (is_id || parameter.base == resource_type)
    };
    let found = dictionary().search.iter().find(is_asked)?;
    let known = matches!(found.kind, "token" | "string" | "date" | "reference" | "uri");
    (known && !found.reads.is_empty() && name != "phonetic" && name != "near").then_some(found)
}

/// Every parameter that a type can be asked by, `_id` included.
#[must_use]
pub fn parameters(resource_type: &str) -> Vec<&'static SearchParameter> {
    let of_type = |found: &&SearchParameter| found.base == resource_type || found.code == "_id";
    dictionary().search.iter().filter(of_type).filter_map(|found| parameter(resource_type, found.code)).collect()
}

/// Whether the resource matches every criterion of the search.
#[must_use]
pub fn matches(resource: &Value, query: &Query) -> bool {
    resource.get("resourceType").and_then(Value::as_str) == Some(query.resource_type.as_str())
        && query.criteria.iter().all(|criterion| criterion.matches(resource))
}
