//! The members of one object: what was seen, what shows.

/// The members of one object so far.
pub(super) struct Members<'b> {
    pub(super) seen: [u64; 5],
    pub(super) shown: [u64; 3],
    pub(super) marked: [u64; 3],
    pub(super) other_shown: bool,
    pub(super) comma: bool,
    pub(super) closed: bool,
    pub(super) system: Option<&'b [u8]>,
    pub(super) code: Option<&'b [u8]>,
    /// How many references had shown when the object began.
    pub(super) references: usize,
}

impl Members<'_> {
    pub(super) const fn new(comma: bool, references: usize) -> Self {
        Self {
            seen: [0; 5],
            shown: [0; 3],
            marked: [0; 3],
            other_shown: false,
            comma,
            closed: false,
            system: None,
            code: None,
            references,
        }
    }

    pub(super) fn first_time(&mut self, bit: usize) -> bool {
        let Some(word) = self.seen.get_mut(bit / 64) else { return false };
        let mask = 1 << (bit % 64);
        let first = *word & mask == 0;
        *word |= mask;
        first
    }

    /// Whether the key with this bit was seen.
    pub(super) fn saw(&self, bit: usize) -> bool {
        self.seen.get(bit / 64).is_some_and(|word| word & 1 << (bit % 64) != 0)
    }

    /// Whether the element stands in the record, as `x` or `_x`.
    pub(super) fn stood(&self, element: usize) -> bool {
        self.seen.get(element / 32).is_some_and(|word| word & 3 << (element % 32 * 2) != 0)
    }

    pub(super) fn show(&mut self, element: usize) {
        if let Some(word) = self.shown.get_mut(element / 64) {
            *word |= 1 << (element % 64);
        }
    }

    pub(super) const fn show_other(&mut self) {
        self.other_shown = true;
    }

    pub(super) fn stands(&mut self, element: usize) {
        if let Some(word) = self.marked.get_mut(element / 64) {
            *word |= 1 << (element % 64);
        }
    }

    pub(super) fn shows(&self, element: usize) -> bool {
        self.shown.get(element / 64).is_some_and(|word| word & 1 << (element % 64) != 0)
    }

    pub(super) fn is_marked(&self, element: usize) -> bool {
        self.marked.get(element / 64).is_some_and(|word| word & 1 << (element % 64) != 0)
    }

    pub(super) const fn any_shown(&self) -> bool {
        self.other_shown || self.shown[0] | self.shown[1] | self.shown[2] != 0
    }
}
