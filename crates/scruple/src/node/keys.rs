//! Keys in the state folder: the root key that all others are derived from, and the signing key of the demo's tokens.

use crate::state;
use anyhow::{Context as _, Result, bail};
use scruple_identity::{Issuer, Parties};
use scruple_seal::{RootKey, SystemRng};
use std::io::Write as _;
use std::path::Path;

const ROOT: &str = "root-key";

/// The root key of a node, made at first use.
pub fn root(dir: &Path) -> Result<RootKey> {
    Ok(RootKey::new(state::secret(dir, ROOT)?))
}

/// Whether there is a root key.
pub fn is_there(dir: &Path) -> bool {
    dir.join(ROOT).is_file()
}

/// The issuer of the demo's tokens, its key made at first use.
pub fn issuer(dir: &Path, parties: Parties) -> Result<Issuer> {
    let path = dir.join("demo-token-key.pem");
    match std::fs::read_to_string(&path) {
        Ok(pem) => Issuer::from_pem(parties, &pem.into()).with_context(|| format!("`{}`", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let issuer = Issuer::generate(parties, &mut SystemRng)?;
            private_file(&path, secrecy::ExposeSecret::expose_secret(&issuer.to_pem()).as_bytes())?;
            Ok(issuer)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Writes a file that only its owner reads; there must be none.
pub fn private_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = state::create_private(path)?;
    if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
        bail!("cannot write `{}`: {error}", path.display());
    }
    Ok(())
}
