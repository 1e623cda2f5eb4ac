//! [`TokenCache`]: verified tokens by their hash, and the tokens that are revoked. It holds no token's text.

use crate::TokenError;
use crate::token::{NAME_BYTES_MAX, Token};
use crate::verifier::{LEEWAY_SECONDS_MAX, Verifier, check_length};
use aws_lc_rs::digest::{Context, SHA256};
use scruple_core::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Tokens that a cache holds.
pub const TOKENS_CACHED_MAX: usize = 10_000;
/// Revoked tokens that a cache remembers until they expire.
pub const REVOKED_MAX: usize = 100_000;

const SHARDS: usize = 16;

type Hash = [u8; 32];
type Shard = HashMap<Hash, Arc<Token>>;

/// As many tokens are revoked as can be remembered, and none of them has expired. New signing keys end them all.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("{} tokens are revoked, the limit", REVOKED_MAX)]
pub struct RevocationsFull;

/// Verified tokens, so that a signature is checked once and not at every request.
// INVARIANT (cache-changes-nothing): a token is accepted from the cache only if the verifier at hand would accept it
// now. The hash covers the verifier's fingerprint, so that new keys or names never meet an old entry, even one that
// another thread puts in late; the times are judged on every call.
pub struct TokenCache {
    shards: [RwLock<Shard>; SHARDS],
    shard_max: usize,
    /// `jti` to the time from which it may be forgotten.
    revoked: RwLock<HashMap<String, Timestamp>>,
    revoked_max: usize,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenCache {
    /// An empty cache with the limits of this module.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(TOKENS_CACHED_MAX, REVOKED_MAX)
    }

    /// An empty cache for so many tokens, rounded up to a multiple of 16, and so many revocations.
    #[must_use]
    pub fn with_limits(tokens_max: usize, revoked_max: usize) -> Self {
        let shard_max = tokens_max.div_ceil(SHARDS).max(1);
        Self { shards: Default::default(), shard_max, revoked: RwLock::default(), revoked_max }
    }

    /// [`Verifier::verify`], by memory if the same verifier has seen the token; a revoked token is refused.
    ///
    /// # Errors
    /// As [`Verifier::verify`], and [`TokenError::Revoked`].
    pub fn verify_cached(&self, verifier: &Verifier, token: &str, now: Timestamp) -> Result<Arc<Token>, TokenError> {
        check_length(token)?;
        let hash = hash(verifier, token);
        let shard = self.shard(&hash);
        let known = read(shard).get(&hash).cloned();
        if let Some(known) = known {
            if let Err(refused) = verifier.check_time(&known, now) {
                write(shard).remove(&hash);
                return Err(refused);
            }
            self.check_revoked(&known)?;
            return Ok(known);
        }
        let token = Arc::new(verifier.verify(token, now)?);
        self.check_revoked(&token)?;
        self.keep(shard, hash, &token, now);
        Ok(token)
    }

    /// Refuses from now on the token of this `jti`, which expires at `expires_at`.
    ///
    /// # Errors
    /// Too many tokens are revoked: this one is not refused.
    pub fn revoke(&self, jti: &str, expires_at: Timestamp, now: Timestamp) -> Result<(), RevocationsFull> {
        // No verified token has a longer one.
        if jti.len() > NAME_BYTES_MAX {
            return Ok(());
        }
        // A token is good for the leeway beyond its `exp`.
        let until = expires_at.plus_micros(i64::from(LEEWAY_SECONDS_MAX) * 1_000_000);
        let mut revoked = write(&self.revoked);
        if let Some(known) = revoked.get_mut(jti) {
            *known = until.max(*known);
            return Ok(());
        }
        if revoked.len() >= self.revoked_max {
            revoked.retain(|_, until| now < *until);
        }
        if revoked.len() >= self.revoked_max {
            return Err(RevocationsFull);
        }
        revoked.insert(jti.to_owned(), until);
        Ok(())
    }

    /// Forgets every token; what is revoked stays revoked.
    pub fn clear(&self) {
        for shard in &self.shards {
            write(shard).clear();
        }
    }

    /// How many tokens it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    fn check_revoked(&self, token: &Token) -> Result<(), TokenError> {
        if read(&self.revoked).contains_key(token.jti()) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    #[expect(clippy::indexing_slicing, reason = "the index is below the number of shards")]
    fn shard(&self, hash: &Hash) -> &RwLock<Shard> {
        let [first, ..] = hash;
        &self.shards[usize::from(*first) % SHARDS]
    }

    /// A full shard drops what has expired, and if that is nothing, every second token.
    fn keep(&self, shard: &RwLock<Shard>, hash: Hash, token: &Arc<Token>, now: Timestamp) {
        let mut shard = write(shard);
        if shard.len() >= self.shard_max {
            shard.retain(|_, token| now < token.expires_at());
        }
        if shard.len() >= self.shard_max {
            let mut stays = true;
            shard.retain(|_, _| {
                stays = !stays;
                stays
            });
        }
        shard.insert(hash, Arc::clone(token));
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("held", &self.held()).finish_non_exhaustive()
    }
}

fn hash(verifier: &Verifier, token: &str) -> Hash {
    let mut hash = Context::new(&SHA256);
    hash.update(verifier.fingerprint());
    hash.update(token.as_bytes());
    hash.finish().as_ref().try_into().unwrap_or_default()
}

// A map is whole between two calls, so that a thread that stopped while it held the lock left nothing half-done.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
