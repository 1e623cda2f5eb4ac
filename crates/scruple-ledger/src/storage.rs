//! The disk as a trait, and the real one over [`std::fs`].
//!
//! The trait has just what the ledger does, so that a simulated disk can model what a power cut may lose: see
//! [`crate::simulate`].

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Threads that sync files together.
const SYNC_THREADS: usize = 8;
/// Files below which a thread of its own does not pay.
const SYNC_FILES_MIN: usize = 4;

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Item {
    /// The name; one that is not UTF-8 is shown with replacement characters.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The owner alone: keys.
    Secret,
    /// What the process's mask allows: everything else is sealed or public.
    Common,
}

/// A file that is to be made.
#[derive(Clone, Debug)]
pub struct NewFile<'a> {
    /// Its path.
    pub path: PathBuf,
    /// Its content.
    pub bytes: &'a [u8],
}

/// A file that is open for writing.
pub trait File: Send {
    /// Writes all bytes at an offset.
    ///
    /// # Errors
    /// The disk fails.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content and the length durable (fdatasync).
    ///
    /// # Errors
    /// The disk fails. Nothing is known then about what was written.
    fn sync(&mut self) -> io::Result<()>;
}

/// A lock that is held until it is dropped.
pub trait Lock: Send + Sync {}

/// A disk.
pub trait Storage: Send + Sync {
    /// Makes a directory; no error if it is there.
    ///
    /// # Errors
    /// The disk fails.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// The names in a directory.
    ///
    /// # Errors
    /// The disk fails, or there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<Item>>;
    /// The whole of a file.
    ///
    /// # Errors
    /// The disk fails, or there is no such file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Makes an empty file, or empties one.
    ///
    /// # Errors
    /// The disk fails.
    fn create(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>>;
    /// Makes files and makes their content durable; their names are not. On an error the position of a file that failed.
    ///
    /// # Errors
    /// The disk fails; any of the files may be there, in part.
    fn write_files(&self, files: &[NewFile<'_>], mode: Mode) -> Result<(), (usize, io::Error)> {
        let write = |new: &NewFile<'_>| {
            let mut file = self.create(&new.path, mode)?;
            file.write_at(0, new.bytes)?;
            file.sync()
        };
        files.iter().enumerate().try_for_each(|(at, new)| write(new).map_err(|error| (at, error)))
    }
    /// Opens an existing file for writing.
    ///
    /// # Errors
    /// The disk fails, or there is no such file.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Renames, over an existing file too.
    ///
    /// # Errors
    /// The disk fails.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// The disk fails, or there is no such file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// The disk fails, or it is not empty.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable (fsync of the directory).
    ///
    /// # Errors
    /// The disk fails.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of a file, making the file if need be. `None`: somebody else has it.
    ///
    /// # Errors
    /// The disk fails.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl File for fs::File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Lock for fs::File {}

impl Storage for FileSystem {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o755).create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            result => result,
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Item>> {
        let mut items = fs::read_dir(dir)?
            .map(|entry| {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // Of the link itself: a symbolic link is never followed, it is an unknown file.
                Ok(Item { name, is_dir: entry.file_type()?.is_dir() })
            })
            .collect::<io::Result<Vec<_>>>()?;
        items.sort();
        Ok(items)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn create(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let mode = match mode {
            Mode::Secret => 0o600,
            Mode::Common => 0o644,
        };
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        Ok(Box::new(file))
    }

    /// Many files are written by several threads: file systems put syncs that wait together into one journal commit.
    fn write_files(&self, files: &[NewFile<'_>], mode: Mode) -> Result<(), (usize, io::Error)> {
        let write = |new: &NewFile<'_>| {
            let mut file = self.create(&new.path, mode)?;
            file.write_at(0, new.bytes)?;
            file.sync()
        };
        let write_all = |first: usize, files: &[NewFile<'_>]| {
            files.iter().zip(first..).try_for_each(|(new, at)| write(new).map_err(|error| (at, error)))
        };
        let share = files.len().div_ceil(SYNC_THREADS).max(SYNC_FILES_MIN);
        std::thread::scope(|scope| {
            let chunks = files.chunks(share).zip((0..).step_by(share));
            let (mut own, mut threads) = (None, Vec::new());
            for (chunk, first) in chunks {
                if own.is_none() {
                    own = Some((first, chunk));
                } else {
                    threads.push(scope.spawn(move || write_all(first, chunk)));
                }
            }
            let result = own.map_or(Ok(()), |(first, chunk)| write_all(first, chunk));
            threads.into_iter().fold(result, |result, thread| {
                let joined = thread.join().unwrap_or_else(|_| Err((0, io::Error::other("a writing thread ended"))));
                result.and(joined)
            })
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(fs::OpenOptions::new().write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}
