//! The part of a verification that makes the tree again and compares every tile, bundle and root with it.

use super::{Check, Framed};
use crate::error::Damage;
use crate::folder::CHECKPOINT;
use crate::frame::Origin;
use crate::keys::Opening;
use crate::note::Checkpoint;
use crate::report::FindingKind;
use crate::tree::{
    Bundle, FullTile, Hash, TILE_WIDTH, TileId, bundle_path, chain_link, edge_tiles, empty_root, leaf_hash, parse_tile,
    put_entry, tile_path,
};
use scruple_seal::{Envelope, Place};
use std::collections::BTreeMap;

impl Check<'_, '_> {
    /// The bundles up to the checkpoint. False if the tree cannot be made again from them.
    pub(super) fn read_bundles(&mut self, size: u64, frames: &BTreeMap<u64, Framed>) -> bool {
        let mut whole = true;
        for number in 0..size.div_ceil(TILE_WIDTH) {
            let first = number * TILE_WIDTH;
            let width = (size - first).min(TILE_WIDTH);
            let name = bundle_path(number, width);
            let Some(bytes) = self.read(&name) else { return false };
            let path = self.folder.path(&name);
            let Bundle { entries, broken } = Bundle::parse(&bytes, width);
            let tile = tile_path(TileId { level: 0, number }, width);
            let hashes = self.read(&tile).and_then(|bytes| parse_tile(&bytes)).unwrap_or_default();
            let mut offset = 0;
            for (position, entry) in entries.iter().enumerate() {
                let index = first + position as u64;
                let leaf = leaf_hash(entry);
                let place = Damage::new(&path, "").at(offset);
                if hashes.get(position).is_some_and(|hash| *hash != leaf) {
                    let what = "entry and the hash of it in its tile differ";
                    self.find(FindingKind::Changed, Damage { what: what.to_owned(), ..place.clone() }.entry(index));
                }
                self.entry(entry, leaf, frames.get(&index), &place);
                offset += 2 + entry.len() as u64;
            }
            if let Some(offset) = broken {
                let index = first + entries.len() as u64;
                let damage = Damage::new(&path, "bundle is malformed").at(offset).entry(index);
                self.find(FindingKind::Changed, damage);
                if (entries.len() as u64) < width {
                    // What follows would stand at wrong indices.
                    self.report.entries = size;
                    whole = false;
                    break;
                }
            }
        }
        whole
    }

    /// The tiles at the right edge of the checkpoint's tree.
    pub(super) fn required_tiles(&mut self, size: u64) {
        for (id, width) in edge_tiles(size) {
            self.required(&tile_path(id, u64::from(width)));
        }
    }

    fn required(&mut self, name: &str) {
        if !self.files.contains(name) {
            self.find_in(FindingKind::Missing, name, "is missing");
        }
    }

    /// Takes the next entry into the tree, and looks at all that is said of it.
    pub(super) fn entry(&mut self, entry: &[u8], leaf: Hash, framed: Option<&Framed>, place: &Damage) {
        let index = self.edge.size();
        let (mut opened, mut erased) = (0, 0);
        let mut wrong = |kind, what: &str| {
            self.report.find(kind, Damage { what: what.to_owned(), ..place.clone() }.entry(index));
        };
        if let Some(framed) = framed {
            if framed.leaf != leaf {
                wrong(FindingKind::Changed, "entry and its frame in the write-ahead log differ");
            }
            if framed.before != self.link {
                wrong(FindingKind::Changed, "hash chain of the write-ahead log does not come from the entries before");
            }
        }
        match Envelope::parse(entry) {
            Ok(envelope) => {
                match Origin::from_bytes(envelope.label) {
                    Some(Some(origin)) => {
                        if self.origins.take(origin).is_err() {
                            wrong(FindingKind::Changed, "origin does not follow the one before");
                        }
                    }
                    Some(None) => {}
                    None => wrong(FindingKind::Changed, "entry has a malformed origin"),
                }
                match self.ring.get(self.folder, envelope.key_id) {
                    Opening::Key(key) => match key.open(Place { shard: key.scope().shard, index }, &envelope) {
                        Ok(payload) => {
                            opened += 1;
                            if let Some(Err(what)) = self.validator.as_mut().map(|check| check(index, &payload)) {
                                wrong(FindingKind::Payload, &what);
                            }
                        }
                        Err(error) => wrong(FindingKind::Sealed, &error.to_string()),
                    },
                    Opening::Erased { .. } => erased += 1,
                    Opening::Missing => {
                        wrong(
                            FindingKind::Sealed,
                            &format!("data key {} is missing, and was not erased", envelope.key_id),
                        );
                    }
                    Opening::Closed => {}
                    Opening::Failed(what) => wrong(FindingKind::Sealed, &what.clone()),
                }
            }
            Err(error) => wrong(FindingKind::Changed, &error.to_string()),
        }
        self.report.opened += opened;
        self.report.erased += erased;
        self.link = chain_link(&self.link, &leaf);
        put_entry(&mut self.bundle, entry);
        self.level_zero.push(leaf);
        let mut full = Vec::new();
        self.edge.push(leaf, &mut full);
        let size = self.edge.size();
        if size.is_multiple_of(TILE_WIDTH) {
            let bundle = std::mem::take(&mut self.bundle);
            self.compare_bundles(size / TILE_WIDTH - 1, &bundle);
            self.level_zero.clear();
        }
        for FullTile { id, hashes } in full {
            if size <= self.report.checkpoint_size {
                self.required(&tile_path(id, TILE_WIDTH));
            }
            self.compare_tiles(id, &hashes);
        }
        self.origins_at(size);
        if self.outside.as_ref().is_some_and(|outside| outside.size == size) {
            self.outside_root = Some(self.edge.root());
        }
        if self.report.checkpoint_size == size {
            self.checkpoint_root = Some(self.edge.root());
        }
    }

