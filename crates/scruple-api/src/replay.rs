//! `Idempotency-Key`: what is asked twice under one key is done once, and answered alike. What was refused changed nothing, and is
//! judged anew.

use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::limits::{IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_BYTES_MAX};
use crate::service::Service;
use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_core::{Phi, new_id};
use scruple_store::{Claimed, NewClaim};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

const KEY: &str = "idempotency-key";
const HOUR_MICROS: i64 = 3_600_000_000;
/// How long a claim is somebody's who says nothing: longer than a request may take.
const STALE_MICROS: i64 = 120_000_000;

/// What was done, as it is answered and kept.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Done {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    body: Value,
}

impl Done {
    /// A thing as it is now, with its version.
    pub fn now<T: Serialize>(body: &T, version: i64) -> Result<Self, Fail> {
        let body = serde_json::to_value(body).map_err(|_| Fail::INTERNAL)?;
        Ok(Self { status: 200, tag: Some(tag(version)), location: None, body })
    }

    /// A thing that is new, with its place.
    pub fn created(self, location: String) -> Self {
        Self { status: 201, location: Some(location), ..self }
    }

    /// A thing without a version.
    pub fn plain<T: Serialize>(body: &T) -> Result<Self, Fail> {
        Ok(Self { tag: None, ..Self::now(body, 0)? })
    }

    fn answer(self, is_replayed: bool) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        let value = |text: Option<String>| text.and_then(|text| HeaderValue::try_from(text).ok());
        headers.extend(value(self.tag).map(|tag| (header::ETAG, tag)));
        headers.extend(value(self.location).map(|place| (header::LOCATION, place)));
        if is_replayed {
            headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        response
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        self.answer(false)
    }
}

/// The entity tag of a version.
pub(crate) fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version that `If-Match` names: exactly one, for what is decided is what was seen.
pub(crate) fn version(headers: &HeaderMap) -> Result<i64, Fail> {
    let mut all = headers.get_all(header::IF_MATCH).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return Err(Fail::NO_VERSION) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Err(Fail::NO_VERSION);
    }
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.and_then(|inner| inner.parse().ok()).ok_or(Fail::OLD_VERSION)
}

/// One attempt under a key, or without one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// An id for what is made: the same for every attempt under a key.
    pub id: Uuid,
    /// It may have been done before: look for the id first.
    pub again: bool,
}

impl Attempt {
    /// What is made under the id of this attempt: found, if an attempt before has made it, and else made now.
    pub async fn made<T>(
        self,
        find: impl AsyncFnOnce() -> Result<Option<T>, Fail>,
        make: impl AsyncFnOnce() -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let before = if self.again { find().await? } else { None };
        match before {
            Some(made) => Ok(made),
            None => make().await,
        }
    }
}

/// Does something once. `path` and `body` tell what is asked.
pub(crate) async fn once(
    service: &Service,
    caller: &Caller,
    (headers, path, body): (&HeaderMap, &str, &[u8]),
    run: impl AsyncFnOnce(Attempt) -> Result<Done, Fail>,
) -> Result<Response, Fail> {
    let now = service.now();
    let id = new_id::<Done>(now, &mut *(service.parts.rng)()).uuid();
    let Some(key) = key(headers)? else { return run(Attempt { id, again: false }).await.map(Done::into_response) };
    let match_tag = headers.get(header::IF_MATCH).map(HeaderValue::as_bytes).unwrap_or_default();
    let claim = NewClaim {
        id: scruple_core::Id::from_uuid(id),
        person: caller.person(),
        key_hash: hash(&[key]),
        request_hash: hash(&[path.as_bytes(), match_tag, body]),
        at: now,
        ends_at: now.plus_micros(IDEMPOTENCY_HOURS * HOUR_MICROS),
        stale_before: now.plus_micros(-STALE_MICROS),
    };
    let (id, again) = match service.parts.store.claim_key(&claim).await? {
        Claimed::Won { id, again } => (id, again),
        Claimed::Done(answer) => {
            let done: Done = serde_json::from_slice(answer.expose()).map_err(|_| Fail::INTERNAL)?;
            return Ok(done.answer(true));
        }
        Claimed::Busy => return Err(Fail::IN_PROGRESS),
        Claimed::Other => return Err(Fail::OTHER_BODY),
    };
    let done = match run(Attempt { id: id.uuid(), again }).await {
        Ok(done) => done,
        Err(fail) => {
            // Nothing was done. Where that cannot be said, the claim stands until it is over.
            if fail.status.is_client_error() {
                service.parts.store.release_key(id).await?;
            }
            return Err(fail);
        }
    };
    let kept = serde_json::to_vec(&done).map_err(|_| Fail::INTERNAL)?;
    if let Err(error) = service.parts.store.keep_answer(id, &Phi::new(kept)).await {
        tracing::warn!(error = %error, "what was done under a key is not kept");
    }
    Ok(done.into_response())
}

fn key(headers: &HeaderMap) -> Result<Option<&[u8]>, Fail> {
    let mut all = headers.get_all(KEY).iter();
    let value = match (all.next(), all.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.as_bytes(),
        _ => return Err(Fail::BAD_KEY),
    };
    let is_plain = value.iter().all(|byte| (0x20..0x7f).contains(byte));
    if value.is_empty() || value.len() > IDEMPOTENCY_KEY_BYTES_MAX || !is_plain {
        Err(Fail::BAD_KEY)
    } else {
        Ok(Some(value))
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().unwrap_or_default()
}
