//! Recovery codes: ten one-time codes for a person who has lost their authenticators.
//!
//! A code has 80 random bits, so that a keyed digest stores it safely and no slow hash is needed: who has the table but
//! not the key can try nothing, and who has both still tries 2^80 codes. What it deliberately does not do: remember which
//! codes were used (the caller removes the digest in the same transaction), or count failures.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use rand_core::CryptoRng;
use scruple_core::Id;
use scruple_seal::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// Codes that a person gets at once.
pub const CODES: usize = 10;

const GROUPS: usize = 4;
const GROUP_LETTERS: usize = 4;
const LETTERS: usize = GROUPS * GROUP_LETTERS;
/// Letters of what a person types, blanks and dashes with them.
const TYPED_BYTES_MAX: usize = 64;
/// Crockford's base 32: without I, L, O and U. 32 letters, so that a random byte's low five bits draw evenly.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PURPOSE: &[u8] = b"scruple recovery code 1\0";

/// A recovery code in canonical form: 16 letters in capitals. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; LETTERS]>);

impl RecoveryCode {
    /// What a person typed; capitals, dashes and blanks do not matter, and O is read as 0, I and L as 1. `None` if it is no
    /// code.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > TYPED_BYTES_MAX {
            return None;
        }
        let mut code = Zeroizing::new([0; LETTERS]);
        let mut places = code.iter_mut();
        for byte in typed.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            let letter = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !ALPHABET.contains(&letter) {
                return None;
            }
            *places.next()? = letter;
        }
        places.next().is_none().then_some(Self(code))
    }

    /// As it is shown to the person, once: four groups of four with dashes.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LETTERS + GROUPS));
        for (place, letter) in self.0.iter().enumerate() {
            if place > 0 && place % GROUP_LETTERS == 0 {
                text.push('-');
            }
            text.push(char::from(*letter));
        }
        text
    }

    fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut code = Zeroizing::new([0; LETTERS]);
        rng.fill_bytes(code.as_mut_slice());
        for letter in code.iter_mut() {
            *letter = ALPHABET.get(usize::from(*letter & 31)).copied().unwrap_or_default();
        }
        Self(code)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

/// New codes of a person; those from before are to be removed.
pub fn generate(rng: &mut dyn CryptoRng) -> [RecoveryCode; CODES] {
    std::array::from_fn(|_| RecoveryCode::generate(rng))
}

/// What the store has of a code.
#[derive(Clone, Copy, Debug)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From the store.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For the store.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Makes and compares digests: HMAC-SHA-256 of person and code, so that a digest is worth nothing in another's row.
pub struct RecoveryKey(hmac::Key);

impl RecoveryKey {
    /// From a secret that serves nothing else.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
    }

    /// The digest of a person's code.
    #[must_use]
    pub fn digest<P>(&self, person: Id<P>, code: &RecoveryCode) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(PURPOSE);
        context.update(person.uuid().as_bytes());
        context.update(code.0.as_slice());
        Digest(context.sign().as_ref().try_into().unwrap_or_default())
    }

    /// Which of a person's digests is this code's. All are compared, whichever fits, each in constant time.
    #[must_use]
    pub fn find<P>(&self, person: Id<P>, code: &RecoveryCode, stored: &[Digest]) -> Option<usize> {
        let digest = self.digest(person, code);
        stored
            .iter()
            .enumerate()
            .filter(|(_, stored)| verify_slices_are_equal(&stored.0, &digest.0).is_ok())
            .fold(None, |_, (place, _)| Some(place))
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}
