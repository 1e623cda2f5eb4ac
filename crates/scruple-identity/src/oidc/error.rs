//! [`OidcError`]: why there is no sign-in. No text holds a part of what came from outside.

use super::{ANSWER_BYTES_MAX, FLOW_SECONDS_MAX};

/// Why a provider cannot be used, or a sign-in at it is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum OidcError {
    /// The discovery document cannot be used.
    #[error("discovery document of the identity provider is unfit: {what}")]
    Discovery {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The key set cannot be used.
    #[error("key set of the identity provider is unfit: {what}")]
    Keys {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Our side is set up wrongly.
    #[error("client of the identity provider is unfit: {what}")]
    Client {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Not a flow of this client and provider.
    #[error("there is no such sign-in under way")]
    Flow,
    /// Finished too late.
    #[error("sign-in took longer than {} seconds", FLOW_SECONDS_MAX)]
    FlowExpired,
    /// The provider's redirect is not of the form it should have.
    #[error("redirect of the identity provider is malformed: {what}")]
    Redirect {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Another browser's redirect, or one that nobody here asked for.
    #[error("redirect does not belong to this sign-in")]
    State,
    /// The provider says no.
    #[error("identity provider refused: {reason}")]
    Refused {
        /// Its error code, if it is a known one, or `other`.
        reason: &'static str,
    },
    /// The token endpoint's answer holds no ID token.
    #[error("token endpoint gave no ID token")]
    Exchange,
    /// Longer than any answer should be.
    #[error("answer of the identity provider is longer than {} bytes", ANSWER_BYTES_MAX)]
    TooLong,
    /// Not the form of an ID token.
    #[error("ID token is malformed: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Signed in another way than RS256, PS256 or ES256, or not at all.
    #[error("ID token is not signed with RS256, PS256 or ES256")]
    Algorithm,
    /// No key of that `kid` for that algorithm: the caller fetches the key set again, once, and calls again.
    #[error("ID token names a key that is not known")]
    KeyUnknown,
    /// The signature does not fit.
    #[error("signature of the ID token does not fit")]
    Signature,
    /// Of another issuer.
    #[error("ID token comes from another issuer")]
    Issuer,
    /// For another client.
    #[error("ID token is meant for another client")]
    Audience,
    /// Made for another sign-in.
    #[error("ID token was made for another sign-in")]
    Nonce,
    /// A claim is missing or unusable.
    #[error("claim `{claim}` of the ID token is missing or unusable")]
    Claims {
        /// Its name, or `*` if the claims as a whole cannot be read.
        claim: &'static str,
    },
    /// At or past its `exp`.
    #[error("ID token has expired")]
    Expired,
    /// Before its `nbf` or `iat`.
    #[error("ID token is not valid yet")]
    NotYet,
    /// The person signed in at the provider longer ago than was asked.
    #[error("person signed in at the identity provider too long ago")]
    TooOld,
    /// The person signed in by weaker means than was asked.
    #[error("person signed in at the identity provider by weaker means than asked")]
    Acr,
}

impl OidcError {
    /// The code that stands in answers and entries; it never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Discovery { .. } => "oidc_discovery",
            Self::Keys { .. } => "oidc_keys",
            Self::Client { .. } => "oidc_client",
            Self::Flow => "oidc_flow",
            Self::FlowExpired => "oidc_flow_expired",
            Self::Redirect { .. } => "oidc_redirect",
            Self::State => "oidc_state",
            Self::Refused { .. } => "oidc_refused",
            Self::Exchange => "oidc_exchange",
            Self::TooLong => "oidc_too_long",
            Self::Malformed { .. } => "oidc_malformed",
            Self::Algorithm => "oidc_algorithm",
            Self::KeyUnknown => "oidc_key_unknown",
            Self::Signature => "oidc_signature",
            Self::Issuer => "oidc_issuer",
            Self::Audience => "oidc_audience",
            Self::Nonce => "oidc_nonce",
            Self::Claims { .. } => "oidc_claims",
            Self::Expired => "oidc_expired",
            Self::NotYet => "oidc_not_yet",
            Self::TooOld => "oidc_too_old",
            Self::Acr => "oidc_acr",
        }
    }
}
