//! The simulated disk.

use crate::storage::{File, Item, Lock, Mode, Storage};
use rand_core::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// How much of what was not synced survives a power cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// Each sector and each name by the toss of a coin.
    Some,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Dir,
}

#[derive(Default, Clone)]
struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that differ, or may.
    dirty: BTreeSet<usize>,
}

/// A change of names that its directory has not been synced for.
#[derive(Clone)]
enum NameChange {
    Set(PathBuf, Node),
    Remove(PathBuf),
}

impl NameChange {
    fn dir(&self) -> Option<&Path> {
        let (Self::Set(path, _) | Self::Remove(path)) = self;
        path.parent()
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Set(path, node) => drop(names.insert(path, node)),
            Self::Remove(path) => drop(names.remove(&path)),
        }
    }
}

#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    changes: Vec<NameChange>,
    operations: u64,
    cut_after: Option<u64>,
    dead: bool,
    fault: Option<(u64, io::ErrorKind)>,
    room: Option<u64>,
    read_only: bool,
    locks: BTreeSet<PathBuf>,
}

impl Disk {
    /// Counts one operation that changes something. `Err` if the power is off, or a fault is due.
    fn begin(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(power());
        }
        self.operations += 1;
        if let Some((at, kind)) = self.fault
            && self.operations >= at
        {
            return Err(kind.into());
        }
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    /// The end of an operation: after the one that is the last, the power goes, and the caller hears of no success.
    fn end(&mut self) -> io::Result<()> {
        if self.cut_after == Some(self.operations) {
            self.dead = true;
            return Err(power());
        }
        Ok(())
    }

    fn change(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names);
        self.changes.push(change);
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        let there = path.parent().is_none_or(|parent| {
            parent.as_os_str().is_empty() || parent == Path::new("/") || self.names.get(parent) == Some(&Node::Dir)
        });
        if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn used(&self) -> u64 {
        let inodes = self.names.values().filter_map(|node| match node {
            Node::File(inode) => self.inodes.get(*inode),
            Node::Dir => None,
        });
        inodes.map(|inode| inode.data.len() as u64).sum()
    }
}

fn power() -> io::Error {
    io::Error::other("the power was cut")
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimStorage(Arc<Mutex<Disk>>);

impl SimStorage {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Operations that changed something so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Cuts the power after that many operations, counted from the disk's beginning.
    pub fn cut_after(&self, operations: u64) {
        self.disk().cut_after = Some(operations);
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.disk().dead
    }

    /// Lets every operation fail from that one on, with this kind of error, without doing anything.
    pub fn fail_from(&self, operation: u64, kind: io::ErrorKind) {
        self.disk().fault = Some((operation, kind));
    }

    /// Bounds the bytes of all files; a write beyond them fails as on a full disk.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.disk().room = bytes;
    }

    /// The bytes of all files, as they count against the room.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.disk().used()
    }

    /// Lets every change fail as on a read-only file system.
    pub fn set_read_only(&self, read_only: bool) {
        self.disk().read_only = read_only;
    }

    /// The disk as it is found when the power comes back: what was synced, and of the rest what `keep` says.
    #[must_use]
    pub fn after_power_cut(&self, keep: Keep, rng: &mut dyn Rng) -> Self {
        let disk = self.disk();
        let mut toss = || match keep {
            Keep::None => false,
            Keep::All => true,
            Keep::Some => rng.next_u32() & 1 == 1,
        };
        let inodes = disk
            .inodes
            .iter()
            .map(|inode| {
                let data = survivor(inode, &mut toss);
                Inode { durable: data.clone(), data, dirty: BTreeSet::new() }
            })
            .collect();
        let mut names = disk.durable_names.clone();
        for change in disk.changes.iter().filter(|_| toss()) {
            change.clone().apply(&mut names);
        }
        // A name whose directory did not survive is gone too.
        let dirs: BTreeSet<_> =
            names.iter().filter(|(_, node)| **node == Node::Dir).map(|(dir, _)| dir.clone()).collect();
        let top = |path: &Path| path.parent().is_none_or(|parent| parent.parent().is_none());
        names.retain(|path, _| {
            top(path) || path.ancestors().skip(1).all(|dir| dir.parent().is_none() || dirs.contains(dir))
        });
        let fresh = Disk { inodes, durable_names: names.clone(), names, ..Disk::default() };
        Self(Arc::new(Mutex::new(fresh)))
    }

    /// Another disk with the same files, all durable: for tampering.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let inodes = disk.inodes.iter().map(|inode| Inode {
            data: inode.data.clone(),
            durable: inode.data.clone(),
            dirty: BTreeSet::new(),
        });
        let fresh = Disk {
            inodes: inodes.collect(),
            durable_names: disk.names.clone(),
            names: disk.names.clone(),
            ..Disk::default()
        };
        Self(Arc::new(Mutex::new(fresh)))
    }

    /// The paths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let disk = self.disk();
        disk.names.iter().filter(|(_, node)| **node != Node::Dir).map(|(path, _)| path.clone()).collect()
    }

    /// Changes a file's bytes behind the ledger's back. No such file: nothing happens.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        if let Ok(inode) = disk.file(path)
            && let Some(inode) = disk.inodes.get_mut(inode)
        {
            change(&mut inode.data);
            inode.durable.clone_from(&inode.data);
        }
    }

    /// Puts a file there behind the ledger's back.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut disk = self.disk();
        let node = Node::File(disk.inodes.len());
        disk.inodes.push(Inode { data: bytes.to_vec(), durable: bytes.to_vec(), dirty: BTreeSet::new() });
        disk.names.insert(path.to_owned(), node);
        disk.durable_names.insert(path.to_owned(), node);
    }
}

