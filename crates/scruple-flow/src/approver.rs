//! How people decide: how often yes, after how long a look, how many at one go. It lists who lets everything through; it judges nobody.

use crate::measure::Durations;
use scruple_core::Timestamp;
use std::collections::BTreeMap;

/// A look shorter than this reads nothing (house rule, RB-24), in microseconds.
pub const LOOK_MICROS_MIN: i64 = 3_000_000;
/// Decisions that follow one another within this are one batch, in microseconds.
const BATCH_MICROS: i64 = 60_000_000;
/// Fewer decisions than this say nothing.
pub const DECISIONS_MIN: usize = 5;

/// When an approver had first opened what he decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opened {
    /// Then.
    At(Timestamp),
    /// He had not.
    Never,
    /// Nobody wrote it down at that time.
    Unknown,
}

/// One decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecisionFact {
    /// When he had opened it.
    pub opened: Opened,
    /// When he decided.
    pub decided_at: Timestamp,
    /// Whether he said yes.
    pub is_yes: bool,
}

impl DecisionFact {
    /// How long he had it before him: not at all, if he had not opened it.
    fn look(&self) -> Option<i64> {
        match self.opened {
            Opened::At(at) => Some(self.decided_at.micros().saturating_sub(at.micros()).max(0)),
            Opened::Never => Some(0),
            Opened::Unknown => None,
        }
    }
}

/// The decisions of one approver.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ApproverFigures {
    /// How many.
    pub decided: usize,
    /// Of them, those that were a yes.
    pub approved: usize,
    /// From opening to deciding.
    pub look: Durations,
    /// Decisions after less than [`LOOK_MICROS_MIN`].
    pub unread: usize,
    /// The most decisions that followed one another within a minute each.
    pub batch_max: usize,
}

impl ApproverFigures {
    /// Whether he lets everything through without a look: every decision a yes, and every one unread.
    #[must_use]
    pub const fn is_rubber_stamp(&self) -> bool {
        self.decided >= DECISIONS_MIN && self.approved == self.decided && self.unread == self.decided
    }
}

/// The figures of each approver, by whatever names him.
pub fn approvers<K: Ord>(facts: impl IntoIterator<Item = (K, DecisionFact)>) -> BTreeMap<K, ApproverFigures> {
    let mut by: BTreeMap<K, Vec<DecisionFact>> = BTreeMap::new();
    for (key, fact) in facts {
        by.entry(key).or_default().push(fact);
    }
    by.into_iter().map(|(key, facts)| (key, figures(facts))).collect()
}

fn figures(mut facts: Vec<DecisionFact>) -> ApproverFigures {
    facts.sort_unstable_by_key(|fact| fact.decided_at);
    let looks: Vec<i64> = facts.iter().filter_map(DecisionFact::look).collect();
    let (mut batch, mut batch_max, mut last) = (0_usize, 0_usize, None::<Timestamp>);
    for fact in &facts {
        let follows = last.is_some_and(|last| fact.decided_at.micros().saturating_sub(last.micros()) <= BATCH_MICROS);
        batch = if follows { batch.saturating_add(1) } else { 1 };
        batch_max = batch_max.max(batch);
        last = Some(fact.decided_at);
    }
    ApproverFigures {
        decided: facts.len(),
        approved: facts.iter().filter(|fact| fact.is_yes).count(),
        unread: looks.iter().filter(|look| **look < LOOK_MICROS_MIN).count(),
        look: Durations::of(looks),
        batch_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(second: i64, look_millis: Option<i64>, is_yes: bool) -> DecisionFact {
        let decided_at = Timestamp::from_micros(second * 1_000_000);
        let opened = look_millis.map_or(Opened::Never, |millis| Opened::At(decided_at.plus_micros(-millis * 1_000)));
        DecisionFact { opened, decided_at, is_yes }
    }

    #[test]
    fn who_says_yes_to_everything_in_less_than_three_seconds_each_is_a_rubber_stamp() {
        let of = |facts: Vec<DecisionFact>| approvers(facts.into_iter().map(|fact| ((), fact))).remove(&()).unwrap();
        let fast: Vec<_> = (0..10).map(|n| fact(n * 10, Some(2_999), true)).collect();
        let found = of(fast.clone());
        assert!(found.is_rubber_stamp());
        assert_eq!((found.decided, found.approved, found.unread, found.batch_max), (10, 10, 10, 10));
        assert_eq!(found.look.median_micros, 2_999_000);
        // One no, one look of three seconds, or too few: none.
        let one_no = fast.iter().enumerate().map(|(n, one)| DecisionFact { is_yes: n != 4, ..*one }).collect();
        assert!(!of(one_no).is_rubber_stamp());
        let mut one_read = fast.clone();
        one_read[7] = fact(70, Some(3_000), true);
        assert!(!of(one_read).is_rubber_stamp());
        assert!(!of(fast.iter().take(DECISIONS_MIN - 1).copied().collect()).is_rubber_stamp());
        // What he never opened he has not read; of what nobody wrote down nothing is said.
        assert!(of((0..5).map(|n| fact(n * 3_600, None, true)).collect()).is_rubber_stamp());
        let unknown = fast.iter().map(|one| DecisionFact { opened: Opened::Unknown, ..*one }).collect();
        assert_eq!((of(unknown).unread, of(fast.clone()).look.count), (0, 10));
    }

    #[test]
    fn a_batch_is_what_follows_within_a_minute_each() {
        let times = [0, 30, 90, 151, 200, 259, 1_000];
        let facts = times.map(|second| ((), fact(second, Some(60_000), true)));
        assert_eq!(approvers(facts)[&()].batch_max, 3);
    }
}
