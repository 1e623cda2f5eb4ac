//! Proofs of inclusion and consistency (RFC 6962), made from the tiles and checked without trusting them.

use crate::error::LedgerError;
use crate::folder::Folder;
use crate::frame::{Next, SEGMENT_HEADER_BYTES, later_batch, next};
use crate::keys::StoredKey;
use crate::note::{NoteSigner, NoteVerifier, read_unverified};
use crate::origins::Origins;
use crate::storage::Storage;
use crate::tree::{Bundle, Hash, TILE_WIDTH, TileId, parse_tile, parse_tile_path, tile_path};
use scruple_seal::{Envelope, FileKey};
use std::path::Path;
use std::sync::Arc;
use tlog_tiles::{Error, HashReader, Tile};

/// The largest tree that a proof is made or checked for.
pub const SIZE_MAX: u64 = 1 << 62;
const TILE_HEIGHT: u8 = 8;

struct Tiles {
    folder: Folder,
    size: u64,
}

impl HashReader for Tiles {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, Error> {
        indexes.iter().map(|index| self.read_hash(*index)).collect()
    }
}

impl Tiles {
    fn read_hash(&self, index: u64) -> Result<tlog_tiles::Hash, Error> {
        let tile = Tile::from_index(TILE_HEIGHT, index);
        let id = TileId { level: tile.level(), number: tile.level_index() };
        let hashes = self.size.checked_shr(u32::from(id.level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let width = hashes.saturating_sub(id.number.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH);
        let read = |width| self.folder.read_optional(&tile_path(id, width)).ok().flatten();
        let bytes = read(width).or_else(|| read(TILE_WIDTH)).ok_or(Error::IndexesNotInTree)?;
        let width = u32::try_from(width).map_err(|_| Error::InvalidTile)?;
        let used = bytes.get(..width as usize * 32).ok_or(Error::InvalidTile)?;
        Tile::new(TILE_HEIGHT, id.level, id.number, width, false).hash_at_index(used, index)
    }
}

fn in_range(size: u64) -> Result<(), LedgerError> {
    if size <= SIZE_MAX { Ok(()) } else { Err(LedgerError::Proof(format!("size {size} is out of range"))) }
}

fn failed(error: &Error) -> LedgerError {
    LedgerError::Proof(error.to_string())
}

fn ours(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

/// The proof that entry `index` is in the tree of `size` entries.
///
/// # Errors
/// The entry or the tree is beyond the tiles.
pub fn prove_inclusion(dir: &Path, storage: Arc<dyn Storage>, index: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
    in_range(size)?;
    let tiles = Tiles { folder: Folder::new(dir, storage), size };
    tlog_tiles::prove_record(size, index, &tiles).map(ours).map_err(|error| failed(&error))
}

/// The proof that the tree of `new` entries begins with the tree of `old` entries.
///
/// # Errors
/// A tree is beyond the tiles, or `old` is none of 1 to `new`.
pub fn prove_consistency(dir: &Path, storage: Arc<dyn Storage>, old: u64, new: u64) -> Result<Vec<Hash>, LedgerError> {
    in_range(new)?;
    let tiles = Tiles { folder: Folder::new(dir, storage), size: new };
    tlog_tiles::prove_tree(new, old, &tiles).map(ours).map_err(|error| failed(&error))
}

/// Checks that the leaf is entry `index` of the tree of `size` entries with this root.
///
/// # Errors
/// It is not proved.
pub fn check_inclusion(proof: &[Hash], size: u64, root: Hash, index: u64, leaf: Hash) -> Result<(), LedgerError> {
    in_range(size)?;
    let (root, leaf) = (tlog_tiles::Hash(root.0), tlog_tiles::Hash(leaf.0));
    tlog_tiles::check_record(&theirs(proof), size, root, index, leaf).map_err(|error| failed(&error))
}

/// Checks that the tree of `new` entries begins with the tree of `old` entries.
///
/// # Errors
/// It is not proved, or `old` is none of 1 to `new`.
pub fn check_consistency(
    proof: &[Hash],
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
) -> Result<(), LedgerError> {
    in_range(new)?;
    let (old_root, new_root) = (tlog_tiles::Hash(old_root.0), tlog_tiles::Hash(new_root.0));
    tlog_tiles::check_tree(&theirs(proof), new, new_root, old, old_root).map_err(|error| failed(&error))
}

/// Gives any bytes to each reader of the folder's files, for the fuzzers: the first byte chooses, the rest is read.
/// It must never panic; the result says whether the bytes were taken.
#[must_use]
pub fn fuzz_read(bytes: &[u8]) -> bool {
    let Some((choice, rest)) = bytes.split_first() else { return false };
    let text = std::str::from_utf8(rest).unwrap_or_default();
    match choice % 10 {
        0 => {
            let mut offset = 0;
            loop {
                match next(rest, offset) {
                    Next::Frame(frame) => offset += frame.bytes,
                    Next::End => return true,
                    Next::Bad => return later_batch(rest.get(offset..).unwrap_or_default(), 3),
                }
            }
        }
        1 => Bundle::parse(rest, rest.first().map_or(256, |width| u64::from(*width) + 1)).whole().is_ok(),
        2 => read_unverified(rest).is_some(),
        3 => Envelope::parse(rest).is_ok(),
        4 => StoredKey::from_bytes(rest).is_ok(),
        5 => Origins::from_bytes(rest).is_some(),
        6 => NoteVerifier::parse(text).is_ok() || NoteSigner::parse(text).is_ok(),
        7 => FileKey::parse(text).is_ok(),
        8 => parse_tile_path(text).is_some() || crate::folder::known(text).is_some(),
        _ => parse_tile(rest).is_some() || rest.len() < SEGMENT_HEADER_BYTES,
    }
}
