//! What goes on beside the requests: the lease, recovery of the ledger, signals.

use super::{LEASE_EVERY, LEASE_MICROS};
use crate::state::SystemClock;
use anyhow::{Context as _, Result};
use scruple_connect::{Credential, HttpUpstream};
use scruple_core::{Clock, Entry, EntryBody};
use scruple_ledger::{MergedReserve, Notices, Recorder, RefusedCounts};
use scruple_store::{ShardLease, Store};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is asked whether the ledger needs recovery.
const RECOVER_EVERY: Duration = Duration::from_secs(2);

/// How often the file of the upstream's credential is looked at.
const CREDENTIAL_EVERY: Duration = Duration::from_secs(2);

/// The entries that tell of an outage of the ledger.
pub struct Words;

fn notice(code: &str, facts: BTreeMap<String, String>) -> Vec<u8> {
    let body = EntryBody::Notice { code: code.to_owned(), facts };
    Entry::new(SystemClock.now(), body).to_bytes().unwrap_or_default()
}

impl Notices for Words {
    fn refused(&self, refused: &RefusedCounts) -> Vec<u8> {
        let mut facts: BTreeMap<String, String> =
            refused.iter().map(|(code, count)| (format!("refused {code}"), count.to_string())).collect();
        if let Some((first, last)) = refused.between() {
            facts.insert("first".to_owned(), first.to_string());
            facts.insert("last".to_owned(), last.to_string());
        }
        notice("refused_while_ledger_was_down", facts)
    }

    fn merged(&self, merged: &MergedReserve) -> Vec<u8> {
        let facts =
            [("entries".to_owned(), merged.entries.to_string()), ("shard".to_owned(), merged.shard.to_string())];
        notice("ledger_reserve_merged", facts.into())
    }
}

/// Holds the shard until the end.
pub async fn hold_lease(store: Store, lease: ShardLease, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    while !pause(LEASE_EVERY, &mut stop).await {
        if let Err(error) = store.extend_shard(&lease, clock.now().plus_micros(LEASE_MICROS)).await {
            tracing::warn!(error = %error, "the lease of the shard was not extended");
        }
    }
}

/// Brings the ledger back after a fault, as often as it takes.
pub async fn recover(recorder: Arc<Recorder>, mut stop: watch::Receiver<bool>) {
    let mut failing = false;
    while !pause(RECOVER_EVERY, &mut stop).await {
        if !recorder.needs_recovery() {
            failing = false;
            continue;
        }
        let task = Arc::clone(&recorder);
        match tokio::task::spawn_blocking(move || task.recover()).await {
            Ok(Ok(done)) => {
                failing = false;
                tracing::info!(
                    reopened = done.reopened,
                    reserves = done.merged.len(),
                    refused = done.refused,
                    "the ledger is back"
                );
            }
            Ok(Err(error)) if !failing => {
                failing = true;
                tracing::error!(error = %crate::terminal::chain(&error), "the ledger does not write; treatment is recorded in the reserve, all else is refused");
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

/// Looks once whether the server behind us is one: a base that is wrong would else look like records that are not there.
pub async fn probe(upstream: Arc<HttpUpstream>) {
    match upstream.probe().await {
        Ok(probe) => tracing::info!(
            upstream.fhir_version = %probe.fhir_version,
            upstream.software = probe.software.as_deref().unwrap_or("unnamed"),
            upstream.post_search = ?probe.post_search,
            "the upstream answers"
        ),
        Err(error) => tracing::warn!(
            error = %crate::terminal::chain(&error),
            "the upstream gives no CapabilityStatement of FHIR R4 under /metadata: is the path of `upstream.url` right?"
        ),
    }
}

/// Shows the server the credential that its file holds now: tokens of most servers end within the hour, and something else
/// writes the next one. Whatever cannot be read or sent leaves the earlier one in its place, and is said once.
pub async fn renew_credential<R>(upstream: Arc<HttpUpstream>, mut read: R, mut stop: watch::Receiver<bool>)
where
    R: FnMut() -> Option<Result<Credential>> + Send,
{
    let mut failing = false;
    while !pause(CREDENTIAL_EVERY, &mut stop).await {
        let Some(credential) = read() else { continue };
        match credential.and_then(|credential| {
            upstream.set_credential(&credential).context("what `upstream.bearer_file` or `basic_file` holds")
        }) {
            Ok(()) => {
                failing = false;
                tracing::info!("the credential for the upstream was read again");
            }
            Err(error) if !failing => {
                failing = true;
                tracing::error!(error = %format!("{error:#}"), "the credential for the upstream was not taken; the earlier one stays");
            }
            Err(_) => {}
        }
    }
}

/// Waits; true if it is time to stop.
pub async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    let stopped = tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await;
    stopped.is_ok()
}

/// The signals that a node follows, from the moment that this is made.
pub struct Signals {
    /// Resolves when it is time to stop.
    pub stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Asks for policy and keys to be read again.
    pub hangup: Hangup,
}

/// SIGHUP, where there is such a thing.
pub struct Hangup(#[cfg(unix)] tokio::signal::unix::Signal);

impl Hangup {
    /// Waits for the next.
    pub async fn recv(&mut self) {
        #[cfg(unix)]
        if self.0.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

impl Signals {
    /// Begins to follow them.
    pub fn new() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let stop = Box::pin(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            Ok(Self { stop, hangup: Hangup(signal(SignalKind::hangup())?) })
        }
        #[cfg(not(unix))]
        {
            let stop = Box::pin(async {
                let _ = tokio::signal::ctrl_c().await;
            });
            Ok(Self { stop, hangup: Hangup() })
        }
    }
}
