//! Searches (docs/search.md): the closed grammar of their parameters, what a caller may search by, and what matches.
//!
//! It knows no upstream and no answer: a query comes in as text, a projection as bytes, and a yes or no goes out.

mod criterion;
mod cut;
mod decimal;
mod grammar;
mod matches;
mod order;
mod permit;
mod query;
mod reads;
mod superset;

pub use cut::{Cut, without_meta};
pub use grammar::parse;
pub use matches::all_match;
pub use order::{By, Key, KeyValue};
pub use permit::{NotPermitted, is_stored};
pub use query::{Encoded, decode_pairs, encode};
pub use reads::Reads;
pub use superset::Dialect;

use crate::dictionary::{TypeId, dictionary};
use criterion::Alternative;
use std::collections::BTreeSet;
use std::sync::Arc;

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

/// One criterion of a search that is judged on a resource alone.
#[derive(Clone, Debug)]
pub struct Criterion {
    reads: Reads,
    /// As it came in, decoded; of one that was made here, nothing.
    value: String,
    test: Test,
}

/// What is asked of the values that a parameter reads.
#[derive(Clone, Debug)]
enum Test {
    /// One of them is one of these.
    Any(Vec<Alternative>),
    /// None of them is one of these.
    None(Vec<Alternative>),
    /// There are none.
    Missing,
    /// There are some.
    There,
    /// One refers to one of these.
    Among(Among),
    /// The id is one of these.
    Ids(Arc<BTreeSet<String>>),
}

/// Resources of one type.
#[derive(Clone, Debug)]
struct Among {
    kind: &'static str,
    ids: Arc<BTreeSet<String>>,
}

impl Among {
    fn has(&self, kind: &str, id: &str) -> bool {
        kind == self.kind && self.ids.contains(id)
    }
}

impl Criterion {
    /// What the parameter reads refers to one of these resources.
    #[must_use]
    pub fn refers_to(reads: Reads, target: TypeId, ids: BTreeSet<String>) -> Self {
        let among = Among { kind: dictionary().get(target).name, ids: Arc::new(ids) };
        Self { reads, value: String::new(), test: Test::Among(among) }
    }

    /// The resource is one of these; none if its type is none.
    #[must_use]
    pub fn is_one_of(resource_type: TypeId, ids: BTreeSet<String>) -> Option<Self> {
        let reads = Reads::find(resource_type, "_id")?;
        Some(Self { reads, value: String::new(), test: Test::Ids(Arc::new(ids)) })
    }

    /// The parameter with what it reads.
    #[must_use]
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The parameter's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.reads.name()
    }

    /// The parameter's kind: `token`, `date` ...
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.reads.kind()
    }

    /// The value as it came in, decoded.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it names the patients whom a match is about, so that it asks for these alone.
    #[must_use]
    pub fn names_patients(&self, resource_type: TypeId) -> bool {
        let is_patient = dictionary().get(resource_type).name == "Patient";
        let Test::Any(alternatives) = &self.test else { return self.set().is_some() };
        if self.name() == "_id" {
            return is_patient;
        }
        let only = self.reads.paths.iter().all(|path| path.target == Some("Patient"));
        self.kind() == "reference"
            && alternatives.iter().all(|one| match one {
                Alternative::Reference { resource_type, .. } => *resource_type == Some("Patient") || only,
                _ => false,
            })
    }

    /// Whether it can be met by what is not there, so that it asks for a parameter that is whole wherever it is read.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        matches!(self.test, Test::None(_) | Test::Missing | Test::There)
    }

    /// The ids of which a match must refer to one, or be one, as values of the parameter.
    #[must_use]
    pub fn set(&self) -> Option<Vec<String>> {
        match &self.test {
            Test::Among(among) => Some(among.ids.iter().map(|id| format!("{}/{id}", among.kind)).collect()),
            Test::Ids(ids) => Some(ids.iter().cloned().collect()),
            _ => None,
        }
    }
}

