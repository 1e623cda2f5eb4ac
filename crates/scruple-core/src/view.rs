//! [`View`]: how much of a category a caller sees.

use std::fmt;

/// A mask of the pack, by its place in the pack's list of masks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MaskId(pub u8);

/// How much of a category a caller sees. The order is the order of width only between `None`, any mask, and `Full`;
/// two masks are compared by the pack, which knows which of them is narrower.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum View {
    /// Nothing, and no sign of it.
    #[default]
    None,
    /// A part, by a mask of the pack (year, ZIP3, last four, codes only ...).
    Masked(MaskId),
    /// Everything.
    Full,
}

impl View {
    /// Whether anything shows.
    #[must_use]
    pub const fn shows(self) -> bool {
        !matches!(self, Self::None)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Masked(mask) => write!(f, "masked:#{}", mask.0),
            Self::Full => f.write_str("full"),
        }
    }
}
