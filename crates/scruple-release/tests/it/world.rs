//! The shipped pack, read by both sides, and a world around it that both see.

use scruple_core::{ConditionMask, DecisionTable, SegmentLimit, SegmentSet, View};
use scruple_fhir::{Projection, Projector, Surroundings};
use scruple_policy::{Pack, PackFiles, Question, read, table};
use scruple_testkit::slow::{Date, Decision, Faults, Limit, Slow, SlowPack, View as SlowView};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

pub static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).expect("the shipped pack"));
pub static SLOW_PACK: LazyLock<SlowPack> = LazyLock::new(|| {
    SlowPack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy")).expect("the shipped pack")
});

/// References to ids that end with an even digit or letter show.
pub struct World;

pub fn shows(id: &str) -> bool {
    id.bytes().last().is_some_and(|byte| byte % 2 == 0)
}

pub fn token(kind: &str, value: &str) -> String {
    let sum =
        kind.bytes().chain(value.bytes()).fold(17_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{sum:032x}")
}

impl Surroundings for World {
    fn shows(&self, _: &str, id: &str) -> Option<bool> {
        Some(shows(id))
    }
    fn shows_urn(&self, urn: &str) -> Option<bool> {
        Some(shows(urn))
    }
    fn token(&self, kind: &str, value: &str) -> String {
        token(kind, value)
    }
    fn today(&self) -> (i16, u8, u8) {
        (2026, 3, 1)
    }
}

/// The table of a shipped role, with the relationship.
pub fn role_table(role: &str, purpose: &str) -> DecisionTable {
    let relationship = PACK.condition("relationship").unwrap();
    let question = Question {
        role: role.to_owned(),
        purpose: purpose.to_owned(),
        conditions: ConditionMask::NONE.with(relationship),
    };
    DecisionTable { never_pass: SegmentSet::EMPTY, ..table(&PACK, &question).unwrap() }
}

/// The same decision in the words of the slow projector.
pub fn as_slow(table: &DecisionTable) -> Decision {
    let view = |view: View| match view {
        View::None => SlowView::None,
        View::Full => SlowView::Full,
        View::Masked(_) => SlowView::Mask(PACK.view_name(view).trim_start_matches("masked:").to_owned()),
    };
    let limit = |limit: SegmentLimit| match limit {
        SegmentLimit::None => Limit::None,
        SegmentLimit::Coded => Limit::Coded,
        SegmentLimit::Follow => Limit::Follow,
    };
    Decision {
        views: PACK
            .categories
            .iter()
            .zip(&table.views)
            .map(|(category, of)| (category.name.clone(), view(*of)))
            .collect(),
        limits: PACK
            .segments
            .iter()
            .zip(&table.limits)
            .map(|(segment, of)| (segment.name.clone(), limit(*of)))
            .collect(),
        passes: table.passes_full_types,
    }
}

/// And back: a decision of the slow projector as a table.
pub fn as_table(decision: &Decision) -> DecisionTable {
    let mut table = DecisionTable::deny(PACK.hash);
    for (index, category) in PACK.categories.iter().enumerate() {
        table.views[index] = match decision.views.get(&category.name) {
            Some(SlowView::Full) => View::Full,
            Some(SlowView::Mask(name)) => {
                let mask = PACK.annotation.masks.iter().position(|mask| mask.name == *name).unwrap();
                View::Masked(scruple_core::MaskId(u8::try_from(mask).unwrap()))
            }
            _ => View::None,
        };
    }
    for (index, segment) in PACK.segments.iter().enumerate() {
        table.limits[index] = match decision.limits.get(&segment.name) {
            Some(Limit::Follow) => SegmentLimit::Follow,
            Some(Limit::Coded) => SegmentLimit::Coded,
            _ => SegmentLimit::None,
        };
    }
    table.passes_full_types = decision.passes;
    table
}

/// Every literal in a resource whose target shows in this world.
fn visible(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for piece in text.split('"') {
        let literal = piece.split("/_history/").next().unwrap_or_default();
        if shows(literal) {
            found.insert(literal.to_owned());
        }
    }
    found
}

pub fn projection_of(table: &DecisionTable) -> Projection {
    Projection::new(Arc::clone(&PACK.annotation), table.clone())
}

pub fn fast(table: &DecisionTable, text: &[u8]) -> Result<String, &'static str> {
    fast_with(&projection_of(table), text)
}

pub fn fast_with(projection: &Projection, text: &[u8]) -> Result<String, &'static str> {
    let mut out = Vec::new();
    let result = Projector::new(projection, &World).project(text, &mut out);
    match result {
        Ok(_) => Ok(String::from_utf8(out).expect("UTF-8")),
        Err(withheld) => {
            assert!(out.is_empty(), "nothing is left behind");
            Err(withheld.code())
        }
    }
}

pub fn slow(decision: &Decision, text: &[u8]) -> Result<String, &'static str> {
    let visible = visible(&String::from_utf8_lossy(text));
    let slow = Slow {
        pack: &SLOW_PACK,
        decision,
        as_of: Date { year: 2026, month: 3, day: 1 },
        token: &token,
        visible: &visible,
        faults: Faults::WhereSeen,
    };
    slow.project(text).map(|bytes| String::from_utf8(bytes).expect("UTF-8")).map_err(|withheld| withheld.name())
}

/// The folder of shared test data, if it is here.
pub fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("SCRUPLE_SHARED_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    given.into_iter().chain([beside]).find(|path| path.is_dir())
}
