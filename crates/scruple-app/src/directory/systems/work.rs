//! The worker: judges every system, tries what is to be removed, reads what is to be read, judges again. What it holds is in the
//! database, so that whoever comes after it goes on where it stopped.

use super::super::{Directory, DirectoryError};
use crate::limits::{SYSTEM_CLAIM_MICROS, SYSTEM_READ_TIMEOUT, SYSTEM_REMOVALS_MAX, SYSTEM_REMOVE_TIMEOUT};
use crate::ports::{NotRemoved, RemovalOrder, SystemConnector};
use scruple_flow::connected::{ConnectedSystem, ConnectorKind, Drift, ReadFailure, RemovalFailure};
use scruple_store::{StoreError, find_connected_system, find_system_right, list_connected_systems};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// The ways to connected systems, by their codes.
pub type Connectors = BTreeMap<String, Arc<dyn SystemConnector>>;

/// When systems are read, and when what is known of one is too old, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemTimes {
    /// Between two readings.
    pub every_micros: i64,
    /// From the last whole reading.
    pub stale_micros: i64,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SystemsWork {
    /// Systems that were read whole.
    pub read: usize,
    /// Readings that failed.
    pub failed: usize,
    /// Removals that were tried.
    pub tried: usize,
    /// What was found, asked, confirmed, closed.
    pub judged: usize,
    /// Systems that could not be worked on.
    pub broken: usize,
}

impl Directory<'_> {
    /// Works once on each connected system that is `is_mine` by its code. Done twice it is done once.
    ///
    /// # Errors
    /// The database failed; what was not finished is done again.
    pub async fn work_on_systems(
        &mut self,
        connectors: &Connectors,
        times: SystemTimes,
        is_mine: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<SystemsWork, DirectoryError> {
        let (mut work, mut after) = (SystemsWork::default(), None);
        loop {
            let page = list_connected_systems(&mut self.store.begin_read().await?, after).await?;
            let Some(last) = page.last() else { return Ok(work) };
            after = Some(last.id);
            for system in page.into_iter().filter(|system| is_mine(system.code.as_str())) {
                // What is wrong with one keeps no other waiting.
                if let Err(error) = self.work_on(&system, (connectors, times), &mut work).await {
                    tracing::warn!(system = %system.code, error = %error, "a connected system is not worked on");
                    work.broken += 1;
                }
            }
        }
    }

    async fn work_on(
        &mut self,
        system: &ConnectedSystem,
        (connectors, times): (&Connectors, SystemTimes),
        work: &mut SystemsWork,
    ) -> Result<(), DirectoryError> {
        work.judged += self.judge(system, times).await?;
        let connector = connectors.get(system.code.as_str()).filter(|connector| connector.kind() == system.kind);
        let has_removals = system.kind == ConnectorKind::Scim && !self.removals(system).await?.is_empty();
        let is_due = system.is_due(times.every_micros, self.clock.now());
        if !(is_due || has_removals && connector.is_some()) {
            return Ok(());
        }
        let now = self.clock.now();
        let until = now.plus_micros(SYSTEM_CLAIM_MICROS);
        if !self.store.claim_system(system.id, now, until).await? {
            return Ok(());
        }
        let done = self.remove_and_read(system, connector.map(Arc::as_ref), work).await;
        self.store.release_system(system.id, until).await?;
        done?;
        if let Some(system) = find_connected_system(&mut self.store.begin_read().await?, system.id).await? {
            work.judged += self.judge(&system, times).await?;
        }
        Ok(())
    }

    async fn remove_and_read(
        &mut self,
        system: &ConnectedSystem,
        connector: Option<&dyn SystemConnector>,
        work: &mut SystemsWork,
    ) -> Result<(), DirectoryError> {
        let Some(connector) = connector else {
            self.take_reading(system, self.clock.now(), Err(ReadFailure::NotConfigured)).await?;
            work.failed += 1;
            return Ok(());
        };
        if connector.kind() == ConnectorKind::Scim {
            for drift in self.removals(system).await?.into_iter().take(SYSTEM_REMOVALS_MAX) {
                work.tried += usize::from(self.try_removal(connector, drift).await?);
            }
        }
        // relies on (confirmed-is-read): the clock is read before the system is.
        let began = self.clock.now();
        let shown = timeout(SYSTEM_READ_TIMEOUT, connector.read()).await.unwrap_or(Err(ReadFailure::Timeout));
        match self.take_reading(system, began, shown).await {
            Ok(true) => work.read += 1,
            Ok(false) => work.failed += 1,
            // A later reading is known already.
            Err(DirectoryError::Changed) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn try_removal(&mut self, connector: &dyn SystemConnector, drift: Drift) -> Result<bool, DirectoryError> {
        let Some(account) = drift.account.clone() else { return Ok(false) };
        let right = match drift.right {
            Some(right) => find_system_right(&mut self.store.begin_read().await?, right).await?,
            None => None,
        };
        let order = RemovalOrder { account, right: right.map(|right| right.there) };
        let late = NotRemoved { failure: RemovalFailure::Timeout, wait_s: None };
        let answer = timeout(SYSTEM_REMOVE_TIMEOUT, connector.remove(&order)).await.unwrap_or(Err(late));
        let (failure, wait_s) = answer.err().map_or((None, None), |not| (Some(not.failure), not.wait_s));
        let at = self.clock.now();
        let tried = drift.tried(failure, wait_s, at)?;
        let mut tx = self.store.begin().await?;
        match self.put_drift(&mut tx, tried, ("removal_tried", None), at).await {
            Ok((_, record)) => self.commit(tx, &[record]).await?,
            // It was closed meanwhile: the reading that follows tells what is there.
            Err(DirectoryError::Changed | DirectoryError::Store(StoreError::Refused(_))) => return Ok(true),
            Err(error) => return Err(error),
        };
        Ok(true)
    }
}
