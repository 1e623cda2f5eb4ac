//! The policy of a running node: read again on SIGHUP and when a file changes. Where the new one has errors the last good
//! one stays, and it is said: in the log, in `/readyz`, in the ledger.

use super::ready::State;
use super::tasks::pause;
use super::text;
use crate::pack;
use crate::state::SystemClock;
use anyhow::Result;
use scruple_core::{Clock, Timestamp};
use scruple_gateway::Gateway;
use scruple_identity::{LEEWAY_SECONDS, Parties, Verifier};
use scruple_policy::{ActivationError, Active, PackFiles, Relationships};
use scruple_release::Policy;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where a pack comes from, and what was read last.
pub struct PolicyFiles {
    dir: Option<PathBuf>,
    last: Option<PackFiles>,
}

impl PolicyFiles {
    pub const fn new(dir: Option<PathBuf>) -> Self {
        Self { dir, last: None }
    }

    /// Activates the pack at the start: any error ends the start.
    pub fn activate(&self, _: Timestamp) -> Result<Arc<Active>> {
        Ok(Arc::new(pack::activate(self.dir.as_deref())?))
    }

    /// The files, if they are others than at the last look.
    fn changed(&mut self) -> Option<Result<PackFiles>> {
        let dir = self.dir.as_deref()?;
        match pack::files(Some(dir)) {
            Ok(files) => {
                if self.last.as_ref().is_some_and(|last| last.0 == files.0) {
                    return None;
                }
                let first = self.last.is_none();
                self.last = Some(PackFiles(files.0.clone()));
                (!first).then_some(Ok(files))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// What follows the policy's files.
pub struct Following {
    pub files: PolicyFiles,
    pub watch_ms: u64,
    pub jwks: Option<PathBuf>,
    pub parties: Parties,
    pub gateway: Arc<Gateway>,
    pub state: Arc<State>,
    pub clock: Arc<dyn Clock>,
    pub allowed: bool,
    pub stop: watch::Receiver<bool>,
}

/// Follows until the end.
pub async fn follow(mut following: Following) {
    // What is there now is what was activated.
    let _ = following.files.changed();
    let every = Duration::from_millis(if following.watch_ms == 0 { 3_600_000 } else { following.watch_ms });
    let mut stop = following.stop.clone();
    #[cfg(unix)]
    let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    loop {
        #[cfg(unix)]
        let (stopped, asked) = tokio::select! {
            stopped = pause(every, &mut stop) => (stopped, false),
            _ = hangup.recv() => (false, true),
        };
        #[cfg(not(unix))]
        let (stopped, asked) = (pause(every, &mut stop).await, false);
        if stopped {
            return;
        }
        if asked {
            following.keys();
        }
        if asked || following.watch_ms > 0 {
            following.look(asked).await;
        }
    }
}

impl Following {
    /// Takes the issuer's keys anew.
    fn keys(&self) {
        let Some(path) = &self.jwks else { return };
        let verifier = text(path).and_then(|jwks| Ok(Verifier::new(&jwks, self.parties.clone(), LEEWAY_SECONDS)?));
        match verifier {
            Ok(verifier) => {
                self.gateway.set_verifier(verifier);
                tracing::info!("the keys of tokens were read again");
            }
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "the keys of tokens were not taken; the earlier ones stay")
            }
        }
    }

    async fn look(&mut self, asked: bool) {
        let files = match self.files.changed() {
            None if asked => match &self.files.last {
                Some(last) => Ok(PackFiles(last.0.clone())),
                None => return,
            },
            None => return,
            Some(files) => files,
        };
        let now = self.clock.now();
        let outcome = match files {
            // Proving a pack takes a while: not on a thread that serves.
            Ok(files) => {
                let proved =
                    tokio::task::spawn_blocking(move || scruple_policy::activate(&files, SystemClock.now())).await;
                proved.map_err(anyhow::Error::from).and_then(|active| self.judge(active))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(active) => {
                let hash = active.pack.hash.to_string();
                self.gateway.set_policy(Policy::new(active), now);
                self.state.policy_is_good(true);
                tracing::info!(pack.hash = %hash, "policy activated");
                let _ = self.gateway.pipeline().note(now, "policy_activated", &[("policy", hash)]).await;
            }
            Err(error) => {
                self.state.policy_is_good(false);
                tracing::error!(error = %format!("{error:#}"), "the policy was not taken; the last good one stays");
                let hash = self.gateway.pipeline().policy().pack().hash.to_string();
                let _ = self.gateway.pipeline().note(now, "policy_refused", &[("stays", hash)]).await;
            }
        }
    }

    fn judge(&self, active: Result<Active, ActivationError>) -> Result<Arc<Active>> {
        let active = active.map_err(|error| match error {
            ActivationError::Refused(problems) => {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("the policy pack has errors: {}", list.join("; "))
            }
            error => error.into(),
        })?;
        anyhow::ensure!(
            self.allowed && active.pack.relationships == Relationships::Assumed,
            "its `relationships` cannot be served here"
        );
        Ok(Arc::new(active))
    }
}
