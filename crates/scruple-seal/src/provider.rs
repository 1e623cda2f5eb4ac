//! The seam to the key-encryption key, and the form of a wrapped data key.

use crate::{FreshKey, OpeningKey, SealError, Secret};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rand_core::CryptoRng;
use std::fmt;
use std::fmt::Write as _;
use zeroize::Zeroizing;

const TAG_BYTES: usize = 16;
const WRAPPED_VERSION: u8 = 1;
const KEK_FILE_WORD: &str = "scruple-kek-v1";
const KEK_ID_BYTES_MAX: usize = 255;

/// Wraps and unwraps 32-byte secrets with a key-encryption key. The file provider does it here; Vault transit and a
/// cloud's key service do it elsewhere. `label` is authenticated with the secret and must be the same for both.
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// The name of the KEK, at most 255 bytes, stored beside what it wraps.
    fn kek_id(&self) -> &str;

    /// Wraps a secret.
    ///
    /// # Errors
    /// The provider cannot be reached or refuses.
    fn wrap(&self, label: &[u8], secret: &Secret, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError>;

    /// Unwraps a secret.
    ///
    /// # Errors
    /// The provider cannot be reached, or the bytes or the label are not what was wrapped.
    fn unwrap(&self, label: &[u8], wrapped: &[u8]) -> Result<Secret, SealError>;
}

/// The KEK in a file of its own. This type is what the file holds; the file is the caller's.
pub struct FileKey {
    id: String,
    secret: Secret,
}

impl FileKey {
    /// From 32 bytes. The id is derived from them, so that a changed file is noticed.
    #[must_use]
    pub fn from_bytes(secret: Secret) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"scruple kek id");
        context.update(secret.expose());
        let id = context.finish().as_ref().iter().take(8).fold("file:".to_owned(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        Self { id, secret }
    }

    /// A new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_bytes(Secret::generate(rng))
    }

    /// Reads the file's text: a word, the id, and the key in base64, in one line.
    ///
    /// # Errors
    /// The text is no key file, or its id does not belong to its key.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let malformed = SealError::Malformed { what: "key file" };
        let line = text.strip_suffix('\n').ok_or(malformed.clone())?;
        let rest = line.strip_prefix(KEK_FILE_WORD).and_then(|rest| rest.strip_prefix(' ')).ok_or(malformed.clone())?;
        let (id, encoded) = rest.split_once(' ').ok_or(malformed.clone())?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| malformed.clone())?);
        let key = Self::from_bytes(Secret::from_slice(&bytes).ok_or(malformed.clone())?);
        if key.id == id { Ok(key) } else { Err(malformed) }
    }

    /// The text of the file. It is the key: mode 0600, and not into a log.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(self.secret.expose()));
        Zeroizing::new(format!("{KEK_FILE_WORD} {} {}\n", self.id, encoded.as_str()))
    }

    fn key(&self) -> Result<LessSafeKey, SealError> {
        aes(&self.secret)
    }

    fn aad(&self, label: &[u8]) -> Vec<u8> {
        let mut aad = b"scruple wrap 1\0".to_vec();
        put_short(&mut aad, self.id.as_bytes());
        aad.extend_from_slice(label);
        aad
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl KeyProvider for FileKey {
    fn kek_id(&self) -> &str {
        &self.id
    }

    // The nonce is random: a KEK wraps a few keys an hour, and no counter of it is durable.
    fn wrap(&self, label: &[u8], secret: &Secret, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let mut sealed = Zeroizing::new(*secret.expose());
        let tag = self
            .key()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.aad(label)),
                sealed.as_mut_slice(),
            )
            .map_err(|_| SealError::Crypto("wrap"))?;
        Ok([nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat())
    }

    fn unwrap(&self, label: &[u8], wrapped: &[u8]) -> Result<Secret, SealError> {
        let malformed = SealError::Malformed { what: "wrapped key" };
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(malformed.clone())?;
        if sealed.len() != 32 + TAG_BYTES {
            return Err(malformed);
        }
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .key()?
            .open_in_place(nonce, Aad::from(self.aad(label)), &mut buffer)
            .map_err(|_| SealError::DoesNotOpen { what: "wrapped key" })?;
        Secret::from_slice(plain).ok_or(malformed)
    }
}

pub(crate) fn aes(secret: &Secret) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, secret.expose()).map(LessSafeKey::new).map_err(|_| SealError::Crypto("take a key"))
}

/// Appends a length byte and at most 255 bytes.
fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

/// The id of a data key: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for KeyId {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let malformed = SealError::Malformed { what: "key id" };
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(malformed.clone()),
        };
        if text.len() != 32 {
            return Err(malformed);
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let [high, low] = *pair;
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Ok(Self(id))
    }
}

/// What a data key is for: one per shard and hour, so that erasing is possible at that grain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyScope {
    /// Its id.
    pub id: KeyId,
    /// The shard whose entries it seals; the fixed part of each nonce.
    pub shard: u32,
    /// Hours since 1970, UTC.
    pub hour: i64,
}

