//! Mask functions on scalars. Each takes the text as written, quotes included, and returns what shows, or nothing.

use crate::codes::TOKEN_BYTES_MAX;
use crate::dictionary::dictionary;
use crate::json::Scalar;
use crate::marker::MASKED;
use crate::reference::is_id;

/// Ages of this many years and over are given as one (45 CFR 164.514(b)(2)(i)(C)).
const AGE_YEARS_MAX: i32 = 90;
/// The extension that carries an age in place of a birth date.
const AGE_URL: &str = "https://scruple.example/fhir/StructureDefinition/age";

/// Scalars that show only in the form of their type, so that a sender's words do not leave in the place of a code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Formed {
    /// `code`: no white space but behind a semicolon (`text/plain; charset=utf-8`).
    Code,
    /// `id`
    Id,
    /// `date`, `dateTime`, `instant`, `time`
    Time,
    /// `Reference.type`: a resource type.
    TypeName,
}

impl Formed {
    /// The form of a primitive type, if it has one.
    pub fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "code" => Self::Code,
            "id" => Self::Id,
            "date" | "dateTime" | "instant" | "time" => Self::Time,
            _ => return None,
        })
    }

    /// Whether a scalar, quotes included, has the form.
    pub fn fits(self, text: &[u8]) -> bool {
        // None of the classes has the backslash.
        let Some(value) = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) else { return false };
        match self {
            Self::Code => {
                let spaced = |(place, byte): (usize, &u8)| {
                    is_of(*byte, CODE) || *byte == b' ' && place > 0 && value.get(place - 1) == Some(&b';')
                };
                (1..=TOKEN_BYTES_MAX).contains(&value.len())
                    && (value.iter().all(|byte| is_of(*byte, CODE)) || value.iter().enumerate().all(spaced))
            }
            Self::Id => is_id(value),
            Self::Time => (2..=35).contains(&value.len()) && value.iter().all(|byte| is_of(*byte, TIME)),
            Self::TypeName => dictionary().resource_by_bytes(value).is_some(),
        }
    }
}

/// Classes of bytes, one bit each.
const CODE: u8 = 1;
const TIME: u8 = 2;

#[expect(clippy::indexing_slicing, reason = "a byte is always within 256")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        if byte.is_ascii_graphic() && byte != b'\\' {
            classes[byte as usize] |= CODE;
        }
        if byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z' | b'+') {
            classes[byte as usize] |= TIME;
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    classes
};

fn is_of(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

fn inner(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!inner.contains(&b'\\')).then_some(inner)
}

fn quoted(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![b'"'];
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.push(b'"');
    out
}

/// The year of a date or dateTime.
pub(crate) fn year(text: &[u8]) -> Option<Vec<u8>> {
    let value = inner(text)?;
    let year = value.get(..4)?;
    let ends = value.get(4).is_none_or(|byte| *byte == b'-');
    (ends && year.iter().all(u8::is_ascii_digit)).then(|| quoted(&[year]))
}

/// Three digits of a US ZIP code, and `00`.
pub(crate) fn zip3(text: &[u8], country: Option<&[u8]>) -> Option<Vec<u8>> {
    let value = inner(text)?;
    let domestic = matches!(country, None | Some(b"US" | b"USA"));
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let is_zip = match value.len() {
        5 => digits(value),
        10 => value.get(..5).is_some_and(digits) && value.get(5) == Some(&b'-') && value.get(6..).is_some_and(digits),
        _ => false,
    };
    (domestic && is_zip).then(|| quoted(&[value.get(..3).unwrap_or_default(), b"00"]))
}

/// The last four characters of at least eight.
pub(crate) fn last4(text: &[u8]) -> Option<Vec<u8>> {
    let value = std::str::from_utf8(inner(text)?).ok()?;
    let count = value.chars().count();
    let (from, _) = value.char_indices().nth(count.checked_sub(4)?)?;
    (count >= 8).then(|| quoted(&[value.get(from..).unwrap_or_default().as_bytes()]))
}

/// A dummy of the same shape.
pub(crate) fn shape(text: &[u8], scalar: Scalar, type_name: &str) -> Option<Vec<u8>> {
    match scalar {
        Scalar::Bool => return Some(b"false".to_vec()),
        Scalar::Number => return Some(b"9".to_vec()),
        Scalar::String => {}
    }
    let value = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let constant = match type_name {
        "date" | "dateTime" => match value.len() {
            4 => "2000",
            7 => "2000-01",
            10 => "2000-01-01",
            11.. => "2000-01-01T00:00:00Z",
            _ => return None,
        },
        "instant" => "2000-01-01T00:00:00Z",
        "time" => "00:00:00",
        _ => return dummy(value).map(|dummy| quoted(&[&dummy])),
    };
    Some(quoted(&[constant.as_bytes()]))
}

