//! [`Provider`]: the discovery document (OpenID Connect Discovery 1.0).

use super::{Algorithm, DOCUMENT_BYTES_MAX, OidcError};
use crate::json::object;
use serde::Deserialize;
use url::Url;

/// What is known of an identity provider.
// INVARIANT (provider-endpoints): every address is https, or http on this machine, without fragment or credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    jwks_uri: String,
    pub(super) secret_in_body: bool,
    pub(super) names_itself: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    response_types_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Provider {
    /// Where the discovery document of an issuer is.
    ///
    /// # Errors
    /// The issuer is no address that can be asked.
    pub fn address(issuer: &str) -> Result<String, OidcError> {
        check_endpoint(issuer).map_err(|what| OidcError::Client { what })?;
        if issuer.contains('?') {
            return Err(OidcError::Client { what: "the issuer has a query" });
        }
        Ok(format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
    }

    /// Reads the discovery document that was fetched for `issuer`.
    ///
    /// # Errors
    /// It cannot be read, is another issuer's, has an address that is not encrypted, or does not do what a sign-in needs.
    pub fn parse(json: &str, issuer: &str) -> Result<Self, OidcError> {
        let unfit = |what| OidcError::Discovery { what };
        if json.len() > DOCUMENT_BYTES_MAX {
            return Err(unfit("it is too long"));
        }
        let document: Document = object(json.as_bytes()).ok_or(unfit("it cannot be read"))?;
        if document.issuer != issuer {
            return Err(unfit("it is another issuer's"));
        }
        for endpoint in [issuer, &document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri] {
            check_endpoint(endpoint).map_err(unfit)?;
        }
        let lacks = |list: &Option<Vec<String>>, needed: &dyn Fn(&str) -> bool| {
            list.as_ref().is_some_and(|list| !list.iter().any(|one| needed(one)))
        };
        if lacks(&document.response_types_supported, &|one| one == "code") {
            return Err(unfit("it does not offer the authorization code flow"));
        }
        if lacks(&document.code_challenge_methods_supported, &|one| one == "S256") {
            return Err(unfit("it does not offer PKCE with S256"));
        }
        if lacks(&document.id_token_signing_alg_values_supported, &|one| Algorithm::from_name(one).is_some()) {
            return Err(unfit("it signs ID tokens with none of RS256, PS256, ES256"));
        }
        // What is not said is `client_secret_basic`.
        let methods = document.token_endpoint_auth_methods_supported;
        Ok(Self {
            issuer: document.issuer,
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            jwks_uri: document.jwks_uri,
            secret_in_body: lacks(&methods, &|one| one == "client_secret_basic")
                && !lacks(&methods, &|one| one == "client_secret_post"),
            names_itself: document.authorization_response_iss_parameter_supported,
        })
    }

    /// Who it is.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where its key set is.
    #[must_use]
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }
}

/// Whether an address may be asked, or sent to; if not, why.
pub(super) fn check_endpoint(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "an address is no URL")?;
    let local = match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("an address has no host"),
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err("an address is not https");
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("an address has a fragment or credentials");
    }
    Ok(())
}
