//! Time as an argument: [`Timestamp`] in microseconds UTC, and the [`Clock`] trait.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Microseconds since 1970-01-01T00:00:00Z. The same integer stands in SQL, in the ledger and in memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 instant.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole hours since the epoch: the period of a data key.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000_000)
    }

    /// This time and so many microseconds; saturates at the ends of the range.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Parses RFC 3339.
    ///
    /// # Errors
    /// The text is no RFC 3339 instant.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp(text.to_owned()))?;
        Ok(Self(parsed.as_microsecond()))
    }

    /// The UTC calendar date as (year, month, day).
    #[must_use]
    pub fn civil_date(self) -> (i16, u8, u8) {
        let date = self.as_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
        let narrow = |part: i8| u8::try_from(part).unwrap_or(1);
        (date.year(), narrow(date.month()), narrow(date.day()))
    }

    fn as_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.as_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the present comes from. Only the binary has one that reads the machine's clock.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is told to move: for tests, simulations and seeded generation.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows `at`.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves the clock by so many microseconds, backwards if negative.
    pub fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_what_it_parses() {
        let at = Timestamp::parse("2024-02-29T23:59:59.123456Z").unwrap();
        assert_eq!(at.to_string(), "2024-02-29T23:59:59.123456Z");
        assert_eq!(at.civil_date(), (2024, 2, 29));
        assert_eq!(Timestamp::parse("2024-03-01T01:59:59.123456+02:00").unwrap(), at);
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
