//! [`Span`]: the stretch of time that a FHIR date means (FHIR R4 search, "date").

use jiff::civil::{Date, DateTime};

/// A half-open stretch of time in microseconds UTC: what a date of any precision means. The ends of the range stand for
/// no bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Span {
    /// Its first microsecond.
    pub from: i64,
    /// The first one behind it.
    pub to: i64,
}

const SECOND: i64 = 1_000_000;
/// 10000-01-01.
const END_OF_9999: i64 = 253_402_300_800 * SECOND;

impl Span {
    /// No bound on either side.
    pub const ALWAYS: Self = Self { from: i64::MIN, to: i64::MAX };

    /// Reads `date`, `dateTime` or `instant`: `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, or with `Thh:mm[:ss[.f]]` and `Z`, `±hh:mm` or
    /// nothing, which means UTC. With a fraction it is one microsecond long. `None`: it has none of these forms, or names a day
    /// or a time that does not exist.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = match text.split_once('T') {
            Some((day, time)) => (day, Some(time)),
            None => (text, None),
        };
        let mut parts = day.split('-');
        let year = i16::try_from(number(parts.next()?, 4)?).ok()?;
        let month = part(parts.next())?;
        let date = part(parts.next())?;
        if parts.next().is_some() || year == 0 {
            return None;
        }
        let first = Date::new(year, month.unwrap_or(1), date.unwrap_or(1)).ok()?;
        let midnight = |date: Date| micros(date.at(0, 0, 0, 0));
        let Some(time) = time else {
            let next = match (month, date) {
                (None, _) => Date::new(year.checked_add(1)?, 1, 1),
                (Some(12), None) => Date::new(year.checked_add(1)?, 1, 1),
                (Some(month), None) => Date::new(year, month + 1, 1),
                (Some(_), Some(_)) => first.tomorrow(),
            };
            // The last day that can be written has an end all the same: many systems write it for "no end".
            let to = next.ok().map_or(Some(END_OF_9999), midnight)?;
            return Some(Self { from: midnight(first)?, to });
        };
        date?;
        let (clock, offset) = zone(time)?;
        let (whole, fraction) = match clock.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (clock, None),
        };
        let mut parts = whole.split(':');
        let hour = i8::try_from(number(parts.next()?, 2)?).ok()?;
        let minute = i8::try_from(number(parts.next()?, 2)?).ok()?;
        let second = part(parts.next())?;
        if parts.next().is_some() || (fraction.is_some() && second.is_none()) {
            return None;
        }
        let at = DateTime::new(year, month?, date?, hour, minute, second.unwrap_or(0), 0).ok()?;
        let start = micros(at)?.checked_sub(offset)?;
        let (from, length) = match (second, fraction) {
            (None, _) => (start, 60 * SECOND),
            (Some(_), None) => (start, SECOND),
            (Some(_), Some(fraction)) => (start.checked_add(below_second(fraction)?)?, 1),
        };
        Some(Self { from, to: from.checked_add(length)? })
    }

    /// Whether this holds all of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// A part of two digits that may be missing.
fn part(text: Option<&str>) -> Option<Option<i8>> {
    text.map(|text| number(text, 2).and_then(|value| i8::try_from(value).ok()))
        .map_or(Some(None), |value| value.map(Some))
}

/// The time without its zone, and the zone in microseconds.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (clock, zone) = time.split_at_checked(at)?;
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (i64::from(number(hours, 2)?), i64::from(number(minutes, 2)?));
    if hours > 14 || minutes > 59 {
        return None;
    }
    let size = (hours * 60 + minutes) * 60 * SECOND;
    Some((clock, if zone.starts_with('-') { -size } else { size }))
}

/// Microseconds of a decimal fraction; what is finer is cut.
fn below_second(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || fraction.len() > 20 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
    six.parse().ok()
}

fn micros(at: DateTime) -> Option<i64> {
    // By civil arithmetic: the last days that can be written lie beyond the last instant of a zone.
    i64::try_from(at.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::Span;
    use crate::Timestamp;

    #[test]
    fn the_last_day_that_can_be_written_is_one() {
        for text in ["9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"] {
            let span = Span::parse(text).unwrap();
            assert!(span.from < span.to && span.to >= super::END_OF_9999, "{text}");
        }
        assert!(Span::parse("0001-01-01").is_some());
    }

    #[test]
    fn a_date_means_all_of_itself() {
        let check = |text: &str, from: &str, to: &str| {
            let at = |text: &str| Timestamp::parse(text).unwrap().micros();
            assert_eq!(Span::parse(text), Some(Span { from: at(from), to: at(to) }), "{text}");
        };
        check("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
        check("2024-12", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z");
        check("2024-02-29T10:30", "2024-02-29T10:30:00Z", "2024-02-29T10:31:00Z");
        check("2024-02-29T10:30:05Z", "2024-02-29T10:30:05Z", "2024-02-29T10:30:06Z");
        check("2024-02-29T10:30:05.25-07:00", "2024-02-29T17:30:05.25Z", "2024-02-29T17:30:05.250001Z");
        check("2024-02-29T01:30:05+02:00", "2024-02-28T23:30:05Z", "2024-02-28T23:30:06Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "24",
            "2024-",
            "2024-13",
            "2023-02-29",
            "2024-1-1",
            "2024-01-01T",
            "2024-01T10:00",
            "2024-01-01T25:00",
            "2024-01-01T10",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00.5",
            "2024-01-01T10:00:00+2:00",
            "2024-01-01T10:00:00+15:00",
            "2024-01-01T10:00:60Z",
            "0000",
            "2024-01-01-01",
            "٢٠٢٤",
            "2024-01-01T10:00:00z",
            "2024 ",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
