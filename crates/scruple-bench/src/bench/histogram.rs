//! Latencies in counters of fixed number: 64 to each doubling, so that none is told with more than 1.6 % of error.

use std::time::Duration;

/// Bits within a doubling.
const BITS: u32 = 6;
/// Counters: up to 2^40 ns, some eighteen minutes; what is longer counts as that.
const COUNTERS: usize = (40 - BITS as usize + 1) << BITS;

/// Counted latencies.
#[derive(Clone, Debug)]
pub struct Histogram {
    counters: Vec<u64>,
    count: u64,
    largest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counters: vec![0; COUNTERS], count: 0, largest: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if let Some(counter) = self.counters.get_mut(index(nanos).min(COUNTERS - 1)) {
            *counter += 1;
        }
        self.count += 1;
        self.largest = self.largest.max(latency);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest.
    #[must_use]
    pub fn largest(&self) -> Duration {
        self.largest
    }

    /// The latency that this share of all, in thousandths, does not pass. Zero if there is none.
    #[must_use]
    pub fn at(&self, thousandths: u64) -> Duration {
        let rank = (self.count * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, counter) in self.counters.iter().enumerate() {
            seen += counter;
            if seen >= rank {
                let nearly = Duration::from_nanos(upper(index)).min(self.largest);
                return if index == COUNTERS - 1 { self.largest } else { nearly };
            }
        }
        self.largest
    }
}

/// The counter of a time: itself below 2^BITS; above, the doubling and the next BITS bits.
fn index(nanos: u64) -> usize {
    let doubling = nanos.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    (usize::try_from(doubling).unwrap_or(0) << BITS) + usize::try_from(nanos >> doubling).unwrap_or(usize::MAX >> 1)
}

/// The longest time of a counter.
fn upper(index: usize) -> u64 {
    let doubling = (index >> BITS).saturating_sub(1);
    let low = (index - (doubling << BITS)) as u64;
    ((low + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::{COUNTERS, Histogram, index, upper};
    use std::time::Duration;

    #[test]
    fn each_time_falls_into_one_counter_and_is_told_nearly() {
        let times = (0..40).flat_map(|bits| [0, 1, 7].map(|more| (1u64 << bits) + more * (1 << bits) / 9));
        for time in times.chain(0..3_000) {
            let counter = index(time);
            assert!(counter < COUNTERS && upper(counter) >= time, "{time}");
            assert!(counter == 0 || upper(counter - 1) < time, "{time}");
            assert!(upper(counter) - time <= time / 64, "{time}: {}", upper(counter));
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut a = Histogram::default();
        assert_eq!(a.at(500), Duration::ZERO);
        (1..=100).rev().for_each(|millis| a.record(Duration::from_millis(millis)));
        assert_eq!((a.count(), a.largest()), (100, Duration::from_millis(100)));
        for (thousandths, millis) in [(500, 50.0), (990, 99.0), (10, 1.0), (1000, 100.0)] {
            let told = a.at(thousandths).as_secs_f64() * 1e3;
            assert!(told >= millis && told <= millis * 1.016, "{thousandths}: {told}");
        }
        a.record(Duration::from_secs(100_000));
        assert_eq!(a.at(1000), Duration::from_secs(100_000));
    }
}
