//! Connected systems: the ways to them by the configuration's file, and the worker that compares what they grant with what is held here.

use super::tasks::pause;
use super::{roots, secret, text};
use crate::config::SystemsConfig;
use anyhow::{Context as _, Result, bail};
use scruple_app::directory::{Connectors, Directory, SystemTimes, SystemsWork};
use scruple_app::ports::SystemConnector;
use scruple_connect::{ScimSystem, TableColumns, TableSystem, Web};
use scruple_core::Clock;
use scruple_flow::connected::SystemCode;
use scruple_seal::SystemRng;
use scruple_store::{ShardLease, Store};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often what is held here is compared with what was read last, and it is looked for what is due.
const WORK_EVERY: Duration = Duration::from_secs(2);
const MINUTE_MICROS: i64 = 60_000_000;

/// The file of connected systems.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ways {
    #[serde(default, rename = "system")]
    systems: Vec<Way>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
enum Way {
    Scim {
        code: String,
        url: String,
        token_file: PathBuf,
        ca_file: Option<PathBuf>,
    },
    File {
        code: String,
        path: PathBuf,
        #[serde(default = "account_header")]
        account: String,
        #[serde(default = "right_header")]
        right: String,
        active: Option<String>,
        #[serde(default = "comma")]
        delimiter: String,
    },
}

fn account_header() -> String {
    "account".to_owned()
}

fn right_header() -> String {
    "entitlement".to_owned()
}

fn comma() -> String {
    ",".to_owned()
}

impl Way {
    fn code(&self) -> &str {
        match self {
            Self::Scim { code, .. } | Self::File { code, .. } => code,
        }
    }
}

/// When systems are read, and when what is known of one is too old.
pub fn times(config: &SystemsConfig) -> SystemTimes {
    SystemTimes {
        every_micros: i64::from(config.read_minutes.max(1)).saturating_mul(MINUTE_MICROS),
        stale_micros: i64::from(config.stale_hours.max(1)).saturating_mul(60 * MINUTE_MICROS),
    }
}

/// The ways to the systems of a configuration.
pub fn connectors(config: &SystemsConfig) -> Result<Connectors> {
    let Some(path) = &config.file else { return Ok(Connectors::new()) };
    read(&text(path)?).with_context(|| format!("`systems.file` (`{}`)", path.display()))
}

fn read(text: &str) -> Result<Connectors> {
    let ways: Ways = toml::from_str(text)?;
    let mut connectors = Connectors::new();
    for way in &ways.systems {
        let code: SystemCode = way.code().parse()?;
        let connector = connector(way).with_context(|| format!("system `{code}`"))?;
        if connectors.insert(code.to_string(), connector).is_some() {
            bail!("system `{code}` is named twice");
        }
    }
    Ok(connectors)
}

fn connector(way: &Way) -> Result<Arc<dyn SystemConnector>> {
    Ok(match way {
        Way::Scim { url, token_file, ca_file, .. } => {
            let is_here = ["http://localhost", "http://127.0.0.1", "http://[::1]"]
                .iter()
                .any(|here| url.strip_prefix(here).is_some_and(|rest| rest.starts_with([':', '/'])));
            if !url.starts_with("https://") && !is_here {
                bail!("`url` is neither https nor on this machine: the token would cross the network in clear");
            }
            let web = Web::new(roots(ca_file.as_deref())?);
            Arc::new(ScimSystem::new(web, url, secret(token_file, "token_file")?))
        }
        Way::File { path, account, right, active, delimiter, .. } => {
            let [delimiter] = delimiter.as_bytes() else { bail!("`delimiter` is one letter of ASCII") };
            let columns = TableColumns { account: account.clone(), right: right.clone(), active: active.clone() };
            Arc::new(TableSystem::new(absolute(path)?, *delimiter, columns))
        }
    })
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("`{}`", path.display()))
}

/// What the worker needs.
pub struct Systems {
    pub store: Store,
    pub lease: ShardLease,
    pub clock: Arc<dyn Clock>,
    pub connectors: Connectors,
    pub times: SystemTimes,
}

impl Systems {
    /// Works until the end: each system by itself, so that one that hangs keeps no other waiting.
    pub async fn keep(self, stop: watch::Receiver<bool>) {
        let all = Arc::new(self);
        let mut workers = tokio::task::JoinSet::new();
        for code in all.connectors.keys().cloned() {
            workers.spawn(Arc::clone(&all).work(move |_, system| system == code, stop.clone()));
        }
        workers.spawn(all.work(|all, system| !all.connectors.contains_key(system), stop));
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = %error, "a worker of connected systems has ended");
            }
        }
    }

    async fn work(
        self: Arc<Self>,
        is_mine: impl Fn(&Self, &str) -> bool + Send + Sync + 'static,
        mut stop: watch::Receiver<bool>,
    ) {
        while !pause(WORK_EVERY, &mut stop).await {
            let mut rng = SystemRng;
            let mut directory = Directory::of_the_clock(&self.store, &self.lease, self.clock.as_ref(), &mut rng);
            let mut ended = stop.clone();
            let is_mine = |code: &str| is_mine(&self, code);
            // What is under way when the node stops is done again by whoever claims the system next, a quarter of an hour later at most.
            let worked = tokio::select! {
                worked = directory.work_on_systems(&self.connectors, self.times, &is_mine) => worked,
                _ = ended.wait_for(|stop| *stop) => return,
            };
            match worked {
                Ok(work) if work != SystemsWork::default() => {
                    let SystemsWork { read, failed, tried, judged, broken } = work;
                    tracing::info!(
                        read,
                        failed,
                        tried,
                        judged,
                        broken,
                        "connected systems are compared with what is held here"
                    );
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "connected systems are not compared with what is held here")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_whole_and_a_token_crosses_no_network_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "Zq7CANARY\n").unwrap();
        let scim = |code: &str, url: &str| {
            format!(
                "[[system]]\ncode = \"{code}\"\nkind = \"scim\"\nurl = \"{url}\"\ntoken_file = \"{}\"\n",
                token.display()
            )
        };
        let file = "[[system]]\ncode = \"pacs\"\nkind = \"file\"\npath = \"/var/lib/pacs/rights.csv\"\n";
        let found = read(&(scim("warehouse", "https://warehouse.example/scim/v2") + file)).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["pacs", "warehouse"]);
        assert!(read("").unwrap().is_empty());
        for wrong in [
            scim("warehouse", "http://warehouse.example/scim/v2"),
            scim("warehouse", "http://localhost.evil.example/scim/v2"),
            scim("Ware House", "https://warehouse.example/scim/v2"),
            scim("warehouse", "https://a.example") + &scim("warehouse", "https://b.example"),
            file.to_owned() + "delimiter = \";;\"\n",
            file.to_owned() + "token = \"x\"\n",
            file.replace("\"file\"", "\"ldap\""),
        ] {
            let error = read(&wrong).err().map(|error| format!("{error:#}")).expect(&wrong);
            assert!(!error.contains("Zq7CANARY"), "{error}");
        }
    }
}
