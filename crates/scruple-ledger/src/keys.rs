//! The keys of a ledger on disk: the key files, and one file per wrapped data key.
//!
//! A data key's file is durable before the key seals. Erasing one leaves a tombstone under its name, so that a key that
//! was destroyed is told from a key that was lost. What the disk keeps of overwritten blocks is the disk's: where that
//! matters, the KEK stands elsewhere and is changed.

use crate::error::{Damage, LedgerError, StorageError};
use crate::folder::{Folder, KEK, KEYS, SIGNER, VKEY};
use crate::note::{NoteSigner, NoteVerifier};
use crate::storage::Mode;
use rand_core::CryptoRng;
use scruple_core::Timestamp;
use scruple_seal::{FileKey, FreshKey, KeyId, KeyProvider, OpeningKey, SealError, SigningKey, WrappedKey};
use std::collections::HashMap;
use std::sync::Arc;

const WRAPPED: u8 = 1;
const ERASED: u8 = 2;
const CRC_BYTES: usize = 4;

/// A data key's file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoredKey {
    Wrapped(WrappedKey),
    Erased { id: KeyId, at: Timestamp },
}

impl StoredKey {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Wrapped(key) => [&[WRAPPED], key.to_bytes().as_slice()].concat(),
            Self::Erased { id, at } => [&[ERASED], id.0.as_slice(), &at.micros().to_be_bytes()].concat(),
        };
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let malformed = SealError::Malformed { what: "data key file" };
        let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(malformed.clone())?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return Err(malformed);
        }
        match body.split_first() {
            Some((&WRAPPED, key)) => Ok(Self::Wrapped(WrappedKey::from_bytes(key)?)),
            Some((&ERASED, rest)) => {
                let (id, at) = rest.split_first_chunk::<16>().ok_or(malformed.clone())?;
                let at = i64::from_be_bytes(at.try_into().map_err(|_| malformed)?);
                Ok(Self::Erased { id: KeyId(*id), at: Timestamp::from_micros(at) })
            }
            _ => Err(malformed),
        }
    }

    pub(crate) fn id(&self) -> KeyId {
        match self {
            Self::Wrapped(key) => key.scope().id,
            Self::Erased { id, .. } => *id,
        }
    }
}

pub(crate) fn key_name(id: KeyId) -> String {
    format!("{KEYS}/{id}")
}

/// Makes a data key and stores it wrapped, durably.
pub(crate) fn make_data_key(
    folder: &Folder,
    provider: &dyn KeyProvider,
    shard: u32,
    hour: i64,
    rng: &mut dyn CryptoRng,
) -> Result<FreshKey, LedgerError> {
    let key = FreshKey::generate(shard, hour, rng);
    let name = key_name(key.scope().id);
    let wrapped = WrappedKey::wrap(provider, &key, rng)
        .map_err(|source| LedgerError::Key { path: folder.path(&name), source })?;
    folder.replace_one(&name, &StoredKey::Wrapped(wrapped).to_bytes(), Mode::Secret)?;
    Ok(key)
}

/// Destroys a data key: puts the tombstone in its place, then overwrites the file that was there.
pub(crate) fn erase_data_key(folder: &Folder, id: KeyId, at: Timestamp) -> Result<(), LedgerError> {
    let name = key_name(id);
    let path = folder.path(&name);
    let bytes = folder.read(&name)?;
    let stored = StoredKey::from_bytes(&bytes).map_err(|source| LedgerError::Key { path: path.clone(), source })?;
    if matches!(stored, StoredKey::Erased { .. }) {
        return Ok(());
    }
    let tombstone = StoredKey::Erased { id, at }.to_bytes();
    let mut old = folder.open(&name)?;
    folder.replace_one(&name, &tombstone, Mode::Secret)?;
    let failed = |error| StorageError::new("overwrite", &path, error);
    old.write_at(0, &vec![0; bytes.len()]).map_err(failed)?;
    old.sync().map_err(failed)?;
    Ok(())
}

/// Reads a data key's file and checks that it is the one of its name.
pub(crate) fn read_stored(folder: &Folder, id: KeyId) -> Result<Option<StoredKey>, LedgerError> {
    let name = key_name(id);
    let Some(bytes) = folder.read_optional(&name)? else { return Ok(None) };
    match StoredKey::from_bytes(&bytes) {
        Ok(stored) if stored.id() == id => Ok(Some(stored)),
        Ok(_) => Err(Damage::new(&folder.path(&name), "holds another key than its name says").into()),
        Err(source) => Err(LedgerError::Key { path: folder.path(&name), source }),
    }
}

/// What is known of a data key when an entry is to be opened.
#[derive(Debug)]
pub(crate) enum Opening {
    Key(OpeningKey),
    Erased {
        at: Timestamp,
    },
    Missing,
    /// There is no provider to unwrap it with.
    Closed,
    Failed(String),
}

/// Data keys for reading, each unwrapped once.
pub(crate) struct KeyRing {
    provider: Option<Arc<dyn KeyProvider>>,
    keys: HashMap<KeyId, Opening>,
}

