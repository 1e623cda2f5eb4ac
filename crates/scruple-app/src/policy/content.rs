//! The content of a version: its files as one canonical text, and a pack that was proved from them.

use scruple_core::{PackHash, Timestamp};
use scruple_policy::{ActivationError, Active, PackFiles, Side, activate};
use scruple_store::{Store, StoreError, find_pack_content};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a stored pack is not had.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The content is no pack's, or of another hash.
    #[error("the stored content of policy {} is not what its hash says", .0)]
    Damaged(PackHash),
    /// It is not stored.
    #[error("the content of policy {} is not stored", .0)]
    Missing(PackHash),
    /// It is refused, or not proved.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// The database failed.
    #[error("the content of a policy cannot be read")]
    Store(#[from] StoreError),
}

/// The files of a pack as stored bytes: the same files are the same bytes.
#[must_use]
pub fn pack_bytes(files: &PackFiles) -> Vec<u8> {
    let object: serde_json::Map<String, serde_json::Value> =
        files.0.iter().map(|(name, text)| (name.clone(), text.clone().into())).collect();
    serde_json::Value::Object(object).to_string().into_bytes()
}

/// The files of stored bytes, if they are those of the hash.
///
/// # Errors
/// They are not.
pub fn pack_files(bytes: &[u8], hash: PackHash) -> Result<PackFiles, ContentError> {
    let files: BTreeMap<String, String> = serde_json::from_slice(bytes).map_err(|_| ContentError::Damaged(hash))?;
    let files = PackFiles(files);
    if files.hash() == hash { Ok(files) } else { Err(ContentError::Damaged(hash)) }
}

/// The files of a stored pack.
///
/// # Errors
/// See [`ContentError`].
pub async fn stored_pack(store: &Store, hash: PackHash) -> Result<PackFiles, ContentError> {
    let bytes = find_pack_content(&mut store.begin_read().await?, hash).await?;
    pack_files(&bytes.ok_or(ContentError::Missing(hash))?, hash)
}

/// A pack that was read, checked and proved by this build, with its files.
pub struct ProvedPack {
    /// Its files.
    pub files: PackFiles,
    /// What decides by it.
    pub active: Active,
}

impl ProvedPack {
    /// Reads, checks and proves it: it takes a while, and is not for a thread that serves.
    ///
    /// # Errors
    /// It has errors, or is not proved.
    pub fn prove(files: PackFiles, at: Timestamp) -> Result<Self, ActivationError> {
        let active = activate(&files, at)?;
        Ok(Self { files, active })
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> PackHash {
        self.active.pack.hash
    }

    /// As one side of a comparison.
    #[must_use]
    pub fn side(&self) -> Side<'_> {
        Side { files: &self.files, pack: &self.active.pack }
    }
}

/// Packs by which recorded decisions were made, by their hash as the ledger writes it.
#[derive(Clone, Default)]
pub struct KnownPacks(BTreeMap<String, Arc<ProvedPack>>);

impl KnownPacks {
    /// With a pack more.
    #[must_use]
    pub fn with(mut self, pack: Arc<ProvedPack>) -> Self {
        self.0.insert(pack.hash().to_string(), pack);
        self
    }

    pub(super) fn get(&self, hash: &str) -> Option<&Arc<ProvedPack>> {
        self.0.get(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_pack_come_back_from_their_bytes_and_no_others_do() {
        let files = PackFiles::embedded();
        let bytes = pack_bytes(&files);
        assert_eq!(bytes, pack_bytes(&files.clone()));
        assert_eq!(pack_files(&bytes, files.hash()).unwrap(), files);
        let other = PackHash([1; 32]);
        for (bytes, hash) in [(&bytes[..], other), (b"{}", files.hash()), (b"[1]", files.hash()), (b"", other)] {
            assert!(matches!(pack_files(bytes, hash), Err(ContentError::Damaged(_))));
        }
    }
}