    /// Compares the files of one tile, full and partial, with the hashes that it has.
    fn compare_tiles(&mut self, id: TileId, hashes: &[Hash]) {
        for width in self.tiles.remove(&id).unwrap_or_default() {
            let name = tile_path(id, width);
            let expected = usize::try_from(width).ok().and_then(|width| hashes.get(..width));
            let expected = expected.map(crate::tree::tile_bytes);
            self.compare(&name, expected.as_deref());
        }
    }

    /// The same for an entry bundle; `bundle` holds the entries from its first on.
    fn compare_bundles(&mut self, number: u64, bundle: &[u8]) {
        for width in self.bundles.remove(&number).unwrap_or_default() {
            let name = bundle_path(number, width);
            let mut rest = bundle;
            let mut end = Some(0);
            for _ in 0..width {
                end = crate::tree::take_entry(rest).map(|(_, after)| {
                    rest = after;
                    bundle.len() - after.len()
                });
                if end.is_none() {
                    break;
                }
            }
            let expected = end.and_then(|end| bundle.get(..end));
            self.compare(&name, expected);
        }
    }

    fn compare(&mut self, name: &str, expected: Option<&[u8]>) {
        let Some(expected) = expected else {
            if !self.report.live {
                self.find_in(FindingKind::Changed, name, "has more than the log has entries");
            }
            return;
        };
        let found = match self.folder.read_optional(name) {
            Ok(Some(found)) => found,
            // In use: partial tiles go when the tile is full.
            Ok(None) => return,
            Err(error) => return self.find_error(&error.into()),
        };
        if found == expected {
            return;
        }
        let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
        let damage = Damage::new(&self.folder.path(name), "is not what the entries make").at(same as u64);
        self.find(FindingKind::Changed, damage);
    }

    /// The tiles that are not full, and whatever else lies below `tile/`.
    pub(super) fn remaining_tiles(&mut self) {
        let partial: Vec<_> = self.edge.partial_tiles().map(|(id, hashes)| (id, hashes.to_vec())).collect();
        for (id, hashes) in partial {
            self.compare_tiles(id, &hashes);
        }
        let bundle = std::mem::take(&mut self.bundle);
        self.compare_bundles(self.edge.size() / TILE_WIDTH, &bundle);
        let tiles = std::mem::take(&mut self.tiles);
        let names = tiles.iter().flat_map(|(id, widths)| widths.iter().map(|width| tile_path(*id, *width)));
        let bundles = std::mem::take(&mut self.bundles);
        let more = bundles.iter().flat_map(|(number, widths)| widths.iter().map(|width| bundle_path(*number, *width)));
        for name in names.chain(more).collect::<Vec<_>>() {
            self.compare(&name, None);
        }
    }

    pub(super) fn roots(&mut self, checkpoint: Option<&Checkpoint>, whole: bool) {
        if let Some(checkpoint) = checkpoint {
            let root = if checkpoint.size == 0 { Some(empty_root()) } else { self.checkpoint_root };
            match root {
                Some(root) if root == checkpoint.root => {}
                Some(_) => {
                    let what = format!("root of {} entries is not the one that the entries make", checkpoint.size);
                    self.find_in(FindingKind::Changed, CHECKPOINT, what);
                }
                None if whole => {
                    self.find_in(FindingKind::Missing, CHECKPOINT, "entries under the checkpoint are missing")
                }
                None => {}
            }
        }
        let Some(outside) = self.outside.clone() else { return };
        let current = checkpoint.map_or(0, |checkpoint| checkpoint.size);
        let root = if outside.size == 0 { Some(empty_root()) } else { self.outside_root };
        if current < outside.size {
            let what = format!(
                "log was rolled back: its checkpoint is of {current} entries, the one kept outside of {}",
                outside.size
            );
            let damage = Damage::new(&self.folder.path(CHECKPOINT), what).entry(current);
            self.find(FindingKind::Rollback, damage);
        } else if root.is_some_and(|root| root != outside.root) {
            let what = format!("first {} entries are not those of the checkpoint kept outside", outside.size);
            self.find_in(FindingKind::Fork, CHECKPOINT, what);
        }
    }
}