impl KeyRing {
    /// Keys kept at a time: a month of hours.
    const KEYS_MAX: usize = 1024;

    pub(crate) fn new(provider: Option<Arc<dyn KeyProvider>>) -> Self {
        Self { provider, keys: HashMap::new() }
    }

    pub(crate) fn provider(&self) -> Option<&Arc<dyn KeyProvider>> {
        self.provider.as_ref()
    }

    pub(crate) fn get(&mut self, folder: &Folder, id: KeyId) -> &Opening {
        if self.keys.len() >= Self::KEYS_MAX && !self.keys.contains_key(&id) {
            self.keys.clear();
        }
        let provider = self.provider.as_deref();
        self.keys.entry(id).or_insert_with(|| match (read_stored(folder, id), provider) {
            (Ok(None), _) => Opening::Missing,
            (Ok(Some(StoredKey::Erased { at, .. })), _) => Opening::Erased { at },
            (Ok(Some(StoredKey::Wrapped(_))), None) => Opening::Closed,
            (Ok(Some(StoredKey::Wrapped(key))), Some(provider)) => match key.unwrap(provider) {
                Ok(key) => Opening::Key(key),
                Err(error) => Opening::Failed(error.to_string()),
            },
            (Err(error), _) => Opening::Failed(crate::report::chain(&error)),
        })
    }
}

/// The keys that a ledger writes with.
pub(crate) struct LogKeys {
    pub provider: Arc<dyn KeyProvider>,
    pub signer: NoteSigner,
}

fn read_text<T>(
    folder: &Folder,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, SealError>,
) -> Result<Option<T>, LedgerError> {
    let Some(bytes) = folder.read_optional(name)? else { return Ok(None) };
    let bytes = zeroize::Zeroizing::new(bytes);
    std::str::from_utf8(&bytes)
        .map_err(|_| SealError::Malformed { what: "key file" })
        .and_then(parse)
        .map(Some)
        .map_err(|source| LedgerError::Key { path: folder.path(name), source })
}

/// The KEK in the folder, if it is there.
pub(crate) fn read_kek(folder: &Folder) -> Result<Option<FileKey>, LedgerError> {
    read_text(folder, KEK, FileKey::parse)
}

/// The signing key in the folder, if it is there.
pub(crate) fn read_signer(folder: &Folder) -> Result<Option<NoteSigner>, LedgerError> {
    read_text(folder, SIGNER, NoteSigner::parse)
}

/// The public key in the folder, if it is there; its text must be exactly one line.
pub(crate) fn read_vkey(folder: &Folder) -> Result<Option<NoteVerifier>, LedgerError> {
    read_text(folder, VKEY, |text| {
        let verifier = NoteVerifier::parse(text)?;
        let exact = format!("{}\n", verifier.to_text()) == text;
        if exact { Ok(verifier) } else { Err(SealError::Malformed { what: "verifier key" }) }
    })
}

/// Reads the keys of an existing ledger.
pub(crate) fn read_log_keys(folder: &Folder, provider: Option<Arc<dyn KeyProvider>>) -> Result<LogKeys, LedgerError> {
    let missing = |name: &str| Damage::new(&folder.path(name), "is missing");
    let provider = match provider {
        Some(provider) => provider,
        None => Arc::new(read_kek(folder)?.ok_or_else(|| missing(KEK))?),
    };
    let signer = read_signer(folder)?.ok_or_else(|| missing(SIGNER))?;
    let public = read_vkey(folder)?.ok_or_else(|| missing(VKEY))?;
    if public != signer.verifier() {
        return Err(Damage::new(&folder.path(VKEY), "does not belong to the signing key").into());
    }
    Ok(LogKeys { provider, signer })
}

/// Makes the keys that are not there yet.
pub(crate) fn create_log_keys(
    folder: &Folder,
    name: &str,
    provider: Option<Arc<dyn KeyProvider>>,
    rng: &mut dyn CryptoRng,
) -> Result<LogKeys, LedgerError> {
    if provider.is_none() && read_kek(folder)?.is_none() {
        folder.replace_one(KEK, FileKey::generate(rng).to_text().as_bytes(), Mode::Secret)?;
    }
    if read_signer(folder)?.is_none_or(|signer| signer.name() != name) {
        let key = SigningKey::generate(rng).map_err(|source| LedgerError::Key { path: folder.path(SIGNER), source })?;
        let signer = NoteSigner::new(name, key)
            .ok_or(LedgerError::Option("`name` must not be empty, nor have white space or a plus sign"))?;
        folder.replace_one(SIGNER, signer.to_text().as_bytes(), Mode::Secret)?;
    }
    if let Some(signer) = read_signer(folder)? {
        let text = format!("{}\n", signer.verifier().to_text());
        folder.replace_one(VKEY, text.as_bytes(), Mode::Common)?;
    }
    read_log_keys(folder, provider)
}

/// The sixteen bytes that tie a segment to its log.
pub(crate) fn log_id(verifier: &NoteVerifier) -> [u8; 16] {
    let hash = crate::tree::leaf_hash(verifier.to_text().as_bytes());
    hash.0.first_chunk::<16>().copied().unwrap_or_default()
}
