//! The state folder of this account, the machine's clock, and the ledger and keys in the folder.

use anyhow::{Context as _, Result, bail};
use scruple_core::{Clock, Timestamp};
use scruple_ledger::{Ledger, OpenOptions};
use scruple_seal::{RootKey, Secret, SystemRng, TokenKey};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads the machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The default state folder: `$SCRUPLE_STATE`, else the account's.
pub fn folder() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(state) = from("SCRUPLE_STATE") {
        return Ok(state);
    }
    if let Some(state) = from("XDG_STATE_HOME") {
        return Ok(state.join("scruple"));
    }
    let home = from("HOME").context("no home folder: set SCRUPLE_STATE to a folder for the ledger and keys")?;
    Ok(home.join(".local/state/scruple"))
}

/// The folder of the ledger: the one given, or that of the state folder.
pub fn ledger_folder(given: Option<&Path>) -> Result<PathBuf> {
    Ok(match given {
        Some(dir) => dir.to_owned(),
        None => folder()?.join("ledger"),
    })
}

/// Opens the ledger, or makes it.
pub fn open_ledger(dir: &Path) -> Result<Ledger> {
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make folder `{}`", parent.display()))?;
    }
    Ledger::create_or_open(dir, OpenOptions::new("scruple/ledger", Arc::new(SystemClock)))
        .with_context(|| format!("cannot use the ledger in `{}`; nothing is released without it", dir.display()))
}

/// The key of pseudonyms, made at first use: the same value gets the same pseudonym as long as it is kept.
pub fn token_key() -> Result<TokenKey> {
    let dir = folder()?;
    let path = dir.join("token-key");
    let secret = match std::fs::read(&path) {
        Ok(bytes) => match Secret::from_slice(&bytes) {
            Some(secret) => secret,
            None => bail!("`{}` is no key of 32 bytes", path.display()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(&dir).with_context(|| format!("cannot make folder `{}`", dir.display()))?;
            let secret = Secret::generate(&mut SystemRng);
            let mut file = create_private(&path)?;
            file.write_all(secret.expose())
                .and_then(|()| file.sync_all())
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            secret
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    RootKey::new(secret).token().context("the key of pseudonyms does not work")
}

fn create_private(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("cannot write `{}`", path.display()))
}
