//! Times, percentiles and tables.

use std::time::{Duration, Instant};

/// Sorted times.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub fn best(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.at(50)
    }

    /// A percentile.
    pub fn at(&self, percent: usize) -> Duration {
        self.0.get(self.0.len() * percent / 100).or(self.0.last()).copied().unwrap_or_default()
    }
}

/// The time of one call and what it returns.
pub fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let result = run();
    (began.elapsed(), result)
}

/// Nanoseconds of one of so many operations, as a text with a fitting unit.
pub fn per(total: Duration, operations: usize) -> String {
    short(Duration::from_nanos(u64::try_from(total.as_nanos() / operations.max(1) as u128).unwrap_or(u64::MAX)))
}

/// A time with three digits or so.
pub fn short(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// Megabytes a second.
pub fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9)
}

/// How many times as fast.
pub fn ratio(ours: f64, theirs: f64) -> String {
    match ours / theirs {
        ratio if !ratio.is_finite() => "-".to_owned(),
        ratio if ratio < 10.0 => format!("{ratio:.2}"),
        ratio => format!("{ratio:.0}"),
    }
}

/// A table in Markdown; the first column is text, the others are numbers.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|---|{}\n", header.join(" | "), "---:|".repeat(header.len().saturating_sub(1)));
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_with_a_fitting_unit() {
        assert_eq!(short(Duration::from_nanos(999)), "999 ns");
        assert_eq!(short(Duration::from_nanos(1_500)), "1.50 µs");
        assert_eq!(per(Duration::from_secs(3), 2_000), "1.50 ms");
        assert_eq!((ratio(3.0, 2.0), ratio(300.0, 2.0), ratio(1.0, 0.0)), ("1.50".into(), "150".into(), "-".into()));
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!((times.best().as_millis(), times.median().as_millis(), times.at(99).as_millis()), (1, 51, 100));
        assert_eq!(table(&["a", "b"], &[vec!["c".into(), "d".into()]]), "| a | b |\n|---|---:|\n| c | d |\n");
    }
}
