//! The policy of a running node. Without a folder, the active version of the database: every node looks four times a second and
//! takes a new one at once. With a folder, its files: read again on SIGHUP and when one changes. Where a new one cannot be proved
//! the last good one stays, and it is said: in the log, in `/readyz`, in the ledger (care-continues).

use super::ready::State;
use super::signals::Transmitter;
use super::tasks::{Hangup, pause};
use super::text;
use crate::config::Config;
use crate::pack;
use crate::state::SystemClock;
use anyhow::{Context as _, Result};
use scruple_api::Tokens;
use scruple_app::Desk;
use scruple_app::policy::{Found, InstallError, install_pack, overdue_roles, stored_pack};
use scruple_core::{Clock, PackHash, Timestamp};
use scruple_flow::PackOrigin;
use scruple_gateway::Gateway;
use scruple_identity::{LEEWAY_SECONDS, Parties, Verifier};
use scruple_policy::{ActivationError, Active, PackFiles, Relationships};
use scruple_release::Policy;
use scruple_seal::SystemRng;
use scruple_store::{ShardLease, Store, StoreError, active_pack_hash};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a node looks which version is active.
const ENACTED_EVERY: Duration = Duration::from_millis(250);
/// How often it is tried to put what was found into the history.
const INSTALL_ATTEMPTS: u32 = 3;
/// How often it is looked for mappings whose year is over.
const MAPPINGS_EVERY: Duration = Duration::from_secs(3_600);

/// Where a pack comes from, and what was read last.
pub struct PolicyFiles {
    dir: Option<PathBuf>,
    /// The shipped pack assumes relationships.
    assumes: bool,
    last: Option<PackFiles>,
    /// The last look found nothing that can be read.
    unreadable: bool,
}

impl PolicyFiles {
    /// From a folder, or the shipped one. Before the embedded hospital that one assumes relationships, unless the configuration says
    /// otherwise: nobody lives there, and every role is to be tried.
    pub fn of(config: &Config) -> Self {
        let assumes = config.upstream.url.is_none() && config.embedded.assume_relationships;
        Self { dir: config.policy.dir.clone(), assumes, last: None, unreadable: false }
    }

    /// Activates the pack at the start: any error ends the start.
    pub fn activate(&mut self) -> Result<Arc<Active>> {
        let shipped = self.dir.is_none();
        let files = pack::files(self.dir.as_deref())?;
        let files = if shipped && self.assumes { files.assuming_relationships() } else { files };
        let active = pack::activate_files(&files)?;
        self.last = Some(files);
        Ok(Arc::new(active))
    }

    /// Puts what was found into the history of the database, and takes the version that is active there: people may have decided
    /// on another one. A folder of the configuration is what its node decides by.
    pub async fn settle(
        &mut self,
        (store, lease): (&Store, &ShardLease),
        clock: &dyn Clock,
        found: Arc<Active>,
    ) -> Result<Arc<Active>> {
        let hash = self.install((store, lease), clock, &found).await?;
        if hash == found.pack.hash {
            return Ok(found);
        }
        let files = stored_pack(store, hash).await?;
        let active = pack::activate_files(&files).with_context(|| {
            format!("the active version of the policy, {hash}, does not stand under this release: start the earlier release, and propose a version that does")
        })?;
        self.last = Some(files);
        Ok(Arc::new(active))
    }

    async fn install(&self, of: (&Store, &ShardLease), clock: &dyn Clock, active: &Active) -> Result<PackHash> {
        let origin = if self.dir.is_some() { PackOrigin::Folder } else { PackOrigin::Shipped };
        let files = self.last.as_ref().context("no policy was read")?;
        let found = Found { pack: &active.pack, files };
        let mut attempts = INSTALL_ATTEMPTS;
        loop {
            attempts -= 1;
            match install_pack(of, clock, &mut SystemRng, &found, origin).await {
                Ok((hash, _)) => return Ok(hash),
                // Another node has been first; what it has made active is there now.
                Err(InstallError::Store(StoreError::Conflict(_) | StoreError::RowsAffected { .. })) if attempts > 0 => {
                }
                Err(error) => return Err(error.into()),
            }
        }
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
    /// The claim that names the device.
    pub device_claim: String,
    pub transmitter: Transmitter,
    /// What verifies the tokens of the API, and the names that these carry.
    pub api: (Arc<Tokens>, Parties),
    pub gateway: Arc<Gateway>,
    pub state: Arc<State>,
    pub clock: Arc<dyn Clock>,
    pub allowed: bool,
    pub stop: watch::Receiver<bool>,
    pub hangup: Hangup,
    pub store: Store,
    pub lease: ShardLease,
    /// The version that was not taken: it is not tried four times a second.
    pub refused: Option<PackHash>,
}

/// Follows until the end.
pub async fn follow(mut following: Following) {
    let is_folder = following.files.dir.is_some();
    let every = match following.watch_ms {
        _ if !is_folder => ENACTED_EVERY,
        0 => Duration::from_secs(3_600),
        millis => Duration::from_millis(millis),
    };
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
        if !is_folder {
            following.look_at_versions(asked).await;
        } else if asked || following.watch_ms > 0 {
            following.look(asked).await;
        }
    }
}

