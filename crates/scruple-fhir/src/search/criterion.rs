//! The values of a criterion: what a caller asks for, read by the kind of its parameter.

use super::decimal::Wanted;
use super::matches::fold;
use super::reads::Reads;
use crate::dictionary::dictionary;
use scruple_core::Span;

/// One of the values of which one must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Alternative {
    Token {
        system: System,
        code: Option<String>,
    },
    Text(String),
    /// A text, letter by letter.
    Exact(String),
    /// What a folded text contains.
    Contains(String),
    Date {
        prefix: Prefix,
        span: Span,
    },
    Number {
        prefix: Prefix,
        number: Wanted,
    },
    Quantity {
        prefix: Prefix,
        number: Wanted,
        unit: Option<Unit>,
    },
    Reference {
        resource_type: Option<&'static str>,
        id: String,
    },
    Uri(String),
}

/// What is asked of the system of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum System {
    Any,
    None,
    Is(String),
}

/// What is asked of the unit of a quantity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// System and code.
    Coded(String, String),
    /// The code, or the unit as it is written.
    Named(String),
}

/// What stands behind a parameter's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Modifier {
    Exact,
    Contains,
    Not,
    Missing,
    Type(&'static str),
}

impl Modifier {
    /// The modifier of that word, if a parameter takes it.
    pub fn parse(reads: &Reads, word: &str) -> Option<Self> {
        match (reads.kind(), word) {
            ("string", "exact") => Some(Self::Exact),
            ("string", "contains") => Some(Self::Contains),
            ("token", "not") => Some(Self::Not),
            (_, "missing") => Some(Self::Missing),
            ("reference", name) => {
                let target = dictionary().resource(name).filter(|target| reads.may_point_to(*target))?;
                Some(Self::Type(dictionary().get(target).name))
            }
            _ => None,
        }
    }
}

/// How a date or a number is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prefix {
    Equal,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
}

/// Splits at commas that are not escaped; escapes stay.
pub(super) fn alternatives(value: &str) -> Vec<String> {
    split(value, ',')
}

fn split(value: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for letter in value.chars() {
        if letter == at && !escaped {
            parts.push(String::new());
            continue;
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
        escaped = letter == '\\' && !escaped;
    }
    parts
}

/// Takes the escapes away; none where one is of no known form.
fn plain(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some(escaped @ (',' | '|' | '$' | '\\')) => out.push(escaped),
            _ => return None,
        }
    }
    Some(out)
}

/// Reads one alternative, escapes still in it.
pub(super) fn read(reads: &Reads, modifier: Option<Modifier>, text: &str) -> Result<Alternative, &'static str> {
    const ESCAPE: &str = "an escape that is none";
    if text.is_empty() {
        return Err("an empty value");
    }
    let whole = || plain(text).ok_or(ESCAPE);
    match reads.kind() {
        "token" => token(text),
        "string" => {
            let (text, folded) = (whole()?, fold(&whole()?));
            match modifier {
                _ if folded.is_empty() => Err("an empty value"),
                Some(Modifier::Exact) => Ok(Alternative::Exact(text)),
                Some(Modifier::Contains) => Ok(Alternative::Contains(folded)),
                _ => Ok(Alternative::Text(folded)),
            }
        }
        "date" => date(&whole()?),
        "number" => number(&whole()?),
        "quantity" => quantity(text),
        "reference" => reference(reads, modifier, &whole()?),
        _ => Ok(Alternative::Uri(whole()?)),
    }
}

fn number(text: &str) -> Result<Alternative, &'static str> {
    let (prefix, rest) = prefixed(text)?;
    let number = measured(prefix, rest)?;
    Ok(Alternative::Number { prefix, number })
}

