//! The oracle: what a search asks, whether a resource matches it, in which order, cut how, and what stands beside, on a tree,
//! written from `docs/search.md` (1-6) alone.
//!
//! It is slow and obvious: it walks the resource anew for each criterion and reads every value into one of a few forms. What
//! needs other resources (chains, `_has`, includes) asks [`Sees`] for them. It shares the dictionary with the other matchers and no code. It knows no policy: what a caller may ask is not its matter.
//! Where the page leaves something open, the reading taken here stands beside the code, as `Reading:`.

mod beside;
mod criterion;
mod cut;
mod date;
mod decimal;
mod read;
mod sort;
#[cfg(test)]
mod tests;

pub use beside::{INCLUDES_MAX, Include, beside};
pub use criterion::{Asks, Criterion, Kind, LINKS_MAX, Link, Modifier, Own};
pub use cut::{Shape, cut};
pub use date::{Range, range};
pub use decimal::Decimal;
pub use read::{Points, Read, literal, points, read, references_at, stands};
pub use sort::{SORTS_MAX, Sort, is_sortable, order};

use super::text::split_unescaped;
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

/// The resources among which a search is judged.
pub trait Sees {
    /// Those of a type.
    fn of_type<'a>(&'a self, resource_type: &str) -> Vec<&'a Value>;
    /// The one of a type and id.
    fn find<'a>(&'a self, resource_type: &str, id: &str) -> Option<&'a Value>;
}

/// No resources: what is judged stands alone.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Sees for Alone {
    fn of_type<'a>(&'a self, _: &str) -> Vec<&'a Value> {
        Vec::new()
    }

    fn find<'a>(&'a self, _: &str, _: &str) -> Option<&'a Value> {
        None
    }
}

/// Where is searched: a type, in all or in one patient's compartment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// The resource type.
    pub resource_type: String,
    /// The patient's id.
    pub patient: Option<String>,
}

impl From<&str> for Scope {
    fn from(resource_type: &str) -> Self {
        Self { resource_type: resource_type.to_owned(), patient: None }
    }
}

impl Scope {
    /// As it stands in addresses: `Observation`, or `Patient/1/Observation`.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.patient {
            Some(id) => format!("Patient/{id}/{}", self.resource_type),
            None => self.resource_type.clone(),
        }
    }

    /// The other way round.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        match path.split('/').collect::<Vec<_>>().as_slice() {
            [kind] => Some((*kind).into()),
            ["Patient", id, kind] => Some(Self { patient: Some((*id).to_owned()), ..(*kind).into() }),
            _ => None,
        }
    }
}

/// A search that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Where.
    pub scope: Scope,
    /// What must match: each of them.
    pub criteria: Vec<Criterion>,
    /// Names and values that the answer's `self` repeats, decoded, in their order.
    pub echoed: Vec<(String, String)>,
    /// Matches on a page.
    pub count: usize,
    /// `Bundle.total` is given.
    pub total: bool,
    /// There are no entries.
    pub count_only: bool,
    /// The order, before that of ids.
    pub sorts: Vec<Sort>,
    /// What there is of a match.
    pub shape: Shape,
    /// What stands beside the matches.
    pub includes: Vec<Include>,
}

