//! Who calls: RFC 9068 access tokens, signed with ES256 and verified against a JWKS; and the ways by which a person signs
//! in.
//!
//! For programs:
//!
//! * [`bearer`] takes the token out of an `Authorization` header.
//! * [`Verifier`] holds the keys and the names that a token must carry, and turns its text into a [`Token`], the only
//!   way to one.
//! * [`TokenCache`] remembers what was verified, and knows which tokens are revoked.
//! * [`signal`]: what a device management tells, as security event tokens.
//! * [`Issuer`] makes keys and tokens for the demo and for tests.
//!
//! For persons:
//!
//! * [`passkey`]: WebAuthn, the first choice.
//! * [`totp`]: a code from a phone's app, the second; [`recovery`]: codes for who has lost both.
//! * [`oidc`]: sign-in at an identity provider.
//! * [`session`]: what a sign-in opens, and for how long.
//!
//! What it deliberately does not do: fetch a JWKS or anything else, read a clock, or say what a subject may see. A role in
//! a token only selects among those that the store grants; a token alone opens nothing.

mod cache;
mod error;
mod issuer;
mod json;
mod jws;
mod keys;
pub mod oidc;
pub mod passkey;
pub mod recovery;
pub mod session;
pub mod signal;
mod token;
pub mod totp;
mod verifier;

pub use cache::{REVOKED_MAX, RevocationsFull, TOKENS_CACHED_MAX, TokenCache};
pub use error::TokenError;
pub use issuer::{Claims, Issuer, IssuerError, SignIn};
pub use keys::{JWKS_BYTES_MAX, JWKS_KEYS_MAX, JwksError};
pub use token::{NAME_BYTES_MAX, ROLES_MAX, Token};
pub use verifier::{LEEWAY_SECONDS, LEEWAY_SECONDS_MAX, TOKEN_BYTES_MAX, Verifier, VerifierError};

/// The two names that every token carries: who made it, and whom it is for. They are compared byte by byte, so that
/// `https://a.example` and `https://a.example/` are two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// The claim `iss`: the issuer's URL.
    pub issuer: String,
    /// The claim `aud`: the gateway's base URL.
    pub audience: String,
}

/// The token of an `Authorization: Bearer x` header (RFC 6750, 2.1); `None` if the value is anything else. A request
/// with two such headers is the caller's to refuse.
#[must_use]
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let b64token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !body.is_empty() && body.bytes().all(b64token)).then_some(token)
}
