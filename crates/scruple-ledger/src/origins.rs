//! The last position of each shard, and the side file that saves reading all entries at the start.
//!
//! The side file may be older than the checkpoint, never newer, and is rebuilt from the entries if it is lost.

use crate::frame::Origin;
use std::collections::BTreeMap;

const MAGIC: &[u8; 8] = b"SCRORG\x001";
const CRC_BYTES: usize = 4;

/// The last position of each shard.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Origins(BTreeMap<u32, u64>);

impl Origins {
    pub(crate) fn last(&self, shard: u32) -> Option<u64> {
        self.0.get(&shard).copied()
    }

    /// The position that must follow; `None` if any may.
    fn expected(&self, origin: Origin) -> Option<u64> {
        match self.last(origin.shard) {
            Some(last) => Some(last.saturating_add(1)),
            None if origin.adopted => None,
            None => Some(1),
        }
    }

    /// Takes an origin.
    ///
    /// # Errors
    /// The position that would have followed.
    pub(crate) fn take(&mut self, origin: Origin) -> Result<(), u64> {
        match self.expected(origin) {
            Some(expected) if expected != origin.seq => Err(expected),
            _ => {
                self.0.insert(origin.shard, origin.seq);
                Ok(())
            }
        }
    }

    /// The side file: the state after `size` entries.
    pub(crate) fn to_bytes(&self, size: u64) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&size.to_be_bytes());
        for (shard, seq) in &self.0 {
            bytes.extend_from_slice(&shard.to_be_bytes());
            bytes.extend_from_slice(&seq.to_be_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    /// Reads the side file. `None` if it is not whole.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(u64, Self)> {
        let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return None;
        }
        let rest = body.strip_prefix(MAGIC)?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (rows, rest) = rest.as_chunks::<12>();
        let mut map = BTreeMap::new();
        for row in rows {
            let (shard, seq) = row.split_first_chunk::<4>()?;
            let seq = u64::from_be_bytes(seq.try_into().ok()?);
            map.insert(u32::from_be_bytes(*shard), seq);
        }
        let origins = Self(map);
        let size = u64::from_be_bytes(*size);
        (rest.is_empty() && origins.to_bytes(size) == bytes).then_some((size, origins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_once_and_in_order() {
        let mut origins = Origins::default();
        assert_eq!(origins.take(Origin::new(1, 2)), Err(1));
        assert_eq!(origins.take(Origin::new(1, 1)), Ok(()));
        assert_eq!(origins.take(Origin::new(1, 1)), Err(2));
        assert_eq!(origins.take(Origin::new(1, 3)), Err(2));
        assert_eq!(origins.take(Origin::new(1, 2)), Ok(()));
        assert_eq!(origins.take(Origin::adopted(2, 40)), Ok(()));
        assert_eq!(origins.take(Origin::adopted(2, 42)), Err(41));
        assert_eq!((origins.last(1), origins.last(2), origins.last(3)), (Some(2), Some(40), None));
    }

    #[test]
    fn the_side_file_reads_back_and_any_changed_byte_is_noticed() {
        let mut origins = Origins::default();
        origins.take(Origin::new(1, 1)).unwrap();
        origins.take(Origin::adopted(9, 7)).unwrap();
        let bytes = origins.to_bytes(300);
        assert_eq!(Origins::from_bytes(&bytes), Some((300, origins)));
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 4;
            assert_eq!(Origins::from_bytes(&changed), None);
            assert_eq!(Origins::from_bytes(&bytes[..position]), None);
        }
    }
}
