//! Dates as ranges of microseconds, half open.

/// From and to, in microseconds since 1970. The ends of `i64` stand for minus infinity and infinity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The first microsecond.
    pub from: i64,
    /// The first one behind it.
    pub to: i64,
}

impl Range {
    /// Whether the other lies in it whole.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = |year: i64| year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let of_months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    before(year - 1) - before(1969) + of_months + day - 1
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// So many digits and nothing else, between two numbers.
fn number(text: &str, digits: usize, least: i64, most: i64) -> Option<i64> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

/// The range of a text of the forms `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, `YYYY-MM-DDThh:mm[:ss[.f]]` with optional zone.
///
/// Reading: years are 0001 to 9999.
#[must_use]
pub fn range(text: &str) -> Option<Range> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4, 1, 9999)?;
    let month = parts.next().map(|text| number(text, 2, 1, 12).ok_or(())).transpose().ok()?;
    let most = month.map_or(31, |month| days_of(year, month));
    let day = parts.next().map(|text| number(text, 2, 1, most).ok_or(())).transpose().ok()?;
    if parts.next().is_some() {
        return None;
    }
    let midnight = days(year, month.unwrap_or(1), day.unwrap_or(1)) * DAY;
    match (month, day, time) {
        (None, None, None) => Some(Range { from: midnight, to: days(year + 1, 1, 1) * DAY }),
        (Some(month), None, None) => Some(Range { from: midnight, to: midnight + days_of(year, month) * DAY }),
        (Some(_), Some(_), None) => Some(Range { from: midnight, to: midnight + DAY }),
        (Some(_), Some(_), Some(time)) => {
            let (within, length) = clock(time)?;
            Some(Range { from: midnight + within, to: midnight + within + length })
        }
        _ => None,
    }
}

/// Where in the day a time with its zone begins, and how long it lasts.
fn clock(text: &str) -> Option<(i64, i64)> {
    let (local, offset) = match text.strip_suffix('Z') {
        Some(local) => (local, 0),
        None => match text.find(['+', '-']) {
            Some(at) => (text.get(..at)?, zone(text.get(at..)?)?),
            None => (text, 0),
        },
    };
    let mut parts = local.split(':');
    let hour = number(parts.next()?, 2, 0, 23)?;
    let minute = number(parts.next()?, 2, 0, 59)?;
    let mut from = (hour * 60 + minute) * MINUTE;
    let mut length = MINUTE;
    if let Some(seconds) = parts.next() {
        let (whole, fraction) = match seconds.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (seconds, None),
        };
        from += number(whole, 2, 0, 59)? * SECOND;
        length = SECOND;
        if let Some(fraction) = fraction {
            if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
            from += digits.parse::<i64>().ok()?;
            length = 1;
        }
    }
    parts.next().is_none().then_some((from - offset, length))
}

/// `+05:00` in microseconds.
fn zone(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let minutes = number(hours, 2, 0, 14)? * 60 + number(minutes, 2, 0, 59)?;
    (minutes <= 14 * 60).then_some(sign * minutes * MINUTE)
}
