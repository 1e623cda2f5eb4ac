//! Dates and local times of the hospital, which keeps UTC-07:00 all year (Arizona has no daylight saving time).

use scruple_core::Timestamp;
use std::fmt;

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;
const OFFSET_SECONDS: i64 = -7 * HOUR;

/// A calendar date, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date(pub i64);

/// A local time of the hospital to the second, as local seconds since 1970-01-01T00:00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub i64);

impl Date {
    /// From a civil date (Hinnant's algorithm).
    pub(crate) const fn civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year - era * 400;
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        Self(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
    }

    /// (year, month, day).
    pub(crate) const fn parts(self) -> (i64, i64, i64) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted - era * 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
    }

    pub(crate) const fn plus_days(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    pub(crate) const fn at(self, hour: i64, minute: i64) -> Moment {
        Moment(self.0 * DAY + hour * HOUR + minute * MINUTE)
    }

    /// Whole years from `birth` to this date.
    pub(crate) const fn years_since(self, birth: Self) -> i64 {
        let ((year, month, day), (birth_year, birth_month, birth_day)) = (self.parts(), birth.parts());
        let before_birthday = month < birth_month || (month == birth_month && day < birth_day);
        year - birth_year - if before_birthday { 1 } else { 0 }
    }

    /// The last weekday on or before this date.
    pub(crate) const fn weekday_back(self) -> Self {
        // Day 0 was a Thursday: 2 and 3 days later came Saturday and Sunday.
        match self.0.rem_euclid(7) {
            2 => Self(self.0 - 1),
            3 => Self(self.0 - 2),
            _ => self,
        }
    }

    /// The first weekday on or after this date.
    pub(crate) const fn weekday_on(self) -> Self {
        match self.0.rem_euclid(7) {
            2 => Self(self.0 + 2),
            3 => Self(self.0 + 1),
            _ => self,
        }
    }
}

impl Moment {
    pub(crate) fn local(at: Timestamp) -> Self {
        Self(at.micros().div_euclid(1_000_000) + OFFSET_SECONDS)
    }

    pub(crate) const fn date(self) -> Date {
        Date(self.0.div_euclid(DAY))
    }

    pub(crate) const fn plus(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.rem_euclid(DAY);
        let (hour, minute, second) = (second / HOUR, second % HOUR / MINUTE, second % MINUTE);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}-07:00", self.date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(Date::civil(1970, 1, 1).0, 0);
        for days in (-40_000..40_000).step_by(7) {
            let (year, month, day) = Date(days).parts();
            assert_eq!(Date::civil(year, month, day).0, days);
        }
        assert_eq!(Date::civil(2024, 2, 29).plus_days(1).to_string(), "2024-03-01");
    }

    #[test]
    fn an_age_counts_whole_years() {
        let birth = Date::civil(2000, 2, 29);
        assert_eq!(Date::civil(2023, 2, 28).years_since(birth), 22);
        assert_eq!(Date::civil(2023, 3, 1).years_since(birth), 23);
    }

    #[test]
    fn local_times_carry_the_offset_and_weekends_are_skipped() {
        let at = Moment::local(Timestamp::parse("2026-03-01T03:04:05Z").unwrap());
        assert_eq!(at.to_string(), "2026-02-28T20:04:05-07:00");
        assert_eq!(at.date().weekday_back().to_string(), "2026-02-27");
        assert_eq!(at.date().weekday_on().to_string(), "2026-03-02");
    }
}
