//! What is taken as an answer: its head, its body within a limit, its outermost form. Nothing of it goes into an error.

use crate::room::{Held, Room};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Body;
use scruple_release::{Fetched, UpstreamError};
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// Bytes that are set aside for a declared length before they have come.
const RESERVE_BYTES_MAX: usize = 1024 * 1024;

/// What a log may say of an answer.
#[derive(Debug, Default)]
pub struct Facts {
    status: AtomicU16,
    body_bytes: AtomicUsize,
}

impl Facts {
    pub fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    pub fn body_bytes(&self) -> usize {
        self.body_bytes.load(Ordering::Relaxed)
    }

    pub fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) {
        self.body_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// FHIR JSON in UTF-8, as it is.
pub fn check_head(headers: &HeaderMap) -> Result<(), UpstreamError> {
    let encoded =
        headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let json = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(is_fhir_json),
        _ => false,
    };
    if json && !encoded { Ok(()) } else { Err(UpstreamError::NotJson) }
}

fn is_fhir_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let known = ["application/fhir+json", "application/json"].iter().any(|name| essence.eq_ignore_ascii_case(name));
    known
        && parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// The body, of at most `limit` bytes.
pub async fn read<B>(mut body: B, limit: usize, room: &Room, facts: &Facts) -> Result<Fetched, UpstreamError>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit {
        return Err(UpstreamError::TooLarge { limit });
    }
    let mut held = Held::default();
    let mut bytes = Vec::with_capacity(declared.min(RESERVE_BYTES_MAX));
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that is used.
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        facts.add(data.len());
        if bytes.len().saturating_add(data.len()) > limit {
            return Err(UpstreamError::TooLarge { limit });
        }
        room.grow(&mut held, bytes.len() + data.len())?;
        bytes.extend_from_slice(&data);
    }
    if is_object(&bytes) {
        Ok(Fetched { bytes, share: held.into() })
    } else {
        Err(UpstreamError::Malformed("no JSON object"))
    }
}

/// From the first letter and the last: a body that was cut, or is no object, is found here; the rest by the projector.
fn is_object(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.first() == Some(&b'{') && bytes.last() == Some(&b'}') && bytes.len() > 1
}

/// A connection that failed, or an answer that is no HTTP.
pub fn broken(error: &hyper::Error) -> UpstreamError {
    if error.is_parse_too_large() {
        return UpstreamError::Malformed("its head is too large");
    }
    let invalid = |kind| matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput);
    if error.is_parse() || io_kind(error).is_some_and(invalid) {
        return UpstreamError::Malformed("no HTTP");
    }
    UpstreamError::Unreachable
}

/// Whether the connection was gone before an answer began.
pub fn gone(error: &hyper::Error) -> bool {
    let reset = |kind| {
        matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted)
    };
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || io_kind(error).is_some_and(reset)
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn fhir_json_is_told_by_its_type() {
        let check = |types: &[&str], encoding: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in types {
                headers.append(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            }
            for value in encoding {
                headers.append(CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
            }
            check_head(&headers).is_ok()
        };
        for taken in [
            "application/fhir+json",
            "application/json",
            "Application/FHIR+JSON;charset=UTF-8",
            "application/fhir+json; fhirVersion=4.0; charset=\"utf-8\"",
        ] {
            assert!(check(&[taken], &[]), "{taken}");
        }
        for refused in [
            "application/fhir+xml",
            "text/html",
            "text/json",
            "application/json+fhir",
            "application/fhir+json; charset=iso-8859-1",
            "application/fhir+ndjson",
            "",
        ] {
            assert!(!check(&[refused], &[]), "{refused}");
        }
        assert!(!check(&[], &[]) && !check(&["application/json", "application/json"], &[]));
        assert!(check(&["application/json"], &["identity"]));
        assert!(!check(&["application/json"], &["gzip"]) && !check(&["application/json"], &["identity", "br"]));
    }

    #[test]
    fn an_object_is_told_by_its_ends() {
        assert!(is_object(b" {\"a\":1}\n") && is_object(b"{}"));
        assert!(!is_object(b"") && !is_object(b"{") && !is_object(b"[]") && !is_object(b"{\"a\":"));
        assert!(!is_object(b"\xef\xbb\xbf{}"), "a byte order mark");
    }
}
