//! What verifies what the management of devices tells: the keys of the transmitter that the configuration names.

use super::text;
use crate::config::SignalsConfig;
use anyhow::{Context as _, Result, bail};
use scruple_api::SignalKeys;
use scruple_identity::Parties;
use scruple_identity::signal::Signals;
use std::sync::{Arc, PoisonError, RwLock};

/// The verifier of a configuration, and how it is made anew.
pub struct Transmitter {
    config: SignalsConfig,
    audience: String,
    keys: SignalKeys,
}

/// The verifier of a configuration; none where no transmitter is named.
fn read(config: &SignalsConfig, audience: &str) -> Result<Option<Arc<Signals>>> {
    let (Some(issuer), Some(path)) = (&config.issuer, &config.jwks_file) else { return Ok(None) };
    let audience = config.audience.clone().unwrap_or_else(|| audience.to_owned());
    if issuer.is_empty() || audience.is_empty() {
        bail!("`signals.issuer` and `signals.audience` are no empty names");
    }
    let signals = Signals::new(&text(path)?, Parties { issuer: issuer.clone(), audience });
    Ok(Some(Arc::new(signals.context("`signals.jwks_file`")?)))
}

impl Transmitter {
    /// For a console at an address.
    pub fn of(config: &SignalsConfig, console_url: &str) -> Result<Self> {
        let audience = format!("{console_url}/api/v1/security-events");
        let keys = Arc::new(RwLock::new(read(config, &audience)?));
        let config = SignalsConfig {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            jwks_file: config.jwks_file.clone(),
        };
        Ok(Self { config, audience, keys })
    }

    /// What the API verifies with.
    pub fn keys(&self) -> SignalKeys {
        Arc::clone(&self.keys)
    }

    /// Takes the keys of the file anew; the earlier ones stay where it cannot be used.
    pub fn read_again(&self) {
        match read(&self.config, &self.audience) {
            Ok(signals) => *self.keys.write().unwrap_or_else(PoisonError::into_inner) = signals,
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "the keys of `signals.jwks_file` were not taken; the earlier ones stay");
            }
        }
    }
}
