//! A JSON tree that keeps the order of its keys and writes decimals exactly.
//!
//! `serde_json::Value` would sort or keep keys depending on a feature that any crate of a build may switch on, and
//! would print decimals through `f64`. Neither may decide over the bytes of a generated record.

use crate::time::{Date, Moment};
use std::borrow::Cow;

/// A decimal as FHIR has it: `12.50` is not `12.5`. The value is `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal {
    pub mantissa: i64,
    pub scale: u8,
}

pub(crate) const fn dec(mantissa: i64, scale: u8) -> Decimal {
    Decimal { mantissa, scale }
}

/// An amount of money in cents.
pub(crate) const fn cents(amount: i64) -> Decimal {
    dec(amount, 2)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// Left out, with its key.
    Absent,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(Cow<'static, str>),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

/// An object: `obj! { "system": system, "value": value }`. Absent values and empty lists are left out.
macro_rules! obj {
    ($($key:literal : $value:expr),* $(,)?) => {
        $crate::json::Json::Object(vec![$(($key, $crate::json::Json::from($value))),*])
    };
}
/// A list of values of any type that becomes JSON.
macro_rules! arr {
    ($($value:expr),* $(,)?) => { $crate::json::Json::List(vec![$($crate::json::Json::from($value)),*]) };
}
pub(crate) use {arr, obj};

impl Json {
    fn is_absent(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::List(items) => items.iter().all(Self::is_absent),
            Self::Object(fields) => fields.iter().all(|(_, value)| value.is_absent()),
            _ => false,
        }
    }

    /// Appends this value as compact JSON. An absent value at the top is `null`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Decimal(value) => value.write(out),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push(b'[');
                let mut first = true;
                for item in items.iter().filter(|item| !item.is_absent()) {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(fields) => Self::write_object(fields, out),
        }
    }

    /// Appends an object of these fields.
    pub(crate) fn write_object(fields: &[(&'static str, Self)], out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_absent()) {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            write_text(key, out);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }
}

impl Decimal {
    fn write(self, out: &mut Vec<u8>) {
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs(), width = usize::from(self.scale) + 1);
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(usize::from(self.scale)));
        if self.mantissa < 0 {
            out.push(b'-');
        }
        out.extend_from_slice(whole.as_bytes());
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction.as_bytes());
        }
    }
}

pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i32> for Json {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<Decimal> for Json {
    fn from(value: Decimal) -> Self {
        Self::Decimal(value)
    }
}
impl From<&'static str> for Json {
    fn from(value: &'static str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}
impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}
impl From<&String> for Json {
    fn from(value: &String) -> Self {
        Self::Text(Cow::Owned(value.clone()))
    }
}
impl From<Date> for Json {
    fn from(value: Date) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}
impl From<Moment> for Json {
    fn from(value: Moment) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}
impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}
impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Json>, const N: usize> From<[T; N]> for Json {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// Standard base64 with padding, as `base64Binary` wants it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET.get((word >> (18 - 6 * place)) as usize & 63).copied().unwrap_or(b'=');
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &Json) -> String {
        let mut out = Vec::new();
        json.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_keep_their_order_and_absent_values_are_left_out() {
        let json = obj! { "b": 1, "a": Option::<bool>::None, "c": arr![obj! {}, "x\"\n"], "d": Vec::<String>::new() };
        assert_eq!(text(&json), r#"{"b":1,"c":["x\"\n"]}"#);
    }

    #[test]
    fn decimals_keep_their_digits() {
        for (value, expected) in
            [(dec(5, 2), "0.05"), (dec(-1250, 2), "-12.50"), (dec(7, 0), "7"), (dec(368, 1), "36.8")]
        {
            assert_eq!(text(&value.into()), expected);
        }
    }

    #[test]
    fn base64_matches_the_vectors_of_rfc_4648() {
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
