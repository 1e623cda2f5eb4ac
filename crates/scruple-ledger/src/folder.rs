//! The folder of a ledger: names, and writing a file so that it is there whole or not at all.

use crate::error::{LedgerError, StorageError};
use crate::storage::{File, Item, Lock, Mode, NewFile, Storage};
use crate::tree::{TileFile, parse_tile_path};
use scruple_seal::KeyId;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) const LOCK: &str = "lock";
pub(crate) const KEK: &str = "kek";
pub(crate) const SIGNER: &str = "signer";
pub(crate) const VKEY: &str = "vkey";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const ORIGINS: &str = "origins";
pub(crate) const KEYS: &str = "keys";
pub(crate) const WAL: &str = "wal";
pub(crate) const TILE: &str = "tile";
pub(crate) const TMP: &str = "tmp";
/// The emergency reserve, a folder of its own within this one.
pub(crate) const RESERVE: &str = "reserve";
/// In the folder of a reserve: its one file, and that file while it is made.
pub(crate) const RESERVE_LOG: &str = "log";
pub(crate) const RESERVE_NEW: &str = "new";
pub(crate) const DIRS: [&str; 4] = [KEYS, WAL, TILE, TMP];

/// What a file of the folder is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// One of the files at the top.
    Top,
    /// A data key.
    Key(KeyId),
    /// A segment.
    Segment(u64),
    /// A tile or a bundle.
    Tile(TileFile),
    /// The emergency reserve.
    Reserve,
    /// What an interrupted write left.
    Leftover,
}

/// Reads a path inside the folder. `None`: the ledger writes no such file.
pub(crate) fn known(path: &str) -> Option<Known> {
    if [LOCK, KEK, SIGNER, VKEY, CHECKPOINT, ORIGINS].contains(&path) {
        return Some(Known::Top);
    }
    let (dir, name) = path.split_once('/')?;
    match dir {
        KEYS => name.parse().ok().map(Known::Key),
        WAL => parse_segment_name(name).map(Known::Segment),
        TILE => parse_tile_path(path).map(Known::Tile),
        TMP => name.parse::<u64>().ok().map(|_| Known::Leftover),
        RESERVE if name == LOCK => Some(Known::Top),
        RESERVE if name == RESERVE_LOG => Some(Known::Reserve),
        RESERVE if name == RESERVE_NEW => Some(Known::Leftover),
        _ => None,
    }
}

pub(crate) fn segment_name(ordinal: u64) -> String {
    format!("{WAL}/{ordinal:020}")
}

pub(crate) fn parse_segment_name(name: &str) -> Option<u64> {
    let ordinal = name.parse().ok()?;
    (segment_name(ordinal).strip_prefix("wal/") == Some(name)).then_some(ordinal)
}

/// A folder on a disk. Every error names the operation and the path.
pub(crate) struct Folder {
    root: PathBuf,
    storage: Arc<dyn Storage>,
    temporary: AtomicU64,
    dirs: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    pub(crate) fn new(root: &Path, storage: Arc<dyn Storage>) -> Self {
        Self { root: root.to_owned(), storage, temporary: AtomicU64::new(0), dirs: Mutex::default() }
    }

    /// A folder within it.
    pub(crate) fn within(&self, name: &str) -> Self {
        Self::new(&self.path(name), Arc::clone(&self.storage))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn lock(&self) -> Result<Box<dyn Lock>, LedgerError> {
        self.try_lock()?.ok_or_else(|| LedgerError::Locked(self.root.clone()))
    }

    pub(crate) fn try_lock(&self) -> Result<Option<Box<dyn Lock>>, StorageError> {
        let path = self.path(LOCK);
        self.storage.lock(&path).map_err(|error| StorageError::new("lock", &path, error))
    }

    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        let path = self.path(name);
        self.storage.read(&path).map_err(|error| StorageError::new("read", &path, error))
    }

