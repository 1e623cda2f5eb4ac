//! Each rule of `docs/projection.md` on small inputs, with the pack of `fixtures/pack`.

use super::*;
use std::path::Path;
use std::sync::LazyLock;

mod facts;
mod markers;
mod masks;
mod references;
mod resources;
mod rules;

pub(super) static PACK: LazyLock<SlowPack> = LazyLock::new(|| {
    SlowPack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pack")).expect("the fixture pack")
});

/// The start of every projected resource's `meta`.
pub(super) const META: &str = concat!(
    r#""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}],"#,
    r#""tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}"#
);

/// The marker's object.
pub(super) const MASKED: &str = MARKER;

/// A caller who sees the categories that are named as full, and what else is set.
#[derive(Clone, Default)]
pub(super) struct Caller {
    pub decision: Decision,
    pub visible: BTreeSet<String>,
}

/// A caller with full views of these categories (separated by spaces), with every limit follow.
pub(super) fn sees(categories: &str) -> Caller {
    let mut caller = Caller::default();
    for category in categories.split_whitespace() {
        caller.decision.views.insert(category.to_owned(), View::Full);
    }
    caller.limit("hiv part2 vip", Limit::Follow)
}

impl Caller {
    pub fn masked(mut self, mask: &str, categories: &str) -> Self {
        for category in categories.split_whitespace() {
            self.decision.views.insert(category.to_owned(), View::Mask(mask.to_owned()));
        }
        self
    }

    pub fn limit(mut self, segments: &str, limit: Limit) -> Self {
        for segment in segments.split_whitespace() {
            self.decision.limits.insert(segment.to_owned(), limit);
        }
        self
    }

    pub fn knows(mut self, literal: &str) -> Self {
        self.visible.insert(literal.to_owned());
        self
    }

    pub fn passes(mut self) -> Self {
        self.decision.passes = true;
        self
    }

    pub fn project(&self, input: &str) -> Result<String, Withheld> {
        let token = |name: &str, raw: &str| format!("t-{name}-{raw}");
        let slow = |faults| Slow {
            pack: &PACK,
            decision: &self.decision,
            as_of: Date { year: 2026, month: 3, day: 1 },
            token: &token,
            visible: &self.visible,
            faults,
        };
        let seen = slow(Faults::WhereSeen).project(input.as_bytes());
        let result = slow(Faults::Everywhere).project(input.as_bytes());
        if result != Err(Withheld::Malformed) {
            assert_eq!(seen, result, "where faults are looked for matters only where there are some");
        }
        result.map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    /// `META` in `expected` stands for the `meta` of every projected resource, `MASKED` for a marker.
    #[track_caller]
    pub fn check(&self, input: &str, expected: &str) {
        let expected = expected.replace("META", META).replace("MASKED", MASKED);
        assert_eq!(self.project(input).as_deref(), Ok(expected.as_str()));
    }

    #[track_caller]
    pub fn withholds(&self, input: &str, reason: Withheld) {
        assert_eq!(self.project(input), Err(reason), "{input}");
    }
}
