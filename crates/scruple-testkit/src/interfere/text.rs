//! Texts of requests: percent encoding, escapes of search values, and how texts are compared.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// Percent-encodes all but letters, digits and `-._~`.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Percent-decodes, `+` being a space. None: a `%` without two digits, or no UTF-8.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit))?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Names and values of a query, decoded. A name without `=` has an empty value; nothing between two `&` is skipped.
#[must_use]
pub fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// The query of names and values.
#[must_use]
pub fn query(pairs: &[(String, String)]) -> String {
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    written.join("&")
}

/// Splits where the character stands without a backslash before it. The pieces keep their escapes.
#[must_use]
pub fn split_unescaped(text: &str, at: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut is_escaped = false;
    for (place, letter) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if letter == '\\' {
            is_escaped = true;
        } else if letter == at {
            pieces.push(text.get(start..place).unwrap_or_default());
            start = place + letter.len_utf8();
        }
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// Whether every backslash stands before `,`, `|`, `$` or `\`. Reading: at the end it stands before nothing of these.
#[must_use]
pub fn is_escaped_well(text: &str) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' && !matches!(letters.next(), Some(',' | '|' | '$' | '\\')) {
            return false;
        }
    }
    true
}

/// Takes the backslash away before `,`, `|`, `$` and `\`.
#[must_use]
pub fn unescaped(text: impl AsRef<str>) -> String {
    let mut out = String::new();
    let mut letters = text.as_ref().chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(next @ (',' | '|' | '$' | '\\'))) => {
                out.push(*next);
                letters.next();
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Puts a backslash before `,`, `|`, `$` and `\`.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if matches!(letter, ',' | '|' | '$' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// A text as string search compares it: NFD without non-spacing marks, lower case, runs of white space one space, trimmed.
///
/// Reading: each letter is made small by itself (a sigma at the end of a word is no other letter), or a beginning would
/// depend on what follows it.
#[must_use]
pub fn folded(text: &str) -> String {
    let is_mark = |letter: &char| get_general_category(*letter) == GeneralCategory::NonspacingMark;
    let plain: String = text.nfd().filter(|letter| !is_mark(letter)).collect();
    let small = |word: &str| word.chars().flat_map(char::to_lowercase).collect::<String>();
    let words: Vec<String> = plain.split_whitespace().map(small).collect();
    words.join(" ")
}

/// 1-64 of letters, digits, `-`, `.`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