impl Following {
    /// Takes the issuer's keys anew.
    fn keys(&self) {
        self.transmitter.read_again();
        let Some(path) = &self.jwks else { return };
        let (tokens, api) = &self.api;
        let verifiers = text(path).and_then(|jwks| {
            let of = |parties: &Parties| Verifier::new(&jwks, parties.clone(), LEEWAY_SECONDS);
            Ok((of(&self.parties)?.with_device_claim(&self.device_claim), of(api)?))
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
        if let Some(active) = self.take(files).await
            && let Err(error) = self.files.install((&self.store, &self.lease), self.clock.as_ref(), &active).await
        {
            tracing::warn!(error = %format!("{error:#}"), "the policy decides, and does not stand in the history of versions");
        }
    }

    /// Takes the version that is active in the database, if it is another.
    async fn look_at_versions(&mut self, asked: bool) {
        // Where the database does not answer the feed says so, and nothing is decided anyway.
        let Ok(Some(hash)) = self.active_hash().await else { return };
        if hash == self.gateway.pipeline().policy().pack().hash {
            if self.refused.take().is_some() {
                self.state.policy_is_good(true);
            }
            return;
        }
        if self.refused == Some(hash) && !asked {
            return;
        }
        let files = stored_pack(&self.store, hash).await.map_err(anyhow::Error::from);
        self.refused = if self.take(files).await.is_some() { None } else { Some(hash) };
    }

    async fn active_hash(&self) -> Result<Option<PackHash>> {
        Ok(active_pack_hash(&mut self.store.begin_read().await?).await?)
    }

    /// Proves a pack and decides by it; the last good one stays where that fails.
    async fn take(&mut self, files: Result<PackFiles>) -> Option<Arc<Active>> {
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
                self.gateway.set_policy(Policy::new(Arc::clone(&active)), now);
                self.state.policy_is_good(true);
                tracing::info!(pack.hash = %hash, "policy activated");
                self.note(now, "policy_activated", ("policy", hash)).await;
                Some(active)
            }
            Err(error) => {
                self.state.policy_is_good(false);
                tracing::error!(error = %format!("{error:#}"), "the policy was not taken; the last good one stays");
                let hash = self.gateway.pipeline().policy().pack().hash.to_string();
                self.note(now, "policy_refused", ("stays", hash)).await;
                None
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

/// Opens reviews of the mappings whose year is over, until the end.
pub async fn keep_mappings(
    store: Store,
    lease: ShardLease,
    clock: Arc<dyn Clock>,
    gateway: Arc<Gateway>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let pack = Arc::clone(gateway.pipeline().policy().pack());
        let rng = &mut SystemRng;
        let mut desk = Desk { store: &store, lease: &lease, clock: clock.as_ref(), rng, rules: pack.as_ref() };
        match desk.open_due_mappings(&pack).await {
            Ok((0, _)) => {}
            Ok((opened, _)) => tracing::info!(opened, "mappings of roles are due to be looked at"),
            Err(error) => tracing::warn!(error = %error, "it was not looked for mappings that are due"),
        }
        match overdue_roles(&store, &pack, clock.now()).await {
            Ok(roles) => {
                if !roles.is_empty() {
                    tracing::warn!(
                        roles = roles.len(),
                        "roles are closed: nobody has looked in time at what they open"
                    );
                }
                gateway.pipeline().close_roles(roles);
            }
            // What was closed stays closed.
            Err(error) => tracing::warn!(error = %error, "it was not looked for roles whose mapping is overdue"),
        }
        if pause(MAPPINGS_EVERY, &mut stop).await {
            return;
        }
    }
}
