//! What a person says that access is for: long enough to be read by somebody who was not there (IL-12, BG-01).

use crate::limits::{REASON_BYTES_MAX, REASON_LETTERS_MIN, REASON_WORDS_MIN};

/// Why a reason is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WeakReason {
    /// Too short to say anything.
    #[error("reason has fewer than {REASON_WORDS_MIN} words or {REASON_LETTERS_MIN} letters")]
    Short,
    /// Too long to be read.
    #[error("reason is longer than {REASON_BYTES_MAX} bytes")]
    Long,
    /// The same word or letter again and again.
    #[error("reason repeats one word")]
    Repeats,
    /// Word for word what the same person wrote the last time.
    #[error("reason is the same as the last one")]
    SameAsLast,
}

impl WeakReason {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Short => "reason_short",
            Self::Long => "reason_long",
            Self::Repeats => "reason_repeats",
            Self::SameAsLast => "reason_same_as_last",
        }
    }
}

/// Accepts a reason, without the space around it; `last` is what the same person wrote the last time.
///
/// # Errors
/// It says nothing.
pub fn reason<'a>(text: &'a str, last: Option<&str>) -> Result<&'a str, WeakReason> {
    let text = text.trim();
    if text.len() > REASON_BYTES_MAX {
        return Err(WeakReason::Long);
    }
    let words = words(text);
    let letters: usize = words.iter().map(|word| word.chars().count()).sum();
    if words.len() < REASON_WORDS_MIN || letters < REASON_LETTERS_MIN {
        return Err(WeakReason::Short);
    }
    let mut distinct = words.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() < REASON_WORDS_MIN || distinct.iter().all(|word| is_one_letter(word)) {
        return Err(WeakReason::Repeats);
    }
    if last.is_some_and(|last| self::words(last) == words) {
        return Err(WeakReason::SameAsLast);
    }
    Ok(text)
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn is_one_letter(word: &str) -> bool {
    let mut letters = word.chars();
    let first = letters.next();
    letters.all(|letter| Some(letter) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_and_not_the_last_thing_again() {
        let last = "Second look at the wound photographs for Dr Ito";
        for (text, expected) in [
            ("Covering bed 12 while Maria is in theatre", Ok("Covering bed 12 while Maria is in theatre")),
            ("  Covering bed 12 for Maria  ", Ok("Covering bed 12 for Maria")),
            ("הכנה לניתוח של מחר בבוקר", Ok("הכנה לניתוח של מחר בבוקר")),
            ("", Err(WeakReason::Short)),
            ("   \n\t ", Err(WeakReason::Short)),
            ("x", Err(WeakReason::Short)),
            ("test", Err(WeakReason::Short)),
            ("n/a n/a", Err(WeakReason::Short)),
            ("I am", Err(WeakReason::Short)),
            ("test test test test test", Err(WeakReason::Repeats)),
            ("xxxx xxxxxxx yyyyyyy zzzzz", Err(WeakReason::Repeats)),
            ("second look at the wound photographs, for Dr. Ito!", Err(WeakReason::SameAsLast)),
        ] {
            assert_eq!(reason(text, Some(last)), expected, "{text}");
        }
        assert_eq!(reason(&"word ".repeat(REASON_BYTES_MAX), None), Err(WeakReason::Long));
    }
}
