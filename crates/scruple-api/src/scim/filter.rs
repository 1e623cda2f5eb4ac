//! Filters (RFC 7644, 3.4.2.2): a parser of its own, bounded in length, depth and terms, and the comparison of a resource
//! with one. An attribute that a resource does not have matches nothing but a negation.

use super::error::ScimError;
use super::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use super::path::split_urn;
use super::schema::{Attribute, Kind, ResourceType, find};
use scruple_core::Timestamp;
use serde_json::Value;
use std::cmp::Ordering;

/// A filter.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// The attribute has a value.
    Present(String),
    Compare(String, Operator, Value),
    /// One value of the attribute matches the whole filter in brackets.
    Within(String, Box<Self>),
}

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    fn read(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "co" => Self::Contains,
            "sw" => Self::StartsWith,
            "ew" => Self::EndsWith,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            _ => return None,
        })
    }
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<Filter, ScimError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(ScimError::FILTER);
    }
    let mut parser = Parser { rest: text, terms: 0 };
    let filter = parser.either(0)?;
    parser.blank();
    if parser.rest.is_empty() { Ok(filter) } else { Err(ScimError::FILTER) }
}

struct Parser<'a> {
    rest: &'a str,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn either(&mut self, depth: usize) -> Result<Filter, ScimError> {
        let mut left = self.both(depth)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(depth)?));
        }
        Ok(left)
    }

    fn both(&mut self, depth: usize) -> Result<Filter, ScimError> {
        let mut left = self.one(depth)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one(depth)?));
        }
        Ok(left)
    }

    fn one(&mut self, depth: usize) -> Result<Filter, ScimError> {
        self.terms += 1;
        if depth > FILTER_DEPTH_MAX || self.terms > FILTER_TERMS_MAX {
            return Err(ScimError::FILTER);
        }
        let before = self.rest;
        if self.word("not") {
            if self.sign('(') {
                let inner = self.either(depth + 1)?;
                return if self.sign(')') { Ok(Filter::Not(Box::new(inner))) } else { Err(ScimError::FILTER) };
            }
            self.rest = before;
        }
        if self.sign('(') {
            let inner = self.either(depth + 1)?;
            return if self.sign(')') { Ok(inner) } else { Err(ScimError::FILTER) };
        }
        let path = self.path()?.to_owned();
        if self.sign('[') {
            let inner = self.either(depth + 1)?;
            if !self.sign(']') {
                return Err(ScimError::FILTER);
            }
            // `emails[type eq "work"].value eq "x"` stands in no grammar; nor does it here.
            return Ok(Filter::Within(path, Box::new(inner)));
        }
        if self.word("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = self.name().and_then(Operator::read).ok_or(ScimError::FILTER)?;
        let value = self.value()?;
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        // Booleans and null have no order and no parts (RFC 7644, table 3).
        if ordered && matches!(value, Value::Bool(_) | Value::Null) {
            return Err(ScimError::FILTER);
        }
        Ok(Filter::Compare(path, operator, value))
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn sign(&mut self, sign: char) -> bool {
        self.blank();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The next name, which ends where no name can go on.
    fn name(&mut self) -> Option<&'a str> {
        self.blank();
        let end = self.rest.find(|letter: char| !is_name(letter)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.name().is_some_and(|name| name.eq_ignore_ascii_case(word)) {
            return true;
        }
        self.rest = before;
        false
    }

    fn path(&mut self) -> Result<&'a str, ScimError> {
        let path = self.name().ok_or(ScimError::FILTER)?;
        let first = path.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '$');
        if first { Ok(path) } else { Err(ScimError::FILTER) }
    }

    /// A JSON literal that is no object and no list.
    fn value(&mut self) -> Result<Value, ScimError> {
        self.blank();
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = values.next().and_then(Result::ok).ok_or(ScimError::FILTER)?;
        if value.is_object() || value.is_array() {
            return Err(ScimError::FILTER);
        }
        self.rest = self.rest.get(values.byte_offset()..).ok_or(ScimError::FILTER)?;
        Ok(value)
    }
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | ':' | '_' | '-' | '$')
}

/// Whether a resource matches.
pub fn matches(kind: &'static ResourceType, filter: &Filter, resource: &Value) -> bool {
    match filter {
        Filter::And(left, right) => matches(kind, left, resource) && matches(kind, right, resource),
        Filter::Or(left, right) => matches(kind, left, resource) || matches(kind, right, resource),
        Filter::Not(inner) => !matches(kind, inner, resource),
        Filter::Present(path) => found(kind, path, resource).is_some_and(|found| found.values.iter().any(is_present)),
        Filter::Compare(path, operator, value) => {
            let found = found(kind, path, resource);
            let any = |operator| {
                let found = found.as_ref();
                found.is_some_and(|found| found.values.iter().any(|one| compare(found.attribute, one, operator, value)))
            };
            match operator {
                Operator::Equal if value.is_null() => !matches(kind, &Filter::Present(path.clone()), resource),
                Operator::NotEqual if value.is_null() => matches(kind, &Filter::Present(path.clone()), resource),
                Operator::NotEqual => !any(Operator::Equal),
                other => any(*other),
            }
        }
        Filter::Within(path, inner) => {
            let (schema, name) = split_urn(kind, path);
            let holder = holder(kind, schema.map(|schema| schema.urn), resource);
            let attribute = match schema.filter(|schema| schema.urn != kind.core.urn) {
                Some(schema) => find(schema.attributes, name),
                None => kind.attribute(name),
            };
            let Some((attribute, values)) = attribute.and_then(|one| Some((one, holder?.get(one.name)?))) else {
                return false;
            };
            each(values).any(|value| within(attribute, inner, value))
        }
    }
}