/// A data key under a KEK, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrappedKey {
    scope: KeyScope,
    kek_id: String,
    sealed: Vec<u8>,
}

impl WrappedKey {
    /// Wraps a new data key.
    ///
    /// # Errors
    /// The provider fails.
    pub fn wrap(provider: &dyn KeyProvider, key: &FreshKey, rng: &mut dyn CryptoRng) -> Result<Self, SealError> {
        let scope = key.scope();
        let kek_id = provider.kek_id().to_owned();
        if kek_id.len() > KEK_ID_BYTES_MAX {
            return Err(SealError::Malformed { what: "key-encryption key id" });
        }
        let sealed = provider.wrap(&label(scope, &kek_id), key.secret(), rng)?;
        Ok(Self { scope, kek_id, sealed })
    }

    /// Unwraps it, for opening alone.
    ///
    /// # Errors
    /// Another KEK, or changed bytes, or the provider fails.
    pub fn unwrap(&self, provider: &dyn KeyProvider) -> Result<OpeningKey, SealError> {
        if provider.kek_id() != self.kek_id {
            return Err(SealError::OtherKek { found: self.kek_id.clone(), expected: provider.kek_id().to_owned() });
        }
        OpeningKey::new(self.scope, &provider.unwrap(&label(self.scope, &self.kek_id), &self.sealed)?)
    }

    /// What it is for.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        self.scope
    }

    /// The bytes to store: version, id, shard, hour, KEK id with its length, sealed key.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = label(self.scope, &self.kek_id);
        out.extend_from_slice(&self.sealed);
        out
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// They are no wrapped key of a known version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let malformed = || SealError::Malformed { what: "wrapped key" };
        let (&[version], rest) = bytes.split_first_chunk::<1>().ok_or_else(malformed)?;
        if version != WRAPPED_VERSION {
            return Err(SealError::Version { what: "wrapped key", version });
        }
        let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
        let (shard, rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let (hour, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (&[length], rest) = rest.split_first_chunk::<1>().ok_or_else(malformed)?;
        let (kek_id, sealed) = rest.split_at_checked(usize::from(length)).ok_or_else(malformed)?;
        let kek_id = std::str::from_utf8(kek_id).map_err(|_| malformed())?.to_owned();
        let scope = KeyScope { id: KeyId(*id), shard: u32::from_be_bytes(*shard), hour: i64::from_be_bytes(*hour) };
        Ok(Self { scope, kek_id, sealed: sealed.to_vec() })
    }
}

/// All that is stored before the sealed key: authenticated with it.
fn label(scope: KeyScope, kek_id: &str) -> Vec<u8> {
    let mut out = vec![WRAPPED_VERSION];
    out.extend_from_slice(&scope.id.0);
    out.extend_from_slice(&scope.shard.to_be_bytes());
    out.extend_from_slice(&scope.hour.to_be_bytes());
    put_short(&mut out, kek_id.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(7)
    }

    #[test]
    fn a_key_file_reads_back_and_any_changed_byte_is_noticed() {
        let key = FileKey::generate(&mut rng());
        let text = key.to_text();
        assert_eq!(FileKey::parse(&text).unwrap().kek_id(), key.kek_id());
        for position in 0..text.len() {
            for flip in [0x01, 0x02, 0x20, 0x80] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[position] ^= flip;
                let noticed = std::str::from_utf8(&bytes).map_or(true, |text| FileKey::parse(text).is_err());
                assert!(noticed, "byte {position} with {flip:#x}");
            }
            assert!(FileKey::parse(&text[..position]).is_err(), "cut at {position}");
        }
        assert!(!format!("{key:?}").contains(&text[29..60]));
    }

    #[test]
    fn a_wrapped_key_opens_with_its_kek_alone_and_with_no_changed_bit() {
        let kek = FileKey::generate(&mut rng());
        let key = FreshKey::generate(3, 480_000, &mut rng());
        let wrapped = WrappedKey::wrap(&kek, &key, &mut rng()).unwrap();
        let bytes = wrapped.to_bytes();
        assert_eq!(WrappedKey::from_bytes(&bytes).unwrap(), wrapped);
        assert_eq!(wrapped.unwrap(&kek).unwrap().scope(), key.scope());
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let opened = WrappedKey::from_bytes(&changed).and_then(|wrapped| wrapped.unwrap(&kek));
            assert!(opened.is_err(), "byte {position}");
            let cut = WrappedKey::from_bytes(&bytes[..position]).and_then(|wrapped| wrapped.unwrap(&kek));
            assert!(cut.is_err(), "cut at {position}");
        }
        let other = FileKey::from_bytes(Secret::new([9; 32]));
        assert!(matches!(wrapped.unwrap(&other), Err(SealError::OtherKek { .. })));
    }

    #[test]
    fn a_key_id_reads_back() {
        let id = KeyId(*b"\x00\x01\xfe0123456789abc");
        assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
        assert!("0".repeat(31).parse::<KeyId>().is_err());
        assert!("A".repeat(32).parse::<KeyId>().is_err());
    }
}
