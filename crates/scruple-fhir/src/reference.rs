//! What the literal of a Reference points to.

use crate::dictionary::dictionary;

/// A parsed `Reference.reference`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Literal<'a> {
    /// `Type/id` or `Type/id/_history/version`.
    Relative { resource_type: &'a [u8], id: &'a [u8] },
    /// `#id`.
    Contained(&'a [u8]),
    /// `#`: the resource around.
    Container,
    /// `urn:...`.
    Urn(&'a [u8]),
    /// `Type?query`: a search, which carries identifiers.
    Query { resource_type: &'a [u8] },
    /// An absolute URL, with the type that it ends with, or anything else.
    Foreign(Option<&'a [u8]>),
}

/// Parses a literal without escapes.
pub(crate) fn literal(text: &[u8]) -> Literal<'_> {
    if let Some(id) = text.strip_prefix(b"#") {
        return if id.is_empty() { Literal::Container } else { Literal::Contained(id) };
    }
    if text.starts_with(b"urn:") {
        return Literal::Urn(text);
    }
    if let Some((resource_type, _)) = split_at_byte(text, b'?') {
        let known = dictionary().resource_by_bytes(resource_type).is_some();
        return if known { Literal::Query { resource_type } } else { Literal::Foreign(None) };
    }
    match type_and_id(text) {
        Some((b"", resource_type, id)) => Literal::Relative { resource_type, id },
        Some((_, resource_type, _)) => Literal::Foreign(Some(resource_type)),
        None => Literal::Foreign(None),
    }
}

/// The `Type/id` of a relative or absolute literal, without version.
pub(crate) fn path(text: &[u8]) -> Option<&[u8]> {
    let (base, resource_type, id) = type_and_id(text)?;
    text.get(base.len()..base.len() + resource_type.len() + 1 + id.len())
}

/// Type and id of a literal: `Type/id` or `Type/id/_history/version`, of a resource type of R4.
#[must_use]
pub fn named(text: &str) -> Option<(&str, &str)> {
    match literal(text.as_bytes()) {
        Literal::Relative { resource_type, id } => {
            Some((std::str::from_utf8(resource_type).ok()?, std::str::from_utf8(id).ok()?))
        }
        _ => None,
    }
}

/// Splits `base/Type/id` or `base/Type/id/_history/version`; the base is empty for a relative one.
fn type_and_id(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (mut before, mut id) = last_segment(text);
    if let Some((rest, b"_history")) = before.map(last_segment) {
        if !is_id(id) {
            return None;
        }
        (before, id) = last_segment(rest?);
    }
    let (base, resource_type) = last_segment(before?);
    if !is_id(id) || dictionary().resource_by_bytes(resource_type).is_none() {
        return None;
    }
    let base = base.map_or(0, |base| base.len() + 1);
    Some((text.get(..base)?, resource_type, id))
}

/// What stands before the last slash, if there is one, and behind it.
fn last_segment(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match text.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (text.get(..at), text.get(at + 1..).unwrap_or_default()),
        None => (None, text),
    }
}

pub(crate) fn is_id(id: &[u8]) -> bool {
    (1..=64).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|other| *other == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_told_apart() {
        let check =
            |text: &'static str, expected: Literal<'static>| assert_eq!(literal(text.as_bytes()), expected, "{text}");
        check("Patient/1", Literal::Relative { resource_type: b"Patient", id: b"1" });
        check("Patient/1/_history/3", Literal::Relative { resource_type: b"Patient", id: b"1" });
        check("https://ehr.example/fhir/Patient/1", Literal::Foreign(Some(b"Patient")));
        check("Practitioner?identifier=npi|1", Literal::Query { resource_type: b"Practitioner" });
        check("#c1", Literal::Contained(b"c1"));
        check("#", Literal::Container);
        check("urn:uuid:1", Literal::Urn(b"urn:uuid:1"));
        check("Patient/1/_history/as he said", Literal::Foreign(None));
        check("Nothing/1", Literal::Foreign(None));
        check("Patient", Literal::Foreign(None));
        check("", Literal::Foreign(None));
        check("/Patient/1", Literal::Foreign(Some(b"Patient")));
    }
}
