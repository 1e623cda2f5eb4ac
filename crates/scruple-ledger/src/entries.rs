//! Reads entries back, in order of the index, and opens their payloads.

use crate::error::{Damage, LedgerError};
use crate::folder::{CHECKPOINT, Folder};
use crate::frame::Origin;
use crate::keys::{KeyRing, Opening, log_id, read_kek, read_vkey};
use crate::scan::scan;
use crate::storage::Storage;
use crate::tree::{Bundle, Hash, TILE_WIDTH, bundle_path, leaf_hash};
use scruple_core::Timestamp;
use scruple_seal::{Envelope, KeyId, KeyProvider, Place};
use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Looks at the segments of a ledger in use, until one look was not disturbed.
const SCANS_MAX: usize = 16;

/// What became of a payload.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// Its bytes.
    Open(Vec<u8>),
    /// Its data key was destroyed.
    Erased {
        /// When.
        at: Timestamp,
    },
    /// There is no key-encryption key to open it with.
    Closed,
    /// It does not open.
    Failed(String),
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(bytes) => write!(f, "Open({} bytes)", bytes.len()),
            Self::Erased { at } => write!(f, "Erased({at})"),
            Self::Closed => f.write_str("Closed"),
            Self::Failed(what) => write!(f, "Failed({what})"),
        }
    }
}

/// One entry as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryRead {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// The data key that it is sealed with.
    pub key: KeyId,
    /// Its payload.
    pub payload: Payload,
}

/// An iterator over entries.
pub struct Entries {
    folder: Folder,
    ring: KeyRing,
    next: u64,
    /// Entries in bundles.
    size: u64,
    /// Entries of the bundle at hand, from `next` on.
    bundle: VecDeque<Vec<u8>>,
    /// Entries behind the bundles.
    frames: VecDeque<Vec<u8>>,
    failed: bool,
}

/// The entries of the ledger in `dir` from index `from` on, as they are at this moment. The ledger may be in use.
/// `provider` `None`: the folder's own key-encryption key if it is there, else payloads stay closed.
///
/// It reads; it does not verify.
///
/// # Errors
/// There is no ledger, or it cannot be read.
pub fn entries(
    dir: &Path,
    storage: Arc<dyn Storage>,
    provider: Option<Arc<dyn KeyProvider>>,
    from: u64,
) -> Result<Entries, LedgerError> {
    let folder = Folder::new(dir, storage);
    let provider = match provider {
        Some(provider) => Some(provider),
        None => read_kek(&folder)?.map(|key| Arc::new(key) as Arc<dyn KeyProvider>),
    };
    let verifier = read_vkey(&folder)?.ok_or_else(|| LedgerError::Missing(dir.to_owned()))?;
    let mut attempts = SCANS_MAX;
    let (first, mut frames, size) = loop {
        let mut frames = VecDeque::new();
        let mut first = None;
        let scanned = scan(&folder, log_id(&verifier), &mut |_, _, frame| {
            first.get_or_insert(frame.index);
            frames.push_back(frame.entry.to_vec());
            Ok(())
        });
        let bytes = folder.read_optional(CHECKPOINT)?.ok_or_else(|| LedgerError::Missing(dir.to_owned()))?;
        let checkpoint =
            verifier.open(&bytes).map_err(|error| Damage::new(&folder.path(CHECKPOINT), error.to_string()))?;
        attempts -= 1;
        match scanned {
            Ok(_) => break (first, frames, checkpoint.size),
            // In use, a segment may have gone, or be half written, while it was read: what stood behind it is not known
            // yet.
            Err(_) if matches!(folder.try_lock(), Ok(None)) && attempts > 0 => {}
            Err(_) if matches!(folder.try_lock(), Ok(None)) => break (first, frames, checkpoint.size),
            Err(error) => return Err(error),
        }
    };
    if let Some(first) = first {
        let below = size.saturating_sub(first).min(frames.len() as u64);
        frames.drain(..usize::try_from(below).unwrap_or(0));
        let skip = from.saturating_sub(size.max(first)).min(frames.len() as u64);
        frames.drain(..usize::try_from(skip).unwrap_or(0));
    }
    let ring = KeyRing::new(provider);
    Ok(Entries { folder, ring, next: from, size, bundle: VecDeque::new(), frames, failed: false })
}

impl Entries {
    fn fill(&mut self) -> Result<(), LedgerError> {
        let number = self.next / TILE_WIDTH;
        let width = (self.size - number * TILE_WIDTH).min(TILE_WIDTH);
        // In use, the partial bundle of the checkpoint may have given way to the full one.
        let full = bundle_path(number, TILE_WIDTH);
        let mut name = bundle_path(number, width);
        let mut bytes = self.folder.read_optional(&name)?;
        let mut wide = width;
        if bytes.is_none() && width < TILE_WIDTH {
            bytes = self.folder.read_optional(&full)?;
            (name, wide) = (full, TILE_WIDTH);
        }
        let path = self.folder.path(&name);
        let bytes = bytes.ok_or_else(|| Damage::new(&path, "is missing").entry(self.next))?;
        let entries = Bundle::parse(&bytes, wide)
            .whole()
            .map_err(|offset| Damage::new(&path, "bundle is malformed").at(offset))?;
        let skip = usize::try_from(self.next % TILE_WIDTH).unwrap_or(0);
        let take = usize::try_from(width).unwrap_or(0).saturating_sub(skip);
        self.bundle = entries.into_iter().skip(skip).take(take).map(<[u8]>::to_vec).collect();
        Ok(())
    }

    fn read(&mut self) -> Result<Option<EntryRead>, LedgerError> {
        if self.next < self.size && self.bundle.is_empty() {
            self.fill()?;
        }
        let Some(entry) = self.bundle.pop_front().or_else(|| self.frames.pop_front()) else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        let malformed = |what: &str| Damage::new(self.folder.root(), what).entry(index);
        let envelope = Envelope::parse(&entry).map_err(|error| malformed(&error.to_string()))?;
        let origin = Origin::from_bytes(envelope.label).ok_or_else(|| malformed("entry has a malformed origin"))?;
        let payload = match self.ring.get(&self.folder, envelope.key_id) {
            Opening::Key(key) => match key.open(Place { shard: key.scope().shard, index }, &envelope) {
                Ok(bytes) => Payload::Open(bytes),
                Err(error) => Payload::Failed(error.to_string()),
            },
            Opening::Erased { at } => Payload::Erased { at: *at },
            Opening::Missing => Payload::Failed("data key is missing, and was not erased".to_owned()),
            Opening::Closed => Payload::Closed,
            Opening::Failed(what) => Payload::Failed(what.clone()),
        };
        Ok(Some(EntryRead { index, leaf: leaf_hash(&entry), origin, key: envelope.key_id, payload }))
    }
}

impl Iterator for Entries {
    type Item = Result<EntryRead, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}