/// The content of a file after a power cut.
fn survivor(inode: &Inode, toss: &mut dyn FnMut() -> bool) -> Vec<u8> {
    let mut data = inode.durable.clone();
    // A length that was not synced may be the old one, the new one, or what the kept sectors ask for.
    let grown = inode.data.len() != inode.durable.len() && toss();
    if grown {
        data.resize(inode.data.len(), 0);
    }
    for sector in &inode.dirty {
        if !toss() {
            continue;
        }
        let start = sector * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(inode.data.len());
        if data.len() < end {
            data.resize(end, 0);
        }
        if let (Some(to), Some(from)) = (data.get_mut(start..end), inode.data.get(start..end)) {
            to.copy_from_slice(from);
        }
    }
    data
}

struct SimFile {
    storage: SimStorage,
    inode: usize,
}

impl File for SimFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.storage.disk();
        disk.begin()?;
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let end = offset + bytes.len();
        let length = disk.inodes.get(self.inode).map_or(0, |inode| inode.data.len());
        if let Some(room) = disk.room
            && disk.used() + (end.saturating_sub(length)) as u64 > room
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let Some(inode) = disk.inodes.get_mut(self.inode) else { return Err(io::ErrorKind::NotFound.into()) };
        if length < end {
            inode.data.resize(end, 0);
        }
        if let Some(place) = inode.data.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
        inode.dirty.extend(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
        disk.end()
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.storage.disk();
        disk.begin()?;
        let Some(inode) = disk.inodes.get_mut(self.inode) else { return Err(io::ErrorKind::NotFound.into()) };
        let Inode { data, durable, dirty } = inode;
        durable.resize(data.len(), 0);
        for sector in std::mem::take(dirty) {
            let start = sector * SECTOR_BYTES;
            let end = (start + SECTOR_BYTES).min(data.len());
            if let (Some(to), Some(from)) = (durable.get_mut(start..end), data.get(start..end)) {
                to.copy_from_slice(from);
            }
        }
        disk.end()
    }
}

struct SimLock {
    storage: SimStorage,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.storage.disk().locks.remove(&self.path);
    }
}

impl Storage for SimStorage {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        match disk.names.get(dir) {
            Some(Node::Dir) => {}
            Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            None => {
                disk.parent_exists(dir)?;
                disk.change(NameChange::Set(dir.to_owned(), Node::Dir));
            }
        }
        disk.end()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Item>> {
        let disk = self.disk();
        if disk.dead {
            return Err(power());
        }
        if disk.names.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let children = disk.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(children
            .filter_map(|(path, node)| {
                Some(Item { name: path.file_name()?.to_str()?.to_owned(), is_dir: *node == Node::Dir })
            })
            .collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        if disk.dead {
            return Err(power());
        }
        let inode = disk.file(path)?;
        Ok(disk.inodes.get(inode).map(|inode| inode.data.clone()).unwrap_or_default())
    }

    fn create(&self, path: &Path, _mode: Mode) -> io::Result<Box<dyn File>> {
        let mut disk = self.disk();
        disk.begin()?;
        disk.parent_exists(path)?;
        let inode = match disk.names.get(path) {
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(inode)) => {
                let inode = *inode;
                if let Some(inode) = disk.inodes.get_mut(inode) {
                    inode.data.clear();
                }
                inode
            }
            None => {
                let inode = disk.inodes.len();
                disk.inodes.push(Inode::default());
                disk.change(NameChange::Set(path.to_owned(), Node::File(inode)));
                inode
            }
        };
        disk.end()?;
        Ok(Box::new(SimFile { storage: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let disk = self.disk();
        if disk.dead {
            return Err(power());
        }
        Ok(Box::new(SimFile { storage: self.clone(), inode: disk.file(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        let inode = disk.file(from)?;
        disk.parent_exists(to)?;
        // Two changes, of two directories: which of them survives is not said.
        disk.change(NameChange::Remove(from.to_owned()));
        disk.change(NameChange::Set(to.to_owned(), Node::File(inode)));
        disk.end()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        disk.file(path)?;
        disk.change(NameChange::Remove(path.to_owned()));
        disk.end()
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        if disk.names.keys().any(|path| path.parent() == Some(dir)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        disk.change(NameChange::Remove(dir.to_owned()));
        disk.end()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        let (synced, rest) =
            std::mem::take(&mut disk.changes).into_iter().partition(|change| change.dir() == Some(dir));
        disk.changes = rest;
        let synced: Vec<NameChange> = synced;
        synced.into_iter().for_each(|change| change.apply(&mut disk.durable_names));
        disk.end()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut disk = self.disk();
        if disk.dead {
            return Err(power());
        }
        disk.parent_exists(path)?;
        if !disk.names.contains_key(path) {
            disk.begin()?;
            let node = Node::File(disk.inodes.len());
            disk.inodes.push(Inode::default());
            disk.change(NameChange::Set(path.to_owned(), node));
            disk.end()?;
        }
        if !disk.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { storage: self.clone(), path: path.to_owned() })))
    }
}