/// Whether one value of a complex attribute matches.
pub fn within(attribute: &'static Attribute, filter: &Filter, value: &Value) -> bool {
    let part = |path: &str| {
        let sub = find(attribute.sub, path)?;
        Some((sub, value.get(sub.name)?))
    };
    match filter {
        Filter::And(left, right) => within(attribute, left, value) && within(attribute, right, value),
        Filter::Or(left, right) => within(attribute, left, value) || within(attribute, right, value),
        Filter::Not(inner) => !within(attribute, inner, value),
        Filter::Present(path) => part(path).is_some_and(|(_, value)| is_present(&value)),
        Filter::Compare(path, Operator::NotEqual, wanted) => {
            !part(path).is_some_and(|(sub, value)| compare(sub, value, Operator::Equal, wanted))
        }
        Filter::Compare(path, operator, wanted) => {
            part(path).is_some_and(|(sub, value)| compare(sub, value, *operator, wanted))
        }
        Filter::Within(..) => false,
    }
}

struct Found<'a> {
    attribute: &'static Attribute,
    values: Vec<&'a Value>,
}

/// The object that holds the attributes of a schema.
fn holder<'a>(kind: &'static ResourceType, urn: Option<&str>, resource: &'a Value) -> Option<&'a Value> {
    match urn {
        Some(urn) if urn != kind.core.urn => resource.get(urn),
        _ => Some(resource),
    }
}

/// What a path names in a resource: of a complex attribute without a part, its `value`.
fn found<'a>(kind: &'static ResourceType, path: &str, resource: &'a Value) -> Option<Found<'a>> {
    let (schema, rest) = split_urn(kind, path);
    let extension = schema.filter(|schema| schema.urn != kind.core.urn);
    let (name, sub) = rest.split_once('.').map_or((rest, None), |(name, sub)| (name, Some(sub)));
    let attribute = match extension {
        Some(schema) => find(schema.attributes, name)?,
        None => kind.attribute(name)?,
    };
    let value = holder(kind, extension.map(|schema| schema.urn), resource)?.get(attribute.name)?;
    let sub = match sub {
        Some(sub) => Some(find(attribute.sub, sub)?),
        None => find(attribute.sub, "value"),
    };
    match sub {
        Some(sub) => {
            let values = each(value).filter_map(|one| one.get(sub.name)).collect();
            Some(Found { attribute: sub, values })
        }
        None => Some(Found { attribute, values: each(value).collect() }),
    }
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array().map(Vec::as_slice);
    list.unwrap_or(std::slice::from_ref(value)).iter()
}

fn is_present(value: &&Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(attribute: &Attribute, value: &Value, operator: Operator, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) if attribute.kind == Kind::DateTime => {
            let instants = Timestamp::parse(value).ok().zip(Timestamp::parse(wanted).ok());
            instants.is_some_and(|(value, wanted)| ordered(value.cmp(&wanted), operator))
        }
        (Value::String(value), Value::String(wanted)) => {
            let fold = |text: &str| if attribute.is_exact { text.to_owned() } else { folded(text) };
            let (value, wanted) = (fold(value), fold(wanted));
            match operator {
                Operator::Contains => value.contains(&wanted),
                Operator::StartsWith => value.starts_with(&wanted),
                Operator::EndsWith => value.ends_with(&wanted),
                _ => ordered(value.cmp(&wanted), operator),
            }
        }
        (Value::Bool(value), Value::Bool(wanted)) => operator == Operator::Equal && value == wanted,
        _ => false,
    }
}

fn ordered(order: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::NotEqual | Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

/// As logins are folded, so that a filter finds what the index finds.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// The value that an attribute must equal for the filter to match, if there is one: an index can find by it.
pub fn must_equal<'a>(kind: &'static ResourceType, filter: &'a Filter, name: &str) -> Option<&'a str> {
    match filter {
        Filter::And(left, right) => must_equal(kind, left, name).or_else(|| must_equal(kind, right, name)),
        Filter::Compare(path, Operator::Equal, Value::String(value)) => {
            let (schema, rest) = split_urn(kind, path);
            let is_core = schema.is_none_or(|schema| schema.urn == kind.core.urn);
            (is_core && rest.eq_ignore_ascii_case(name)).then_some(value.as_str())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
