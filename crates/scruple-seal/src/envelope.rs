//! The sealed envelope, and the keys that seal and open it.
//!
//! ```text
//! version 1 | key id 16 | counter 8 | label length 1 | label | ciphertext | tag 16
//! ```
//! The nonce is the key's shard (4 bytes) and the counter (8 bytes). The label is clear text that is authenticated, as
//! is the place (shard and index) where the envelope stands, so that envelopes cannot be exchanged.

use crate::provider::aes;
use crate::{KeyId, KeyScope, SealError, Secret};
use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use rand_core::CryptoRng;
use std::fmt;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + 16 + 8 + 1;

/// Bytes that an envelope adds to its payload and label.
pub const ENVELOPE_OVERHEAD: usize = HEADER_BYTES + TAG_BYTES;
/// Bytes of a label.
pub const LABEL_BYTES_MAX: usize = 64;
/// Envelopes that one data key seals. NIST SP 800-38D allows more with counter nonces; an hour never needs it.
pub const SEALS_PER_KEY_MAX: u64 = 1 << 32;

/// Where an envelope stands: authenticated, not stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The log's shard.
    pub shard: u32,
    /// The index of the entry.
    pub index: u64,
}

/// A data key that was made in this run and has not sealed yet. Not `Clone`: it becomes one [`Sealer`].
// INVARIANT (nonce-once): a Sealer is made of a FreshKey alone, a FreshKey of randomness alone, and neither is cloned;
// so no two counters ever run under one key, not even after a crash that forgot how far the first had come.
#[derive(Debug)]
pub struct FreshKey {
    scope: KeyScope,
    secret: Secret,
}

impl FreshKey {
    /// A new key for one shard and hour.
    pub fn generate(shard: u32, hour: i64, rng: &mut dyn CryptoRng) -> Self {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Self { scope: KeyScope { id: KeyId(id), shard, hour }, secret: Secret::generate(rng) }
    }

    /// What it is for.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        self.scope
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Begins to seal. The wrapped key must be durable by now.
    ///
    /// # Errors
    /// The crypto library refuses the key.
    pub fn into_sealer(self) -> Result<Sealer, SealError> {
        Ok(Sealer { scope: self.scope, key: aes(&self.secret)?, next: 0 })
    }
}

/// Seals envelopes with one data key and a counter.
pub struct Sealer {
    scope: KeyScope,
    key: LessSafeKey,
    next: u64,
}

impl Sealer {
    /// The key's scope.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        self.scope
    }

    /// Seals and appends the envelope to `out`.
    ///
    /// # Errors
    /// The key is exhausted, or the label is too long. `out` is then as it was.
    pub fn seal(&mut self, place: Place, label: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let label_bytes = u8::try_from(label.len())
            .ok()
            .filter(|_| label.len() <= LABEL_BYTES_MAX)
            .ok_or(SealError::LabelTooLong { bytes: label.len() })?;
        let counter = self.next;
        if counter >= SEALS_PER_KEY_MAX {
            return Err(SealError::KeyExhausted);
        }
        // Counted before use: a refused seal wastes a nonce, it never repeats one.
        self.next = counter + 1;
        let start = out.len();
        out.push(VERSION);
        out.extend_from_slice(&self.scope.id.0);
        out.extend_from_slice(&counter.to_be_bytes());
        out.push(label_bytes);
        out.extend_from_slice(label);
        let header_end = out.len();
        let aad = additional(place, out.get(start..).unwrap_or_default());
        out.extend_from_slice(plain);
        let sealed = out.get_mut(header_end..).unwrap_or_default();
        let nonce = nonce(self.scope.shard, counter);
        match self.key.seal_in_place_separate_tag(nonce, Aad::from(aad.as_slice()), sealed) {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(_) => {
                out.truncate(start);
                Err(SealError::Crypto("seal"))
            }
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("scope", &self.scope).field("next", &self.next).finish_non_exhaustive()
    }
}

/// A data key that opens.
pub struct OpeningKey {
    scope: KeyScope,
    key: LessSafeKey,
}

impl OpeningKey {
    pub(crate) fn new(scope: KeyScope, secret: &Secret) -> Result<Self, SealError> {
        Ok(Self { scope, key: aes(secret)? })
    }

