//! Times as people say them.

use scruple_core::Timestamp;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment, in UTC until people have a time zone: `3 March 2026, 07:10 UTC`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    let iso = at.to_string();
    let mut parts = iso.split(['-', 'T', ':', '.', 'Z']);
    let mut next = || parts.next().unwrap_or_default();
    let (year, month, day, hour, minute) = (next(), next(), next(), next(), next());
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied();
    format!("{} {} {year}, {hour}:{minute} UTC", day.trim_start_matches('0'), month.unwrap_or_default())
}

/// `3 hours`, `2 days`: rounded up, so that a time of twelve hours is one a second after it began, too.
#[must_use]
pub fn length(micros: i64) -> String {
    let up = |unit: i64| micros.max(0).saturating_add(unit - 1) / unit;
    match (up(MINUTE), up(HOUR), up(DAY)) {
        (minutes, ..) if minutes < 60 => counted(minutes, "minute"),
        (_, hours, _) if hours < 48 => counted(hours, "hour"),
        (.., days) => counted(days, "day"),
    }
}

/// `1 hour`, `2 hours`.
#[must_use]
pub fn counted(number: i64, word: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{number} {word}{many}")
}
