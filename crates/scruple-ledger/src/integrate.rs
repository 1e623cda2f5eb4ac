//! Brings durable entries into the tree: bundles and tiles, then the signed checkpoint, then the side file; then the
//! segments that are wholly below the checkpoint go.

use crate::error::{Stop, StorageError};
use crate::folder::{CHECKPOINT, Folder, ORIGINS};
use crate::note::NoteSigner;
use crate::origins::Origins;
use crate::storage::Mode;
use crate::tree::{Edge, TILE_WIDTH, bundle_path, put_entry, take_entry, tile_bytes, tile_path};
use crate::wal::Batch;
use scruple_seal::SealError;
use std::sync::Arc;

/// The state of the tree on disk.
pub(crate) struct Integrator {
    pub folder: Arc<Folder>,
    pub signer: NoteSigner,
    pub edge: Edge,
    /// The entries of the last, not full, bundle.
    pub bundle: Vec<u8>,
    pub origins: Origins,
    pub checkpoint: Vec<u8>,
}

impl Integrator {
    /// Integrates batches that follow each other and the tree. After an error nothing more may be written.
    pub(crate) fn integrate(&mut self, batches: Vec<Batch>) -> Result<(), Stop> {
        let mut files = Vec::new();
        let mut superseded = Vec::new();
        for batch in batches {
            self.push(batch, &mut files, &mut superseded)?;
        }
        let size = self.edge.size();
        for (id, hashes) in self.edge.partial_tiles() {
            files.push((tile_path(id, hashes.len() as u64), tile_bytes(hashes)));
        }
        if !self.bundle.is_empty() {
            files.push((bundle_path(size / TILE_WIDTH, size % TILE_WIDTH), self.bundle.clone()));
        }
        self.folder.replace(&files)?;
        let checkpoint = self
            .signer
            .checkpoint(size, self.edge.root())
            .map_err(|_| Stop::Seal(SealError::Malformed { what: "name of the signing key" }))?;
        self.folder.replace_one(CHECKPOINT, &checkpoint, Mode::Common)?;
        self.checkpoint = checkpoint;
        // Before any segment goes: what it said of origins must be in the side file.
        self.folder.replace_one(ORIGINS, &self.origins.to_bytes(size), Mode::Common)?;
        for path in superseded {
            self.remove_partial(&path)?;
        }
        Ok(())
    }

    fn push(
        &mut self,
        batch: Batch,
        files: &mut Vec<(String, Vec<u8>)>,
        superseded: &mut Vec<String>,
    ) -> Result<(), Stop> {
        // The writer counts on from the tree's size; anything else is a fault of ours that must not reach the disk.
        if batch.first != self.edge.size() {
            return Err(Stop::Thread);
        }
        let mut full = Vec::new();
        let mut rest = batch.entries.as_slice();
        for leaf in batch.leaves {
            let Some((entry, after)) = take_entry(rest) else { return Err(Stop::Thread) };
            rest = after;
            put_entry(&mut self.bundle, entry);
            self.edge.push(leaf, &mut full);
            if self.edge.size().is_multiple_of(TILE_WIDTH) {
                let path = bundle_path(self.edge.size() / TILE_WIDTH - 1, TILE_WIDTH);
                superseded.push(path.clone());
                files.push((path, std::mem::take(&mut self.bundle)));
            }
        }
        for tile in full {
            let path = tile_path(tile.id, TILE_WIDTH);
            superseded.push(path.clone());
            files.push((path, tile_bytes(&tile.hashes)));
        }
        for origin in batch.origins {
            let _ = self.origins.take(origin);
        }
        Ok(())
    }

    /// Removes the partial tiles of a tile that is full and durable.
    fn remove_partial(&self, path: &str) -> Result<(), StorageError> {
        let dir = format!("{path}.p");
        let items = self.folder.list(&dir)?;
        if items.is_empty() {
            return Ok(());
        }
        items.iter().try_for_each(|item| self.folder.remove(&format!("{dir}/{}", item.name)))?;
        self.folder.remove_dir(&dir)
    }
}
