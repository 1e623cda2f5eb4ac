//! One criterion: what was asked of a parameter, of this resource or of another, and what it matches (`docs/search.md`, 3).

use super::date::{Range, range};
use super::decimal::Decimal;
use super::read::{Read, points, read, stands};
use super::{Refused, Sees, parameter};
use crate::interfere::text::{self, folded, is_escaped_well, split_unescaped, unescaped};
use scruple_fhir::{SearchParameter, dictionary};
use serde_json::Value;

/// Links of the chains and `_has` of one parameter.
pub const LINKS_MAX: usize = 3;

/// One thing that must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Criterion {
    /// Something of the resource itself.
    Own(Own),
    /// A reference of the resource points to one that matches the rest.
    Chain(Link, Box<Self>),
    /// A reference of some resource, which matches the rest, points to this one.
    Has(Link, Box<Self>),
}

/// One parameter and the alternatives that were asked of it.
#[derive(Clone, Debug)]
pub struct Own {
    /// The parameter.
    pub parameter: &'static SearchParameter,
    /// The resource type that has it.
    pub resource_type: String,
    /// What stood behind its name.
    pub modifier: Option<Modifier>,
    alternatives: Vec<Kind>,
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        self.parameter.base == other.parameter.base
            && self.parameter.code == other.parameter.code
            && self.resource_type == other.resource_type
            && self.modifier == other.modifier
            && self.alternatives == other.alternatives
    }
}

impl Eq for Own {}

/// A parameter of kind reference that leads from one resource to another.
#[derive(Clone, Debug)]
pub struct Link {
    /// The type of the resource in which the reference stands.
    pub resource_type: String,
    /// The parameter that reads it.
    pub parameter: &'static SearchParameter,
    /// The type of the resource to which it points; none: any.
    pub target: Option<String>,
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.parameter.base == other.parameter.base
            && self.parameter.code == other.parameter.code
            && self.resource_type == other.resource_type
            && self.target == other.target
    }
}

impl Eq for Link {}

impl Link {
    /// A parameter of the type that is of kind reference and reads References.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn new(resource_type: &str, name: &str) -> Result<Self, Refused> {
        let found = parameter(resource_type, name).filter(|found| points(found).references);
        let parameter = found.ok_or(Refused::NotSupported)?;
        Ok(Self { resource_type: resource_type.to_owned(), parameter, target: None })
    }

    /// The same to this type alone.
    #[must_use]
    pub fn to(self, target: &str) -> Self {
        Self { target: Some(target.to_owned()), ..self }
    }

    /// Types and ids to which a resource of the type refers by it.
    #[must_use]
    pub fn refers(&self, resource: &Value) -> Vec<(String, String)> {
        let values = read(resource, &self.resource_type, self.parameter).into_iter();
        let references = values.filter_map(|value| match value {
            Read::Reference(kind, id) => Some((kind, id)),
            _ => None,
        });
        references.filter(|(kind, _)| self.target.as_ref().is_none_or(|target| target == kind)).collect()
    }
}

