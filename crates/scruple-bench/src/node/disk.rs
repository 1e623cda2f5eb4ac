//! The machine's file system, which can be full for the ledger and not for its reserve.

use scruple_ledger::{File, FileSystem, Item, Lock, Mode, NewFile, Storage};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file system. Clones are the same.
#[derive(Clone)]
pub struct Disk {
    full: Arc<AtomicBool>,
    /// Where there is always room.
    roomy: PathBuf,
}

impl Disk {
    pub fn new(roomy: PathBuf) -> Self {
        Self { full: Arc::default(), roomy }
    }

    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        let is_full = self.full.load(Ordering::SeqCst) && !path.starts_with(&self.roomy);
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn guarded(&self, path: &Path, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(Guarded { disk: self.clone(), path: path.to_owned(), file })
    }
}

struct Guarded {
    disk: Disk,
    path: PathBuf,
    file: Box<dyn File>,
}

impl File for Guarded {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.check(&self.path)?;
        self.file.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.check(&self.path)?;
        self.file.sync()
    }
}

impl Storage for Disk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        FileSystem.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Item>> {
        FileSystem.list(dir)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        FileSystem.read(path)
    }

    fn create(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        self.check(path)?;
        Ok(self.guarded(path, FileSystem.create(path, mode)?))
    }

    fn write_files(&self, files: &[NewFile<'_>], mode: Mode) -> Result<(), (usize, io::Error)> {
        files.iter().enumerate().try_for_each(|(at, new)| self.check(&new.path).map_err(|error| (at, error)))?;
        FileSystem.write_files(files, mode)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(self.guarded(path, FileSystem.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        FileSystem.remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        FileSystem.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        FileSystem.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        FileSystem.lock(path)
    }
}

#[cfg(test)]
mod tests {
    use super::Disk;
    use scruple_ledger::{Mode, Storage};
    use std::io::ErrorKind;

    #[test]
    fn a_full_disk_takes_nothing_but_in_the_reserve() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, reserve) = (dir.path().join("a"), dir.path().join("reserve"));
        std::fs::create_dir(&reserve).unwrap();
        let disk = Disk::new(reserve.clone());
        let mut file = disk.create(&ledger, Mode::Common).unwrap();
        file.write_at(0, b"1").unwrap();
        disk.set_full(true);
        assert_eq!(file.write_at(1, b"2").unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::StorageFull);
        disk.create(&reserve.join("log"), Mode::Common).unwrap().write_at(0, b"3").unwrap();
        disk.set_full(false);
        file.write_at(1, b"2").unwrap();
        assert_eq!(disk.read(&ledger).unwrap(), b"12");
    }
}
