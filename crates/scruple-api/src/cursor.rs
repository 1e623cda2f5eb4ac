//! Sealed cursors: where a list goes on. One is good for the caller and the list that it was made for, and is no proof of
//! anything: each page is read anew.

use crate::fail::Fail;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use scruple_core::Id;
use scruple_flow::Person;
use scruple_seal::ColumnKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes to which a cursor is filled up, or a multiple of them: its length tells nothing of what is in it.
const FILLED_BYTES: usize = 128;
/// Letters of a cursor.
const CURSOR_BYTES_MAX: usize = 4_096;

/// Whom and what a cursor is bound to.
pub(crate) fn bound(caller: Id<Person>, of: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(caller.uuid().as_bytes());
    for part in of {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// Seals a place.
pub(crate) fn seal<T: Serialize>(
    key: &ColumnKey,
    bound: &[u8],
    place: &T,
    rng: &mut dyn CryptoRng,
) -> Result<String, Fail> {
    let mut plain = serde_json::to_vec(place).map_err(|_| Fail::INTERNAL)?;
    // Blanks behind a JSON text are none of it.
    plain.resize(plain.len().next_multiple_of(FILLED_BYTES), b' ');
    let sealed = key.seal_column(bound, &plain, rng).map_err(|_| Fail::INTERNAL)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens a cursor; none if it is not one of this caller for this list.
pub(crate) fn open<T: DeserializeOwned>(key: &ColumnKey, bound: &[u8], text: &str) -> Option<T> {
    if text.len() > CURSOR_BYTES_MAX {
        return None;
    }
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let plain = key.open_column(bound, &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}