fn quantity(text: &str) -> Result<Alternative, &'static str> {
    const ESCAPE: &str = "an escape that is none";
    let parts: Vec<String> = split(text, '|').iter().map(|part| plain(part).ok_or(ESCAPE)).collect::<Result<_, _>>()?;
    let (first, unit) = match parts.as_slice() {
        [number] => (number, None),
        [_, _, code] if code.is_empty() => return Err("a quantity without its code"),
        [number, system, code] if system.is_empty() => (number, Some(Unit::Named(code.clone()))),
        [number, system, code] => (number, Some(Unit::Coded(system.clone(), code.clone()))),
        _ => return Err("a quantity that is neither a number nor `number|system|code`"),
    };
    let (prefix, rest) = prefixed(first)?;
    Ok(Alternative::Quantity { prefix, number: measured(prefix, rest)?, unit })
}

fn measured(prefix: Prefix, text: &str) -> Result<Wanted, &'static str> {
    if matches!(prefix, Prefix::StartsAfter | Prefix::EndsBefore) {
        return Err("a prefix that is not supported");
    }
    Wanted::parse(text).ok_or("a number that is none, or has more than 18 digits")
}

fn token(text: &str) -> Result<Alternative, &'static str> {
    const ESCAPE: &str = "an escape that is none";
    let parts: Vec<String> = split(text, '|').iter().map(|part| plain(part).ok_or(ESCAPE)).collect::<Result<_, _>>()?;
    match parts.as_slice() {
        [code] => Ok(Alternative::Token { system: System::Any, code: Some(code.clone()) }),
        [system, code] => {
            let code = Some(code.clone()).filter(|code| !code.is_empty());
            match (system.as_str(), code) {
                ("", None) => Err("a token without system and code"),
                ("", code) => Ok(Alternative::Token { system: System::None, code }),
                (_, code) => Ok(Alternative::Token { system: System::Is(system.clone()), code }),
            }
        }
        _ => Err("a token with more than one bar"),
    }
}

/// A prefix, if there is one, and what stands behind it.
fn prefixed(text: &str) -> Result<(Prefix, &str), &'static str> {
    Ok(match text.split_at_checked(2) {
        Some(("eq", rest)) => (Prefix::Equal, rest),
        Some(("gt", rest)) => (Prefix::Greater, rest),
        Some(("lt", rest)) => (Prefix::Less, rest),
        Some(("ge", rest)) => (Prefix::GreaterOrEqual, rest),
        Some(("le", rest)) => (Prefix::LessOrEqual, rest),
        Some(("sa", rest)) => (Prefix::StartsAfter, rest),
        Some(("eb", rest)) => (Prefix::EndsBefore, rest),
        Some(("ne" | "ap", _)) => return Err("a prefix that is not supported"),
        _ => (Prefix::Equal, text),
    })
}

fn date(text: &str) -> Result<Alternative, &'static str> {
    let (prefix, date) = prefixed(text)?;
    // The plus of a zone comes as a space from those who do not encode it.
    let span = Span::parse(&date.replace(' ', "+")).ok_or("a date that is none")?;
    Ok(Alternative::Date { prefix, span })
}

fn reference(reads: &Reads, modifier: Option<Modifier>, text: &str) -> Result<Alternative, &'static str> {
    if !reads.type_names().any(|name| name == "Reference") {
        return Ok(Alternative::Uri(text.to_owned()));
    }
    let (resource_type, id) = match text.split_once('/') {
        Some((name, id)) => (Some(name), id),
        None => (None, text),
    };
    let resource_type = match resource_type {
        None => None,
        Some(name) => {
            let known = dictionary().resource(name).ok_or("a reference to no type of R4")?;
            Some(dictionary().get(known).name)
        }
    };
    let resource_type = match (modifier, resource_type) {
        (Some(Modifier::Type(only)), Some(other)) if only != other => {
            return Err("a reference to another type than the modifier's");
        }
        (Some(Modifier::Type(only)), _) => Some(only),
        (_, named) => named,
    };
    let is_id = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if is_id {
        Ok(Alternative::Reference { resource_type, id: id.to_owned() })
    } else {
        Err("a reference that is neither `Type/id` nor `id`")
    }
}
