//! [`StoreKeys`]: the store's sealer, with one key per column, all derived from one root key.
//!
//! Where the root key comes from and how it is wrapped at rest is the caller's.

use rand_core::CryptoRng;
use scruple_seal::{BlindKey, ColumnKey, RootKey};
use scruple_store::{BLIND_COLUMNS, SEALED_COLUMNS, SealError, Sealer};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Seals, opens and indexes the store's columns.
pub struct StoreKeys {
    columns: BTreeMap<&'static str, ColumnKey>,
    blinds: BTreeMap<&'static str, BlindKey>,
    /// For a column that the store does not list: an index is never computed without a key.
    unlisted: BlindKey,
    rng: Mutex<Box<dyn CryptoRng + Send>>,
}

impl StoreKeys {
    /// Derives the key of every column that the store seals or looks up.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn new(root: &RootKey, rng: Box<dyn CryptoRng + Send>) -> Result<Self, scruple_seal::SealError> {
        let columns = SEALED_COLUMNS.into_iter().map(|name| Ok((name, root.column(name)?)));
        let blinds = BLIND_COLUMNS.into_iter().map(|name| Ok((name, root.blind(name)?)));
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            blinds: blinds.collect::<Result<_, _>>()?,
            unlisted: root.blind("unlisted")?,
            rng: Mutex::new(rng),
        })
    }

    fn column(&self, column: &'static str) -> Result<&ColumnKey, SealError> {
        self.columns.get(column).ok_or_else(|| SealError::new("column has no key"))
    }
}

impl std::fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKeys(..)")
    }
}

impl Sealer for StoreKeys {
    fn seal(&self, column: &'static str, id: Uuid, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.column(column)?;
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        key.seal_column(id.as_bytes(), clear, &mut **rng).map_err(SealError::new)
    }

    fn open(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let clear = self.column(column)?.open_column(id.as_bytes(), sealed).map_err(SealError::new)?;
        Ok(clear.to_vec())
    }

    fn blind(&self, column: &'static str, clear: &[u8]) -> [u8; 32] {
        match self.blinds.get(column) {
            Some(key) => key.index(clear),
            None => self.unlisted.index(&[column.as_bytes(), &[0], clear].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;
    use scruple_seal::Secret;

    fn keys(root: u8) -> StoreKeys {
        let rng = Box::new(ChaCha20Rng::seed_from_u64(3));
        StoreKeys::new(&RootKey::new(Secret::new([root; 32])), rng).unwrap()
    }

    #[test]
    fn every_column_of_the_store_opens_in_its_place_alone() {
        let (keys, stranger, row, other) = (keys(5), keys(6), Uuid::from_u128(1), Uuid::from_u128(2));
        for column in SEALED_COLUMNS {
            let sealed = keys.seal(column, row, b"Moana Canary").unwrap();
            assert_ne!(sealed, keys.seal(column, row, b"Moana Canary").unwrap(), "{column}");
            assert!(!sealed.windows(6).any(|window| window == b"Canary"), "{column}");
            assert_eq!(keys.open(column, row, &sealed).unwrap(), b"Moana Canary");
            assert!(keys.open(column, other, &sealed).is_err(), "{column}: another row");
            assert!(stranger.open(column, row, &sealed).is_err(), "{column}: another root");
            for elsewhere in SEALED_COLUMNS.into_iter().filter(|name| *name != column) {
                assert!(keys.open(elsewhere, row, &sealed).is_err(), "{column} in {elsewhere}");
            }
        }
        assert!(keys.seal("person.shoe", row, b"x").is_err() && keys.open("person.shoe", row, b"x").is_err());
    }

    #[test]
    fn an_index_depends_on_root_column_and_value() {
        let (keys, other) = (keys(5), keys(6));
        for column in BLIND_COLUMNS.into_iter().chain(["person.shoe"]) {
            assert_eq!(keys.blind(column, b"ana"), keys.blind(column, b"ana"));
            assert_ne!(keys.blind(column, b"ana"), keys.blind(column, b"anb"));
            assert_ne!(keys.blind(column, b"ana"), other.blind(column, b"ana"));
            assert_ne!(keys.blind(column, b"ana"), keys.blind("person.hat", b"ana"));
        }
        assert_eq!(format!("{keys:?}"), "StoreKeys(..)");
    }
}
