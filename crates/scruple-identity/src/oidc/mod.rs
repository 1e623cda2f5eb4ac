//! Sign-in at an identity provider: the relying party of OpenID Connect, authorization code flow with PKCE, state and
//! nonce.
//!
//! It asks nobody: the caller fetches the discovery document ([`Provider::address`]) and the key set
//! ([`Provider::jwks_uri`]) and sends the [`TokenRequest`]; so time-outs, proxies and retries are where all others are.
//!
//! 1. [`RelyingParty::start`] gives an address for the browser and a flow for the session's row.
//! 2. The browser comes back: [`RelyingParty::code`] judges its query. The caller takes the flow out of the row first.
//! 3. The caller sends [`RelyingParty::token_request`].
//! 4. [`RelyingParty::finish`] judges the answer. At [`OidcError::KeyUnknown`] the provider has new keys: the caller
//!    fetches them, at most once in a while, and calls it again with the same flow and answer.
//!
//! Written on the crypto library and serde and not on the crate `openidconnect`: that one judges `exp` by a clock of its
//! own unless told otherwise, and brings a second and third crypto library for what is one signature here.
//!
//! What it deliberately does not do: use the access token (it is dropped, and so `at_hash` is not looked at), ask the
//! userinfo endpoint, or take a role from a claim. Roles are the store's.

mod error;
mod keys;
mod login;
mod provider;

pub use error::OidcError;
pub use keys::{Algorithm, KeySet};
pub use login::Login;
pub use provider::Provider;

use crate::json::object;
use crate::verifier::LEEWAY_SECONDS_MAX;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use login::Expected;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use provider::check_endpoint;
use rand_core::CryptoRng;
use scruple_core::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use url::form_urlencoded;

/// Seconds from start to finish.
pub const FLOW_SECONDS_MAX: u32 = 600;
/// Bytes of a discovery document.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the token endpoint's answer.
pub const ANSWER_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the query that the browser comes back with.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Seconds by which the clocks of two instances may differ.
const SKEW_SECONDS: u32 = 60;
const MICROS_PER_SECOND: i64 = 1_000_000;
const VERSION: u8 = 1;
const RANDOM_BYTES: usize = 32;
/// RFC 3986, 2.3: unreserved.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a provider may answer with instead of a code: RFC 6749, 4.1.2.1; Core, 3.1.2.6; unmet authentication
/// requirements.
const REFUSALS: [&str; 14] = [
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_request_object",
    "invalid_scope",
    "login_required",
    "registration_not_supported",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unmet_authentication_requirements",
    "unsupported_response_type",
];

/// Who we are at the provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; a public client has none and relies on PKCE alone.
    pub secret: Option<SecretString>,
    /// Where the browser comes back to, as it is registered.
    pub redirect_uri: String,
}

/// What is asked of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Scopes beyond `openid`.
    pub scopes: Vec<String>,
    /// `acr_values`: one of these must come back. Empty: any will do.
    pub acr_values: Vec<String>,
    /// `max_age`: seconds that may lie between the person's proof and the start of this sign-in; 0 asks for a new proof.
    pub max_age_seconds: Option<u32>,
    /// `login_hint`: whom the page suggests.
    pub login_hint: Option<String>,
}

/// A sign-in under way.
#[derive(Clone)]
pub struct Started {
    /// Where the browser is sent.
    pub address: String,
    /// For the session's row, never for the browser.
    pub flow: Vec<u8>,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started(..)")
    }
}

/// The authorization code of a redirect that belongs to the flow.
pub struct Code(SecretString);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// A POST for the caller to send, with `content-type: application/x-www-form-urlencoded` and `accept: application/json`.
/// Redirects are not to be followed.
#[derive(Debug)]
pub struct TokenRequest {
    /// Where to.
    pub address: String,
    /// The `authorization` header.
    pub authorization: Option<SecretString>,
    /// The body.
    pub body: SecretString,
}

#[derive(Serialize, Deserialize)]
struct Flow {
    version: u8,
    issuer: String,
    client_id: String,
    started_at: i64,
    state: String,
    nonce: String,
    verifier: String,
    acr_values: Vec<String>,
    max_age_seconds: Option<u32>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
}

/// We, at one provider.
pub struct RelyingParty {
    provider: Provider,
    client: Client,
    leeway_micros: i64,
    device_claim: Option<String>,
}