/// What stands behind the name of a parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Modifier {
    /// `:exact`
    Exact,
    /// `:contains`
    Contains,
    /// `:not`
    Not,
    /// `:missing`
    Missing,
    /// `:[type]`
    Type(String),
}

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
    /// A text, letter by letter.
    Exact(String),
    /// A piece, folded.
    Contains(String),
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
    /// A prefix, the number, and half a unit of its last digit.
    Number(&'static str, Decimal, Decimal),
    /// The same of something.
    Quantity {
        /// As of a number.
        number: (&'static str, Decimal, Decimal),
        /// The system and the code; with an empty system the code, or the unit.
        of: Option<(String, String)>,
    },
    /// Whether nothing stands.
    Missing(bool),
}

const PREFIXES: [&str; 7] = ["eq", "gt", "lt", "ge", "le", "sa", "eb"];
const PREFIXES_OF_NUMBERS: [&str; 5] = ["eq", "gt", "lt", "ge", "le"];

impl Criterion {
    /// Reads what was asked under a name: a parameter, perhaps with a modifier, a chain, or `_has`.
    ///
    /// # Errors
    /// What the type does not have, and a value that cannot be read as its kind.
    pub fn new(resource_type: &str, name: &str, value: &str) -> Result<Self, Refused> {
        Self::within(resource_type, name, value, LINKS_MAX, true)
    }

    fn within(kind: &str, name: &str, value: &str, links: usize, may_have: bool) -> Result<Self, Refused> {
        let fewer = || links.checked_sub(1).ok_or(Refused::NotSupported);
        // Reading: a chain does not lead to `_has`.
        if let Some(rest) = name.strip_prefix("_has:").filter(|_| may_have) {
            let (from, rest) = rest.split_once(':').ok_or(Refused::NotSupported)?;
            let (by, rest) = rest.split_once(':').ok_or(Refused::NotSupported)?;
            let rest = Self::within(from, rest, value, fewer()?, true)?;
            return Ok(Self::Has(Link::new(from, by)?.to(kind), Box::new(rest)));
        }
        if let Some((by, rest)) = name.split_once('.') {
            let (by, target) = by.split_once(':').map_or((by, None), |(by, target)| (by, Some(target)));
            let link = Link::new(kind, by)?;
            let points = points(link.parameter);
            // Reading: a type that is named is one to which an element may point, as in `:[type]`.
            let target = match target {
                Some(target) => points.may_point_to(target).then_some(target),
                None => points.clear_type(),
            };
            let target =
                target.filter(|target| dictionary().resource(target).is_some()).ok_or(Refused::NotSupported)?;
            let rest = Self::within(target, rest, value, fewer()?, false)?;
            return Ok(Self::Chain(link.to(target), Box::new(rest)));
        }
        Own::new(kind, name, value).map(Self::Own)
    }

    /// Whether it matches a resource among others.
    #[must_use]
    pub fn matches(&self, resource: &Value, among: &dyn Sees) -> bool {
        match self {
            Self::Own(own) => own.matches(resource),
            Self::Chain(link, rest) => {
                let targets = link.refers(resource);
                targets.iter().any(|(kind, id)| among.find(kind, id).is_some_and(|found| rest.matches(found, among)))
            }
            Self::Has(link, rest) => {
                let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
                among.of_type(&link.resource_type).iter().any(|other| {
                    link.refers(other).iter().any(|(_, target)| target == id) && rest.matches(other, among)
                })
            }
        }
    }

    /// What it asks: the type, the parameter, and whether it is asked for what is not there.
    #[must_use]
    pub fn asks(&self) -> Vec<Asks> {
        match self {
            Self::Own(own) => vec![Asks {
                resource_type: own.resource_type.clone(),
                parameter: own.parameter.code,
                for_absence: matches!(own.modifier, Some(Modifier::Not | Modifier::Missing)),
            }],
            Self::Chain(link, rest) | Self::Has(link, rest) => {
                let mut asks = vec![link.asks()];
                asks.extend(rest.asks());
                asks
            }
        }
    }
}

impl Link {
    /// What it asks.
    #[must_use]
    pub fn asks(&self) -> Asks {
        Asks { resource_type: self.resource_type.clone(), parameter: self.parameter.code, for_absence: false }
    }
}

/// A parameter that a search asks, wherever it stands in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asks {
    /// The type that has it.
    pub resource_type: String,
    /// Its name.
    pub parameter: &'static str,
    /// With `:not` or `:missing`.
    pub for_absence: bool,
}

