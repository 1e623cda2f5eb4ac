//! Measures of the workflows: how often, how long, how it ended. Exact: counts and whole microseconds, nothing estimated.

use crate::Finding;
use scruple_core::Timestamp;
use std::collections::BTreeMap;

/// How long something took, over the cases that came to an end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Durations {
    /// The cases.
    pub count: usize,
    /// The mean, in microseconds, rounded down.
    pub mean_micros: i64,
    /// The median: the lower one of two.
    pub median_micros: i64,
    /// What nine of ten did not take longer than.
    pub p90_micros: i64,
}

impl Durations {
    /// Of these lengths in microseconds.
    #[must_use]
    pub fn of(mut lengths: Vec<i64>) -> Self {
        lengths.sort_unstable();
        let count = lengths.len();
        let at = |place: usize| lengths.get(place).copied().unwrap_or_default();
        let sum: i128 = lengths.iter().map(|length| i128::from(*length)).sum();
        let mean = sum.checked_div(count as i128).unwrap_or_default();
        Self {
            count,
            mean_micros: i64::try_from(mean).unwrap_or(i64::MAX),
            median_micros: at(count.saturating_sub(1) / 2),
            p90_micros: at((count * 9).div_ceil(10).saturating_sub(1)),
        }
    }
}

/// One emergency, as far as it is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EmergencyFact {
    /// When it began.
    pub opened_at: Timestamp,
    /// When its review was closed, and with what.
    pub closed: Option<(Timestamp, Finding)>,
}

/// The emergencies of somebody, somewhere, or of one patient.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EmergencyFigures {
    /// How many.
    pub count: usize,
    /// Of them, those whose review is not closed.
    pub open: usize,
    /// Of them, those that were not justified.
    pub unjustified: usize,
    /// From the opening to the closed review.
    pub review: Durations,
}

/// The figures of each key, by key.
pub fn emergencies<K: Ord>(facts: impl IntoIterator<Item = (K, EmergencyFact)>) -> BTreeMap<K, EmergencyFigures> {
    let mut found: BTreeMap<K, (EmergencyFigures, Vec<i64>)> = BTreeMap::new();
    for (key, fact) in facts {
        let (figures, lengths) = found.entry(key).or_default();
        figures.count += 1;
        match fact.closed {
            Some((at, finding)) => {
                figures.unjustified += usize::from(finding == Finding::Unjustified);
                lengths.push(at.micros().saturating_sub(fact.opened_at.micros()));
            }
            None => figures.open += 1,
        }
    }
    let whole = |(figures, lengths)| EmergencyFigures { review: Durations::of(lengths), ..figures };
    found.into_iter().map(|(key, one)| (key, whole(one))).collect()
}

/// One request, as far as it is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestFact<'a> {
    /// When it was handed in.
    pub submitted_at: Timestamp,
    /// Where it stands: the stable code, `expired` where its time is over.
    pub state: &'a str,
    /// Since when, where it is decided.
    pub decided_at: Option<Timestamp>,
}

/// The requests of a period. Only a yes counts into the time to a yes (FM-08): who waits is counted by himself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RequestFigures {
    /// From the request to a yes.
    pub approved: Durations,
    /// From the request to a no.
    pub refused: Durations,
    /// How long those that wait have waited.
    pub pending: Durations,
    /// Nobody decided in time.
    pub expired: usize,
    /// Taken back by who asked.
    pub withdrawn: usize,
}

/// The figures of these, as of `now`.
pub fn requests<'a>(facts: impl IntoIterator<Item = RequestFact<'a>>, now: Timestamp) -> RequestFigures {
    let (mut approved, mut refused, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    let mut figures = RequestFigures::default();
    for fact in facts {
        let length = |until: Timestamp| until.micros().saturating_sub(fact.submitted_at.micros());
        match fact.state {
            "approved" => approved.extend(fact.decided_at.map(length)),
            "denied" => refused.extend(fact.decided_at.map(length)),
            "pending" => pending.push(length(now)),
            "expired" => figures.expired += 1,
            "cancelled" => figures.withdrawn += 1,
            _ => {}
        }
    }
    let of = Durations::of;
    RequestFigures { approved: of(approved), refused: of(refused), pending: of(pending), ..figures }
}

/// Access that was taken back (FM-09).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RevocationFact {
    /// When that was decided.
    pub decided_at: Timestamp,
    /// When the last node had applied it; none: one has not.
    pub confirmed_at: Option<Timestamp>,
}

/// What was taken back in a period. What is not confirmed counts by its age alone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RevocationFigures {
    /// From the decision until every node refused.
    pub confirmed: Durations,
    /// How long the others have been open.
    pub open: Durations,
}