impl Query {
    /// Every parameter that it asks, wherever it stands in it.
    #[must_use]
    pub fn asks(&self) -> Vec<Asks> {
        let criteria = self.criteria.iter().flat_map(Criterion::asks);
        let sorts = self.sorts.iter().map(|sort| sort.asks(&self.scope.resource_type));
        criteria.chain(sorts).chain(self.includes.iter().map(|include| include.link.asks())).collect()
    }
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
pub fn parse(scope: impl Into<Scope>, pairs: &[(String, String)]) -> Result<Query, Refused> {
    match parse_asked(&scope.into(), pairs)? {
        Asked::Search(query) => Ok(query),
        Asked::Page(_) => Err(Refused::Malformed),
    }
}

/// Parameters of a search that are no criteria and stand once.
const CONTROLS: [&str; 6] = ["_count", "_total", "_summary", "_elements", "_sort", "_format"];

/// Reads a search, or a request for a page.
///
/// # Errors
/// Why it is refused.
pub fn parse_asked(scope: &Scope, pairs: &[(String, String)]) -> Result<Asked, Refused> {
    check_pairs(pairs)?;
    if let Some((_, token)) = pairs.iter().find(|(name, _)| name == "_page") {
        return if pairs.len() == 1 { Ok(Asked::Page(token.clone())) } else { Err(Refused::Malformed) };
    }
    if CONTROLS.iter().any(|control| pairs.iter().filter(|(name, _)| name == control).count() > 1) {
        return Err(Refused::Malformed);
    }
    let kind = scope.resource_type.as_str();
    let mut query = Query {
        scope: scope.clone(),
        criteria: Vec::new(),
        echoed: pairs.iter().filter(|(name, _)| name != "_format").cloned().collect(),
        count: COUNT_DEFAULT,
        total: false,
        count_only: false,
        sorts: Vec::new(),
        shape: Shape::Whole,
        includes: Vec::new(),
    };
    if let Some(id) = &scope.patient {
        // Reading: an id of another form is refused, as it is in a criterion.
        let parameter = patient_parameter(kind).ok_or(Refused::NotSupported)?;
        query.criteria.push(Criterion::new(kind, parameter.code, &format!("Patient/{id}"))?);
    }
    let mut is_cut = false;
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
            "_summary" => match value.as_str() {
                "count" => query.count_only = true,
                "text" => query.shape = Shape::Text,
                "data" => query.shape = Shape::Data,
                "false" => {}
                _ => return Err(Refused::NotSupported),
            },
            "_elements" => {
                is_cut = true;
                query.shape = cut::elements(kind, value)?;
            }
            "_sort" => query.sorts = sort::sorts(kind, value)?,
            "_format" => format(value)?,
            "_include" => query.includes.push(Include::new(kind, false, false, value)?),
            "_include:iterate" => query.includes.push(Include::new(kind, false, true, value)?),
            "_revinclude" => query.includes.push(Include::new(kind, true, false, value)?),
            "_revinclude:iterate" => query.includes.push(Include::new(kind, true, true, value)?),
            _ if split_unescaped(value, ',').len() > ALTERNATIVES_MAX => return Err(Refused::Malformed),
            _ => query.criteria.push(Criterion::new(kind, name, value)?),
        }
    }
    let is_summary = pairs.iter().any(|(name, value)| name == "_summary" && value != "false");
    let has_too_much = is_cut && is_summary || query.count_only && !query.includes.is_empty();
    if has_too_much || query.includes.len() > INCLUDES_MAX {
        return Err(Refused::Malformed);
    }
    Ok(Asked::Search(query))
}

/// What holds for names and values of every request.
pub(in crate::interfere) fn check_pairs(pairs: &[(String, String)]) -> Result<(), Refused> {
    // Reading: the limit is on the decoded value, a page token apart, whose length is the gateway's own.
    let is_bad =
        |(name, value): &(String, String)| value.trim().is_empty() || name != "_page" && value.len() > VALUE_BYTES_MAX;
    if pairs.len() > PARAMETERS_MAX || pairs.iter().any(is_bad) { Err(Refused::Malformed) } else { Ok(()) }
}

/// Reads `_format`.
pub(in crate::interfere) fn format(value: &str) -> Result<(), Refused> {
    match value.replace(' ', "+").as_str() {
        "json" | "application/json" | "application/fhir+json" => Ok(()),
        _ => Err(Refused::NotAcceptable),
    }
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
    let of_all = |parameter: &SearchParameter| parameter.base == "Resource" && is_of_all(parameter.code);
    let is_asked =
        |parameter: &&SearchParameter| parameter.code == name && (of_all(parameter) || parameter.base == resource_type);
    dictionary().resource(resource_type)?;
    let found = dictionary().search.iter().find(is_asked)?;
    let known = matches!(found.kind, "token" | "string" | "date" | "reference" | "uri" | "number" | "quantity");
    (known && !found.reads.is_empty() && name != "phonetic" && name != "near").then_some(found)
}

fn is_of_all(name: &str) -> bool {
    matches!(name, "_id" | "_lastUpdated")
}

/// Every parameter that a type can be asked by, `_id` and `_lastUpdated` included.
#[must_use]
pub fn parameters(resource_type: &str) -> Vec<&'static SearchParameter> {
    let of_type = |found: &&SearchParameter| found.base == resource_type || is_of_all(found.code);
    dictionary().search.iter().filter(of_type).filter_map(|found| parameter(resource_type, found.code)).collect()
}

/// The parameter by which resources of a type are in a patient's compartment.
#[must_use]
pub fn patient_parameter(resource_type: &str) -> Option<&'static SearchParameter> {
    let names = ["patient", "subject", "beneficiary", "individual", "actor", "member"];
    let found = names.into_iter().filter_map(|name| parameter(resource_type, name));
    // Reading: the first of those that can refer to a Patient, not the first of that name.
    found.into_iter().find(|found| points(found).references && points(found).may_point_to("Patient"))
}

/// Whether a resource of a type is in the compartment of the patient with this id.
#[must_use]
pub fn is_in_compartment(resource: &Value, resource_type: &str, patient: &str) -> bool {
    let own = ("Patient".to_owned(), patient.to_owned());
    let by = patient_parameter(resource_type).and_then(|found| Link::new(resource_type, found.code).ok());
    by.is_some_and(|by| by.refers(resource).contains(&own))
}

/// Whether the resource matches every criterion of the search, among others.
#[must_use]
pub fn matches(resource: &Value, query: &Query, among: &dyn Sees) -> bool {
    resource.get("resourceType").and_then(Value::as_str) == Some(query.scope.resource_type.as_str())
        && query.criteria.iter().all(|criterion| criterion.matches(resource, among))
}
