//! The [`DecisionTable`]: what one caller sees, category by category, under each segment.
//!
//! It is computed once from the pack and handed to the projector, which knows no policy.

use crate::{Timestamp, View};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Categories that one pack may have.
pub const CATEGORIES_MAX: usize = 64;
/// Segments that one pack may have; the three marks of [`SegmentSet`] are none of them.
pub const SEGMENTS_MAX: usize = 29;
/// Named conditions that one pack may have.
pub const CONDITIONS_MAX: usize = 64;

/// A kind of PHI, by its place in the pack's `categories.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CategoryId(pub u8);

/// A segment, by its place in the pack's `segments.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentId(pub u8);

/// A named condition, by its place in the pack's `conditions.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConditionId(pub u8);

/// A set of segments found on a resource, with three marks that are no segments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SegmentSet(pub u32);

impl SegmentSet {
    /// No label.
    pub const EMPTY: Self = Self(0);
    /// Every segment that a pack can have.
    pub const ALL: Self = Self((1 << SEGMENTS_MAX) - 1);
    /// A code that fits no listed code system stands in the resource: closed but to those who hold every segment.
    pub const UNCLASSIFIED: Self = Self(1 << 31);
    /// A security label that nobody can read stands on the resource: it may mean any segment.
    pub const UNREADABLE: Self = Self(1 << 29);
    /// No label: the projector's note that a resource must not pass as it is.
    pub const NO_PASS: Self = Self(1 << 30);

    /// The set with `segment` in it.
    #[must_use]
    pub const fn with(self, segment: SegmentId) -> Self {
        Self(self.0 | 1 << (segment.0 & 31))
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `segment` is in the set.
    #[must_use]
    pub const fn contains(self, segment: SegmentId) -> bool {
        self.0 & 1 << (segment.0 & 31) != 0
    }

    /// What both sets hold.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The set without what `other` holds.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a code was found that fits no listed code system.
    #[must_use]
    pub const fn is_unclassified(self) -> bool {
        self.0 & Self::UNCLASSIFIED.0 != 0
    }

    /// Whether a security label was found that the pack does not list.
    #[must_use]
    pub const fn is_unreadable(self) -> bool {
        self.0 & Self::UNREADABLE.0 != 0
    }

    /// The segments of the set, in the pack's order.
    pub fn segments(self) -> impl Iterator<Item = SegmentId> {
        (0..SEGMENTS_MAX as u8).map(SegmentId).filter(move |segment| self.contains(*segment))
    }
}

/// Named conditions that hold, as bits in the pack's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ConditionMask(pub u64);

impl ConditionMask {
    /// Nothing holds.
    pub const NONE: Self = Self(0);

    /// The mask with `condition` set.
    #[must_use]
    pub const fn with(self, condition: ConditionId) -> Self {
        Self(self.0 | 1 << (condition.0 & 63))
    }

    /// Whether every condition of `needed` holds.
    #[must_use]
    pub const fn covers(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// The mask with the conditions of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many conditions it names.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Every set of conditions out of this one, the empty one first.
    pub fn subsets(self) -> impl Iterator<Item = Self> {
        let next =
            move |held: &Self| Some(Self(held.0.wrapping_sub(self.0) & self.0)).filter(|next| *next != Self::NONE);
        std::iter::successors(Some(Self::NONE), next)
    }

    /// The conditions that both masks name.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What a segment leaves of a cell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum SegmentLimit {
    /// A resource with this label is withheld.
    #[default]
    None,
    /// Codes only, in the categories that the pack names for it; none elsewhere.
    Coded,
    /// The cell decides.
    Follow,
}

/// SHA-256 over the pack's files, in canonical order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackHash(pub [u8; 32]);

impl fmt::Display for PackHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PackHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One decision: for one role, purpose and set of conditions, a view for each category and a limit for each segment.
// INVARIANT (default-deny): a table that nothing filled shows nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecisionTable {
    /// A view for each category, in the pack's order; what the pack does not have is `None`.
    pub views: [View; CATEGORIES_MAX],
    /// A limit for each segment, in the pack's order.
    pub limits: [SegmentLimit; SEGMENTS_MAX],
    /// Whether a resource of a type that is wholly full passes as it is (own treating staff, and the profiles for the
    /// individual and for a treating provider).
    pub passes_full_types: bool,
    /// Segments whose resources are projected all the same, and do not pass.
    pub never_pass: SegmentSet,
    /// Until when the table may be reused; `None` while nothing in it ends by time.
    pub valid_until: Option<Timestamp>,
    /// The pack that it was computed from.
    pub pack: PackHash,
}

impl DecisionTable {
    /// The table that shows nothing.
    #[must_use]
    pub const fn deny(pack: PackHash) -> Self {
        Self {
            views: [View::None; CATEGORIES_MAX],
            limits: [SegmentLimit::None; SEGMENTS_MAX],
            passes_full_types: false,
            never_pass: SegmentSet::EMPTY,
            valid_until: None,
            pack,
        }
    }

    /// The view of a category, before any label.
    #[must_use]
    pub fn view(&self, category: CategoryId) -> View {
        self.views.get(usize::from(category.0)).copied().unwrap_or_default()
    }

    /// What a segment leaves.
    #[must_use]
    pub fn limit(&self, segment: SegmentId) -> SegmentLimit {
        self.limits.get(usize::from(segment.0)).copied().unwrap_or_default()
    }
}
