//! Paths of attributes: `[urn:]name[filter].sub` (RFC 7644, 3.5.2), found in the schema of a type.

use super::filter::{self, Filter};
use super::schema::{Attribute, Mutability, ResourceType, Schema, find};

/// What a path names in a type of resource.
#[derive(Debug)]
pub enum Target {
    /// A whole extension.
    Extension(&'static Schema),
    /// An attribute, of an extension if one is named; some of its values; a part of them.
    Attribute {
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        filter: Option<Filter>,
        sub: Option<&'static Attribute>,
    },
    /// An attribute of the core schema that is not kept.
    NotKept,
}

/// The name in front of a path and what follows it: the longest URN of a schema, if one is there.
pub fn split_urn<'a>(kind: &'static ResourceType, path: &'a str) -> (Option<&'static Schema>, &'a str) {
    for schema in std::iter::once(&kind.core).chain(kind.extensions) {
        let Some(head) = path.get(..schema.urn.len()) else { continue };
        if !head.eq_ignore_ascii_case(schema.urn) {
            continue;
        }
        let rest = path.get(schema.urn.len()..).unwrap_or_default();
        if rest.is_empty() {
            return (Some(*schema), "");
        }
        if let Some(rest) = rest.strip_prefix(':') {
            return (Some(*schema), rest);
        }
    }
    (None, path)
}

/// Reads a path. `None`: it names nothing of this type.
pub fn parse(kind: &'static ResourceType, path: &str) -> Option<Target> {
    let (schema, rest) = split_urn(kind, path.trim());
    if rest.is_empty() {
        return schema.filter(|schema| schema.urn != kind.core.urn).map(Target::Extension);
    }
    let extension = schema.filter(|schema| schema.urn != kind.core.urn);
    let (name, filter, sub) = parts(rest)?;
    let attribute = match extension {
        Some(schema) => find(schema.attributes, name),
        None => kind.attribute(name),
    };
    let Some(attribute) = attribute else {
        let not_kept =
            extension.is_none() && super::schema::NOT_KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name));
        return not_kept.then_some(Target::NotKept);
    };
    let filter = match filter {
        Some(_) if !attribute.is_multi => return None,
        Some(text) => Some(filter::parse(text).ok()?),
        None => None,
    };
    let sub = match sub {
        Some(sub) => Some(find(attribute.sub, sub)?),
        None => None,
    };
    Some(Target::Attribute { extension, attribute, filter, sub })
}

impl Target {
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Attribute { attribute, sub, .. } => {
                attribute.mutability == Mutability::ReadOnly
                    || sub.is_some_and(|sub| sub.mutability == Mutability::ReadOnly)
            }
            Self::Extension(_) | Self::NotKept => false,
        }
    }
}

/// Name, filter and part of a path without URN.
fn parts(path: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    let Some((name, rest)) = path.split_once('[') else {
        return match path.split_once('.') {
            Some((name, sub)) => Some((name, None, Some(sub))),
            None => Some((path, None, None)),
        };
    };
    // The filter ends at the last bracket: a value may hold one.
    let (filter, rest) = rest.rsplit_once(']')?;
    let sub = match rest.strip_prefix('.') {
        Some(sub) => Some(sub),
        None if rest.is_empty() => None,
        None => return None,
    };
    Some((name, Some(filter), sub))
}
