//! Times as other systems write them: by a pattern, in a time zone, with clocks that are put forward and back.

use crate::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// Bytes of a date without a time of day.
const DATE_BYTES: usize = "2026-03-01".len();

/// A time zone of the IANA database.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// Where a local time lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    /// At one instant.
    At(Timestamp),
    /// At two: the clock was put back, and showed it twice.
    Twice(Timestamp, Timestamp),
    /// At none: the clock was put forward over it.
    Never,
    /// It is no time by this pattern.
    Malformed,
}

impl Zone {
    /// The zone of a name such as `America/Phoenix`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// UTC.
    #[must_use]
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Places a time. `pattern`: as of strftime, or none for RFC 3339. A text that says its own offset is placed by that.
    #[must_use]
    pub fn place(&self, text: &str, pattern: Option<&str>) -> Placed {
        let Some(pattern) = pattern else {
            return match (Timestamp::parse(text), text.parse::<DateTime>()) {
                (Ok(at), _) => Placed::At(at),
                (Err(_), Ok(local)) if text.len() > DATE_BYTES => self.local(local),
                (Err(_), _) => Placed::Malformed,
            };
        };
        let Ok(parsed) = strtime::parse(pattern, text) else { return Placed::Malformed };
        if parsed.offset().is_some() {
            return parsed
                .to_timestamp()
                .map_or(Placed::Malformed, |at| Placed::At(Timestamp::from_micros(at.as_microsecond())));
        }
        match parsed.to_datetime() {
            // A pattern without a time of day would place everything at midnight.
            Ok(local) if parsed.hour().is_some() => self.local(local),
            _ => Placed::Malformed,
        }
    }

    /// The day of the week here, 1 is Monday, and the minute of the day.
    #[must_use]
    pub fn day_and_minute(&self, at: Timestamp) -> Option<(u8, u16)> {
        let local = self.0.to_datetime(jiff::Timestamp::from_microsecond(at.micros()).ok()?);
        let day = u8::try_from(local.weekday().to_monday_one_offset()).ok()?;
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        Some((day, u16::try_from(minute).ok()?))
    }

    fn local(&self, local: DateTime) -> Placed {
        let at = |offset: jiff::tz::Offset| offset.to_timestamp(local).ok().map(|at| at.as_microsecond());
        match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                at(offset).map_or(Placed::Malformed, |at| Placed::At(Timestamp::from_micros(at)))
            }
            AmbiguousOffset::Gap { .. } => Placed::Never,
            AmbiguousOffset::Fold { before, after } => match (at(before), at(after)) {
                (Some(first), Some(second)) => {
                    Placed::Twice(Timestamp::from_micros(first), Timestamp::from_micros(second))
                }
                _ => Placed::Malformed,
            },
        }
    }
}

/// The first instant of a UTC month and that of the next one. `months` counts back from the month of `at`: 0 is that month.
#[must_use]
pub fn month_of(at: Timestamp, months: u32) -> Option<(Timestamp, Timestamp)> {
    let (year, month, _) = at.civil_date();
    let index = i64::from(year) * 12 + i64::from(month) - 1 - i64::from(months);
    let first = |index: i64| {
        Timestamp::parse(&format!("{:04}-{:02}-01T00:00:00Z", index.div_euclid(12), index.rem_euclid(12) + 1)).ok()
    };
    Some((first(index)?, first(index + 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, pattern: Option<&str>, text: &str, expected: &str) {
        let found = match Zone::named(zone).unwrap().place(text, pattern) {
            Placed::At(at) => at.to_string(),
            Placed::Twice(first, second) => format!("{first} or {second}"),
            Placed::Never => "never".to_owned(),
            Placed::Malformed => "malformed".to_owned(),
        };
        assert_eq!(found, expected, "{zone} {pattern:?} {text}");
    }

    #[test]
    fn an_instant_has_a_day_and_a_minute_in_its_zone() {
        let of = |zone: &str, at: &str| Zone::named(zone).unwrap().day_and_minute(Timestamp::parse(at).unwrap());
        assert_eq!(of("America/New_York", "2026-03-02T12:00:00Z"), Some((1, 7 * 60)));
        // The clock was put forward meanwhile.
        assert_eq!(of("America/New_York", "2026-03-09T12:00:00Z"), Some((1, 8 * 60)));
        assert_eq!(of("America/New_York", "2026-03-02T04:59:59Z"), Some((7, 24 * 60 - 1)));
        assert_eq!(of("UTC", "2026-03-01T00:00:00Z"), Some((7, 0)));
    }

    #[test]
    fn a_local_time_is_placed_in_its_zone() {
        let us = Some("%m/%d/%Y %H:%M:%S");
        check("America/Phoenix", us, "03/03/2026 07:10:00", "2026-03-03T14:10:00.000000Z");
        check("America/New_York", us, "03/03/2026 07:10:00", "2026-03-03T12:10:00.000000Z");
        check("America/New_York", us, "07/03/2026 07:10:00", "2026-07-03T11:10:00.000000Z");
        check(
            "America/New_York",
            Some("%Y-%m-%d %H:%M:%S%z"),
            "2026-03-03 07:10:00-0700",
            "2026-03-03T14:10:00.000000Z",
        );
        check("America/New_York", None, "2026-03-03T07:10:00Z", "2026-03-03T07:10:00.000000Z");
        check("America/New_York", None, "2026-03-03T07:10:00", "2026-03-03T12:10:00.000000Z");
    }

    #[test]
    fn a_clock_that_is_put_back_shows_an_hour_twice_and_one_that_is_put_forward_skips_one() {
        let us = Some("%m/%d/%Y %H:%M:%S");
        check(
            "America/New_York",
            us,
            "11/01/2026 01:30:00",
            "2026-11-01T05:30:00.000000Z or 2026-11-01T06:30:00.000000Z",
        );
        check("America/New_York", us, "03/08/2026 02:30:00", "never");
        check("America/Phoenix", us, "03/08/2026 02:30:00", "2026-03-08T09:30:00.000000Z");
    }

    #[test]
    fn what_is_no_time_is_malformed() {
        for text in ["", "13/01/2026 00:00:00", "yesterday", "03/03/2026", "03/03/2026 25:00:00"] {
            check("UTC", Some("%m/%d/%Y %H:%M:%S"), text, "malformed");
        }
        check("UTC", Some("%m/%d/%Y"), "03/03/2026", "malformed");
        check("UTC", None, "2026-03-03", "malformed");
        assert!(Zone::named("Mars/Olympus").is_none());
    }

    #[test]
    fn months_are_counted_back_over_the_year() {
        let at = Timestamp::parse("2026-01-31T23:59:59Z").unwrap();
        let month = |back| month_of(at, back).map(|(from, until)| (from.to_string(), until.to_string())).unwrap();
        assert_eq!(month(0).0, "2026-01-01T00:00:00.000000Z");
        assert_eq!(month(1), ("2025-12-01T00:00:00.000000Z".to_owned(), "2026-01-01T00:00:00.000000Z".to_owned()));
        assert_eq!(month(13).0, "2024-12-01T00:00:00.000000Z");
    }
}