fn dummy(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    let mut chars = std::str::from_utf8(value).ok()?.chars();
    while let Some(char) = chars.next() {
        out.push(match char {
            'A'..='Z' => b'X',
            'a'..='z' => b'x',
            '0'..='9' => b'9',
            '\\' => {
                if chars.next() == Some('u') {
                    chars.by_ref().take(4).for_each(drop);
                }
                b'x'
            }
            other if other.is_ascii() => u8::try_from(other).unwrap_or(b'x'),
            _ => b'x',
        });
    }
    Some(out)
}

/// What stands in the `_x` of a date under `age`: that it is masked, and for a birth date the age in years on `today`.
pub(crate) fn age(text: &[u8], element: &str, today: (i16, u8, u8)) -> String {
    let years = if element == "birthDate" { inner(text).and_then(|date| years_since(date, today)) } else { None };
    let Some(years) = years else { return format!(r#"{{"extension":[{MASKED}]}}"#) };
    let (value, comparator) =
        if years >= AGE_YEARS_MAX { (AGE_YEARS_MAX, r#""comparator":">=","#) } else { (years, "") };
    format!(
        r#"{{"extension":[{MASKED},{{"url":"{AGE_URL}","valueAge":{{"value":{value},{comparator}"unit":"years","system":"http://unitsofmeasure.org","code":"a"}}}}]}}"#
    )
}

fn years_since(date: &[u8], today: (i16, u8, u8)) -> Option<i32> {
    let number = |from: usize, to: usize| -> Option<i32> {
        let part = std::str::from_utf8(date.get(from..to)?).ok()?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    if date.get(4) != Some(&b'-') || date.get(7) != Some(&b'-') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (this_year, this_month, this_day) = (i32::from(today.0), i32::from(today.1), i32::from(today.2));
    let had_birthday = (this_month, this_day) >= (month, day);
    let years = this_year - year - i32::from(!had_birthday);
    let not_after = (year, month, day) <= (this_year, this_month, this_day);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    (not_after && valid).then_some(years)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(shown: Option<Vec<u8>>) -> String {
        shown.map_or_else(|| "none".to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn masks_show_what_they_say() {
        assert_eq!(text(year(br#""1984-02-29""#)), r#""1984""#);
        assert_eq!(text(year(br#""1984""#)), r#""1984""#);
        assert_eq!(text(year(br#""19842""#)), "none");
        assert_eq!(text(year(br#""last year""#)), "none");
        assert_eq!(text(zip3(br#""02139""#, None)), r#""02100""#);
        assert_eq!(text(zip3(br#""02139-1234""#, Some(b"US"))), r#""02100""#);
        assert_eq!(text(zip3(br#""02139""#, Some(b"DE"))), "none");
        assert_eq!(text(zip3(br#""SW1A 1AA""#, None)), "none");
        assert_eq!(text(last4(br#""999-12-3456""#)), r#""3456""#);
        assert_eq!(text(last4(br#""3456789""#)), "none");
        assert_eq!(text(last4("\"1234567é\"".as_bytes())), "\"567é\"");
        assert_eq!(text(shape(br#""Ana Ruiz 3rd""#, Scalar::String, "string")), r#""Xxx Xxxx 9xx""#);
        assert_eq!(text(shape(br#""a\"b\u0041""#, Scalar::String, "string")), r#""xxxx""#);
        assert_eq!(text(shape(br#""1984-02""#, Scalar::String, "date")), r#""2000-01""#);
    }

    #[test]
    fn ages_are_years_at_the_decision_and_end_at_ninety() {
        let check = |birth: &str, expected: &str| {
            let shown = age(format!("\"{birth}\"").as_bytes(), "birthDate", (2025, 2, 28));
            let value = shown
                .split("valueAge\":{\"value\":")
                .nth(1)
                .map_or("none", |rest| rest.split(",\"unit").next().unwrap());
            assert_eq!(value, expected, "{birth}");
        };
        check("1984-02-29", "40");
        check("1984-02-28", "41");
        check("1935-02-28", "90,\"comparator\":\">=\"");
        check("1900-01-01", "90,\"comparator\":\">=\"");
        check("2025-03-01", "none");
        check("1984-02", "none");
        check("1984-13-01", "none");
        assert!(!age(br#""1984-02-29""#, "deceasedDateTime", (2025, 1, 1)).contains("valueAge"));
    }
}
