//! The policy of a running node: read again on SIGHUP and when a file changes. Where the new one has errors the last good
//! one stays, and it is said: in the log, in `/readyz`, in the ledger.

use super::ready::State;
use super::tasks::{Hangup, pause};
use super::text;
use crate::pack;
use crate::state::SystemClock;
use anyhow::Result;
use scruple_api::Tokens;
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
    /// The records are those of the embedded hospital.
    synthetic: bool,
    last: Option<PackFiles>,
    /// The last look found nothing that can be read.
    unreadable: bool,
}

impl PolicyFiles {
    /// From a folder, or the shipped one. Before the embedded hospital that one assumes relationships: nobody lives there, and
    /// every role is to be tried.
    pub const fn new(dir: Option<PathBuf>, synthetic: bool) -> Self {
        Self { dir, synthetic, last: None, unreadable: false }
    }

    /// Activates the pack at the start: any error ends the start.
    pub fn activate(&mut self) -> Result<Arc<Active>> {
        let shipped = self.dir.is_none();
        let files = pack::files(self.dir.as_deref())?;
        let files = if shipped && self.synthetic { files.assuming_relationships() } else { files };
        let active = pack::activate_files(&files)?;
        self.last = Some(files);
        Ok(Arc::new(active))
    }

    /// The files, if they are others than at the last look, or if they are `asked` for. A folder that cannot be read is
    /// told once, and what is there once it can is looked at anew.
    fn look(&mut self, asked: bool) -> Option<Result<PackFiles>> {
        let dir = self.dir.as_deref()?;
        let was_unreadable = self.unreadable;
        match pack::files(Some(dir)) {
            Ok(files) => {
                let same = !was_unreadable && self.last.as_ref().is_some_and(|last| last.0 == files.0);
                self.unreadable = false;
                self.last = Some(PackFiles(files.0.clone()));
                (asked || !same).then_some(Ok(files))
            }
            Err(error) => {
                self.unreadable = true;
                (asked || !was_unreadable).then_some(Err(error))
            }
        }
    }
}

/// What follows the policy's files.
pub struct Following {
    pub files: PolicyFiles,
    pub watch_ms: u64,
    pub jwks: Option<PathBuf>,
    pub parties: Parties,
    /// What verifies the tokens of the API, and the names that these carry.
    pub api: (Arc<Tokens>, Parties),
    pub gateway: Arc<Gateway>,
    pub state: Arc<State>,
    pub clock: Arc<dyn Clock>,
    pub allowed: bool,
    pub stop: watch::Receiver<bool>,
    pub hangup: Hangup,
}

/// Follows until the end.
pub async fn follow(mut following: Following) {
    let every = Duration::from_millis(if following.watch_ms == 0 { 3_600_000 } else { following.watch_ms });
    let mut stop = following.stop.clone();
    loop {
        let (stopped, asked) = tokio::select! {
            stopped = pause(every, &mut stop) => (stopped, false),
            () = following.hangup.recv() => (false, true),
        };
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
        let (tokens, api) = &self.api;
        let verifiers = text(path).and_then(|jwks| {
            let of = |parties: &Parties| Verifier::new(&jwks, parties.clone(), LEEWAY_SECONDS);
            Ok((of(&self.parties)?, of(api)?))
        });
        match verifiers {
            Ok((verifier, api)) => {
                self.gateway.set_verifier(verifier);
                tokens.set_verifier(api);
                tracing::info!("the keys of tokens were read again");
            }
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "the keys of tokens were not taken; the earlier ones stay")
            }
        }
    }

    async fn look(&mut self, asked: bool) {
        let Some(files) = self.files.look(asked) else { return };
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
                self.note(now, "policy_activated", ("policy", hash)).await;
            }
            Err(error) => {
                self.state.policy_is_good(false);
                tracing::error!(error = %format!("{error:#}"), "the policy was not taken; the last good one stays");
                let hash = self.gateway.pipeline().policy().pack().hash.to_string();
                self.note(now, "policy_refused", ("stays", hash)).await;
            }
        }
    }

    async fn note(&self, now: Timestamp, code: &str, fact: (&str, String)) {
        if let Err(error) = self.gateway.pipeline().note(now, code, &[fact]).await {
            tracing::warn!(code, error = %error, "a notice of the policy is not in the ledger");
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
            match active.pack.relationships {
                Relationships::Resolved => true,
                Relationships::Assumed => self.allowed,
                Relationships::Asserted => false,
            },
            "its `relationships` cannot be served here"
        );
        Ok(Arc::new(active))
    }
}
