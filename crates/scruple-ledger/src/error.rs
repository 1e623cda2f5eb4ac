//! Errors that name what failed and where. None holds payload bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What kind of fault a storage error is, for the sentence that a person gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StorageFault {
    /// No room is left.
    Full,
    /// The file system is read-only, or access is denied.
    ReadOnly,
    /// Anything else.
    Other,
}

impl StorageFault {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Other,
        }
    }
}

impl std::fmt::Display for StorageFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "disk is full",
            Self::ReadOnly => "not writable",
            Self::Other => "input or output error",
        })
    }
}

/// An operation on a file or directory that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {operation} `{}`: {fault}", path.display())]
pub struct StorageError {
    /// What was tried.
    pub operation: &'static str,
    /// On what.
    pub path: PathBuf,
    /// The kind of fault.
    pub fault: StorageFault,
    /// The system's error.
    #[source]
    pub source: Arc<io::Error>,
}

impl StorageError {
    pub(crate) fn new(operation: &'static str, path: &Path, error: io::Error) -> Self {
        Self { operation, path: path.to_owned(), fault: StorageFault::of(&error), source: Arc::new(error) }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Something in the folder that is not as the ledger writes it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}`{}{}: {what}", path.display(), at(*offset), entry(*index))]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The byte in it, where it is known.
    pub offset: Option<u64>,
    /// The index of the entry, where it is known.
    pub index: Option<u64>,
    /// What is wrong.
    pub what: String,
}

fn at(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}

fn entry(index: Option<u64>) -> String {
    index.map(|index| format!(", entry {index}")).unwrap_or_default()
}

impl Damage {
    pub(crate) fn new(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), offset: None, index: None, what: what.into() }
    }

    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    pub(crate) fn entry(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }
}

/// Why a ledger cannot be opened, created or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is no ledger, or its creation was never finished.
    #[error("no ledger in `{}`", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("`{}` holds a ledger already", .0.display())]
    Exists(PathBuf),
    /// Another process has it open.
    #[error("ledger `{}` is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The folder was changed from outside, or the disk lost what it had promised.
    #[error("ledger is damaged")]
    Damaged(#[from] Damage),
    /// The disk failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A key does not work.
    #[error("key of the ledger at `{}`", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: scruple_seal::SealError,
    },
    /// An option is out of its range.
    #[error("ledger option {0}")]
    Option(&'static str),
    /// A thread cannot be started.
    #[error("cannot start a thread of the ledger")]
    Thread(#[source] Arc<io::Error>),
    /// A proof cannot be made for these sizes.
    #[error("no proof: {0}")]
    Proof(String),
}

/// Why an entry was not recorded. What was refused did not happen; but after [`AppendError::Stopped`] an entry may be
/// found in the log after the restart, though nobody was told.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The payload is too long.
    #[error("payload of {bytes} bytes is over the limit of {limit} bytes")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The origin is not the one that follows.
    #[error("origin {found} of shard {shard} does not follow, {expected} does")]
    Origin {
        /// The shard.
        shard: u32,
        /// The position that would follow.
        expected: u64,
        /// The position that was offered.
        found: u64,
    },
    /// Too much waits to be written.
    #[error("ledger queue is full")]
    QueueFull,
    /// The disk failed; nothing is taken until the ledger is opened anew.
    #[error("ledger stopped until it is opened anew")]
    Stopped(#[source] Arc<Stop>),
    /// The ledger was closed.
    #[error("ledger is closed")]
    Closed,
    /// The main ledger does not write, and the entry is not one of care.
    #[error("ledger does not write; only entries of care are taken")]
    Down,
    /// Neither the main ledger nor any reserve can write.
    #[error("neither the ledger nor its reserve can write")]
    NoReserve,
    /// The origin is in the range that is kept for reserves.
    #[error("shard {0:#x} is kept for the emergency reserve")]
    ReserveShard(u32),
}

impl AppendError {
    /// A short name that does not change.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "ledger_entry_too_long",
            Self::Origin { .. } => "ledger_origin",
            Self::QueueFull => "ledger_queue_full",
            Self::Stopped(_) => "ledger_stopped",
            Self::Closed => "ledger_closed",
            Self::Down => "ledger_down",
            Self::NoReserve => "ledger_no_reserve",
            Self::ReserveShard(_) => "ledger_reserve_shard",
        }
    }
}

/// What stopped a ledger.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// The disk failed. An fsync is never tried twice: the system may have forgotten what it did not write.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A key does not seal.
    #[error("cannot seal")]
    Seal(#[from] scruple_seal::SealError),
    /// A thread of the ledger ended on its own.
    #[error("a thread of the ledger ended")]
    Thread,
}

impl From<Arc<Stop>> for AppendError {
    fn from(stop: Arc<Stop>) -> Self {
        Self::Stopped(stop)
    }
}
