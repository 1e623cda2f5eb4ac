//! The ledger on disk: append-only, sealed, hashed into a Merkle tree, under signed checkpoints.
//!
//! [`Ledger::append`] returns when the entry is durable. One thread seals and writes batches to a write-ahead log, with
//! one fdatasync each; another brings them, within a second, into a tree in the C2SP forms (tlog-tiles, tlog-checkpoint,
//! signed-note), so that other people's verifiers read it. [`verify`] recomputes everything; [`entries`] opens payloads.
//!
//! It knows bytes and origins. It deliberately knows no entry bodies, no SQL and no async runtime; a [`Pending`] is a
//! plain future besides. It never tries an fsync twice: any error of the disk stops it until it is opened anew.
//! [`Recorder`] does so, and keeps entries of care in an emergency reserve meanwhile.
//!
//! # The folder
//!
//! | name | what |
//! |---|---|
//! | `lock` | empty; flock'd while a process has the ledger open |
//! | `kek` | the key-encryption key, mode 0600, unless it comes from elsewhere |
//! | `signer`, `vkey` | the Ed25519 key that signs checkpoints (mode 0600), and its public half, as C2SP signed-note keys |
//! | `keys/<id>` | one data key each, wrapped under the KEK; or the tombstone of an erased one |
//! | `wal/<ordinal>` | segments of the write-ahead log: hash-chained frames, then zeros |
//! | `tile/<level>/<n>[.p/<w>]` | hash tiles |
//! | `tile/entries/<n>[.p/<w>]` | entry bundles: sealed entries behind big-endian uint16 lengths |
//! | `checkpoint` | the signed tree head |
//! | `origins` | the last position of each shard; made again from the entries if lost |
//! | `reserve/` | the first emergency reserve: `lock`, and `log`, a file of fixed size that is written full of zeros when it is made |
//! | `tmp/` | files on their way to their names; emptied at each start |
//!
//! The leaf of an entry is its sealed envelope, with its origin as clear, authenticated label. So hashes stay valid when
//! a data key is destroyed, and the position in the shard's event table is durable in the same write as the entry.
//! Shards from [`RESERVE_SHARDS`] on are no event tables: they are generations of emergency reserves, and the origin of a
//! merged entry is its position in one. A second reserve lies wherever the house says, best on another disk; a
//! verification of this folder does not see it.
//!
//! # What holds
//!
//! * **acknowledged-is-durable**: a receipt is given only after fdatasync of its batch; then it is there after any crash.
//! * **legal crash states start**: what one torn write leaves is cut, for nobody was told of it; damage to anything
//!   older refuses to start and names the entry.
//! * **care-continues**: an entry of care that the main ledger cannot write is recorded in a reserve, as durably, and
//!   merged once: neither lost nor doubled by a crash at any point. Only an entry that was on its way to the main ledger
//!   when that failed may stand in it twice.
//! * **append-only**: with a checkpoint that was kept outside the folder, [`verify`] finds any change, cut or rollback.
//!   Without one it shows consistency only, and entries of the last second are not yet under a signature.

mod core;
mod entries;
mod error;
mod folder;
mod frame;
mod integrate;
mod keys;
mod ledger;
mod note;
mod open;
mod origins;
mod proof;
mod recorder;
mod report;
mod reserve;
mod scan;
pub mod simulate;
mod storage;
mod tree;
mod verify;
mod wal;

pub use entries::{Entries, EntryRead, Payload, entries};
pub use error::{AppendError, Damage, LedgerError, Stop, StorageError, StorageFault};
pub use frame::Origin;
pub use ledger::{INTEGRATE_EVERY_MS, Ledger, Pending, QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX};
pub use note::{Checkpoint, NoteError, NoteSigner, NoteVerifier};
pub use open::{OpenOptions, Recovery, SEGMENT_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
pub use proof::{SIZE_MAX, check_consistency, check_inclusion, fuzz_read, prove_consistency, prove_inclusion};
pub use recorder::{
    REFUSED_CODE_BYTES_MAX, REFUSED_CODES_MAX, Recorder, RecorderOptions, RecorderState, Recording, Recovered,
    RefusedCounts, ReserveOptions, Urgency,
};
pub use report::{Finding, FindingKind, Report, Trust};
pub use reserve::{
    MergedReserve, Notices, RESERVE_BYTES, RESERVE_BYTES_MAX, RESERVE_BYTES_MIN, RESERVE_SHARDS, RecoverError,
};
pub use scan::Torn;
pub use storage::{File, FileSystem, Item, Lock, Mode, NewFile, Storage};
pub use tree::{Hash, TILE_WIDTH, chain_link, leaf_hash, node_hash};
pub use verify::{VerifyOptions, verify};
pub use wal::{PAYLOAD_BYTES_MAX, Receipt};
