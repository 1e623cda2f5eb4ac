//! [`Phi`]: a value that can be used and cannot be printed.

use std::fmt;

/// Protected health information in memory. It has no `Display` and no `Serialize`, and its `Debug` shows nothing:
/// whoever wants the value says so with [`Phi::expose`].
// INVARIANT (no-PHI-aside): nothing that formats or serialises reaches the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    /// Marks a value as PHI.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that may send it on.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the value up.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(..)")
    }
}