impl Own {
    /// Reads what was asked of a parameter of the type, perhaps with a modifier.
    ///
    /// # Errors
    /// What the type does not have, and a value that cannot be read as its kind.
    pub fn new(resource_type: &str, name: &str, value: &str) -> Result<Self, Refused> {
        let (name, modifier) = name.split_once(':').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
        let parameter = parameter(resource_type, name).ok_or(Refused::NotSupported)?;
        let modifier = modifier.map(|modifier| modifier_of(parameter, modifier)).transpose()?;
        if !is_escaped_well(value) {
            return Err(Refused::Malformed);
        }
        let pieces = split_unescaped(value, ',');
        let is_one = modifier != Some(Modifier::Missing) || pieces.len() == 1;
        if !is_one || pieces.contains(&"") {
            return Err(Refused::Malformed);
        }
        let alternatives = pieces
            .into_iter()
            .map(|piece| alternative(parameter, modifier.as_ref(), piece))
            .collect::<Result<_, _>>()?;
        Ok(Self { parameter, resource_type: resource_type.to_owned(), modifier, alternatives })
    }

    /// Whether one of the alternatives matches one of the values; with `:not`, whether none does.
    #[must_use]
    pub fn matches(&self, resource: &Value) -> bool {
        if self.modifier == Some(Modifier::Missing) {
            let is_missing = !stands(resource, &self.resource_type, self.parameter);
            return self.alternatives.contains(&Kind::Missing(is_missing));
        }
        let values = read(resource, &self.resource_type, self.parameter);
        let found = values.iter().any(|value| self.alternatives.iter().any(|asked| asked.matches(value)));
        found != (self.modifier == Some(Modifier::Not))
    }
}

fn modifier_of(parameter: &SearchParameter, text: &str) -> Result<Modifier, Refused> {
    match (text, parameter.kind) {
        ("exact", "string") => Ok(Modifier::Exact),
        ("contains", "string") => Ok(Modifier::Contains),
        ("not", "token") => Ok(Modifier::Not),
        ("missing", _) => Ok(Modifier::Missing),
        (target, "reference") if points(parameter).may_point_to(target) && dictionary().resource(target).is_some() => {
            Ok(Modifier::Type(target.to_owned()))
        }
        _ => Err(Refused::NotSupported),
    }
}

fn alternative(parameter: &SearchParameter, modifier: Option<&Modifier>, raw: &str) -> Result<Kind, Refused> {
    match (modifier, parameter.kind) {
        (Some(Modifier::Missing), _) => match raw {
            "true" => Ok(Kind::Missing(true)),
            "false" => Ok(Kind::Missing(false)),
            _ => Err(Refused::Malformed),
        },
        (Some(Modifier::Exact), _) => Ok(Kind::Exact(unescaped(raw))),
        (Some(Modifier::Contains), _) => Ok(Kind::Contains(folded(&unescaped(raw)))),
        (Some(Modifier::Type(target)), _) => typed_reference(target, &unescaped(raw)),
        (_, "token") => token(raw),
        // Reading: a text that folds to nothing is the beginning of every text.
        (_, "string") => Ok(Kind::Text(folded(&unescaped(raw)))),
        (_, "date") => date(&unescaped(raw)),
        (_, "reference") => reference(parameter, &unescaped(raw)),
        (_, "uri") => Ok(Kind::Uri(unescaped(raw))),
        (_, "number") => number(&unescaped(raw)).map(|(prefix, number, half)| Kind::Number(prefix, number, half)),
        (_, "quantity") => quantity(raw),
        _ => Err(Refused::NotSupported),
    }
}

fn token(raw: &str) -> Result<Kind, Refused> {
    let parts: Vec<String> = split_unescaped(raw, '|').into_iter().map(unescaped).collect();
    match parts.as_slice() {
        [code] => Ok(Kind::Token { system: None, code: Some(code.clone()) }),
        [system, code] if system.is_empty() && code.is_empty() => Err(Refused::Malformed),
        [system, code] => {
            Ok(Kind::Token { system: Some(system.clone()), code: Some(code.clone()).filter(|code| !code.is_empty()) })
        }
        _ => Err(Refused::Malformed),
    }
}

/// The prefix of a text, `eq` where none stands, and the rest.
fn prefixed<'a>(text: &'a str, known: &[&'static str]) -> Result<(&'static str, &'a str), Refused> {
    match text.get(..2) {
        Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            let prefix = known.iter().find(|known| **known == prefix).ok_or(Refused::Malformed)?;
            Ok((prefix, text.get(2..).unwrap_or_default()))
        }
        _ => Ok(("eq", text)),
    }
}

