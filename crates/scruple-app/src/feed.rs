//! [`FeedFollower`]: reads whose access has changed, and tells the cache.
//!
//! It only reads the event table; nothing is marked as seen in the database, so that any number of nodes can follow.

use crate::AccessCache;
use crate::limits::{FEED_POLL, FEED_POLL_TIMEOUT};
use crate::stop::stopped;
use scruple_core::Clock;
use scruple_store::{ShardVector, Store, StoreError};
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Follows the feed for one cache: one of it runs in each process.
pub struct FeedFollower {
    store: Store,
    cache: Arc<AccessCache>,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    failing: bool,
    /// Under this name it is noted how far this node has come.
    node: Option<String>,
}

/// Why one look at the feed brought nothing.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("the feed did not answer within {} ms", FEED_POLL_TIMEOUT.as_millis())]
    Timeout,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FeedFollower {
    /// A follower that looks at once when `wake` is notified, and every [`FEED_POLL`] otherwise.
    #[must_use]
    pub fn new(store: Store, cache: Arc<AccessCache>, clock: Arc<dyn Clock>, wake: Arc<Notify>) -> Self {
        Self { store, cache, clock, wake, failing: false, node: None }
    }

    /// Notes, under the name of the node, when what was taken back is refused here.
    #[must_use]
    pub fn noting(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    /// Looks once: evicts who is affected, and stamps the cache fresh from the start of the look.
    ///
    /// # Errors
    /// The database failed; the cache is as it was.
    pub async fn poll(&self) -> Result<(), StoreError> {
        let started = self.clock.now();
        let seen = self.cache.seen();
        let feed = self.store.subjects_since(&seen).await?;
        let (is_first, changed, vector) =
            (seen == ShardVector::default(), !feed.subjects.is_empty(), feed.vector.clone());
        self.cache.process(feed, started);
        if let Some(node) = self.node.as_deref().filter(|_| is_first || changed) {
            // It is a measure: what cannot be noted is refused all the same.
            if let Err(error) = self.store.note_applied(node, &vector, self.clock.now()).await {
                tracing::warn!(error = %error, "how far the access feed is applied cannot be noted");
            }
        }
        Ok(())
    }

    /// Follows until `stop` turns true. A failure makes the cache stale by itself; the next good look mends it.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let outcome = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                outcome = tokio::time::timeout(FEED_POLL_TIMEOUT, self.poll()) => outcome,
            };
            if !matches!(outcome, Ok(Ok(()))) {
                self.cache.missed(self.clock.now());
            }
            self.tell(outcome.map_err(|_| LookError::Timeout).and_then(|outcome| outcome.map_err(Into::into)));
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                _ = tokio::time::timeout(FEED_POLL, self.wake.notified()) => {}
            }
        }
    }

    /// One line for each change of state, not for each look.
    fn tell(&mut self, outcome: Result<(), LookError>) {
        match outcome {
            Ok(()) if self.failing => tracing::info!("access feed is read again"),
            Err(error) if !self.failing => {
                tracing::warn!(error = %error, "access feed cannot be read, nothing is decided until it can: {error}");
                self.failing = true;
                return;
            }
            Ok(()) => {}
            Err(_) => return,
        }
        self.failing = false;
    }
}

impl std::fmt::Debug for FeedFollower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedFollower").field("failing", &self.failing).finish_non_exhaustive()
    }
}
