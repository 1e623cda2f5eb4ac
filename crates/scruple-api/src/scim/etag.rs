//! Entity tags: weak, from the version of the row and a check of what is shown beside it.

use super::error::ScimError;
use axum::http::{HeaderMap, HeaderName, header};

/// A tag: `W/"VERSION-CHECK"`.
pub fn tag(version: i64, beside: impl Iterator<Item = String>) -> String {
    // FNV-1a: it tells apart what changed and guards against nothing.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in beside {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("W/\"{version}-{hash:016x}\"")
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let texts = values.filter_map(|value| value.to_str().ok());
    Some(texts.flat_map(|text| text.split(',')).map(|text| strong(text.trim()).to_owned()).collect())
}

/// Weak comparison (RFC 9110, 8.8.3.2): without `W/`.
fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether the client has this already.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    tags(headers, header::IF_NONE_MATCH).is_some_and(|tags| tags.iter().any(|one| one == "*" || one == strong(tag)))
}

/// The version that a write must meet: `None` where the client names none.
pub fn expected(headers: &HeaderMap, tag: &str, version: i64) -> Result<Option<i64>, ScimError> {
    match tags(headers, header::IF_MATCH) {
        None => Ok(None),
        Some(tags) if tags.iter().any(|one| one == "*") => Ok(None),
        Some(tags) if tags.iter().any(|one| one == strong(tag)) => Ok(Some(version)),
        Some(_) => Err(ScimError::PRECONDITION),
    }
}
