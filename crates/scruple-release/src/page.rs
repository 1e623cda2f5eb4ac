//! Sealed page tokens: the search, and the id behind which the page begins. A token is good for the caller and the decision
//! that it was made for, and is no proof of anything: each page is decided anew.

use crate::pipeline::Spot;
use crate::release::Asked;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use scruple_seal::{ColumnKey, SealError};
use serde::{Deserialize, Serialize};

/// Bytes to which a place is filled up, or a multiple of them: the length of a token tells nothing of ids.
const PLACE_BYTES: usize = 256;

/// What a token holds.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What is searched: a type, or a compartment with a type.
    pub of: String,
    /// The parameters of the search, encoded.
    pub query: String,
    /// Behind which the page begins.
    pub after: Spot,
    /// What fills it up.
    #[serde(default)]
    fill: String,
}

impl Place {
    pub fn new(of: &str, query: String, after: Spot) -> Self {
        Self { of: of.to_owned(), query, after, fill: String::new() }
    }

    pub fn seal(&self, key: &ColumnKey, bound: &[u8], rng: &mut dyn CryptoRng) -> Result<String, SealError> {
        let malformed = |_| SealError::Malformed { what: "page" };
        let length = serde_json::to_vec(&self.after).map_err(malformed)?.len();
        let fill = " ".repeat(length.next_multiple_of(PLACE_BYTES) - length);
        let plain = serde_json::to_vec(&Self { fill, ..self.clone() }).map_err(malformed)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(key.seal_column(bound, &plain, rng)?))
    }

    /// Opens a token; none if it is not one of this caller's under this decision.
    pub fn open(key: &ColumnKey, bound: &[u8], token: &str) -> Option<Self> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let plain = key.open_column(bound, &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// Whom and which decision a token is bound to.
pub(crate) fn bound(asked: &Asked, table_hash: &str) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    let question = &asked.question;
    for part in [asked.subject.as_str(), &question.role, &question.purpose, table_hash] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.update(&question.conditions.0.to_be_bytes());
    context.finish().as_ref().to_vec()
}
