//! Frames and segments of the write-ahead log: pure encoding, reading and scanning.
//!
//! A segment is a header and frames, zeros behind them. It is written full of zeros before its first use, so that
//! fdatasync has no length or block map to write.
//!
//! ```text
//! segment: magic 8 | ordinal 8 | capacity 8 | log 16 | crc32c 4 | frames | zeros
//! frame:   magic 4 | crc32c 4 | length 4 | index 8 | batch 8 | origin 13 | link before 32 | 0 | sealed entry
//! ```
//! `batch` is the index of the first entry of the batch. So whoever finds damage at entry `e` and a good frame behind it
//! knows whether that frame's batch began at or before `e` (one torn write, nobody was told) or after it (an earlier
//! batch, which was durable, is damaged). The zero byte before the entry is the prefix of its leaf hash.

use crate::tree::{HASH_BYTES, Hash, prefixed_leaf_hash};
use scruple_core::limits::ENTRY_BYTES_MAX;

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 8 + 8 + 8 + 16 + 4;
/// Bytes of a frame before its entry.
pub(crate) const FRAME_HEADER_BYTES: usize = 4 + 4 + 4 + 8 + 8 + ORIGIN_BYTES + HASH_BYTES + 1;
/// Bytes of an origin: flags, shard, position.
pub(crate) const ORIGIN_BYTES: usize = 1 + 4 + 8;

const SEGMENT_MAGIC: &[u8; 8] = b"SCRWAL\x001";
const FRAME_MAGIC: &[u8; 4] = b"\xf5SCF";
const CRC_END: usize = 8;

/// Where an entry came from: a position in a shard's event table. The log takes each once and in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// The shard.
    pub shard: u32,
    /// The position, from 1.
    pub seq: u64,
    /// Taken over from a node that died: the first such entry of a shard may have any position.
    pub adopted: bool,
}

impl Origin {
    /// An origin of this node's own shard.
    #[must_use]
    pub const fn new(shard: u32, seq: u64) -> Self {
        Self { shard, seq, adopted: false }
    }

    /// The same, adopted.
    #[must_use]
    pub const fn adopted(shard: u32, seq: u64) -> Self {
        Self { shard, seq, adopted: true }
    }

    /// The bytes that stand in the frame and, authenticated, in the sealed entry.
    #[must_use]
    pub(crate) fn to_bytes(self) -> [u8; ORIGIN_BYTES] {
        let mut bytes = [0; ORIGIN_BYTES];
        bytes[0] = if self.adopted { 2 } else { 1 };
        bytes[1..5].copy_from_slice(&self.shard.to_be_bytes());
        bytes[5..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// Reads them: `Some(None)` for an entry without origin, `None` for bytes that are none.
    #[must_use]
    #[expect(clippy::option_option, reason = "malformed, absent and present are three things")]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Option<Self>> {
        if bytes.is_empty() || (bytes.len() == ORIGIN_BYTES && bytes.iter().all(|byte| *byte == 0)) {
            return Some(None);
        }
        let (&[flag], rest) = bytes.split_first_chunk::<1>()?;
        let (shard, rest) = rest.split_first_chunk::<4>()?;
        let seq = u64::from_be_bytes(rest.try_into().ok()?);
        let adopted = match flag {
            1 => false,
            2 => true,
            _ => return None,
        };
        Some(Some(Self { shard: u32::from_be_bytes(*shard), seq, adopted }))
    }
}

/// The header of a segment.
pub(crate) fn segment_header(ordinal: u64, capacity: u64, log: [u8; 16]) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(SEGMENT_MAGIC);
    bytes[8..16].copy_from_slice(&ordinal.to_be_bytes());
    bytes[16..24].copy_from_slice(&capacity.to_be_bytes());
    bytes[24..40].copy_from_slice(&log);
    let crc = crc32c::crc32c(&bytes[..40]);
    bytes[40..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// A frame to write, but for its entry: [`begin_frame`] leaves room, the caller appends the entry, [`end_frame`] fills in.
#[derive(Clone, Copy)]
pub(crate) struct FrameHead {
    pub index: u64,
    pub batch: u64,
    pub origin: Option<Origin>,
    pub before: Hash,
}

pub(crate) fn begin_frame(out: &mut Vec<u8>, head: &FrameHead) -> usize {
    let start = out.len();
    out.extend_from_slice(FRAME_MAGIC);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&head.index.to_be_bytes());
    out.extend_from_slice(&head.batch.to_be_bytes());
    out.extend_from_slice(&head.origin.map_or([0; ORIGIN_BYTES], Origin::to_bytes));
    out.extend_from_slice(&head.before.0);
    out.push(0);
    start
}

/// Fills length and checksum in; returns the leaf hash of the entry.
pub(crate) fn end_frame(out: &mut [u8], start: usize) -> Hash {
    let Some(frame) = out.get_mut(start..) else { return Hash::default() };
    let length = frame.len().saturating_sub(FRAME_HEADER_BYTES);
    if let Some(field) = frame.get_mut(CRC_END..CRC_END + 4) {
        field.copy_from_slice(&u32::try_from(length).unwrap_or(0).to_be_bytes());
    }
    let crc = crc32c::crc32c(frame.get(CRC_END..).unwrap_or_default());
    if let Some(field) = frame.get_mut(4..CRC_END) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
    prefixed_leaf_hash(frame.get(FRAME_HEADER_BYTES - 1..).unwrap_or_default())
}

/// A frame as it was read; its checksum is good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub index: u64,
    pub batch: u64,
    pub origin: Option<Origin>,
    pub before: Hash,
    pub leaf: Hash,
    pub entry: &'a [u8],
    /// Bytes of the whole frame.
    pub bytes: usize,
}

