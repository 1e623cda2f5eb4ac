//! Sealing: what turns plain bytes into bytes that may stand on a disk, and back.
//!
//! * [`KeyProvider`] is the seam to the key-encryption key (KEK): it wraps and unwraps 32-byte secrets. [`FileKey`] is
//!   the one that holds the KEK itself; reading the file is the caller's.
//! * [`FreshKey`] seals and [`OpeningKey`] opens. A key that came back from a provider can only open, so that a counter
//!   nonce is never used twice: each run of the process seals with keys that it made itself.
//! * [`Envelope`] is the form of a sealed ledger entry.
//! * [`RootKey`] derives one key per purpose: [`ColumnKey`] (sealed SQL columns), [`BlindKey`] (look-up by keyed hash)
//!   and [`TokenKey`] (stable masks).
//! * [`SigningKey`] and [`VerifyingKey`] are Ed25519 for signed notes.
//!
//! It does no IO, reads no clock, and has no generator of its own but [`SystemRng`], which callers pass in. Secrets are
//! wiped when dropped and show nothing when printed.

mod column;
mod envelope;
mod provider;
mod secret;
mod sign;

pub use column::{BlindKey, ColumnKey, RootKey, TokenKey};
pub use envelope::{
    ENVELOPE_OVERHEAD, Envelope, FreshKey, LABEL_BYTES_MAX, OpeningKey, Place, SEALS_PER_KEY_MAX, Sealer,
};
pub use provider::{FileKey, KeyId, KeyProvider, KeyScope, WrappedKey};
pub use secret::{Secret, SystemRng};
pub use sign::{SIGNATURE_BYTES, SigningKey, VerifyingKey};

/// Why something cannot be sealed or opened. No variant holds plain bytes or key bytes.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum SealError {
    /// The bytes are not of the form they should have.
    #[error("{what} is malformed")]
    Malformed {
        /// What was read.
        what: &'static str,
    },
    /// Written by a newer version.
    #[error("{what} has format version {version}, this build knows 1")]
    Version {
        /// What was read.
        what: &'static str,
        /// The version found.
        version: u8,
    },
    /// The key does not fit, or the bytes or their place were changed.
    #[error("{what} does not open: wrong key, or changed bytes")]
    DoesNotOpen {
        /// What was to be opened.
        what: &'static str,
    },
    /// Wrapped under another key-encryption key.
    #[error("wrapped under key-encryption key `{found}`, the provider has `{expected}`")]
    OtherKek {
        /// The KEK that the bytes name.
        found: String,
        /// The provider's KEK.
        expected: String,
    },
    /// A data key has sealed as often as it may.
    #[error("data key has sealed {} times, its limit", SEALS_PER_KEY_MAX)]
    KeyExhausted,
    /// A label is too long.
    #[error("label of {bytes} bytes is over the limit of {} bytes", LABEL_BYTES_MAX)]
    LabelTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A provider outside this process failed.
    #[error("key provider failed: {0}")]
    Provider(String),
    /// The crypto library refused; it says no more than that.
    #[error("the crypto library refused to {0}")]
    Crypto(&'static str),
}
