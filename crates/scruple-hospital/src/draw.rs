//! Seeded draws. Every patient has a generator of its own, so that a record depends on (seed, index) alone.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What a generator is for: two streams of one index never share their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Persona = 1,
    Person = 2,
    Pair = 3,
    Chart = 4,
}

pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let mut key = [0u8; 32];
        let words = [seed, stream as u64, index, u64::from_le_bytes(*b"hospital")];
        for (slot, word) in key.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: i64, high: i64) -> i64 {
        let span = u128::from(high.abs_diff(low)) + 1;
        let scaled = (u128::from(self.0.next_u64()) * span) >> 64;
        low.saturating_add(i64::try_from(scaled).unwrap_or(0))
    }

    /// A number around `middle`, at most `spread` away, more often near than far.
    pub(crate) fn around(&mut self, middle: i64, spread: i64) -> i64 {
        middle + (self.range(-spread, spread) + self.range(-spread, spread) + self.range(-spread, spread)) / 3
    }

    pub(crate) fn percent(&mut self, chance: i64) -> bool {
        self.range(0, 99) < chance
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "every table is a constant with entries, and the index is below its length"
    )]
    pub(crate) fn pick<T: Copy>(&mut self, table: &[T]) -> T {
        let last = i64::try_from(table.len()).unwrap_or(1) - 1;
        table[usize::try_from(self.range(0, last)).unwrap_or(0)]
    }
}
