//! Labels that a resource inherits (docs/view.md, 3), judged on the neighbours as they are now.

use super::lookup::Raw;
use super::{AT_ONCE, Around, Candidate, Sight, Stop, Target, turn};
use scruple_core::SegmentSet;
use scruple_fhir::{Projector, about};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Steps over which labels are inherited.
const STEPS_MAX: usize = 3;

/// Every label: of what is there and cannot be read.
pub(super) const EVERY: SegmentSet = SegmentSet::ALL.union(SegmentSet::UNCLASSIFIED).union(SegmentSet::UNREADABLE);

/// One resource's way to what it inherits.
#[derive(Default)]
struct Way {
    inherited: SegmentSet,
    /// What is to be looked at next, and what of its labels counts.
    ahead: BTreeMap<Target, SegmentSet>,
    /// What was looked at, and for what.
    behind: BTreeMap<Target, SegmentSet>,
}

impl Way {
    fn take(&mut self, heritage: about::Heritage) {
        self.inherited = self.inherited.union(heritage.unread);
        for (target, passes) in heritage.from {
            let done = self.behind.get(&target).copied().unwrap_or_default();
            if passes.without(done) != SegmentSet::EMPTY {
                let ahead = self.ahead.entry(target).or_default();
                *ahead = ahead.union(passes);
            }
        }
    }
}

impl Sight<'_> {
    /// The labels that each of these inherits, of those that its decision heeds; nothing for those that cannot show anyway.
    pub(super) async fn inherited(
        &mut self,
        resources: &[Option<(Candidate<'_>, SegmentSet)>],
    ) -> Result<Vec<SegmentSet>, Stop> {
        let policy = Arc::clone(&self.policy);
        let annotation = &policy.pack().annotation;
        let mut ways: Vec<Way> = Vec::with_capacity(resources.len());
        for resource in resources {
            let mut way = Way::default();
            if let Some((candidate, heeded)) = resource {
                way.take(about::heritage(annotation, candidate.bytes, *heeded));
            }
            ways.push(way);
        }
        for step in 1..=STEPS_MAX {
            let wanted: BTreeSet<Target> = ways.iter().flat_map(|way| way.ahead.keys().cloned()).collect();
            if wanted.is_empty() {
                break;
            }
            self.fetch(&wanted).await?;
            for (place, way) in ways.iter_mut().enumerate() {
                if place % AT_ONCE == 0 {
                    turn().await;
                }
                for (target, passes) in std::mem::take(&mut way.ahead) {
                    let bytes = match self.raw.get(&target) {
                        Some(Raw::Here(bytes)) => Arc::clone(bytes),
                        Some(Raw::Unreadable) => {
                            way.inherited = way.inherited.union(passes);
                            continue;
                        }
                        Some(Raw::Absent) | None => continue,
                    };
                    let own = self.own_labels(&target, &bytes);
                    way.inherited = way.inherited.union(own.intersect(passes));
                    let behind = way.behind.entry(target).or_default();
                    *behind = behind.union(passes);
                    if step < STEPS_MAX {
                        way.take(about::heritage(annotation, &bytes, passes));
                    }
                }
            }
        }
        Ok(ways.into_iter().map(|way| way.inherited).collect())
    }

    fn own_labels(&mut self, target: &Target, bytes: &[u8]) -> SegmentSet {
        if let Some(known) = self.labels.get(target) {
            return *known;
        }
        let found = self.labels_of(bytes);
        self.labels.insert(target.clone(), found);
        found
    }

    /// The own labels of a resource, whoever looks.
    pub(super) fn labels_of(&self, bytes: &[u8]) -> SegmentSet {
        let around =
            Around { token: &self.pipeline.token, today: self.now.civil_date(), known: None, asked: Mutex::default() };
        Projector::new(self.policy.all_seeing(), &around).labels(bytes).unwrap_or(EVERY)
    }
}
