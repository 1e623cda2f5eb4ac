//! Small draws from a generator.

use rand_core::Rng;

/// A generator with the draws that the mutations need.
pub struct Draw<'r>(pub &'r mut dyn Rng);

impl Draw<'_> {
    /// A number below `n`, or 0 if `n` is 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        usize::try_from(self.0.next_u64().checked_rem(n).unwrap_or(0)).unwrap_or(0)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the items.
    ///
    /// # Panics
    /// The slice is empty.
    #[expect(clippy::indexing_slicing, reason = "the index is below the length; all lists here have items")]
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A range within `0..length`, mostly a short one.
    pub fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.once_in(4) { length - start } else { (length - start).min(16) };
        start..start + self.below(most + 1)
    }
}
