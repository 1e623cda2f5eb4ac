//! Ed25519 for signed notes. The form of a note is the ledger's.

use crate::{SealError, Secret};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rand_core::CryptoRng;
use std::fmt;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A key that signs.
pub struct SigningKey {
    seed: Secret,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// From the 32-byte seed of RFC 8032.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn from_seed(seed: Secret) -> Result<Self, SealError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| SealError::Crypto("take a seed"))?;
        Ok(Self { seed, pair })
    }

    /// A new key.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn generate(rng: &mut dyn CryptoRng) -> Result<Self, SealError> {
        Self::from_seed(Secret::generate(rng))
    }

    /// The seed, for the key file.
    #[must_use]
    pub const fn seed(&self) -> &Secret {
        &self.seed
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.pair.sign(message).as_ref().try_into().unwrap_or([0; SIGNATURE_BYTES])
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.pair.public_key().as_ref().try_into().unwrap_or_default())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// A key that verifies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyingKey(pub [u8; 32]);

impl VerifyingKey {
    /// Whether the signature is this key's over the message.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let mut out = [0; N];
        for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        out
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn it_is_ed25519() {
        let seed = bytes::<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_seed(Secret::new(seed)).unwrap();
        let public = bytes::<32>("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(key.verifying_key(), VerifyingKey(public));
        let expected = bytes::<64>(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(key.sign(&[0x72]), expected);
        assert!(key.verifying_key().verify(&[0x72], &expected));
        assert!(!key.verifying_key().verify(&[0x73], &expected));
    }
}
