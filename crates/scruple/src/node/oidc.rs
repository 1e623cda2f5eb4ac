//! The organisation's identity provider: its documents are fetched when somebody signs in, and kept for a while.

use super::{roots, secret};
use crate::config::{LoginClaim, OidcConfig, Tokens};
use anyhow::{Context as _, Result, bail};
use scruple_app::Named;
use scruple_app::ports::{IdentityProvider, Naming, ProviderError, Sending};
use scruple_connect::Web;
use scruple_core::{Clock, Timestamp};
use scruple_identity::LEEWAY_SECONDS;
use scruple_identity::oidc::{Ask, Client, KeySet, Login, OidcError, Provider, RelyingParty, Started};
use scruple_seal::SystemRng;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How old the provider's documents may get.
const DOCUMENTS_MICROS: i64 = 600_000_000;
/// How often keys are looked for that a token names and nobody knows.
const KEYS_MICROS: i64 = 30_000_000;
/// Seconds for which a sign-in at the provider is good for one here: a shift.
const SHIFT_SECONDS: u32 = 8 * 3_600;
/// Multiple factors, in the words of RFC 8176.
const MANY_FACTORS: &str = "mfa";

/// A provider as the configuration names it.
pub struct Organisation {
    web: Web,
    clock: Arc<dyn Clock>,
    issuer: String,
    client: Client,
    label: String,
    login_claim: LoginClaim,
    acr_values: Vec<String>,
    second_factor: bool,
    device_claim: String,
    known: Mutex<Option<Arc<Documents>>>,
}

struct Documents {
    party: RelyingParty,
    keys: KeySet,
    fetched_at: Timestamp,
}

impl Organisation {
    /// The provider of a configuration; none: people sign in here alone.
    pub fn of(config: &OidcConfig, tokens: &Tokens, console_url: &str, clock: &Arc<dyn Clock>) -> Result<Option<Self>> {
        let Some(issuer) = &config.issuer else { return Ok(None) };
        Provider::address(issuer).context("`oidc.issuer`")?;
        let Some(id) = config.client_id.clone().filter(|id| !id.is_empty()) else {
            bail!("`oidc.client_id` is missing: the name of the console at the provider");
        };
        let secret = config.client_secret_file.as_deref().map(|path| secret(path, "oidc.client_secret_file"));
        let secret = secret.transpose()?;
        let roots = roots(config.ca_file.as_deref())?;
        Ok(Some(Self {
            web: Web::new(roots),
            clock: Arc::clone(clock),
            issuer: issuer.clone(),
            client: Client { id, secret, redirect_uri: format!("{console_url}/sign-in/back") },
            label: config.label.clone(),
            login_claim: config.login_claim,
            acr_values: config.acr_values.split_whitespace().map(str::to_owned).collect(),
            second_factor: config.second_factor,
            device_claim: tokens.device_claim.clone(),
            known: Mutex::default(),
        }))
    }

    /// The documents, not older than `age_micros`.
    async fn documents(&self, age_micros: i64) -> Result<Arc<Documents>, ProviderError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if let Some(known) = &*known
            && now < known.fetched_at.plus_micros(age_micros)
        {
            return Ok(Arc::clone(known));
        }
        let provider = Provider::parse(&self.fetch(&Provider::address(&self.issuer)?).await?, &self.issuer)?;
        let keys = KeySet::parse(&self.fetch(provider.jwks_uri()).await?)?;
        let party = RelyingParty::new(provider, self.client.clone(), LEEWAY_SECONDS)?;
        let party = party.with_device_claim(&self.device_claim);
        let fetched = Arc::new(Documents { party, keys, fetched_at: now });
        *known = Some(Arc::clone(&fetched));
        Ok(fetched)
    }

    async fn fetch(&self, address: &str) -> Result<String, ProviderError> {
        self.web.get(address).await.map_err(|error| {
            tracing::warn!(error = %error, "the identity provider gives no document");
            ProviderError::Silent
        })
    }

    async fn begin(&self, anew: bool) -> Result<Started, ProviderError> {
        let documents = self.documents(DOCUMENTS_MICROS).await?;
        let ask = Ask {
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            acr_values: self.acr_values.clone(),
            max_age_seconds: Some(if anew { 0 } else { SHIFT_SECONDS }),
            login_hint: None,
        };
        Ok(documents.party.start(&ask, self.clock.now(), &mut SystemRng)?)
    }

    async fn end(&self, flow: &[u8], query: &str) -> Result<Named, ProviderError> {
        let documents = self.documents(DOCUMENTS_MICROS).await?;
        let code = documents.party.code(flow, query, self.clock.now())?;
        let request = documents.party.token_request(flow, &code, self.clock.now())?;
        let answer = self.web.post_form(&request.address, request.authorization.as_ref(), &request.body).await;
        let answer = answer.map_err(|error| {
            tracing::warn!(error = %error, "the identity provider exchanges no code");
            ProviderError::Silent
        })?;
        let login = match documents.party.finish(flow, &answer, &documents.keys, self.clock.now()) {
            // It has changed its keys.
            Err(OidcError::KeyUnknown) => {
                let anew = self.documents(KEYS_MICROS).await?;
                anew.party.finish(flow, &answer, &anew.keys, self.clock.now())?
            }
            other => other?,
        };
        if self.second_factor && self.acr_values.is_empty() && !login.amr().iter().any(|means| means == MANY_FACTORS) {
            return Err(ProviderError::OneFactor);
        }
        Named::new(&login, self.login(&login))
    }

    fn login<'a>(&self, login: &'a Login) -> Option<&'a str> {
        match self.login_claim {
            LoginClaim::PreferredUsername => login.preferred_username(),
            LoginClaim::Email => login.email(),
            LoginClaim::Sub => Some(login.subject()),
        }
    }
}

impl IdentityProvider for Organisation {
    fn label(&self) -> &str {
        &self.label
    }

    fn start(&self, anew: bool) -> Sending<'_> {
        Box::pin(self.begin(anew))
    }

    fn finish<'a>(&'a self, flow: &'a [u8], query: &'a str) -> Naming<'a> {
        Box::pin(self.end(flow, query))
    }
}
