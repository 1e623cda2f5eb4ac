//! The state folder of this account, the machine's clock, and the ledger and keys in the folder.

use crate::terminal;
use anyhow::{Context as _, Result, anyhow, bail};
use scruple_core::{Clock, Timestamp};
use scruple_ledger::{Ledger, LedgerError, OpenOptions};
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
    Ledger::create_or_open(dir, OpenOptions::new("scruple/ledger", Arc::new(SystemClock))).map_err(|error| {
        let advice = match &error {
            LedgerError::Locked(_) => "; wait until that ends, or name another ledger with --ledger",
            LedgerError::Damaged(_) => "; `scruple ledger verify` tells all that is wrong",
            _ => "",
        };
        let why = terminal::chain(&error);
        anyhow!("nothing is released without the ledger in `{}`: {why}{advice}", dir.display())
    })
}

/// The key of pseudonyms, made at first use: the same value gets the same pseudonym as long as it is kept.
pub fn token_key() -> Result<TokenKey> {
    RootKey::new(secret(&folder()?, "token-key")?).token().context("the key of pseudonyms does not work")
}

/// A secret of 32 bytes in a folder, made at first use.
pub fn secret(dir: &Path, name: &str) -> Result<Secret> {
    let path = dir.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => match Secret::from_slice(&bytes) {
            Some(secret) => Ok(secret),
            None => bail!("`{}` is no key of 32 bytes", path.display()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make folder `{}`", dir.display()))?;
            make_secret(dir, name)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Makes the key whole under a name of its own first: who comes at the same time, or after a crash, finds all of it or none.
fn make_secret(dir: &Path, name: &str) -> Result<Secret> {
    let path = dir.join(name);
    let secret = Secret::generate(&mut SystemRng);
    let own = dir.join(format!("{name}.{}", std::process::id()));
    let mut file = create_private(&own)?;
    let linked =
        file.write_all(secret.expose()).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&own, &path));
    std::fs::remove_file(&own).with_context(|| format!("cannot remove `{}`", own.display()))?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            Secret::from_slice(&bytes).with_context(|| format!("`{}` is no key of 32 bytes", path.display()))
        }
        linked => linked.map(|()| secret).with_context(|| format!("cannot write `{}`", path.display())),
    }
}

/// Makes a folder that only its owner reads, unless it is there, and those above it.
pub fn make_private(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).with_context(|| format!("cannot make folder `{}`", dir.display()))
}

/// Makes a file that only its owner reads; there must be none.
pub fn create_private(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("cannot write `{}`", path.display()))
}