    /// The content, or `None` if there is no such file.
    pub(crate) fn read_optional(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match self.read(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names in a directory; none if it is not there.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Item>, StorageError> {
        let path = self.path(name);
        match self.storage.list(&path) {
            Ok(items) => Ok(items),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(StorageError::new("list", &path, error)),
        }
    }

    pub(crate) fn open(&self, name: &str) -> Result<Box<dyn File>, StorageError> {
        let path = self.path(name);
        self.storage.open(&path).map_err(|error| StorageError::new("open", &path, error))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = self.path(name);
        self.storage.remove_file(&path).map_err(|error| StorageError::new("remove", &path, error))
    }

    pub(crate) fn remove_dir(&self, name: &str) -> Result<(), StorageError> {
        let path = self.path(name);
        self.storage.remove_dir(&path).map_err(|error| StorageError::new("remove", &path, error))
    }

    pub(crate) fn sync_dir(&self, name: &str) -> Result<(), StorageError> {
        self.sync_dir_path(&self.path(name))
    }

    fn sync_dir_path(&self, path: &Path) -> Result<(), StorageError> {
        self.storage.sync_dir(path).map_err(|error| StorageError::new("make durable", path, error))
    }

    /// Makes the root and its directories, durably.
    pub(crate) fn create_root(&self) -> Result<(), StorageError> {
        let create = |path: &Path| {
            self.storage.create_dir(path).map_err(|error| StorageError::new("create directory", path, error))
        };
        create(&self.root)?;
        if let Some(parent) = self.root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.sync_dir_path(parent)?;
        }
        for dir in DIRS {
            create(&self.path(dir))?;
        }
        self.sync_dir_path(&self.root)
    }

    /// Makes the directories that lead to a file, durably.
    fn ensure_parents(&self, name: &str) -> Result<(), StorageError> {
        let mut dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parent = self.root.clone();
        let components = Path::new(name).parent().unwrap_or(Path::new("")).components();
        for component in components {
            let dir = parent.join(component);
            if !dirs.contains(&dir) {
                self.storage.create_dir(&dir).map_err(|error| StorageError::new("create directory", &dir, error))?;
                self.sync_dir_path(&parent)?;
                dirs.insert(dir.clone());
            }
            parent = dir;
        }
        Ok(())
    }

    fn temporary_name(&self) -> String {
        format!("{TMP}/{}", self.temporary.fetch_add(1, Ordering::Relaxed))
    }

    /// Removes what interrupted writes left.
    pub(crate) fn clear_temporary(&self) -> Result<(), StorageError> {
        self.list(TMP)?
            .iter()
            .filter(|item| !item.is_dir)
            .try_for_each(|item| self.remove(&format!("{TMP}/{}", item.name)))
    }

    /// Writes files under temporary names, makes them durable, renames them, and makes their directories durable.
    /// After that all of them are there; before, each is there whole, or as it was.
    pub(crate) fn replace(&self, files: &[(String, Vec<u8>)]) -> Result<(), StorageError> {
        self.replace_with(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), Mode::Common)
    }

    pub(crate) fn replace_one(&self, name: &str, bytes: &[u8], mode: Mode) -> Result<(), StorageError> {
        self.replace_with(std::iter::once((name, bytes)), mode)
    }

    fn replace_with<'a>(
        &self,
        files: impl Iterator<Item = (&'a str, &'a [u8])>,
        mode: Mode,
    ) -> Result<(), StorageError> {
        let mut temporary = Vec::new();
        let mut renames = Vec::new();
        for (name, bytes) in files {
            self.ensure_parents(name)?;
            let path = self.path(&self.temporary_name());
            renames.push((path.clone(), self.path(name)));
            temporary.push(NewFile { path, bytes });
        }
        self.storage.write_files(&temporary, mode).map_err(|(at, error)| {
            let path = temporary.get(at).map_or(self.root.as_path(), |file| &file.path);
            StorageError::new("write", path, error)
        })?;
        let mut parents = BTreeSet::new();
        for (from, to) in &renames {
            self.storage.rename(from, to).map_err(|error| StorageError::new("rename to", to, error))?;
            parents.extend(to.parent());
        }
        parents.into_iter().try_for_each(|parent| self.sync_dir_path(parent))
    }

    /// Makes a file of zeros behind a header, durably, in steps so that no single flush is long.
    pub(crate) fn create_zeroed(&self, name: &str, header: &[u8], bytes: u64) -> Result<Box<dyn File>, StorageError> {
        self.create_zeroed_by(&self.temporary_name(), name, header, bytes)
    }

    /// The same, by a temporary name that is given.
    pub(crate) fn create_zeroed_by(
        &self,
        temporary: &str,
        name: &str,
        header: &[u8],
        bytes: u64,
    ) -> Result<Box<dyn File>, StorageError> {
        const STEP: u64 = 1 << 20;
        let temporary = self.path(temporary);
        let failed = |error| StorageError::new("write", &temporary, error);
        let mut file = self.storage.create(&temporary, Mode::Common).map_err(failed)?;
        let zeros = vec![0; usize::try_from(STEP.min(bytes)).unwrap_or(0)];
        let mut offset = 0;
        while offset < bytes {
            let length = STEP.min(bytes - offset);
            let step = zeros.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
            file.write_at(offset, step).map_err(failed)?;
            offset += length;
            if offset == bytes {
                file.write_at(0, header).map_err(failed)?;
            }
            file.sync().map_err(|error| StorageError::new("make durable", &temporary, error))?;
        }
        let path = self.path(name);
        self.storage.rename(&temporary, &path).map_err(|error| StorageError::new("rename to", &path, error))?;
        self.sync_dir_path(path.parent().unwrap_or(&self.root))?;
        Ok(file)
    }

    /// Makes the directory alone, durably; its parent must exist.
    pub(crate) fn create_own_dir(&self) -> Result<(), StorageError> {
        let failed = |error| StorageError::new("create directory", &self.root, error);
        self.storage.create_dir(&self.root).map_err(failed)?;
        match self.root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => self.sync_dir_path(parent),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_ledger_writes_are_known() {
        let id = "00112233445566778899aabbccddeeff";
        for name in ["lock", "checkpoint", "wal/00000000000000000001", "tile/0/000", "tmp/3", "reserve/log", &format!("keys/{id}")] {
            assert!(known(name).is_some(), "{name}");
        }
        for name in
            ["notes.txt", "wal/1", "wal/x", "tile/0", "keys/zz", "tmp/a", "reserve/x", "wal/sub/00000000000000000001", "./lock"]
        {
            assert!(known(name).is_none(), "{name}");
        }
    }
}
