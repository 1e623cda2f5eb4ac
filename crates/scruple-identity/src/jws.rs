//! The three parts of a signed token in compact form (RFC 7515, 7.1) and the header parameters that count.

use crate::json::{base64url, object};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

/// A token in its parts, none of them verified.
pub struct Parts<'a> {
    /// What the header says.
    pub header: Header,
    /// What is signed.
    pub message: &'a str,
    /// The claims, base64url.
    pub payload: &'a str,
    /// The signature, base64url.
    pub signature: &'a str,
}

/// The header parameters that count. `jku`, `jwk`, `x5u`, `x5c` and all others are not even read: keys come from the JWKS
/// alone.
#[derive(Deserialize)]
pub struct Header {
    /// `alg`: how it is signed.
    pub alg: Option<String>,
    /// `typ`: what it is.
    pub typ: Option<String>,
    /// `kid`: with which key.
    pub kid: Option<String>,
    /// Whether there is a `crit`, which names parameters that must be understood.
    #[serde(default, deserialize_with = "is_there")]
    pub crit: bool,
}

/// True whatever the value is, `null` too.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|IgnoredAny| true)
}

/// Takes a token apart, or says what is wrong with its form.
pub fn split(token: &str) -> Result<Parts<'_>, &'static str> {
    let (message, signature) = token.rsplit_once('.').ok_or("it has no three parts")?;
    let (header, payload) = message.split_once('.').ok_or("it has no three parts")?;
    if payload.contains('.') {
        return Err("it has no three parts");
    }
    let header = base64url(header).ok_or("the header is no base64url")?;
    let header = object(&header).ok_or("the header cannot be read")?;
    Ok(Parts { header, message, payload, signature })
}
