//! Bodies of requests: bounded, JSON, and what the schema asks for.

use crate::fail::Fail;
use crate::limits::{BODY_BYTES_MAX, BODY_MS};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use scruple_http::{BodyError, read_body};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Up to here a floating point number tells whole ones apart: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Whether the body is said to be JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return false };
    let kind = kind.to_str().unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// The bytes of a body.
pub(crate) async fn bytes(body: Body) -> Result<Bytes, Fail> {
    read_body(body, BODY_BYTES_MAX, BODY_MS).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => Fail::TOO_LARGE,
        _ => Fail::BODY,
    })
}

/// What a body says. What serde says of it may hold a part of it, and is told to nobody.
pub(crate) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fail> {
    // serde would also take the fields as an array, in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fail::MALFORMED);
    }
    serde_json::from_slice(bytes).map_err(|_| Fail::MALFORMED)
}

/// An object inside of a body, and not its fields as an array.
pub(crate) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let fields = Map::<String, Value>::deserialize(deserializer)?;
    T::deserialize(Value::Object(fields)).map_err(D::Error::custom)
}

/// The same where it may be missing.
pub(crate) fn object_if_any<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let fields = Option::<Map<String, Value>>::deserialize(deserializer)?;
    fields.map(|fields| T::deserialize(Value::Object(fields)).map_err(D::Error::custom)).transpose()
}

/// A whole number, which in JSON Schema `20.0` is too; where there is none, nothing.
pub(crate) fn whole_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    let exact = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= WHOLE_MAX);
    #[expect(clippy::cast_possible_truncation, reason = "exact within 2^53")]
    let whole = number.as_i64().or_else(|| exact.map(|float| float as i64));
    whole.map(Some).ok_or_else(|| D::Error::custom("a whole number is expected"))
}

/// The same where there must be one.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    whole_if_any(deserializer)?.ok_or_else(|| D::Error::custom("a whole number is expected"))
}

/// An answer as JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
            Err(_) => Fail::INTERNAL.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::whole_if_any;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Page {
        #[serde(default, deserialize_with = "whole_if_any")]
        limit: Option<i64>,
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let limit = |text: &str| serde_json::from_str::<Page>(text).map(|page| page.limit).ok();
        for (text, expected) in [
            ("{}", None),
            (r#"{"limit": null}"#, None),
            (r#"{"limit": 20}"#, Some(20)),
            (r#"{"limit": 20.0}"#, Some(20)),
            (r#"{"limit": 0.0}"#, Some(0)),
            (r#"{"limit": -0.0}"#, Some(0)),
            (r#"{"limit": 2e1}"#, Some(20)),
            (r#"{"limit": -1}"#, Some(-1)),
        ] {
            assert_eq!(limit(text), Some(expected), "{text}");
        }
        for text in [r#"{"limit": 0.5}"#, r#"{"limit": "20"}"#, r#"{"limit": 1e300}"#, r#"{"limit": [20]}"#] {
            assert_eq!(limit(text), None, "{text}");
        }
    }
}
