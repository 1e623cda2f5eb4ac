//! Decimals as they are written: exact, compared by value.

use std::cmp::Ordering;

/// Digits before and behind the point.
const DIGITS_MAX: usize = 18;
/// Ten to the power of [`DIGITS_MAX`].
const SCALE: i128 = 1_000_000_000_000_000_000;

/// A decimal, in units of the eighteenth place behind the point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Decimal(i128);

impl Decimal {
    /// In units of the eighteenth place behind the point.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Reads a decimal without exponent. `None`: it is none, or has more digits than are read.
    pub fn parse(text: &str) -> Option<Self> {
        Self::with_places(text).map(|(value, _)| value)
    }

    /// The same, with how many digits stand behind the point.
    fn with_places(text: &str) -> Option<(Self, u32)> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let fits = |part: &str| part.len() <= DIGITS_MAX && part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !fits(whole) || !fits(fraction) {
            return None;
        }
        let places = u32::try_from(fraction.len()).ok()?;
        let behind = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
        let units = whole.parse::<i128>().ok()? * SCALE + behind * SCALE / 10_i128.pow(places);
        Some((Self(sign * units), places))
    }
}

/// A number that was asked for, and how exactly it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    value: Decimal,
    /// Half a unit of its last digit.
    half: i128,
}

impl Wanted {
    /// Reads what was asked for: at most 18 digits in all.
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX {
            return None;
        }
        let (value, places) = Decimal::with_places(text)?;
        // The last of eighteen places has no half that is a unit: nothing is written so exactly but by intent.
        Some(Self { value, half: SCALE / 10_i128.pow(places) / 2 })
    }

    /// Whether a value is the same as exactly as it was written.
    pub const fn is(self, value: Decimal) -> bool {
        value.0 >= self.value.0 - self.half && (value.0 < self.value.0 + self.half || value.0 == self.value.0)
    }

    /// How a value compares with the number itself.
    pub fn order_of(self, value: Decimal) -> Ordering {
        value.cmp(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_asked_for_as_exactly_as_they_are_written() {
        let is = |wanted: &str, value: &str| Wanted::parse(wanted).unwrap().is(Decimal::parse(value).unwrap());
        for (wanted, value, expected) in [
            ("100", "100", true),
            ("100", "99.5", true),
            ("100", "99.499999999999999999", false),
            ("100", "100.5", false),
            ("5.40", "5.404", true),
            ("5.40", "5.405", false),
            ("5.4", "5.405", true),
            ("-1", "-1.5", true),
            ("-1", "-0.5", false),
            ("0.1", "0.1", true),
        ] {
            assert_eq!(is(wanted, value), expected, "{wanted} {value}");
        }
        for text in ["", "-", ".5", "5.", "1e3", "+1", "1,5", "1234567890123456789", "0x1", "\u{0661}"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Wanted::parse("123456789.0123456789"), None);
        assert!(Decimal::parse("-2") < Decimal::parse("-1.9"));
    }
}