/// Reads the frame at the beginning of `bytes`. `None`: there is none, or it is damaged.
pub(crate) fn read_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let rest = bytes.strip_prefix(FRAME_MAGIC)?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if length == 0 || length > ENTRY_BYTES_MAX {
        return None;
    }
    let checked = bytes.get(CRC_END..FRAME_HEADER_BYTES + length)?;
    if crc32c::crc32c(checked) != u32::from_be_bytes(*crc) {
        return None;
    }
    let (index, rest) = rest.split_first_chunk::<8>()?;
    let (batch, rest) = rest.split_first_chunk::<8>()?;
    let (origin, rest) = rest.split_first_chunk::<ORIGIN_BYTES>()?;
    let (before, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
    let zero_and_entry = rest.get(..=length)?;
    let (&0, entry) = zero_and_entry.split_first()? else { return None };
    Some(Frame {
        index: u64::from_be_bytes(*index),
        batch: u64::from_be_bytes(*batch),
        origin: Origin::from_bytes(origin)?,
        before: Hash(*before),
        leaf: prefixed_leaf_hash(zero_and_entry),
        entry,
        bytes: FRAME_HEADER_BYTES + length,
    })
}

/// What stands at a place in a segment where a frame may be.
pub(crate) enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Zeros up to the end.
    End,
    /// Something else.
    Bad,
}

/// Reads what stands at `offset`.
pub(crate) fn next(segment: &[u8], offset: usize) -> Next<'_> {
    let rest = segment.get(offset..).unwrap_or_default();
    match read_frame(rest) {
        Some(frame) => Next::Frame(frame),
        None if rest.iter().all(|byte| *byte == 0) => Next::End,
        None => Next::Bad,
    }
}

/// Whether any good frame behind a damaged place at entry `index` is of a batch that began after it: then the damaged
/// entry was durable.
pub(crate) fn later_batch(bytes: &[u8], index: u64) -> bool {
    memchr::memmem::find_iter(bytes, FRAME_MAGIC)
        .filter_map(|at| read_frame(bytes.get(at..)?))
        .any(|frame| frame.batch > index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;
    use proptest::prelude::*;

    fn frame(entry: &[u8], head: FrameHead) -> Vec<u8> {
        let mut bytes = Vec::new();
        let start = begin_frame(&mut bytes, &head);
        bytes.extend_from_slice(entry);
        assert_eq!(end_frame(&mut bytes, start), leaf_hash(entry));
        bytes
    }

    fn head() -> FrameHead {
        FrameHead { index: 9, batch: 7, origin: Some(Origin::new(1, 5)), before: leaf_hash(b"before") }
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_and_no_flipped_bit_does(
            entry in proptest::collection::vec(any::<u8>(), 1..200),
            position in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut bytes = frame(&entry, head());
            let read = read_frame(&bytes).unwrap();
            prop_assert_eq!(read.entry, entry.as_slice());
            prop_assert_eq!((read.index, read.batch, read.origin), (9, 7, Some(Origin::new(1, 5))));
            prop_assert_eq!((read.leaf, read.bytes), (leaf_hash(&entry), bytes.len()));
            let position = position.index(bytes.len());
            bytes[position] ^= 1 << bit;
            prop_assert!(read_frame(&bytes).is_none());
        }
    }

    #[test]
    fn damage_is_told_from_a_torn_write_by_what_stands_behind_it() {
        let behind = |batch| frame(b"entry", FrameHead { index: 12, batch, ..head() });
        assert!(!later_batch(&behind(10), 10));
        assert!(later_batch(&behind(11), 10));
        assert!(!later_batch(&[0; 300], 10));
        let mut shifted = vec![0xf5; 13];
        shifted.extend_from_slice(&behind(12));
        assert!(later_batch(&shifted, 10));
    }

    #[test]
    fn origins_read_back() {
        for origin in [Origin::new(0, 0), Origin::new(7, u64::MAX), Origin::adopted(1, 2)] {
            assert_eq!(Origin::from_bytes(&origin.to_bytes()), Some(Some(origin)));
        }
        assert_eq!(Origin::from_bytes(&[]), Some(None));
        assert_eq!(Origin::from_bytes(&[0; ORIGIN_BYTES]), Some(None));
        assert_eq!(Origin::from_bytes(&[3; ORIGIN_BYTES]), None);
        assert_eq!(Origin::from_bytes(&[1; 5]), None);
    }
}
