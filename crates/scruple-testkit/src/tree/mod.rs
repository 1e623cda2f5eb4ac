//! Made resources: FHIR-like JSON from the dictionary, mostly of valid shape, with a rate of everything that is not.
//!
//! Seeded by proptest, and shrinkable: members and items are taken away one after the other while the test still fails.
//! What it makes is text, since white space, number forms, escapes and duplicates are part of the input.
//! It does not make meaningful records; those are `scruple-hospital`'s.

#![expect(clippy::indexing_slicing, reason = "places are bounded where they are made")]

mod make;
mod words;

use crate::slow::json::{Member, Value};
use crate::slow::{Decision, Limit, SlowPack, View};
use make::Maker;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
pub use words::{CANARY, Vocabulary};

/// A small generator of numbers (SplitMix64), so that one seed makes one resource.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// From a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or_default()
    }

    /// True in so many of a thousand cases.
    pub fn chance(&mut self, per_thousand: usize) -> bool {
        self.below(1000) < per_thousand
    }

    /// One of them.
    pub fn one_of<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// A strategy for the text of resources.
#[derive(Clone, Debug)]
pub struct Resources {
    /// The words that it takes.
    pub vocabulary: Vocabulary,
    /// Resource types to make.
    pub types: Vec<&'static str>,
    /// How often a member is odd (wrong type, duplicate, escaped, unknown, null), of a thousand.
    pub odd_per_thousand: usize,
    /// Whether the whole must be valid FHIR, as far as one object can be judged by itself.
    pub valid: bool,
}

impl Resources {
    /// Resources of all types that the pack places, in the words of the pack, with odd members.
    #[must_use]
    pub fn of(pack: &SlowPack) -> Self {
        let dictionary = scruple_fhir::dictionary();
        let names = dictionary.resources().iter().map(|id| dictionary.get(*id).name);
        let types = names.filter(|name| pack.elements.contains_key(*name)).collect();
        Self { vocabulary: Vocabulary::of(pack), types, odd_per_thousand: 12, valid: false }
    }

    /// Only these types.
    #[must_use]
    pub fn types(mut self, types: &[&'static str]) -> Self {
        self.types = types.to_vec();
        self
    }

    /// None of these types.
    #[must_use]
    pub fn without(mut self, types: &[&str]) -> Self {
        self.types.retain(|name| !types.contains(name));
        self
    }

    /// Nothing odd, and the constraints kept.
    #[must_use]
    pub fn valid(mut self) -> Self {
        self.odd_per_thousand = 0;
        self.valid = true;
        self
    }

    /// The resource of a seed.
    #[must_use]
    pub fn make(&self, seed: u64) -> String {
        self.made(seed).text()
    }

    fn made(&self, seed: u64) -> Made {
        let mut maker = Maker::new(self, seed);
        let value = maker.resource();
        Made { value, style: seed, broken: maker.broken_text(), before: None, next: 0 }
    }
}

impl Strategy for Resources {
    type Tree = Made;
    type Value = String;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(self.made(proptest::num::u64::ANY.new_tree(runner)?.current()))
    }
}

/// A made resource that can be made smaller.
#[derive(Clone, Debug)]
pub struct Made {
    value: Value,
    style: u64,
    broken: Option<usize>,
    before: Option<Value>,
    next: usize,
}

impl Made {
    fn text(&self) -> String {
        let mut numbers = Numbers::new(self.style);
        let spaced = numbers.chance(500);
        let mut text = String::new();
        write(&self.value, &mut text, &mut numbers, spaced);
        if let Some(cut) = self.broken {
            let mut at = cut % (text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.truncate(at);
        }
        text
    }
}

impl ValueTree for Made {
    type Value = String;

    fn current(&self) -> String {
        self.text()
    }

    fn simplify(&mut self) -> bool {
        let mut smaller = self.value.clone();
        let mut place = self.next;
        if !remove(&mut smaller, &mut place) {
            return false;
        }
        self.before = Some(std::mem::replace(&mut self.value, smaller));
        true
    }

    fn complicate(&mut self) -> bool {
        match self.before.take() {
            Some(before) => {
                self.value = before;
                self.next += 1;
                true
            }
            None => false,
        }
    }
}

/// Takes the member or item with that number, counted from the outside in, away.
fn remove(value: &mut Value, place: &mut usize) -> bool {
    match value {
        Value::Object(members) => {
            for at in 0..members.len() {
                if members[at].key == "resourceType" {
                    continue;
                }
                if *place == 0 {
                    members.remove(at);
                    return true;
                }
                *place -= 1;
            }
            members.iter_mut().any(|member| remove(&mut member.value, place))
        }
        Value::List(items) => {
            if items.len() > 1 {
                if *place < items.len() {
                    items.remove(*place);
                    return true;
                }
                *place -= items.len();
            }
            items.iter_mut().any(|item| remove(item, place))
        }
        _ => false,
    }
}

fn write(value: &Value, text: &mut String, numbers: &mut Numbers, spaced: bool) {
    let space = |text: &mut String, numbers: &mut Numbers| {
        if spaced && numbers.chance(300) {
            text.push_str(["\n", " ", "\t", "\r\n    "][numbers.below(4)]);
        }
    };
    space(text, numbers);
    match value {
        Value::Object(members) => {
            text.push('{');
            for (place, Member { key, value, .. }) in members.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                space(text, numbers);
                text.push_str(&format!("\"{key}\""));
                space(text, numbers);
                text.push(':');
                write(value, text, numbers, spaced);
            }
            space(text, numbers);
            text.push('}');
        }
        Value::List(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write(item, text, numbers, spaced);
            }
            space(text, numbers);
            text.push(']');
        }
        scalar => text.push_str(&scalar.print()),
    }
    space(text, numbers);
}

/// A decision of a seed: a view for each category, a limit for each segment.
#[must_use]
pub fn decision(pack: &SlowPack, seed: u64) -> Decision {
    let mut numbers = Numbers::new(seed);
    let masks: Vec<String> = pack.masks.keys().map(|(mask, _)| mask.clone()).collect();
    let mask = numbers.one_of(&masks).cloned().unwrap_or_default();
    // Wide, narrow and mixed decisions: few none, few full, or all alike.
    let (none, masked) = [(100, 100), (500, 200), (50, 900), (0, 0), (300, 350)][numbers.below(5)];
    let mut decision = Decision { passes: numbers.chance(200), ..Decision::default() };
    for category in pack.categories.keys() {
        let view = if numbers.chance(none) {
            View::None
        } else if numbers.chance(masked) {
            let other = numbers.one_of(&masks).cloned().unwrap_or_default();
            View::Mask(if numbers.chance(800) { mask.clone() } else { other })
        } else {
            View::Full
        };
        decision.views.insert(category.clone(), view);
    }
    let follow = [1000, 0, 500][numbers.below(3)];
    for segment in pack.all_segments() {
        let limit = if numbers.chance(follow) {
            Limit::Follow
        } else if numbers.chance(500) {
            Limit::Coded
        } else {
            Limit::None
        };
        decision.limits.insert(segment.clone(), limit);
    }
    decision
}

/// A strategy for decisions.
pub fn decisions(pack: &SlowPack) -> impl Strategy<Value = Decision> + use<> {
    let pack = pack.clone();
    proptest::prelude::any::<u64>().prop_map(move |seed| decision(&pack, seed))
}
