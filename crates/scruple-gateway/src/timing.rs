//! When an answer leaves: as soon as it is made, or at the next of a few times since the request came, so that how long it
//! took tells next to nothing of what was looked at (docs/limits.md).

use scruple_policy::{Pack, Timing};
use std::time::Duration;
use tokio::time::Instant;

/// Milliseconds from a request to its answer; what takes longer than the last waits for a whole second.
pub const BUCKETS_MS: [u64; 6] = [25, 50, 100, 250, 500, 1000];

/// Whose answers wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AnswerTiming {
    /// Nobody's.
    Plain,
    /// Everybody's, strangers' too.
    Bucket,
    /// Those of roles of which the pack says so. Who is in no role gets his answers at once: nothing was looked at for him.
    #[default]
    ByRole,
}

impl AnswerTiming {
    pub(crate) fn is_held(self, pack: &Pack, role: &str) -> bool {
        match self {
            Self::Plain => false,
            Self::Bucket => true,
            Self::ByRole => pack.roles.get(role).is_some_and(|role| role.timing == Timing::Bucket),
        }
    }
}

/// When an answer leaves to a request that came at `begun` and is answered at `now`.
pub(crate) fn leaves(begun: Instant, now: Instant) -> Instant {
    begun + bucket(now.saturating_duration_since(begun))
}

/// The next of the times that is not passed.
fn bucket(taken: Duration) -> Duration {
    let next = BUCKETS_MS.into_iter().map(Duration::from_millis).find(|time| *time >= taken);
    next.unwrap_or_else(|| Duration::from_secs(taken.as_secs() + u64::from(taken.subsec_nanos() > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_up_to_the_next_of_a_few() {
        let check = |taken: Duration, expected_ms: u64| {
            let begun = Instant::now();
            assert_eq!(leaves(begun, begun + taken) - begun, Duration::from_millis(expected_ms), "{taken:?}");
        };
        let just_above = |ms| Duration::from_millis(ms) + Duration::from_nanos(1);
        check(Duration::ZERO, 25);
        for next in BUCKETS_MS.windows(2) {
            check(Duration::from_millis(next[0]), next[0]);
            check(just_above(next[0]), next[1]);
        }
        check(Duration::from_millis(1000), 1000);
        check(just_above(1000), 2000);
        check(Duration::from_millis(2000), 2000);
        check(Duration::from_millis(44_001), 45_000);
    }

    #[test]
    fn a_clock_that_stands_still_is_no_reason_to_hurry() {
        let now = Instant::now();
        assert_eq!(leaves(now + Duration::from_millis(1), now), now + Duration::from_millis(26));
    }
}
