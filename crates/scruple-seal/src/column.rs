//! Keys by purpose, derived from one root: sealed SQL columns, blind indexes, tokens.

use crate::provider::aes;
use crate::{SealError, Secret};
use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use aws_lc_rs::{hkdf, hmac};
use rand_core::CryptoRng;
use std::fmt;
use std::fmt::Write as _;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The secret that column, blind and token keys are derived from. It is stored wrapped by a
/// [`KeyProvider`](crate::KeyProvider), with a label of the store's choice.
#[derive(Clone, Debug)]
pub struct RootKey(Secret);

impl RootKey {
    /// From 32 bytes.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The key that seals one column, named `table.column`.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn column(&self, name: &str) -> Result<ColumnKey, SealError> {
        let key = derive(&self.0, &[b"scruple column seal 1\0", name.as_bytes()])?;
        Ok(ColumnKey { name: name.to_owned(), key })
    }

    /// The key of the blind index of one column, named `table.column`.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn blind(&self, name: &str) -> Result<BlindKey, SealError> {
        Ok(BlindKey(mac_key(&derive(&self.0, &[b"scruple column blind 1\0", name.as_bytes()])?)))
    }

    /// The key of token masks.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn token(&self) -> Result<TokenKey, SealError> {
        Ok(TokenKey::new(&derive(&self.0, &[b"scruple token 1\0"])?))
    }
}

/// Seals the values of one SQL column.
///
/// The nonce cannot be a counter: several processes write one column under one long-lived key, and no counter of it is
/// durable. A random 96-bit nonce would bound the writes of a key. So each value gets 24 random bytes of salt, and HKDF
/// makes of column key and salt the key and the nonce of this value alone.
///
/// ```text
/// version 1 | salt 24 | ciphertext | tag 16
/// ```
pub struct ColumnKey {
    name: String,
    key: Secret,
}

impl ColumnKey {
    /// Seals a value. `row` is the row's own id, so that values cannot be exchanged between rows; empty if the row has
    /// none yet.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn seal_column(&self, row: &[u8], plain: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let (key, nonce) = self.value_key(&salt)?;
        let mut sealed = plain.to_vec();
        aes(&key)?
            .seal_in_place_append_tag(nonce, Aad::from(self.additional(row)), &mut sealed)
            .map_err(|_| SealError::Crypto("seal"))?;
        Ok([&[VERSION], salt.as_slice(), &sealed].concat())
    }

    /// Opens a value.
    ///
    /// # Errors
    /// Another column, another row, or changed bytes.
    pub fn open_column(&self, row: &[u8], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let malformed = || SealError::Malformed { what: "sealed column" };
        let (&[version], rest) = bytes.split_first_chunk::<1>().ok_or_else(malformed)?;
        if version != VERSION {
            return Err(SealError::Version { what: "sealed column", version });
        }
        let (salt, sealed) = rest.split_first_chunk::<SALT_BYTES>().ok_or_else(malformed)?;
        if sealed.len() < TAG_BYTES {
            return Err(malformed());
        }
        let (key, nonce) = self.value_key(salt)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = aes(&key)?
            .open_in_place(nonce, Aad::from(self.additional(row)), &mut buffer)
            .map_err(|_| SealError::DoesNotOpen { what: "sealed column" })?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn value_key(&self, salt: &[u8; SALT_BYTES]) -> Result<(Secret, Nonce), SealError> {
        let key = derive(&self.key, &[b"value key\0", salt])?;
        let nonce = derive(&self.key, &[b"value nonce\0", salt])?;
        let nonce = nonce.expose().first_chunk::<NONCE_LEN>().copied().unwrap_or_default();
        Ok((key, Nonce::assume_unique_for_key(nonce)))
    }

    fn additional(&self, row: &[u8]) -> Vec<u8> {
        framed(&[b"scruple column 1", self.name.as_bytes(), row])
    }
}

