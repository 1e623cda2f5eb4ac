//! [`TokenError`]: why a token opens nothing. No text holds a part of the token.

use crate::verifier::TOKEN_BYTES_MAX;

/// Why a token is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than any token should be.
    #[error("access token is longer than {} bytes", TOKEN_BYTES_MAX)]
    TooLong,
    /// Not the form of an RFC 9068 token.
    #[error("access token is malformed: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Signed in another way than ES256, or not at all.
    #[error("access token is not signed with ES256")]
    Algorithm,
    /// No key of that `kid`.
    #[error("access token names a key that is not known")]
    KeyUnknown,
    /// The signature does not fit.
    #[error("signature of the access token does not fit")]
    Signature,
    /// Of another issuer.
    #[error("access token comes from another issuer")]
    Issuer,
    /// For another audience.
    #[error("access token is meant for another audience")]
    Audience,
    /// A claim is missing or unusable.
    #[error("claim `{claim}` of the access token is missing or unusable")]
    Claims {
        /// Its name, or `*` if the claims as a whole cannot be read.
        claim: &'static str,
    },
    /// At or past its `exp`.
    #[error("access token has expired")]
    Expired,
    /// Before its `nbf` or `iat`.
    #[error("access token is not valid yet")]
    NotYet,
    /// Taken back before it expired.
    #[error("access token is revoked")]
    Revoked,
}

impl TokenError {
    /// The code that stands in answers and entries; it never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed { .. } => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::KeyUnknown => "token_key_unknown",
            Self::Signature => "token_signature",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Claims { .. } => "token_claims",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::Revoked => "token_revoked",
        }
    }
}