fn date(text: &str) -> Result<Kind, Refused> {
    let (prefix, rest) = prefixed(text, &PREFIXES)?;
    range(&rest.replace(' ', "+")).map(|range| Kind::Date(prefix, range)).ok_or(Refused::Malformed)
}

fn number(text: &str) -> Result<(&'static str, Decimal, Decimal), Refused> {
    let (prefix, rest) = prefixed(text, &PREFIXES_OF_NUMBERS)?;
    let (number, half) = Decimal::asked(rest).ok_or(Refused::Malformed)?;
    Ok((prefix, number, half))
}

fn quantity(raw: &str) -> Result<Kind, Refused> {
    let parts: Vec<String> = split_unescaped(raw, '|').into_iter().map(unescaped).collect();
    match parts.as_slice() {
        [text] => Ok(Kind::Quantity { number: number(text)?, of: None }),
        // Reading: behind two bars a code stands.
        [text, system, code] if !code.is_empty() => {
            Ok(Kind::Quantity { number: number(text)?, of: Some((system.clone(), code.clone())) })
        }
        _ => Err(Refused::Malformed),
    }
}

fn reference(parameter: &SearchParameter, text: &str) -> Result<Kind, Refused> {
    let points = points(parameter);
    let local = local(text).filter(|_| points.references);
    if points.references && !points.uris && local.is_none() {
        return Err(Refused::Malformed);
    }
    Ok(Kind::Reference { local, whole: points.uris.then(|| text.to_owned()) })
}

/// Reading: with a type, canonicals are not read.
fn typed_reference(target: &str, text: &str) -> Result<Kind, Refused> {
    let (kind, id) = local(text).ok_or(Refused::Malformed)?;
    if kind.is_some_and(|kind| kind != target) {
        return Err(Refused::Malformed);
    }
    Ok(Kind::Reference { local: Some((Some(target.to_owned()), id)), whole: None })
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
                of_system && code.as_ref().is_none_or(|code| own.as_ref() == Some(code))
            }
            (Self::Token { code, .. }, Read::Code(own)) => code.as_ref() == Some(own),
            (Self::Text(start), Read::Text(text)) => folded(text).starts_with(start.as_str()),
            (Self::Exact(asked), Read::Text(text)) => asked == text,
            (Self::Contains(piece), Read::Text(text)) => folded(text).contains(piece.as_str()),
            (Self::Date(prefix, asked), Read::Date(own)) => in_time(prefix, *asked, *own),
            (Self::Reference { local: Some((kind, id)), .. }, Read::Reference(own_kind, own_id)) => {
                id == own_id && kind.as_ref().is_none_or(|kind| kind == own_kind)
            }
            (Self::Reference { whole: Some(text), .. }, Read::Uri(own)) => {
                text == own || own.split_once('|').is_some_and(|(before, _)| before == text)
            }
            (Self::Uri(text), Read::Uri(own)) => text == own,
            (Self::Number(prefix, number, half), Read::Number(own)) => in_numbers(prefix, *number, *half, *own),
            (Self::Quantity { number: (prefix, number, half), of }, Read::Quantity { value, system, code, unit }) => {
                let is_of = of.as_ref().is_none_or(|(its, asked)| {
                    let has = |own: &Option<String>, text: &String| own.as_ref() == Some(text);
                    if its.is_empty() {
                        has(code, asked) || has(unit, asked)
                    } else {
                        has(system, its) && has(code, asked)
                    }
                });
                is_of && in_numbers(prefix, *number, *half, *value)
            }
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

fn in_numbers(prefix: &str, number: Decimal, half: Decimal, value: Decimal) -> bool {
    match prefix {
        "gt" => value > number,
        "lt" => value < number,
        "ge" => value >= number,
        "le" => value <= number,
        _ => value.is_about(number, half),
    }
}
