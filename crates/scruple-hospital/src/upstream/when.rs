//! Dates as ranges of microseconds, half-open (docs/search.md, section 3).
//!
//! A second is at most 59 and an hour at most 23: a leap second is no date here.

/// From, inclusive, to, exclusive, in microseconds since 1970 UTC. The ends of `i64` stand for infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: i64,
    pub to: i64,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The farthest time zone (`±14:00`), in minutes.
const OFFSET_MINUTES_MAX: i64 = 14 * 60;

impl Span {
    pub const BEGINNING: i64 = i64::MIN;
    pub const END: i64 = i64::MAX;

    /// Reads `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm[:ss[.f]]` with an optional zone.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Reader(text.as_bytes());
        let year = rest.number(4).filter(|year| *year > 0)?;
        if rest.is_done() {
            return Some(Self { from: day(year, 1, 1), to: day(year + 1, 1, 1) });
        }
        rest.byte(b'-')?;
        let month = rest.number(2).filter(|month| (1..=12).contains(month))?;
        if rest.is_done() {
            let next = if month == 12 { day(year + 1, 1, 1) } else { day(year, month + 1, 1) };
            return Some(Self { from: day(year, month, 1), to: next });
        }
        rest.byte(b'-')?;
        let date = rest.number(2).filter(|date| (1..=days_in(year, month)).contains(date))?;
        let start = day(year, month, date);
        if rest.is_done() {
            return Some(Self { from: start, to: start + DAY });
        }
        rest.byte(b'T')?;
        Self::time(start, rest)
    }

    fn time(start: i64, mut rest: Reader<'_>) -> Option<Self> {
        let hour = rest.number(2).filter(|hour| *hour < 24)?;
        rest.byte(b':')?;
        let minute = rest.number(2).filter(|minute| *minute < 60)?;
        let mut from = start + hour * HOUR + minute * MINUTE;
        let mut length = MINUTE;
        if rest.byte(b':').is_some() {
            from += rest.number(2).filter(|second| *second < 60)? * SECOND;
            length = SECOND;
            if rest.byte(b'.').is_some() {
                from += rest.fraction()?;
                length = 1;
            }
        }
        from -= rest.offset()? * MINUTE;
        rest.is_done().then_some(Self { from, to: from + length })
    }
}

/// Bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == wanted).then(|| self.0 = rest)
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let value = head
            .iter()
            .try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    /// Digits behind the point as microseconds; what is finer falls away.
    fn fraction(&mut self) -> Option<i64> {
        let mut micros = 0;
        let mut unit = SECOND;
        let mut any = false;
        while let Some(digit) = self.number(1) {
            unit /= 10;
            micros += digit * unit;
            any = true;
        }
        any.then_some(micros)
    }

    /// Minutes east of UTC; none is UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.is_done() || self.byte(b'Z').is_some() {
            return Some(0);
        }
        let sign = if self.byte(b'+').is_some() {
            1
        } else {
            self.byte(b'-')?;
            -1
        };
        let hours = self.number(2)?;
        self.byte(b':')?;
        let minutes = self.number(2).filter(|minutes| *minutes < 60)?;
        Some(hours * 60 + minutes).filter(|offset| *offset <= OFFSET_MINUTES_MAX).map(|offset| sign * offset)
    }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The first microsecond of a day of the Gregorian calendar. Years begin in March here, so that a leap day is the last.
const fn day(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY
}

/// An HTTP date (`Thu, 01 Jan 1970 00:00:00 GMT`).
pub(super) fn http_date(micros: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, date) = scruple_core::Timestamp::from_micros(micros).civil_date();
    let weekday = usize::try_from(micros.div_euclid(DAY).rem_euclid(7)).unwrap_or(0);
    let second = micros.rem_euclid(DAY) / SECOND;
    format!(
        "{}, {date:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS.get(weekday).unwrap_or(&"Thu"),
        MONTHS.get(usize::from(month).saturating_sub(1)).unwrap_or(&"Jan"),
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_core::Timestamp;

    fn micros(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().micros()
    }

    /// The other clock of the workspace says where each range begins and ends.
    #[test]
    fn texts_are_ranges() {
        for (text, from, to) in [
            ("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("0001", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2023-12", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2000-02-29", "2000-02-29T00:00:00Z", "2000-03-01T00:00:00Z"),
            ("1969-12-31", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2024-02-29T23:59", "2024-02-29T23:59:00Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29T23:59:59", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.500001Z"),
            ("2024-02-29T23:59:59.1234567890Z", "2024-02-29T23:59:59.123456Z", "2024-02-29T23:59:59.123457Z"),
            ("2024-03-01T01:00:00+02:00", "2024-02-29T23:00:00Z", "2024-02-29T23:00:01Z"),
            ("2024-02-29T16:30-07:00", "2024-02-29T23:30:00Z", "2024-02-29T23:31:00Z"),
            ("2024-01-01T00:00+14:00", "2023-12-31T10:00:00Z", "2023-12-31T10:01:00Z"),
        ] {
            assert_eq!(Span::parse(text), Some(Span { from: micros(from), to: micros(to) }), "{text}");
        }
        assert_eq!(Span::parse("9999").unwrap().to, micros("9999-12-30T00:00:00Z") + 2 * DAY);
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "24",
            "0000",
            "20240",
            "2024-",
            "2024-1",
            "2024-13",
            "2024-00",
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-01-00",
            "2024-01-01T",
            "2024-01-01T10",
            "2024-01-01T24:00",
            "2024-01-01T10:60",
            "2024-01-01T10:00:60",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00+2:00",
            "2024-01-01T10:00+14:01",
            "2024-01-01T10:00+00:60",
            "2024-01-01T10:00ZZ",
            "2024-01-01Z",
            "2024Z",
            "2024-01-01t10:00Z",
            "2024-01-01 10:00",
            " 2024",
            "2024 ",
            "+2024",
            "２０２４",
            "2024-01-01T10:00:00.5.5Z",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn http_dates_name_the_day() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(micros("1994-11-06T08:49:37Z")), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(micros("2024-02-29T23:59:59.9Z")), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(http_date(micros("1969-12-31T23:59:59Z")), "Wed, 31 Dec 1969 23:59:59 GMT");
    }
}