    /// What it is for.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        self.scope
    }

    /// Opens an envelope that stands at `place`.
    ///
    /// # Errors
    /// Another key, another place, or changed bytes.
    pub fn open(&self, place: Place, envelope: &Envelope<'_>) -> Result<Vec<u8>, SealError> {
        let wrong = SealError::DoesNotOpen { what: "envelope" };
        if envelope.key_id != self.scope.id {
            return Err(wrong);
        }
        let mut buffer = envelope.sealed.to_vec();
        let aad = additional(place, envelope.header);
        let nonce = nonce(self.scope.shard, envelope.counter);
        let length = self.key.open_in_place(nonce, Aad::from(aad.as_slice()), &mut buffer).map_err(|_| wrong)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpeningKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// An envelope as it was read: still sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope<'a> {
    /// The data key it names.
    pub key_id: KeyId,
    /// The counter part of its nonce.
    pub counter: u64,
    /// The clear label.
    pub label: &'a [u8],
    header: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads the clear parts.
    ///
    /// # Errors
    /// The bytes are no envelope of a known version.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SealError> {
        let malformed = || SealError::Malformed { what: "envelope" };
        let (&[version], rest) = bytes.split_first_chunk::<1>().ok_or_else(malformed)?;
        if version != VERSION {
            return Err(SealError::Version { what: "envelope", version });
        }
        let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
        let (counter, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (&[length], rest) = rest.split_first_chunk::<1>().ok_or_else(malformed)?;
        let (label, sealed) = rest.split_at_checked(usize::from(length)).ok_or_else(malformed)?;
        if label.len() > LABEL_BYTES_MAX || sealed.len() < TAG_BYTES {
            return Err(malformed());
        }
        let header = bytes.get(..HEADER_BYTES + label.len()).ok_or_else(malformed)?;
        Ok(Self { key_id: KeyId(*id), counter: u64::from_be_bytes(*counter), label, header, sealed })
    }
}

fn nonce(shard: u32, counter: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (context, count) = bytes.split_at_mut(4);
    context.copy_from_slice(&shard.to_be_bytes());
    count.copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn additional(place: Place, header: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(20 + 12 + header.len());
    aad.extend_from_slice(b"scruple envelope\0");
    aad.extend_from_slice(&place.shard.to_be_bytes());
    aad.extend_from_slice(&place.index.to_be_bytes());
    aad.extend_from_slice(header);
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileKey, WrappedKey};
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    const PLACE: Place = Place { shard: 3, index: 41 };

    fn keys() -> (Sealer, OpeningKey) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let kek = FileKey::generate(&mut rng);
        let key = FreshKey::generate(3, 480_000, &mut rng);
        let opening = WrappedKey::wrap(&kek, &key, &mut rng).unwrap().unwrap(&kek).unwrap();
        (key.into_sealer().unwrap(), opening)
    }

    #[test]
    fn an_envelope_opens_at_its_place_alone() {
        let (mut sealer, key) = keys();
        let mut bytes = Vec::new();
        sealer.seal(PLACE, b"origin", b"Moana Canary", &mut bytes).unwrap();
        assert_eq!(bytes.len(), 12 + 6 + ENVELOPE_OVERHEAD);
        let envelope = Envelope::parse(&bytes).unwrap();
        assert_eq!((envelope.label, envelope.counter), (b"origin".as_slice(), 0));
        assert_eq!(key.open(PLACE, &envelope).unwrap(), b"Moana Canary");
        assert!(key.open(Place { index: 42, ..PLACE }, &envelope).is_err());
        assert!(key.open(Place { shard: 4, ..PLACE }, &envelope).is_err());
        assert!(!bytes.windows(5).any(|window| window == b"Moana"));
    }

    #[test]
    fn no_two_envelopes_of_a_key_have_the_same_nonce() {
        let (mut sealer, _) = keys();
        let mut counters = std::collections::BTreeSet::new();
        for index in 0..100 {
            let mut bytes = Vec::new();
            sealer.seal(Place { shard: 3, index }, &[], b"same", &mut bytes).unwrap();
            assert!(counters.insert(Envelope::parse(&bytes).unwrap().counter));
        }
        sealer.next = SEALS_PER_KEY_MAX;
        let mut out = vec![7];
        assert_eq!(sealer.seal(PLACE, &[], b"x", &mut out), Err(SealError::KeyExhausted));
        assert_eq!(sealer.seal(PLACE, &[0; 65], b"x", &mut out), Err(SealError::LabelTooLong { bytes: 65 }));
        assert_eq!(out, [7]);
    }

    /// NIST's AES-256-GCM test case 14 (zero key, nonce and block) through the same key type and nonce layout.
    #[test]
    fn the_cipher_is_aes_256_gcm() {
        let key = aes(&Secret::new([0; 32])).unwrap();
        let mut block = [0; 16];
        let tag = key.seal_in_place_separate_tag(nonce(0, 0), Aad::empty(), &mut block).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&block), "cea7403d4d606b6e074ec5d3baf39d18");
        assert_eq!(hex(tag.as_ref()), "d0d1c8a799996bf0265b98b5d48ab919");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_no_flipped_bit_does(
            plain in proptest::collection::vec(any::<u8>(), 0..300),
            label in proptest::collection::vec(any::<u8>(), 0..=LABEL_BYTES_MAX),
            position in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let (mut sealer, key) = keys();
            let mut bytes = Vec::new();
            sealer.seal(PLACE, &label, &plain, &mut bytes).unwrap();
            prop_assert_eq!(key.open(PLACE, &Envelope::parse(&bytes).unwrap()).unwrap(), plain);
            let position = position.index(bytes.len());
            bytes[position] ^= 1 << bit;
            let opened = Envelope::parse(&bytes).and_then(|envelope| key.open(PLACE, &envelope));
            prop_assert!(opened.is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (_, key) = keys();
            if let Ok(envelope) = Envelope::parse(&bytes) {
                prop_assert!(key.open(PLACE, &envelope).is_err());
            }
            let _ = WrappedKey::from_bytes(&bytes);
        }
    }
}