/// The figures of these, as of `now`.
pub fn revocations(facts: impl IntoIterator<Item = RevocationFact>, now: Timestamp) -> RevocationFigures {
    let (mut confirmed, mut open) = (Vec::new(), Vec::new());
    for fact in facts {
        let length = |until: Timestamp| until.micros().saturating_sub(fact.decided_at.micros());
        match fact.confirmed_at {
            Some(at) => confirmed.push(length(at)),
            None => open.push(length(now)),
        }
    }
    RevocationFigures { confirmed: Durations::of(confirmed), open: Durations::of(open) }
}

#[cfg(test)]
mod tests {
    use super::{Durations, EmergencyFact, RequestFact, RevocationFact, emergencies, requests, revocations};
    use crate::Finding;
    use scruple_core::Timestamp;

    #[test]
    fn durations_are_those_that_a_hand_computes() {
        let of = |lengths: &[i64]| {
            let found = Durations::of(lengths.to_vec());
            (found.count, found.mean_micros, found.median_micros, found.p90_micros)
        };
        assert_eq!(of(&[]), (0, 0, 0, 0));
        assert_eq!(of(&[7]), (1, 7, 7, 7));
        assert_eq!(of(&[40, 10, 30, 20]), (4, 25, 20, 40));
        assert_eq!(of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), (10, 5, 5, 9));
        assert_eq!(of(&[i64::MAX, i64::MAX]).1, i64::MAX);
    }

    #[test]
    fn thirty_emergencies_of_which_four_were_not_justified() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let facts = (0..30_i64).map(|number| {
            let finding = if number % 7 == 3 { Finding::Unjustified } else { Finding::Justified };
            let closed = (number < 28).then(|| (at(number + 60), finding));
            (number % 3, EmergencyFact { opened_at: at(number), closed })
        });
        let all = emergencies(facts.clone().map(|(_, fact)| ((), fact)));
        let all = &all[&()];
        assert_eq!((all.count, all.open, all.unjustified), (30, 2, 4));
        assert_eq!((all.review.count, all.review.mean_micros), (28, 60_000_000));
        let by_reader = emergencies(facts);
        assert_eq!(by_reader.values().map(|one| one.count).collect::<Vec<_>>(), [10, 10, 10]);
        assert_eq!(by_reader.values().map(|one| one.unjustified).sum::<usize>(), 4);
    }

    #[test]
    fn of_five_requests_the_time_to_a_yes_is_that_of_the_three_approved_and_who_waits_is_told_apart() {
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        let fact = |submitted, state, decided: Option<i64>| RequestFact {
            submitted_at: at(submitted),
            state,
            decided_at: decided.map(at),
        };
        let facts = [
            fact(0, "approved", Some(10)),
            fact(0, "approved", Some(20)),
            fact(5, "approved", Some(65)),
            fact(0, "denied", Some(500)),
            fact(90, "pending", None),
        ];
        let minutes = |durations: Durations| {
            [durations.mean_micros, durations.median_micros, durations.p90_micros].map(|micros| micros / 60_000_000)
        };
        let figures = requests(facts, at(120));
        assert_eq!((figures.approved.count, minutes(figures.approved)), (3, [30, 20, 60]));
        assert_eq!((figures.refused.count, figures.pending.count), (1, 1));
        assert_eq!(minutes(figures.pending), [30; 3]);
        assert_eq!(minutes(requests(facts, at(180)).pending), [90; 3], "who waits, waits longer");
        let neither = requests([fact(0, "expired", None), fact(0, "cancelled", Some(3))], at(9));
        assert_eq!((neither.expired, neither.withdrawn, neither.approved.count), (1, 1, 0));
    }

    #[test]
    fn of_four_revocations_the_mean_is_of_the_three_confirmed_and_the_stuck_one_ages() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let fact = |decided: i64, confirmed: Option<i64>| RevocationFact {
            decided_at: at(decided),
            confirmed_at: confirmed.map(at),
        };
        let facts = [fact(0, Some(1)), fact(10, Some(12)), fact(20, Some(26)), fact(30, None)];
        let figures = revocations(facts, at(40));
        assert_eq!((figures.confirmed.count, figures.confirmed.mean_micros), (3, 3_000_000));
        assert_eq!((figures.open.count, figures.open.mean_micros), (1, 10_000_000));
        assert_eq!(revocations(facts, at(100)).open.mean_micros, 70_000_000, "its age grows with the clock");
        assert_eq!(revocations([], at(0)), super::RevocationFigures::default());
    }
}
