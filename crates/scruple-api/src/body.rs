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
