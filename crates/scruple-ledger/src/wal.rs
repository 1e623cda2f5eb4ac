//! Writes batches: seal, frame, one write, one fdatasync.

use crate::error::{Stop, StorageError};
use crate::folder::{Folder, segment_name};
use crate::frame::segment_header;
use crate::frame::{FRAME_HEADER_BYTES, FrameHead, ORIGIN_BYTES, Origin, SEGMENT_HEADER_BYTES, begin_frame, end_frame};
use crate::storage::File;
use crate::tree::{Hash, chain_link, put_entry};
use scruple_core::limits::ENTRY_BYTES_MAX;
use scruple_seal::{ENVELOPE_OVERHEAD, Place, Sealer};
use std::sync::Arc;

/// Bytes of a payload. C2SP bundles hold entries of at most 65,535 bytes, and sealing adds to them.
pub const PAYLOAD_BYTES_MAX: usize = ENTRY_BYTES_MAX - ENVELOPE_OVERHEAD - ORIGIN_BYTES;
/// Bytes of frames that one batch writes.
pub(crate) const BATCH_BYTES_MAX: usize = 4 << 20;

/// The bytes that an entry takes in the write-ahead log.
pub(crate) const fn frame_bytes(payload: usize) -> usize {
    FRAME_HEADER_BYTES + ENVELOPE_OVERHEAD + ORIGIN_BYTES + payload
}

/// The bytes of frames that fit into a segment.
pub(crate) fn segment_room(segment_bytes: u64) -> usize {
    usize::try_from(segment_bytes).unwrap_or(usize::MAX).saturating_sub(SEGMENT_HEADER_BYTES)
}

/// That an entry is durable. Only the ledger makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Receipt {
    /// Its index in the log, or among the entries of the reserve.
    pub index: u64,
    /// Its leaf hash in the tree.
    pub leaf: Hash,
    /// The hash chain up to and with it: who keeps it can later tell that nothing before was changed, even if no
    /// checkpoint covered the entry yet.
    pub link: Hash,
    /// Whether it stands in the emergency reserve, from which it is merged into the log later. Index, leaf and link are
    /// then those of the reserve.
    pub in_reserve: bool,
}

/// An entry to write.
pub(crate) struct Item<'a> {
    pub payload: &'a [u8],
    pub origin: Option<Origin>,
}

/// Entries that are durable and not yet in the tree.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The index of the first.
    pub first: u64,
    /// The sealed entries in the form of a bundle.
    pub entries: Vec<u8>,
    pub leaves: Vec<Hash>,
    pub origins: Vec<Origin>,
}

/// A segment that frames are written to.
pub(crate) struct OpenSegment {
    pub ordinal: u64,
    pub file: Box<dyn File>,
    pub offset: u64,
    pub capacity: u64,
}

impl OpenSegment {
    /// Makes a segment full of zeros, durably.
    pub(crate) fn create(folder: &Folder, ordinal: u64, capacity: u64, log: [u8; 16]) -> Result<Self, StorageError> {
        let header = segment_header(ordinal, capacity, log);
        let file = folder.create_zeroed(&segment_name(ordinal), &header, capacity)?;
        Ok(Self { ordinal, file, offset: SEGMENT_HEADER_BYTES as u64, capacity })
    }
}

/// The one writer of the log.
pub(crate) struct Writer {
    pub folder: Arc<Folder>,
    pub shard: u32,
    pub segment: Option<OpenSegment>,
    pub next: u64,
    pub link: Hash,
    pub sealer: Sealer,
    pub buffer: Vec<u8>,
}

impl Writer {
    /// Writes a batch and makes it durable. After an error nothing more may be written.
    pub(crate) fn write_batch(
        &mut self,
        items: &[Item<'_>],
        next_segment: &mut dyn FnMut() -> Result<OpenSegment, StorageError>,
    ) -> Result<(Batch, Vec<Receipt>), Stop> {
        let mut batch = Batch { first: self.next, ..Batch::default() };
        let mut receipts = Vec::with_capacity(items.len());
        let (mut index, mut link) = (self.next, self.link);
        self.buffer.clear();
        for item in items {
            let head = FrameHead { index, batch: self.next, origin: item.origin, before: link };
            let start = begin_frame(&mut self.buffer, &head);
            let label = item.origin.map(Origin::to_bytes);
            let label = label.as_ref().map_or(&[][..], |label| label.as_slice());
            self.sealer.seal(Place { shard: self.shard, index }, label, item.payload, &mut self.buffer)?;
            let leaf = end_frame(&mut self.buffer, start);
            put_entry(&mut batch.entries, self.buffer.get(start + FRAME_HEADER_BYTES..).unwrap_or_default());
            batch.leaves.push(leaf);
            batch.origins.extend(item.origin);
            link = chain_link(&link, &leaf);
            receipts.push(Receipt { index, leaf, link, in_reserve: false });
            index += 1;
        }
        self.write_buffer(next_segment)?;
        (self.next, self.link) = (index, link);
        Ok((batch, receipts))
    }

    fn write_buffer(
        &mut self,
        next_segment: &mut dyn FnMut() -> Result<OpenSegment, StorageError>,
    ) -> Result<(), StorageError> {
        let bytes = self.buffer.len() as u64;
        let mut segment = match self.segment.take() {
            Some(segment) if segment.offset + bytes <= segment.capacity => segment,
            _ => next_segment()?,
        };
        let failed =
            |operation, error| StorageError::new(operation, &self.folder.path(&segment_name(segment.ordinal)), error);
        if let Err(error) = segment.file.write_at(segment.offset, &self.buffer) {
            return Err(failed("write", error));
        }
        if let Err(error) = segment.file.sync() {
            return Err(failed("make durable", error));
        }
        segment.offset += bytes;
        self.segment = Some(segment);
        Ok(())
    }

    /// The ordinal of the segment that holds the last frame.
    pub(crate) fn segment_ordinal(&self) -> Option<u64> {
        self.segment.as_ref().map(|segment| segment.ordinal)
    }
}