/// A condition of a search. Chains and what comes from behind ask for other resources first.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Judged on the resource alone.
    Own(Criterion),
    /// What the parameter reads refers to a resource of the type that meets the inner condition.
    Chain(Reads, TypeId, Box<Condition>),
    /// A resource of the type meets the inner condition, and its parameter refers to this one.
    Has(TypeId, Reads, Box<Condition>),
}

/// Resources beside the matches.
#[derive(Clone, Debug)]
pub struct Include {
    /// The type that has the parameter.
    pub source: TypeId,
    /// The parameter.
    pub reads: Reads,
    /// References to this type alone.
    pub target: Option<TypeId>,
    /// From the target to those that refer to it.
    pub backwards: bool,
    /// Also from what was included.
    pub iterate: bool,
}

/// A search that was read.
#[derive(Clone, Debug)]
pub struct Search {
    /// The type that is searched.
    pub resource_type: TypeId,
    /// What must be met, all of it.
    pub conditions: Vec<Condition>,
    /// What comes beside the matches.
    pub includes: Vec<Include>,
    /// Matches on a page.
    pub count: usize,
    /// `Bundle.total` is asked for.
    pub total: bool,
    /// Nothing but that is asked for.
    pub only_total: bool,
    /// The order; that of ids where it says nothing more.
    pub order: Vec<By>,
    /// What is left of each match.
    pub cut: Cut,
    /// The parameters as they came in, decoded, in their order, without `_format`: what `self` echoes.
    pub echo: Vec<(String, String)>,
}

impl Search {
    /// The names of all parameters that it reads, with their types, for the policy and for the record: type, parameter, and
    /// whether it must be whole.
    #[must_use]
    pub fn read(&self) -> Vec<(TypeId, &Reads, bool)> {
        fn add<'a>(of: TypeId, condition: &'a Condition, all: &mut Vec<(TypeId, &'a Reads, bool)>) {
            match condition {
                Condition::Own(criterion) => all.push((of, &criterion.reads, criterion.is_negative())),
                Condition::Chain(reads, target, inner) => {
                    all.push((of, reads, false));
                    add(*target, inner, all);
                }
                Condition::Has(source, reads, inner) => {
                    all.push((*source, reads, false));
                    add(*source, inner, all);
                }
            }
        }
        let mut all = Vec::new();
        self.conditions.iter().for_each(|condition| add(self.resource_type, condition, &mut all));
        all.extend(self.order.iter().map(|by| (self.resource_type, &by.reads, false)));
        all.extend(self.includes.iter().map(|include| (include.source, &include.reads, false)));
        all
    }
}

/// What a query asks for.
#[derive(Debug)]
pub enum Asked {
    /// A search.
    Search(Search),
    /// A later page of an earlier one, by its sealed token.
    Page(String),
}

/// Whether a media type or a short name means FHIR JSON.
#[must_use]
pub fn is_json(value: &str) -> bool {
    // The plus of `fhir+json` comes as a space from those who do not encode it.
    let essence = value.split(';').next().unwrap_or_default().trim().replace(' ', "+");
    ["json", "application/json", "application/fhir+json"].iter().any(|known| known.eq_ignore_ascii_case(&essence))
}

/// The parameters by which resources of a type can be searched, name and kind, whoever asks.
#[must_use]
pub fn parameters(resource_type: TypeId) -> Vec<(&'static str, &'static str)> {
    let base = dictionary().get(resource_type).name;
    let own = dictionary().search.iter().filter(|parameter| parameter.base == base);
    let all = ["_id", "_lastUpdated"].into_iter().chain(own.map(|parameter| parameter.code));
    all.filter_map(|code| Reads::find(resource_type, code)).map(|reads| (reads.name(), reads.kind())).collect()
}

/// What `_include` can name of a type: `Type:name` of each parameter that reads References.
#[must_use]
pub fn includes(resource_type: TypeId) -> Vec<String> {
    let base = dictionary().get(resource_type).name;
    let own = dictionary().search.iter().filter(|parameter| parameter.base == base);
    let references = own.filter_map(|parameter| Reads::references(resource_type, parameter.code));
    references.map(|reads| format!("{base}:{}", reads.name())).collect()
}

#[cfg(test)]
mod tests;
