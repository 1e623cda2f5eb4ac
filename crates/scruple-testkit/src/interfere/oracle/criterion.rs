//! One criterion: what was asked of a parameter, and what it matches (`docs/search.md`, 3).

use super::Refused;
use super::date::{Range, range};
use super::read::{Read, points, read};
use crate::interfere::text::{self, folded, split_unescaped, unescaped};
use scruple_fhir::{SearchParameter, dictionary};
use serde_json::Value;

/// One parameter and the alternatives that were asked of it.
#[derive(Clone, Debug)]
pub struct Criterion {
    /// The parameter.
    pub parameter: &'static SearchParameter,
    resource_type: String,
    alternatives: Vec<Kind>,
}

impl PartialEq for Criterion {
    fn eq(&self, other: &Self) -> bool {
        self.parameter.base == other.parameter.base
            && self.parameter.code == other.parameter.code
            && self.resource_type == other.resource_type
            && self.alternatives == other.alternatives
    }
}

impl Eq for Criterion {}

/// One alternative.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `code`, `system|code`, `|code`, `system|`.
    Token {
        /// None: any. Empty: the value has none.
        system: Option<String>,
        /// None: any.
        code: Option<String>,
    },
    /// A beginning, folded.
    Text(String),
    /// A prefix and a range.
    Date(&'static str, Range),
    /// A reference: type, if one was given, and id; or the whole text of a canonical.
    Reference {
        /// Type and id, where the text has the form of a reference.
        local: Option<(Option<String>, String)>,
        /// The text, where canonicals and uris are read.
        whole: Option<String>,
    },
    /// A uri.
    Uri(String),
}

const PREFIXES: [&str; 7] = ["eq", "gt", "lt", "ge", "le", "sa", "eb"];

impl Criterion {
    /// Reads what was asked of a parameter.
    ///
    /// # Errors
    /// A value that cannot be read as its kind.
    pub fn new(resource_type: &str, parameter: &'static SearchParameter, value: &str) -> Result<Self, Refused> {
        let alternatives = split_unescaped(value, ',')
            .into_iter()
            .map(|raw| {
                if raw.is_empty() { Err(Refused::Malformed) } else { alternative(resource_type, parameter, raw) }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { parameter, resource_type: resource_type.to_owned(), alternatives })
    }

    /// Whether one of the alternatives matches one of the values.
    #[must_use]
    pub fn matches(&self, resource: &Value) -> bool {
        let values = read(resource, &self.resource_type, self.parameter);
        values.iter().any(|value| self.alternatives.iter().any(|asked| asked.matches(value)))
    }
}

fn alternative(resource_type: &str, parameter: &SearchParameter, raw: &str) -> Result<Kind, Refused> {
    match parameter.kind {
        "token" => token(raw),
        // Reading: a text that folds to nothing (white space alone) is the beginning of every text.
        "string" => Ok(Kind::Text(folded(&unescaped(raw)))),
        "date" => date(&unescaped(raw)),
        "reference" => reference(resource_type, parameter, &unescaped(raw)),
        "uri" => Ok(Kind::Uri(unescaped(raw))),
        _ => Err(Refused::NotSupported),
    }
}

fn token(raw: &str) -> Result<Kind, Refused> {
    let parts: Vec<String> = split_unescaped(raw, '|').into_iter().map(unescaped).collect();
    match parts.as_slice() {
        [code] => Ok(Kind::Token { system: None, code: Some(code.clone()) }),
        // Reading: `|` alone, and more than one `|`, are no token.
        [system, code] if system.is_empty() && code.is_empty() => Err(Refused::Malformed),
        [system, code] => {
            Ok(Kind::Token { system: Some(system.clone()), code: Some(code.clone()).filter(|code| !code.is_empty()) })
        }
        _ => Err(Refused::Malformed),
    }
}

fn date(text: &str) -> Result<Kind, Refused> {
    let (prefix, rest) = match text.get(..2) {
        Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            let known = PREFIXES.iter().find(|known| **known == prefix).ok_or(Refused::Malformed)?;
            (*known, text.get(2..).unwrap_or_default())
        }
        _ => ("eq", text),
    };
    range(&rest.replace(' ', "+")).map(|range| Kind::Date(prefix, range)).ok_or(Refused::Malformed)
}

fn reference(resource_type: &str, parameter: &SearchParameter, text: &str) -> Result<Kind, Refused> {
    let (references, uris) = points(resource_type, parameter);
    let local = local(text).filter(|_| references);
    if references && !uris && local.is_none() {
        return Err(Refused::Malformed);
    }
    Ok(Kind::Reference { local, whole: uris.then(|| text.to_owned()) })
}

fn local(text: &str) -> Option<(Option<String>, String)> {
    let (kind, id) = match text.split_once('/') {
        Some((kind, id)) => (Some(kind), id),
        None => (None, text),
    };
    // Reading: the type is a resource type, and the id of `Type/id` has the form that an id alone must have.
    if !text::is_id(id) || kind.is_some_and(|kind| dictionary().resource(kind).is_none()) {
        return None;
    }
    Some((kind.map(str::to_owned), id.to_owned()))
}

impl Kind {
    fn matches(&self, value: &Read) -> bool {
        match (self, value) {
            (Self::Token { system, code }, Read::Coding { system: its, code: own }) => {
                let of_system = match system.as_deref() {
                    None => true,
                    Some("") => its.is_none(),
                    Some(asked) => its.as_deref() == Some(asked),
                };
                // Reading: `system|` matches a value of the system that has no code, as in FHIR.
                of_system && code.as_ref().is_none_or(|code| own.as_ref() == Some(code))
            }
            (Self::Token { code, .. }, Read::Code(own)) => code.as_ref() == Some(own),
            (Self::Text(start), Read::Text(text)) => folded(text).starts_with(start.as_str()),
            (Self::Date(prefix, asked), Read::Date(own)) => in_time(prefix, *asked, *own),
            (Self::Reference { local: Some((kind, id)), .. }, Read::Reference(own_kind, own_id)) => {
                id == own_id && kind.as_ref().is_none_or(|kind| kind == own_kind)
            }
            (Self::Reference { whole: Some(text), .. }, Read::Uri(own)) => {
                text == own || own.split_once('|').is_some_and(|(before, _)| before == text)
            }
            (Self::Uri(text), Read::Uri(own)) => text == own,
            _ => false,
        }
    }
}

fn in_time(prefix: &str, asked: Range, value: Range) -> bool {
    let equal = asked.contains(value);
    let greater = value.to > asked.to;
    let less = value.from < asked.from;
    match prefix {
        "gt" => greater,
        "lt" => less,
        "ge" => greater || equal,
        "le" => less || equal,
        "sa" => value.from >= asked.to,
        "eb" => value.to <= asked.from,
        _ => equal,
    }
}
