//! Searches (docs/search.md): the closed grammar of their parameters, what a caller may search by, and what matches.
//!
//! It knows no upstream and no answer: a query comes in as text, a projection as bytes, and a yes or no goes out.

mod criterion;
mod matches;
mod permit;
mod query;
mod reads;
mod superset;

pub use permit::{NotPermitted, is_stored};
pub use query::{Encoded, decode_pairs, encode};
pub use superset::Dialect;

use crate::dictionary::{SearchParameter, TypeId, dictionary};
use criterion::Alternative;
use reads::Path;
use scruple_core::limits::{
    SEARCH_ALTERNATIVES_MAX, SEARCH_COUNT_DEFAULT, SEARCH_COUNT_MAX, SEARCH_PARAMETERS_MAX, SEARCH_VALUE_BYTES_MAX,
};

/// Why a search is refused before any data is read. None holds a value, nor a name that R4 does not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryFault {
    /// The query is no list of names and values, or a value does not have the form of its kind.
    #[error("{what}{}", of(*parameter))]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// The parameter, where it is a known one.
        parameter: Option<&'static str>,
    },
    /// A parameter, modifier or chain that is not served.
    #[error("{}", unsupported(*parameter, *place))]
    NotSupported {
        /// The parameter, where it is a known one.
        parameter: Option<&'static str>,
        /// Its place in the query, from 1.
        place: usize,
    },
    /// `_format` names something other than FHIR JSON.
    #[error("only FHIR JSON is served")]
    Format,
}

fn of(parameter: Option<&str>) -> String {
    parameter.map(|name| format!(" in parameter `{name}`")).unwrap_or_default()
}

fn unsupported(parameter: Option<&str>, place: usize) -> String {
    match parameter {
        Some(name) => format!("parameter `{name}`, or what stands behind its name, is not supported"),
        None => format!("parameter {place} of the search is not supported"),
    }
}

impl QueryFault {
    /// The stable code of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "query_malformed",
            Self::NotSupported { .. } => "parameter_not_supported",
            Self::Format => "format_not_supported",
        }
    }
}

/// One criterion of a search: a parameter, and the values of which one must match.
#[derive(Debug)]
pub struct Criterion {
    parameter: &'static SearchParameter,
    /// As it came in, decoded.
    value: String,
    alternatives: Vec<Alternative>,
    paths: Vec<Path>,
}

impl Criterion {
    /// The parameter's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.parameter.code
    }

    /// The parameter's kind: `token`, `date` ...
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.parameter.kind
    }

    /// The value as it came in, decoded.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// A search that was read.
#[derive(Debug)]
pub struct Search {
    /// The type that is searched.
    pub resource_type: TypeId,
    /// What must match, all of it.
    pub criteria: Vec<Criterion>,
    /// Resources on a page.
    pub count: usize,
    /// `Bundle.total` is asked for.
    pub total: bool,
    /// Nothing but that is asked for.
    pub only_total: bool,
    /// The order is by id backwards.
    pub descending: bool,
    /// The parameters as they came in, decoded, in their order, without `_format`: what `self` echoes.
    pub echo: Vec<(String, String)>,
}

/// What a query asks for.
#[derive(Debug)]
pub enum Asked {
    /// A search.
    Search(Search),
    /// A later page of an earlier one, by its sealed token.
    Page(String),
}

