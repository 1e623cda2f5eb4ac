//! Batches (docs/view.md, 7): what is asked in them, read from a Bundle.

use crate::{BATCH_BYTES_MAX, BATCH_REQUESTS_MAX, SEARCH_BODY_MS};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use http::request::Parts as Head;
use scruple_fhir::search::is_json;
use scruple_http::{BodyError, read_body};
use scruple_release::No;
use serde::Deserialize;
use serde_json::value::RawValue;

/// One request of a batch.
pub struct Asked {
    /// It reads, and brings nothing along.
    reads: bool,
    url: String,
    known: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    resource_type: String,
    r#type: String,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
    resource: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    if_none_match: Option<String>,
}

/// Reads a batch.
pub async fn read<B>(kind: Option<&str>, body: B) -> Result<Vec<Asked>, No>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let malformed = |words: &str| No::new(400, "batch_malformed", words);
    if !kind.is_some_and(is_json) {
        return Err(malformed("A batch is FHIR JSON, and says so by its Content-Type."));
    }
    let bytes = read_body(body, BATCH_BYTES_MAX, SEARCH_BODY_MS).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => malformed("The batch is too long."),
        _ => malformed("The batch did not come."),
    })?;
    let bundle: Bundle = serde_json::from_slice(&bytes)
        .map_err(|_| malformed("The batch is no Bundle whose entries have a request with method and url."))?;
    if bundle.resource_type != "Bundle" || bundle.r#type != "batch" {
        return Err(malformed("Only a Bundle of type batch is served here."));
    }
    if bundle.entry.len() > BATCH_REQUESTS_MAX {
        return Err(malformed("There are too many requests in the batch."));
    }
    let asked = |entry: Entry| Asked {
        reads: entry.request.method == "GET" && entry.resource.is_none(),
        url: entry.request.url,
        known: entry.request.if_none_match,
    };
    Ok(bundle.entry.into_iter().map(asked).collect())
}

impl Asked {
    /// The head of the request as if it had come alone; none if its url is none below the base.
    pub fn head(&self, path: &str, outer: &Head) -> Option<Head> {
        let below = self.url.split('?').next().unwrap_or_default();
        if below.is_empty() || below.starts_with('/') || below.contains(':') {
            return None;
        }
        let method = if self.reads { http::Method::GET } else { http::Method::PUT };
        let uri = format!("{path}/{}", self.url);
        let mut request = http::Request::builder().method(method).uri(uri).body(()).ok()?;
        let headers = request.headers_mut();
        headers.extend(outer.headers.get_all(AUTHORIZATION).iter().map(|value| (AUTHORIZATION, value.clone())));
        if let Some(known) = &self.known {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(known).ok()?);
        }
        Some(request.into_parts().0)
    }
}