impl RelyingParty {
    /// For a provider as it was discovered.
    ///
    /// # Errors
    /// The client has no id or an unfit redirect address, or the leeway is too long.
    pub fn new(provider: Provider, client: Client, leeway_seconds: u32) -> Result<Self, OidcError> {
        let unfit = |what| OidcError::Client { what };
        if client.id.is_empty() {
            return Err(unfit("it has no id"));
        }
        if client.secret.as_ref().is_some_and(|secret| secret.expose_secret().is_empty()) {
            return Err(unfit("its secret is empty"));
        }
        check_endpoint(&client.redirect_uri).map_err(unfit)?;
        if leeway_seconds > LEEWAY_SECONDS_MAX {
            return Err(unfit("the leeway is too long"));
        }
        Ok(Self { provider, client, leeway_micros: i64::from(leeway_seconds) * MICROS_PER_SECOND, device_claim: None })
    }

    /// The same, which also reads the claim of the ID token that names the device.
    #[must_use]
    pub fn with_device_claim(self, claim: &str) -> Self {
        Self { device_claim: Some(claim.to_owned()), ..self }
    }

    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Starts a sign-in.
    ///
    /// # Errors
    /// A scope or an `acr` has a blank or is empty.
    pub fn start(&self, ask: &Ask, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Started, OidcError> {
        let word = |word: &String| !word.is_empty() && !word.contains(|letter: char| letter.is_whitespace());
        if !ask.scopes.iter().chain(&ask.acr_values).all(word) {
            return Err(OidcError::Client { what: "a scope or `acr` is empty or has a blank" });
        }
        let flow = Flow {
            version: VERSION,
            issuer: self.provider.issuer.clone(),
            client_id: self.client.id.clone(),
            started_at: now.micros(),
            state: random(rng),
            nonce: random(rng),
            verifier: random(rng),
            acr_values: ask.acr_values.clone(),
            max_age_seconds: ask.max_age_seconds,
        };
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, flow.verifier.as_bytes()));
        let scope =
            std::iter::once("openid").chain(ask.scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let mut query = vec![
            ("response_type", Cow::from("code")),
            ("client_id", Cow::from(&self.client.id)),
            ("redirect_uri", Cow::from(&self.client.redirect_uri)),
            ("scope", Cow::from(scope)),
            ("state", Cow::from(flow.state.as_str())),
            ("nonce", Cow::from(flow.nonce.as_str())),
            ("code_challenge", Cow::from(challenge)),
            ("code_challenge_method", Cow::from("S256")),
        ];
        if !ask.acr_values.is_empty() {
            query.push(("acr_values", Cow::from(ask.acr_values.join(" "))));
        }
        if let Some(seconds) = ask.max_age_seconds {
            query.push(("max_age", Cow::from(seconds.to_string())));
        }
        if let Some(hint) = &ask.login_hint {
            query.push(("login_hint", Cow::from(hint)));
        }
        let endpoint = &self.provider.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let address = format!("{endpoint}{joint}{}", encoded(&query));
        let flow = serde_json::to_vec(&flow).map_err(|_| OidcError::Flow)?;
        Ok(Started { address, flow })
    }