/// Reads the parameters of a search.
///
/// # Errors
/// What is malformed or not supported; no data was read.
pub fn parse(resource_type: TypeId, pairs: &[(String, String)]) -> Result<Asked, QueryFault> {
    let malformed = |what, parameter| QueryFault::Malformed { what, parameter };
    if pairs.len() > SEARCH_PARAMETERS_MAX {
        return Err(malformed("too many parameters", None));
    }
    let mut search = Search {
        resource_type,
        criteria: Vec::new(),
        count: SEARCH_COUNT_DEFAULT,
        total: false,
        only_total: false,
        descending: false,
        echo: Vec::new(),
    };
    let mut page = None;
    let mut seen: Vec<&str> = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let place = index + 1;
        let control =
            ["_count", "_total", "_summary", "_sort", "_format", "_page"].into_iter().find(|known| known == name);
        if let Some(control) = control {
            if seen.contains(&control) {
                return Err(malformed("a control parameter stands twice", Some(control)));
            }
            seen.push(control);
        }
        match control {
            Some("_page") => page = Some(value.clone()),
            Some("_format") => {
                if !is_json(value) {
                    return Err(QueryFault::Format);
                }
                continue;
            }
            Some("_count") => {
                let digits = (1..=9).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
                let count = value.parse::<usize>().ok().filter(|count| digits && *count > 0);
                search.count = count.ok_or(malformed("not a number above 0", control))?.min(SEARCH_COUNT_MAX);
            }
            Some("_total") => match value.as_str() {
                "accurate" => search.total = true,
                "none" | "estimate" => {}
                _ => return Err(malformed("none of none, estimate, accurate", control)),
            },
            Some("_summary") => match value.as_str() {
                "count" => search.only_total = true,
                "false" => {}
                _ => return Err(QueryFault::NotSupported { parameter: control, place }),
            },
            Some("_sort") => match value.as_str() {
                "_id" => {}
                "-_id" => search.descending = true,
                _ => return Err(QueryFault::NotSupported { parameter: control, place }),
            },
            _ => search.criteria.push(criterion(resource_type, name, value, place)?),
        }
        search.echo.push((name.clone(), value.clone()));
    }
    search.total |= search.only_total;
    match page {
        None => Ok(Asked::Search(search)),
        Some(token) if search.echo.len() == 1 => Ok(Asked::Page(token)),
        Some(_) => Err(malformed("a page token stands alone", Some("_page"))),
    }
}

/// Whether a media type or a short name means FHIR JSON.
#[must_use]
pub fn is_json(value: &str) -> bool {
    // The plus of `fhir+json` comes as a space from those who do not encode it.
    let essence = value.split(';').next().unwrap_or_default().trim().replace(' ', "+");
    ["json", "application/json", "application/fhir+json"].iter().any(|known| known.eq_ignore_ascii_case(&essence))
}

fn criterion(resource_type: TypeId, name: &str, value: &str, place: usize) -> Result<Criterion, QueryFault> {
    let base = name.split([':', '.']).next().unwrap_or_default();
    let Some(parameter) = find(resource_type, base) else {
        return Err(QueryFault::NotSupported { parameter: None, place });
    };
    let known = Some(parameter.code);
    let paths = if base == name { reads::compile(resource_type, parameter) } else { Vec::new() };
    if paths.is_empty() {
        return Err(QueryFault::NotSupported { parameter: known, place });
    }
    let malformed = |what| QueryFault::Malformed { what, parameter: known };
    if value.len() > SEARCH_VALUE_BYTES_MAX {
        return Err(malformed("a value that is too long"));
    }
    let parts = criterion::alternatives(value);
    if parts.len() > SEARCH_ALTERNATIVES_MAX {
        return Err(malformed("too many alternatives"));
    }
    let alternatives = parts.iter().map(|part| criterion::read(parameter, &paths, part).map_err(malformed));
    Ok(Criterion { parameter, value: value.to_owned(), alternatives: alternatives.collect::<Result<_, _>>()?, paths })
}

/// The search parameter of a type, `_id` too.
fn find(resource_type: TypeId, code: &str) -> Option<&'static SearchParameter> {
    let base = dictionary().get(resource_type).name;
    let served = |parameter: &&SearchParameter| parameter.base == base || parameter.base == "Resource" && code == "_id";
    dictionary().search.iter().filter(served).find(|parameter| parameter.code == code)
}

/// The parameters by which resources of a type can be searched, name and kind, whoever asks.
#[must_use]
pub fn parameters(resource_type: TypeId) -> Vec<(&'static str, &'static str)> {
    let base = dictionary().get(resource_type).name;
    let own = dictionary().search.iter().filter(|parameter| parameter.base == base);
    let known = find(resource_type, "_id").into_iter().chain(own);
    let served = known.filter(|parameter| !reads::compile(resource_type, parameter).is_empty());
    served.map(|parameter| (parameter.code, parameter.kind)).collect()
}

#[cfg(test)]
mod tests;