impl fmt::Debug for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Looks sealed values up without opening them: HMAC-SHA-256 under a key of the column. Equal values show as equal, which
/// is what a look-up needs and all that it tells.
pub struct BlindKey(hmac::Key);

impl BlindKey {
    /// The index of a value. The caller brings it into canonical form first.
    #[must_use]
    pub fn index(&self, value: &[u8]) -> [u8; 32] {
        mac(&self.0, &[value])
    }
}

impl fmt::Debug for BlindKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindKey(..)")
    }
}

/// Turns values into stable tokens. Its own key, so that tokens and blind indexes cannot be joined.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// From 32 bytes.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(mac_key(secret))
    }

    /// The token of a value of one kind: 32 hexadecimal digits. The same value has another token for another kind.
    #[must_use]
    pub fn token(&self, kind: &str, value: &str) -> String {
        let tag = mac(&self.0, &[&framed(&[kind.as_bytes()]), value.as_bytes()]);
        tag.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

fn mac_key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose())
}

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().try_into().unwrap_or_default()
}

/// Each part behind its length, so that no two lists of parts are the same bytes.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn derive(secret: &Secret, info: &[&[u8]]) -> Result<Secret, SealError> {
    let refused = |_| SealError::Crypto("derive a key");
    let mut out = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"scruple")
        .extract(secret.expose())
        .expand(info, hkdf::HKDF_SHA256)
        .map_err(refused)?
        .fill(out.as_mut_slice())
        .map_err(refused)?;
    Ok(Secret::new(*out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn root() -> RootKey {
        RootKey::new(Secret::new([5; 32]))
    }

    #[test]
    fn a_column_value_opens_in_its_column_and_row_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = root().column("person.name").unwrap();
        let sealed = key.seal_column(b"row-1", b"Moana Canary", &mut rng).unwrap();
        assert_ne!(sealed, key.seal_column(b"row-1", b"Moana Canary", &mut rng).unwrap());
        assert_eq!(key.open_column(b"row-1", &sealed).unwrap().as_slice(), b"Moana Canary");
        assert!(key.open_column(b"row-2", &sealed).is_err());
        assert!(root().column("person.mrn").unwrap().open_column(b"row-1", &sealed).is_err());
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(key.open_column(b"row-1", &changed).is_err(), "byte {position}");
            assert!(key.open_column(b"row-1", &sealed[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn blind_indexes_are_stable_and_differ_between_columns() {
        let blind = root().blind("person.mrn").unwrap();
        assert_eq!(blind.index(b"123"), root().blind("person.mrn").unwrap().index(b"123"));
        assert_ne!(blind.index(b"123"), blind.index(b"124"));
        assert_ne!(blind.index(b"123"), root().blind("patient.mrn").unwrap().index(b"123"));
    }

    #[test]
    fn a_token_depends_on_key_kind_and_value() {
        let key = root().token().unwrap();
        let token = key.token("mrn", "123");
        assert_eq!(token.len(), 32);
        assert!(token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(token, key.token("mrn", "123"));
        assert_ne!(token, key.token("mr", "n123"));
        assert_ne!(token, TokenKey::new(&Secret::new([6; 32])).token("mrn", "123"));
    }

    /// RFC 4231 test case 2 and RFC 5869 test case 1 through the functions that the keys are made with.
    #[test]
    fn the_primitives_are_hmac_sha_256_and_hkdf() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        assert_eq!(
            hex(&mac(&key, &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let mut okm = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, &(0..=0x0c).collect::<Vec<u8>>())
            .extract(&[0x0b; 22])
            .expand(&[&(0xf0..=0xf9).collect::<Vec<u8>>()], hkdf::HKDF_SHA256)
            .unwrap()
            .fill(&mut okm)
            .unwrap();
        assert_eq!(hex(&okm), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let root = root();
        let printed = format!("{root:?} {:?} {:?} {:?}", root.column("a.b"), root.blind("a.b"), root.token());
        assert!(!printed.contains("5, 5") && !printed.contains("05"), "{printed}");
    }
}
