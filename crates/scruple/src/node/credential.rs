//! The file that holds the gateway's own credential for the server behind it.

use super::text;
use crate::config::Config;
use anyhow::{Context as _, Result};
use scruple_connect::Credential;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What the file holds.
#[derive(Clone, Copy)]
enum Kind {
    Bearer,
    Basic,
}

/// The file, and what it held at the last look.
pub struct CredentialFile {
    kind: Kind,
    path: PathBuf,
    last: Option<Zeroizing<String>>,
}

impl CredentialFile {
    /// That of the configuration, if it names one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(config: &Config) -> Result<Option<Self>> {
        let (kind, path) = match (&config.upstream.bearer_file, &config.upstream.basic_file) {
            (Some(path), _) => (Kind::Bearer, path.clone()),
            (None, Some(path)) => (Kind::Basic, path.clone()),
            (None, None) => return Ok(None),
        };
        let last = Some(Zeroizing::new(text(&path)?));
        Ok(Some(Self { kind, path, last }))
    }

    /// What was read last.
    ///
    /// # Errors
    /// It is no credential of its kind.
    pub fn credential(&self) -> Result<Credential> {
        let held = self.last.as_ref().map_or("", |text| text.trim());
        Ok(match self.kind {
            Kind::Bearer => Credential::Bearer(held.to_owned().into()),
            Kind::Basic => {
                let (user, password) = held.split_once(':').context("`upstream.basic_file` holds no user:password")?;
                Credential::Basic { user: user.to_owned(), password: password.to_owned().into() }
            }
        })
    }

    /// The credential, if the file holds another than at the last look, or cannot be read.
    pub fn look(&mut self) -> Option<Result<Credential>> {
        match text(&self.path) {
            Ok(now) if self.last.as_deref() == Some(&now) => None,
            Ok(now) => {
                self.last = Some(Zeroizing::new(now));
                Some(self.credential())
            }
            Err(error) => {
                self.last = None;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_is_read_and_one_that_does_not_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let mut config = Config::default();
        config.upstream.bearer_file = Some(path.clone());
        let mut file = CredentialFile::new(&config).unwrap().unwrap();
        assert!(file.look().is_none());
        std::fs::write(&path, "two\n").unwrap();
        assert!(file.look().unwrap().is_ok());
        assert!(file.look().is_none());
        std::fs::remove_file(&path).unwrap();
        assert!(file.look().unwrap().is_err());
        std::fs::write(&path, "two\n").unwrap();
        assert!(file.look().unwrap().is_ok(), "what is there again is taken again");
        config.upstream.bearer_file = None;
        config.upstream.basic_file = Some(path);
        assert!(CredentialFile::new(&config).unwrap().unwrap().credential().is_err());
    }
}
