//! Decimals, exactly: a number of 10^-19, so that half a unit of the last of eighteen digits is one too.

/// Digits of the scale.
const SCALE: usize = 19;
/// Digits that a number may have: of a value before or behind the point, of what is asked in all.
const DIGITS_MAX: usize = 18;

/// A decimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Decimal(i128);

impl Decimal {
    /// A value as it is written. None: it has an exponent, or more than eighteen digits before or behind the point.
    #[must_use]
    pub fn of_value(text: &str) -> Option<Self> {
        let parts = Parts::of(text)?;
        (parts.whole.len() <= DIGITS_MAX && parts.behind.len() <= DIGITS_MAX).then(|| parts.decimal()).flatten()
    }

    /// A number that is asked for, and half a unit of its last digit.
    ///
    /// Reading: a zero before the point is a digit, too. `-`, digits, a point and digits; no other sign, and no point without digits on both sides.
    #[must_use]
    pub fn asked(text: &str) -> Option<(Self, Self)> {
        let parts = Parts::of(text)?;
        if parts.whole.len() + parts.behind.len() > DIGITS_MAX {
            return None;
        }
        let half = Self(5 * 10_i128.pow(u32::try_from(SCALE - 1 - parts.behind.len()).ok()?));
        Some((parts.decimal()?, half))
    }

    /// Whether it lies in `[n - h, n + h)`.
    #[must_use]
    pub const fn is_about(self, number: Self, half: Self) -> bool {
        number.0 - half.0 <= self.0 && self.0 < number.0 + half.0
    }

    /// Written with so many digits behind the point, the others cut off.
    #[must_use]
    pub fn written(self, behind: usize) -> String {
        let digits = format!("{:0>width$}", self.0.unsigned_abs(), width = SCALE + 1);
        let (whole, rest) = digits.split_at(digits.len() - SCALE);
        let sign = if self.0 < 0 { "-" } else { "" };
        match rest.get(..behind.min(SCALE)).unwrap_or_default() {
            "" => format!("{sign}{whole}"),
            rest => format!("{sign}{whole}.{rest}"),
        }
    }

    /// How many digits behind the point it needs.
    #[must_use]
    pub fn behind(self) -> usize {
        (0..SCALE)
            .find(|zeros| self.0 % 10_i128.pow(u32::try_from(zeros + 1).unwrap_or(1)) != 0)
            .map_or(0, |zeros| SCALE - zeros)
    }
}

struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    behind: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (is_negative, plain) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, behind) = match plain.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (plain, ""),
        };
        (is_number(whole) && (behind.is_empty() || is_number(behind))).then_some(Self { is_negative, whole, behind })
    }

    fn decimal(&self) -> Option<Decimal> {
        let zeros = SCALE.checked_sub(self.behind.len())?;
        let number: i128 = format!("{}{}{}", self.whole, self.behind, "0".repeat(zeros)).parse().ok()?;
        Some(Decimal(if self.is_negative { -number } else { number }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let value = |text: &str| Decimal::of_value(text).unwrap();
        assert_eq!(value("5.40"), value("5.4"));
        assert_eq!(value("-0"), value("0.000"));
        assert!(value("0.100000000000000001") > value("0.1"));
        assert!(value("-1.5") < value("-1.4"));
        for text in ["1e2", "1E-7", "1234567890123456789", "0.1234567890123456789", "", "-", ".5", "5.", "+5", "1.2.3"]
        {
            assert_eq!(Decimal::of_value(text), None, "{text}");
        }
        for (text, behind) in [("999999999999999999", 0), ("-0.25", 2), ("185", 0), ("7.100", 1)] {
            let number = value(text);
            assert_eq!((number.behind(), value(&number.written(number.behind()))), (behind, number), "{text}");
        }
        assert_eq!(value("12.987").written(1), "12.9");
    }

    #[test]
    fn a_number_that_is_asked_stands_for_its_last_digit() {
        for (asked, value, expected) in [
            ("5.40", "5.395", true),
            ("5.40", "5.405", false),
            ("5.40", "5.40499999", true),
            ("5.40", "5.3949", false),
            ("5", "4.5", true),
            ("5", "5.5", false),
            ("-5", "-5.5", true),
            ("-5", "-4.5", false),
            ("0.12345678901234567", "0.12345678901234567", true),
            ("0.12345678901234567", "0.123456789012345678", false),
        ] {
            let (number, half) = Decimal::asked(asked).unwrap();
            assert_eq!(Decimal::of_value(value).unwrap().is_about(number, half), expected, "{asked} {value}");
        }
        assert_eq!(Decimal::asked("1.123456789012345678"), None);
    }
}
