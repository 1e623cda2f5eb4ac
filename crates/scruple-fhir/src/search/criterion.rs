//! The values of a criterion: what a caller asks for, read by the kind of its parameter.

use super::matches::fold;
use super::reads::Path;
use crate::dictionary::{SearchParameter, dictionary};
use scruple_core::Span;

/// One of the values of which one must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Alternative {
    Token { system: System, code: Option<String> },
    Text(String),
    Date { prefix: Prefix, span: Span },
    Reference { resource_type: Option<&'static str>, id: String },
    Uri(String),
}

/// What is asked of the system of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum System {
    Any,
    None,
    Is(String),
}

/// How a date is compared.
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
pub(super) fn read(parameter: &SearchParameter, paths: &[Path], text: &str) -> Result<Alternative, &'static str> {
    const ESCAPE: &str = "an escape that is none";
    if text.is_empty() {
        return Err("an empty value");
    }
    let whole = || plain(text).ok_or(ESCAPE);
    match parameter.kind {
        "token" => token(text),
        "string" => {
            let folded = fold(&whole()?);
            if folded.is_empty() { Err("an empty value") } else { Ok(Alternative::Text(folded)) }
        }
        "date" => date(&whole()?),
        "reference" => reference(paths, &whole()?),
        _ => Ok(Alternative::Uri(whole()?)),
    }
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

fn date(text: &str) -> Result<Alternative, &'static str> {
    let (prefix, date) = match text.split_at_checked(2) {
        Some(("eq", rest)) => (Prefix::Equal, rest),
        Some(("gt", rest)) => (Prefix::Greater, rest),
        Some(("lt", rest)) => (Prefix::Less, rest),
        Some(("ge", rest)) => (Prefix::GreaterOrEqual, rest),
        Some(("le", rest)) => (Prefix::LessOrEqual, rest),
        Some(("sa", rest)) => (Prefix::StartsAfter, rest),
        Some(("eb", rest)) => (Prefix::EndsBefore, rest),
        Some(("ne" | "ap", _)) => return Err("a prefix that is not supported"),
        _ => (Prefix::Equal, text),
    };
    // The plus of a zone comes as a space from those who do not encode it.
    let span = Span::parse(&date.replace(' ', "+")).ok_or("a date that is none")?;
    Ok(Alternative::Date { prefix, span })
}

fn reference(paths: &[Path], text: &str) -> Result<Alternative, &'static str> {
    let is_reference =
        paths.iter().flat_map(|path| path.steps.last()).flatten().any(|step| step.type_name == "Reference");
    if !is_reference {
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
    let is_id = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if is_id {
        Ok(Alternative::Reference { resource_type, id: id.to_owned() })
    } else {
        Err("a reference that is neither `Type/id` nor `id`")
    }
}
