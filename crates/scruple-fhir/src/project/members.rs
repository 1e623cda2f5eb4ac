//! The members of one object: what was seen, what shows.

use crate::dictionary::{Key, bit};

/// The members of one object so far. Elements are bits, by their place in the object type; the dictionary's tests see to
/// it that none is beyond 62.
pub(super) struct Members<'b> {
    /// Keys that were met: `x`, and `_x`.
    seen: [u64; 2],
    /// Elements that show.
    pub(super) shown: u64,
    /// Elements in whose place a marker stands.
    pub(super) marked: u64,
    pub(super) comma: bool,
    pub(super) closed: bool,
    /// An array of primitives has an array of extensions beside it, or a null, so that places must be kept.
    pub(super) align: bool,
    pub(super) system: Option<&'b [u8]>,
    pub(super) code: Option<&'b [u8]>,
    /// How many references had shown when the object began.
    pub(super) references: usize,
}

/// `resourceType` is no element.
const RESOURCE_TYPE: u64 = 1 << 63;

impl Members<'_> {
    pub(super) const fn new(comma: bool, references: usize) -> Self {
        Self {
            seen: [0; 2],
            shown: 0,
            marked: 0,
            comma,
            closed: false,
            align: false,
            system: None,
            code: None,
            references,
        }
    }

    /// Notes that a key was met. False if it was before.
    #[inline]
    pub(super) const fn first_time(&mut self, key: &Key) -> bool {
        self.note(key.underscore as usize, bit(key.element as usize))
    }

    pub(super) const fn first_resource_type(&mut self) -> bool {
        self.note(0, RESOURCE_TYPE)
    }

    const fn note(&mut self, which: usize, bit: u64) -> bool {
        let [plain, underscore] = &mut self.seen;
        let seen = if which == 0 { plain } else { underscore };
        let first = *seen & bit == 0;
        *seen |= bit;
        first
    }

    /// Whether the key `x` of an element was met.
    pub(super) const fn saw(&self, bit: u64) -> bool {
        self.seen[0] & bit != 0
    }

    /// The elements that stand in the record, as `x` or `_x`.
    pub(super) const fn stood(&self) -> u64 {
        self.seen[0] | self.seen[1]
    }

    #[inline]
    pub(super) const fn show(&mut self, key: &Key) {
        self.shown |= bit(key.element as usize);
    }
}
