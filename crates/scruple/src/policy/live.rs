//! What a policy command asks of a node: its database, its ledger, the packs by which it has decided, and who holds what.

use crate::config::Config;
use crate::node::{existing_store, ledger_folder};
use crate::pack;
use crate::state::SystemClock;
use anyhow::{Context as _, Result};
use clap::Args;
use scruple_app::policy::{KnownPacks, ProvedPack, stored_pack};
use scruple_core::{Clock as _, Id, PackHash, Timestamp};
use scruple_flow::PackVersion;
use scruple_policy::PackFiles;
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{HeldGrant, Person, Store, active_pack_as_of, find_person, grants_as_of, list_packs, list_persons};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Which node.
#[derive(Args)]
pub struct NodeArgs {
    /// Configuration of the node
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A node that has run already; it may be running.
pub struct Live {
    pub store: Store,
    pub ledger: PathBuf,
    /// The folder by which the node decides, if its configuration names one.
    pub folder: Option<PathBuf>,
}

impl Live {
    pub async fn open(args: &NodeArgs) -> Result<Self> {
        let config = Config::load(args.config.as_deref())?;
        let (ledger, folder) = (ledger_folder(&config)?, config.policy.dir.clone());
        Ok(Self { store: existing_store(&config).await?, ledger, folder })
    }

    /// The version that is active now.
    pub async fn active(&self) -> Result<PackVersion> {
        let found = active_pack_as_of(&mut self.store.begin_read().await?, SystemClock.now()).await?;
        found.context("no version of the policy is active here: start `scruple serve` once")
    }

    /// The active pack, proved.
    pub async fn active_pack(&self) -> Result<Arc<ProvedPack>> {
        self.pack(self.active().await?.hash).await
    }

    /// A pack of the history, proved.
    pub async fn pack(&self, hash: PackHash) -> Result<Arc<ProvedPack>> {
        Ok(Arc::new(proved(stored_pack(&self.store, hash).await?)?))
    }

    /// All versions, oldest first.
    pub async fn versions(&self) -> Result<Vec<PackVersion>> {
        let mut tx = self.store.begin_read().await?;
        let mut all: Vec<PackVersion> = Vec::new();
        loop {
            let page = list_packs(&mut tx, all.last().map(|last| last.id), PAGE_ROWS_MAX).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// The packs by which this node has decided since an instant, as far as this release can prove them.
    pub async fn known(&self, since: Timestamp) -> Result<KnownPacks> {
        use scruple_flow::PackState::{Active, Superseded};
        let mut known = KnownPacks::default();
        let mut seen = BTreeSet::new();
        for version in self.versions().await? {
            let was_active = match &version.state {
                Active(_) => true,
                Superseded { until, .. } => *until > since,
                _ => false,
            };
            if was_active && seen.insert(version.hash.to_string()) {
                // What an earlier release has proved and this one does not is told as unknown, access by access.
                if let Ok(pack) = self.pack(version.hash).await {
                    known = known.with(pack);
                }
            }
        }
        Ok(known)
    }

    /// The grants in force at an instant.
    pub async fn grants(&self, at: Timestamp) -> Result<Vec<HeldGrant>> {
        let mut tx = self.store.begin_read().await?;
        let mut all: Vec<HeldGrant> = Vec::new();
        loop {
            let page = grants_as_of(&mut tx, at, all.last().map(|last| last.id), PAGE_ROWS_MAX).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Everybody who is here at an instant, by login.
    pub async fn people(&self, at: Timestamp) -> Result<BTreeMap<Id<Person>, String>> {
        let mut tx = self.store.begin_read().await?;
        let mut people = BTreeMap::new();
        let mut last: Option<Id<Person>> = None;
        loop {
            let page = list_persons(&mut tx, last).await?;
            let Some(end) = page.last() else { return Ok(people) };
            last = Some(end.id);
            let here = page.iter().filter(|person| person.left_at.is_none_or(|left| left > at));
            people.extend(here.map(|person| (person.id, person.login.expose().clone())));
        }
    }

    /// Everybody who is here, by login, with the roles that he holds at an instant.
    pub async fn held(&self, at: Timestamp) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let people = self.people(at).await?;
        let mut held: BTreeMap<String, BTreeSet<String>> =
            people.values().map(|login| (login.clone(), BTreeSet::new())).collect();
        for grant in self.grants(at).await? {
            if let Some(roles) = people.get(&grant.person).and_then(|login| held.get_mut(login)) {
                roles.insert(grant.role.to_string());
            }
        }
        Ok(held)
    }

    /// The login of a person, for words.
    pub async fn login(&self, id: Id<Person>) -> Result<String> {
        let person = find_person(&mut self.store.begin_read().await?, id).await?;
        Ok(person.map_or_else(|| id.to_string(), |person| person.login.expose().clone()))
    }
}

/// A pack, proved, or every error of it.
pub fn proved(files: PackFiles) -> Result<ProvedPack> {
    let active = pack::activate_files(&files)?;
    Ok(ProvedPack { files, active })
}

/// The pack of a folder, proved.
pub fn of_folder(dir: &Path) -> Result<Arc<ProvedPack>> {
    Ok(Arc::new(proved(pack::files(Some(dir))?)?))
}

/// The last days until now.
pub fn last_days(days: u32) -> (Timestamp, Timestamp) {
    let now = SystemClock.now();
    (now.plus_micros(-i64::from(days) * DAY_MICROS), now.plus_micros(1))
}