    /// Judges the query that the browser comes back with.
    ///
    /// # Errors
    /// It belongs to another flow, came too late, comes from another provider, or is the provider's refusal.
    pub fn code(&self, flow: &[u8], query: &str, now: Timestamp) -> Result<Code, OidcError> {
        let flow = self.flow(flow, now)?;
        let redirect = |what| OidcError::Redirect { what };
        if query.len() > QUERY_BYTES_MAX {
            return Err(redirect("it is too long"));
        }
        let mut given = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if given.insert(name, value).is_some() {
                return Err(redirect("a parameter stands twice"));
            }
        }
        let state = given.get("state").ok_or(OidcError::State)?;
        verify_slices_are_equal(state.as_bytes(), flow.state.as_bytes()).map_err(|_| OidcError::State)?;
        // RFC 9207: another provider's answer, sent here to have its code given away.
        match given.get("iss") {
            Some(issuer) if *issuer != self.provider.issuer => return Err(OidcError::Issuer),
            None if self.provider.names_itself => return Err(OidcError::Issuer),
            _ => {}
        }
        if let Some(error) = given.get("error") {
            let reason = REFUSALS.into_iter().find(|known| known == error).unwrap_or("other");
            return Err(OidcError::Refused { reason });
        }
        let code = given.remove("code").filter(|code| !code.is_empty()).ok_or(redirect("it has no code"))?;
        Ok(Code(SecretString::from(code.into_owned())))
    }

    /// The request that exchanges the code.
    ///
    /// # Errors
    /// The flow is another's or too old.
    pub fn token_request(&self, flow: &[u8], code: &Code, now: Timestamp) -> Result<TokenRequest, OidcError> {
        let flow = self.flow(flow, now)?;
        let mut body = vec![
            ("grant_type", Cow::from("authorization_code")),
            ("code", Cow::from(code.0.expose_secret())),
            ("redirect_uri", Cow::from(&self.client.redirect_uri)),
            ("code_verifier", Cow::from(flow.verifier.as_str())),
        ];
        let authorization = match &self.client.secret {
            Some(secret) if !self.provider.secret_in_body => Some(basic(&self.client.id, secret)),
            secret => {
                body.push(("client_id", Cow::from(&self.client.id)));
                if let Some(secret) = secret {
                    body.push(("client_secret", Cow::from(secret.expose_secret())));
                }
                None
            }
        };
        let body = SecretString::from(encoded(&body));
        Ok(TokenRequest { address: self.provider.token_endpoint.clone(), authorization, body })
    }

    /// Judges the token endpoint's answer, whatever its status is.
    ///
    /// # Errors
    /// Each reason to refuse is a variant.
    pub fn finish(&self, flow: &[u8], answer: &str, keys: &KeySet, now: Timestamp) -> Result<Login, OidcError> {
        let flow = self.flow(flow, now)?;
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(OidcError::TooLong);
        }
        let answer: TokenAnswer = object(answer.as_bytes()).ok_or(OidcError::Exchange)?;
        let token = answer.id_token.ok_or(OidcError::Exchange)?;
        let expected = Expected {
            issuer: &self.provider.issuer,
            client_id: &self.client.id,
            nonce: &flow.nonce,
            acr_values: &flow.acr_values,
            authenticated_since: flow.max_age_seconds.map(|seconds| flow.authenticated_since(seconds)),
            leeway_micros: self.leeway_micros,
            device_claim: self.device_claim.as_deref(),
        };
        login::verify(&token, keys, &expected, now)
    }

    fn flow(&self, bytes: &[u8], now: Timestamp) -> Result<Flow, OidcError> {
        let flow: Flow = object(bytes).ok_or(OidcError::Flow)?;
        if flow.version != VERSION || flow.issuer != self.provider.issuer || flow.client_id != self.client.id {
            return Err(OidcError::Flow);
        }
        let started_at = Timestamp::from_micros(flow.started_at);
        let latest = started_at.plus_micros(i64::from(FLOW_SECONDS_MAX) * MICROS_PER_SECOND);
        let earliest = started_at.plus_micros(-i64::from(SKEW_SECONDS) * MICROS_PER_SECOND);
        if now < earliest || now >= latest { Err(OidcError::FlowExpired) } else { Ok(flow) }
    }
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelyingParty").field("issuer", &self.provider.issuer).finish_non_exhaustive()
    }
}

impl Flow {
    /// The earliest proof that will do. The start counts and not the present: a person may take minutes at the provider.
    /// Providers write whole seconds, so the second of the start is taken from its beginning.
    const fn authenticated_since(&self, max_age_seconds: u32) -> Timestamp {
        let second = self.started_at - self.started_at.rem_euclid(MICROS_PER_SECOND);
        // `as`: u32 to i64 loses nothing, and `from` is not const.
        Timestamp::from_micros(second).plus_micros(-(max_age_seconds as i64) * MICROS_PER_SECOND)
    }
}

fn random(rng: &mut dyn CryptoRng) -> String {
    let mut bytes = [0; RANDOM_BYTES];
    rng.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn encoded(pairs: &[(&str, Cow<'_, str>)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE))).collect();
    pairs.join("&")
}

/// RFC 6749, 2.3.1: id and secret are encoded as a form's values before they are joined.
fn basic(id: &str, secret: &SecretString) -> SecretString {
    let form = |text| utf8_percent_encode(text, VALUE);
    let pair = format!("{}:{}", form(id), form(secret.expose_secret()));
    SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
}
